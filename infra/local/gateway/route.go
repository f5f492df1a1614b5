package gateway

import (
	"net/url"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

// routeTable holds routes in the order in which they are tried: the HTTP API
// prefers a full match, then path parameters, then a greedy one, and a method of
// its own before ANY.
type routeTable struct {
	// exact holds routes without parameters by "METHOD /path": most requests end here.
	exact    map[string]*boundRoute
	patterns []*boundRoute
	fallback *boundRoute // $default, or nil
}

// boundRoute is a route with everything needed to serve it.
type boundRoute struct {
	samtemplate.Route
	key        string
	segments   []segment
	function   *boundFunction
	authorizer *boundAuthorizer // nil: none
}

type segment struct {
	kind segmentKind
	text string // the text itself, or the parameter's name
}

type segmentKind int

// In order of preference.
const (
	literal segmentKind = iota
	parameter
	greedy
)

func parsePath(path string) []segment {
	var segments []segment
	for text := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch {
		case strings.HasPrefix(text, "{") && strings.HasSuffix(text, "+}"):
			segments = append(segments, segment{greedy, text[1 : len(text)-2]})
		case strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}"):
			segments = append(segments, segment{parameter, text[1 : len(text)-1]})
		default:
			segments = append(segments, segment{literal, text})
		}
	}
	return segments
}

const anyMethod = "ANY"

func newRouteTable(routes []*boundRoute) *routeTable {
	t := &routeTable{exact: map[string]*boundRoute{}}
	for _, route := range routes {
		route.key = route.Key()
		if route.Path == "" {
			t.fallback = route
			continue
		}
		route.segments = parsePath(route.Path)
		if !slices.ContainsFunc(route.segments, func(s segment) bool { return s.kind != literal }) {
			t.exact[route.key] = route
			continue
		}
		t.patterns = append(t.patterns, route)
	}
	slices.SortStableFunc(t.patterns, compareRoutes)
	return t
}

// compareRoutes puts the more specific route first.
func compareRoutes(a, b *boundRoute) int {
	for i := range min(len(a.segments), len(b.segments)) {
		if difference := int(a.segments[i].kind) - int(b.segments[i].kind); difference != 0 {
			return difference
		}
	}
	if difference := len(b.segments) - len(a.segments); difference != 0 {
		return difference
	}
	switch {
	case a.Method == b.Method:
		return 0
	case b.Method == anyMethod:
		return -1
	case a.Method == anyMethod:
		return 1
	}
	return 0
}

// match returns the route of a request and its decoded path parameters, or nil.
func (t *routeTable) match(method string, u *url.URL) (*boundRoute, map[string]string) {
	// RawPath is set only when decoding loses something, such as an encoded slash.
	if u.RawPath == "" {
		if route := t.exact[method+" "+u.Path]; route != nil {
			return route, nil
		}
		if route := t.exact[anyMethod+" "+u.Path]; route != nil {
			return route, nil
		}
	}
	segments, ok := splitPath(u)
	if ok {
		for _, route := range t.patterns {
			if route.Method != method && route.Method != anyMethod {
				continue
			}
			if parameters, matched := route.match(segments); matched {
				return route, parameters
			}
		}
	}
	return t.fallback, nil
}

// splitPath returns the decoded segments; a slash that was encoded divides nothing.
func splitPath(u *url.URL) ([]string, bool) {
	if u.RawPath == "" {
		return strings.Split(strings.TrimPrefix(u.Path, "/"), "/"), true
	}
	segments := strings.Split(strings.TrimPrefix(u.RawPath, "/"), "/")
	for i, text := range segments {
		decoded, err := url.PathUnescape(text)
		if err != nil {
			return nil, false
		}
		segments[i] = decoded
	}
	return segments, true
}

func (r *boundRoute) match(path []string) (map[string]string, bool) {
	last := r.segments[len(r.segments)-1]
	if last.kind == greedy && len(path) < len(r.segments) || last.kind != greedy && len(path) != len(r.segments) {
		return nil, false
	}
	parameters := make(map[string]string, 1)
	for i, s := range r.segments {
		switch {
		case s.kind == literal && path[i] != s.text:
			return nil, false
		case s.kind == parameter:
			if path[i] == "" {
				return nil, false
			}
			parameters[s.text] = path[i]
		case s.kind == greedy:
			rest := strings.Join(path[i:], "/")
			if rest == "" {
				return nil, false
			}
			parameters[s.text] = rest
		}
	}
	return parameters, true
}
