package authflow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Authenticators reads the configuration. Answers may be up to 10 seconds old, absences
// may not.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
}

// Links builds WeCom's addresses; wecom.Links does.
type Links interface {
	ClientLink(wecom.ClientLinkParams) string
	LoginLink(wecom.LoginLinkParams) string
}

// LoginStarter sends browsers to WeCom. It makes no remote call beyond a cached
// authenticator: anybody may ask for it, so it must cost nothing.
type LoginStarter struct {
	Authenticators Authenticators
	Links          Links
	Now            func() time.Time
}

// AuthRequest asks to sign in with an authenticator.
type AuthRequest struct {
	Authenticator string // name
	PublicURL     string // of the service, without a slash at the end
	Destination   Destination
	InWeCom       bool   // the browser is WeCom's own
	Language      string // BCP 47, for WeCom's web-login page; may be empty
	Panel         bool   // WeCom's web-login page is to be a panel in the sign-in page
}

// Redirect sends a browser to WeCom: it keeps Attempt and goes to URL.
type Redirect struct {
	URL     string
	Attempt LoginAttempt
}

// Start begins an attempt. Errors: AuthenticatorUnknown, AuthenticatorDisabled.
func (s *LoginStarter) Start(ctx context.Context, req AuthRequest) (Redirect, error) {
	authenticator, err := s.enabledAuthenticator(ctx, req.Authenticator)
	if err != nil {
		return Redirect{}, err
	}
	return s.redirect(authenticator, req, wecom.ScopeBase, false), nil
}

// redirect begins an attempt with a state of its own. restarted marks, in the address
// that WeCom returns to, a second attempt after the first lost its cookie.
func (s *LoginStarter) redirect(authenticator store.Authenticator, req AuthRequest, scope wecom.Scope, restarted bool) Redirect {
	destination := req.Destination
	if destination.Path.String() == authenticator.WorkbenchRedirectPath {
		destination.Path = ReturnPath{}
	}
	attempt := LoginAttempt{
		// 26 letters and digits, 130 random bits: the in-client page takes no others.
		State:                   rand.Text(),
		AuthenticatorID:         authenticator.ID,
		AuthenticatorGeneration: authenticator.Generation,
		Destination:             destination,
		InWeCom:                 req.InWeCom,
		Scope:                   scope,
		IssuedAt:                s.Now(),
	}
	query := url.Values{}
	destination.addTo(query)
	if restarted {
		query.Set(restartedParameter, "1")
	}
	redirectURI := withQuery(CallbackURL(req.PublicURL, authenticator.Name), query)
	if req.InWeCom {
		return Redirect{Attempt: attempt, URL: s.Links.ClientLink(wecom.ClientLinkParams{
			CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
			RedirectURI: redirectURI, Scope: scope, State: attempt.State,
		})}
	}
	return Redirect{Attempt: attempt, URL: s.Links.LoginLink(wecom.LoginLinkParams{
		CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
		RedirectURI: redirectURI, State: attempt.State, Language: req.Language, Panel: req.Panel,
	})}
}

// restartedParameter marks the callback of a second attempt.
const restartedParameter = "again"

// IsRestarted reports whether a callback's query marks a second attempt.
func IsRestarted(query url.Values) bool { return query.Has(restartedParameter) }

func (s *LoginStarter) enabledAuthenticator(ctx context.Context, name string) (store.Authenticator, error) {
	if !store.IsAuthenticatorName(name) {
		return store.Authenticator{}, apierr.New(apierr.AuthenticatorUnknown, nil)
	}
	authenticator, err := s.Authenticators.Authenticator(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Authenticator{}, apierr.New(apierr.AuthenticatorUnknown, nil)
	case err != nil:
		return store.Authenticator{}, fmt.Errorf("read authenticator: %w", err)
	case !authenticator.Enabled:
		return store.Authenticator{}, apierr.New(apierr.AuthenticatorDisabled, nil)
	}
	return authenticator, nil
}
