package authflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// elsewhere makes the authenticator of that name, of another corp.
func (h *fixture) elsewhere(t *testing.T, corpID string) store.Authenticator {
	t.Helper()
	a := store.Authenticator{
		ID: "elsewhere", Name: "elsewhere", Enabled: true, CorpID: corpID,
		Origin: "https://elsewhere.example.com", WorkbenchRedirectPath: "/", Generation: "g", AutoSignup: true, Version: 1,
	}
	if err := h.store.CreateAuthenticator(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// firstCorp is a WeCom whose first corp answers by itself.
type firstCorp struct {
	*scriptedWeCom
	tokenErr error
	asked    []string
	status   int
	err      error
	meantime func()
}

const firstCorpID = "wwfirst"

func (w *firstCorp) Token(ctx context.Context, app accesstoken.App) (secret.Value, error) {
	if app.CorpID != firstCorpID {
		return w.scriptedWeCom.Token(ctx, app)
	}
	return secret.NewValue(app.CorpID), w.tokenErr
}

func (w *firstCorp) Member(ctx context.Context, token secret.Value, userID string) (wecom.Member, error) {
	if token.IsEmpty() {
		return w.scriptedWeCom.Member(ctx, token, userID)
	}
	w.asked = append(w.asked, userID)
	if w.meantime != nil {
		w.meantime()
	}
	return wecom.Member{UserID: userID, Name: "张三", Status: w.status}, w.err
}

// rulesElsewhere are those of the first corp; the other has none.
type rulesElsewhere scriptedRules

func (r *rulesElsewhere) Evaluate(_ context.Context, a store.Authenticator, _ wecom.Member, _ []store.FormerUserID) (members.Evaluation, error) {
	if a.CorpID != firstCorpID {
		return members.Evaluation{Allowed: true}, nil
	}
	return r.evaluation, r.err
}

// Attack: a partner company makes a member with the phone of an employee who has left, before
// anybody has asked WeCom about the leaver.
func TestAttackPartnerIsFasterThanTheCheckOfALeaver(t *testing.T) {
	answered := func(code int) error { return &wecom.Error{Op: "user/get", Code: code} }
	rules := func(a *store.Authenticator) {
		a.RoleRules, a.RulesVersion = []store.RoleRule{{Department: 12, Role: "finance"}}, "rules"
	}
	for _, test := range []struct {
		name   string
		first  firstCorp
		rules  rulesElsewhere
		change func(*store.Authenticator) // the first corp's
		age    time.Duration              // of the last check; 0: a day
		want   apierr.Code                // "" links
		asked  int
		gone   bool
	}{
		{name: "has left", first: firstCorp{status: wecom.MemberLeft}, want: apierr.PhoneInUse, asked: 1, gone: true},
		{name: "not found", first: firstCorp{err: answered(60111)}, want: apierr.PhoneInUse, asked: 1, gone: true},
		{name: "out of range", first: firstCorp{err: answered(60011)}, want: apierr.PhoneInUse, asked: 1, gone: true},
		{name: "disabled", first: firstCorp{status: wecom.MemberDisabled}, want: apierr.PhoneInUse, asked: 1, gone: true},
		{name: "is still there", first: firstCorp{status: wecom.MemberActive}, asked: 1},
		{name: "was there a moment ago", first: firstCorp{status: wecom.MemberLeft}, age: time.Millisecond, want: apierr.PhoneInUse, asked: 1, gone: true},
		{name: "is there, without access by the authenticator", first: firstCorp{status: wecom.MemberActive}, change: func(a *store.Authenticator) {
			a.Allow, a.RulesVersion = store.Allow{Departments: []int64{12}}, "rules"
		}, asked: 1},

		{name: "WeCom busy", first: firstCorp{err: answered(-1)}, want: apierr.WeComBusy, asked: 1},
		{name: "WeCom down", first: firstCorp{err: &wecom.UnavailableError{Op: "user/get"}}, want: apierr.WeComUnavailable, asked: 1},
		{name: "secret refused", first: firstCorp{tokenErr: answered(40001)}, want: apierr.WeComUnavailable},
		{name: "secret gone", first: firstCorp{tokenErr: secret.ErrNotFound}, want: apierr.WeComUnavailable},
		{name: "address not trusted", first: firstCorp{err: answered(60020)}, want: apierr.WeComUnavailable, asked: 1},
		{name: "a status nobody knows", first: firstCorp{status: 3}, want: apierr.WeComUnavailable, asked: 1},

		{
			name: "has a role by a rule by now", first: firstCorp{status: wecom.MemberActive}, change: rules,
			rules: rulesElsewhere{evaluation: members.Evaluation{Allowed: true, Roles: []string{"finance"}}}, want: apierr.PhoneInUse, asked: 1,
		},
		{
			name: "may have one", first: firstCorp{status: wecom.MemberActive}, change: rules,
			rules: rulesElsewhere{err: answered(-1)}, want: apierr.WeComBusy, asked: 1,
		},

		{name: "authenticator disabled", first: firstCorp{status: wecom.MemberActive}, change: func(a *store.Authenticator) { a.Enabled = false }, want: apierr.PhoneInUse},
		{name: "authenticator of another corp by now", first: firstCorp{status: wecom.MemberActive}, change: func(a *store.Authenticator) { a.CorpID = "wwnew" }, want: apierr.PhoneInUse},
		{name: "authenticator deleted", first: firstCorp{status: wecom.MemberActive}, change: func(a *store.Authenticator) { a.Name = "another" }, want: apierr.PhoneInUse},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			first := test.first
			first.scriptedWeCom = h.wecom
			checker := h.Members.(*members.Checker)
			checker.WeCom, checker.Tokens, checker.Rules = &first, &first, &test.rules
			employee := h.employee(t, test.change)
			if test.age == 0 {
				test.age = 24 * time.Hour
			}
			h.now = h.now.Add(test.age)
			h.wecom.withUserTicket()
			result, err := h.Complete(t.Context(), h.callback(t, nil))
			if got := strings.Join(first.asked, " "); got != strings.TrimSpace(strings.Repeat("san ", test.asked)) {
				t.Errorf("asked about %q", got)
			}
			u, readErr := h.store.User(t.Context(), employee.ID)
			if readErr != nil {
				t.Fatal(readErr)
			}
			was, _ := u.IdentityIn(firstCorpID)
			if gone := was.IsGone() || !was.DisabledAt.IsZero(); gone != test.gone || gone && len(h.ended) == 0 {
				t.Errorf("%+v; told: %q", was, h.ended)
			}
			if test.want == "" {
				if err != nil || result.UserID != employee.ID || len(u.Identities) != 2 {
					t.Errorf("%+v, %v", result, err)
				}
				return
			}
			wantError(t, err, test.want)
			conflict := u.PhoneConflict != nil && u.PhoneConflict.CorpID == corpID
			if len(u.Identities) != 1 || conflict != (test.want == apierr.PhoneInUse) {
				t.Errorf("%+v", u)
			}
		})
	}
}

// employee is a user who is a member of the first corp, checked just now.
func (h *fixture) employee(t *testing.T, change func(*store.Authenticator)) store.User {
	t.Helper()
	a := h.elsewhere(t, firstCorpID)
	if change != nil {
		changed := a
		change(&changed)
		if err := h.store.DeleteAuthenticator(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if err := h.store.CreateAuthenticator(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
	}
	return h.user(t, zhangsanPhone, func(u *store.User) {
		u.Identities = []store.Identity{{
			CorpID: firstCorpID, WeComUserID: "san", Authenticator: "elsewhere", Name: "张三",
			Access: []store.MemberAccess{{AuthenticatorID: a.ID, AuthenticatorName: a.Name, CheckedAt: h.now}},
		}}
	})
}

// Attack: while WeCom is asked about the first corp's member, an administrator gives the user
// another phone, or roles.
func TestAttackUserChangesWhileWeComIsAskedElsewhere(t *testing.T) {
	for name, change := range map[string]func(*store.User){
		"another phone": func(u *store.User) { u.Phone = otherPhone },
		"a role":        func(u *store.User) { u.Roles = []string{"admin"} },
		"disabled":      func(u *store.User) { u.Enabled = false },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			employee := h.employee(t, nil)
			first := &firstCorp{scriptedWeCom: h.wecom, status: wecom.MemberActive}
			first.meantime = func() {
				first.meantime = nil
				changed := employee
				change(&changed)
				changed.Version++
				if err := h.store.UpdateUser(t.Context(), employee, changed); err != nil {
					t.Error(err)
				}
			}
			checker := h.Members.(*members.Checker)
			checker.WeCom, checker.Tokens = first, first
			h.now = h.now.Add(time.Hour)
			h.wecom.withUserTicket()
			result, err := h.Complete(t.Context(), h.callback(t, nil))
			u, readErr := h.store.User(t.Context(), employee.ID)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if len(u.Identities) != 1 || result.UserID == employee.ID || len(first.asked) != 1 {
				t.Errorf("%+v, %v; %+v; asked about %q", result, err, u, first.asked)
			}
		})
	}
}
