package claims_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/claims"
)

func TestParseRequest(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       claims.Request
	}{
		{"nothing", "", claims.Request{}},
		{"an empty object", "{}", claims.Request{}},
		{"null", `{"userinfo":null}`, claims.Request{}},
		{
			"the example of OpenID Connect Core 1.0 §5.5",
			`{"userinfo":{"given_name":{"essential":true},"nickname":null,"email":{"essential":true},"http://example.info/claims/groups":null},
			  "id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}`,
			claims.Request{
				Userinfo: map[string]claims.Wish{
					"given_name": {Essential: true}, "nickname": {}, "email": {Essential: true}, "http://example.info/claims/groups": {},
				},
				IDToken: map[string]claims.Wish{"auth_time": {Essential: true}, "acr": {Values: []string{"urn:mace:incommon:iap:silver"}}},
			},
		},
		{"unknown members", `{"other":{"x":1},"id_token":{"sub":{"value":"01user","more":1}}}`, claims.Request{
			IDToken: map[string]claims.Wish{"sub": {Values: []string{"01user"}}},
		}},
	} {
		got, err := claims.ParseRequest(test.text)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", test.name, err, diff)
		}
	}
	for _, text := range []string{
		"x", "null", "[]", `"{}"`, `{"userinfo":[]}`, `{"userinfo":{"name":1}}`, `{"userinfo":{"name":{"essential":"yes"}}}`, `{} {}`,
		`{"id_token":{"sub":{"value":1}}}`, `{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}`, `{"userinfo":{"sub":{"values":["a","b"]}}}`,
	} {
		if got, err := claims.ParseRequest(text); err == nil || strings.Contains(err.Error(), "yes") {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestRequestAsks(t *testing.T) {
	r := request(t, `{"userinfo":{"sub":{"value":"01user"},"phone_number":null,"teams":null},"id_token":{"acr":{"essential":true,"value":"a","values":["b",1]},"email":null}}`)
	if diff := cmp.Diff([]string{"phone", "email", "groups"}, r.Scopes("teams")); diff != "" {
		t.Errorf("scopes: %s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", ""}, r.EssentialACRs()); diff != "" {
		t.Errorf("acr: %s", diff)
	}
	if r.Subject() != "01user" {
		t.Errorf("subject %q", r.Subject())
	}
	voluntary := request(t, `{"id_token":{"acr":{"value":"a"}}}`)
	if voluntary.EssentialACRs() != nil || voluntary.Subject() != "" || voluntary.Scopes("") != nil {
		t.Errorf("%+v asks for more than it does", voluntary)
	}
}
