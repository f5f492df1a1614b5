package claims_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func member() claims.Member {
	return claims.Member{
		User: store.User{
			ID: "01user", Name: "张三", Phone: "+8613800000000", Avatar: "https://wework.qpic.cn/a/0", Roles: []string{"admin", "staff"},
			UpdatedAt: time.Unix(1_795_000_000, 0),
			Identities: []store.Identity{
				{CorpID: "wwPartner", WeComUserID: "zhangsan", Email: "boss@partner.example"},
				{CorpID: "ww1234", WeComUserID: "zhangsan", Email: "zhangsan@wecom.example", Departments: []store.Department{
					{ID: 1, Name: "Head Office"}, {ID: 12, Name: "Sales", Leader: true, Above: []int64{1}, NamesAbove: []string{"Head Office"}},
				}},
			},
		},
		CorpID: "ww1234", WeComUserID: "ZhangSan", OneCorp: true,
	}
}

// rules are the default ones, changed.
func rules(change func(*store.ClaimRules)) store.ClaimRules {
	r := claims.DefaultRules()
	if change != nil {
		change(&r)
	}
	return r
}

func request(t *testing.T, text string) claims.Request {
	t.Helper()
	r, err := claims.ParseRequest(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// said writes a list as name=value, with blanks between.
func said(l claims.List) string {
	var texts []string
	for _, c := range l {
		texts = append(texts, fmt.Sprintf("%s=%v", c.Name, c.Value))
	}
	return strings.Join(texts, " ")
}

const (
	profile = "name=张三 preferred_username=ZhangSan picture=https://wework.qpic.cn/a/0 updated_at=1795000000 corp_id=ww1234 wecom_userid=ZhangSan"
	phone   = "phone_number=+8613800000000 phone_number_verified=true"
	groups  = "groups=[role:admin role:staff department:1 department:12] roles=[admin staff] " + departments

	departments = "departments=[{1 Head Office false} {12 Sales true}]"
)

func TestTable(t *testing.T) {
	for _, test := range []struct {
		name    string
		scopes  string
		rules   func(*store.ClaimRules)
		spoil   func(*claims.Member)
		request string
		want    string
	}{
		{"openid alone", "openid", nil, nil, "", "sub=01user"},
		{"profile", "openid profile", nil, nil, "", "sub=01user " + profile},
		{"phone", "openid phone", nil, nil, "", "sub=01user " + phone},
		{"email that nobody configured", "openid email", nil, nil, "", "sub=01user"},
		{"groups", "openid groups", nil, nil, "", "sub=01user " + groups},
		{"offline access gives nothing", "openid offline_access", nil, nil, "", "sub=01user"},
		{"unknown scopes give nothing", "openid address admin", nil, nil, "", "sub=01user"},
		{"everything", "openid profile phone email groups", nil, nil, "", "sub=01user " + profile + " " + phone + " " + groups},

		{"username is the phone", "profile", func(r *store.ClaimRules) { r.PreferredUsername = "phone" }, only("phone"), "", "preferred_username=+8613800000000"},
		{"username is the id", "profile", func(r *store.ClaimRules) { r.PreferredUsername = "id" }, only("id"), "", "preferred_username=01user"},
		{"no phone for this application", "phone", func(r *store.ClaimRules) { r.Phone = false }, nil, "", ""},
		{"no phone, though asked for by name", "openid", func(r *store.ClaimRules) { r.Phone = false }, nil, `{"userinfo":{"phone_number":{"essential":true}}}`, "sub=01user"},
		{"WeCom's email", "email", func(r *store.ClaimRules) { r.Email = "wecom" }, nil, "", "email=zhangsan@wecom.example email_verified=true"},
		{"WeCom told no email", "email", func(r *store.ClaimRules) { r.Email = "wecom" }, func(m *claims.Member) { m.User.Identities[1].Email = "" }, "", ""},
		{"the email of another member of the company", "email", func(r *store.ClaimRules) { r.Email = "wecom" }, func(m *claims.Member) { m.WeComUserID = "lisi" }, "", ""},
		{"the email of the same userid in another company", "email", func(r *store.ClaimRules) { r.Email = "wecom" }, func(m *claims.Member) { m.User.Identities = m.User.Identities[:1] }, "", ""},
		{"WeCom's email, several companies", "email", func(r *store.ClaimRules) { r.Email = "wecom" }, func(m *claims.Member) { m.OneCorp = false }, "", ""},
		{"email by template", "email", template, nil, "", "email=ZhangSan@corp.example email_verified=true"},
		{"attack: a userid that is an address", "email", template, func(m *claims.Member) { m.WeComUserID = "ceo@corp.example" }, "", ""},
		{"a userid that is no local part", "email", template, func(m *claims.Member) { m.WeComUserID = "a..b" }, "", ""},
		{"no userid", "email", template, func(m *claims.Member) { m.WeComUserID = "" }, "", ""},
		{"groups by another name", "groups", func(r *store.ClaimRules) { r.GroupsName = "cognito:groups" }, nil, "", "cognito:groups=[role:admin role:staff department:1 department:12] roles=[admin staff] " + departments},
		{"groups in place of roles", "groups", func(r *store.ClaimRules) { r.GroupsName = "roles" }, nil, "", "roles=[role:admin role:staff department:1 department:12] " + departments},
		{"attack: groups called like the subject", "groups", func(r *store.ClaimRules) { r.GroupsName = "sub" }, nil, "", groups},
		{"roles alone", "groups", func(r *store.ClaimRules) { r.GroupsFrom = []string{"roles"} }, nil, "", "groups=[role:admin role:staff] roles=[admin staff]"},
		{"no groups for this application", "groups", func(r *store.ClaimRules) { r.GroupsFrom = nil }, nil, "", ""},
		{"a member of whom nothing is known", "openid profile phone email groups", nil, func(m *claims.Member) { *m = claims.Member{} }, "", ""},

		{"departments alone, as paths", "groups", byPath, nil, "", "groups=[Head Office Head Office/Sales] " + departments},
		{"departments without a name", "groups", byPath, func(m *claims.Member) {
			m.User.Identities[1].Departments[1] = store.Department{ID: 12, Above: []int64{1, 3}, NamesAbove: []string{"", "Sales"}}
		}, "", "groups=[Head Office 1/Sales/12] departments=[{1 Head Office false} {12  false}]"},
		{"attack: a department named like a path or a role", "groups", byPath, func(m *claims.Member) {
			m.User.Identities[1].Departments = []store.Department{{ID: 7, Name: "Head Office/Board"}, {ID: 8, Name: "role:admin"}, {ID: 9, Name: "x", Above: []int64{7}, NamesAbove: []string{"department:1"}}}
		}, "", "groups=[7 8 7/x] departments=[{7 Head Office/Board false} {8 role:admin false} {9 x false}]"},
		{"departments are kept back", "groups", func(r *store.ClaimRules) { r.GroupsFrom = []string{"roles"} }, nil, "", "groups=[role:admin role:staff] roles=[admin staff]"},
		{"the departments of another member of the company", "groups", byPath, func(m *claims.Member) { m.WeComUserID = "lisi" }, "", ""},
		{"the departments of the same userid in another company", "groups", byPath, func(m *claims.Member) { m.User.Identities = m.User.Identities[:1] }, "", ""},
		{"roles by rules, after those that an administrator gave", "groups", func(r *store.ClaimRules) { r.GroupsFrom = []string{"roles"} }, func(m *claims.Member) {
			m.User.WeComRoles = []string{"staff", "lead", "admin"}
		}, "", "groups=[role:admin role:staff role:lead] roles=[admin staff lead]"},
		{"groups in place of departments", "groups", func(r *store.ClaimRules) { r.GroupsName, r.GroupsFrom = "departments", []string{"departments"} }, nil, "", "departments=[department:1 department:12]"},
		{"one claim by name", "openid", nil, nil, `{"userinfo":{"name":null,"nickname":null}}`, "sub=01user name=张三"},
		{"the groups by the application's name", "openid", func(r *store.ClaimRules) { r.GroupsName = "teams"; r.GroupsFrom = []string{"roles"} }, nil, `{"userinfo":{"teams":null}}`, "sub=01user teams=[role:admin role:staff]"},
		{"a claim for the ID token is not one for userinfo", "openid", nil, nil, `{"id_token":{"name":null}}`, "sub=01user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := member()
			if test.spoil != nil {
				test.spoil(&m)
			}
			got := claims.ForUserinfo(m, rules(test.rules), strings.Fields(test.scopes), request(t, test.request))
			if diff := cmp.Diff(test.want, said(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func byPath(r *store.ClaimRules) { r.GroupsFrom, r.GroupsAs = []string{"departments"}, "path" }

func template(r *store.ClaimRules) {
	r.Email, r.EmailTemplate = "template", "{wecom_userid}@corp.example"
}

// only makes a member of whom one thing is known.
func only(what string) func(*claims.Member) {
	return func(m *claims.Member) {
		u := m.User
		*m = claims.Member{}
		switch what {
		case "phone":
			m.User.Phone = u.Phone
		case "id":
			m.User.ID = u.ID
		}
	}
}

func TestWhereClaimsAreTold(t *testing.T) {
	scopes := []string{"openid", "profile"}
	asked := request(t, `{"id_token":{"phone_number":null},"userinfo":{"roles":null}}`)
	kept := rules(func(r *store.ClaimRules) { r.InIDToken = false })
	for _, test := range []struct {
		name string
		got  claims.List
		want string
	}{
		{"userinfo", claims.ForUserinfo(member(), rules(nil), scopes, asked), "sub=01user " + profile + " roles=[admin staff]"},
		{"ID token", claims.ForIDToken(member(), rules(nil), scopes, asked), "sub=01user " + profile + " phone_number=+8613800000000"},
		{"ID token, claims only in userinfo", claims.ForIDToken(member(), kept, scopes, asked), "sub=01user phone_number=+8613800000000"},
		{"userinfo, claims only there", claims.ForUserinfo(member(), kept, scopes, asked), "sub=01user " + profile + " roles=[admin staff]"},
		{"access token", claims.ForAccessToken(member(), rules(nil), scopes), "sub=01user " + profile},
		{"introspection", claims.ForIntrospection(member(), rules(nil), scopes), "sub=01user " + profile},
		{"session token", claims.ForSession(member()), "name=张三 phone_number=+8613800000000 roles=[admin staff] corp_id=ww1234 wecom_userid=ZhangSan"},
		{"session token of a member of whom nothing is known", claims.ForSession(claims.Member{}), "name= phone_number= roles=[] corp_id= wecom_userid="},
	} {
		if diff := cmp.Diff(test.want, said(test.got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// The console shows an administrator why an application knows what it knows.
func TestEachClaimHasItsScope(t *testing.T) {
	got := map[string][]string{}
	for _, c := range claims.ForUserinfo(member(), rules(template), claims.Scopes(), claims.Request{}) {
		got[c.Scope] = append(got[c.Scope], c.Name)
	}
	want := map[string][]string{
		"openid":  {"sub"},
		"profile": {"name", "preferred_username", "picture", "updated_at", "corp_id", "wecom_userid"},
		"phone":   {"phone_number", "phone_number_verified"},
		"email":   {"email", "email_verified"},
		"groups":  {"groups", "roles", "departments"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGroupsAreBounded(t *testing.T) {
	for _, test := range []struct {
		name                        string
		count, size                 int
		inToken, inUserinfo         int  // groups told
		tokenMarked, userinfoMarked bool // groups_truncated
	}{
		{"a few", 5, 8, 5, 5, false, false},
		{"as many as may be", 50, 1, 50, 50, true, false}, // the departments themselves are cut
		{"one more", 51, 1, 50, 50, true, true},
		{"fewer, and too long for a token", 50, 60, 10, 50, true, false},
	} {
		m := member()
		m.User.Roles, m.User.Identities[1].Departments = nil, nil
		for i := range test.count {
			m.User.Identities[1].Departments = append(m.User.Identities[1].Departments, store.Department{ID: int64(i), Name: fmt.Sprintf("%0*d", test.size, i)})
		}
		r := rules(func(r *store.ClaimRules) { r.GroupsAs = "path" })
		check := func(where string, l claims.List, count int, marked bool) {
			all := l.Map()
			told, _ := all["groups"].([]string)
			if len(told) != count || (all["groups_truncated"] == true) != marked {
				t.Errorf("%s in %s: %d groups, truncated %v", test.name, where, len(told), all["groups_truncated"])
			}
		}
		check("the token", claims.ForIDToken(m, r, []string{"groups"}, claims.Request{}), test.inToken, test.tokenMarked)
		check("userinfo", claims.ForUserinfo(m, r, []string{"groups"}, claims.Request{}), test.inUserinfo, test.userinfoMarked)
	}
}

// set is a key set for the length of a token.
var set = sync.OnceValues(func() (keys.Set, error) { return keys.Generate(time.Now()) })

// API Gateway takes 10 kB for all headers, and an application's own need room, too: no
// token has more than 4 kB, whatever a member is in. The values are the longest that the
// service keeps.
func TestTokenStaysSmall(t *testing.T) {
	for _, roles := range []int{50, 3, 0} {
		tokenStaysSmall(t, roles)
	}
}

func tokenStaysSmall(t *testing.T, roles int) {
	t.Helper()
	minter := keys.NewMinter(keys.MinterConfig{Load: func(context.Context) (string, error) {
		s, err := set()
		if err != nil {
			return "", err
		}
		return s.Encode()
	}})
	long := func(n int) string { return strings.Repeat("x", n) }
	m := claims.Member{
		User: store.User{
			ID: long(26), Name: strings.Repeat("张", 64), Phone: "+8613800000000", Avatar: "https://" + long(200), UpdatedAt: time.Now(),
		},
		CorpID: long(18), WeComUserID: long(64), OneCorp: true,
	}
	m.User.Identities = []store.Identity{{CorpID: m.CorpID, WeComUserID: m.WeComUserID}}
	for i := range roles {
		m.User.Roles = append(m.User.Roles, fmt.Sprintf("%064d", i))
	}
	for i := range 1000 {
		m.User.Identities[0].Departments = append(m.User.Identities[0].Departments, store.Department{ID: 1<<32 - 1 - int64(i), Name: strings.Repeat("部", 32), Above: []int64{1}, NamesAbove: []string{"总部"}})
	}
	r := rules(func(r *store.ClaimRules) {
		template(r)
		r.GroupsAs, r.GroupsName = "path", long(64)
	})
	const issuer = "https://signin.an-average-company.example.com"
	access, _, err := minter.Mint(t.Context(), keys.AccessTokenClaims{
		Issuer: issuer, Audience: keys.Audience{issuer + "/" + long(40), issuer}, Subject: m.User.ID, SessionKey: long(43),
		ClientID: long(64), Scope: strings.Join(claims.Scopes(), " "), AuthTime: time.Now().Unix(),
		ACR: claims.ACR(false), AMR: claims.AMR(false), GrantID: long(22),
		Member: claims.ForAccessToken(m, r, claims.Scopes()).Map(),
	}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	id, err := minter.MintIDToken(t.Context(), keys.IDTokenClaims{
		Issuer: issuer, Audience: long(64), Subject: m.User.ID, SessionID: long(43), Nonce: long(512),
		AuthTime: time.Now().Unix(), ACR: claims.ACR(false), AMR: claims.AMR(false),
		Member: claims.ForIDToken(m, r, claims.Scopes(), claims.Request{}).Map(),
	}, access)
	if err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{"access token": access, "ID token": id} {
		if len(token) >= 4096 {
			t.Errorf("%s with %d roles: %d bytes", name, roles, len(token))
		}
	}
}

func TestGroupsNames(t *testing.T) {
	for _, name := range []string{"groups", "roles", "departments", "teams", "cognito:groups", "https://corp.example/groups", "memberOf"} {
		if !claims.IsGroupsName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{
		"", "sub", "SUB", "iss", "aud", "client_id", "azp", "grant_id", "nonce", "email", "Email_Verified", "name", "phone_number",
		"groups_truncated", "active", "a b", "群组", "a\"", strings.Repeat("x", 65),
	} {
		if claims.IsGroupsName(name) {
			t.Errorf("%q is taken", name)
		}
	}
	for _, name := range claims.Names() {
		if name != "sub" && keys.IsReserved(name) {
			t.Errorf("tokens leave out %s", name)
		}
	}
}

func TestKnownScopes(t *testing.T) {
	got := claims.KnownScopes([]string{"groups", "address", "openid", "groups", "OPENID"})
	if diff := cmp.Diff([]string{"openid", "groups"}, got); diff != "" {
		t.Error(diff)
	}
}
