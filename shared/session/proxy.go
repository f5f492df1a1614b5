package session

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
)

// ProxyCookie is the cookie of a member's sign-in to an application behind a proxy, on the
// application's own host. Package oauth makes its value.
type ProxyCookie struct{ ApplicationID string }

// Name returns the name of the cookie. Two applications may have one host.
func (c ProxyCookie) Name() string { return "__Host-wecom_auth_" + c.ApplicationID }

// Values returns the values of the cookie that a request carries, mostly one or none.
func (c ProxyCookie) Values(r *http.Request) []string {
	var values []string
	for _, cookie := range r.CookiesNamed(c.Name()) {
		if len(values) < maxSessions {
			values = append(values, cookie.Value)
		}
	}
	return values
}

// Set gives the browser the cookie for a lifetime.
func (c ProxyCookie) Set(w http.ResponseWriter, value string, lifetime time.Duration) {
	http.SetCookie(w, attemptCookie(c.Name(), value, int(lifetime/time.Second)))
}

// Clear removes the cookie from the browser.
func (c ProxyCookie) Clear(w http.ResponseWriter) { http.SetCookie(w, attemptCookie(c.Name(), "", -1)) }

// proxySignInPrefix begins with requestPrefix: on the service's host both share the room.
const proxySignInPrefix = requestPrefix + "proxy_"

// ProxySignIn is a sign-in to an application behind a proxy that this browser has begun.
type ProxySignIn struct {
	ApplicationID string
	Verifier      string // of PKCE
	Path          string // where the browser goes then, on the application's origin
}

// ProxySignIns stores them in sealed cookies, one each, so that several tabs can sign in at
// the same time. The id is the state of the authorization request.
type ProxySignIns struct {
	Box *aead.Box // of purpose aead.AuthorizationRequest
	Now func() time.Time
}

func (p *ProxySignIns) kept() keptCookies { return keptCookies{proxySignInPrefix, p.Box, p.Now} }

// Save stores a sign-in under an id of authflow.NewRequestID, and removes the oldest ones
// that do not fit beside it, kept requests among them. The path may have any character, the parts before it no line break.
func (p *ProxySignIns) Save(w http.ResponseWriter, r *http.Request, id string, s ProxySignIn) error {
	content := strings.Join([]string{s.ApplicationID, s.Verifier, s.Path}, "\n")
	if err := p.kept().save(w, r, id, keptRequest{p.Now(), content}); err != nil {
		return fmt.Errorf("seal sign-in to application: %w", err)
	}
	return nil
}

// Find returns the sign-in that this browser has begun for an application under an id, or
// ErrRequestLost.
func (p *ProxySignIns) Find(r *http.Request, id, applicationID string) (ProxySignIn, error) {
	kept, err := p.kept().find(r, id)
	if err != nil {
		return ProxySignIn{}, err
	}
	parts := strings.SplitN(kept.content, "\n", 3)
	if len(parts) != 3 || parts[0] != applicationID {
		return ProxySignIn{}, ErrRequestLost
	}
	return ProxySignIn{parts[0], parts[1], parts[2]}, nil
}

// Clear removes a sign-in from the browser.
func (p *ProxySignIns) Clear(w http.ResponseWriter, id string) { p.kept().clear(w, id) }
