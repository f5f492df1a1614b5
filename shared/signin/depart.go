package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/fault"
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

// Departures sends browsers to WeCom. It makes no remote call beyond a cached
// authenticator: anybody may ask for it, so it must cost nothing.
type Departures struct {
	Authenticators Authenticators
	Links          Links
	Now            func() time.Time
}

// Departure asks for a way to WeCom.
type Departure struct {
	Authenticator string // name
	PublicURL     string // of the service, without a slash at the end
	Target        string // as the visitor gave it, unchecked
	ToConsole     bool   // back to the service's console instead of the application
	InClient      bool   // the browser is WeCom's own
	Language      string // BCP 47, for WeCom's web-login page; may be empty
}

// Ticket is a way to WeCom: the browser keeps Attempt and goes to URL.
type Ticket struct {
	URL     string
	Attempt Attempt
}

// Leave starts an attempt. Faults: AuthenticatorUnknown, AuthenticatorDisabled.
func (d *Departures) Leave(ctx context.Context, departure Departure) (Ticket, error) {
	authenticator, err := d.enabled(ctx, departure.Authenticator)
	if err != nil {
		return Ticket{}, err
	}
	target, _ := CheckRedirect(departure.Target)
	return d.leave(authenticator, departure, target, wecom.ScopeBase, false), nil
}

// leave builds the ticket. again marks, in the address WeCom returns to, that this
// is the second round because the first came back without its cookie.
func (d *Departures) leave(authenticator store.Authenticator, departure Departure, target string, scope wecom.Scope, again bool) Ticket {
	if target == authenticator.WorkbenchRedirectPath {
		target = ""
	}
	attempt := Attempt{
		// 26 letters and digits, 130 random bits: the in-client page takes no others.
		State:                   rand.Text(),
		AuthenticatorID:         authenticator.ID,
		AuthenticatorGeneration: authenticator.Generation,
		Target:                  target,
		ToConsole:               departure.ToConsole,
		InClient:                departure.InClient,
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
	if departure.InClient {
		return Ticket{Attempt: attempt, URL: d.Links.ClientLink(wecom.ClientLinkParams{
			CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
			RedirectURI: redirectURI, Scope: scope, State: attempt.State,
		})}
	}
	return Ticket{Attempt: attempt, URL: d.Links.LoginLink(wecom.LoginLinkParams{
		CorpID: authenticator.CorpID, AgentID: authenticator.AgentID,
		RedirectURI: redirectURI, State: attempt.State, Language: departure.Language,
	})}
}

// longestName is the longest name an authenticator can have. A longer one comes
// from a visitor and need not be looked up; DynamoDB would call it an error.
const longestName = 64

func (d *Departures) enabled(ctx context.Context, name string) (store.Authenticator, error) {
	if len(name) > longestName {
		return store.Authenticator{}, fault.New(fault.AuthenticatorUnknown, nil)
	}
	authenticator, err := d.Authenticators.Authenticator(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Authenticator{}, fault.New(fault.AuthenticatorUnknown, nil)
	case err != nil:
		return store.Authenticator{}, fmt.Errorf("read authenticator: %w", err)
	case !authenticator.Enabled:
		return store.Authenticator{}, fault.New(fault.AuthenticatorDisabled, nil)
	}
	return authenticator, nil
}

// CallbackURL is where WeCom sends the browser back to. It comes from the public
// address alone: WeCom compares host and port exactly, and a request header is
// anybody's word.
func CallbackURL(publicURL, authenticatorName string) string {
	return publicURL + "/callback/" + authenticatorName
}
