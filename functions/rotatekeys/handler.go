package rotatekeys

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SecretsManager is the part of *secretsmanager.Client that a rotation uses. AWS
// defines the versions and labels of a rotation, so it does not go through secret.Store.
type SecretsManager interface {
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(context.Context, *secretsmanager.PutSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
	UpdateSecretVersionStage(context.Context, *secretsmanager.UpdateSecretVersionStageInput, ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error)
}

// Publisher publishes the public keys; store.Directory implements it.
type Publisher interface {
	PutPublicKeys(context.Context, store.PublicKeys) error
}

// Config is what New needs.
type Config struct {
	SecretsManager SecretsManager
	Publisher      Publisher
	// Secret is the name or the ARN of the signing keys, the only secret that is rotated.
	Secret string
	// Log gets one record per step.
	Log apigw.WorkLog
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Function is the Lambda function. An error makes Secrets Manager try the rotation
// again later; the keys in force stay in force.
type Function func(context.Context, events.SecretsManagerSecretRotationEvent) error

// New returns the function.
func New(cfg Config) Function {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return func(ctx context.Context, event events.SecretsManagerSecretRotationEvent) error {
		err := cfg.Log.Record(ctx, "rotation", func(ctx context.Context) (slog.Level, error) {
			apigw.LogField(ctx, "step", event.Step)
			// An id that Secrets Manager chose; it is not secret.
			apigw.LogField(ctx, "secretVersion", event.ClientRequestToken)
			ended, err := cfg.step(ctx, event)
			apigw.LogField(ctx, "outcome", string(ended))
			return slog.LevelInfo, err
		})
		if err != nil {
			err = fmt.Errorf("rotate keys: %s: %w", event.Step, err)
		}
		return err
	}
}
