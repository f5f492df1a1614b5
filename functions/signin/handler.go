package signin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// Authenticators reads the configuration; it may be a moment old.
type Authenticators interface {
	Authenticators(ctx context.Context, page store.Page) (items []store.Authenticator, next string, err error)
	AutoLoginAuthenticator(ctx context.Context) (store.Authenticator, error)
}

// DomainFiles reads the proofs that a domain is ours.
type DomainFiles interface {
	DomainFile(ctx context.Context, filename string) (store.DomainFile, error)
}

// Sessions says whose session an id is; *authflow.Sessions does.
type Sessions interface {
	// Check returns the live session of an id, or fault Unauthorized.
	Check(ctx context.Context, sessionID string) (authflow.ActiveSession, error)
	// End ends the session of an id. None is no fault.
	End(ctx context.Context, sessionID string) error
}

// Minter signs access tokens; *keys.Minter does.
type Minter interface {
	// Mint returns a token and its lifetime in whole seconds, at most 15 minutes and
	// not beyond sessionEnd (keys.ErrNoTimeLeft).
	Mint(ctx context.Context, claims keys.AccessTokenClaims, sessionEnd time.Time) (token string, lifetime time.Duration, err error)
}

// Config is what New needs; all of it.
type Config struct {
	Authenticators Authenticators
	DomainFiles    DomainFiles
	Sessions       Sessions
	Minter         Minter
	Cookie         session.Cookie
	Pages          *page.Pages
	Now            func() time.Time
}

type handler struct{ Config }

// New returns the handler of every address that no other function has.
func New(cfg Config) http.Handler {
	h := handler{cfg}
	routes := apigw.NewRouter(http.HandlerFunc(h.serveUnknown))
	routes.Handle("/api/authenticators", h.crossOrigin(http.MethodGet, h.listAuthenticators))
	routes.Handle("/api/session", h.crossOrigin(http.MethodGet, h.showSession))
	routes.Handle("/api/token", h.crossOrigin(http.MethodPost, h.issueToken))
	routes.Handle("/api/signout", h.crossOrigin(http.MethodPost, h.signOut))
	// Not apigw.Browser: a failure of the sign-in page must not lead to itself.
	routes.Handle("GET /signin", h.signInPage)
	routes.Handle("GET /auto-login.js", autoLoginScript)
	routes.Handle("GET /robots.txt", robots)
	routes.Handle("GET /favicon.ico", icon)
	return routes
}

// serveUnknown answers every path without a route: an application link, unless the
// path is reserved. The path is decoded already and may hold anything.
func (h handler) serveUnknown(w http.ResponseWriter, r *http.Request) {
	path, answer := r.URL.Path, apigw.Browser(h.link)
	switch {
	case strings.HasPrefix(path, "/api/"):
		answer = apigw.JSON(notFound)
	case !isRead(r.Method):
		answer = apigw.JSON(onlyRead)
	case strings.HasPrefix(path, "/WW_verify_"):
		answer = apigw.JSON(h.domainFile)
	case isForPrograms(path):
		answer = apigw.JSON(notFound)
	case isForPeople(path):
		answer = apigw.JSON(h.notFoundPage)
	}
	answer.ServeHTTP(w, r)
}

// isRead reports whether a method only reads. HEAD is GET without the body, which
// apigw leaves out.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// isForPrograms reports whether a path is reserved for programs: never an application
// link, and without a page for people.
func isForPrograms(path string) bool {
	return isUnder(path, "/.well-known") || isUnder(path, "/oauth2") || strings.HasPrefix(path, "/assets/")
}

// isForPeople reports whether a path belongs to a route of another function that does
// not take it as it is.
func isForPeople(path string) bool {
	return isUnder(path, "/authorize") || isUnder(path, "/callback") || isUnder(path, "/console")
}

func isUnder(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}

func onlyRead(w http.ResponseWriter, _ *http.Request) error {
	return apigw.MethodNotAllowed(w, http.MethodGet, http.MethodHead)
}

func notFound(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.NotFound, nil) }

// notFoundPage is notFound for people.
func (h handler) notFoundPage(w http.ResponseWriter, r *http.Request) error {
	return h.Pages.NotFound(w, page.NotFound{
		Language: text.LanguageOf(r), SignIn: apigw.SignInPage{}.Address(apigw.PublicURL(r.Context())),
	})
}

// live returns the session of a request, or fault Unauthorized. A cookie that leads
// to no session any more is taken back.
func (h handler) live(w http.ResponseWriter, r *http.Request) (authflow.ActiveSession, error) {
	id := h.Cookie.ID(r)
	if id == "" {
		return authflow.ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	live, err := h.Sessions.Check(r.Context(), id)
	if apierr.Is(err, apierr.Unauthorized) {
		h.Cookie.Clear(w)
	}
	return live, err
}

// listPage is how many authenticators are read at a time; few companies have more.
const listPage = 200

// enabled returns the authenticators that can be used, in order of name.
func (h handler) enabled(ctx context.Context) ([]store.Authenticator, error) {
	var found []store.Authenticator
	for cursor := ""; ; {
		items, next, err := h.Authenticators.Authenticators(ctx, store.Page{Cursor: cursor, Limit: listPage})
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			if item.Enabled {
				found = append(found, item)
			}
		}
		if next == "" || next == cursor {
			return found, nil
		}
		cursor = next
	}
}

// title is what people call an authenticator.
func title(a store.Authenticator) string {
	if a.Title == "" {
		return a.Name
	}
	return a.Title
}
