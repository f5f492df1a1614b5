package admin

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// MaxBody is the largest body of any request here, in bytes: the CSV of an import.
// It is what apigw.Config.MaxBody must be for this function.
const MaxBody = 1 << 20

// Directory is what administration needs of the store. Reads must be fresh: no
// cache may stand in between.
type Directory interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
	Authenticators(ctx context.Context, page store.Page) ([]store.Authenticator, string, error)
	AutoLoginAuthenticator(ctx context.Context) (store.Authenticator, error)
	CreateAuthenticator(ctx context.Context, a store.Authenticator) error
	UpdateAuthenticator(ctx context.Context, from, to store.Authenticator) error
	DeleteAuthenticator(ctx context.Context, a store.Authenticator) error

	User(ctx context.Context, id string) (store.User, error)
	UserByPhone(ctx context.Context, phone string) (store.User, error)
	Users(ctx context.Context, page store.Page) ([]store.User, string, error)
	CreateUser(ctx context.Context, u store.User) error
	UpdateUser(ctx context.Context, from, to store.User) error
	DeleteUser(ctx context.Context, u store.User) error

	UsersByName(ctx context.Context, prefix string, page store.Page) ([]store.User, string, error)
	DomainFile(ctx context.Context, filename string) (store.DomainFile, error)
	DomainFiles(ctx context.Context, page store.Page) ([]store.DomainFile, string, error)
	PutDomainFile(ctx context.Context, f store.DomainFile) error
	DeleteDomainFile(ctx context.Context, filename string) error
}

// Secrets is what administration needs of a secret.Store: it writes secrets and
// has no way to read one.
type Secrets interface {
	Create(ctx context.Context, name, version string, value secret.Value) error
	Put(ctx context.Context, name, version string, value secret.Value) error
	Delete(ctx context.Context, name string) error
}

// Config is what New needs.
type Config struct {
	Directory Directory
	Secrets   Secrets
	// SecretName returns where the secret of an authenticator lies. It depends on the
	// ID and not on the name, so that a namesake inherits nothing.
	SecretName func(authenticatorID string) string
	// Attempts is usually the Directory's other half.
	Attempts Attempts
	// Tokens and WeCom try an authenticator's credentials.
	Tokens Tokens
	WeCom  WeCom
	// EgressAddresses are those that the operator knows WeCom is called from. None:
	// WeCom is asked what it sees.
	EgressAddresses []netip.Addr
	// HTTP fetches a domain file back from the service's public address. It is copied,
	// and never follows a redirect. Nil: one that uses no proxy of the environment.
	HTTP *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

type handler struct {
	Config
	fetcher *http.Client
}

// New returns the handler of /api/admin/ and /console. It expects to run in
// package apigw, with MaxBody.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &handler{cfg, newFetcher(cfg.HTTP)}
	api := newRouter()
	api.Handle("GET /api/admin/authenticators", h.listAuthenticators)
	api.Handle("POST /api/admin/authenticators", h.createAuthenticator)
	api.Handle("DELETE /api/admin/authenticators/{name}", h.deleteAuthenticator)
	api.Handle("GET /api/admin/authenticators/{name}", h.getAuthenticator)
	api.Handle("PATCH /api/admin/authenticators/{name}", h.patchAuthenticator)
	api.Handle("POST /api/admin/authenticators/{name}/check", h.checkAuthenticator)
	api.Handle("GET /api/admin/authenticators/{name}/attempts", h.attemptsOfAuthenticator)
	api.Handle("GET /api/admin/egress", h.egress)
	api.Handle("GET /api/admin/users", h.listUsers)
	api.Handle("POST /api/admin/users", h.createUser)
	api.Handle("POST /api/admin/users/import", h.importUsers)
	api.Handle("DELETE /api/admin/users/{id}", h.deleteUser)
	api.Handle("GET /api/admin/users/{id}", h.getUser)
	api.Handle("PATCH /api/admin/users/{id}", h.patchUser)
	api.Handle("GET /api/admin/users/{id}/attempts", h.attemptsOfUser)
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

// newRouter returns a router that says in a sentence what is wrong with a path or a
// method.
func newRouter() *apigw.Router {
	router := apigw.NewRouter(apigw.JSON(func(http.ResponseWriter, *http.Request) error { return notFound() }))
	router.MethodNotAllowed = methodNotAllowed
	return router
}

// administratorsOnly refuses a request that the authorizer did not let pass. It stands
// in front of every route, so that a template that forgets it opens nothing: an
// unknown path is refused, too.
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
		api.ServeHTTP(w, r)
		return nil
	}
}

func notFound() error {
	return &apierr.Error{Code: apierr.NotFound, Detail: "There is nothing at this path."}
}

func methodNotAllowed(w http.ResponseWriter, r *http.Request) error {
	// GET stands for HEAD here.
	w.Header().Set("Allow", strings.Replace(w.Header().Get("Allow"), "GET, HEAD", "GET", 1))
	return &apierr.Error{Code: apierr.MethodNotAllowed, Detail: "This path does not take " + shorten(r.Method) + "."}
}

// shorten keeps what a caller sent from filling an answer.
func shorten(text string) string {
	const most = 64
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
