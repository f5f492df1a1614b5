package forwardauth

import (
	"net/http"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// dialect is how a proxy asks and what it understands.
type dialect struct {
	// pathFollows: the visitor's path follows the application in ours, with the visitor's
	// query and by the visitor's method.
	pathFollows bool
	// methodHeader has the visitor's method; empty: it is the request's own.
	methodHeader string
	// locationHeader has the address for a navigation, where the proxy takes a redirect for
	// a failure; empty: the answer is a redirect.
	locationHeader string
	// address returns the visitor's host, if the proxy says it, and path with query.
	address func(r *http.Request, path string) (host, target string)
}

func dialects() map[string]dialect {
	return map[string]dialect{
		// auth_request understands 2xx, 401 and 403 (ngx_http_auth_request_module).
		"nginx": {methodHeader: "X-Original-Method", locationHeader: "X-Auth-Location", address: func(r *http.Request, _ string) (host, target string) {
			return cutAddress(r.Header.Get("X-Original-URL"))
		}},
		// Caddy, Traefik and APISIX. Caddy appends the visitor's query to our address.
		"forward": {methodHeader: "X-Forwarded-Method", address: func(r *http.Request, _ string) (host, target string) {
			return r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Uri")
		}},
		// ext_authz over HTTP: path_prefix, then the visitor's request as it is.
		"envoy": {pathFollows: true, address: func(r *http.Request, path string) (host, target string) {
			if r.URL.RawQuery != "" {
				path += "?" + r.URL.RawQuery
			}
			return "", path
		}},
	}
}

// visitor is what a proxy says of the request that it asks about. It decides where a person
// goes on, and never whether.
type visitor struct {
	host, target string
	isNavigation bool
}

func (d dialect) visitor(r *http.Request, path string) visitor {
	method := r.Method
	if d.methodHeader != "" {
		method = http.MethodGet // proxies ask by it, and most requests have it
		if said := r.Header.Get(d.methodHeader); said != "" {
			method = said
		}
	}
	host, target := d.address(r, path)
	return visitor{host, target, isNavigation(method, r.Header)}
}

// isNavigation reports whether a person waits for a page, who can be sent to sign in. A
// redirect would break anything else: a script sees a CORS error that hides the cause, a
// handshake of a WebSocket fails, and a form loses what it posted.
func isNavigation(method string, header http.Header) bool {
	mode := header.Get("Sec-Fetch-Mode")
	switch {
	case method != http.MethodGet && method != http.MethodHead:
		return false
	case header.Get("Upgrade") != "" || header.Get("Sec-Websocket-Version") != "" || header.Get("Sec-Websocket-Key") != "":
		return false
	case mode != "":
		return mode == "navigate"
	}
	return strings.Contains(header.Get("Accept"), "text/html")
}

// cutAddress cuts an address, or only its path and query, at the end of its host.
func cutAddress(address string) (host, target string) {
	if strings.HasPrefix(address, "/") {
		return "", address
	}
	_, rest, _ := strings.Cut(address, "://")
	i := strings.IndexAny(rest, "/?#")
	if i < 0 {
		return rest, ""
	}
	return rest[:i], rest[i:]
}

// maxTarget is how long the way back may be in an address, in bytes: the gateway takes
// 10,240 for an address and all headers.
const maxTarget = 2048

// wayBack returns the path that a member wanted, on the application's origin; "/" unless
// the proxy names one there. The scheme does not count: a proxy behind another one says
// http, and the browser goes to the registered origin in any case.
func (v visitor) wayBack(a store.Application) string {
	if v.host != "" && withoutPort(v.host) != withoutPort(hostOf(oauth.ProxyOrigin(a))) {
		return "/"
	}
	return parsePath(v.target)
}

// parsePath returns a path with which a browser stays on the origin that it is appended to,
// "/" for anything else.
func parsePath(text string) string {
	path, ok := authflow.ParseReturnPath(text)
	if !ok || len(path.String()) > maxTarget {
		return "/"
	}
	return path.String()
}

func hostOf(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return host
}

// withoutPort returns a host in one spelling, without the port if it is one of the usual.
func withoutPort(host string) string {
	host = strings.ToLower(host)
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}
