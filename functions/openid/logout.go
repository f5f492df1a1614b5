package openid

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
)

// logout answers a browser that an application sends to sign out.
func (h handler) logout(w http.ResponseWriter, r *http.Request) error {
	return h.decideLogout(w, r, r.URL.RawQuery, "")
}

// fieldParameters is the field of the page that asks, beside fieldProof: the parameters of
// the request that it asks about.
const fieldParameters = "parameters"

// logoutByPost takes the answer of the page that asks, which has a proof. A request that an
// application posts is turned into a GET, see authorizeByPost.
func (h handler) logoutByPost(w http.ResponseWriter, r *http.Request) error {
	body, _, err := formOf(r)
	if err != nil {
		return err
	}
	form, err := oauth.ParseForm(body)
	if err != nil || form.Get(fieldProof) == "" {
		return h.getInstead(w, r, body, oauth.EndSessionPath)
	}
	return h.decideLogout(w, r, form.Get(fieldParameters), form.Get(fieldProof))
}

func (h handler) decideLogout(w http.ResponseWriter, r *http.Request, parameters, proof string) error {
	ctx := r.Context()
	session, err := h.liveSession(r)
	if err != nil {
		return err
	}
	d, err := h.Provider.Logout(ctx, oauth.LogoutInput{Call: callOf(r), Parameters: parameters, Session: session, Proof: proof})
	if err != nil {
		return err
	}
	if d.Application.ID != "" {
		apigw.LogField(ctx, "application", d.Application.ID)
	}
	logRefusal(ctx, d.Refusal)
	public := apigw.PublicURL(ctx)
	switch d.Kind {
	case oauth.ShowLogoutError:
		return h.refuse(w, r, refusedRequest{application: d.Application, refusal: d.Refusal, clientID: d.Application.ID, registered: d.Application.PostLogoutRedirectURIs, uiLocales: d.UILocales}, session)
	case oauth.AskLogout:
		shown := page.SignOut{
			Language: languageOf(w, r, d.UILocales), Self: self(r), Member: session.User.Name,
			Form: page.Form{Action: public + oauth.EndSessionPath, Fields: []page.Field{
				{Name: fieldParameters, Value: parameters}, {Name: fieldProof, Value: d.Proof},
			}},
			Stay: signInURL(r, d.UILocales),
		}
		if d.Application.ID != "" {
			shown.Application = title(d.Application)
		}
		return h.Pages.SignOut(w, shown)
	case oauth.EndSession:
		apigw.LogField(ctx, "user", session.User.ID)
		// In the store first: if that fails, the browser keeps its cookie and can try again.
		if err := h.endSessions(r); err != nil {
			return err
		}
		h.Cookie.Clear(w)
	}
	if d.URL != "" {
		seeOther(w, d.URL)
		return nil
	}
	return h.Pages.SignedOut(w, page.SignedOut{
		Language: languageOf(w, r, d.UILocales), Self: "", SignIn: signInURL(r, d.UILocales), Unregistered: d.Refusal != nil,
	})
}

// endSessions ends the sessions of a browser.
func (h handler) endSessions(r *http.Request) error {
	for _, ref := range h.Cookie.Sessions(r) {
		if err := h.Sessions.End(r.Context(), ref.ID); err != nil {
			return err
		}
	}
	return nil
}
