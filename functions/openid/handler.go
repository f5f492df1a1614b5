package openid

import (
	"context"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// MaxBody is the largest body of a request, in bytes. An honest form is much shorter.
const MaxBody = 16 << 10

// Provider decides; *oauth.Provider does.
type Provider interface {
	Authorize(ctx context.Context, in oauth.AuthorizeInput) (oauth.Decision, error)
	Token(ctx context.Context, in oauth.TokenInput) (oauth.TokenResponse, error)
	UserInfo(ctx context.Context, call oauth.Call, accessToken string) (map[string]any, error)
	Introspect(ctx context.Context, in oauth.TokenInput) (map[string]any, error)
	Revoke(ctx context.Context, in oauth.TokenInput) error
	Logout(ctx context.Context, in oauth.LogoutInput) (oauth.LogoutDecision, error)
}

// Sessions looks sessions up and ends them; *authflow.Sessions does.
type Sessions interface {
	// Check returns the active session of an id, or apierr.Unauthorized.
	Check(ctx context.Context, ref authflow.SessionRef) (authflow.ActiveSession, error)
	// End ends the session of an id with its lineage, if there is one.
	End(ctx context.Context, sessionID string) error
}

// Applications reads the registry. Answers may be up to 10 seconds old.
type Applications interface {
	Application(ctx context.Context, id string) (store.Application, error)
}

// ApplicationList reads all of the registry, for the origins of browser applications.
type ApplicationList interface {
	Applications(ctx context.Context, page store.Page) (items []store.Application, next string, err error)
}

// Authenticators reads the configuration. Answers may be up to 10 seconds old.
type Authenticators interface {
	Authenticators(ctx context.Context, page store.Page) (items []store.Authenticator, next string, err error)
}

// Config is what New needs. Every field is required.
type Config struct {
	Provider        Provider
	Sessions        Sessions
	Applications    Applications
	ApplicationList ApplicationList
	Authenticators  Authenticators
	Requests        *session.Requests
	Cookie          session.Cookie
	Pages           *page.Pages
	Now             func() time.Time
}

type handler struct {
	Config
	origins *origins
}

// New returns the handler of the paths under /oauth2/.
func New(cfg Config) http.Handler {
	h := handler{cfg, newOrigins(cfg.ApplicationList, cfg.Now)}
	routes := apigw.NewRouter(nil)
	routes.Handle("GET "+oauth.AuthorizationPath, h.authorize)
	routes.Handle("POST "+oauth.AuthorizationPath, h.authorizeByPost)
	routes.Handle("POST /oauth2/consent", h.answerConsent)
	routes.Handle("GET "+oauth.EndSessionPath, h.logout)
	routes.Handle("POST "+oauth.EndSessionPath, h.logoutByPost)
	routes.Handle(oauth.TokenPath, h.crossOrigin(h.token, http.MethodPost))
	routes.Handle(oauth.RevocationPath, h.crossOrigin(h.revoke, http.MethodPost))
	routes.Handle(oauth.UserinfoPath, h.crossOrigin(h.userInfo, http.MethodGet, http.MethodPost))
	routes.Handle("POST "+oauth.IntrospectionPath, h.introspect)
	return routes
}

func callOf(r *http.Request) oauth.Call {
	return oauth.Call{Issuer: apigw.PublicURL(r.Context()), RequestID: apigw.RequestID(r.Context())}
}

// liveSession returns the session of a browser, or nil. Of several cookies, one may be
// another deployment's on a parent domain: the first that leads to a session counts.
func (h handler) liveSession(r *http.Request) (*oauth.Session, error) {
	for _, ref := range h.Cookie.Sessions(r) {
		active, err := h.Sessions.Check(r.Context(), ref)
		if err == nil {
			return &oauth.Session{Lineage: active.Lineage(), Session: active.Session, User: active.User}, nil
		}
		if !apierr.Is(err, apierr.Unauthorized) {
			return nil, err
		}
	}
	return nil, nil //nolint:nilnil // no session is the usual case, not an error
}

// formOf returns the body of a request that is a form, as it came; ok is false for any
// other type.
func formOf(r *http.Request) (body string, ok bool, err error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return "", false, nil //nolint:nilerr // a header that does not parse is not that of a form
	}
	content, err := io.ReadAll(r.Body)
	return string(content), true, err
}

// title returns the title of an application, or its id when it has none.
func title(a store.Application) string {
	if a.Title == "" {
		return a.ID
	}
	return a.Title
}

// seeOther redirects by GET, whatever the method of the request: a form that was posted
// here must not be posted on (RFC 9700 §4.12).
func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// logRefusal adds what was refused to the log event: a word of ours and one of the
// standards, and nothing that came with the request.
func logRefusal(ctx context.Context, refusal *oauth.Error) {
	if refusal != nil {
		apigw.LogField(ctx, "error", string(refusal.Code))
		apigw.LogField(ctx, "cause", string(refusal.Cause))
	}
}
