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
func New(cfg Config) http.Handler { return apigw.Browser(cfg.serve, authflow.ErrorURL) }

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	ctx, name := r.Context(), r.PathValue("authenticator")
	destination := authflow.DestinationOf(apigw.Query(r))
	if store.IsAuthenticatorName(name) {
		apigw.LogField(ctx, "authenticator", name)
	}
	if apigw.LoadedByPage(r) {
		destination.Path = authflow.ReturnPath{}
		return &authflow.PageError{Destination: destination, Err: apierr.Newf(apierr.AccessDenied, "authorize was loaded as part of a page")}
	}
	redirect, err := cfg.Starter.Start(ctx, authflow.AuthRequest{
		Authenticator: name,
		PublicURL:     apigw.PublicURL(ctx),
		Destination:   destination,
		InWeCom:       wecom.TakesClientPage(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
	})
	if err != nil {
		return &authflow.PageError{Authenticator: name, Destination: destination, Err: err}
	}
	if err := cfg.Attempts.Save(w, r, redirect.Attempt); err != nil {
		return err
	}
	apigw.Redirect(w, redirect.URL)
	return nil
}
