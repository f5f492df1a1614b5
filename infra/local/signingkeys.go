package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// makeSigningKeys makes the signing keys when there are none, and publishes them.
// Nothing rotates here as rotatekeys does in AWS: kept keys are kept, because making
// new ones takes a quarter of a second and ends every token.
func (s *service) makeSigningKeys(ctx context.Context) error {
	value, err := s.secrets.Get(ctx, signingKeysSecret, secret.Current)
	if errors.Is(err, secret.ErrNotFound) {
		value, err = s.generateSigningKeys(ctx)
	}
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	set, err := keys.Decode(value.Reveal())
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	document, err := keys.Public(set)
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	if err := s.store.PutPublicKeys(ctx, store.PublicKeys{Document: document, UpdatedAt: time.Now()}); err != nil {
		return fmt.Errorf("publish signing keys: %w", err)
	}
	return nil
}

func (s *service) generateSigningKeys(ctx context.Context) (secret.Value, error) {
	set, err := keys.Generate(time.Now())
	if err != nil {
		return secret.Value{}, err
	}
	text, err := set.Encode()
	if err != nil {
		return secret.Value{}, err
	}
	value := secret.NewValue(text)
	return value, s.secrets.Create(ctx, signingKeysSecret, newVersion(), value)
}
