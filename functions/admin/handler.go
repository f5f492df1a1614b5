package admin

import (
	"context"
	"maps"
	"net/http"
	"net/netip"
	"path"
	"slices"
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
	mux := http.NewServeMux()
	for pattern, methods := range map[string]resource{
		"/api/admin/authenticators":                               {http.MethodGet: h.listAuthenticators, http.MethodPost: h.createAuthenticator},
		"/api/admin/authenticators/{name}":                        {http.MethodGet: h.getAuthenticator, http.MethodPatch: h.patchAuthenticator, http.MethodDelete: h.deleteAuthenticator},
		"/api/admin/authenticators/{name}/check":                  {http.MethodPost: h.checkAuthenticator},
		"/api/admin/authenticators/{name}/attempts":               {http.MethodGet: h.attemptsOfAuthenticator},
		"/api/admin/egress":                                       {http.MethodGet: h.egress},
		"/api/admin/users":                                        {http.MethodGet: h.listUsers, http.MethodPost: h.createUser},
		"/api/admin/users/import":                                 {http.MethodPost: h.importUsers},
		"/api/admin/users/{id}":                                   {http.MethodGet: h.getUser, http.MethodPatch: h.patchUser, http.MethodDelete: h.deleteUser},
		"/api/admin/users/{id}/attempts":                          {http.MethodGet: h.attemptsOfUser},
		"/api/admin/users/{id}/sessions":                          {http.MethodDelete: h.endSessions},
		"/api/admin/users/{id}/identities/{corpId}/{wecomUserId}": {http.MethodDelete: h.unbindIdentity},
		"/api/admin/domain-files":                                 {http.MethodGet: h.listDomainFiles},
		"/api/admin/domain-files/{filename}":                      {http.MethodPut: h.putDomainFile, http.MethodDelete: h.deleteDomainFile},
		"/api/admin/domain-files/{filename}/check":                {http.MethodPost: h.checkDomainFile},
		"/api/admin":  nil,
		"/api/admin/": nil,
	} {
		mux.Handle(pattern, apigw.JSON(administratorsOnly(methods.serve)))
	}
	pages := newConsoleHandler()
	mux.Handle("/console", apigw.JSON(resource{http.MethodGet: pages.document}.serve))
	mux.Handle("/assets/console/{version}/{file}", apigw.JSON(resource{http.MethodGet: pages.asset}.serve))
	mux.Handle("/", apigw.JSON(resource(nil).serve))
	return literalPaths(mux)
}

// resource is what one path can do, by method. None: there is no such path.
type resource map[string]apigw.HandlerFunc

func (methods resource) serve(w http.ResponseWriter, r *http.Request) error {
	if len(methods) == 0 {
		return notFound()
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // package apigw leaves the body out
	}
	handle, known := methods[method]
	if !known {
		w.Header().Set("Allow", strings.Join(slices.Sorted(maps.Keys(methods)), ", "))
		return &apierr.Error{Code: apierr.MethodNotAllowed, Detail: "This path does not take " + shorten(r.Method) + "."}
	}
	return handle(w, r)
}

// administratorsOnly refuses what no authorizer vouched for. The authorizer stands
// in front of every route here; if a template ever forgets it, nothing opens.
func administratorsOnly(handle apigw.HandlerFunc) apigw.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx := r.Context()
		word := apigw.AuthorizerContext(ctx)
		switch word["caller"] {
		case "admin-key":
			apigw.LogField(ctx, "caller", "admin-key")
		case "user":
			id, _ := word["userId"].(string)
			if id == "" {
				return apierr.Newf(apierr.Forbidden, "the authorizer named no user")
			}
			apigw.LogField(ctx, "caller", "user")
			apigw.LogField(ctx, "callerId", id)
		default:
			return apierr.Newf(apierr.Forbidden, "no authorizer vouched for the caller")
		}
		return handle(w, r)
	}
}

// literalPaths answers 404 where http.ServeMux would redirect to a "cleaned" path:
// an API has one spelling of every path.
func literalPaths(next http.Handler) http.Handler {
	absent := apigw.JSON(resource(nil).serve)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path.Clean(r.URL.Path) != r.URL.Path {
			absent.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func notFound() error {
	return &apierr.Error{Code: apierr.NotFound, Detail: "There is nothing at this path."}
}

// shorten keeps what a caller sent from filling an answer.
func shorten(text string) string {
	const most = 64
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
