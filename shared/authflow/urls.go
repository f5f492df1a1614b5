package authflow

import (
	"errors"
	"net/url"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// The addresses that browsers know the service by. publicURL is always the configured
// public address, without a slash at the end: a request header is anybody's word.

// ConsoleURL returns the address of the administrator's console.
func ConsoleURL(publicURL string) string { return publicURL + "/console" }

// AuthorizeURL returns where signing in with an authenticator begins.
func AuthorizeURL(publicURL, authenticatorName string, d Destination) string {
	query := url.Values{}
	d.addTo(query)
	return withQuery(publicURL+"/authorize/"+url.PathEscape(authenticatorName), query)
}

// PanelURL returns where a page of the service asks for WeCom's login page as a panel.
func PanelURL(publicURL, authenticatorName string, d Destination) string {
	query := url.Values{panelParameter: {"1"}}
	d.addTo(query)
	return withQuery(publicURL+"/authorize/"+url.PathEscape(authenticatorName), query)
}

const panelParameter = "panel"

// AsksForPanel reads from a query of authorize whether a page asks for a panel.
func AsksForPanel(query url.Values) bool { return query.Has(panelParameter) }

// CallbackURL returns where WeCom sends the browser back to. WeCom compares its host and
// port exactly.
func CallbackURL(publicURL, authenticatorName string) string {
	return publicURL + "/callback/" + authenticatorName
}

// SignOutURL returns where the form of the sign-in page posts to. Locales is that of the
// page's Destination, for the one that comes afterwards.
func SignOutURL(publicURL, locales string) string {
	query := url.Values{}
	Destination{Locales: locales}.addTo(query)
	return withQuery(publicURL+"/api/signout", query)
}

// FirstSignInURL returns where the sign-in page asks how far a first sign-in is, and posts to
// go on. The destination is for a proof that has lost its own.
func FirstSignInURL(publicURL string, d Destination) string {
	query := url.Values{}
	d.addTo(query)
	return withQuery(publicURL+"/api/first-sign-in", query)
}

// ContinueURL returns where a browser goes on with the authorization request that it keeps
// for the application of a destination.
func ContinueURL(publicURL string, d Destination) string {
	query := url.Values{"client_id": {d.Application}, continueParameter: {d.Continue}}
	if d.Locales != "" {
		query.Set(localesParameter, d.Locales)
	}
	return withQuery(publicURL+"/oauth2/authorize", query)
}

// ContinuedRequest returns the id of the kept request that ContinueURL wrote into a query;
// ok is false without one.
func ContinuedRequest(query url.Values) (id string, ok bool) {
	id = query.Get(continueParameter)
	return id, IsRequestID(id)
}

// SignInPage is what the sign-in page is told in its address; empty values are left out.
type SignInPage struct {
	Error         apierr.Code
	Authenticator string // name of the one that failed
	Destination   Destination
	RequestID     string // of the request that failed
	// SignInAgain says that a session will not do: the application asks for a new sign-in.
	SignInAgain bool
}

// The parameter of SignInPage.SignInAgain, named as in OpenID Connect.
const (
	promptParameter = "prompt"
	promptLogin     = "login"
)

// AsksToSignInAgain reads SignInPage.SignInAgain from a query.
func AsksToSignInAgain(query url.Values) bool { return query.Get(promptParameter) == promptLogin }

// SignInURL returns the address of the sign-in page.
func SignInURL(publicURL string, p SignInPage) string {
	query := url.Values{}
	p.Destination.addTo(query)
	if p.SignInAgain {
		query.Set(promptParameter, promptLogin)
	}
	for name, value := range map[string]string{
		"error": string(p.Error), "authenticator": p.Authenticator, "request": p.RequestID,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return withQuery(publicURL+"/signin", query)
}

// PageError is a failure of a browser's request, with what the sign-in page needs to
// offer a way forward.
type PageError struct {
	Authenticator string // name, or empty
	Destination   Destination
	Err           error
}

func (e *PageError) Error() string { return e.Err.Error() }

// Unwrap returns the failure itself.
func (e *PageError) Unwrap() error { return e.Err }

// ErrorURL returns the address of the sign-in page that explains a failure. The page
// gets the code, the request id, and what a *PageError adds; never the cause.
func ErrorURL(publicURL, requestID string, err error) string {
	page := SignInPage{Error: apierr.From(err).Code, RequestID: requestID}
	if failed, ok := errors.AsType[*PageError](err); ok {
		page.Destination = failed.Destination
		if store.IsAuthenticatorName(failed.Authenticator) {
			page.Authenticator = failed.Authenticator
		}
	}
	return SignInURL(publicURL, page)
}

func withQuery(address string, query url.Values) string {
	if len(query) == 0 {
		return address
	}
	return address + "?" + query.Encode()
}
