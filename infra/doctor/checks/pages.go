package checks

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

const (
	sessionPath   = "/api/session"
	versionHeader = "WeCom-Signin-Version"
	// foreign is an origin that nobody can have (RFC 2606).
	foreign = "https://doctor.invalid"
	// maxStarts bounds how many authenticators are tried.
	maxStarts = 50
)

func signInPage(ctx context.Context, t *target, got *response) ([]Finding, error) {
	if err := got.expect(http.StatusOK, "text/html"); err != nil {
		return nil, err
	}
	offers, err := t.offers(ctx)
	if err != nil {
		return nil, err
	}
	if len(offers) == 0 {
		return report(Warn, "offers no authenticator")
	}
	return report(OK, "authenticators offered: %d", len(offers))
}

// version compares two functions: all are deployed together.
func version(ctx context.Context, t *target, got *response) ([]Finding, error) {
	document, err := t.get(ctx, discoveryPath)
	if err != nil {
		return nil, err
	}
	here, there := got.Header.Get(versionHeader), document.Header.Get(versionHeader)
	switch {
	case here != there:
		return report(Warn, "the page is of version “%s”, discovery of “%s”", here, there)
	case here == "":
		return report(Skip, "the service does not tell its version")
	}
	return report(OK, "%s", here)
}

// versionNumber is how a proxy tells which holes it has.
var versionNumber = regexp.MustCompile(`/[0-9]`)

// headers sees what a proxy has taken away or added.
func headers(_ context.Context, t *target, got *response) ([]Finding, error) {
	var missing []string
	for _, header := range []struct{ name, pattern string }{
		{"Cache-Control", `no-store`},
		{"Content-Security-Policy", `default-src`},
		{"Content-Security-Policy", `frame-ancestors 'none'`},
		{"Strict-Transport-Security", `max-age=[1-9]`},
		{"X-Content-Type-Options", `nosniff`},
	} {
		present := regexp.MustCompile(header.pattern).MatchString(strings.Join(got.Header.Values(header.name), ","))
		if !present && (t.Address.Scheme == "https" || header.name != "Strict-Transport-Security") {
			missing = append(missing, header.name+": "+header.pattern)
		}
	}
	if len(missing) > 0 {
		return report(Fail, "missing: %s", strings.Join(missing, ", "))
	}
	for _, name := range []string{"Server", "X-Powered-By"} {
		if value := got.Header.Get(name); versionNumber.MatchString(value) || value != "" && name == "X-Powered-By" {
			return report(Warn, "%s tells “%s”", name, value)
		}
	}
	return report(OK, "content policy, framing, sniffing, caching and transport are restricted")
}

type offer struct{ Name string }

// offers returns the authenticators of the sign-in page.
func (t *target) offers(ctx context.Context) ([]offer, error) {
	got, err := t.get(ctx, "/api/authenticators")
	if err != nil {
		return nil, err
	}
	var offers []offer
	err = got.decode(&offers)
	return offers, err
}

// signInStart takes the first step of a sign-in with each authenticator. It stores
// nothing.
func signInStart(ctx context.Context, t *target) ([]Finding, error) {
	offers, err := t.offers(ctx)
	if err != nil {
		return nil, err
	}
	if len(offers) == 0 {
		return report(Skip, "no authenticator to try")
	}
	return each(offers[:min(len(offers), maxStarts)], func(o offer) ([]Finding, error) { return authorize(ctx, t, o.Name) })
}

func authorize(ctx context.Context, t *target, name string) ([]Finding, error) {
	got, err := t.get(ctx, "/authorize/"+url.PathEscape(name))
	if err != nil {
		return nil, err
	}
	to, err := url.Parse(got.Header.Get("Location"))
	if got.StatusCode != http.StatusFound || err != nil {
		return nil, fmt.Errorf("%s answers %d in place of a redirect to WeCom", got.path, got.StatusCode)
	}
	if code := to.Query().Get("error"); code != "" && strings.HasPrefix(to.String(), t.base+"/signin?") {
		return nil, fmt.Errorf("%s leads back with the error %s", got.path, code)
	}
	if to.Scheme != "https" && (to.Scheme != "http" || !isLoopback(to.Hostname())) {
		return failWith("set WeComOAuthUrl and WeComLoginUrl to https addresses", "%s leads to %s without https", name, to.Host)
	}
	if back := to.Query().Get("redirect_uri"); !strings.HasPrefix(back, t.base+"/callback/") {
		back, _, _ = strings.Cut(back, "?") // the path to return to is private
		return report(Fail, "%s: WeCom is told to come back to “%s”, not to %s", name, back, t.base)
	}
	for _, line := range got.Header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err != nil || !strings.HasPrefix(cookie.Name, "__Host-wecom_attempt_") || cookie.MaxAge < 0 || cookie.Value == "" {
			continue
		}
		if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
			return failWith(fixPassCookie, "%s: the cookie is not Secure, HttpOnly and SameSite=Lax", name)
		}
		return report(OK, "%s leads to %s; its cookie is Secure, HttpOnly, SameSite=Lax", name, to.Host)
	}
	return failWith(fixPassCookie, "%s: the cookie of the attempt is missing", name)
}

// cache asks twice for the start of a sign-in. A cache that hands one person's attempt to
// another signs the two in as each other.
func cache(ctx context.Context, t *target) ([]Finding, error) {
	offers, err := t.offers(ctx)
	if err != nil || len(offers) == 0 {
		return nil, err
	}
	path := "/authorize/" + url.PathEscape(offers[0].Name)
	var answers [2]string
	for i := range answers {
		got, err := t.get(ctx, path)
		if err != nil {
			return nil, err
		}
		answers[i] = got.Header.Get("Location")
	}
	if answers[0] == answers[1] {
		return report(Fail, "%s answers two people alike", path)
	}
	return report(OK, "two answers of %s differ", path)
}

// foreignOrigin asks as a page of another site does, with and without a preflight.
func foreignOrigin(ctx context.Context, t *target) ([]Finding, error) {
	header := http.Header{"Origin": {foreign}, "Access-Control-Request-Method": {http.MethodGet}}
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		got, err := t.send(ctx, method, t.base+sessionPath, header)
		if err != nil {
			return nil, err
		}
		if allowed := got.Header.Get("Access-Control-Allow-Origin"); allowed != "" {
			return report(Fail, "%s: pages of %s may read", method, allowed)
		}
	}
	return report(OK, "pages of other sites may not read")
}
