package oauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// partner creates an authenticator of another corp, and signs in a member of it whose userid
// is that of the bench's member.
func (b *bench) partner(enabled bool) *oauth.Session {
	b.Helper()
	b.must(b.store.CreateAuthenticator(b.Context(), store.Authenticator{
		ID: "auth-id2", Name: "partner", Enabled: enabled, CorpID: "ww2", Generation: "auth-g", Version: 1,
	}))
	u := store.User{
		ID: store.NewUserID(b.Now()), Phone: "+8613900000002", Name: "Mallory", Enabled: true, SessionGeneration: 3, Version: 1,
		Identities: []store.Identity{{CorpID: "ww2", WeComUserID: b.user.Identities[0].WeComUserID}},
	}
	b.must(b.store.CreateUser(b.Context(), u))
	s := b.signIn(u, "lineage of the partner")
	s.Session.AuthenticatorName, s.Session.AuthenticatorID, s.Session.CorpID = "partner", "auth-id2", "ww2"
	return s
}

// TestAttackPartnerWithAnEmployeesUserID: a partner's directory gives somebody the userid of
// an employee. An application that knows its users by user name or address must not take one
// for the other, wherever it reads the claims.
func TestAttackPartnerWithAnEmployeesUserID(t *testing.T) {
	const name, email = "preferred_username=ZhangSan", "email=ZhangSan@corp.example email_verified=true"
	for _, test := range []struct {
		name           string
		authenticators []string
		partner        string // "", "enabled", "disabled"
		employee       string
		member         string // of the partner
	}{
		{"one company", nil, "", name + " " + email, ""},
		{"two companies", nil, "enabled", "", ""},
		{"two companies by name", []string{"corp", "partner"}, "enabled", "", ""},
		{"two companies, one switched off just now", nil, "disabled", "", ""},
		{"the application is the company's own", []string{"corp"}, "enabled", name + " " + email, ""},
		{"the application is the company's own, and an authenticator is gone", []string{"gone", "corp"}, "enabled", name + " " + email, ""},
		{"the application is the partner's", []string{"partner"}, "enabled", "", name + " " + email},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.change("wiki", func(a *store.Application) {
				a.Authenticators, a.Claims.Email, a.Claims.EmailTemplate = test.authenticators, "template", "{wecom_userid}@corp.example"
			})
			sessions := map[*oauth.Session]string{b.session: test.employee}
			if test.partner != "" {
				sessions[b.partner(test.partner == "enabled")] = test.member
			}
			for session, want := range sessions {
				d := b.decide(oauth.AuthorizeInput{Session: session, RawQuery: query(
					"scope", "openid profile email", "claims", `{"id_token":{"email":null},"userinfo":{"preferred_username":{"essential":true}}}`,
				)})
				if d.Kind == oauth.SignIn {
					continue
				}
				tokens, err := b.exchange(b.answer(d).Get("code"))
				if _, refused := oauth.RefusalOf(err); refused && test.partner == "disabled" && session != b.session {
					continue
				}
				b.must(err)
				refreshed, err := b.refresh(tokens.RefreshToken)
				b.must(err)
				userinfo, err := b.userInfo(tokens.AccessToken)
				b.must(err)
				introspection, err := b.Introspect(t.Context(), b.as("wiki", form("token", tokens.AccessToken)))
				b.must(err)
				for where, told := range map[string]map[string]any{
					"ID token": b.claimsOf(tokens.IDToken), "access token": b.claimsOf(tokens.AccessToken),
					"ID token of a refresh": b.claimsOf(refreshed.IDToken), "userinfo": userinfo, "introspection": introspection,
				} {
					if diff := cmp.Diff(want, namesIn(told)); diff != "" {
						t.Errorf("%s of %s (-want +got):\n%s", where, session.User.Name, diff)
					}
					// The userid itself stands beside its corp.
					if told["wecom_userid"] != "ZhangSan" || told["corp_id"] != session.Session.CorpID {
						t.Errorf("%s: %v of %v", where, told["wecom_userid"], told["corp_id"])
					}
				}
			}
		})
	}
}

func namesIn(told map[string]any) string {
	var names []string
	for _, name := range []string{"preferred_username", "email", "email_verified"} {
		if value, there := told[name]; there {
			names = append(names, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return strings.Join(names, " ")
}

// TestAttackRefusalsOfAFormerMember: the refresh token of somebody whose access has ended
// writes no list full, and pushes nothing out of it.
func TestAttackRefusalsOfAFormerMember(t *testing.T) {
	b := newBench(t)
	token := b.tokens("scope", "openid offline_access").RefreshToken
	b.changeUser(func(u *store.User) { u.Enabled = false })
	b.store.reset()
	for range 100 {
		_, err := b.refresh(token)
		b.refused(err, oauth.InvalidGrant, oauth.CauseUserEnded)
	}
	written := slices.DeleteFunc(slices.Clone(b.store.calls), func(call string) bool { return call == "GrantState" })
	if diff := cmp.Diff([]string{"RecordApplicationEvent"}, written); diff != "" {
		t.Errorf("100 requests write (-want +got):\n%s", diff)
	}
	b.pass(10 * time.Second)
	_, _ = b.refresh(token)
	if got := b.causes("wiki"); len(got) != 3 {
		t.Errorf("administrators see %v", got)
	}
}

// TestAttackClaimRenamedAfterConsent: a claim that an application asked for by a name which
// meant nothing is not told when the name comes to mean the member's groups.
func TestAttackClaimRenamedAfterConsent(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	rawQuery := query("client_id", third.ID, "scope", "openid offline_access", "claims", `{"userinfo":{"team":null}}`)
	d := b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: oauth.Agreed, Proof: b.authorize(rawQuery).Consent.Proof})
	tokens, err := b.Token(t.Context(), b.as("third", form(
		"grant_type", "authorization_code", "code", b.answer(d).Get("code"), "redirect_uri", redirect, "code_verifier", verifier)))
	b.must(err)
	b.change("third", func(a *store.Application) { a.Claims.GroupsName = "team" })
	told, err := b.userInfo(tokens.AccessToken)
	b.refused(err, oauth.InvalidToken, oauth.CauseConsentMissing)
	if told != nil {
		t.Errorf("told %v", told)
	}
}

// TestAttackCodeAfterSignOut: who has seen a code in the address bar of a shared computer
// has nothing once the member has signed out, not even of an application that would go on
// without the session.
func TestAttackCodeAfterSignOut(t *testing.T) {
	for _, scope := range []string{"openid", "openid offline_access"} {
		onBothEngines(t, func(b *bench) {
			code, taken := b.code("scope", scope), b.tokens("scope", "openid offline_access")
			_, err := b.store.EndLineage(b.Context(), "lineage")
			b.must(err)
			_, err = b.exchange(code)
			b.refused(err, oauth.InvalidGrant, oauth.CauseSessionEnded)
			_, err = b.refresh(taken.RefreshToken)
			b.must(err)
		})
	}
}

// TestAttackScriptInAPage: the refresh token that a foreign script finds in a page is worth
// nothing once the member has signed out, whatever the page has asked for.
func TestAttackScriptInAPage(t *testing.T) {
	b := newBench(t)
	const page = "https://page.example.com/"
	d := b.authorize(query("client_id", "page", "redirect_uri", page, "scope", "openid offline_access"))
	tokens, err := b.Token(t.Context(), oauth.TokenInput{Call: b.call(), Body: form(
		"client_id", "page", "grant_type", "authorization_code", "code", b.answer(d).Get("code"), "redirect_uri", page, "code_verifier", verifier)})
	b.must(err)
	if tokens.Scope != "openid" {
		t.Errorf("granted %q", tokens.Scope)
	}
	_, err = b.store.EndLineage(t.Context(), "lineage")
	b.must(err)
	_, err = b.Token(t.Context(), oauth.TokenInput{Call: b.call(), Body: form("client_id", "page", "grant_type", "refresh_token", "refresh_token", tokens.RefreshToken)})
	b.refused(err, oauth.InvalidGrant, oauth.CauseSessionEnded)
}

// TestAttackWithdrawnGrantAfterNewConsent: what an application had before the member took
// the consent back stays dead when the member agrees once more. With the first consent,
// asked for again or for more, it lives.
func TestAttackWithdrawnGrantAfterNewConsent(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
		agree := func(scope string) oauth.TokenResponse {
			b.pass(time.Second)
			rawQuery := query("client_id", third.ID, "prompt", "consent", "scope", scope)
			d := b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: oauth.Agreed, Proof: b.authorize(rawQuery).Consent.Proof})
			tokens, err := b.Token(b.Context(), b.as("third", form(
				"grant_type", "authorization_code", "code", b.answer(d).Get("code"), "redirect_uri", redirect, "code_verifier", verifier)))
			b.must(err)
			return tokens
		}
		refresh := func(token string) error {
			_, err := b.Token(b.Context(), b.as("third", form("grant_type", "refresh_token", "refresh_token", token)))
			return err
		}
		old := agree("openid offline_access")
		agree("openid offline_access profile")
		if _, err := b.userInfo(old.AccessToken); err != nil {
			b.Errorf("ended by a consent to more: %v", err)
		}
		b.must(b.store.DeleteConsent(b.Context(), b.user.ID, third.ID))
		fresh := agree("openid offline_access profile")
		b.refused(refresh(old.RefreshToken), oauth.InvalidGrant, oauth.CauseConsentMissing)
		_, err := b.userInfo(old.AccessToken)
		b.refused(err, oauth.InvalidToken, oauth.CauseConsentMissing)
		b.must(refresh(fresh.RefreshToken))
	})
}

// TestAttackDepartmentNumberOfAnotherCompany: a partner's directory gives its member the
// number of the department that may use an application, and of the tag; or takes the place of
// the company whose number it was.
func TestAttackDepartmentNumberOfAnotherCompany(t *testing.T) {
	for name, test := range map[string]struct {
		authenticators []string
		allow          store.Allow
		allowCorp      string
		ours, theirs   bool
	}{
		"one company":                  {[]string{"corp"}, store.Allow{Departments: []int64{12}}, "ww1", true, false},
		"the partner's application":    {[]string{"partner"}, store.Allow{Departments: []int64{12}}, "ww2", false, true},
		"one company after another":    {[]string{"partner"}, store.Allow{Departments: []int64{12}}, "ww1", false, false},
		"nobody knows whose":           {[]string{"partner"}, store.Allow{Tags: []int64{7}}, "", false, false},
		"two companies, a department":  {nil, store.Allow{Departments: []int64{12}}, "ww1", false, false},
		"two companies, a tag":         {nil, store.Allow{Tags: []int64{7}}, "ww1", false, false},
		"two companies, or else roles": {nil, store.Allow{Tags: []int64{7}, Roles: []string{"editor"}}, "ww1", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			placed := func(u store.User) store.User {
				to := u
				to.Identities = slices.Clone(u.Identities)
				to.Identities[0].Departments, to.Identities[0].Tags = []store.Department{{ID: 12}}, []int64{7}
				return to
			}
			theirs, ours := b.partner(true), b.session
			theirs.User, ours.User = placed(theirs.User), placed(ours.User)
			b.change("wiki", func(a *store.Application) {
				a.Authenticators, a.Allow, a.AllowCorpID = test.authenticators, test.allow, test.allowCorp
			})
			for session, want := range map[*oauth.Session]bool{ours: test.ours, theirs: test.theirs} {
				b.session = session
				if d := b.authorize(query()); (d.Kind == oauth.RedirectBack) != want {
					t.Errorf("%s: kind %d", session.Session.CorpID, d.Kind)
				}
			}
		})
	}
}

// TestAttackRolesOfAnotherCompany: a partner's member, who has the account of an employee by a
// phone, has the roles that the rules of the employee's company give, where an application looks:
// tokens, userinfo, introspection, proxies, and its allow.
func TestAttackRolesOfAnotherCompany(t *testing.T) {
	b := newBench(t)
	b.changeAuthenticator(func(a *store.Authenticator) { a.RoleRules = []store.RoleRule{{Leader: true, Role: "lead"}} })
	for name, corp := range map[string]string{"second": "ww1", "partner": "ww2"} {
		b.must(b.store.CreateAuthenticator(t.Context(), store.Authenticator{
			ID: "id of " + name, Name: name, Enabled: true, CorpID: corp, Generation: "auth-g", Version: 1, RoleRules: []store.RoleRule{{Department: 12, Role: "by-" + name}},
		}))
	}
	b.changeUser(func(u *store.User) {
		u.Identities = []store.Identity{
			{CorpID: "ww1", WeComUserID: "ZhangSan", Access: []store.MemberAccess{
				{AuthenticatorID: "auth-id", AuthenticatorName: "corp", Roles: []string{"lead"}},
				{AuthenticatorID: "id of second", AuthenticatorName: "second", Roles: []string{"by-second"}},
			}},
			{CorpID: "ww2", WeComUserID: "san.zhang", Access: []store.MemberAccess{
				{AuthenticatorID: "id of partner", AuthenticatorName: "partner", Roles: []string{"by-partner"}},
			}},
		}
	})
	b.change("proxied", func(a *store.Application) { a.ForwardAuthToken = true })
	user, err := b.store.User(t.Context(), b.user.ID)
	b.must(err)
	session := func(authenticator, id, corp, wecomUserID string) *oauth.Session {
		s := b.signIn(user, "lineage of "+authenticator)
		s.Session.AuthenticatorName, s.Session.AuthenticatorID, s.Session.CorpID, s.Session.WeComUserID = authenticator, id, corp, wecomUserID
		s.User, err = store.WithWeComRoles(t.Context(), b.store, user, corp) // as package authflow does
		b.must(err)
		return s
	}
	for _, test := range []struct {
		session  *oauth.Session
		want     string
		mayEnter map[string]bool // by the role that an application is open to
	}{
		{session("corp", "auth-id", "ww1", "ZhangSan"), "editor lead by-second", map[string]bool{"editor": true, "lead": true, "by-second": true, "by-partner": false}},
		{session("second", "id of second", "ww1", "ZhangSan"), "editor lead by-second", map[string]bool{"editor": true, "lead": true, "by-second": true, "by-partner": false}},
		{session("partner", "id of partner", "ww2", "san.zhang"), "editor by-partner", map[string]bool{"editor": true, "lead": false, "by-second": false, "by-partner": true}},
	} {
		name := test.session.Session.AuthenticatorName
		b.session = test.session
		tokens := b.tokens("scope", "openid groups")
		userinfo, err := b.userInfo(tokens.AccessToken)
		b.must(err)
		introspection, err := b.Introspect(t.Context(), b.as("wiki", form("token", tokens.AccessToken)))
		b.must(err)
		refreshed, err := b.refresh(tokens.RefreshToken)
		b.must(err)
		cookie := b.proxyCookie("proxied")
		access, err := b.check("proxied", cookie)
		b.must(err)
		b.SessionDomain = "example.com"
		shared, err := b.checkSession("proxied", test.session)
		b.must(err)
		b.SessionDomain = ""
		for where, told := range map[string]any{
			"ID token": b.claimsOf(tokens.IDToken)["roles"], "access token": b.claimsOf(tokens.AccessToken)["roles"],
			"userinfo": userinfo["roles"], "introspection": introspection["roles"], "ID token of a refresh": b.claimsOf(refreshed.IDToken)["roles"],
			"token of a proxy": b.claimsOf(access.Token)["roles"], "token of a shared session": b.claimsOf(shared.Token)["roles"],
			"header": strings.Fields(fmt.Sprint(headersOf(access)["X-Auth-Roles"])), "header of a shared session": strings.Fields(fmt.Sprint(headersOf(shared)["X-Auth-Roles"])),
		} {
			if got := fmt.Sprint(told); got != "["+test.want+"]" {
				t.Errorf("by %s, %s: roles %s, want %s", name, where, got, test.want)
			}
		}
		for role, want := range test.mayEnter {
			for _, id := range []string{"wiki", "proxied"} {
				b.change(id, func(a *store.Application) { a.Allow.Roles = []string{role} })
			}
			_, byToken := b.userInfo(tokens.AccessToken)
			_, byCookie := b.check("proxied", cookie)
			entered := b.authorize(query()).Kind == oauth.RedirectBack
			may, err := oauth.MayUse(t.Context(), b.store, b.proxied("proxied"), test.session.User, test.session.Session.CorpID, name)
			b.must(err)
			if got := []bool{byToken == nil, byCookie == nil, entered, may}; !slices.Equal(got, []bool{want, want, want, want}) {
				t.Errorf("by %s, open to %s: token, proxy, sign-in, launcher %v, want %v", name, role, got, want)
			}
			for _, id := range []string{"wiki", "proxied"} {
				b.change(id, func(a *store.Application) { a.Allow.Roles = nil })
			}
		}
	}
}
