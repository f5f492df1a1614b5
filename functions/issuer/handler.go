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
	"github.com/wecom-signin/wecom-signin/shared/version"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks.json"

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

// metadata has the members of OpenID Connect Discovery 1.0 §3 and RFC 8414 §2 that hold
// for this issuer.
type metadata struct {
	Issuer            string   `json:"issuer"`
	KeysAddress       string   `json:"jwks_uri"`
	SubjectTypes      []string `json:"subject_types_supported"`
	SigningAlgorithms []string `json:"id_token_signing_alg_values_supported"`
	Claims            []string `json:"claims_supported"`
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
	routes.Handle("GET "+keysPath, h.publicKeys)
	return routes
}

func discovery(w http.ResponseWriter, r *http.Request) error {
	publicURL := apigw.PublicURL(r.Context())
	w.Header().Set("Cache-Control", cacheControl)
	w.Header().Set(version.Header, version.Version)
	return apigw.WriteJSON(w, http.StatusOK, metadata{
		Issuer:            publicURL,
		KeysAddress:       publicURL + keysPath,
		SubjectTypes:      []string{"public"},
		SigningAlgorithms: []string{"RS256"},
		Claims: []string{
			"iss", "aud", "sub", "iat", "exp", "jti", "name", "phone_number", "roles", "corp_id", "wecom_userid", "sid",
		},
	})
}

func (h handler) publicKeys(w http.ResponseWriter, r *http.Request) error {
	published, err := h.keys.Get(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", cacheControl)
	w.Header().Set("Content-Type", "application/json")
	// Shows operators that rotation goes on.
	if at := published.UpdatedAt; !at.IsZero() {
		w.Header().Set("Last-Modified", at.UTC().Format(http.TimeFormat))
		apigw.Measure(r.Context(), metrics.SigningKeyAge(h.now().Sub(at)))
	}
	_, err = w.Write(published.Document)
	return err
}
