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

// Authenticators reads the configuration, which may be a moment old.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
	Authenticators(ctx context.Context, page store.Page) (items []store.Authenticator, next string, err error)
	AutoLoginAuthenticator(ctx context.Context) (store.Authenticator, error)
}

// Applications reads applications, which may be a moment old.
type Applications interface {
	Application(ctx context.Context, id string) (store.Application, error)
	Applications(ctx context.Context, page store.Page) (items []store.Application, next string, err error)
}

// Members reads which applications are told about a member.
type Members interface {
	LineagesOfUser(ctx context.Context, userID string) ([]store.Lineage, error)
	Consents(ctx context.Context, userID string) ([]store.Consent, error)
}

// SelfService acts for the member of an active session; *authflow.SelfService does.
type SelfService interface {
	// ActiveSessions returns the member's active sessions, newest first, this one among them.
	ActiveSessions(ctx context.Context, active authflow.ActiveSession) ([]store.AttemptResult, error)
	// EndSession ends another session of the member; any other key does nothing.
	EndSession(ctx context.Context, active authflow.ActiveSession, key string) error
	EndOtherSessions(ctx context.Context, active authflow.ActiveSession) error
	EndEverywhere(ctx context.Context, active authflow.ActiveSession) error
	// Withdraw takes back the consent to an application, if there is one.
	Withdraw(ctx context.Context, active authflow.ActiveSession, applicationID string) error
}

// FirstSignIns lets a browser go on that waits for a member's first sign-in;
// *authflow.FirstSignIns does.
type FirstSignIns interface {
	Ask(ctx context.Context, proof authflow.Proof) (authflow.Waiting, error)
	GoOn(ctx context.Context, req authflow.FirstSignInRequest) (authflow.CallbackResult, authflow.Waiting, error)
}

// OpenFirstSignIn returns what answers a browser that has a proof. Few have, so the keys are
// read when one does.
type OpenFirstSignIn func(ctx context.Context) (FirstSignIns, *session.Proofs, error)

// DomainFiles reads the proofs of domain ownership.
type DomainFiles interface {
	DomainFile(ctx context.Context, filename string) (store.DomainFile, error)
}

// Sessions looks sessions up; *authflow.Sessions implements it.
type Sessions interface {
	// Check returns the active session of an id, or apierr.Unauthorized.
	Check(ctx context.Context, ref authflow.SessionRef) (authflow.ActiveSession, error)
	// End ends the session of an id, if there is one.
	End(ctx context.Context, sessionID string) error
}

// Minter signs access tokens; *keys.Minter implements it.
type Minter interface {
	// Mint returns a token and its lifetime in whole seconds, at most 15 minutes and
	// not beyond sessionEnd (keys.ErrNoTimeLeft).
	Mint(ctx context.Context, claims keys.AccessTokenClaims, sessionEnd time.Time) (token string, lifetime time.Duration, err error)
}

// Config is what New needs. Every field but Panel is required.
type Config struct {
	Authenticators Authenticators
	Applications   Applications
	DomainFiles    DomainFiles
	Sessions       Sessions
	SelfService    SelfService
	Members        Members
	FirstSignIn    OpenFirstSignIn
	Minter         Minter
	Cookie         session.Cookie
	Pages          *page.Pages
	// Panel is the origin of WeCom's login page, which the sign-in page frames. Empty: it
	// frames none.
	Panel string
	Now   func() time.Time
}

type handler struct{ Config }

// New returns the handler of every path that no other function serves.
func New(cfg Config) http.Handler {
	h := handler{cfg}
	routes := apigw.NewRouter(http.HandlerFunc(h.serveUnknown))
	routes.Handle("/api/authenticators", h.crossOrigin(http.MethodGet, h.listAuthenticators))
	routes.Handle("/api/session", h.crossOrigin(http.MethodGet, h.showSession))
	routes.Handle("/api/token", h.crossOrigin(http.MethodPost, h.issueToken))
	routes.Handle("/api/signout", h.crossOrigin(http.MethodPost, h.signOut))
	// A failure here is problem+json: a redirect to the sign-in page would be a loop.
	routes.Handle("GET /signin", h.signInPage)
	routes.Handle("POST /signin", h.memberAction)
	routes.Handle("GET /api/first-sign-in", h.askFirstSignIn)
	routes.Handle("POST /api/first-sign-in", h.goOn)
	routes.Handle("GET /auto-login.js", autoLoginScript)
	routes.Handle("GET /robots.txt", robots)
	routes.Handle("GET /favicon.ico", icon)
	return routes
}

// serveUnknown answers every path without a route: an application link, unless the
// path is reserved. The path is decoded already and may hold anything.
func (h handler) serveUnknown(w http.ResponseWriter, r *http.Request) {
	path, answer := r.URL.Path, apigw.Browser(h.link, authflow.ErrorURL)
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
// package apigw leaves out.
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
		Language: text.LanguageOf(r), SignIn: authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{}),
	})
}

// activeSession returns the session of a request, or apierr.Unauthorized. It clears a
// cookie whose session has ended. Of several cookies, one may be another deployment's on
// a parent domain: the first that leads to a session counts, and none is cleared then, nor
// when there may be more than were looked up.
func (h handler) activeSession(w http.ResponseWriter, r *http.Request) (authflow.ActiveSession, error) {
	failure := error(apierr.New(apierr.Unauthorized, nil))
	refs := h.Cookie.Sessions(r)
	for _, ref := range refs {
		active, err := h.Sessions.Check(r.Context(), ref)
		if err == nil {
			return active, nil
		}
		if failure = err; !apierr.Is(err, apierr.Unauthorized) {
			return authflow.ActiveSession{}, failure
		}
	}
	h.Cookie.ClearEnded(w, refs)
	return authflow.ActiveSession{}, failure
}

// listPage is how many authenticators one read returns; few companies have more.
const listPage = 200

// enabledAuthenticators returns the enabled authenticators in order of name.
func (h handler) enabledAuthenticators(ctx context.Context) ([]store.Authenticator, error) {
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

// title returns the title of an authenticator, or its name when it has none.
func title(a store.Authenticator) string {
	if a.Title == "" {
		return a.Name
	}
	return a.Title
}
