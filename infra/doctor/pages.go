package main

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

const (
	versionHeader = "WeCom-Signin-Version"
	// foreignOrigin is a page's of nobody: RFC 2606 keeps the name.
	foreignOrigin = "https://doctor.invalid"
	// wrongKey is no admin key: those have 26 characters or more.
	wrongKey = "doctor"
	// maxStarts is how many authenticators are tried.
	maxStarts = 50
)

func isHTML(got *answer) bool {
	kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	return err == nil && kind == "text/html"
}

// offered returns the names of the authenticators that the sign-in page offers.
func (v *visit) offered(ctx context.Context) ([]string, error) {
	got, err := v.get(ctx, "/api/authenticators")
	if err != nil {
		return nil, err
	}
	var list []struct{ Name string }
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("status %d", got.status)
	}
	if err := json.Unmarshal(got.body, &list); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	var names []string
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names, nil
}

func checkSignInPage(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, "/signin")
	if err != nil {
		return unanswered("/signin", err)
	}
	if got.status != http.StatusOK || !isHTML(got) {
		return fail("sign-in-page.status", "status", strconv.Itoa(got.status))
	}
	names, err := v.offered(ctx)
	if err != nil {
		return unanswered("/api/authenticators", err)
	}
	if len(names) == 0 {
		return warn("sign-in-page.empty", "address", v.base)
	}
	return ok("sign-in-page.ok", "names", sorted(names))
}

func checkVersion(ctx context.Context, v *visit) []finding {
	page, err := v.get(ctx, "/signin")
	if err != nil {
		return unanswered("/signin", err)
	}
	document, err := v.get(ctx, discoveryPath)
	if err != nil {
		return unanswered(discoveryPath, err)
	}
	version, other := page.header.Get(versionHeader), document.header.Get(versionHeader)
	switch {
	case version == "" && other == "":
		return skip("version.unknown")
	case version != other:
		return warn("version.mixed", "page", version, "discovery", other)
	}
	return ok("version.ok", "version", version)
}

// versionNumber is what a program of somebody else tells about itself in passing.
var versionNumber = regexp.MustCompile(`/[0-9]`)

// checkHeaders sees what a proxy may have taken away or added.
func checkHeaders(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, "/signin")
	if err != nil {
		return unanswered("/signin", err)
	}
	var missing []string
	need := func(present bool, name string) {
		if !present {
			missing = append(missing, name)
		}
	}
	has := func(name, value string) bool {
		return strings.Contains(strings.ToLower(strings.Join(got.header.Values(name), ",")), value)
	}
	need(has("Content-Security-Policy", "default-src"), "Content-Security-Policy")
	need(has("Content-Security-Policy", "frame-ancestors 'none'") || has("X-Frame-Options", "deny"), "X-Frame-Options")
	need(has("X-Content-Type-Options", "nosniff"), "X-Content-Type-Options: nosniff")
	need(has("Cache-Control", "no-store"), "Cache-Control: no-store")
	if v.Address.Scheme == "https" {
		need(has("Strict-Transport-Security", "max-age=") && !has("Strict-Transport-Security", "max-age=0"), "Strict-Transport-Security")
	}
	if len(missing) > 0 {
		return fail("headers.missing", "names", sorted(missing))
	}
	for _, name := range []string{"Server", "X-Powered-By"} {
		if value := got.header.Get(name); versionNumber.MatchString(value) || value != "" && name == "X-Powered-By" {
			return warn("headers.talkative", "name", name, "value", value)
		}
	}
	return ok("headers.ok")
}

// checkSignInStart takes the first step of a sign-in with each authenticator. Nothing
// is stored by that.
func checkSignInStart(ctx context.Context, v *visit) []finding {
	names, err := v.offered(ctx)
	if err != nil {
		return unanswered("/api/authenticators", err)
	}
	if len(names) == 0 {
		return skip("sign-in-start.none")
	}
	var findings []finding
	for _, name := range names[:min(len(names), maxStarts)] {
		findings = append(findings, startOf(ctx, v, name)...)
	}
	return findings
}

func startOf(ctx context.Context, v *visit, name string) []finding {
	path := "/authorize/" + url.PathEscape(name)
	got, err := v.get(ctx, path)
	if err != nil {
		return unanswered(path, err)
	}
	target, err := url.Parse(got.header.Get("Location"))
	if got.status != http.StatusFound || err != nil {
		return fail("sign-in-start.status", "name", name, "status", strconv.Itoa(got.status))
	}
	if code := target.Query().Get("error"); code != "" && strings.HasPrefix(target.String(), v.base+"/signin?") {
		return fail("sign-in-start.refused", "name", name, "code", code)
	}
	if target.Scheme != "https" && (target.Scheme != "http" || !isLoopback(target.Hostname())) {
		return fail("sign-in-start.plain", "name", name, "host", target.Host)
	}
	back := target.Query().Get("redirect_uri")
	if !strings.HasPrefix(back, v.base+"/callback/") {
		shown, _, _ := strings.Cut(back, "?")
		return fail("sign-in-start.callback", "name", name, "callback", shown, "address", v.base)
	}
	cookie := attemptCookie(got.header)
	if cookie == nil {
		return fail("sign-in-start.no-cookie", "name", name)
	}
	var lost []string
	if !cookie.Secure {
		lost = append(lost, "Secure")
	}
	if !cookie.HttpOnly {
		lost = append(lost, "HttpOnly")
	}
	if cookie.SameSite != http.SameSiteLaxMode {
		lost = append(lost, "SameSite=Lax")
	}
	if len(lost) > 0 {
		return fail("sign-in-start.cookie", "name", name, "attributes", sorted(lost))
	}
	return ok("sign-in-start.ok", "name", name, "host", target.Host)
}

func attemptCookie(header http.Header) *http.Cookie {
	for _, line := range header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err == nil && strings.HasPrefix(cookie.Name, "__Host-wecom_attempt_") && cookie.MaxAge >= 0 && cookie.Value != "" {
			return cookie
		}
	}
	return nil
}

func checkSession(ctx context.Context, v *visit) []finding {
	const path = "/api/session"
	got, err := v.get(ctx, path)
	if err != nil {
		return unanswered(path, err)
	}
	if got.status != http.StatusUnauthorized {
		return fail("session.status", "status", strconv.Itoa(got.status))
	}
	return ok("session.ok")
}

// checkForeignOrigin asks as a page of another site would, with and without a
// preflight.
func checkForeignOrigin(ctx context.Context, v *visit) []finding {
	const path = "/api/session"
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		header := http.Header{"Origin": {foreignOrigin}}
		if method == http.MethodOptions {
			header.Set("Access-Control-Request-Method", http.MethodGet)
		}
		got, err := v.ask(ctx, method, v.base+path, header, requestLimit)
		if err != nil {
			return unanswered(path, err)
		}
		if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != "" {
			return fail("foreign-origin.allowed", "method", method, "allowed", allowed)
		}
	}
	return ok("foreign-origin.ok")
}

func checkUnknownPath(ctx context.Context, v *visit) []finding {
	const path = "/api/doctor-asks-for-nothing"
	got, err := v.get(ctx, path)
	if err != nil {
		return unanswered(path, err)
	}
	kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if got.status != http.StatusNotFound || err != nil || kind != "application/problem+json" {
		return fail("unknown-path.status", "status", strconv.Itoa(got.status), "type", kind)
	}
	return ok("unknown-path.ok")
}

func checkConsole(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, "/console")
	if err != nil {
		return unanswered("/console", err)
	}
	if got.status != http.StatusOK || !isHTML(got) {
		return fail("console.status", "status", strconv.Itoa(got.status))
	}
	return ok("console.ok")
}

// checkAdminAPI sees that the admin API is closed to who has no key.
func checkAdminAPI(ctx context.Context, v *visit) []finding {
	const path = "/api/admin/authenticators"
	for _, attempt := range []struct {
		key    string
		header http.Header
		want   int
	}{
		{"admin-api.open", nil, http.StatusUnauthorized},
		{"admin-api.believes", http.Header{"Authorization": {"Bearer " + wrongKey}}, http.StatusForbidden},
	} {
		got, err := v.ask(ctx, http.MethodGet, v.base+path, attempt.header, requestLimit)
		if err != nil {
			return unanswered(path, err)
		}
		switch {
		case got.status < 400:
			return fail(attempt.key, "status", strconv.Itoa(got.status))
		case got.status != attempt.want:
			return fail("admin-api.status", "status", strconv.Itoa(got.status), "want", strconv.Itoa(attempt.want))
		}
	}
	return ok("admin-api.ok")
}
