package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
	"github.com/wecom-signin/wecom-signin/shared/version"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// signInPage answers GET /signin: for somebody who is signed in and for whom nothing waits,
// with the member's page. Its status is 200 even when the store fails, because this page
// explains failures.
func (h handler) signInPage(w http.ResponseWriter, r *http.Request) error {
	ctx, public, query := r.Context(), apigw.PublicURL(r.Context()), apigw.Query(r)
	destination := authflow.DestinationOf(query)
	var active *authflow.ActiveSession
	if query.Get("error") == "" && !authflow.AsksToSignInAgain(query) {
		active = h.sessionOfPage(w, r)
	}
	w.Header().Set(version.Header, version.Version)
	if active != nil && destination.IsMemberPage() {
		return h.memberPage(w, r, *active)
	}
	shown := page.SignIn{
		Language: text.LanguageOf(r),
		Client:   clientKind(r.UserAgent()),
		Self:     selfURL(public, query, destination),
		Console:  authflow.ConsoleURL(public),
		Version:  version.Version,
	}
	if shown.Client == page.OnDesktop {
		shown.Panel = h.Panel
	}
	if query.Get("error") != "" {
		shown.Failure = &page.Failure{
			Code: query.Get("error"), Authenticator: query.Get("authenticator"), RequestID: query.Get("request"),
		}
	}
	authenticators, err := h.enabledAuthenticators(ctx)
	if err != nil {
		apigw.LogError(ctx, apierr.From(err))
		shown.Unreadable = true
	}
	application := h.waitingApplication(ctx, destination)
	for _, a := range authenticators {
		if !application.takes(a.Name) {
			continue
		}
		button := page.Button{Name: a.Name, Title: title(a), URL: authflow.AuthorizeURL(public, a.Name, destination)}
		if shown.Panel != "" {
			button.Panel = authflow.PanelURL(public, a.Name, destination)
		}
		shown.Buttons = append(shown.Buttons, button)
	}
	shown.Waiting = h.waitingOfPage(r, shown, destination)
	if active != nil && application.takes(active.Session.AuthenticatorName) {
		shown.SignedIn = &page.SignedIn{
			Name: active.User.Name, Continue: destination.URL(public, active.Authenticator), SignOut: authflow.SignOutURL(public, destination.Locales),
		}
	}
	if application != nil {
		shown.Application = &page.Application{
			Title: application.title, Refusal: application.refusal,
			Elsewhere: authflow.SignInURL(public, authflow.SignInPage{Destination: authflow.Destination{Locales: destination.Locales}}),
		}
		if application.refusal == "" && len(shown.Buttons) == 0 && len(authenticators) > 0 {
			shown.Application.Refusal = page.ApplicationClosed
		}
	}
	text.RememberLanguage(w, query.Get("lang"))
	forgetRedirects(w, r)
	return h.Pages.SignIn(w, shown)
}

// waitingApplication is an application that a sign-in is for. Nil is none, or one that
// could not be read: people can sign in to it all the same.
type waitingApplication struct {
	title          string
	authenticators []string // that may be used; empty: all
	refusal        page.Refusal
}

// takes reports whether an authenticator leads to the application.
func (a *waitingApplication) takes(authenticator string) bool {
	return a == nil || len(a.authenticators) == 0 || slices.Contains(a.authenticators, authenticator)
}

// waitingApplication reads the application of a destination.
func (h handler) waitingApplication(ctx context.Context, destination authflow.Destination) *waitingApplication {
	if destination.Application == "" {
		return nil
	}
	found, err := h.Applications.Application(ctx, destination.Application)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &waitingApplication{refusal: page.ApplicationUnknown}
	case err != nil:
		apigw.LogError(ctx, apierr.From(err))
		return nil
	}
	apigw.LogField(ctx, "application", found.ID)
	waiting := &waitingApplication{title: applicationTitle(found), authenticators: found.Authenticators}
	if !found.Enabled {
		waiting.refusal = page.ApplicationDisabled
	}
	return waiting
}

// sessionOfPage returns the session of who looks at the page, so that nobody signs in twice
// by mistake; nil: none, or none that could be read.
func (h handler) sessionOfPage(w http.ResponseWriter, r *http.Request) *authflow.ActiveSession {
	active, err := h.activeSession(w, r)
	if err == nil {
		return &active
	}
	if !apierr.Is(err, apierr.Unauthorized) {
		apigw.LogError(r.Context(), apierr.From(err))
	}
	return nil
}

func clientKind(userAgent string) page.ClientKind {
	switch {
	case wecom.IsClient(userAgent):
		return page.InWeCom
	case wecom.IsPhone(userAgent):
		return page.OnPhone
	default:
		return page.OnDesktop
	}
}

// selfURL returns the address of this page with the parameters it knows.
func selfURL(public string, query url.Values, destination authflow.Destination) string {
	short := func(name string) string {
		if value := query.Get(name); len(value) <= 128 {
			return value
		}
		return ""
	}
	return authflow.SignInURL(public, authflow.SignInPage{
		Error: apierr.Code(short("error")), Authenticator: short("authenticator"),
		Destination: destination, RequestID: short("request"), SignInAgain: authflow.AsksToSignInAgain(query),
	})
}
