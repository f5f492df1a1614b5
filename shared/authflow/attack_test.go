package authflow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// flood sends a request again and again, within some seconds. Returned is what it wrote.
func (h *fixture) flood(t *testing.T, code apierr.Code, request func() CallbackRequest) (lines, events int, counted *countingStore) {
	t.Helper()
	counted = &countingStore{Store: h.store}
	h.Store = counted
	lines, events = -len(h.lines(t)), -len(h.recorded(t))
	for range 30 {
		h.now = h.now.Add(100 * time.Millisecond)
		_, err := h.Complete(t.Context(), request())
		wantError(t, err, code)
	}
	return lines + len(h.lines(t)), events + len(h.recorded(t)), counted
}

// Attack: while an app is misconfigured or WeCom is down, a program that nobody knows sends
// made-up codes, so that each fills the audit and pushes an event out of the lists. The first
// is recorded, so that administrators see the cause.
func TestAttackFloodOfTheAuditByNobody(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		code   apierr.Code
		writes int32
	}{
		{"address not trusted", &wecom.Error{Op: "getuserinfo", Code: wecom.UntrustedIP}, apierr.WeComConfiguration, 1},
		{"WeCom is busy", &wecom.Error{Op: "getuserinfo", Code: wecom.SystemBusy}, apierr.WeComBusy, 1},
		{"WeCom cannot be reached", &wecom.UnavailableError{Op: "getuserinfo", Unsent: true}, apierr.WeComUnavailable, 1},
		// A doubled request has to find a result then.
		{"WeCom's answer is lost", &wecom.UnavailableError{Op: "getuserinfo"}, apierr.WeComUnavailable, maxInvalidCodes},
		{"no member", nil, apierr.NotAMember, maxInvalidCodes},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			h.wecom.visitor, h.wecom.identifyErr = wecom.Identity{OpenID: "oDOGms"}, test.err
			request := func() CallbackRequest {
				return h.callback(t, func(r *CallbackRequest) { r.Source = SourceOf("203.0.113.9") })
			}
			lines, events, counted := h.flood(t, test.code, request)
			if lines != 1 || events != 1 || counted.writes.Load() != test.writes {
				t.Errorf("%d lines, %d events, %d writes", lines, events, counted.writes.Load())
			}
			// What has another cause is recorded at once.
			h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.SystemBusy}
			if test.code == apierr.WeComBusy {
				h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.UntrustedIP}
			}
			_, _ = h.Complete(t.Context(), request())
			if events := len(h.recorded(t)); events != 2 {
				t.Errorf("%d events after another cause", events)
			}
			// So is the same, ten seconds after the first.
			h.wecom.identifyErr = test.err
			h.now = h.now.Add(anonymousInterval)
			if lines, events, _ := h.flood(t, test.code, request); lines != 1 || events != 1 {
				t.Errorf("later: %d lines, %d events", lines, events)
			}
		})
	}
}

// Attack: one authenticator's misconfiguration hides another's.
func TestAttackFloodOfAnotherAuthenticatorHidesNothing(t *testing.T) {
	h := newFixture(t)
	h.wecom.identifyErr = &wecom.Error{Op: "getuserinfo", Code: wecom.UntrustedIP}
	h.flood(t, apierr.WeComConfiguration, func() CallbackRequest { return h.callback(t, nil) })
	demo, err := h.store.Authenticator(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	l := &login{flow: h.LoginCompleter, authenticator: demo}
	if l.event(apierr.New(apierr.WeComConfiguration, h.wecom.identifyErr)) != nil {
		t.Error("recorded again")
	}
	l.authenticator.ID = "another"
	if l.event(apierr.New(apierr.WeComConfiguration, h.wecom.identifyErr)) == nil {
		t.Error("another authenticator's is not recorded")
	}
	// Nor does a number that WeCom answers to a strange code hide that of the real cause.
	l.authenticator.ID = demo.ID
	if l.event(apierr.New(apierr.WeComConfiguration, &wecom.Error{Op: "getuserinfo", Code: 40001})) == nil {
		t.Error("another cause is not recorded")
	}
}

// Attack: the cookie of an attempt that asked for the phone, whose member is not known, is sent
// again and again from anywhere: while it is good, and for weeks afterwards.
func TestAttackFloodOfTheAuditByAnOldCookie(t *testing.T) {
	for name, failing := range map[string]struct {
		code   apierr.Code
		change func(*fixture, *CallbackRequest)
	}{
		"without a code": {apierr.AccessDenied, func(_ *fixture, r *CallbackRequest) { r.Code = "" }},
		"with a made-up code": {apierr.WeComConfiguration, func(h *fixture, r *CallbackRequest) {
			h.wecom.identifyErr, r.Code = &wecom.Error{Op: "getuserinfo", Code: wecom.UntrustedIP}, "MADE-UP"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			asked := h.mustComplete(t, h.callback(t, nil))
			attempt := func() CallbackRequest {
				return h.back(*asked.Redirect, func(r *CallbackRequest) { failing.change(h, r) })
			}
			lines, events, counted := h.flood(t, failing.code, attempt)
			if lines != 1 || events != 1 || counted.endedWaits.Load() != 1 {
				t.Errorf("in time: %d lines, %d events, %d ended waits", lines, events, counted.endedWaits.Load())
			}
			h.now = h.now.Add(20 * 24 * time.Hour)
			lines, events, counted = h.flood(t, apierr.StateExpired, func() CallbackRequest {
				req := attempt()
				req.AttemptErr = ErrAttemptExpired
				return req
			})
			if lines != 1 || events != 1 || counted.writes.Load() != 1 || counted.endedWaits.Load() != 0 {
				t.Errorf("expired: %d lines, %d events, %d writes, %d ended waits", lines, events, counted.writes.Load(), counted.endedWaits.Load())
			}
		})
	}
}

// Somebody who did not share the phone goes back and shares it, and the browser doubles that
// request: the second one waits for the first, and is not told of the refusal of before.
func TestDoubledRequestAfterARefusal(t *testing.T) {
	h := newFixture(t)
	asked := h.mustComplete(t, h.callback(t, nil))
	_, err := h.Complete(t.Context(), h.back(*asked.Redirect, func(r *CallbackRequest) { r.Code = "" }))
	wantError(t, err, apierr.AccessDenied)
	h.wecom.withUserTicket()
	shared, first := h.back(*asked.Redirect, nil), h.Store
	sessionID := h.SessionIDs.Derive(shared.State)
	l := &login{flow: h.LoginCompleter, req: shared, sessionID: sessionID, sessionKey: SessionKey(sessionID)}
	reads := 0
	h.Store = readStore{first, func() {
		if reads++; reads == 2 {
			h.Store = first
			h.mustComplete(t, shared)
		}
	}}
	if result, err := l.awaitResult(t.Context(), errors.New("40029")); err != nil || result.SessionID != sessionID {
		t.Errorf("the doubled request: %+v, %v", result, err)
	}
}

// readStore says when a result is read.
type readStore struct {
	Store
	read func()
}

func (s readStore) AttemptResult(ctx context.Context, key string) (store.AttemptResult, error) {
	s.read()
	return s.Store.AttemptResult(ctx, key)
}

// Somebody who did not share the phone goes back and shares it: the refusal of before does not
// stand in the way.
func TestPhoneIsSharedAfterAll(t *testing.T) {
	h := newFixture(t)
	asked := h.mustComplete(t, h.callback(t, nil))
	_, err := h.Complete(t.Context(), h.back(*asked.Redirect, func(r *CallbackRequest) { r.Code = "" }))
	wantError(t, err, apierr.AccessDenied)
	h.wecom.withUserTicket()
	result := h.mustComplete(t, h.back(*asked.Redirect, nil))
	if stored, err := h.store.AttemptResult(t.Context(), SessionKey(result.SessionID)); err != nil || stored.Kind != store.ResultSession {
		t.Errorf("%+v, %v", stored, err)
	}
}
