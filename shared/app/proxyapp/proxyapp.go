package proxyapp

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/session"
)

// NewProvider makes the provider of its dependencies. Signing keys, if it has any, are read
// when they are needed first.
func NewProvider(deps app.Deps, sealing *aead.Keys) (*oauth.Provider, error) {
	cookies, err := sealing.Deriver(aead.ProxyCookie)
	if err != nil {
		return nil, err
	}
	provider := &oauth.Provider{
		Store: deps.Store, Applications: deps.Applications, Authenticators: deps.Authenticators,
		ProxyCookies: cookies, SessionDomain: deps.Settings.SessionCookieDomain, Now: deps.Now, LogField: apigw.LogField,
	}
	if name := deps.Settings.ForwardAuthKeysSecret; name != "" {
		provider.Signer = keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := deps.Secrets.Get(ctx, name, secret.Current)
				return value.Reveal(), err
			},
			Now: deps.Now,
		})
	}
	return provider, nil
}

// Sessions finds the live session of a browser.
type Sessions struct {
	Cookie session.Cookie
	// Lookup returns the active session of an id, or apierr.Unauthorized;
	// *authflow.Sessions does.
	Lookup interface {
		Check(ctx context.Context, ref authflow.SessionRef) (authflow.ActiveSession, error)
	}
}

// NewSessions makes it of its dependencies.
func NewSessions(deps app.Deps) Sessions {
	return Sessions{
		Cookie: session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Lookup: &authflow.Sessions{Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now},
	}
}

// Live returns the session of a request, or nil. Of several cookies, one may be another
// deployment's on a parent domain: the first that leads to a session counts.
func (s Sessions) Live(ctx context.Context, r *http.Request) (*oauth.Session, error) {
	for _, ref := range s.Cookie.Sessions(r) {
		active, err := s.Lookup.Check(ctx, ref)
		if err == nil {
			return &oauth.Session{Lineage: active.Lineage(), Session: active.Session, User: active.User}, nil
		}
		if !apierr.Is(err, apierr.Unauthorized) {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // no session is the usual case, not an error
}
