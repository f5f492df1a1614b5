package authflow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	publicURL = "https://signin.example.com"
	corpID    = "ww0123456789abcdef"
)

// fixture is the flow with a real store and a WeCom that a test scripts.
type fixture struct {
	*LoginCompleter
	store *embedded.Engine
	wecom *scriptedWeCom
	now   time.Time
	notes []string
	ended []string // users whose applications are told that a member check ended sessions
}

// MemberEnded implements members.Notifier.
func (h *fixture) MemberEnded(_ context.Context, userID string, _ int64) error {
	h.ended = append(h.ended, userID)
	return nil
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	h := &fixture{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return h.now }
	engine := embeddedtest.New(t, now)
	h.store = engine
	h.wecom = &scriptedWeCom{
		visitor: wecom.Identity{UserID: "ZhangSan"},
		detail:  wecom.Detail{UserID: "zhangsan", Mobile: "13800000001", Avatar: "https://avatar.example/1"},
		member:  wecom.Member{UserID: "zhangsan", Name: "张三", Status: wecom.MemberActive},
	}
	departures := &LoginStarter{Authenticators: engine, Links: plainLinks{}, Now: now}
	h.LoginCompleter = &LoginCompleter{
		Starter:  departures,
		Sessions: &Sessions{Store: engine, Authenticators: engine, Now: now},
		Store:    engine, WeCom: h.wecom, Tokens: h.wecom, SessionIDs: plainIDs{}, CheckInterval: 24 * time.Hour,
		Members: &members.Checker{Config: members.Config{
			Store: engine, Authenticators: engine, WeCom: h.wecom, Tokens: h.wecom, Rules: &scriptedRules{}, Notifier: h, Now: now,
			SecretName: func(id string) string { return "secret/" + id },
		}},
		SecretName:      func(id string) string { return "secret/" + id },
		SessionLifetime: 8 * time.Hour, Now: now,
		LogField: func(_ context.Context, key string, value any) { h.notes = append(h.notes, fmt.Sprint(key, "=", value)) },
	}
	h.Sessions.Audit = &audit.Log{Store: engine, Now: now, LogField: h.LogField, RequestID: func(context.Context) string { return "request-2" }}
	h.authenticator(t, func(*store.Authenticator) {})
	return h
}

// authenticator writes the authenticator demo anew.
func (h *fixture) authenticator(t *testing.T, change func(*store.Authenticator)) store.Authenticator {
	t.Helper()
	if old, err := h.store.Authenticator(t.Context(), "demo"); err == nil {
		if err := h.store.DeleteAuthenticator(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	a := store.Authenticator{
		ID: store.NewID(), Name: "demo", Title: "Demo", Enabled: true, CorpID: corpID, AgentID: "1000002",
		SecretVersion: "v1", Origin: "https://app.example.com", WorkbenchRedirectPath: "/", AutoSignup: true,
		Generation: store.NewID(), CreatedAt: h.now, UpdatedAt: h.now, Version: 1,
	}
	change(&a)
	if err := h.store.CreateAuthenticator(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return a
}

// user makes a user, whose identities have just been checked.
func (h *fixture) user(t *testing.T, phone string, change func(*store.User)) store.User {
	t.Helper()
	u := store.User{ID: store.NewUserID(h.now), Phone: phone, Name: "张三", Enabled: true, CreatedAt: h.now, UpdatedAt: h.now, Version: 1}
	change(&u)
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range u.Identities {
		i.CheckedAt = h.now
		access, _ := i.AccessBy(demo.ID)
		access.AuthenticatorID, access.AuthenticatorName = demo.ID, demo.Name
		access.CheckedAt, access.RulesVersion = h.now, demo.RulesVersion
		u = u.WithIdentity(i.WithAccess(access))
	}
	if err := h.store.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// callback is a browser that WeCom sends back, in WeCom's client unless change says
// otherwise.
func (h *fixture) callback(t *testing.T, change func(*CallbackRequest)) CallbackRequest {
	t.Helper()
	redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "demo", PublicURL: publicURL, InWeCom: true})
	if err != nil {
		t.Fatal(err)
	}
	return h.back(redirect, change)
}

// toPath is a destination on the application's origin.
func toPath(text string) Destination {
	path, ok := ParseReturnPath(text)
	if !ok {
		panic("not a return path: " + text)
	}
	return Destination{Path: path}
}

func (h *fixture) back(redirect Redirect, change func(*CallbackRequest)) CallbackRequest {
	a := CallbackRequest{
		Authenticator: "demo", PublicURL: publicURL, Code: "CODE", State: redirect.Attempt.State, InWeCom: true,
		Attempt: redirect.Attempt, AttemptFound: true,
	}
	if change != nil {
		change(&a)
	}
	return a
}

func (h *fixture) mustComplete(t *testing.T, a CallbackRequest) CallbackResult {
	t.Helper()
	result, err := h.Complete(t.Context(), a)
	if err != nil {
		t.Fatalf("Complete: %v", err)
	}
	return result
}

func wantError(t *testing.T, err error, code apierr.Code) {
	t.Helper()
	if !apierr.Is(err, code) {
		t.Fatalf("err = %v, want %s", err, code)
	}
}

// scriptedWeCom answers as told and counts.
type scriptedWeCom struct {
	mu                              sync.Mutex
	visitor                         wecom.Identity
	detail                          wecom.Detail
	member                          wecom.Member
	identifyErr, detailErr, nameErr error
	tokenErr                        error
	spent                           map[string]bool // codes, when set
	calls                           []string
	beforeIdentify, beforeMember    func()
}

func (w *scriptedWeCom) note(call string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
}

func (w *scriptedWeCom) Token(context.Context, accesstoken.App) (secret.Value, error) {
	return secret.Value{}, w.tokenErr
}

func (w *scriptedWeCom) Reject(context.Context, accesstoken.App, secret.Value) error {
	w.note("reject")
	return nil
}

func (w *scriptedWeCom) Identify(_ context.Context, _ secret.Value, code string) (wecom.Identity, error) {
	w.note("getuserinfo")
	if w.beforeIdentify != nil {
		w.beforeIdentify()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.spent != nil {
		if w.spent[code] {
			return wecom.Identity{}, &wecom.Error{Op: "getuserinfo", Code: wecom.InvalidCode}
		}
		w.spent[code] = true
	}
	return w.visitor, w.identifyErr
}

func (w *scriptedWeCom) Detail(context.Context, secret.Value, string) (wecom.Detail, error) {
	w.note("getuserdetail")
	return w.detail, w.detailErr
}

func (w *scriptedWeCom) Member(context.Context, secret.Value, string) (wecom.Member, error) {
	w.note("user/get")
	if w.beforeMember != nil {
		w.beforeMember()
	}
	return w.member, w.nameErr
}

func (w *scriptedWeCom) count() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.calls, " ")
}

// synced runs a test in a bubble of synctest.
func synced(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

type plainLinks struct{}

func (plainLinks) ClientLink(p wecom.ClientLinkParams) string {
	return "client:" + string(p.Scope) + " " + p.RedirectURI
}
func (plainLinks) LoginLink(p wecom.LoginLinkParams) string { return "login: " + p.RedirectURI }

type plainIDs struct{}

func (plainIDs) Derive(state string) string         { return "session-of-" + state }
func (plainIDs) Matches(state, session string) bool { return session == "session-of-"+state }

// withUserTicket scripts a member who consents.
func (w *scriptedWeCom) withUserTicket() { w.visitor.UserTicket = "TICKET" }

func TestReturningMemberCostsOneCall(t *testing.T) {
	h := newFixture(t)
	user := h.user(t, "+8613800000001", func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} // WeCom spells it ZhangSan today
	})
	result := h.mustComplete(t, h.callback(t, nil))
	if result.UserID != user.ID || result.URL != "https://app.example.com/" || h.wecom.count() != "getuserinfo" {
		t.Fatalf("%+v after %s", result, h.wecom.count())
	}
	live, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID})
	if err != nil || live.User.ID != user.ID || !live.User.LastSignInAt.Equal(h.now) || !live.Session.ExpiresAt.Equal(h.now.Add(8*time.Hour)) {
		t.Fatalf("%+v, %v", live, err)
	}
}

func TestFirstSignInCostsFourCallsAndMakesAUser(t *testing.T) {
	h := newFixture(t)
	first := h.mustComplete(t, h.callback(t, func(a *CallbackRequest) { a.Attempt.Destination = toPath("/m?x=1") }))
	if first.Redirect == nil || !strings.HasPrefix(first.Redirect.URL, "client:snsapi_privateinfo ") {
		t.Fatalf("did not go on with snsapi_privateinfo: %+v", first)
	}
	h.wecom.withUserTicket()
	second := h.mustComplete(t, h.back(*first.Redirect, nil))
	if got := h.wecom.count(); got != "getuserinfo getuserinfo getuserdetail user/get" {
		t.Fatalf("calls: %s", got)
	}
	if second.URL != "https://app.example.com/m?x=1" {
		t.Fatalf("the target was lost: %s", second.URL)
	}
	user, err := h.store.UserByPhone(t.Context(), "+8613800000001")
	if err != nil || user.Name != "张三" || user.Avatar != "https://avatar.example/1" || user.NamePending || !user.Enabled {
		t.Fatalf("%+v, %v", user, err)
	}
	identity, ok := user.IdentityIn(corpID)
	if !ok || identity.WeComUserID != "ZhangSan" || identity.Authenticator != "demo" {
		t.Fatalf("%+v", identity)
	}
}

func TestRefusals(t *testing.T) {
	bound := func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}}
	}
	wecomError := func(code int) error { return &wecom.Error{Op: "getuserinfo", Code: code} }
	for _, test := range []struct {
		name   string
		set    func(*testing.T, *fixture)
		change func(*CallbackRequest)
		want   apierr.Code
	}{
		{"no state", nil, func(a *CallbackRequest) { a.State = "" }, apierr.StateInvalid},
		{"cookie does not open", nil, func(a *CallbackRequest) { a.AttemptErr = ErrAttemptInvalid }, apierr.StateInvalid},
		{"cookie is 15 minutes old", nil, func(a *CallbackRequest) { a.AttemptErr = ErrAttemptExpired }, apierr.StateExpired},
		{"no cookie, second round", nil, func(a *CallbackRequest) { a.AttemptFound, a.Restarted = false, true }, apierr.CookiesBlocked},
		{"state without code", nil, func(a *CallbackRequest) { a.Code = "" }, apierr.AccessDenied},
		{"unknown authenticator", nil, func(a *CallbackRequest) { a.Authenticator = "other" }, apierr.AuthenticatorUnknown},
		{"a name longer than any", nil, func(a *CallbackRequest) { a.Authenticator = strings.Repeat("a", 2000) }, apierr.AuthenticatorUnknown},
		{"another authenticator's attempt", nil, func(a *CallbackRequest) { a.Attempt.AuthenticatorID = "other" }, apierr.StateInvalid},
		{"a re-enabled authenticator's old attempt", nil, func(a *CallbackRequest) { a.Attempt.AuthenticatorGeneration = "old" }, apierr.StateInvalid},
		{"not a member", func(_ *testing.T, h *fixture) { h.wecom.visitor = wecom.Identity{OpenID: "oDOGms"} }, nil, apierr.NotAMember},
		{"another corp's member", func(_ *testing.T, h *fixture) { h.wecom.visitor.UserID = "wwother/lisi" }, nil, apierr.OtherCorp},
		{"unknown in a browser", nil, func(a *CallbackRequest) { a.Attempt.InWeCom = false }, apierr.FirstSignInInWeCom},
		{"privateinfo without redirect", nil, func(a *CallbackRequest) { a.Attempt.Scope = wecom.ScopePrivateInfo }, apierr.PhoneNotShared},
		{"phone not ticked", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.detail.Mobile = "" }, nil, apierr.PhoneNotShared},
		{"redirect refused", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.detailErr = wecomError(40058) }, nil, apierr.PhoneNotShared},
		{"phone is no number", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.detail.Mobile = "n/a" }, nil, apierr.PhoneInvalid},
		{"detail of somebody else", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.detail.UserID = "lisi" }, nil, apierr.WeComUnavailable},
		{"member disabled in WeCom", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.member.Status = wecom.MemberDisabled }, nil, apierr.UserDisabled},
		{"member has left", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.member.Status = wecom.MemberLeft }, nil, apierr.UserDisabled},
		{"user disabled here", func(t *testing.T, h *fixture) {
			h.user(t, "+8613800000001", func(u *store.User) { bound(u); u.Enabled = false })
		}, nil, apierr.UserDisabled},
		{"phone of a disabled user", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) { u.Enabled = false })
		}, nil, apierr.UserDisabled},
		{"recycled phone of another member", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "lisi"}} })
		}, nil, apierr.PhoneInUse},
		{"attack: a partner corp's member becomes an administrator by phone", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) {
				u.Roles, u.Identities = []string{"admin"}, []store.Identity{{CorpID: "wwpartner", WeComUserID: "zhangsan"}}
			})
		}, nil, apierr.PhoneInUse},
		{"attack: a partner corp's member takes the roles that rules gave an employee", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) {
				u.Identities = []store.Identity{{CorpID: "wwpartner", WeComUserID: "zhangsan", Access: []store.MemberAccess{{AuthenticatorID: "other", Roles: []string{"finance"}}}}}
			})
		}, nil, apierr.PhoneInUse},
		{"attack: a partner corp's member came first with an employee's phone, for the roles that rules give the employee", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: "wwpartner", WeComUserID: "zhangsan"}} })
			h.Members.(*members.Checker).Rules = &scriptedRules{evaluation: members.Evaluation{Allowed: true, Roles: []string{"finance"}}}
		}, nil, apierr.PhoneInUse},
		{"attack: the same while WeCom does not tell what the rules need", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.authenticator(t, func(a *store.Authenticator) { a.RoleRules = []store.RoleRule{{Department: 12, Role: "finance"}} })
			h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: "wwpartner", WeComUserID: "zhangsan"}} })
			h.Members.(*members.Checker).Rules = &scriptedRules{err: &wecom.UnavailableError{Op: "department/simplelist"}}
		}, nil, apierr.WeComUnavailable},
		{"attack: a partner corp makes a member with the phone of one whom the first corp has disabled", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) {
				u.Identities = []store.Identity{{CorpID: "wwpartner", WeComUserID: "zhangsan", DisabledAt: h.now}}
			})
		}, nil, apierr.PhoneInUse},
		{"a corp whose members are not linked by phone", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.authenticator(t, func(a *store.Authenticator) { a.LinkByPhoneOff = true })
			h.user(t, "+8613800000001", func(*store.User) {})
		}, nil, apierr.PhoneInUse},
		{"nobody has the phone, sign-up closed", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.authenticator(t, func(a *store.Authenticator) { a.AutoSignup = false })
		}, nil, apierr.SignupClosed},
		{"busy to the end", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = wecomError(-1) }, nil, apierr.WeComBusy},
		{"rate limited", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = wecomError(45009) }, nil, apierr.WeComBusy},
		{"wrong secret", func(_ *testing.T, h *fixture) { h.wecom.tokenErr = wecomError(40001) }, nil, apierr.WeComConfiguration},
		{"address not trusted", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = wecomError(60020) }, nil, apierr.WeComConfiguration},
		{"address not trusted at getuserdetail", func(_ *testing.T, h *fixture) { h.wecom.withUserTicket(); h.wecom.detailErr = wecomError(60020) }, nil, apierr.WeComConfiguration},
		{"token refused twice", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = wecomError(42001) }, nil, apierr.WeComConfiguration},
		{"WeCom is down", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = &wecom.UnavailableError{Op: "getuserinfo"} }, nil, apierr.WeComUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			if test.set != nil {
				test.set(t, h)
			}
			before, _, _ := h.store.Users(t.Context(), store.Page{Limit: 10})
			_, err := h.Complete(t.Context(), h.callback(t, test.change))
			wantError(t, err, test.want)
			after, _, _ := h.store.Users(t.Context(), store.Page{Limit: 10})
			if len(after) != len(before) {
				t.Fatal("a refusal made a user")
			}
			for i := range after {
				after[i].PhoneConflict, after[i].Version, after[i].UpdatedAt = before[i].PhoneConflict, before[i].Version, before[i].UpdatedAt
				if diff := cmp.Diff(before[i], after[i]); diff != "" {
					t.Fatalf("a refusal changed a user: %s", diff)
				}
			}
		})
	}
}

// Attack: whoever is thrown out while WeCom is slow to tell a name is in all the same.
func TestNobodySignsInWhoIsThrownOutWhileWeComTellsTheName(t *testing.T) {
	for name, change := range map[string]func(*store.User){
		"disabled": func(u *store.User) { u.Enabled = false; u.SessionGeneration++ },
		"unbound":  func(u *store.User) { u.Identities = nil; u.SessionGeneration++ },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			user := h.user(t, "+8613800000001", func(u *store.User) {
				u.NamePending, u.Identities = true, []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}}
			})
			h.wecom.beforeMember = func() {
				h.wecom.beforeMember = nil
				changed := user
				change(&changed)
				changed.Version++
				if err := h.store.UpdateUser(t.Context(), user, changed); err != nil {
					t.Error(err)
				}
			}
			result, err := h.Complete(t.Context(), h.callback(t, nil))
			_, checked := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID})
			if err == nil && result.Redirect == nil && checked == nil {
				t.Errorf("signed in as %s", result.UserID)
			}
		})
	}
}

// beforeSession calls a function between the reads of a sign-in and its writes.
type beforeSession struct {
	Store
	call func()
}

func (s beforeSession) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return sessionsBegin{s.Store.Audited(lines...), func() error {
		s.call()
		return nil
	}}
}

// sessionsBegin are writes that call a function before a session begins, or instead.
type sessionsBegin struct {
	store.AuditedWrites
	before func() error
}

func (w sessionsBegin) StartSession(ctx context.Context, r store.AttemptResult, noteSignIn bool) error {
	if err := w.before(); err != nil {
		return err
	}
	return w.AuditedWrites.StartSession(ctx, r, noteSignIn)
}

// Attack: access ends between what a sign-in reads and what it writes, without a
// transaction around them.
func TestAttackAccessEndsInTheMiddleOfASignIn(t *testing.T) {
	updateUser := func(change func(*store.User)) func(*testing.T, *fixture, store.User) {
		return func(t *testing.T, h *fixture, user store.User) {
			changed := user
			change(&changed)
			changed.Version++
			if err := h.store.UpdateUser(t.Context(), user, changed); err != nil {
				t.Error(err)
			}
		}
	}
	updateAuthenticator := func(change func(*store.Authenticator)) func(*testing.T, *fixture, store.User) {
		return func(t *testing.T, h *fixture, _ store.User) {
			from, err := h.store.Authenticator(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			changed := from
			change(&changed)
			changed.Version++
			if err := h.store.UpdateAuthenticator(t.Context(), from, changed); err != nil {
				t.Error(err)
			}
		}
	}
	for name, end := range map[string]func(*testing.T, *fixture, store.User){
		"disabled":             updateUser(func(u *store.User) { u.Enabled = false; u.SessionGeneration++ }),
		"disabled and enabled": updateUser(func(u *store.User) { u.SessionGeneration++ }),
		"unbound":              updateUser(func(u *store.User) { u.Identities = nil; u.SessionGeneration++ }),
		"deleted":              func(t *testing.T, h *fixture, u store.User) { _ = h.store.DeleteUser(t.Context(), u) },
		"deleted and made anew": func(t *testing.T, h *fixture, u store.User) {
			_ = h.store.DeleteUser(t.Context(), u)
			h.now = h.now.Add(time.Second)
			h.user(t, u.Phone, func(heir *store.User) { heir.Identities = u.Identities })
		},
		"authenticator disabled":        updateAuthenticator(func(a *store.Authenticator) { a.Enabled = false; a.Generation = store.NewID() }),
		"authenticator of another corp": updateAuthenticator(func(a *store.Authenticator) { a.CorpID = "wwother"; a.Generation = store.NewID() }),
		"authenticator made anew":       func(t *testing.T, h *fixture, _ store.User) { h.authenticator(t, func(*store.Authenticator) {}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			user := h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
			req := h.callback(t, nil)
			h.Store = beforeSession{h.store, func() { end(t, h, user) }}
			result := h.mustComplete(t, req)
			for _, userID := range []string{result.UserID, ""} {
				if active, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: userID}); !apierr.Is(err, apierr.Unauthorized) {
					t.Errorf("signed in as %s: %v", active.User.ID, err)
				}
			}
		})
	}
}

// Attack: the store fails when the earlier person's session is to end, and the next person
// goes on beside it.
func TestAttackEarlierSessionThatDoesNotEnd(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	first := h.mustComplete(t, h.callback(t, nil))
	h.Sessions.Store = failingEnd{h.store}
	req := h.callback(t, func(r *CallbackRequest) { r.Sessions = []SessionRef{{ID: first.SessionID, UserID: first.UserID}} })
	if result, err := h.Complete(t.Context(), req); !apierr.Is(err, apierr.Internal) || result.SessionID != "" {
		t.Errorf("%+v, %v", result, err)
	}
	if _, err := h.Sessions.Check(t.Context(), SessionRef{ID: h.SessionIDs.Derive(req.State)}); !apierr.Is(err, apierr.Unauthorized) {
		t.Errorf("there is a second session: %v", err)
	}
}

// failingEnd is a store that cannot end sessions.
type failingEnd struct{ SessionStore }

func (failingEnd) EndSession(context.Context, string) (store.Session, error) {
	return store.Session{}, errors.New("throttled")
}

func TestUnboundStateNeverSpendsItsCode(t *testing.T) {
	h := newFixture(t)
	result := h.mustComplete(t, h.callback(t, func(a *CallbackRequest) { a.AttemptFound = false; a.ReturnTo = toPath("/kept") }))
	if result.Redirect == nil || result.SessionID != "" {
		t.Fatalf("%+v", result)
	}
	if h.wecom.count() != "" {
		t.Fatalf("WeCom was asked: %s", h.wecom.count())
	}
	_, address, _ := strings.Cut(result.Redirect.URL, " ")
	parsed, err := url.Parse(address)
	if err != nil || parsed.Query().Get("redirect") != "/kept" || parsed.Query().Get("again") != "1" {
		t.Fatalf("second round comes back to %s", address)
	}
}

func TestStateStartsOneSessionEver(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	req := h.callback(t, nil)
	first := h.mustComplete(t, req)
	if err := h.Sessions.End(t.Context(), first.SessionID); err != nil {
		t.Fatal(err)
	}
	req.Code = "FRESH"
	_, err := h.Complete(t.Context(), req)
	wantError(t, err, apierr.CodeInvalid)
}

func TestDoubledCallbackAnswersTheSame(t *testing.T) {
	bound := func(t *testing.T, h *fixture) {
		h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	}
	for name, set := range map[string]func(*testing.T, *fixture){
		"a session": bound,
		"go on":     func(*testing.T, *fixture) {},
		"refused":   func(_ *testing.T, h *fixture) { h.wecom.visitor = wecom.Identity{OpenID: "oDOGms"} },
	} {
		// The others wait as long as the first one's store takes, however slow the machine.
		t.Run(name, synced(func(t *testing.T) {
			h := newFixture(t)
			h.wecom.spent = map[string]bool{}
			set(t, h)
			req := h.callback(t, nil)
			type answer struct {
				result CallbackResult
				err    error
			}
			answers := make(chan answer)
			const requests = 8
			for range requests {
				go func() {
					result, err := h.Complete(context.Background(), req)
					answers <- answer{result, err}
				}()
			}
			states := map[string]bool{}
			var first *answer
			for range requests {
				got := <-answers
				if first == nil {
					first = &got
				}
				if apierr.From(got.err).Code != apierr.From(first.err).Code && got.err != nil || (got.err == nil) != (first.err == nil) || got.result.SessionID != first.result.SessionID {
					t.Errorf("%+v, %v differs from %+v, %v", got.result, got.err, first.result, first.err)
				}
				if got.result.Redirect != nil {
					states[got.result.Redirect.Attempt.State] = true
				}
			}
			if first.result.Redirect != nil && len(states) != requests {
				t.Errorf("%d states for %d browsers that go on", len(states), requests)
			}
		}))
	}
}

// Garbage under one state is waited for once.
func TestSpentCodeWithoutAnOutcomeIsInvalid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.wecom.spent = map[string]bool{"CODE": true}
		req := h.callback(t, nil)
		for _, want := range []time.Duration{resultTime, 0} {
			began := time.Now()
			_, err := h.Complete(t.Context(), req)
			wantError(t, err, apierr.CodeInvalid)
			if waited := time.Since(began); waited != want {
				t.Errorf("waited %s, want %s", waited, want)
			}
		}
		if got := h.wecom.count(); got != "getuserinfo getuserinfo" {
			t.Errorf("a used code was tried again: %s", got)
		}
	})
}

// Whoever makes codes up makes us ask WeCom for each, and fills the list of recent
// sign-ins when a server on the way refuses the long address.
func TestMadeUpCodeNeverReachesWeCom(t *testing.T) {
	for _, code := range []string{strings.Repeat("!", 513), "CODE\n", "CODE X", "C\x00DE", "CÖDE"} {
		h := newFixture(t)
		_, err := h.Complete(t.Context(), h.callback(t, func(a *CallbackRequest) { a.Code = code }))
		wantError(t, err, apierr.CodeInvalid)
		if got := h.wecom.count(); got != "" {
			t.Errorf("%q: %s", code, got)
		}
	}
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	h.mustComplete(t, h.callback(t, func(a *CallbackRequest) { a.Code = strings.Repeat("~", 512) }))
}

func TestBackButtonGoesToTheTarget(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	req := h.callback(t, nil)
	first := h.mustComplete(t, req)
	again := h.mustComplete(t, h.back(Redirect{Attempt: LoginAttempt{State: req.State}}, func(a *CallbackRequest) {
		a.Sessions, a.AttemptFound, a.Attempt, a.ReturnTo = []SessionRef{{ID: first.SessionID}}, false, LoginAttempt{}, toPath("/kept")
	}))
	if again.SessionID != first.SessionID || again.URL != "https://app.example.com/kept" || h.wecom.count() != "getuserinfo" {
		t.Fatalf("%+v after %s", again, h.wecom.count())
	}
}

func TestEarlierPersonsSessionEnds(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	h.user(t, "+8613800000002", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "lisi"}} })
	first := h.mustComplete(t, h.callback(t, nil))
	h.wecom.visitor = wecom.Identity{UserID: "lisi"}
	second := h.mustComplete(t, h.callback(t, func(a *CallbackRequest) {
		a.Sessions = []SessionRef{{ID: first.SessionID}, {ID: "another deployment's"}}
	}))
	if _, err := h.Sessions.Check(t.Context(), SessionRef{ID: first.SessionID, UserID: first.UserID}); !apierr.Is(err, apierr.Unauthorized) {
		t.Fatalf("the earlier session lives: %v", err)
	}
	if _, err := h.Sessions.Check(t.Context(), SessionRef{ID: second.SessionID, UserID: second.UserID}); err != nil {
		t.Fatal(err)
	}
}

// Attack: the id of a session that one has, beside the user's id of an administrator.
func TestAttackSomebodyElsesUserIDInTheCookie(t *testing.T) {
	h := newFixture(t)
	own := h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	administrator := h.user(t, "+8613800000002", func(u *store.User) { u.Roles = []string{"admin"} })
	result := h.mustComplete(t, h.callback(t, nil))
	for userID, want := range map[string]string{
		own.ID: own.ID, "": own.ID, // a cookie from before has no user's id
		administrator.ID: "", "nobody": "", own.ID + ".x": "", strings.ToUpper(own.ID): "", "user#" + own.ID: "", "\x00": "",
	} {
		active, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: userID})
		if active.User.ID != want || want == "" && !apierr.Is(err, apierr.Unauthorized) {
			t.Errorf("%q opens the session of %q: %v", userID, active.User.ID, err)
		}
		active, err = h.Sessions.CheckKey(t.Context(), SessionKey(result.SessionID), userID)
		if active.User.ID != want || want == "" && !apierr.Is(err, apierr.Unauthorized) {
			t.Errorf("%q opens the session of %q by its key: %v", userID, active.User.ID, err)
		}
	}
}

func TestPhoneLinksAndNameDoesNot(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	namesake := h.user(t, "+8613999999999", func(u *store.User) { u.Name = "张三" })
	imported := h.user(t, "+8613800000001", func(u *store.User) { u.Name = "Boss" })
	result := h.mustComplete(t, h.callback(t, nil))
	if result.UserID != imported.ID || result.UserID == namesake.ID {
		t.Fatalf("signed in as %s", result.UserID)
	}
	user, _ := h.store.User(t.Context(), imported.ID)
	if user.Name != "Boss" {
		t.Fatalf("the administrator's name was replaced by %q", user.Name)
	}
}

func TestAdministratorSeesBothMembersOfARecycledPhone(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	user := h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "lisi"}} })
	for range 2 {
		_, err := h.Complete(t.Context(), h.callback(t, nil))
		wantError(t, err, apierr.PhoneInUse)
	}
	user, _ = h.store.User(t.Context(), user.ID)
	if user.PhoneConflict == nil || user.PhoneConflict.WeComUserID != "ZhangSan" || user.Identities[0].WeComUserID != "lisi" || user.Version != 2 {
		t.Fatalf("%+v", user)
	}
}

func TestBindingEndsTheConflictAboutThePhoneInThisCorp(t *testing.T) {
	for name, test := range map[string]struct {
		conflict store.Identity
		ends     bool
	}{
		"about the member who is bound":  {store.Identity{CorpID: corpID, WeComUserID: "zhangsan"}, true},
		"about another member":           {store.Identity{CorpID: corpID, WeComUserID: "lisi"}, true},
		"about a member of another corp": {store.Identity{CorpID: "wwother", WeComUserID: "zhangsan"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.wecom.withUserTicket()
			user := h.user(t, "+8613800000001", func(u *store.User) { u.PhoneConflict = &test.conflict })
			if result := h.mustComplete(t, h.callback(t, nil)); result.UserID != user.ID {
				t.Fatalf("signed in as %s", result.UserID)
			}
			if user, _ = h.store.User(t.Context(), user.ID); (user.PhoneConflict == nil) != test.ends || len(user.Identities) != 1 {
				t.Fatalf("%+v", user)
			}
		})
	}
}

func TestSamePersonInTwoCorpsIsOneUser(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	h.elsewhere(t, "wwother")
	user := h.user(t, "+8613800000001", func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: "wwother", WeComUserID: "zs", Authenticator: "elsewhere"}}
	})
	if result := h.mustComplete(t, h.callback(t, nil)); result.UserID != user.ID {
		t.Fatalf("signed in as %s", result.UserID)
	}
	if user, _ = h.store.User(t.Context(), user.ID); len(user.Identities) != 2 {
		t.Fatalf("%+v", user.Identities)
	}
}

func TestNameIsAskedForAgain(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	h.wecom.nameErr = &wecom.Error{Op: "user/get", Code: 60111}
	result := h.mustComplete(t, h.callback(t, nil))
	if user, _ := h.store.User(t.Context(), result.UserID); user.Name != "ZhangSan" || !user.NamePending {
		t.Fatalf("%+v", user)
	}
	h.wecom.nameErr = nil
	h.mustComplete(t, h.callback(t, nil))
	if user, _ := h.store.User(t.Context(), result.UserID); user.Name != "张三" || user.NamePending {
		t.Fatalf("%+v", user)
	}
}

func TestManyFirstSignInsMakeOneUser(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	arrivals := make([]CallbackRequest, 10)
	for i := range arrivals {
		arrivals[i] = h.callback(t, nil)
	}
	h.LogField = func(context.Context, string, any) {}
	var wait sync.WaitGroup
	results := make([]CallbackResult, len(arrivals))
	errs := make([]error, len(arrivals))
	for i, req := range arrivals {
		wait.Go(func() { results[i], errs[i] = h.Complete(context.Background(), req) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, result := range results {
		if result.UserID != results[0].UserID {
			t.Fatalf("%s and %s", result.UserID, results[0].UserID)
		}
	}
	if users, _, _ := h.store.Users(t.Context(), store.Page{Limit: 10}); len(users) != 1 {
		t.Fatalf("%d users", len(users))
	}
}

func TestDisablingEndsSessionsAndEnablingDoesNotBringThemBack(t *testing.T) {
	h := newFixture(t)
	user := h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	result := h.mustComplete(t, h.callback(t, nil))
	for _, enabled := range []bool{false, true} {
		from, err := h.store.User(t.Context(), user.ID)
		if err != nil {
			t.Fatal(err)
		}
		to := from
		to.Enabled, to.Version = enabled, from.Version+1
		if !enabled {
			to.SessionGeneration++
		}
		if err := h.store.UpdateUser(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID}); !apierr.Is(err, apierr.Unauthorized) {
			t.Fatalf("enabled %v: the session lives: %v", enabled, err)
		}
	}
}

func TestNamesakeOfADeletedAuthenticatorInheritsNothing(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	pending := h.callback(t, nil)
	result := h.mustComplete(t, h.callback(t, nil))
	h.authenticator(t, func(*store.Authenticator) {})
	if _, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID}); !apierr.Is(err, apierr.Unauthorized) {
		t.Fatalf("the session lives: %v", err)
	}
	_, err := h.Complete(t.Context(), pending)
	wantError(t, err, apierr.StateInvalid)
}

// The company's mailbox is kept with the identity when it is bound, of any kind of user, and
// nothing that could be somebody else's address or break a header.
func TestMailboxIsKeptWithTheIdentity(t *testing.T) {
	const other = "ww9999999999999999"
	for told, want := range map[string]string{
		"zhangsan@corp.example": "zhangsan@corp.example", "Zhang.San+wecom@Mail.Corp.Example": "Zhang.San+wecom@Mail.Corp.Example",
		"": "", "zhangsan": "", "@corp.example": "", "zhangsan@": "", "a@b@corp.example": "", "a b@corp.example": "", "张三@corp.example": "",
		"a,b@corp.example": "", "San <a@corp.example>": "", `"a"@corp.example`: "", "a@corp.example\r\nX: y": "",
		strings.Repeat("a", 250) + "@corp.example": "",
	} {
		for name, set := range map[string]func(*fixture){
			"a new user": func(*fixture) {},
			"a user found by phone": func(h *fixture) {
				h.elsewhere(t, other)
				h.user(t, "+8613800000001", func(u *store.User) {
					u.Identities = []store.Identity{{CorpID: other, WeComUserID: "zhangsan", Authenticator: "elsewhere", Email: "boss@partner.example"}}
				})
			},
		} {
			h := newFixture(t)
			set(h)
			h.wecom.visitor.UserTicket, h.wecom.detail.BizMail = "TICKET", told
			result := h.mustComplete(t, h.callback(t, nil))
			user, err := h.store.User(t.Context(), result.UserID)
			if err != nil {
				t.Fatal(err)
			}
			if identity, _ := user.IdentityIn(corpID); identity.Email != want {
				t.Errorf("%s, %q: kept %q", name, told, identity.Email)
			}
			if identity, there := user.IdentityIn(other); there && identity.Email != "boss@partner.example" {
				t.Errorf("%s: the other company's is %q", name, identity.Email)
			}
			if notes := strings.Join(h.notes, " "); told != "" && strings.Contains(notes, told) {
				t.Errorf("the log has the address: %s", notes)
			}
		}
	}
}

// Who has been refused is nobody's address.
func TestConflictKeepsNoMailbox(t *testing.T) {
	h := newFixture(t)
	id := h.user(t, "+8613800000001", func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "another", Email: "another@corp.example"}}
	})
	h.wecom.visitor.UserTicket, h.wecom.detail.BizMail = "TICKET", "zhangsan@corp.example"
	if _, err := h.Complete(t.Context(), h.callback(t, nil)); !apierr.Is(err, apierr.PhoneInUse) {
		t.Fatal(err)
	}
	user, err := h.store.UserByPhone(t.Context(), "+8613800000001")
	if err != nil || user.PhoneConflict == nil || user.PhoneConflict.Email != "" || user.Identities[0].Email != "another@corp.example" {
		t.Errorf("%v: %+v, %v", id, user, err)
	}
}
