package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// demoName is the authenticator of the demo application. demoWebID and demoPageID are its
// client ids, with a backend and without.
const (
	demoName   = "demo"
	demoWebID  = "demo-web"
	demoPageID = "demo-page"
)

// seed makes the demo authenticator and the demo applications, or brings earlier ones to
// their present origins. What an administrator changed otherwise stays. It returns the
// client secret of demoWebID.
func (s *service) seed(ctx context.Context, origin, pageOrigin string) (secret.Value, error) {
	if err := s.seedAuthenticator(ctx, origin); err != nil {
		return secret.Value{}, fmt.Errorf("make demo authenticator: %w", err)
	}
	clientSecret, err := s.ensure(ctx, "demo/"+demoWebID, func() string { return rand.Text() + rand.Text() })
	if err != nil {
		return secret.Value{}, err
	}
	hash := sha256.Sum256([]byte(clientSecret.Reveal()))
	if err := s.seedApplication(ctx, store.Application{
		ID: demoWebID, Title: "示例应用 Demo app", Kind: store.KindWeb, FirstParty: true, Homepage: origin + "/",
		RedirectURIs: []string{demo.RedirectURI(origin)}, BackchannelLogoutURI: origin + demo.BackchannelLogoutPath,
		Secrets: []store.ClientSecret{{ID: store.NewID(), Prefix: clientSecret.Reveal()[:4], Hash: hex.EncodeToString(hash[:]), CreatedAt: s.now().UTC()}},
	}); err != nil {
		return secret.Value{}, err
	}
	// Not the company's own, so that the page that asks for consent is seen.
	return clientSecret, s.seedApplication(ctx, store.Application{
		ID: demoPageID, Title: "示例页面 Demo page", Kind: store.KindBrowser, RequirePKCE: true, Homepage: pageOrigin + "/",
		RedirectURIs: []string{pageOrigin + "/"},
	})
}

func (s *service) seedAuthenticator(ctx context.Context, origin string) error {
	now := s.now().UTC()
	existing, err := s.store.Authenticator(ctx, demoName)
	switch {
	case err == nil && existing.Origin != origin:
		changed := existing
		changed.Origin, changed.UpdatedAt = origin, now
		changed.Version++
		return s.store.UpdateAuthenticator(ctx, existing, changed)
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
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
	if err := s.secrets.Create(ctx, name, authenticator.SecretVersion, secret.NewValue(wecomsim.DemoSecret)); err != nil {
		return err
	}
	return s.store.CreateAuthenticator(ctx, authenticator)
}

// seedApplication makes an application, or brings the addresses of an earlier one, which
// begin with its homepage, to those of a.
func (s *service) seedApplication(ctx context.Context, a store.Application) error {
	existing, err := s.store.Application(ctx, a.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		a.Enabled, a.PostLogoutRedirectURIs, a.Claims, a.RefreshTokenLifetime = true, []string{a.Homepage}, claims.DefaultRules(), 720*time.Hour
		a.Generation, a.CreatedAt, a.UpdatedAt, a.Version = store.NewID(), s.now().UTC(), s.now().UTC(), 1
		err = s.store.CreateApplication(ctx, a)
	case err == nil:
		moved := existing
		move := func(address string) string {
			if rest, ok := strings.CutPrefix(address, existing.Homepage); ok && existing.Homepage != "" {
				return a.Homepage + rest
			}
			return address
		}
		moveAll := func(addresses []string) []string {
			addresses = slices.Clone(addresses)
			for i := range addresses {
				addresses[i] = move(addresses[i])
			}
			return addresses
		}
		moved.RedirectURIs, moved.PostLogoutRedirectURIs = moveAll(existing.RedirectURIs), moveAll(existing.PostLogoutRedirectURIs)
		moved.BackchannelLogoutURI, moved.Homepage = move(existing.BackchannelLogoutURI), a.Homepage
		if !reflect.DeepEqual(moved, existing) {
			moved.UpdatedAt, moved.Version = s.now().UTC(), existing.Version+1
			err = s.store.UpdateApplication(ctx, existing, moved)
		}
	}
	if err != nil {
		return fmt.Errorf("make demo application %s: %w", a.ID, err)
	}
	return nil
}
