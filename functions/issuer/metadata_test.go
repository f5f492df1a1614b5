package issuer_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// challenge is a code challenge of RFC 7636, appendix B.
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// refused says why package oauth refuses an authorization request that is good but for
// the changes.
func refused(t *testing.T, change map[string]string) bool {
	t.Helper()
	query := url.Values{
		"client_id": {"wiki"}, "redirect_uri": {"https://wiki.example.com/cb"}, "response_type": {"code"},
		"scope": {"openid"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for name, value := range change {
		query.Set(name, value)
	}
	request, err := oauth.ParseAuthorizationRequest(query.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return request.Refusal != nil
}

// Each value is one that the code takes or gives, and what it does not take is not there
// (RFC 8414 §2): strict clients break on invented values.
func TestMetadataSaysWhatIsTrue(t *testing.T) {
	const public = "https://signin.example.com"
	got, err := function(&directory{}, public)(t.Context(), event("GET", "/.well-known/openid-configuration"))
	if err != nil {
		t.Fatal(err)
	}
	var said map[string]any
	if err := json.Unmarshal([]byte(got.Body), &said); err != nil {
		t.Fatal(err)
	}
	list := func(member string) []string {
		var texts []string
		for _, value := range said[member].([]any) {
			texts = append(texts, value.(string))
		}
		return texts
	}

	for member, want := range map[string]any{
		"issuer":                 public,
		"authorization_endpoint": public + oauth.AuthorizationPath,
		"token_endpoint":         public + oauth.TokenPath,
		"userinfo_endpoint":      public + oauth.UserinfoPath,
		"revocation_endpoint":    public + oauth.RevocationPath,
		"introspection_endpoint": public + oauth.IntrospectionPath,
		"end_session_endpoint":   public + oauth.EndSessionPath,
		"jwks_uri":               public + "/.well-known/jwks.json",

		"claims_parameter_supported":                     true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"authorization_response_iss_parameter_supported": true,
		"backchannel_logout_supported":                   true,
		"backchannel_logout_session_supported":           true,
	} {
		if said[member] != want {
			t.Errorf("%s is %v, want %v", member, said[member], want)
		}
	}

	// What an authorization request may say: every value named is taken, others are not.
	for _, parameter := range []struct {
		member, name string
		others       []string
	}{
		{"response_types_supported", "response_type", []string{"token", "id_token", "code id_token", "code token", "none"}},
		{"response_modes_supported", "response_mode", []string{"fragment", "form_post", "query.jwt"}},
		{"code_challenge_methods_supported", "code_challenge_method", []string{"plain", "S512"}},
		{"prompt_values_supported", "prompt", []string{"create"}},
	} {
		for _, value := range list(parameter.member) {
			if refused(t, map[string]string{parameter.name: value}) {
				t.Errorf("%s: %q is promised and refused", parameter.member, value)
			}
		}
		for _, value := range parameter.others {
			if slices.Contains(list(parameter.member), value) || !refused(t, map[string]string{parameter.name: value}) {
				t.Errorf("%s: %q is taken or promised", parameter.member, value)
			}
		}
	}
	if refused(t, map[string]string{"claims": `{"id_token":{"name":null}}`}) {
		t.Error("the claims parameter is promised and refused")
	}
	for _, name := range []string{"request", "request_uri"} {
		if !refused(t, map[string]string{name: "https://wiki.example.com/request"}) {
			t.Errorf("%s is taken, although the metadata says no", name)
		}
	}

	everything := url.Values{
		"client_id": {"wiki"}, "redirect_uri": {"https://wiki.example.com/cb"}, "response_type": {"code"},
		"scope": {strings.Join(append(list("scopes_supported"), "address", "roles"), " ")},
	}
	request, err := oauth.ParseAuthorizationRequest(everything.Encode())
	if err != nil || request.Refusal != nil {
		t.Fatalf("%v, %v", err, request.Refusal)
	}
	if diff := cmp.Diff(request.Scopes, list("scopes_supported")); diff != "" {
		t.Errorf("scopes (-taken +said):\n%s", diff)
	}
	if diff := cmp.Diff([]string{claims.ACR(true), claims.ACR(false)}, list("acr_values_supported")); diff != "" {
		t.Errorf("acr (-given +said):\n%s", diff)
	}
	var spoken []string
	for _, language := range text.Languages() {
		spoken = append(spoken, string(language))
	}
	if diff := cmp.Diff(spoken, list("ui_locales_supported")); diff != "" {
		t.Errorf("languages (-spoken +said):\n%s", diff)
	}

	// The claims are those of the tokens' types and of the table.
	given := []string{"jti"} // of access tokens
	for field := range reflect.TypeFor[keys.IDTokenClaims]().Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "-" {
			given = append(given, name)
		}
	}
	given = append(given, claims.Names()...)
	slices.Sort(given)
	given = slices.Compact(given)
	names := list("claims_supported")
	slices.Sort(names)
	if diff := cmp.Diff(given, names); diff != "" {
		t.Errorf("claims (-given +said):\n%s", diff)
	}

	// Nothing else is said.
	for _, other := range []string{
		"registration_endpoint", "pushed_authorization_request_endpoint", "device_authorization_endpoint", "check_session_iframe",
		"frontchannel_logout_supported", "service_documentation", "tls_client_certificate_bound_access_tokens",
	} {
		if _, ok := said[other]; ok {
			t.Errorf("%s is promised", other)
		}
	}
}

// registry has a confidential application, wiki, and a public one, page. It records nothing.
type registry struct {
	oauth.Store
	secret store.ClientSecret
}

func (r registry) Application(_ context.Context, id string) (store.Application, error) {
	kind, ok := map[string]store.ApplicationKind{"wiki": store.KindWeb, "page": store.KindBrowser}[id]
	if !ok {
		return store.Application{}, store.ErrNotFound
	}
	return store.Application{ID: id, Enabled: true, Kind: kind, Secrets: []store.ClientSecret{r.secret}}, nil
}

func (registry) RecordApplicationEvent(context.Context, store.ApplicationEvent) error { return nil }

// The token endpoint and its neighbours take the grants and the methods that the metadata
// names: a request without code and token is refused, but never for these.
func TestMetadataNamesTheMethodsThatWork(t *testing.T) {
	got, err := function(&directory{}, "https://signin.example.com")(t.Context(), event("GET", "/.well-known/openid-configuration"))
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Grants        []string `json:"grant_types_supported"`
		Token         []string `json:"token_endpoint_auth_methods_supported"`
		Revocation    []string `json:"revocation_endpoint_auth_methods_supported"`
		Introspection []string `json:"introspection_endpoint_auth_methods_supported"`
	}
	if err := json.Unmarshal([]byte(got.Body), &said); err != nil {
		t.Fatal(err)
	}
	plain, secret, err := oauth.NewSecret(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	apps := registry{secret: secret}
	provider := &oauth.Provider{
		Store: apps, Applications: apps, Now: time.Now, LogField: func(context.Context, string, any) {},
		Verifier: keys.NewVerifier(keys.VerifierConfig{}),
	}
	requests := map[string]func(grant string) oauth.TokenInput{
		"client_secret_basic": func(grant string) oauth.TokenInput {
			basic := base64.StdEncoding.EncodeToString([]byte("wiki:" + plain.Reveal()))
			return oauth.TokenInput{Authorization: []string{"Basic " + basic}, Body: "grant_type=" + grant}
		},
		"client_secret_post": func(grant string) oauth.TokenInput {
			return oauth.TokenInput{Body: "client_id=wiki&client_secret=" + plain.Reveal() + "&grant_type=" + grant}
		},
		"none": func(grant string) oauth.TokenInput {
			return oauth.TokenInput{Body: "client_id=page&grant_type=" + grant}
		},
		"private_key_jwt": func(grant string) oauth.TokenInput {
			return oauth.TokenInput{Body: "client_id=wiki&client_assertion=x&client_assertion_type=y&grant_type=" + grant}
		},
	}
	code := func(err error) oauth.ErrorCode {
		if refusal, ok := oauth.RefusalOf(err); ok {
			return refusal.Code
		}
		return ""
	}
	for method, request := range requests {
		_, token := provider.Token(t.Context(), request("authorization_code"))
		_, introspection := provider.Introspect(t.Context(), request("&token=x"))
		for endpoint, check := range map[string]struct {
			err   error
			named []string
		}{"token": {token, said.Token}, "revocation": {provider.Revoke(t.Context(), request("")), said.Revocation}, "introspection": {introspection, said.Introspection}} {
			if taken := code(check.err) != oauth.InvalidClient; taken != slices.Contains(check.named, method) {
				t.Errorf("%s by %s: taken %v (%v), named %v", endpoint, method, taken, check.err, check.named)
			}
		}
	}
	for _, grant := range []string{"authorization_code", "refresh_token", "password", "client_credentials", "implicit", "urn:ietf:params:oauth:grant-type:device_code"} {
		_, err := provider.Token(t.Context(), requests["client_secret_post"](grant))
		if taken := code(err) != oauth.UnsupportedGrantType; taken != slices.Contains(said.Grants, grant) {
			t.Errorf("grant %s: taken %v (%v), named %v", grant, taken, err, said.Grants)
		}
	}
}
