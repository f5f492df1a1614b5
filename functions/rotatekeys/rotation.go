package rotatekeys

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// The staging labels of Secrets Manager.
const (
	current = "AWSCURRENT"
	pending = "AWSPENDING"
)

// outcome is how a step ended, for the log.
type outcome string

const (
	done   outcome = "done"
	tidied outcome = "tidied" // the rotation had ended already; its key was published again
	failed outcome = "failed"
)

// step runs one step. With an error the outcome is failed.
func (cfg Config) step(ctx context.Context, event events.SecretsManagerSecretRotationEvent) (outcome, error) {
	r, err := cfg.rotation(ctx, event)
	if err != nil {
		return failed, err
	}
	ended, take := done, map[string]func(context.Context) error{
		"createSecret": r.create,
		"setSecret":    r.publishBoth,
		"testSecret":   r.test,
		"finishSecret": r.finish,
	}[event.Step]
	switch {
	case r.replaces == r.version:
		// An earlier attempt has finished, and may have been interrupted before it tidied up.
		ended, take = tidied, r.publishAlone
	case take == nil:
		return failed, errors.New("unknown step")
	}
	if err := take(ctx); err != nil {
		return failed, err
	}
	return ended, nil
}

// rotation is one rotation in progress.
type rotation struct {
	Config
	secretID string
	version  string // the version that becomes current: the token of the rotation
	replaces string // the version that is current now
}

// rotation reads the state of the rotation of an event.
func (cfg Config) rotation(ctx context.Context, event events.SecretsManagerSecretRotationEvent) (rotation, error) {
	described, err := cfg.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &event.SecretID})
	if err != nil {
		return rotation{}, fmt.Errorf("describe secret: %w", err)
	}
	if cfg.Secret == "" || (aws.ToString(described.ARN) != cfg.Secret && aws.ToString(described.Name) != cfg.Secret) {
		return rotation{}, errors.New("this is not the secret of the signing keys")
	}
	r := rotation{Config: cfg, secretID: event.SecretID, version: event.ClientRequestToken}
	for version, labels := range described.VersionIdsToStages {
		if slices.Contains(labels, current) {
			r.replaces = version
		}
	}
	labels := described.VersionIdsToStages[r.version]
	if r.version == "" || (!slices.Contains(labels, pending) && !slices.Contains(labels, current)) {
		return rotation{}, errors.New("the version is not one that is being rotated to")
	}
	return r, nil
}

// create writes the next set as the pending version, once.
func (r rotation) create(ctx context.Context) error {
	if _, found, err := r.read(ctx, r.version); err != nil || found {
		return err
	}
	old, found, err := r.read(ctx, r.replaces)
	if err != nil {
		return err
	}
	next, err := following(old, found, r.Now())
	if err != nil {
		return err
	}
	text, err := next.Encode()
	if err != nil {
		return err
	}
	_, err = r.SecretsManager.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId:           &r.secretID,
		ClientRequestToken: &r.version,
		SecretString:       &text,
		VersionStages:      []string{pending},
	})
	// Of two attempts at the same moment the first one's keys count.
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the pending version: %w", err)
	}
	return nil
}

// following returns the set after old, or a first one.
func following(old keys.Set, found bool, now time.Time) (keys.Set, error) {
	if !found {
		return keys.Generate(now)
	}
	fresh, err := keys.NewKey(now)
	if err != nil {
		return keys.Set{}, err
	}
	return keys.Rotate(old, fresh), nil
}

// read returns the set in a version; found is false when there is no value yet, or
// the placeholder of the template.
func (r rotation) read(ctx context.Context, version string) (set keys.Set, found bool, err error) {
	if version == "" {
		return keys.Set{}, false, nil
	}
	output, err := r.SecretsManager.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &r.secretID, VersionId: &version})
	if _, absent := errors.AsType[*types.ResourceNotFoundException](err); absent {
		return keys.Set{}, false, nil
	}
	if err != nil {
		return keys.Set{}, false, fmt.Errorf("read version: %w", err)
	}
	set, err = keys.Decode(aws.ToString(output.SecretString))
	if errors.Is(err, keys.ErrNoSet) {
		return keys.Set{}, false, nil
	}
	return set, err == nil, err
}

// both returns the current set, which a first rotation does not have, and the next one.
func (r rotation) both(ctx context.Context) (sets []keys.Set, next keys.Set, err error) {
	next, found, err := r.read(ctx, r.version)
	if err != nil {
		return nil, keys.Set{}, err
	}
	if !found {
		return nil, keys.Set{}, errors.New("the pending version has no keys")
	}
	old, found, err := r.read(ctx, r.replaces)
	if err != nil {
		return nil, keys.Set{}, err
	}
	if !found {
		return []keys.Set{next}, next, nil
	}
	return []keys.Set{old, next}, next, nil
}

func (r rotation) publishBoth(ctx context.Context) error {
	sets, _, err := r.both(ctx)
	if err != nil {
		return err
	}
	return publish(ctx, r.Publisher, r.Now(), sets...)
}

func (r rotation) publishAlone(ctx context.Context) error {
	set, found, err := r.read(ctx, r.version)
	if err != nil {
		return err
	}
	if !found {
		return errors.New("the current version has no keys")
	}
	return publish(ctx, r.Publisher, r.Now(), set)
}

// test signs with the pending version and verifies as the authorizer will.
func (r rotation) test(ctx context.Context) error {
	sets, next, err := r.both(ctx)
	if err != nil {
		return err
	}
	minter := keys.NewMinter(keys.MinterConfig{
		Load: func(context.Context) (string, error) { return next.Encode() },
		Now:  r.Now,
	})
	const issuer = "https://rotation.invalid"
	claims := keys.AccessTokenClaims{Issuer: issuer, Audience: keys.Audience{issuer}, Subject: "rotation"}
	token, _, err := minter.Mint(ctx, claims, r.Now().Add(keys.MaxLifetime))
	if err != nil {
		return err
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{
		Document: func(context.Context) ([]byte, error) { return keys.Public(sets...) },
		Now:      r.Now,
	})
	_, err = verifier.VerifySession(ctx, token, issuer)
	return err
}

// finish makes the pending version the current one. It publishes once more before, so
// that the keys are published whichever steps ran.
func (r rotation) finish(ctx context.Context) error {
	if err := r.publishBoth(ctx); err != nil {
		return err
	}
	input := &secretsmanager.UpdateSecretVersionStageInput{
		SecretId:        &r.secretID,
		VersionStage:    aws.String(current),
		MoveToVersionId: &r.version,
	}
	if r.replaces != "" {
		input.RemoveFromVersionId = &r.replaces
	}
	if _, err := r.SecretsManager.UpdateSecretVersionStage(ctx, input); err != nil {
		// The client repeats a request whose answer was lost, and the repeated one finds
		// the label moved already.
		if done, checkErr := r.isCurrent(ctx); checkErr != nil || !done {
			return fmt.Errorf("make the pending version current: %w", errors.Join(err, checkErr))
		}
	}
	return r.publishAlone(ctx)
}

// isCurrent reports whether the version of this rotation is the current one now.
func (r rotation) isCurrent(ctx context.Context) (bool, error) {
	described, err := r.SecretsManager.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &r.secretID})
	if err != nil {
		return false, fmt.Errorf("describe secret: %w", err)
	}
	return slices.Contains(described.VersionIdsToStages[r.version], current), nil
}

func publish(ctx context.Context, to Publisher, now time.Time, sets ...keys.Set) error {
	document, err := keys.Public(sets...)
	if err != nil {
		return err
	}
	if err := to.PutPublicKeys(ctx, store.PublicKeys{Document: document, UpdatedAt: now}); err != nil {
		return fmt.Errorf("publish keys: %w", err)
	}
	return nil
}
