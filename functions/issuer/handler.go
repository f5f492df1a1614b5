package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/cache"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	metadataPath  = "/.well-known/oauth-authorization-server" // RFC 8414 §3
	keysPath      = "/.well-known/jwks.json"

	// anyOrigin lets every page read what is public anyway.
	anyOrigin = "*"

	cacheControl = "public, max-age=300"
	// keepKeys is how long the keys are served without reading the directory again.
	keepKeys = time.Minute
	// staleKeys is how much longer they are served while the directory cannot be read:
	// yesterday's keys are better than none.
	staleKeys = 12 * time.Hour
	// pauseKeys is the least time between two attempts to read the directory.
	pauseKeys = 10 * time.Second
)

// Directory is where the public keys are published.
type Directory interface {
	PublicKeys(context.Context) (store.PublicKeys, error)
}

// Config is what New needs.
type Config struct {
	Directory Directory
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

type handler struct {
	keys *cache.Value[store.PublicKeys]
	now  func() time.Time
}

// New returns the handler.
func New(cfg Config) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := handler{now: cfg.Now, keys: cache.New(cache.Config[store.PublicKeys]{
		Load: func(ctx context.Context) (store.PublicKeys, error) {
			published, err := cfg.Directory.PublicKeys(ctx)
			if errors.Is(err, store.ErrNotFound) {
				return published, errors.New("read public keys: none were published yet; the first rotation of the signing keys does that")
			}
			if err != nil {
				return published, fmt.Errorf("read public keys: %w", err)
			}
			return published, nil
		},
		Keep: keepKeys, Stale: staleKeys, Pause: pauseKeys, Now: cfg.Now,
	})}
	routes := apigw.NewRouter(nil)
	routes.Handle("GET "+discoveryPath, discovery)
	routes.Handle("GET "+metadataPath, discovery)
	routes.Handle("GET "+keysPath, h.publicKeys)
	return routes
}

func (h handler) publicKeys(w http.ResponseWriter, r *http.Request) error {
	published, err := h.keys.Get(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", cacheControl)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", anyOrigin)
	// Shows operators that rotation goes on.
	if at := published.UpdatedAt; !at.IsZero() {
		w.Header().Set("Last-Modified", at.UTC().Format(http.TimeFormat))
		apigw.Measure(r.Context(), metrics.SigningKeyAge(h.now().Sub(at)))
	}
	_, err = w.Write(published.Document)
	return err
}
