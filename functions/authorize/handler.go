package authorize

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LoginStarter starts attempts; *authflow.LoginStarter does.
type LoginStarter interface {
	Start(ctx context.Context, departure authflow.AuthRequest) (authflow.Redirect, error)
}

// Config is what New needs.
type Config struct {
	Starter  LoginStarter
	Attempts *session.Attempts
}

// New returns the handler.
func New(cfg Config) http.Handler { return apigw.Browser(cfg.serve) }

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("authenticator")
	query := r.URL.Query()
	target, toConsole := query.Get("redirect"), authflow.WantsConsole(query)
	apigw.LogField(r.Context(), "authenticator", name)
	if loadedByPage(r) {
		return &apigw.SignInPageError{ToConsole: toConsole, Err: apierr.Newf(apierr.AccessDenied, "authorize was loaded as part of a page")}
	}
	ticket, err := cfg.Starter.Start(r.Context(), authflow.AuthRequest{
		Authenticator: name,
		PublicURL:     apigw.PublicURL(r.Context()),
		Target:        target,
		ToConsole:     toConsole,
		InWeCom:       wecom.IsClient(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
	})
	if err != nil {
		target, _ = authflow.CheckRedirect(target)
		return &apigw.SignInPageError{Authenticator: name, Redirect: target, ToConsole: toConsole, Err: err}
	}
	if err := cfg.Attempts.Save(w, r, ticket.Attempt); err != nil {
		return err
	}
	apigw.Redirect(w, ticket.URL)
	return nil
}

// loadedByPage reports whether a page loads this address as an image, a script or a
// frame (Fetch Metadata). Nobody signs in that way, and a page of a neighbouring
// domain could fill the browser with attempts until its headers are too large for
// the gateway.
func loadedByPage(r *http.Request) bool {
	destination := r.Header.Get("Sec-Fetch-Dest")
	return destination != "" && destination != "document"
}
