package signin

import (
	"net/http"
	"net/url"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/fault"
	"github.com/wecom-signin/wecom-signin/shared/page"
	rules "github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/version"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// signInPage answers GET /signin, always with status 200: also when what it needs
// cannot be read, because it is where failures are explained.
func (h handler) signInPage(w http.ResponseWriter, r *http.Request) error {
	ctx, public, query := r.Context(), apigw.PublicURL(r.Context()), r.URL.Query()
	redirect, _ := rules.CheckRedirect(query.Get("redirect"))
	toConsole := rules.WantsConsole(query)
	shown := page.SignIn{
		Language: page.LanguageOf(r),
		Visitor:  visitor(r.UserAgent()),
		Self:     selfAddress(public, query, redirect, toConsole),
		Console:  rules.ConsoleAddress(public),
		Version:  version.Version,
	}
	w.Header().Set(version.Header, version.Version)
	if query.Get("error") != "" {
		shown.Failure = &page.Failure{
			Code: query.Get("error"), Authenticator: query.Get("authenticator"), RequestID: query.Get("request"),
		}
	}
	authenticators, err := h.enabled(ctx)
	if err != nil {
		apigw.NoteFault(ctx, fault.From(err))
		shown.Unreadable = true
	}
	for _, a := range authenticators {
		shown.Buttons = append(shown.Buttons, page.Button{Name: a.Name, Title: title(a), URL: authorizeURL(public, a.Name, redirect, toConsole)})
	}
	if shown.Failure == nil {
		shown.SignedIn = h.signedIn(w, r, redirect, toConsole)
	}
	page.RememberLanguage(w, query.Get("lang"))
	forgetBounces(w, r)
	return h.Pages.SignIn(w, shown)
}

// signedIn says who has a session already, so that nobody signs in again by mistake.
func (h handler) signedIn(w http.ResponseWriter, r *http.Request, redirect string, toConsole bool) *page.SignedIn {
	live, err := h.live(w, r)
	if err != nil {
		if !fault.Is(err, fault.Unauthorized) {
			apigw.NoteFault(r.Context(), fault.From(err))
		}
		return nil
	}
	if redirect == "" {
		redirect, _ = rules.CheckRedirect(live.Authenticator.WorkbenchRedirectPath)
	}
	address, ok := onOrigin(live.Authenticator.Origin, redirect)
	if !ok {
		return nil
	}
	if toConsole {
		address = rules.ConsoleAddress(apigw.PublicURL(r.Context()))
	}
	return &page.SignedIn{Name: live.User.Name, Continue: address, SignOut: apigw.PublicURL(r.Context()) + "/api/signout"}
}

func visitor(userAgent string) page.Visitor {
	switch {
	case wecom.IsClient(userAgent):
		return page.InWeCom
	case wecom.IsPhone(userAgent):
		return page.OnPhone
	default:
		return page.OnDesktop
	}
}

// selfAddress is the address of the page in hand, with the parameters it knows.
func selfAddress(public string, query url.Values, redirect string, toConsole bool) string {
	known := url.Values{}
	if redirect != "" {
		known.Set("redirect", redirect)
	}
	if toConsole {
		known.Set(rules.ReturnParameter, rules.ReturnToConsole)
	}
	for _, name := range []string{"error", "authenticator", "request"} {
		if value := query.Get(name); value != "" && len(value) <= 128 {
			known.Set(name, value)
		}
	}
	if len(known) == 0 {
		return public + "/signin"
	}
	return public + "/signin?" + known.Encode()
}
