package secretsmanager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// API is the part of *secretsmanager.Client that the engine uses. A function's
// policy needs the actions of the methods it calls and no more.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	CreateSecret(context.Context, *secretsmanager.CreateSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.CreateSecretOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	DeleteSecret(context.Context, *secretsmanager.DeleteSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DeleteSecretOutput, error)
}

const (
	// AWS deletes in the background, usually within a second or two, and rejects the name
	// meanwhile.
	firstPause  = 250 * time.Millisecond
	patientTime = 6 * time.Second
)

// Config is what New needs.
type Config struct {
	Client API
	// Description of the secrets that Create makes, for the AWS console.
	Description string
}

// Store keeps secrets in AWS Secrets Manager. It is safe for concurrent use.
type Store struct{ cfg Config }

var _ secret.Store = (*Store)(nil)

// New returns the engine. It sends no request yet.
func New(cfg Config) *Store { return &Store{cfg} }

// Get implements secret.Store.
func (s *Store) Get(ctx context.Context, name, version string) (secret.Value, error) {
	input := &secretsmanager.GetSecretValueInput{SecretId: aws.String(name)}
	switch {
	case version == secret.Current:
		input.VersionStage = aws.String("AWSCURRENT")
	case secret.IsVersion(version):
		input.VersionId = aws.String(version)
	default: // AWS would reject the parameter; there is no such version
		return secret.Value{}, fmt.Errorf("get secret %q: %w", name, secret.ErrNotFound)
	}
	output, err := s.cfg.Client.GetSecretValue(ctx, input)
	if err != nil {
		return secret.Value{}, failed("get", name, err)
	}
	if output.SecretString == nil {
		return secret.Value{}, fmt.Errorf("get secret %q: it is binary; text is wanted", name)
	}
	return secret.NewValue(*output.SecretString), nil
}

// Create implements secret.Store. Repeating it with the same version and value succeeds,
// so that a request whose answer was lost may be sent again.
//
// A secret of this name that waits for its deletion has no owner any more: Create deletes
// it at once. AWS needs a moment for that, so Create may take 6 s.
func (s *Store) Create(ctx context.Context, name, version string, value secret.Value) error {
	if err := secret.CheckWrite(name, version, value); err != nil {
		return fmt.Errorf("create secret: %w", err)
	}
	input := &secretsmanager.CreateSecretInput{
		Name:               aws.String(name),
		ClientRequestToken: aws.String(version),
		SecretString:       aws.String(value.Reveal()),
	}
	if s.cfg.Description != "" {
		input.Description = aws.String(s.cfg.Description)
	}
	patience := time.After(patientTime)
	for pause := firstPause; ; pause *= 2 {
		_, err := s.cfg.Client.CreateSecret(ctx, input)
		if err == nil {
			return nil
		}
		if !pendingDeletion(err) {
			return failed("create", name, err)
		}
		if err := s.Delete(ctx, name); err != nil {
			return fmt.Errorf("create secret %q: %w", name, err)
		}
		select {
		case <-time.After(pause):
		case <-patience:
			return failed("create", name, err)
		case <-ctx.Done():
			return fmt.Errorf("create secret %q: wait for its deletion: %w", name, context.Cause(ctx))
		}
	}
}

// Put implements secret.Store. A version that exists with the same value does not become
// the newest again.
func (s *Store) Put(ctx context.Context, name, version string, value secret.Value) error {
	if err := secret.CheckWrite(name, version, value); err != nil {
		return fmt.Errorf("put secret: %w", err)
	}
	_, err := s.cfg.Client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:           aws.String(name),
		ClientRequestToken: aws.String(version),
		SecretString:       aws.String(value.Reveal()),
	})
	if err != nil {
		return failed("put", name, err)
	}
	return nil
}

// Delete implements secret.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	_, err := s.cfg.Client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
		SecretId:                   aws.String(name),
		ForceDeleteWithoutRecovery: aws.Bool(true),
	})
	if err = failed("delete", name, err); errors.Is(err, secret.ErrNotFound) {
		return nil
	}
	return err
}

// failed translates an error of AWS. A secret that waits for its deletion counts as
// deleted.
func failed(verb, name string, err error) error {
	if err == nil {
		return nil
	}
	_, absent := errors.AsType[*types.ResourceNotFoundException](err)
	_, taken := errors.AsType[*types.ResourceExistsException](err)
	switch {
	case absent, verb != "create" && pendingDeletion(err):
		err = secret.ErrNotFound
	case taken:
		err = secret.ErrExists
	}
	return fmt.Errorf("%s secret %q: %w", verb, name, err)
}

// pendingDeletion recognises one of the errors of this type, to which AWS gives no code:
// "… was marked for deletion", "… is already scheduled for deletion".
func pendingDeletion(err error) bool {
	refused, ok := errors.AsType[*types.InvalidRequestException](err)
	return ok && strings.Contains(refused.ErrorMessage(), "deletion")
}
