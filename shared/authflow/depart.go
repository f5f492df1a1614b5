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

// Authenticators is what the rules need of the configuration. Answers may be up to
// 10 seconds old, absences may not.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
}

// Links builds WeCom's addresses; *wecom.Client does.
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

// AuthRequest asks for a way to WeCom.
type AuthRequest struct {
	Authenticator string // name
	PublicURL     string // of the service, without a slash at the end
	Target        string // as the visitor gave it, unchecked
	ToConsole     bool   // back to the service's console instead of the application
	InWeCom       bool   // the browser is WeCom's own
	Language      string // BCP 47, for WeCom's web-login page; may be empty
}

// Redirect is a way to WeCom: the browser keeps Attempt and goes to URL.
type Redirect struct {
	URL     string
	Attempt LoginAttempt
}

// Start starts an attempt. Faults: AuthenticatorUnknown, AuthenticatorDisabled.
func (d *LoginStarter) Start(ctx context.Context, departure AuthRequest) (Redirect, error) {
	authenticator, err := d.enabled(ctx, departure.Authenticator)
	if err != nil {
		return Redirect{}, err
	}
	target, _ := CheckRedirect(departure.Target)
	return d.leave(authenticator, departure, target, wecom.ScopeBase, false), nil
}

// leave builds the ticket. again marks, in the address WeCom returns to, that this
// is the second round because the first came back without its cookie.
func (d *LoginStarter) leave(authenticator store.Authenticator, departure AuthRequest, target string, scope wecom.Scope, again bool) Redirect {
	if target == authenticator.WorkbenchRedirectPath {
		target = ""
	}
	attempt := LoginAttempt{
		// 26 letters and digits, 130 random bits: the in-client page takes no others.
		State:                   rand.Text(),
		AuthenticatorID:         authenticator.ID,
		AuthenticatorGeneration: authenticator.Generation,
		Target:                  target,
		ToConsole:               departure.ToConsole,
		InWeCom:                 departure.InWeCom,
		Scope:                   scope,
		IssuedAt:                d.Now(),
	}
	redirectURI := CallbackURL(departure.PublicURL, authenticator.Name)
	query := url.Values{}
	if target != "" {
		query.Set("redirect", target)
	}
	if departure.ToConsole {
		query.Set(ReturnParameter, ReturnToConsole)
	}
	if again {
		query.Set("again", "1")
	}
	if len(query) > 0 {
		redirectURI += "?" + query.Encode()
	}
	if departure.InWeCom {
		return Redirect{Attempt: attempt, URL: d.Links.ClientLink(wecom.ClientLinkParams{
			CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
			RedirectURI: redirectURI, Scope: scope, State: attempt.State,
		})}
	}
	return Redirect{Attempt: attempt, URL: d.Links.LoginLink(wecom.LoginLinkParams{
		CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
		RedirectURI: redirectURI, State: attempt.State, Language: departure.Language,
	})}
}

// longestName is the longest name an authenticator can have. A longer one comes
// from a visitor and need not be looked up; DynamoDB would call it an error.
const longestName = 64

func (d *LoginStarter) enabled(ctx context.Context, name string) (store.Authenticator, error) {
	if len(name) > longestName {
		return store.Authenticator{}, apierr.New(apierr.AuthenticatorUnknown, nil)
	}
	authenticator, err := d.Authenticators.Authenticator(ctx, name)
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

// CallbackURL is where WeCom sends the browser back to. It comes from the public
// address alone: WeCom compares host and port exactly, and a request header is
// anybody's word.
func CallbackURL(publicURL, authenticatorName string) string {
	return publicURL + "/callback/" + authenticatorName
}
