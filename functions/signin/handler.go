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
func New(cfg Config) http.Handler { return handler{cfg} }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.route(r).ServeHTTP(w, r)
}

// route finds who answers. The path is decoded already and may hold anything.
func (h handler) route(r *http.Request) http.Handler {
	path := r.URL.Path
	if strings.HasPrefix(path, "/api/") {
		return apigw.JSON(h.api)
	}
	if !isRead(r.Method) {
		return apigw.JSON(onlyRead)
	}
	switch {
	case path == "/signin":
		// Not apigw.Browser: a failure of the sign-in page must not lead to itself.
		return apigw.JSON(h.signInPage)
	case path == "/auto-login.js":
		return apigw.JSON(autoLoginScript)
	case path == "/robots.txt":
		return apigw.JSON(robots)
	case path == "/favicon.ico":
		return apigw.JSON(icon)
	case strings.HasPrefix(path, "/WW_verify_"):
		return apigw.JSON(h.domainFile)
	case isMachines(path):
		return apigw.JSON(nothingHere)
	case isOurs(path):
		return apigw.JSON(h.notFound)
	default:
		return apigw.Browser(h.link, authflow.ErrorURL)
	}
}

// isRead reports whether a method only reads. HEAD is GET without the body, which
// apigw leaves out.
func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// isMachines reports whether a path is kept for programs: no application link, and
// nothing that a person should be shown.
func isMachines(path string) bool {
	return isUnder(path, "/.well-known") || isUnder(path, "/oauth2") || strings.HasPrefix(path, "/assets/")
}

// isOurs reports whether a path belongs to another route of the service, which had
// no use for it as it is.
func isOurs(path string) bool {
	return isUnder(path, "/authorize") || isUnder(path, "/callback") || isUnder(path, "/console")
}

func isUnder(path, root string) bool {
	rest, ok := strings.CutPrefix(path, root)
	return ok && (rest == "" || rest[0] == '/')
}

func onlyRead(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Allow", "GET, HEAD")
	return apierr.New(apierr.MethodNotAllowed, nil)
}

func nothingHere(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.NotFound, nil) }

// notFound is nothingHere for people.
func (h handler) notFound(w http.ResponseWriter, r *http.Request) error {
	return h.Pages.NotFound(w, page.NotFound{
		Language: text.LanguageOf(r), SignIn: authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{}),
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
