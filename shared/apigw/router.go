package apigw

import (
	"net/http"
	"path"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// Router finds the handler of a request by path and method. Paths match as in
// http.ServeMux, with one exception: a path has one spelling. Where ServeMux would
// redirect to a "cleaned" path, Router treats the path as unknown.
//
// Register every route before the first request.
type Router struct {
	// MethodNotAllowed answers a method that a known path does not have; the header
	// Allow is set already. Nil: 405 as problem+json.
	MethodNotAllowed HandlerFunc

	mux     *http.ServeMux
	unknown http.Handler
	routes  map[string]*route // by path
}

// route is the methods of one path.
type route struct {
	handlers map[string]HandlerFunc // by method; "" is any other
	allow    []string               // in the order of registration
}

// NewRouter returns a router without routes. unknown answers every path that has
// none. Nil: 404 as problem+json.
func NewRouter(unknown http.Handler) *Router {
	if unknown == nil {
		unknown = JSON(func(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.NotFound, nil) })
	}
	router := &Router{mux: http.NewServeMux(), unknown: unknown, routes: map[string]*route{}}
	router.mux.Handle("/", unknown)
	return router
}

// Handle registers a handler for a pattern: a method and a path, such as
// "GET /api/session" or "DELETE /api/admin/users/{id}", or a path for every method.
// GET answers HEAD, too (New leaves the body out). The header Allow of a 405 lists
// methods in the order in which they were registered.
func (router *Router) Handle(pattern string, handle HandlerFunc) {
	method, pathPattern, found := strings.Cut(pattern, " ")
	if !found {
		method, pathPattern = "", pattern
	}
	known, found := router.routes[pathPattern]
	if !found {
		known = &route{handlers: map[string]HandlerFunc{}}
		router.routes[pathPattern] = known
		router.mux.Handle(pathPattern, JSON(func(w http.ResponseWriter, r *http.Request) error {
			return router.serve(known, w, r)
		}))
	}
	known.handlers[method] = handle
	known.allow = append(known.allow, allowed(method)...)
}

// allowed returns the methods that a handler of this method answers.
func allowed(method string) []string {
	if method == http.MethodGet {
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{method}
}

func (router *Router) serve(known *route, w http.ResponseWriter, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	handle := known.handlers[method]
	if handle == nil {
		handle = known.handlers[""]
	}
	if handle != nil {
		return handle(w, r)
	}
	refused := MethodNotAllowed(w, known.allow...)
	if router.MethodNotAllowed != nil {
		return router.MethodNotAllowed(w, r)
	}
	return refused
}

// MethodNotAllowed tells the caller which methods there are instead (RFC 9110
// §15.5.6).
func MethodNotAllowed(w http.ResponseWriter, allow ...string) error {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	return apierr.New(apierr.MethodNotAllowed, nil)
}

func (router *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if path.Clean("/"+r.URL.Path) != r.URL.Path {
		router.unknown.ServeHTTP(w, r)
		return
	}
	router.mux.ServeHTTP(w, r)
}
