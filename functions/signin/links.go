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

// link answers an application link: the same path and query on the application's
// origin, with a sign-in on the way when there is no session.
func (h handler) link(w http.ResponseWriter, r *http.Request) error {
	target, ok := linkTarget(r.URL.Path, r.URL.RawQuery)
	if !ok {
		return h.notFound(w, r)
	}
	// What may travel through sign-in is narrower; anything else begins at the
	// application's default page.
	returnPath, _ := authflow.ParseReturnPath(target)
	destination := authflow.Destination{Path: returnPath}
	live, err := h.live(w, r)
	switch {
	case err == nil:
		location, ok := onOrigin(live.Authenticator.Origin, target)
		if !ok {
			return h.notFound(w, r)
		}
		return h.send(w, r, live.Authenticator, location, destination)
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
	return h.send(w, r, automatic, authflow.AuthorizeURL(apigw.PublicURL(r.Context()), automatic.Name, destination), destination)
}

// send redirects a visitor to the application of an authenticator, or to the
// sign-in that leads there, unless that would come back here: because service and
// application share their address, or because the application keeps sending the
// visitor back.
func (h handler) send(w http.ResponseWriter, r *http.Request, a store.Authenticator, location string, destination authflow.Destination) error {
	apigw.LogField(r.Context(), "authenticator", a.Name)
	if a.Origin == apigw.PublicURL(r.Context()) {
		return h.notFound(w, r)
	}
	if r.Method == http.MethodGet && countBounce(w, r, h.Now()) >= mostBounces {
		clearBounces(w)
		return &authflow.PageError{
			Authenticator: a.Name, Destination: destination,
			Err: apierr.Newf(apierr.RedirectLoop, "%d redirects to one path in %s", mostBounces, bounceWindow),
		}
	}
	apigw.Redirect(w, location)
	return nil
}

// toSignInPage lets the visitor choose, if there is anything to choose that leads
// anywhere but here.
func (h handler) toSignInPage(w http.ResponseWriter, r *http.Request, destination authflow.Destination) error {
	public := apigw.PublicURL(r.Context())
	// A failure to read is the sign-in page's to tell.
	if enabled, err := h.enabled(r.Context()); err == nil && len(enabled) > 0 {
		if !slices.ContainsFunc(enabled, func(a store.Authenticator) bool { return a.Origin != public }) {
			return h.notFound(w, r)
		}
	}
	apigw.Redirect(w, authflow.SignInURL(public, authflow.SignInPage{Destination: destination}))
	return nil
}

// linkTarget returns the path of an application link, which the gateway decoded,
// encoded again in the one canonical way, with its query byte for byte.
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

// onOrigin returns a target on an origin. The origin comes first and ends where a
// path must begin, so that no path can change it; the parser has the last word.
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
