package admin

import (
	"fmt"
	"net/http"

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
	a, err := h.changeReceiver(r, func(s *appsecret.Secret) error {
		if s.App.IsEmpty() {
			return &apierr.Error{Code: apierr.InvalidRequest, Field: "secret", Detail: "The secret of the app is missing: enter it first."}
		}
		s.Token, s.EncodingAESKey = token, key
		return nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(a.Version))
	return apigw.WriteJSON(w, http.StatusOK, receiverView{eventsURL(a, apigw.PublicURL(r.Context())), token.Reveal(), key.Reveal()})
}

// disableEvents forgets token and key.
func (h *handler) disableEvents(w http.ResponseWriter, r *http.Request) error {
	_, err := h.changeReceiver(r, func(s *appsecret.Secret) error {
		s.Token, s.EncodingAESKey = secret.Value{}, secret.Value{}
		return nil
	})
	return noContent(w, err)
}

// changeReceiver changes token and key of an authenticator. Without a receiver there is
// nothing to take away.
func (h *handler) changeReceiver(r *http.Request, part func(*appsecret.Secret) error) (store.Authenticator, error) {
	ctx, match, write := r.Context(), ifMatch(r), h.secretChange(part)
	return store.RetryChanged(ctx, func() (store.Authenticator, error) {
		from, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return from, err
		}
		if err := match.check(from.Version); err != nil {
			return from, err
		}
		if r.Method == http.MethodDelete && !from.EventsEnabled {
			return from, nil
		}
		to := from
		to.Version, to.UpdatedAt = from.Version+1, h.Now().UTC()
		if err := write(ctx, from, &to); err != nil {
			return from, err
		}
		changed := change{Change: changeUpdated, Object: authenticatorObject, ObjectID: from.ID, name: from.Name, Fields: "events"}
		err = h.audited(ctx, changed).UpdateAuthenticator(ctx, from, to)
		recordChange(ctx, changed, err)
		if err != nil {
			if refused := storeRefusal(err); refused != nil {
				return from, refused
			}
			return from, fmt.Errorf("update authenticator: %w", err)
		}
		return to, nil
	})
}
