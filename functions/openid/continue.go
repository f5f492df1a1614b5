package openid

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// continued returns the id of the kept request that a browser comes back for. An
// application may have a parameter of this name too, but it says where to answer.
func continued(r *http.Request) (id string, ok bool) {
	query := apigw.Query(r)
	if query.Has("redirect_uri") || query.Has("response_type") {
		return "", false
	}
	return authflow.ContinuedRequest(query)
}

// restartCookie says for which application this browser was sent to begin again just now.
// It is not sealed: changing it only affects the browser that holds it.
const (
	restartCookie   = "__Host-wecom_restarted"
	restartLifetime = 60 // seconds
)

// requestLost is for a browser that comes back without the request: WeCom's desktop client
// may open the callback in another browser than the one that began, and that one is signed
// in now. It is sent to the application's homepage to begin again, once; then a page says
// so. It gets no code: this browser has not made the request.
func (h handler) requestLost(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	apigw.LogField(ctx, "cause", "request_lost")
	public := apigw.PublicURL(ctx)
	shown := page.LostRequest{
		Language: languageOf(w, r, ""), Self: self(r), SignIn: signInURL(r, apigw.Query(r).Get("ui_locales")),
	}
	var application store.Application
	if id := apigw.Query(r).Get("client_id"); store.IsAuthenticatorName(id) {
		var err error
		if application, err = h.Applications.Application(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
			apigw.LogError(ctx, apierr.From(err))
		}
	}
	if !application.Enabled {
		return h.Pages.LostRequest(w, shown)
	}
	apigw.LogField(ctx, "application", application.ID)
	shown.Application = title(application)
	if oauth.CheckHomepage(application.Homepage) != nil || leadsHere(application.Homepage, public) {
		return h.Pages.LostRequest(w, shown)
	}
	if cookie, err := r.Cookie(restartCookie); err == nil && cookie.Value == application.ID {
		shown.Homepage = application.Homepage
		return h.Pages.LostRequest(w, shown)
	}
	http.SetCookie(w, &http.Cookie{
		Name: restartCookie, Value: application.ID, Path: "/", MaxAge: restartLifetime,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	seeOther(w, application.Homepage)
	return nil
}

// leadsHere reports whether an address is one of the service itself, which would be a loop.
func leadsHere(address, public string) bool {
	there, err := url.Parse(address)
	here, hereErr := url.Parse(public)
	return err != nil || hereErr != nil || there.Scheme == here.Scheme && there.Host == here.Host
}
