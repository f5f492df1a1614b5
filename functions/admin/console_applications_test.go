package admin_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// applicationTexts are the keys that the pages about applications put together.
func applicationTexts() []string {
	keys := []string{"cause.other"}
	add := func(prefix string, names ...string) {
		for _, name := range names {
			keys = append(keys, prefix+name)
		}
	}
	for _, cause := range oauth.Causes() {
		add("cause.", string(cause))
	}
	add("application.kind.", "web", "browser", "native", "proxy", "web.hint", "browser.hint", "native.hint", "proxy.hint")
	add("application.part.", "claims", "more", "other")
	add("application.email.", "none", "wecom", "template")
	add("application.username.", "wecom_userid", "phone", "id")
	add("application.groups.", "roles", "departments", "id", "path")
	add("application.address.", "characters", "fragment", "wildcard", "http", "scheme", "private", "form", "user")
	add("application.claims.", "email", "emailTemplate", "preferredUsername", "groups.name", "groups.from", "groups.as", "phone", "inIdToken")
	for _, name := range []string{"homepage", "redirectUris", "postLogoutRedirectUris", "backchannelLogoutUri"} {
		add("application.", name, name+".hint")
	}
	add("application.note.", "several_companies", "allow_several_companies", "allow_another_company", "no_mailbox")
	add("preview.", "idToken", "userinfo", "accessToken", "headers")
	return keys
}

// Whatever ends a sign-in to an application is explained in every language, and nothing
// else is.
func TestConsoleExplainsEveryCause(t *testing.T) {
	for _, tag := range text.Languages() {
		texts, err := text.Read(tag, text.ApplicationsArea)
		if err != nil {
			t.Fatal(err)
		}
		for _, cause := range oauth.Causes() {
			if strings.TrimSpace(texts["cause."+string(cause)]) == "" {
				t.Errorf("%s does not explain %s", tag, cause)
			}
		}
		for key := range texts {
			if cause, ok := strings.CutPrefix(key, "cause."); ok && cause != "other" && !slices.Contains(oauth.Causes(), oauth.Cause(cause)) {
				t.Errorf("%s explains %s, which is not a cause", tag, cause)
			}
		}
	}
}

// snippet is a configuration of console/snippets.json.
type snippet struct {
	ID, Name, Base, Redirect, File, Syntax string
	Kinds                                  []store.ApplicationKind
	// Email is set for software that refuses people without an email address.
	Email bool
	// Tried is the version of the software that signed in with these settings to this
	// service; empty for one that nobody has tried.
	Tried *string
	// Library says that not the software itself was tried, but what it signs in by.
	Library bool
	Lines   []string
}

func snippets(t *testing.T) []snippet {
	t.Helper()
	content, err := os.ReadFile("console/snippets.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []snippet
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// Every configuration renders to something without an open place, in its own syntax, and
// with a redirect address that can be registered.
func TestSnippets(t *testing.T) {
	want := []string{
		"plain", "oauth2-proxy", "spring-boot", "gitlab", "gitea", "grafana", "superset", "jupyterhub", "jenkins", "harbor", "kubernetes",
		"keycloak", "django", "node", "go", "mod-auth-openidc",
		"nginx", "caddy", "envoy", "ingress-nginx", "traefik", "apisix", "higress",
	}
	all := snippets(t)
	var got []string
	for _, s := range all {
		got = append(got, s.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
	for _, s := range all {
		for _, kind := range s.Kinds {
			t.Run(s.ID+" "+string(kind), func(t *testing.T) { checkSnippet(t, s, kind) })
		}
	}
}

func checkSnippet(t *testing.T, s snippet, kind store.ApplicationKind) {
	base := s.Base
	if base == "" {
		base = "https://app.example.com"
	}
	redirect := strings.ReplaceAll(s.Redirect, "{{base}}", base)
	if redirect == "" {
		redirect = base + "/callback"
	}
	if err := oauth.CheckRedirectURI(kind, redirect); err != nil && kind != store.KindProxy {
		t.Errorf("%s cannot be registered: %v", redirect, err)
	}
	values := map[string]string{
		"issuer": "https://signin.example.com", "id": "the-client", "redirect": redirect, "base": base, "groups": "groups",
	}
	if kind == store.KindWeb {
		values["secret"] = theSecret
	}
	rendered := renderSnippet(s, values)
	if kind == store.KindProxy {
		checkProxySnippet(t, rendered)
	}
	if open := regexp.MustCompile(`\{\{.*?\}\}`).FindString(rendered + s.File); open != "" && !strings.Contains(s.File, "{{base}}") {
		t.Errorf("the place %s is open", open)
	}
	for name, must := range map[string]string{"issuer": values["issuer"], "client id": values["id"], "secret": values["secret"]} {
		if s.ID == "kubernetes" && name == "secret" || kind == store.KindProxy && name == "issuer" {
			continue
		}
		if !strings.Contains(rendered, must) {
			t.Errorf("does not name the %s", name)
		}
	}
	if s.Tried == nil || s.Name == "" || len(s.Kinds) == 0 {
		t.Error("does not say its name, its kinds, or whether it was tried")
	}
	var err error
	switch s.Syntax {
	case "yaml":
		decoder := yaml.NewDecoder(strings.NewReader(rendered))
		for err == nil {
			var document map[string]any
			err = decoder.Decode(&document)
		}
		if err.Error() == "EOF" {
			err = nil
		}
	case "json":
		err = json.Unmarshal([]byte(rendered), &map[string]any{})
	}
	if err != nil {
		t.Errorf("is not %s: %v\n%s", s.Syntax, err, rendered)
	}
}

// checkProxySnippet checks what must be true of each proxy: it asks the service by the path
// of a dialect, hands it the paths of the sign-in, names the application's host, and sets
// every header that tells who somebody is: one that it does not would be the visitor's own.
func checkProxySnippet(t *testing.T, rendered string) {
	t.Helper()
	musts := []string{`/oauth2/forward-auth/(nginx|forward|envoy)/the-client\b`, `/\.wecom-signin/the-client/`, `\bwiki\.example\.com\b`, `\bsignin\.example\.com\b`}
	for _, header := range append(claims.ForHeaders(claims.Member{}, store.ClaimRules{}), claims.Claim{Name: "X-Auth-Token"}) {
		musts = append(musts, header.Name+`\b|(?i)x-auth-([^a-z]|$)`)
	}
	for _, must := range musts {
		if !regexp.MustCompile(must).MatchString(rendered) {
			t.Errorf("has nothing like %s:\n%s", must, rendered)
		}
	}
}

// renderSnippet does what render of application-snippets.js does.
func renderSnippet(s snippet, values map[string]string) string {
	values = maps.Clone(values)
	values["service"] = hostname(values["issuer"])
	values["host"] = hostname(values["base"])
	values["variable"] = strings.ReplaceAll(values["id"], "-", "_")
	var lines, pairs []string
	for name, value := range values {
		pairs = append(pairs, "{{"+name+"}}", value)
	}
	_, hasSecret := values["secret"]
	for _, line := range s.Lines {
		if hasSecret || !strings.Contains(line, "{{secret}}") {
			lines = append(lines, strings.NewReplacer(pairs...).Replace(line))
		}
	}
	return strings.Join(lines, "\n")
}

func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	return u.Hostname()
}
