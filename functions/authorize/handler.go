package authorize

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LoginStarter starts attempts; *authflow.LoginStarter does.
type LoginStarter interface {
	Start(ctx context.Context, req authflow.AuthRequest) (authflow.Redirect, error)
}

// Config is what New needs.
type Config struct {
	Starter  LoginStarter
	Attempts *session.Attempts
}

// New returns the handler.
func New(cfg Config) http.Handler {
	browser, page := apigw.Browser(cfg.serve, authflow.ErrorURL), apigw.JSON(cfg.servePanel)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.PathValue("authenticator"); store.IsAuthenticatorName(name) {
			apigw.LogField(r.Context(), "authenticator", name)
		}
		if authflow.AsksForPanel(apigw.Query(r)) {
			page.ServeHTTP(w, r)
			return
		}
		browser.ServeHTTP(w, r)
	})
}

// panelBody tells the sign-in page which address to frame.
type panelBody struct {
	URL string `json:"url"`
}

// servePanel begins an attempt in a frame of the sign-in page. Only the service's own page
// may ask: any other could fill the browser with attempts, see apigw.LoadedByPage.
func (cfg Config) servePanel(w http.ResponseWriter, r *http.Request) error {
	site, destination := r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest")
	if site != "" && site != "same-origin" || destination != "" && destination != "empty" || wecom.TakesClientPage(r.UserAgent()) {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "Only the sign-in page may ask for a panel."}
	}
	req := request(r)
	req.Panel = true
	redirect, err := cfg.Starter.Start(r.Context(), req)
	if apierr.Is(err, apierr.AuthenticatorUnknown) || apierr.Is(err, apierr.AuthenticatorDisabled) {
		return apierr.New(apierr.NotFound, err) // there is no such panel; the way says why
	}
	if err != nil {
		return err
	}
	if err := cfg.Attempts.Save(w, r, redirect.Attempt); err != nil {
		return err
	}
	return apigw.WriteJSON(w, http.StatusOK, panelBody{redirect.URL})
}

// request gathers what a browser asks for.
func request(r *http.Request) authflow.AuthRequest {
	return authflow.AuthRequest{
		Authenticator: r.PathValue("authenticator"),
		PublicURL:     apigw.PublicURL(r.Context()),
		Destination:   authflow.DestinationOf(apigw.Query(r)),
		InWeCom:       wecom.TakesClientPage(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
	}
}

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	req := request(r)
	name, destination := req.Authenticator, req.Destination
	if apigw.LoadedByPage(r) {
		destination.Path = authflow.ReturnPath{}
		return &authflow.PageError{Destination: destination, Err: apierr.Newf(apierr.AccessDenied, "authorize was loaded as part of a page")}
	}
	redirect, err := cfg.Starter.Start(r.Context(), req)
	if err != nil {
		return &authflow.PageError{Authenticator: name, Destination: destination, Err: err}
	}
	if err := cfg.Attempts.Save(w, r, redirect.Attempt); err != nil {
		return err
	}
	apigw.Redirect(w, redirect.URL)
	return nil
}
