package signin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// link redirects an application link to the same path and query on the application's
// origin, through a sign-in when there is no session.
func (h handler) link(w http.ResponseWriter, r *http.Request) error {
	if authflow.IsOAuthAnswer(r.URL.Path + "?" + r.URL.RawQuery) {
		apigw.Redirect(w, authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{}))
		return nil
	}
	target, ok := linkTarget(r.URL.Path, r.URL.RawQuery)
	if !ok {
		return h.notFoundPage(w, r)
	}
	// A sign-in keeps fewer paths than a link may have; with any other it ends at the
	// application's default page.
	returnPath, _ := authflow.ParseReturnPath(target)
	destination := authflow.Destination{Path: returnPath}
	active, err := h.activeSession(w, r)
	switch {
	case err == nil:
		location, ok := onOrigin(active.Authenticator.Origin, target)
		if !ok {
			return h.notFoundPage(w, r)
		}
		return h.redirectTo(w, r, active.Authenticator, location, destination)
	case !apierr.Is(err, apierr.Unauthorized):
		return &authflow.PageError{Destination: destination, Err: err}
	case !wecom.IsClient(r.UserAgent()):
		return h.toSignInPage(w, r, destination)
	}
	automatic, err := h.Authenticators.AutoLoginAuthenticator(r.Context())
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !automatic.HoldsAutoLogin():
		return h.toSignInPage(w, r, destination)
	case err != nil:
		return &authflow.PageError{Destination: destination, Err: fmt.Errorf("read automatic authenticator: %w", err)}
	}
	return h.redirectTo(w, r, automatic, authflow.AuthorizeURL(apigw.PublicURL(r.Context()), automatic.Name, destination), destination)
}

// redirectTo redirects to the application of an authenticator, or to the sign-in for
// it, unless that would come back here: because service and application share their
// address, or because the application keeps redirecting to the service.
func (h handler) redirectTo(w http.ResponseWriter, r *http.Request, a store.Authenticator, location string, destination authflow.Destination) error {
	apigw.LogField(r.Context(), "authenticator", a.Name)
	if a.Origin == apigw.PublicURL(r.Context()) {
		return h.notFoundPage(w, r)
	}
	if r.Method == http.MethodGet && countRedirect(w, r, h.Now()) >= loopLimit {
		clearRedirectCount(w)
		return &authflow.PageError{
			Authenticator: a.Name, Destination: destination,
			Err: apierr.Newf(apierr.RedirectLoop, "too many redirects of one path in %s", loopWindow),
		}
	}
	apigw.Redirect(w, location)
	return nil
}

// toSignInPage redirects to the sign-in page, if any authenticator there leads to an
// application with another address.
func (h handler) toSignInPage(w http.ResponseWriter, r *http.Request, destination authflow.Destination) error {
	public := apigw.PublicURL(r.Context())
	// The sign-in page reports a failure to read.
	if enabled, err := h.enabledAuthenticators(r.Context()); err == nil && len(enabled) > 0 {
		if !slices.ContainsFunc(enabled, func(a store.Authenticator) bool { return a.Origin != public }) {
			return h.notFoundPage(w, r)
		}
	}
	apigw.Redirect(w, authflow.SignInURL(public, authflow.SignInPage{Destination: destination}))
	return nil
}

// linkTarget returns the target of an application link: its path, which the gateway
// decoded, in canonical encoding, and its query byte for byte.
func linkTarget(path, rawQuery string) (string, bool) {
	if path == "" {
		path = "/"
	}
	if path[0] != '/' || strings.ContainsFunc(rawQuery, isControl) {
		return "", false
	}
	target := (&url.URL{Path: path}).EscapedPath()
	if rawQuery != "" {
		target += "?" + rawQuery
	}
	return target, true
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

// onOrigin returns the address of a target on an origin. No path can change the origin
// in front of it, because it must begin with a slash; the parser confirms that.
func onOrigin(origin, target string) (string, bool) {
	if !strings.HasPrefix(target, "/") {
		return "", false
	}
	address := origin + target
	parsed, err := url.Parse(address)
	if err != nil || parsed.User != nil || parsed.Host == "" || parsed.Scheme+"://"+parsed.Host != origin {
		return "", false
	}
	return address, true
}
