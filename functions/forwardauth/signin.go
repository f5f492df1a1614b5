package forwardauth

import (
	"crypto/rand"
	"net/http"
	"net/url"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The parameters of the address at which a sign-in begins.
const (
	toParameter     = "to"     // the path to come back to
	promptParameter = "prompt" // "login": as somebody else
	promptLogin     = "login"
)

// startURL returns where a sign-in to an application begins that comes back to a path.
func (h handler) startURL(r *http.Request, a store.Application, to string) string {
	address := h.Provider.ProxySignInOrigin(a, apigw.PublicURL(r.Context())) + oauth.ProxyPath(a.ID, oauth.ProxyStart)
	if to == "" || to == "/" {
		return address
	}
	return address + "?" + url.Values{toParameter: {to}}.Encode()
}

// signInAgain has a sign-in as startURL begins it ask who signs in.
func signInAgain(startURL string) string {
	u, err := url.Parse(startURL)
	if err != nil {
		return startURL
	}
	query := u.Query()
	query.Set(promptParameter, promptLogin)
	u.RawQuery = query.Encode()
	return u.String()
}

// start begins a sign-in: the browser keeps where it wanted to go, and asks the provider
// for a code.
func (h handler) start(w http.ResponseWriter, r *http.Request, applicationID string) error {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" || apigw.LoadedByPage(r) && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// Pages of others could push sign-ins that are under way out of the browser.
		return apierr.Newf(apierr.Forbidden, "a sign-in was begun by a page")
	}
	a, refusal, err := h.application(r, applicationID)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return h.refuse(w, r, a, refusal, true)
	}
	query := apigw.Query(r)
	state := authflow.NewRequestID()
	kept := session.ProxySignIn{ApplicationID: a.ID, Verifier: rand.Text() + rand.Text(), Path: parsePath(query.Get(toParameter))}
	if err := h.SignIns.Save(w, r, state, kept); err != nil {
		return err
	}
	apigw.Redirect(w, h.Provider.ProxyAuthorizationURL(oauth.ProxyAuthorization{
		Call: callOf(r), Application: a, State: state, Verifier: kept.Verifier, Again: query.Get(promptParameter) == promptLogin,
	}))
	return nil
}

// application returns the application of a path, also a disabled one with its refusal.
func (h handler) application(r *http.Request, id string) (store.Application, *oauth.Error, error) {
	a, err := h.Provider.ProxyApplication(r.Context(), id)
	refusal, refused := oauth.RefusalOf(err)
	if err != nil && !refused {
		return a, nil, err
	}
	if a.ID != "" {
		apigw.LogField(r.Context(), "application", a.ID)
	}
	return a, refusal, nil
}

// callback takes the code with which a browser comes back. Only the browser that began has
// the sign-in that goes with it: a link with somebody else's code signs nobody in.
func (h handler) callback(w http.ResponseWriter, r *http.Request, applicationID string) error {
	ctx := r.Context()
	a, refusal, err := h.application(r, applicationID)
	switch {
	case err != nil:
		return err
	case refusal != nil:
		return h.refuse(w, r, a, refusal, true)
	}
	query := apigw.Query(r)
	state := query.Get("state")
	kept, err := h.SignIns.Find(r, state, a.ID)
	if err != nil || query.Get("iss") != apigw.PublicURL(ctx) {
		return h.restart(w, r, a, a.Homepage, "request_lost")
	}
	if query.Has("error") {
		h.SignIns.Clear(w, state)
		if query.Get("error") != string(oauth.AccessDenied) {
			// The session ended on the way.
			return h.restart(w, r, a, oauth.ProxyOrigin(a)+kept.Path, string(oauth.CauseSessionEnded))
		}
		return h.refuse(w, r, a, &oauth.Error{Code: oauth.AccessDenied, Cause: oauth.CauseConsentRefused}, true)
	}
	cookie, err := h.Provider.SignInToProxy(ctx, oauth.ProxySignIn{Call: callOf(r), Application: a, Code: query.Get("code"), Verifier: kept.Verifier})
	refusal, refused := oauth.RefusalOf(err)
	if err != nil && !refused {
		return err // the browser keeps the sign-in: the member may try again
	}
	h.SignIns.Clear(w, state)
	address := oauth.ProxyOrigin(a) + kept.Path
	if refused {
		return h.restart(w, r, a, address, string(refusal.Cause))
	}
	apigw.LogField(ctx, "user", cookie.UserID)
	if !h.Provider.SharesSession(a) {
		session.ProxyCookie{ApplicationID: a.ID}.Set(w, cookie.Value, cookie.ExpiresAt.Sub(h.Now()))
	}
	apigw.Redirect(w, address)
	return nil
}

// restartCookie says for which application this browser was sent to begin again just now.
// It is not sealed: changing it only affects the browser that holds it.
const (
	restartCookie   = "__Host-wecom_restarted"
	restartLifetime = 60 // seconds
)

// restart sends a browser whose sign-in came to nothing to begin again, once; then a page
// says so. It has no cookie for it.
func (h handler) restart(w http.ResponseWriter, r *http.Request, a store.Application, address, cause string) error {
	apigw.LogField(r.Context(), "cause", cause)
	if cookie, err := r.Cookie(restartCookie); err == nil && cookie.Value == a.ID {
		return h.Pages.LostRequest(w, page.LostRequest{
			Language: languageOf(r), Application: title(a), Homepage: a.Homepage, SignIn: authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{}),
		})
	}
	http.SetCookie(w, &http.Cookie{
		Name: restartCookie, Value: a.ID, Path: "/", MaxAge: restartLifetime,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	apigw.Redirect(w, address)
	return nil
}

// signOut ends the member's sign-in to an application, and asks on the service's page
// whether to end the session, too, which would sign in again without a question. A link on
// another origin ends nothing: there the page's question is the only one.
func (h handler) signOut(w http.ResponseWriter, r *http.Request, applicationID string) error {
	// A browser that loads ahead of a person (Sec-Purpose) comes again with the person.
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" || apigw.LoadedByPage(r) || r.Header.Get("Sec-Purpose") != "" {
		return apierr.Newf(apierr.Forbidden, "a sign-out was loaded by a page, or ahead")
	}
	a, refusal, err := h.application(r, applicationID)
	switch {
	case err != nil:
		return err
	case a.ID == "": // a disabled one signs out all the same
		return h.refuse(w, r, a, refusal, true)
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "cross-site" && site != "same-site" {
		cookie := session.ProxyCookie{ApplicationID: a.ID}
		if err := h.Provider.SignOutOfProxy(r.Context(), a.ID, cookie.Values(r)); err != nil {
			return err
		}
		cookie.Clear(w)
	}
	apigw.Redirect(w, apigw.PublicURL(r.Context())+oauth.EndSessionPath+"?"+url.Values{"client_id": {a.ID}}.Encode())
	return nil
}

func languageOf(r *http.Request) text.Language { return text.LanguageOf(r) }
