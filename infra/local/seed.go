package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// demoName is the authenticator of the demo application.
const demoName = "demo"

// seed makes the demo authenticator, or brings an earlier one to the demo
// application's present origin. What an administrator changed otherwise stays.
func (s *service) seed(ctx context.Context, origin string) error {
	now := s.now().UTC()
	existing, err := s.store.Authenticator(ctx, demoName)
	switch {
	case err == nil:
		changed := existing
		changed.Origin, changed.UpdatedAt = origin, now
		changed.Version++
		if existing.Origin != origin {
			err = s.store.UpdateAuthenticator(ctx, existing, changed)
		}
	case errors.Is(err, store.ErrNotFound):
		authenticator := store.Authenticator{
			ID:                    store.NewID(),
			Name:                  demoName,
			Title:                 "示例应用 Demo app",
			Enabled:               true,
			CorpID:                wecomsim.DemoCorpID,
			AgentID:               wecomsim.DemoAgentID,
			SecretVersion:         newVersion(),
			Origin:                origin,
			WorkbenchRedirectPath: "/",
			AutoSignup:            true,
			Generation:            store.NewID(),
			CreatedAt:             now,
			UpdatedAt:             now,
			Version:               1,
		}
		// The secret first: an authenticator without one could not be used.
		name := authenticatorPrefix + authenticator.ID
		if err = s.secrets.Create(ctx, name, authenticator.SecretVersion, secret.NewValue(wecomsim.DemoSecret)); err == nil {
			err = s.store.CreateAuthenticator(ctx, authenticator)
		}
	}
	if err != nil {
		return fmt.Errorf("make demo authenticator: %w", err)
	}
	return nil
}
