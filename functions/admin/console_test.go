package admin_test

import (
	"compress/gzip"
	"encoding/base64"
	"html"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

func TestConsoleDocument(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"title":"Human resources"`)
	for _, test := range []struct {
		name, path, accept, cookie string
		want                       text.Language
		remembered                 bool
	}{
		{"asks for nothing", "/console", "", "", text.Chinese, false},
		{"English", "/console", "en-US,en;q=0.9,zh;q=0.8", "", text.English, false},
		{"traditional Chinese", "/console", "zh-TW,zh;q=0.9,en;q=0.8", "", text.Chinese, false},
		{"picked before", "/console", "en", "zh-CN", text.Chinese, false},
		{"picked now", "/console?lang=en", "zh-CN", "zh-CN", text.English, true},
		{"picked what there is not", "/console?lang=tlh", "en", "", text.English, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{"Accept-Language": test.accept}
			if test.cookie != "" {
				header["Cookie"] = "__Host-wecom_language=" + test.cookie
			}
			got := o.expect(200, request{method: "GET", path: test.path, noAuthorizer: true, header: header})
			if !strings.Contains(got.body, `<html lang="`+string(test.want)+`">`) {
				t.Errorf("not in %s", test.want)
			}
			for name, want := range map[string]string{
				"content-type":                 "text/html; charset=utf-8",
				"cache-control":                "no-store",
				"vary":                         "Accept-Language, Cookie, Accept-Encoding",
				"content-encoding":             "",
				"cross-origin-opener-policy":   "same-origin",
				"content-security-policy":      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
				"access-control-allow-origin":  "",
				"access-control-allow-headers": "",
			} {
				if got.header[name] != want {
					t.Errorf("%s: %q, want %q", name, got.header[name], want)
				}
			}
			for _, tag := range text.Languages() {
				if !strings.Contains(got.body, `<option value="`+string(tag)+`" lang="`+string(tag)+`"`) {
					t.Errorf("does not offer %s", tag)
				}
			}
			// html/template writes ZgotmplZ in place of what it takes for unsafe.
			if place := regexp.MustCompile(`\{\{|ZgotmplZ`).FindString(got.body); place != "" || strings.Contains(got.body, "Human resources") {
				t.Errorf("the page holds data, or the unfilled place %q", place)
			}
		})
	}
}

// Nothing in the document could run but the console's own modules.
func TestConsoleRunsNothingElse(t *testing.T) {
	body := newOffice(t).expect(200, request{method: "GET", path: "/console"}).body
	for _, element := range regexp.MustCompile(`<script[^>]*>`).FindAllString(body, -1) {
		if !strings.Contains(element, `type="application/json"`) && !strings.Contains(element, `src="/assets/console/`) {
			t.Errorf("the document has %s", element)
		}
	}
	foreign := regexp.MustCompile(`(?i)(src|href|action)=["']?(https?:)?//|<style|\sstyle=|\son[a-z]+=`)
	if found := foreign.FindString(body); found != "" {
		t.Errorf("the document has %q", found)
	}
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|localStorage`)
	for name, source := range consoleSources(t) {
		if found := unsafe.FindString(source); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
}

func TestConsoleAssets(t *testing.T) {
	o := newOffice(t)
	get := func(status int, path string, accept string) answer {
		t.Helper()
		return o.expect(status, request{method: "GET", path: path, noAuthorizer: true, header: map[string]string{"Accept-Encoding": accept}})
	}
	document := get(200, "/console", "").body
	linked := regexp.MustCompile(`(?:href|src)="(/assets/console/[0-9a-f]{16}/)([a-z-]+\.(?:js|css))"`).FindAllStringSubmatch(document, -1)
	names := map[string]bool{}
	for _, link := range linked {
		base, name := link[1], link[2]
		names[name] = true
		want, err := os.ReadFile(filepath.Join("console", name))
		if err != nil {
			t.Fatal(err)
		}
		mediaType := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}[filepath.Ext(name)]
		plain, small := get(200, base+name, "br;q=1, gzip;q=0"), get(200, base+name, "deflate, gzip, br")
		if plain.body != string(want) || plain.header["content-encoding"] != "" {
			t.Errorf("%s: another content", name)
		}
		if small.header["content-encoding"] != "gzip" || unzip(t, small.body) != string(want) {
			t.Errorf("%s: another content when compressed", name)
		}
		for _, got := range []answer{plain, small} {
			if got.header["content-type"] != mediaType || got.header["cache-control"] != "public, max-age=31536000, immutable" || got.header["vary"] != "Accept-Encoding" {
				t.Errorf("%s: headers %v", name, got.header)
			}
		}
	}
	for name := range consoleSources(t) {
		if !names[name] {
			t.Errorf("the document does not name %s", name)
		}
	}
	if len(linked) == 0 {
		t.Fatal("the document names no file")
	}
	base := linked[0][1]
	for _, path := range []string{base + "page.html", base + "absent.js", "/assets/console/0123456789abcdef/app.js", "/assets/console/app.js", base + "..%2fpage.html", "/assets/"} {
		if got := get(404, path, ""); got.header["cache-control"] != "no-store" {
			t.Errorf("%s: kept as %q", path, got.header["cache-control"])
		}
	}
	if got := get(200, "/console", "gzip"); unzip(t, got.body) != document {
		t.Error("the compressed document is another one")
	}
	o.expect(405, request{method: "POST", path: base + "app.js", noAuthorizer: true})
}

// unzip undoes what the gateway is given of a compressed answer.
func unzip(t *testing.T, body string) string {
	t.Helper()
	r, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// consoleSources returns the console's modules and styles by name.
func consoleSources(t *testing.T) map[string]string {
	t.Helper()
	sources := map[string]string{}
	for _, pattern := range []string{"console/*.js", "console/*.css"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sources[filepath.Base(path)] = string(content)
		}
	}
	return sources
}

// A module that asks another for what it does not have stops the whole page.
func TestConsoleModulesFitTogether(t *testing.T) {
	sources := consoleSources(t)
	exported := regexp.MustCompile(`(?m)^export (?:async )?(?:function|const|class|let) (\w+)`)
	imported := regexp.MustCompile(`(?s)import\s+(?:\{([^}]*)\}|\* as \w+)\s+from\s+'\./([\w.-]+)'`)
	for name, source := range sources {
		for _, statement := range imported.FindAllStringSubmatch(source, -1) {
			other, there := sources[statement[2]]
			if !there {
				t.Errorf("%s imports %s, which is not there", name, statement[2])
				continue
			}
			var has []string
			for _, match := range exported.FindAllStringSubmatch(other, -1) {
				has = append(has, match[1])
			}
			for wanted := range strings.SplitSeq(statement[1], ",") {
				wanted, _, _ = strings.Cut(strings.TrimSpace(wanted), " as ")
				if wanted != "" && !slices.Contains(has, wanted) {
					t.Errorf("%s imports %s of %s, which does not export it", name, wanted, statement[2])
				}
			}
		}
	}
}

// Every text that is asked for exists in every language, and no other does.
func TestConsoleTexts(t *testing.T) {
	used := map[string]bool{}
	for _, key := range []string{"title", "noscript", "skip", "loading", "language", "sections"} { // of page.html
		used[key] = true
	}
	sources := consoleSources(t)
	literal := regexp.MustCompile(`'([a-zA-Z]+(?:\.[a-zA-Z0-9_]+)*)'`)
	asked := regexp.MustCompile(`\bt\(\s*'([a-zA-Z]+(?:\.[a-zA-Z0-9_]+)*)'`)
	maybe := map[string]bool{}
	for name, source := range sources {
		if filepath.Ext(name) != ".js" {
			continue
		}
		for _, match := range asked.FindAllStringSubmatch(source, -1) {
			if !strings.HasPrefix(match[1], "setup.") {
				used[match[1]] = true
			}
		}
		for _, match := range literal.FindAllStringSubmatch(source, -1) {
			maybe[match[1]] = true // t(condition ? 'one' : 'other')
		}
		for _, match := range regexp.MustCompile(`asked\(\s*'([a-z.]+)'`).FindAllStringSubmatch(source, -1) {
			used[match[1]+".title"], used[match[1]+".text"] = true, true
		}
	}
	for _, tab := range []string{"authenticators", "applications", "users", "files", "audit"} {
		used["tab."+tab] = true
	}
	for _, key := range applicationTexts() {
		used[key] = true
	}
	for _, kind := range audit.Types() {
		used["audit.type."+kind] = true
	}
	for _, code := range refusals() {
		used["refused."+code] = true
	}
	for _, code := range auditCodes() {
		used["audit.code."+code] = true
	}
	for _, thing := range []string{"users", "authenticators", "applications"} {
		used["gone."+thing] = true
	}
	english := consoleTexts(t, text.English)
	for _, problem := range problems() {
		code, field, _ := strings.Cut(problem, " ")
		field, about, _ := strings.Cut(field, " ")
		found := ""
		for _, key := range []string{"problem." + code + "." + field + "." + about, "problem." + code + "." + field, "problem." + code} {
			if _, there := english[key]; there {
				found = key
				break
			}
		}
		if found == "" {
			t.Errorf("nothing is said of the problem %q", problem)
		}
		used[found] = true
	}
	places := regexp.MustCompile(`\{[a-zA-Z]+\}`)
	for _, tag := range text.Languages() {
		texts := consoleTexts(t, tag)
		for key := range used {
			if strings.TrimSpace(texts[key]) == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
		}
		for key, text := range texts {
			if !used[key] && !maybe[key] {
				t.Errorf("%s has %s, which nothing shows", tag, key)
			}
			if got, want := slices.Sorted(slices.Values(places.FindAllString(text, -1))), slices.Sorted(slices.Values(places.FindAllString(english[key], -1))); !slices.Equal(got, want) {
				t.Errorf("%s: %s has other places than in English", tag, key)
			}
			if html.EscapeString(text) != text && strings.ContainsAny(text, "<>") {
				t.Errorf("%s: %s looks like markup", tag, key)
			}
		}
		if tag != text.English && !slices.Equal(slices.Sorted(maps.Keys(texts)), slices.Sorted(maps.Keys(english))) {
			t.Errorf("%s has other texts than English", tag)
		}
	}
}

// consoleTexts returns the texts of all pages but the set-up, which has a test of its own.
func consoleTexts(t *testing.T, tag text.Language) text.Texts {
	t.Helper()
	all := text.Texts{}
	for _, area := range []text.Area{text.ConsoleArea, text.ApplicationsArea, text.LookupArea, text.RulesArea, text.AuditArea} {
		texts, err := text.Read(tag, area)
		if err != nil {
			t.Fatal(err)
		}
		for key := range texts {
			if _, twice := all[key]; twice {
				t.Errorf("%s: two areas have %s", tag, key)
			}
		}
		maps.Copy(all, texts)
	}
	return all
}

// refusals are the codes of the sign-in page, and what is said of an unknown one.
func refusals() []string {
	return []string{
		"state_invalid", "state_expired", "cookies_blocked", "access_denied", "code_invalid", "not_a_member", "other_corp",
		"first_sign_in_in_wecom", "phone_not_shared", "phone_invalid", "phone_in_use", "signup_closed", "user_disabled", "not_allowed",
		"authenticator_unknown", "authenticator_disabled", "redirect_loop", "wecom_busy", "wecom_unavailable",
		"wecom_configuration", "internal", "other",
	}
}

// auditCodes are the codes of lines of the audit that are neither refusals nor causes.
func auditCodes() []string {
	return []string{
		string(store.GoneLeft), string(store.GoneNotFound), string(store.GoneOutOfRange),
		string(members.Gone), string(members.Disabled), string(members.NotAllowed), "replaced", "dry_run",
		"unsubscribe", "delete_user", "update_user", "inactive_alert", "close_inactive_agent", "reopen_inactive_agent",
	}
}

// problems are what the API may answer a console: code, field, and the resource where
// a field of that name means different things.
func problems() []string {
	return []string{
		"not_found", "version_mismatch", "payload_too_large", "payload_too_large rows", "forbidden", "internal",
		"invalid_request", "invalid_request cursor", "invalid_request limit", "invalid_request query", "invalid_request name",
		"invalid_request name authenticators", "invalid_request title", "invalid_request corpId", "invalid_request agentId",
		"invalid_request secret", "invalid_request origin", "invalid_request workbenchRedirectPath", "invalid_request phone",
		"invalid_request roles", "invalid_request cells", "invalid_request encoding", "invalid_request filename", "invalid_request body",
		"invalid_request id", "invalid_request homepage", "invalid_request redirectUris", "invalid_request postLogoutRedirectUris",
		"invalid_request backchannelLogoutUri", "invalid_request authenticators", "invalid_request allow.roles", "invalid_request allow.departments", "invalid_request allow.tags",
		"invalid_request roleRules", "invalid_request wecomUserId", "not_found wecomUserId", "wecom_busy", "wecom_unavailable", "wecom_configuration", "invalid_request audience",
		"invalid_request claims.email", "invalid_request claims.emailTemplate", "invalid_request claims.preferredUsername", "invalid_request claims.groups.name",
		"invalid_request refreshTokenLifetime", "already_exists id", "too_many_secrets secrets", "secret_not_allowed secrets",
		"already_exists name", "auto_login_taken autoLogin", "phone_taken phone", "phone_invalid phone", "duplicate_phone phone",
		"offline", "timeout", "access_ended", "busy", "other", "request", // said by the console itself
	}
}
