package openid

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/cache"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// crossOrigin lets pages of browser applications read the answers of a path, from their
// registered origins, and answers their preflight requests (Fetch standard, "CORS
// protocol"). Cookies are never allowed: these answers do not depend on them.
func (h handler) crossOrigin(handle apigw.HandlerFunc, methods ...string) apigw.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		header := w.Header()
		header.Set("Vary", "Origin")
		allowed, err := h.isAllowed(r)
		if err != nil {
			return err
		}
		if allowed {
			header.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			header.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
		}
		switch {
		case r.Method == http.MethodOptions:
			if allowed {
				header.Del("Access-Control-Expose-Headers")
				header.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
				header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				header.Set("Access-Control-Max-Age", "600")
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		case !slices.Contains(methods, r.Method):
			return apigw.MethodNotAllowed(w, append(slices.Clone(methods), http.MethodOptions)...)
		}
		return handle(w, r)
	}
}

// isAllowed reports whether the page that sends a request belongs to a browser application.
func (h handler) isAllowed(r *http.Request) (bool, error) {
	values := r.Header.Values("Origin")
	if len(values) != 1 || values[0] == "" || values[0] == "null" {
		return false, nil
	}
	allowed, err := h.origins.has(r.Context(), values[0])
	if err != nil {
		return false, fmt.Errorf("read allowed origins: %w", err)
	}
	return allowed, nil
}

// origins knows the browser applications. A preflight request does not say which it is for.
type origins struct {
	applications *cache.Value[[]store.Application]
}

const (
	// originsAge is how long an origin is allowed after its application has ended.
	originsAge = 10 * time.Second
	// originsPause is how often an unknown origin has them read again, so that a new
	// application works soon.
	originsPause = 2 * time.Second
)

func newOrigins(list ApplicationList, now func() time.Time) *origins {
	load := func(ctx context.Context) (found []store.Application, err error) {
		for cursor := ""; ; {
			items, next, err := list.Applications(ctx, store.Page{Cursor: cursor, Limit: listPage})
			if err != nil {
				return nil, err
			}
			for _, a := range items {
				if a.Enabled && a.Kind == store.KindBrowser {
					found = append(found, a)
				}
			}
			if next == "" || next == cursor {
				return found, nil
			}
			cursor = next
		}
	}
	return &origins{cache.New(cache.Config[[]store.Application]{Load: load, Keep: originsAge, Pause: originsPause, Now: now})}
}

func (o *origins) has(ctx context.Context, origin string) (bool, error) {
	for _, read := range []func(context.Context) ([]store.Application, error){o.applications.Get, o.applications.Reload} {
		applications, err := read(ctx)
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(applications, func(a store.Application) bool { return oauth.HasOrigin(a, origin) }) {
			return true, nil
		}
	}
	return false, nil
}
