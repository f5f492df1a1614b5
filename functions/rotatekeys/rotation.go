package rotatekeys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// SecretsManager is the part of *secretsmanager.Client that a rotation uses. The
// versions and labels of a rotation are AWS's own, so it does not go through
// secret.Store.
type SecretsManager interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// Publisher is where the public keys are published; store.Directory is one.
type Publisher interface {
	PutPublicKeys(context.Context, store.PublicKeys) error
}

// The labels of Secrets Manager.
const (
	current = "AWSCURRENT"
	pending = "AWSPENDING"
)

// Config is what New needs.
type Config struct {
	SecretsManager SecretsManager
	Publisher      Publisher
	// Secret is the name or the ARN of the signing keys: no other secret is touched.
	Secret string
	// Service is the setting SERVICE_NAME, for the log.
	Service string
	// Logger receives one record per step. Nil: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Function is the Lambda function. An error makes Secrets Manager try the rotation
// again later; the keys in force stay in force.
type Function func(context.Context, events.SecretsManagerSecretRotationEvent) error

// New returns the function.
func New(cfg Config) Function {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return func(ctx context.Context, event events.SecretsManagerSecretRotationEvent) error {
		started := cfg.Now()
		ended, err := cfg.step(ctx, event)
		level := slog.LevelInfo
		attributes := []slog.Attr{
			slog.String("function", "rotatekeys"),
			slog.String("version", version.Version),
			slog.String("service", cfg.Service),
			slog.String("step", event.Step),
			// A name that Secrets Manager gave: it leads to the version, and opens nothing.
			slog.String("secretVersion", event.ClientRequestToken),
			slog.String("outcome", string(ended)),
			slog.Float64("milliseconds", metrics.Milliseconds(cfg.Now().Sub(started))),
		}
		if err != nil {
			level = slog.LevelError
			attributes = append(attributes, slog.String("cause", err.Error()))
			err = fmt.Errorf("rotate keys: %s: %w", event.Step, err)
		}
		cfg.Logger.LogAttrs(ctx, level, "rotation", attributes...)
		return err
	}
}

// outcome says in the log how a step ended.
type outcome string

const (
	done   outcome = "done"
	tidied outcome = "tidied" // the rotation was over already; its key was published again
	failed outcome = "failed"
)

// step takes one step. With an error the outcome is failed.
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
		// Done already, by an attempt that perhaps ended before it had tidied up.
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

// rotation finds out where the rotation of an event stands.
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
	// Two attempts at the same moment: the first one's keys are the ones.
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

// both returns what is in force and what is about to be; the first rotation has
// nothing in force.
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
	claims := keys.AccessTokenClaims{Issuer: issuer, Audience: issuer, Subject: "rotation"}
	token, _, err := minter.Mint(ctx, claims, r.Now().Add(keys.MaxLifetime))
	if err != nil {
		return err
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{
		Document: func(context.Context) ([]byte, error) { return keys.Public(sets...) },
		Now:      r.Now,
	})
	_, err = verifier.Verify(ctx, token, issuer)
	return err
}

// finish makes the pending version the current one. It publishes before that, again,
// so that nothing depends on who ran which step.
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
		// A request whose answer was lost is sent again by the client, and then finds
		// that the label has moved already.
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
