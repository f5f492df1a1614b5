package admin

import (
	"context"
	"net/http"
	"reflect"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
)

// eventsView is the receiver of an authenticator, without its token and its key.
type eventsView struct {
	// URL is what the administrator enters in WeCom's console, for the app's receiver of
	// messages or for that of the directory.
	URL     string `json:"url"`
	Enabled bool   `json:"enabled"`
	// LastEventAt is when WeCom pushed last, to the minute; null before the first time.
	LastEventAt *string `json:"lastEventAt"`
}

func eventsURL(a store.Authenticator, publicURL string) string {
	return publicURL + "/api/events/" + a.Name
}

// receiverView is the only answer that has the token and the key of a receiver.
type receiverView struct {
	URL            string `json:"url"`
	Token          string `json:"token"`
	EncodingAESKey string `json:"encodingAesKey"`
}

// enableEvents makes a token and a key, in place of those before, and answers them: this
// once. WeCom's console must have them before WeCom can push again.
func (h *handler) enableEvents(w http.ResponseWriter, r *http.Request) error {
	if err := requireNoFields(r); err != nil {
		return err
	}
	token, key := receiver.NewCredentials()
	a, err := h.changeReceiver(r, h.secretChange(func(s *appsecret.Secret) error {
		if s.App.IsEmpty() {
			return &apierr.Error{Code: apierr.InvalidRequest, Field: "secret", Detail: "The secret of the app is missing: enter it first."}
		}
		s.Token, s.EncodingAESKey = token, key
		return nil
	}))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(a.Version))
	return apigw.WriteJSON(w, http.StatusOK, receiverView{eventsURL(a, apigw.PublicURL(r.Context())), token.Reveal(), key.Reveal()})
}

// disableEvents forgets token and key. Without them there is nothing to take away.
func (h *handler) disableEvents(w http.ResponseWriter, r *http.Request) error {
	forget := h.secretChange(func(s *appsecret.Secret) error {
		s.Token, s.EncodingAESKey = secret.Value{}, secret.Value{}
		return nil
	})
	_, err := h.changeReceiver(r, func(ctx context.Context, from store.Authenticator, to *store.Authenticator) error {
		if !from.EventsEnabled {
			return nil
		}
		return forget(ctx, from, to)
	})
	return noContent(w, err)
}

// changeReceiver changes token and key of an authenticator by a secretChange.
func (h *handler) changeReceiver(r *http.Request, write func(context.Context, store.Authenticator, *store.Authenticator) error) (store.Authenticator, error) {
	ctx, match := r.Context(), ifMatch(r)
	return store.RetryChanged(ctx, func() (store.Authenticator, error) {
		from, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return from, err
		}
		if err := match.check(from.Version); err != nil {
			return from, err
		}
		to := from
		if err := write(ctx, from, &to); err != nil || reflect.DeepEqual(to, from) {
			return from, err
		}
		changed := authenticatorChange(from, to)
		changed.Fields = "events"
		return h.updateAuthenticator(ctx, changed, from, to)
	})
}
