package authflow

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// lines returns what the audit says, oldest first, and fails on a line that is not complete.
func (h *fixture) lines(t *testing.T) []store.AuditLine {
	t.Helper()
	lines, _, err := h.store.AuditLines(t.Context(), store.AuditQuery{}, store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(lines, func(x, y store.AuditLine) int {
		return strings.Compare(x.At.Format(time.RFC3339Nano)+x.Type, y.At.Format(time.RFC3339Nano)+y.Type)
	})
	return lines
}

// told returns the lines in short: type, user, authenticator, application, code and fields.
func (h *fixture) told(t *testing.T) (told []string) {
	t.Helper()
	for _, l := range h.lines(t) {
		text := strings.Join(slices.Concat([]string{l.Type, l.User, l.Authenticator, l.Application, l.Code}, l.Fields), " ")
		told = append(told, strings.Join(strings.Fields(text), " "))
		if l.Actor != "" || l.RequestID == "" || !l.At.Equal(h.now) {
			t.Errorf("%+v", l)
		}
	}
	return told
}

func (h *fixture) wantLines(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, h.told(t)); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func withRequest(r *CallbackRequest) { r.RequestID = "request-1" }

func TestAuditOfAFirstSignIn(t *testing.T) {
	h := newFixture(t)
	h.wecom.withUserTicket()
	created := h.mustComplete(t, h.callback(t, withRequest))
	h.wantLines(t, "signed_in "+created.UserID+" demo", "user_created "+created.UserID+" demo")

	// A user whom an administrator has made before.
	h = newFixture(t)
	h.wecom.withUserTicket()
	h.user(t, "+8613800000001", func(u *store.User) { u.ID = "user-1" })
	h.mustComplete(t, h.callback(t, withRequest))
	h.wantLines(t, "signed_in user-1 demo", "user_updated user-1 demo identities")
}

// The roles that rules give with a first sign-in, or with the return of a member who was gone,
// are told in the same write.
func TestAuditOfRolesAtAFirstSignIn(t *testing.T) {
	for name, user := range map[string]func(*store.User){
		"created": nil,
		"bound":   func(u *store.User) { u.ID = "user-1" },
		"returns": func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan", GoneAt: u.CreatedAt, GoneReason: store.GoneLeft}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			h.wecom.withUserTicket()
			h.Members.(*members.Checker).Rules = &scriptedRules{evaluation: members.Evaluation{Roles: []string{"ops"}, Allowed: true}}
			if user != nil {
				h.user(t, "+8613800000001", user)
			}
			id := h.mustComplete(t, h.callback(t, withRequest)).UserID
			lines := h.lines(t)
			if len(lines) != 3 {
				t.Fatalf("%+v", lines)
			}
			want := store.AuditLine{ID: lines[0].ID, At: h.now, Type: "member_roles_changed", User: id, Authenticator: "demo", RequestID: "request-1", RolesAfter: []string{"ops"}}
			if diff := cmp.Diff(want, lines[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Of doubled requests one signs in. Every refusal of somebody whom WeCom named has a line;
// what a program can do as often as it likes has none.
func TestAuditOfRefusals(t *testing.T) {
	bound := func(u *store.User) {
		u.ID, u.Identities = "user-1", []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}}
	}
	for _, test := range []struct {
		name   string
		set    func(*testing.T, *fixture)
		change func(*CallbackRequest)
		want   []string
	}{
		{"disabled", func(t *testing.T, h *fixture) {
			h.user(t, "+8613800000001", func(u *store.User) { bound(u); u.Enabled = false })
		}, nil, []string{"sign_in_refused user-1 demo user_disabled"}},
		{"unknown in a browser", nil, func(r *CallbackRequest) { r.Attempt.InWeCom = false }, []string{"sign_in_refused demo first_sign_in_in_wecom"}},
		{"WeCom is busy", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = &wecom.Error{Code: wecom.SystemBusy} }, nil, []string{"sign_in_refused demo wecom_busy"}},
		{"not a member", func(_ *testing.T, h *fixture) { h.wecom.visitor = wecom.Identity{OpenID: "o"} }, nil, []string{"sign_in_refused demo not_a_member"}},
		{"another's phone", func(t *testing.T, h *fixture) {
			h.wecom.withUserTicket()
			h.user(t, "+8613800000001", func(u *store.User) {
				u.ID, u.Identities = "user-1", []store.Identity{{CorpID: corpID, WeComUserID: "LiSi"}}
			})
		}, nil, []string{"sign_in_refused user-1 demo phone_in_use"}},
		{"attack: no code", nil, func(r *CallbackRequest) { r.Code = "" }, nil},
		{"attack: an old cookie", nil, func(r *CallbackRequest) { r.AttemptErr = ErrAttemptExpired }, nil},
		{"attack: a made-up state", nil, func(r *CallbackRequest) { r.AttemptFound, r.Restarted = false, true }, nil},
		{"asked for the phone", nil, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			if test.set != nil {
				test.set(t, h)
			}
			_, _ = h.Complete(t.Context(), h.callback(t, func(r *CallbackRequest) {
				withRequest(r)
				if test.change != nil {
					test.change(r)
				}
			}))
			h.wantLines(t, test.want...)
		})
	}
}

// Without an audit nobody gets a session, and nobody a user.
func TestNobodySignsInWithoutAnAudit(t *testing.T) {
	for _, known := range []bool{true, false} {
		h := newFixture(t)
		h.wecom.withUserTicket()
		if known {
			h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}} })
		}
		before, _, _ := h.store.Users(t.Context(), store.Page{Limit: 10})
		h.Store = storetest.WithoutAudit{Engine: h.store}
		request := h.callback(t, withRequest)
		_, err := h.Complete(t.Context(), request)
		wantError(t, err, apierr.Internal)
		if result, err := h.store.AttemptResult(t.Context(), SessionKey(h.SessionIDs.Derive(request.State))); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%+v, %v", result, err)
		}
		if after, _, _ := h.store.Users(t.Context(), store.Page{Limit: 10}); len(after) != len(before) {
			t.Error("a user was made")
		}
		h.wantLines(t)
	}
}

// What ends a session tells so, once; and it ends without an audit, too.
func TestAuditOfEnds(t *testing.T) {
	s := newSelfService(t)
	this, other, third := s.begin("zhangsan"), s.begin("zhangsan"), s.begin("zhangsan")
	s.must(s.store.PutConsent(t.Context(), store.Consent{UserID: this.User.ID, ApplicationID: "wiki"}))
	s.now = s.now.Add(time.Hour)
	s.must(s.EndSession(t.Context(), this, other.Key))
	s.must(s.EndSession(t.Context(), this, other.Key))
	s.must(s.EndSession(t.Context(), this, "nobody's"))
	s.must(s.Withdraw(t.Context(), this, "wiki"))
	s.must(s.Withdraw(t.Context(), this, "wiki"))
	s.must(s.EndOtherSessions(t.Context(), this))
	s.must(s.EndEverywhere(t.Context(), this))
	signedOut := s.signIn("lisi") // in the browser of third
	s.must(s.browser.Sessions.End(t.Context(), s.sessions[0].ID))
	s.must(s.browser.Sessions.End(t.Context(), s.sessions[0].ID))
	var told []string
	for _, l := range s.lines(t) {
		if !l.At.Before(s.now) && l.Type != store.AuditSignedIn {
			told = append(told, strings.TrimSpace(strings.Join([]string{l.Type, l.User, l.Application, l.Code, l.RequestID}, " ")))
		}
	}
	user := this.User.ID
	want := []string{
		"consent_withdrawn " + user + " wiki  request-2", "session_ended " + user + "   request-2", "session_ended " + user + "   request-2",
		"sessions_ended " + user + "   request-2", "signed_out " + signedOut.UserID + "   request-2",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("%s: (-want +got):\n%s", third.Key, diff)
	}

	b := newBrowser(t)
	b.signIn("zhangsan")
	b.signIn("lisi")
	lines := b.lines(t)
	if i := slices.IndexFunc(lines, func(l store.AuditLine) bool { return l.Type == "session_ended" && l.Code == "replaced" }); i < 0 {
		t.Errorf("the end of another's session is not told: %+v", lines)
	}
	b.Sessions.Audit.Store = storetest.WithoutAudit{}
	if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sessions.Check(t.Context(), b.sessions[0]); !apierr.Is(err, apierr.Unauthorized) {
		t.Errorf("still signed in: %v", err)
	}
	if !slices.ContainsFunc(b.notes, func(note string) bool { return strings.HasPrefix(note, "auditNotWritten=") }) {
		t.Errorf("nobody is told that the audit fails: %q", b.notes)
	}
}

// Attack: phones and codes in everything that WeCom and a browser say.
func TestAttackNoPhoneInTheAudit(t *testing.T) {
	const number = "13800000001"
	h := newFixture(t)
	h.wecom.visitor = wecom.Identity{UserID: number, UserTicket: "TICKET-" + number}
	h.wecom.detail = wecom.Detail{UserID: number, Mobile: number, Avatar: "https://a.example/" + number, BizMail: number + "@corp.example"}
	h.wecom.member = wecom.Member{UserID: number, Name: number, Status: wecom.MemberActive}
	h.mustComplete(t, h.callback(t, func(r *CallbackRequest) { withRequest(r); r.Code = "CODE-" + number }))
	h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: 60020}
	_, _ = h.Complete(t.Context(), h.callback(t, withRequest))
	lines := h.lines(t)
	if len(lines) != 3 {
		t.Fatalf("%+v", lines)
	}
	text, _ := json.Marshal(lines)
	for _, never := range []string{number, "TICKET", "CODE", "session-of"} {
		if strings.Contains(string(text), never) {
			t.Errorf("%s is in %s", never, text)
		}
	}
}
