package authflow

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// recorded is what administrators are shown of demo, newest first.
func (h *fixture) recorded(t *testing.T) []store.SignInEvent {
	t.Helper()
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	records, err := h.store.EventsOfAuthenticator(t.Context(), demo.ID, 50)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// Administrators see who signed in and why somebody could not, and nothing of what
// nobody here began.
func TestAttemptsAreRecorded(t *testing.T) {
	const phone = "+8613800000001"
	bound := func(u *store.User) {
		u.ID, u.Identities = "user-1", []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}}
	}
	for _, test := range []struct {
		name   string
		set    func(*testing.T, *fixture)
		change func(*CallbackRequest)
		want   *store.SignInEvent // the parts that differ; nil for nothing at all
	}{
		{
			"signed in",
			func(t *testing.T, h *fixture) { h.user(t, phone, bound) }, nil,
			&store.SignInEvent{UserID: "user-1", WeComUserID: "ZhangSan", InWeCom: true},
		},
		{
			"signed in outside WeCom's client",
			func(t *testing.T, h *fixture) { h.user(t, phone, bound) },
			func(a *CallbackRequest) { a.Attempt.InWeCom = false },
			&store.SignInEvent{UserID: "user-1", WeComUserID: "ZhangSan"},
		},
		{
			"disabled user",
			func(t *testing.T, h *fixture) { h.user(t, phone, func(u *store.User) { bound(u); u.Enabled = false }) }, nil,
			&store.SignInEvent{UserID: "user-1", WeComUserID: "ZhangSan", InWeCom: true, Code: "user_disabled"},
		},
		{
			"phone of another member of the corp",
			func(t *testing.T, h *fixture) {
				h.wecom.withUserTicket()
				h.user(t, phone, func(u *store.User) {
					u.ID, u.Identities = "user-1", []store.Identity{{CorpID: corpID, WeComUserID: "lisi"}}
				})
			}, nil,
			&store.SignInEvent{UserID: "user-1", WeComUserID: "ZhangSan", InWeCom: true, Code: "phone_in_use"},
		},
		{
			"first sign-in in a browser", nil,
			func(a *CallbackRequest) { a.Attempt.InWeCom = false },
			&store.SignInEvent{WeComUserID: "ZhangSan", Code: "first_sign_in_in_wecom"},
		},
		{
			"no member",
			func(_ *testing.T, h *fixture) { h.wecom.visitor = wecom.Identity{OpenID: "oDOGms"} }, nil,
			&store.SignInEvent{InWeCom: true, Code: "not_a_member"},
		},
		{
			"phone number not shared", nil,
			func(a *CallbackRequest) { a.Code, a.Attempt.Scope = "", wecom.ScopePrivateInfo },
			&store.SignInEvent{InWeCom: true, Code: "access_denied"},
		},
		{
			"took too long to share it", nil,
			func(a *CallbackRequest) { a.AttemptErr, a.Attempt.Scope = ErrAttemptExpired, wecom.ScopePrivateInfo },
			&store.SignInEvent{InWeCom: true, Code: "state_expired"},
		},
		{
			"WeCom does not trust the address",
			func(_ *testing.T, h *fixture) { h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: 60020} }, nil,
			&store.SignInEvent{InWeCom: true, Code: "wecom_configuration", WeComCode: 60020},
		},
		{
			"WeCom is down",
			func(_ *testing.T, h *fixture) { h.wecom.identifyErr = &wecom.UnavailableError{Op: "getuserinfo"} }, nil,
			&store.SignInEvent{InWeCom: true, Code: "wecom_unavailable"},
		},
		{"goes on for the phone number", nil, nil, nil},
		{"attack: fill the list by calling authorize and the callback", nil, func(a *CallbackRequest) { a.Code = "" }, nil},
		{"attack: fill the list by coming back late", nil, func(a *CallbackRequest) { a.AttemptErr = ErrAttemptExpired }, nil},
		{"attack: fill the list with made-up codes", func(_ *testing.T, h *fixture) {
			h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.CodeExpired}
		}, nil, nil},
		{"attack: fill the list without a cookie", nil, func(a *CallbackRequest) { a.AttemptFound = false }, nil},
		{"attack: fill the list with a forged cookie", nil, func(a *CallbackRequest) { a.AttemptErr = ErrAttemptInvalid }, nil},
		{"attack: fill the list of another authenticator", nil, func(a *CallbackRequest) { a.Attempt.AuthenticatorID = "other" }, nil},
		{"attack: an expired cookie of another authenticator", nil, func(a *CallbackRequest) {
			a.AttemptErr, a.Attempt.AuthenticatorID = ErrAttemptExpired, "other"
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			if test.set != nil {
				test.set(t, h)
			}
			req := h.callback(t, test.change)
			req.RequestID = "request-1"
			result, err := h.Complete(t.Context(), req)
			var want []store.SignInEvent
			if test.want != nil {
				record := *test.want
				demo, _ := h.store.Authenticator(t.Context(), "demo")
				record.At, record.AuthenticatorID, record.AuthenticatorName = h.now, demo.ID, "demo"
				record.CorpID, record.RequestID = corpID, "request-1"
				want = []store.SignInEvent{record}
				if (err == nil) != (record.Code == "") || err != nil && string(apierr.From(err).Code) != record.Code {
					t.Fatalf("answered %+v, %v", result, err)
				}
			}
			records := h.recorded(t)
			if diff := cmp.Diff(want, records); diff != "" {
				t.Fatalf("recorded (-want, +got):\n%s", diff)
			}
			written, _ := json.Marshal(records)
			for _, secret := range []string{req.State, "CODE", "TICKET", "13800000001", result.SessionID} {
				if secret != "" && strings.Contains(string(written), secret) {
					t.Errorf("the record holds %s", secret)
				}
			}
		})
	}
}

func TestDoubledRequestIsRecordedOnce(t *testing.T) {
	h := newFixture(t)
	h.wecom.spent = map[string]bool{}
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}} })
	req := h.callback(t, nil)
	for range 2 {
		h.mustComplete(t, req)
	}
	if records := h.recorded(t); len(records) != 1 {
		t.Fatalf("%d records of one sign-in", len(records))
	}
}

// WeCom was busy, the visitor tried again with the same code and got in: both are
// worth knowing.
func TestRetryAfterAFailureIsRecordedBeside(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}} })
	req := h.callback(t, nil)
	h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.SystemBusy}
	_, err := h.Complete(t.Context(), req)
	wantError(t, err, apierr.WeComBusy)
	h.wecom.identifyErr = nil
	h.now = h.now.Add(time.Second)
	h.mustComplete(t, req)
	var codes []string
	for _, record := range h.recorded(t) {
		codes = append(codes, record.Code)
	}
	if diff := cmp.Diff([]string{"", "wecom_busy"}, codes); diff != "" {
		t.Fatal(diff)
	}
}

func TestUnwritableRecordChangesNothingForTheVisitor(t *testing.T) {
	for code, change := range map[apierr.Code]func(*CallbackRequest){
		apierr.AccessDenied:     func(r *CallbackRequest) { r.Code, r.Attempt.Scope = "", wecom.ScopePrivateInfo },
		apierr.StateExpired:     func(r *CallbackRequest) { r.AttemptErr, r.Attempt.Scope = ErrAttemptExpired, wecom.ScopePrivateInfo },
		apierr.WeComUnavailable: func(*CallbackRequest) {},
		apierr.WeComBusy:        func(*CallbackRequest) {},
	} {
		h := newFixture(t)
		switch code {
		case apierr.WeComUnavailable:
			h.wecom.identifyErr = &wecom.UnavailableError{Op: "getuserinfo"}
		case apierr.WeComBusy:
			h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.SystemBusy}
		}
		h.Store = noRecords{h.store}
		_, err := h.Complete(t.Context(), h.callback(t, change))
		wantError(t, err, code)
		if !strings.Contains(strings.Join(h.notes, " "), "attemptNotRecorded=") {
			t.Errorf("%s: the operator is not told: %q", code, h.notes)
		}
		// The one that could not be recorded does not keep the next from being.
		h.Store = h.store
		_, err = h.Complete(t.Context(), h.callback(t, change))
		wantError(t, err, code)
		if n := len(h.recorded(t)); n != 1 {
			t.Errorf("%s: %d events", code, n)
		}
	}
}

// noRecords is a store that cannot write records.
type noRecords struct{ Store }

func (s noRecords) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return noEvents{s.Store.Audited(lines...)}
}

type noEvents struct{ store.AuditedWrites }

var errTableIsGone = errors.New("the table is gone")

func (noEvents) RecordEvent(context.Context, string, store.SignInEvent) error { return errTableIsGone }

func (noEvents) RecordResult(context.Context, store.AttemptResult) error { return errTableIsGone }

// An administrator who signs in for the console comes back to it, whichever way the
// browser takes.
func TestReturnToConsole(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "ZhangSan"}} })
	start := func() Redirect {
		redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "demo", PublicURL: publicURL, Destination: Destination{Path: toPath("/kept").Path, Console: true}, InWeCom: true})
		if err != nil {
			t.Fatal(err)
		}
		return redirect
	}
	redirect := start()
	if want := publicURL + "/callback/demo?redirect=%2Fkept&return=console"; !strings.HasSuffix(redirect.URL, " "+want) {
		t.Fatalf("started with %s", redirect.URL)
	}
	if result := h.mustComplete(t, h.back(redirect, nil)); result.URL != publicURL+"/console" {
		t.Errorf("came to %s", result.URL)
	}
	// The cookie was lost: the address still says where to go, and so does the second round.
	lost := h.mustComplete(t, h.back(start(), func(a *CallbackRequest) {
		a.AttemptFound, a.Attempt, a.ReturnTo = false, LoginAttempt{}, Destination{Console: true}
	}))
	if result := h.mustComplete(t, h.back(*lost.Redirect, nil)); result.URL != publicURL+"/console" {
		t.Errorf("came to %s in the second round", result.URL)
	}
	// Going on for the phone number keeps it.
	unknown := newFixture(t)
	on, err := unknown.Complete(t.Context(), unknown.callback(t, func(a *CallbackRequest) { a.Attempt.Destination.Console = true }))
	if err != nil || on.Redirect == nil || !on.Redirect.Attempt.Destination.Console {
		t.Errorf("went on with %+v, %v", on.Redirect, err)
	}
}
