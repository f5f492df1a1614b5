package authflow

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func (h *fixture) firstSignIns() *FirstSignIns {
	return &FirstSignIns{
		Completer: &LoginCompleter{
			Starter: &LoginStarter{Authenticators: h.store, Now: h.Now}, Sessions: h.Sessions, Store: h.store,
			SessionIDs: plainIDs{}, SessionLifetime: 8 * time.Hour, Now: h.Now, LogField: h.LogField,
		},
		Store: h.store,
	}
}

// scan has a member scan WeCom's code in a browser, which is unknown.
func (h *fixture) scan(t *testing.T, member string, change func(*CallbackRequest)) Proof {
	t.Helper()
	h.wecom.visitor = wecom.Identity{UserID: member}
	redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "demo", PublicURL: publicURL})
	if err != nil {
		t.Fatal(err)
	}
	result, err := h.Complete(t.Context(), h.back(redirect, change))
	wantError(t, err, apierr.FirstSignInInWeCom)
	if result.Proof == nil {
		t.Fatal("the browser has no proof")
	}
	return *result.Proof
}

// signInInWeCom has a member open the link inside WeCom, and consent.
func (h *fixture) signInInWeCom(t *testing.T, member, mobile string) (CallbackResult, error) {
	t.Helper()
	h.wecom.visitor = wecom.Identity{UserID: member}
	first := h.mustComplete(t, h.callback(t, nil))
	if first.Redirect == nil {
		return first, nil
	}
	h.wecom.withUserTicket()
	h.wecom.detail = wecom.Detail{UserID: member, Mobile: mobile}
	h.wecom.member = wecom.Member{UserID: member, Name: member, Status: wecom.MemberActive}
	return h.Complete(t.Context(), h.back(*first.Redirect, nil))
}

func (h *fixture) goOn(t *testing.T, p Proof, sessions ...SessionRef) (CallbackResult, Waiting) {
	t.Helper()
	result, waiting, err := h.firstSignIns().GoOn(t.Context(), FirstSignInRequest{
		Proof: p, PublicURL: publicURL, Sessions: sessions, RequestID: "request-9",
		Client: store.Client{Browser: store.BrowserFirefox}, Address: "203.0.113.7",
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, waiting
}

func (h *fixture) wantWaiting(t *testing.T, p Proof, want Waiting) {
	t.Helper()
	got, err := h.firstSignIns().Ask(t.Context(), p)
	if err != nil || got != want {
		t.Fatalf("%+v, %v, want %+v", got, err, want)
	}
	if want.State != WaitingReady {
		if result, waiting := h.goOn(t, p); waiting != want || result != (CallbackResult{}) {
			t.Fatalf("it goes on: %+v, %+v", result, waiting)
		}
	}
}

func TestBrowserGoesOnOnceItsMemberHasSignedInInsideWeCom(t *testing.T) {
	h := newFixture(t)
	destination := toPath("/orders?id=7")
	p := h.scan(t, "ZhangSan", func(a *CallbackRequest) { a.Attempt.Destination = destination })
	h.wantWaiting(t, p, Waiting{State: StillWaiting})
	h.now = h.now.Add(time.Minute)
	inWeCom, err := h.signInInWeCom(t, "zhangsan", "13800000001")
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Second)
	h.wantWaiting(t, p, Waiting{State: WaitingReady})

	result, _ := h.goOn(t, p)
	if result.URL != "https://app.example.com/orders?id=7" || result.UserID != inWeCom.UserID || result.SessionID == inWeCom.SessionID {
		t.Fatalf("%+v beside %+v", result, inWeCom)
	}
	active, err := h.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID})
	if err != nil {
		t.Fatal(err)
	}
	session := active.Session
	if session.Lineage == "" {
		t.Error("the session has no lineage")
	}
	session.Lineage, session.AuthenticatorID, session.AuthenticatorGeneration = "", "", ""
	want := store.Session{
		UserID: result.UserID, AuthenticatorName: "demo", CorpID: corpID, WeComUserID: "ZhangSan",
		SignedInAt: h.now, ExpiresAt: h.now.Add(8 * time.Hour),
		Client: store.Client{Browser: store.BrowserFirefox}, Address: "203.0.113.7",
	}
	if diff := cmp.Diff(want, session); diff != "" {
		t.Error(diff)
	}
	events, err := h.store.EventsOfUser(t.Context(), result.UserID, 10)
	if err != nil || len(events) == 0 || events[0].RequestID != "request-9" || events[0].InWeCom || events[0].Code != "" {
		t.Errorf("%+v, %v", events, err)
	}
	var told []string
	for _, line := range h.lines(t) {
		told = append(told, line.Type+" "+line.User+" "+line.Code+" "+line.RequestID)
	}
	user := result.UserID
	wantLines := []string{"sign_in_refused  first_sign_in_in_wecom ", "signed_in " + user + "  ", "user_created " + user + "  ", "signed_in " + user + "  request-9"}
	if diff := cmp.Diff(wantLines, told); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

// Without its line the browser that waited gets no session either, and may try again.
func TestNobodyGoesOnWithoutAnAudit(t *testing.T) {
	h := newFixture(t)
	p := h.scan(t, "ZhangSan", nil)
	h.now = h.now.Add(time.Minute)
	if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
		t.Fatal(err)
	}
	f := h.firstSignIns()
	f.Completer.Store = storetest.WithoutAudit{Engine: h.store}
	result, _, err := f.GoOn(t.Context(), FirstSignInRequest{Proof: p, PublicURL: publicURL})
	if err == nil || result != (CallbackResult{}) {
		t.Errorf("%+v, %v", result, err)
	}
	h.wantWaiting(t, p, Waiting{State: WaitingReady})
	if result, waiting := h.goOn(t, p); waiting.State != WaitingReady || result.SessionID == "" {
		t.Errorf("%+v, %+v", result, waiting)
	}
}

// The browser's earlier sessions end, as with any other sign-in.
func TestGoingOnEndsWhatTheBrowserHadBefore(t *testing.T) {
	h := newFixture(t)
	other := h.user(t, "+8613800000002", func(u *store.User) {
		u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "LiSi"}}
	})
	h.wecom.visitor = wecom.Identity{UserID: "LiSi"}
	before := h.mustComplete(t, h.callback(t, nil))
	p := h.scan(t, "ZhangSan", nil)
	if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
		t.Fatal(err)
	}
	ref := SessionRef{ID: before.SessionID, UserID: other.ID}
	if _, waiting := h.goOn(t, p, ref); waiting.State != WaitingReady {
		t.Fatalf("%+v", waiting)
	}
	_, err := h.Sessions.Check(t.Context(), ref)
	wantError(t, err, apierr.Unauthorized)
}

func TestAttackFirstSignInOfSomebodyElse(t *testing.T) {
	h := newFixture(t)
	attacker := h.scan(t, "Mallory", nil)
	// The victim opens the code of the attacker's page, and consents.
	if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
		t.Fatal(err)
	}
	h.wantWaiting(t, attacker, Waiting{State: StillWaiting})
	// Another corp may have a member of the same userid.
	namesake := attacker
	namesake.CorpID = "wwother"
	if _, err := h.signInInWeCom(t, "Mallory", "13800000009"); err != nil {
		t.Fatal(err)
	}
	h.wantWaiting(t, attacker, Waiting{State: WaitingReady})
	if got, err := h.firstSignIns().Ask(t.Context(), namesake); err != nil || got.State != StillWaiting {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestAttackProofStartsOneSessionEver(t *testing.T) {
	h := newFixture(t)
	p := h.scan(t, "ZhangSan", nil)
	if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
		t.Fatal(err)
	}
	result, _ := h.goOn(t, p)
	over := Waiting{State: WaitingIsOver}
	// A thief who has copied the cookie.
	h.wantWaiting(t, p, over)
	// The browser itself, which asks twice: the same session, not another one.
	own := SessionRef{ID: result.SessionID, UserID: result.UserID}
	if again, _ := h.goOn(t, p, own); again != result {
		t.Fatalf("%+v, want %+v", again, result)
	}
	if err := h.Sessions.End(t.Context(), result.SessionID); err != nil {
		t.Fatal(err)
	}
	h.wantWaiting(t, p, over)
	if again, waiting := h.goOn(t, p, own); waiting != over || again != (CallbackResult{}) {
		t.Fatalf("%+v, %+v", again, waiting)
	}
}

// Two browsers with one cookie ask at the same moment.
func TestAttackProofStartsOneSessionAtOnce(t *testing.T) {
	h := newFixture(t)
	p := h.scan(t, "ZhangSan", nil)
	if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
		t.Fatal(err)
	}
	rival := h.firstSignIns()
	rival.Store = readyStore{h.store}
	if result, _ := h.goOn(t, p); result.SessionID == "" {
		t.Fatal("the first did not go on")
	}
	result, waiting, err := rival.GoOn(t.Context(), FirstSignInRequest{Proof: p, PublicURL: publicURL})
	if err != nil || waiting.State != WaitingIsOver || result.SessionID != "" {
		t.Fatalf("%+v, %+v, %v", result, waiting, err)
	}
}

// readyStore has not seen yet that somebody went on.
type readyStore struct{ FirstSignInStore }

func (s readyStore) FirstSignIn(ctx context.Context, key, corpID, userID string) (store.FirstSignIn, error) {
	first, err := s.FirstSignInStore.FirstSignIn(ctx, key, corpID, userID)
	first.Used = false
	return first, err
}

func TestRefusalInsideWeComEndsTheWaiting(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*testing.T, *fixture)
		// refused is the callback of the attempt that asks for the phone.
		refused func(*CallbackRequest)
		want    apierr.Code
	}{
		{"the member does not consent", nil, func(a *CallbackRequest) { a.Code = "" }, apierr.AccessDenied},
		{"the phone is not shared", func(_ *testing.T, h *fixture) { h.wecom.detail.Mobile = "" }, nil, apierr.PhoneNotShared},
		{"the code is no code", nil, func(a *CallbackRequest) { a.Code = "ä" }, apierr.CodeInvalid},
		{"WeCom is down", func(_ *testing.T, h *fixture) { h.wecom.identifyErr = &wecom.UnavailableError{Op: "getuserinfo"} }, nil, apierr.WeComUnavailable},
		{"WeCom is down for the phone", func(_ *testing.T, h *fixture) { h.wecom.detailErr = &wecom.UnavailableError{Op: "getuserdetail"} }, nil, apierr.WeComUnavailable},
		{"sign-up is closed", func(t *testing.T, h *fixture) {
			a, err := h.store.Authenticator(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			closed := a
			closed.AutoSignup, closed.Version = false, a.Version+1
			if err := h.store.UpdateAuthenticator(t.Context(), a, closed); err != nil {
				t.Fatal(err)
			}
		}, nil, apierr.SignupClosed},
		{"the phone is somebody else's", func(t *testing.T, h *fixture) {
			h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "wangwu"}} })
		}, nil, apierr.PhoneInUse},
		{"the user is disabled", func(t *testing.T, h *fixture) {
			h.user(t, "+8613800000001", func(u *store.User) { u.Enabled = false })
		}, nil, apierr.UserDisabled},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFixture(t)
			p, somebody := h.scan(t, "ZhangSan", nil), h.scan(t, "LiSi", nil)
			h.wecom.visitor = wecom.Identity{UserID: "ZhangSan"}
			first := h.mustComplete(t, h.callback(t, nil))
			h.wantWaiting(t, p, Waiting{State: StillWaiting})
			h.wecom.withUserTicket()
			if test.set != nil {
				test.set(t, h)
			}
			_, err := h.Complete(t.Context(), h.back(*first.Redirect, test.refused))
			wantError(t, err, test.want)
			h.wantWaiting(t, p, Waiting{WaitingIsOver, test.want})
			h.wantWaiting(t, somebody, Waiting{State: StillWaiting})

			// Who scans once more waits anew: the refusal was before that.
			h.wecom.identifyErr = nil
			h.now = h.now.Add(time.Second)
			h.wantWaiting(t, h.scan(t, "ZhangSan", nil), Waiting{State: StillWaiting})
		})
	}
}

// A member who is disabled between signing in inside WeCom and the next question.
func TestDisabledMemberDoesNotGoOn(t *testing.T) {
	h := newFixture(t)
	p := h.scan(t, "ZhangSan", nil)
	result, err := h.signInInWeCom(t, "ZhangSan", "13800000001")
	if err != nil {
		t.Fatal(err)
	}
	user, err := h.store.User(t.Context(), result.UserID)
	if err != nil {
		t.Fatal(err)
	}
	disabled := user
	disabled.Enabled, disabled.Version = false, user.Version+1
	if err := h.store.UpdateUser(t.Context(), user, disabled); err != nil {
		t.Fatal(err)
	}
	h.wantWaiting(t, p, Waiting{WaitingIsOver, apierr.UserDisabled})
}

// A member whom this authenticator's allow or its app's visible range keeps out signs in inside
// WeCom by another one of the corp. Scanning works outside of the visible range, too.
func TestAttackFirstSignInByAnotherAuthenticator(t *testing.T) {
	for name, test := range map[string]struct {
		allow store.Allow
		want  WaitingState
	}{
		"this one's app was not asked": {store.Allow{}, WaitingIsOver},
		"this one lets in a few":       {store.Allow{Departments: []int64{12}}, WaitingIsOver},
		"this one lets in by the tag":  {store.Allow{Tags: []int64{3}}, WaitingIsOver},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			closed := h.authenticator(t, func(a *store.Authenticator) { a.Allow, a.RulesVersion = test.allow, "rules" })
			p := h.scan(t, "ZhangSan", nil)
			h.authenticator(t, func(*store.Authenticator) {}) // the other one, in its place
			if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
				t.Fatal(err)
			}
			other, err := h.store.Authenticator(t.Context(), "demo")
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(h.store.DeleteAuthenticator(t.Context(), other), h.store.CreateAuthenticator(t.Context(), closed)); err != nil {
				t.Fatal(err)
			}
			if _, waiting := h.goOn(t, p); waiting != (Waiting{State: test.want}) {
				t.Errorf("%+v, want %s", waiting, test.want)
			}
		})
	}
}

func TestWhatWasBeforeTheProofDoesNotCount(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	bound := func(change func(*store.IdentityOwner)) store.FirstSignIn {
		owner := store.IdentityOwner{UserID: "u", Enabled: true, Identity: store.Identity{CorpID: corpID, WeComUserID: "ZhangSan", BoundAt: at}}
		change(&owner)
		return store.FirstSignIn{Owner: owner}
	}
	refused := func(at time.Time) store.FirstSignIn {
		return store.FirstSignIn{Refusal: store.FirstSignInRefusal{Code: "phone_in_use", At: at}}
	}
	for name, test := range map[string]struct {
		first store.FirstSignIn
		want  Waiting
	}{
		"bound at that moment": {bound(func(*store.IdentityOwner) {}), Waiting{State: WaitingReady}},
		"bound before":         {bound(func(o *store.IdentityOwner) { o.Identity.BoundAt = at.Add(-time.Millisecond) }), Waiting{State: StillWaiting}},
		"disabled in WeCom":    {bound(func(o *store.IdentityOwner) { o.Identity.DisabledAt = at }), Waiting{WaitingIsOver, apierr.UserDisabled}},
		"kept out by the rules": {bound(func(o *store.IdentityOwner) {
			o.Identity.Access = []store.MemberAccess{{AuthenticatorID: "a", Refused: true}}
		}), Waiting{WaitingIsOver, apierr.NotAllowed}},
		"gone for this app": {bound(func(o *store.IdentityOwner) {
			o.Identity.Access = []store.MemberAccess{{AuthenticatorID: "a", GoneAt: at}}
		}), Waiting{State: StillWaiting}},
		"bound before by another app, known again by this": {bound(func(o *store.IdentityOwner) {
			o.Identity.BoundAt = at.Add(-time.Hour)
			o.Identity.Access = []store.MemberAccess{{AuthenticatorID: "a", CheckedAt: at}}
		}), Waiting{State: WaitingReady}},
		"bound since by another app of the corp, which checked": {bound(func(o *store.IdentityOwner) {
			o.Identity.Authenticator, o.Identity.CheckedAt = "other", at
			o.Identity.Access = []store.MemberAccess{{AuthenticatorID: "o", CheckedAt: at}}
		}), Waiting{State: WaitingIsOver}},
		"bound since by another app of the corp, which WeCom told nothing": {bound(func(o *store.IdentityOwner) {
			o.Identity.Authenticator = "other"
		}), Waiting{State: WaitingIsOver}},
		"gone":                   {bound(func(o *store.IdentityOwner) { o.Identity.GoneAt = at }), Waiting{State: StillWaiting}},
		"refused at that moment": {refused(at), Waiting{WaitingIsOver, apierr.PhoneInUse}},
		"refused before":         {refused(at.Add(-time.Millisecond)), Waiting{State: StillWaiting}},
		"neither":                {store.FirstSignIn{}, Waiting{State: StillWaiting}},
	} {
		if got := (Proof{At: at, AuthenticatorID: "a"}).judge(test.first); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// A lookup binds members while their browsers wait, and asks nothing about allow: that is for
// the next sign-in to find out.
func TestAttackLookupBindsWhomAllowKeepsOut(t *testing.T) {
	h := newFixture(t)
	h.authenticator(t, func(a *store.Authenticator) { a.Allow, a.RulesVersion = store.Allow{Departments: []int64{12}}, "rules" })
	p := h.scan(t, "ZhangSan", nil)
	if err := h.store.CreateUser(t.Context(), store.User{
		ID: "imported", Phone: "+8613800000001", Enabled: true, Version: 1,
		Identities: []store.Identity{{CorpID: p.CorpID, WeComUserID: "ZhangSan", Authenticator: "demo", BoundAt: h.now}},
	}); err != nil {
		t.Fatal(err)
	}
	if result, waiting := h.goOn(t, p); waiting != (Waiting{State: WaitingIsOver}) || result != (CallbackResult{}) {
		t.Errorf("it goes on: %+v, %+v", result, waiting)
	}
}

func TestOtherAuthenticatorStartsNoSession(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*store.Authenticator)
		want   apierr.Code
	}{
		"a namesake": {func(*store.Authenticator) {}, apierr.AuthenticatorUnknown},
		"disabled":   {func(a *store.Authenticator) { a.Enabled = false }, apierr.AuthenticatorDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			p := h.scan(t, "ZhangSan", nil)
			if _, err := h.signInInWeCom(t, "ZhangSan", "13800000001"); err != nil {
				t.Fatal(err)
			}
			h.authenticator(t, test.change)
			_, _, err := h.firstSignIns().GoOn(t.Context(), FirstSignInRequest{Proof: p, PublicURL: publicURL})
			wantError(t, err, test.want)
		})
	}
}

// Nobody waits for these members, so nothing is written for them.
func TestRefusalsThatNobodyWaitsForAreNotRecorded(t *testing.T) {
	for name, test := range map[string]struct {
		visitor string
		change  func(*CallbackRequest)
	}{
		"in a browser":          {"ZhangSan", func(a *CallbackRequest) { a.Attempt.InWeCom = false }},
		"nobody was named":      {"ZhangSan", func(a *CallbackRequest) { a.Code = "" }},
		"another corp's member": {"wwother/lisi", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t)
			counting := &refusals{Engine: h.store}
			h.Store, h.wecom.visitor.UserID = counting, test.visitor
			if _, err := h.Complete(t.Context(), h.callback(t, test.change)); err == nil {
				t.Fatal("not refused")
			}
			if counting.recorded != 0 {
				t.Errorf("%d refusals recorded", counting.recorded)
			}
		})
	}
}

type refusals struct {
	store.Engine
	recorded int
}

func (r *refusals) RefuseFirstSignIn(context.Context, string, string, store.FirstSignInRefusal) error {
	r.recorded++
	return nil
}

func TestSealedProof(t *testing.T) {
	box := aeadtest.Box(t, aead.FirstSignIn)
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	p := Proof{
		State: "STATE", Authenticator: "demo", AuthenticatorID: "id", AuthenticatorGeneration: "g", CorpID: corpID, WeComUserID: "ZhangSan",
		Destination: Destination{Application: "wiki", Continue: NewRequestID()}, At: at, Questions: 7,
	}
	sealed, err := SealProof(box, "name", p)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenProof(box, "name", sealed, at.Add(ProofLifetime-time.Millisecond)); err != nil || !got.At.Equal(at) {
		t.Fatalf("%+v, %v", got, err)
	} else if got.At = at; got != p {
		t.Fatalf("%+v, want %+v", got, p)
	}
	attempt, err := SealAttempt(aeadtest.Box(t, aead.StateCookie), "name", LoginAttempt{State: "STATE", AuthenticatorID: "id", WeComUserID: "ZhangSan", IssuedAt: at})
	if err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (Proof, error){
		"too old":      func() (Proof, error) { return OpenProof(box, "name", sealed, at.Add(ProofLifetime)) },
		"other cookie": func() (Proof, error) { return OpenProof(box, "other", sealed, at) },
		"an attempt":   func() (Proof, error) { return OpenProof(box, "name", attempt, at) },
		"nothing":      func() (Proof, error) { return OpenProof(box, "name", nil, at) },
	} {
		if got, err := open(); !errors.Is(err, ErrProofInvalid) || got != (Proof{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
