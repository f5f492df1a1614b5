package authorize

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/fault"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Departures starts attempts; *signin.Departures does.
type Departures interface {
	Leave(ctx context.Context, departure signin.Departure) (signin.Ticket, error)
}

// Config is what New needs.
type Config struct {
	Departures Departures
	Attempts   *session.Attempts
}

// New returns the handler.
func New(cfg Config) http.Handler { return apigw.Browser(cfg.serve) }

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("authenticator")
	query := r.URL.Query()
	target, toConsole := query.Get("redirect"), signin.WantsConsole(query)
	apigw.Note(r.Context(), "authenticator", name)
	if loadedByPage(r) {
		return &apigw.SignInPageError{ToConsole: toConsole, Err: fault.Newf(fault.AccessDenied, "authorize was loaded as part of a page")}
	}
	ticket, err := cfg.Departures.Leave(r.Context(), signin.Departure{
		Authenticator: name,
		PublicURL:     apigw.PublicURL(r.Context()),
		Target:        target,
		ToConsole:     toConsole,
		InClient:      wecom.IsClient(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
	})
	if err != nil {
		target, _ = signin.CheckRedirect(target)
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
