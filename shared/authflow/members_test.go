package authflow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const zhangsanPhone, otherPhone = "+8613800000001", "+8613800000002"

// bound is a user who is the member of the fixture's visitor.
func (h *fixture) bound(t *testing.T) store.User {
	t.Helper()
	return h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "demo"}}
	})
}

// inBrowser is a callback outside of WeCom's client.
func inBrowser(r *CallbackRequest) { r.InWeCom, r.Attempt.InWeCom = false, false }

func (h *fixture) isActive(t *testing.T, r CallbackResult) bool {
	t.Helper()
	_, err := h.Sessions.Check(t.Context(), SessionRef{ID: r.SessionID, UserID: r.UserID})
	if err != nil && !apierr.Is(err, apierr.Unauthorized) {
		t.Fatal(err)
	}
	return err == nil
}

func (h *fixture) identity(t *testing.T, userID string) store.Identity {
	t.Helper()
	u, err := h.store.User(t.Context(), userID)
	if err != nil {
		t.Fatal(err)
	}
	i, _ := u.IdentityIn(corpID)
	return i
}

// leaves has WeCom say that the member is gone, and time pass until the next check.
func (h *fixture) leaves() {
	h.now = h.now.Add(25 * time.Hour)
	h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: wecom.UserNotFound}
}

func TestReturningMemberCostsTwoCallsOnceADay(t *testing.T) {
	h := newFixture(t)
	user := h.bound(t)
	for _, step := range []struct {
		after    time.Duration
		interval time.Duration
		want     string
	}{
		{24*time.Hour - time.Second, 24 * time.Hour, "getuserinfo"},
		{time.Second, 24 * time.Hour, "getuserinfo user/get"},
		{time.Hour, 24 * time.Hour, "getuserinfo"},
		{time.Second, 0, "getuserinfo user/get"},
	} {
		h.wecom.calls, h.CheckInterval, h.now = nil, step.interval, h.now.Add(step.after)
		h.mustComplete(t, h.callback(t, nil))
		if got := h.wecom.count(); got != step.want {
			t.Errorf("after %s: %s, want %s", step.after, got, step.want)
		}
	}
	if i := h.identity(t, user.ID); !i.CheckedAt.Equal(h.now) {
		t.Errorf("%+v", i)
	}
}

func TestFirstSignInCountsAsACheck(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	h.Members.(*members.Checker).Rules = &scriptedRules{evaluation: members.Evaluation{Departments: []store.Department{{ID: 12, Leader: true}}}}
	result := h.mustComplete(t, h.callback(t, nil))
	i := h.identity(t, result.UserID)
	if !i.CheckedAt.Equal(h.now) || len(i.Departments) != 1 || i.Departments[0].ID != 12 || !i.Departments[0].Leader || i.Name != "张三" {
		t.Errorf("%+v", i)
	}
	h.wecom.calls = nil
	h.mustComplete(t, h.callback(t, nil))
	if got := h.wecom.count(); got != "getuserinfo" {
		t.Errorf("the next sign-in costs %s", got)
	}
}

// The phone came from WeCom a moment before user/get said that it knows no such member.
func TestUserGetSaysNothingAgainstThePhoneOfAFirstSignIn(t *testing.T) {
	for _, code := range []int{60111, 60011, 60020, -1} {
		h := newFixture(t)
		h.wecom.withUserTicket()
		h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: code}
		result := h.mustComplete(t, h.callback(t, nil))
		if i := h.identity(t, result.UserID); !i.CheckedAt.IsZero() || i.IsGone() || !h.isActive(t, result) {
			t.Errorf("%d: %+v", code, i)
		}
		h.wecom.calls, h.wecom.nameErr = nil, nil
		h.mustComplete(t, h.callback(t, nil))
		if got := h.wecom.count(); got != "getuserinfo user/get" {
			t.Errorf("%d: the next sign-in costs %s", code, got)
		}
	}
}

// Who left is unknown, and everything that had begun has ended.
func TestAGoneMemberMustShowThePhoneAgain(t *testing.T) {
	h := newFixture(t)
	user := h.bound(t)
	before := h.mustComplete(t, h.callback(t, nil))
	h.leaves()
	h.now = h.now.Add(-20 * time.Hour) // the session is not over
	h.CheckInterval = time.Hour
	_, err := h.Complete(t.Context(), h.callback(t, inBrowser))
	wantError(t, err, apierr.FirstSignInInWeCom)
	if h.isActive(t, before) || len(h.ended) != 1 || h.ended[0] != user.ID {
		t.Errorf("the session of a leaver goes on; told: %q", h.ended)
	}
	gone := h.identity(t, user.ID)
	if !gone.GoneAt.Equal(h.now) || gone.GoneReason != store.GoneNotFound {
		t.Errorf("%+v", gone)
	}

	// In the client the phone is asked for at once: no further user/get.
	h.wecom.calls = nil
	ask := h.mustComplete(t, h.callback(t, nil))
	if ask.Redirect == nil || ask.Redirect.Attempt.Scope != wecom.ScopePrivateInfo || h.wecom.count() != "getuserinfo" {
		t.Fatalf("%+v after %s", ask, h.wecom.count())
	}
	h.wecom.withUserTicket()
	h.wecom.nameErr = nil
	h.now = h.now.Add(time.Minute)
	back := h.mustComplete(t, h.back(*ask.Redirect, nil))
	i := h.identity(t, user.ID)
	if back.UserID != user.ID || i.IsGone() || i.GoneReason != "" || !i.BoundAt.Equal(h.now) || !h.isActive(t, back) || h.isActive(t, before) {
		t.Errorf("signed in as %s; %+v", back.UserID, i)
	}
}

// Attack: a userid given to somebody else inherits the account.
func TestAttackUseridOfALeaverShowsAnotherPhone(t *testing.T) {
	h := newFixture(t)
	user := h.bound(t)
	h.leaves()
	_, err := h.Complete(t.Context(), h.callback(t, inBrowser))
	wantError(t, err, apierr.FirstSignInInWeCom)
	h.wecom.withUserTicket()
	h.wecom.nameErr, h.wecom.detail.Mobile = nil, "13800000002"
	heir := h.mustComplete(t, h.callback(t, nil))
	if heir.UserID == user.ID || !h.isActive(t, heir) {
		t.Fatalf("signed in as %s", heir.UserID)
	}
	if i := h.identity(t, user.ID); !i.IsGone() || i.WeComUserID != "zhangsan" {
		t.Errorf("the gone identity does not stay: %+v", i)
	}
	// The leaver's number comes back with the userid that is somebody else's now.
	h.wecom.detail.Mobile = "13800000001"
	if again := h.mustComplete(t, h.callback(t, nil)); again.UserID != heir.UserID {
		t.Errorf("signed in as %s", again.UserID)
	}
}

// Attack: a partner company makes a member with the phone of an employee who has left, for the
// account, whose roles by rules ended with the employee and hold nobody off any more.
func TestAttackPartnerTakesOverTheAccountOfALeaver(t *testing.T) {
	h := newFixture(t)
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	user := h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{{
			CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "demo",
			Access: []store.MemberAccess{{AuthenticatorID: demo.ID, AuthenticatorName: "demo", Roles: []string{"finance"}}},
		}}
	})
	partner := store.Authenticator{ID: "partner", Name: "partner", Enabled: true, CorpID: "wwpartner", Origin: "https://partner.example.com", WorkbenchRedirectPath: "/", Generation: "g", AutoSignup: true, Version: 1}
	if err := h.store.CreateAuthenticator(t.Context(), partner); err != nil {
		t.Fatal(err)
	}
	h.leaves()
	_, err = h.Complete(t.Context(), h.callback(t, inBrowser))
	wantError(t, err, apierr.FirstSignInInWeCom)
	left, err := h.store.User(t.Context(), user.ID)
	if err != nil || left.HasRoles() || !left.Identities[0].IsGone() {
		t.Fatalf("%+v, %v", left, err)
	}
	h.wecom.withUserTicket()
	h.wecom.nameErr = nil
	comes := func() (CallbackResult, error) {
		redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "partner", PublicURL: publicURL, InWeCom: true})
		if err != nil {
			t.Fatal(err)
		}
		return h.Complete(t.Context(), h.back(redirect, func(r *CallbackRequest) { r.Authenticator = "partner" }))
	}
	_, err = comes()
	wantError(t, err, apierr.PhoneInUse)
	u, err := h.store.User(t.Context(), user.ID)
	if err != nil || u.PhoneConflict == nil || u.PhoneConflict.CorpID != "wwpartner" || len(u.Identities) != 1 {
		t.Fatalf("%+v, %v", u, err)
	}
	// It was the same person: the administrator unbinds the old identity.
	unbound := u
	unbound.Identities, unbound.Version = nil, u.Version+1
	if err := h.store.UpdateUser(t.Context(), u, unbound); err != nil {
		t.Fatal(err)
	}
	if result, err := comes(); err != nil || result.UserID != user.ID {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestNewUseridWithThePhoneOfALeaverWaitsForAnAdministrator(t *testing.T) {
	h := newFixture(t)
	user := h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan1", Authenticator: "demo", GoneAt: h.now, GoneReason: store.GoneLeft}}
	})
	h.wecom.withUserTicket()
	_, err := h.Complete(t.Context(), h.callback(t, nil))
	wantError(t, err, apierr.PhoneInUse)
	u, err := h.store.User(t.Context(), user.ID)
	if err != nil || u.PhoneConflict == nil || u.PhoneConflict.WeComUserID != "ZhangSan" || !u.Identities[0].IsGone() {
		t.Fatalf("%+v, %v", u, err)
	}
	unbound := u
	unbound.Identities, unbound.Version = nil, u.Version+1
	if err := h.store.UpdateUser(t.Context(), u, unbound); err != nil {
		t.Fatal(err)
	}
	if result := h.mustComplete(t, h.callback(t, nil)); result.UserID != user.ID {
		t.Errorf("signed in as %s", result.UserID)
	}
}

// Another app of the corp does not see the member any more, though the one that bound the
// identity does.
func TestGoneForOneAppTakesThatUsersPhone(t *testing.T) {
	for name, test := range map[string]struct {
		mobile string
		others bool // somebody else has the phone
		want   apierr.Code
	}{
		"that user's phone":                 {"13800000001", false, ""},
		"attack: somebody else's phone":     {"13800000002", true, apierr.PhoneInUse},
		"attack: a phone nobody has as yet": {"13800000002", false, apierr.PhoneInUse},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			user := h.user(t, zhangsanPhone, func(u *store.User) {
				u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "main"}}
			})
			if test.others {
				h.user(t, otherPhone, func(*store.User) {})
			}
			if err := h.store.CreateAuthenticator(t.Context(), store.Authenticator{ID: "main", Name: "main", Enabled: true, CorpID: corpID, Version: 1}); err != nil {
				t.Fatal(err)
			}
			h.leaves()
			_, err := h.Complete(t.Context(), h.callback(t, inBrowser))
			wantError(t, err, apierr.FirstSignInInWeCom)
			h.wecom.withUserTicket()
			h.wecom.nameErr, h.wecom.detail.Mobile = nil, test.mobile
			result, err := h.Complete(t.Context(), h.callback(t, nil))
			if test.want != "" {
				wantError(t, err, test.want)
				return
			}
			if err != nil || result.UserID != user.ID || !h.isActive(t, result) {
				t.Fatalf("%+v, %v", result, err)
			}
			h.wecom.visitor.UserTicket = ""
			if again := h.mustComplete(t, h.callback(t, inBrowser)); again.UserID != user.ID || h.identity(t, user.ID).Authenticator != "main" {
				t.Errorf("%+v", again)
			}
		})
	}
}

// Attack: the app that bound the identity says that the member is disabled. Another app of the
// corp, which does not see the member, gets the phone and makes the member active again.
func TestAttackAnotherAppsPhoneUndoesDisabled(t *testing.T) {
	h := newFixture(t)
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	user := h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{{
			CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "main", DisabledAt: h.now,
			Access: []store.MemberAccess{{AuthenticatorID: demo.ID, GoneAt: h.now}},
		}}
	})
	h.wecom.withUserTicket()
	h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: wecom.UserNotFound}
	_, err = h.Complete(t.Context(), h.callback(t, nil))
	wantError(t, err, apierr.UserDisabled)
	if h.identity(t, user.ID).DisabledAt.IsZero() {
		t.Error("the member is active")
	}
	h.wecom.nameErr = nil // now it sees the member, who is active
	h.mustComplete(t, h.callback(t, nil))
}

// scriptedRules say the same of everybody.
type scriptedRules struct {
	evaluation members.Evaluation
	err        error
}

func (r *scriptedRules) Evaluate(context.Context, store.Authenticator, wecom.Member, []store.FormerUserID) (members.Evaluation, error) {
	return r.evaluation, r.err
}

func TestWhoIsKeptOut(t *testing.T) {
	code := func(code int) func(*fixture) {
		return func(h *fixture) { h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: code} }
	}
	unread := func(err error) func(*fixture) {
		return func(h *fixture) {
			h.Members.(*members.Checker).Rules = &scriptedRules{err: err}
		}
	}
	allow := store.Allow{Departments: []int64{12}}
	for _, test := range []struct {
		name  string
		allow store.Allow
		set   func(*fixture)
		want  apierr.Code // "" lets in
		// first is the same for a first sign-in, where it differs.
		first apierr.Code
	}{
		{"disabled", store.Allow{}, func(h *fixture) { h.wecom.member.Status = 2 }, apierr.UserDisabled, apierr.UserDisabled},
		{"left", store.Allow{}, func(h *fixture) { h.wecom.member.Status = 5 }, apierr.PhoneNotShared, apierr.UserDisabled},
		{"not activated", store.Allow{}, func(h *fixture) { h.wecom.member.Status = 4 }, "", ""},
		{"no status", store.Allow{}, func(h *fixture) { h.wecom.member.Status = 0 }, "", ""},
		{"member needed, a status nobody knows", allow, func(h *fixture) { h.wecom.member.Status = 3 }, apierr.WeComUnavailable, apierr.WeComUnavailable},
		{"no answer", store.Allow{}, code(-1), "", ""},
		{"address not trusted", store.Allow{}, code(60020), "", ""},
		{"tree not read and not needed", store.Allow{}, unread(&wecom.Error{Op: "department/simplelist", Code: 60011}), "", ""},
		{"not in an allowed department", allow, func(*fixture) {}, apierr.NotAllowed, apierr.NotAllowed},
		{"in an allowed department", allow, func(h *fixture) {
			h.Members.(*members.Checker).Rules = &scriptedRules{evaluation: members.Evaluation{Allowed: true}}
		}, "", ""},
		{"tree needed, WeCom busy", allow, unread(&wecom.Error{Op: "department/simplelist", Code: 45009}), apierr.WeComBusy, apierr.WeComBusy},
		{"tree needed, WeCom down", allow, unread(&wecom.UnavailableError{Op: "department/simplelist"}), apierr.WeComUnavailable, apierr.WeComUnavailable},
		{"tree needed, address not trusted", allow, unread(&wecom.Error{Op: "department/simplelist", Code: 60020}), apierr.WeComUnavailable, apierr.WeComUnavailable},
		{"tree needed, the cache is down", allow, unread(errors.New("the store is down")), apierr.WeComUnavailable, apierr.WeComUnavailable},
		{"member needed, WeCom busy", allow, code(45033), apierr.WeComBusy, apierr.WeComBusy},
		{"member needed, first sign-in of somebody unknown", allow, code(60111), apierr.PhoneNotShared, apierr.WeComUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			h.authenticator(t, func(a *store.Authenticator) {
				if a.Allow = test.allow; !a.Allow.IsEmpty() {
					a.RulesVersion = "rules"
				}
			})
			known := h.bound(t)
			h.now = h.now.Add(25 * time.Hour)
			test.set(h)
			if !test.allow.IsEmpty() { // checked under other rules
				u, err := h.store.User(t.Context(), known.ID)
				i, _ := u.IdentityIn(corpID)
				access := i.Access[0]
				access.RulesVersion = "old"
				to := u.WithIdentity(i.WithAccess(access))
				to.Version++
				if err := errors.Join(err, h.store.UpdateUser(t.Context(), u, to)); err != nil {
					t.Fatal(err)
				}
			}
			result, err := h.Complete(t.Context(), h.callback(t, func(r *CallbackRequest) { r.Attempt.Scope = wecom.ScopePrivateInfo }))
			switch {
			case test.want != "":
				wantError(t, err, test.want)
			case err != nil || result.UserID != known.ID:
				t.Errorf("%+v, %v", result, err)
			}

			h.wecom.visitor.UserID, h.wecom.visitor.UserTicket = "lisi", "TICKET"
			h.wecom.detail.UserID, h.wecom.detail.Mobile, h.wecom.member.UserID = "lisi", "13800000002", "lisi"
			result, err = h.Complete(t.Context(), h.callback(t, nil))
			_, there := h.store.UserByPhone(t.Context(), otherPhone)
			switch {
			case test.first != "":
				wantError(t, err, test.first)
				if !errors.Is(there, store.ErrNotFound) {
					t.Error("a refusal made a user")
				}
			case err != nil || there != nil:
				t.Errorf("first sign-in: %+v, %v, %v", result, err, there)
			}
		})
	}
}

// Who is disabled in WeCom stays so while WeCom does not answer.
func TestADisabledMemberIsKeptOutWhileWeComIsDown(t *testing.T) {
	h := newFixture(t)
	h.bound(t)
	h.now = h.now.Add(25 * time.Hour)
	h.wecom.member.Status = 2
	_, err := h.Complete(t.Context(), h.callback(t, nil))
	wantError(t, err, apierr.UserDisabled)
	h.wecom.nameErr = &wecom.UnavailableError{Op: "user/get"}
	_, err = h.Complete(t.Context(), h.callback(t, nil))
	wantError(t, err, apierr.UserDisabled)
	h.wecom.nameErr, h.wecom.member.Status = nil, 1
	h.mustComplete(t, h.callback(t, nil))
}

// Attack: a sign-in that has read the member just before a check ends the access.
func TestAttackCheckEndsTheMemberInTheMiddleOfASignIn(t *testing.T) {
	for name, end := range map[string]func(*fixture, *store.Authenticator){
		"gone":        func(h *fixture, _ *store.Authenticator) { h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: 60111} },
		"disabled":    func(h *fixture, _ *store.Authenticator) { h.wecom.member.Status = 2 },
		"not allowed": func(_ *fixture, a *store.Authenticator) { a.Allow = store.Allow{Tags: []int64{3}} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.bound(t)
			req := h.callback(t, nil)
			h.Store = beforeSession{h.store, func() {
				a, err := h.store.Authenticator(t.Context(), "demo")
				if err != nil {
					t.Fatal(err)
				}
				end(h, &a)
				if _, err := h.Members.(*members.Checker).Check(t.Context(), a, "zhangsan"); err != nil {
					t.Error(err)
				}
			}}
			if result := h.mustComplete(t, req); h.isActive(t, result) {
				t.Error("the session lives")
			}
		})
	}
}

// Two companies: who leaves one goes on in the other.
func TestLeavingOneCompanyEndsNothingInTheOther(t *testing.T) {
	h := newFixture(t)
	user := h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{
			{CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "demo"}, {CorpID: "wwpartner", WeComUserID: "zhangsan", Authenticator: "partner"},
		}
	})
	partner := store.Authenticator{ID: "partner", Name: "partner", Enabled: true, CorpID: "wwpartner", Origin: "https://partner.example.com", WorkbenchRedirectPath: "/", Generation: "g", Version: 1}
	if err := h.store.CreateAuthenticator(t.Context(), partner); err != nil {
		t.Fatal(err)
	}
	redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "partner", PublicURL: publicURL, InWeCom: true})
	if err != nil {
		t.Fatal(err)
	}
	abroad := h.mustComplete(t, h.back(redirect, func(r *CallbackRequest) { r.Authenticator = "partner" }))
	here := h.mustComplete(t, h.callback(t, nil))
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: 60111}
	if _, err := h.Members.(*members.Checker).Check(t.Context(), demo, "zhangsan"); err != nil {
		t.Fatal(err)
	}
	if h.isActive(t, here) || !h.isActive(t, abroad) || abroad.UserID != user.ID {
		t.Errorf("active here %v, in the other company %v", h.isActive(t, here), h.isActive(t, abroad))
	}
}
