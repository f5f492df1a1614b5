package admin

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// MaxBody is the largest request body in bytes, that of a CSV import, for
// apigw.Config.MaxBody.
const MaxBody = 1 << 20

// Directory is the part of the store that administration needs. Its reads must be
// fresh, not cached.
type Directory interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
	Authenticators(ctx context.Context, page store.Page) ([]store.Authenticator, string, error)
	AutoLoginAuthenticator(ctx context.Context) (store.Authenticator, error)

	User(ctx context.Context, id string) (store.User, error)
	OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error)
	UserByPhone(ctx context.Context, phone string) (store.User, error)
	Users(ctx context.Context, page store.Page) ([]store.User, string, error)

	Application(ctx context.Context, id string) (store.Application, error)
	Applications(ctx context.Context, page store.Page) ([]store.Application, string, error)
	Consents(ctx context.Context, userID string) ([]store.Consent, error)
	DeleteConsent(ctx context.Context, userID, applicationID string) error

	UsersByName(ctx context.Context, prefix string, page store.Page) ([]store.User, string, error)
	DomainFile(ctx context.Context, filename string) (store.DomainFile, error)
	DomainFiles(ctx context.Context, page store.Page) ([]store.DomainFile, string, error)

	// Audited returns the writes, each of which carries its lines of the audit.
	Audited(lines ...store.AuditLine) store.AuditedWrites
	AuditLines(ctx context.Context, query store.AuditQuery, page store.Page) (lines []store.AuditLine, next string, err error)
}

// Secrets is the part of a secret.Store that administration needs. It reads a secret only to
// keep the parts of it that a change leaves.
type Secrets interface {
	Get(ctx context.Context, name, version string) (secret.Value, error)
	Create(ctx context.Context, name, version string, value secret.Value) error
	Put(ctx context.Context, name, version string, value secret.Value) error
	Delete(ctx context.Context, name string) error
}

// LogoutNotifier tells applications that sessions have ended (OpenID Connect Back-Channel
// Logout 1.0). It only hands the message over.
type LogoutNotifier interface {
	// UserEnded tells the applications of all sessions of a user, who may be gone.
	UserEnded(ctx context.Context, userID string) error
	// AuthenticatorEnded has the applications of all sessions told that began with an
	// authenticator as it was.
	AuthenticatorEnded(ctx context.Context, was store.Authenticator) error
}

// Config is what New needs.
type Config struct {
	Directory Directory
	Secrets   Secrets
	// SecretName returns the name of an authenticator's secret. It depends on the ID,
	// not on the name, so that a namesake inherits nothing.
	SecretName   func(authenticatorID string) string
	SignInEvents SignInEvents
	// Audit makes the lines of what administrators do.
	Audit *audit.Log
	// Logout tells applications when an administrator ends the sessions of a user or an
	// authenticator. Nil: nobody is told.
	Logout LogoutNotifier
	// Tokens and WeCom check an authenticator's credentials, and ask for a member.
	Tokens Tokens
	WeCom  WeCom
	// Rules shows what an authenticator makes of a member.
	Rules Rules
	// EgressAddresses are the fixed addresses that the service calls WeCom from. None:
	// WeCom is asked which one it sees.
	EgressAddresses []netip.Addr
	// Lookups counts phones that WeCom did not find, at most LookupMissesPerDay of a corp
	// within 24 hours, each by its LookupKey: a value that nobody can turn into the phone.
	Lookups            LookupStore
	LookupMissesPerDay int
	LookupKey          func(phone string) string
	// LocalRun allows http on loopback as an application's backchannelLogoutUri.
	LocalRun bool
	// HTTP fetches domain files from the service's public address; a copy of it that
	// follows no redirect is used. Nil: a client that ignores proxies of the environment.
	HTTP *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

type handler struct {
	Config
	fetcher *http.Client
}

// New returns the handler of /api/admin/ and /console, for package apigw with MaxBody.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &handler{cfg, newFetcher(cfg.HTTP)}
	api := newRouter()
	api.Handle("GET /api/admin/applications", h.listApplications)
	api.Handle("POST /api/admin/applications", h.createApplication)
	api.Handle("DELETE /api/admin/applications/{id}", h.deleteApplication)
	api.Handle("GET /api/admin/applications/{id}", h.getApplication)
	api.Handle("PATCH /api/admin/applications/{id}", h.patchApplication)
	api.Handle("GET /api/admin/applications/{id}/attempts", h.eventsOfApplication)
	api.Handle("POST /api/admin/applications/{id}/preview", h.preview)
	api.Handle("POST /api/admin/applications/{id}/secrets", h.createSecret)
	api.Handle("DELETE /api/admin/applications/{id}/secrets/{secretId}", h.deleteClientSecret)
	api.Handle("GET /api/admin/authenticators", h.listAuthenticators)
	api.Handle("POST /api/admin/authenticators", h.createAuthenticator)
	api.Handle("DELETE /api/admin/authenticators/{name}", h.deleteAuthenticator)
	api.Handle("GET /api/admin/authenticators/{name}", h.getAuthenticator)
	api.Handle("PATCH /api/admin/authenticators/{name}", h.patchAuthenticator)
	api.Handle("POST /api/admin/authenticators/{name}/check", h.checkAuthenticator)
	api.Handle("GET /api/admin/authenticators/{name}/attempts", h.eventsOfAuthenticator)
	api.Handle("DELETE /api/admin/authenticators/{name}/events", h.disableEvents)
	api.Handle("POST /api/admin/authenticators/{name}/events", h.enableEvents)
	api.Handle("POST /api/admin/authenticators/{name}/lookup", h.lookUp)
	api.Handle("GET /api/admin/authenticators/{name}/departments", h.departments)
	api.Handle("POST /api/admin/authenticators/{name}/roles/preview", h.previewRules)
	api.Handle("GET /api/admin/audit", h.listAudit)
	api.Handle("GET /api/admin/egress", h.egress)
	api.Handle("GET /api/admin/users", h.listUsers)
	api.Handle("POST /api/admin/users", h.createUser)
	api.Handle("POST /api/admin/users/import", h.importUsers)
	api.Handle("DELETE /api/admin/users/{id}", h.deleteUser)
	api.Handle("GET /api/admin/users/{id}", h.getUser)
	api.Handle("PATCH /api/admin/users/{id}", h.patchUser)
	api.Handle("GET /api/admin/users/{id}/attempts", h.eventsOfUser)
	api.Handle("DELETE /api/admin/users/{id}/sessions", h.endSessions)
	api.Handle("DELETE /api/admin/users/{id}/identities/{corpId}/{wecomUserId}", h.unbindIdentity)
	api.Handle("GET /api/admin/domain-files", h.listDomainFiles)
	api.Handle("DELETE /api/admin/domain-files/{filename}", h.deleteDomainFile)
	api.Handle("PUT /api/admin/domain-files/{filename}", h.putDomainFile)
	api.Handle("POST /api/admin/domain-files/{filename}/check", h.checkDomainFile)

	routes, pages := newRouter(), newConsoleHandler()
	routes.Handle("/api/admin", administratorsOnly(api))
	routes.Handle("/api/admin/", administratorsOnly(api))
	routes.Handle("GET /console", pages.document)
	routes.Handle("GET /assets/console/{version}/{file}", pages.asset)
	return routes
}

// newRouter returns a router whose 404 and 405 have a sentence.
func newRouter() *apigw.Router {
	router := apigw.NewRouter(apigw.JSON(func(http.ResponseWriter, *http.Request) error { return notFound() }))
	router.MethodNotAllowed = methodNotAllowed
	return router
}

// administratorsOnly refuses requests that the authorizer did not allow. The authorizer
// stands in front of every route here; should a template forget it, every path, unknown
// ones included, stays closed. It logs who the caller is and what the request changed.
func administratorsOnly(api http.Handler) apigw.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		caller, err := apigw.CallerOf(ctx)
		if err != nil {
			return err
		}
		apigw.LogField(ctx, "caller", caller.Kind())
		if id := caller.UserID(); id != "" {
			apigw.LogField(ctx, "callerId", id)
		}
		ctx, changed := withChanges(ctx)
		defer changed.log(ctx)
		api.ServeHTTP(w, r.WithContext(ctx))
		return nil
	}
}

func notFound() error {
	return &apierr.Error{Code: apierr.NotFound, Detail: "There is nothing at this path."}
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	// In this API GET stands for HEAD, too.
	w.Header().Set("Allow", strings.Replace(w.Header().Get("Allow"), "GET, HEAD", "GET", 1))
	return &apierr.Error{Code: apierr.MethodNotAllowed, Detail: "This path does not take " + shorten(r.Method) + "."}
}
