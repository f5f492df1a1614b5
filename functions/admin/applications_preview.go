package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// previewView is what an application that asks for every scope would be told of a member,
// by the place where it is told.
type previewView struct {
	IDToken     map[string]claimView `json:"idToken"`
	Userinfo    map[string]claimView `json:"userinfo"`
	AccessToken map[string]claimView `json:"accessToken"`
	// Headers are those that a proxy hands on.
	Headers map[string]claimView `json:"headers"`
	// Notes say why something is missing, absent without any.
	Notes []string `json:"notes,omitempty"`
}

type claimView struct {
	Value any    `json:"value"`
	Scope string `json:"scope"`
}

// preview shows what an application is told of a user.
func (h *handler) preview(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, []string{"userId"}, nil)
	if err != nil {
		return err
	}
	a, err := h.application(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := body.require("userId"); err != nil {
		return err
	}
	id, _, err := body.text("userId")
	if err != nil {
		return err
	}
	u, err := h.user(ctx, id)
	if apierr.Is(err, apierr.NotFound) {
		return apierr.Invalid("userId", "There is no user of this id.")
	}
	if err != nil {
		return err
	}
	m, corpIDs, err := h.memberFor(ctx, a, u)
	if err != nil {
		return err
	}
	noted := notes(a, corpIDs)
	if identity, _ := u.IdentityIn(m.CorpID); a.Claims.Email == "wecom" && m.OneCorp && identity.Email == "" {
		noted = append(noted, noteNoMailbox)
	}
	return apigw.WriteJSON(w, http.StatusOK, previewView{
		IDToken:     viewClaims(claims.ForIDToken(m, a.Claims, claims.Scopes(), claims.Request{})),
		Userinfo:    viewClaims(claims.ForUserinfo(m, a.Claims, claims.Scopes(), claims.Request{})),
		AccessToken: viewClaims(claims.ForAccessToken(m, a.Claims, claims.Scopes())),
		Headers:     viewClaims(claims.ForHeaders(m, a.Claims)),
		Notes:       noted,
	})
}

func viewClaims(list claims.List) map[string]claimView {
	views := make(map[string]claimView, len(list))
	for _, c := range list {
		views[c.Name] = claimView{c.Value, c.Scope}
	}
	return views
}

// memberFor returns the member that a user is for an application, with the roles that count
// there: of several companies, the one of the first authenticator that the application may
// use. It returns the corps whose members can sign in to it, too.
func (h *handler) memberFor(ctx context.Context, a store.Application, u store.User) (m claims.Member, corpIDs []string, err error) {
	if corpIDs, err = oauth.CorpsOf(ctx, h.Directory, a); err != nil {
		return m, nil, err
	}
	identities := u.Identities
	if len(a.Authenticators) > 0 {
		identities = nil
		for _, corpID := range corpIDs {
			if identity, ok := u.IdentityIn(corpID); ok {
				identities = append(identities, identity)
			}
		}
	}
	if len(identities) > 0 {
		m.CorpID, m.WeComUserID = identities[0].CorpID, identities[0].WeComUserID
	}
	m.OneCorp = slices.Equal(corpIDs, []string{m.CorpID})
	m.User, err = store.WithWeComRoles(ctx, h.Directory, u, m.CorpID)
	return m, corpIDs, err
}
