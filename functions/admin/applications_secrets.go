package admin

import (
	"crypto/rand"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// mostSecrets is two, so that an application can change to a new secret without a gap.
const mostSecrets = 2

// newSecretView is the only answer that has a secret.
type newSecretView struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// createSecret makes a secret of an application and answers it: this once, because only
// its hash is kept.
func (h *handler) createSecret(w http.ResponseWriter, r *http.Request) error {
	if err := requireNoFields(r); err != nil {
		return err
	}
	value, made, err := oauth.NewSecret(rand.Reader, h.Now().UTC())
	if err != nil {
		return err
	}
	a, err := h.updateApplication(r, func(a store.Application) (store.Application, error) {
		switch {
		case a.Kind != store.KindWeb:
			return a, &apierr.Error{Code: apierr.SecretNotAllowed, Field: "secrets", Detail: "An application of the kind " + string(a.Kind) + " has no secret."}
		case len(a.Secrets) >= mostSecrets:
			return a, &apierr.Error{Code: apierr.TooManySecrets, Field: "secrets", Detail: "The application has two secrets already; delete the one that is no longer used."}
		}
		a.Secrets = append(slices.Clone(a.Secrets), made)
		return a, nil
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/admin/applications/"+a.ID+"/secrets/"+made.ID)
	return apigw.WriteJSON(w, http.StatusCreated, newSecretView{made.ID, value.Reveal()})
}

func (h *handler) deleteClientSecret(w http.ResponseWriter, r *http.Request) error {
	_, err := h.updateApplication(r, func(a store.Application) (store.Application, error) {
		i := slices.IndexFunc(a.Secrets, func(s store.ClientSecret) bool { return s.ID == r.PathValue("secretId") })
		if i < 0 {
			return a, &apierr.Error{Code: apierr.NotFound, Detail: "The application has no secret of this id."}
		}
		a.Secrets = slices.Delete(slices.Clone(a.Secrets), i, i+1)
		return a, nil
	})
	return noContent(w, err)
}

// requireNoFields fails unless the body is empty, or an object without fields.
func requireNoFields(r *http.Request) error {
	body, err := readBody(r, maxJSON)
	if err != nil || len(body) == 0 {
		return err
	}
	if err := requireJSON(r); err != nil {
		return err
	}
	o, err := parseObject(body)
	if err != nil {
		return err
	}
	return o.only(nil, nil)
}
