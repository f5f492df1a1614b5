package rotatekeys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Secrets is the part of secret.Store that EnsureKeys uses.
type Secrets interface {
	Get(ctx context.Context, name, version string) (secret.Value, error)
	Create(ctx context.Context, name, version string, value secret.Value) error
}

// EnsureConfig is what EnsureKeys needs.
type EnsureConfig struct {
	Secrets   Secrets
	Name      string // of the secret of the signing keys
	Publisher Publisher
	Now       func() time.Time // nil: time.Now
}

// EnsureKeys makes the secret of the signing keys when there is none, and publishes
// what is in it. It is for a local run, where no schedule rotates: kept keys are
// kept, because making new ones takes up to 260 ms and ends every token.
func EnsureKeys(ctx context.Context, cfg EnsureConfig) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	value, err := cfg.Secrets.Get(ctx, cfg.Name, secret.Current)
	if errors.Is(err, secret.ErrNotFound) {
		value, err = cfg.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("ensure signing keys: %w", err)
	}
	set, err := keys.Decode(value.Reveal())
	if err != nil {
		return fmt.Errorf("ensure signing keys: %w", err)
	}
	return publish(ctx, cfg.Publisher, cfg.Now(), set)
}

func (cfg EnsureConfig) create(ctx context.Context) (secret.Value, error) {
	set, err := keys.Generate(cfg.Now())
	if err != nil {
		return secret.Value{}, err
	}
	text, err := set.Encode()
	if err != nil {
		return secret.Value{}, err
	}
	value := secret.NewValue(text)
	return value, cfg.Secrets.Create(ctx, cfg.Name, rand.Text()+rand.Text(), value)
}
