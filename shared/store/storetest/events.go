package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// event returns an event of now.
func (b *bench) event(authenticatorID, userID, code string) store.SignInEvent {
	return store.SignInEvent{
		At: b.now(), AuthenticatorID: authenticatorID, AuthenticatorName: "demo", UserID: userID,
		CorpID: "ww0123", WeComUserID: "ZhangSan", InWeCom: true, Code: code, WeComCode: 60020, RequestID: "request-1",
	}
}

func (b *bench) listed(read func() ([]store.SignInEvent, error), want ...store.SignInEvent) {
	b.Helper()
	got, err := read()
	b.ok(err)
	if len(want) == 0 && len(got) == 0 {
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("listed (-want, +got):\n%s", diff)
	}
}

func signInEvents(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(ctx, u))
	of := func(authenticatorID string) func() ([]store.SignInEvent, error) {
		return func() ([]store.SignInEvent, error) { return b.EventsOfAuthenticator(ctx, authenticatorID, 10) }
	}
	ofUser := func() ([]store.SignInEvent, error) { return b.EventsOfUser(ctx, u.ID, 10) }
	b.listed(of("a"))
	b.listed(ofUser)

	// A refusal, a sign-in, one that continues, one of another authenticator.
	refused := b.event("a", "", "first_sign_in_in_wecom")
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "refused", Kind: store.ResultRefused, Code: refused.Code, KeepUntil: b.now().Add(time.Minute), Event: &refused}))
	b.pass(time.Millisecond)
	began := b.event("a", u.ID, "")
	session := b.session("session", u)
	session.Event = &began
	b.ok(b.StartSession(ctx, session, true))
	b.pass(time.Millisecond)
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "continued", Kind: store.ResultContinued, KeepUntil: b.now().Add(time.Minute)}))
	elsewhere := b.event("b", u.ID, "user_disabled")
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "elsewhere", Kind: store.ResultRefused, Code: "user_disabled", KeepUntil: b.now().Add(time.Minute), Event: &elsewhere}))
	b.listed(of("a"), began, refused)
	b.listed(of("b"), elsewhere)
	b.listed(ofUser, elsewhere, began)
	b.listed(of("absent"))
	b.listed(of(""))
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfUser(ctx, u.ID, 1) }, elsewhere)

	// A result that is not recorded leaves no event.
	late := b.event("a", u.ID, "internal")
	b.is(b.RecordResult(ctx, store.AttemptResult{SessionKey: "session", Kind: store.ResultRefused, KeepUntil: b.now().Add(time.Minute), Event: &late}), store.ErrExists)
	again := b.session("session", u)
	again.Event = &late
	b.is(b.StartSession(ctx, again, true), store.ErrExists)
	b.listed(of("a"), began, refused)

	// The result is read without its event, and ending the session keeps the event.
	if got, err := b.AttemptResult(ctx, "session"); err != nil || got.Event != nil || got.Kind != store.ResultSession {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err := b.EndSession(ctx, "session")
	b.ok(err)
	b.listed(of("a"), began, refused)

	// An event without a result is replaced by the next one of its key, even a later one,
	// and never changes the result.
	b.pass(time.Second)
	busy := b.event("a", "", "wecom_busy")
	b.ok(b.RecordEvent(ctx, "session", busy))
	b.listed(of("a"), busy, began, refused)
	b.pass(time.Second)
	down := b.event("a", "", "wecom_unavailable")
	b.ok(b.RecordEvent(ctx, "session", down))
	b.listed(of("a"), down, began, refused)
	if got, err := b.AttemptResult(ctx, "session"); err != nil || got.Kind != store.ResultEnded {
		t.Fatalf("%+v, %v", got, err)
	}

	// Also when it has another user now.
	b.pass(time.Second)
	named := b.event("a", "another", "user_disabled")
	b.ok(b.RecordEvent(ctx, "session", named))
	b.listed(of("a"), named, began, refused)
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfUser(ctx, "another", 10) }, named)
	b.ok(b.RecordEvent(ctx, "session", down))
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfUser(ctx, "another", 10) })
	b.listed(of("a"), down, began, refused)
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfAuthenticator(ctx, "a", 0) })

	// A result in place of an expired one replaces its event, too.
	b.pass(time.Minute)
	anew := b.event("a", "", "signup_closed")
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "refused", Kind: store.ResultRefused, KeepUntil: b.now().Add(time.Minute), Event: &anew}))
	b.listed(of("a"), anew, down, began)

	// The authenticator's list keeps events of deleted users.
	read, err := b.User(ctx, u.ID)
	b.ok(err)
	b.ok(b.DeleteUser(ctx, read))
	b.listed(of("a"), anew, down, began)

	b.pass(store.EventRetention - b.now().Sub(down.At))
	b.listed(of("a"), anew, down) // exactly the oldest that is kept
	b.pass(time.Hour)
	b.listed(of("a"))
}

func sessionsOfUser(t *testing.T, b *bench) {
	ctx := t.Context()
	u, other := b.user("+8613800000001"), b.user("+8613800000002")
	start := func(key string, of store.User, change func(*store.Session)) store.AttemptResult {
		t.Helper()
		b.pass(time.Second)
		result, event := b.session(key, of), b.event("a", of.ID, "")
		result.Event = &event
		if change != nil {
			change(&result.Session)
		}
		b.ok(b.StartSession(ctx, result, false))
		result.Event = nil // it is not read
		return result
	}
	listed := func(userID string, limit int, want ...store.AttemptResult) {
		t.Helper()
		got, err := b.SessionsOfUser(ctx, userID, limit)
		b.ok(err)
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Fatalf("sessions of %q (-want, +got):\n%s", userID, diff)
		}
	}
	listed(u.ID, 10)
	first := start("first", u, func(s *store.Session) {
		s.Client, s.Address = store.Client{Browser: store.BrowserFirefox, System: store.SystemLinux}, "2001:db8::7"
		s.InWeCom, s.Lineage = true, "lineage"
	})
	short := start("short", u, func(s *store.Session) { s.ExpiresAt = b.now().Add(time.Hour) })
	foreign := start("foreign", other, nil)
	second := start("second", u, nil)
	// Neither refusals nor events without a result are sessions.
	b.pass(time.Second)
	refused := b.event("a", u.ID, "user_disabled")
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "refused", Kind: store.ResultRefused, KeepUntil: b.now().Add(time.Hour), Event: &refused}))
	b.ok(b.RecordEvent(ctx, "second", refused))
	listed(u.ID, 10, second, short, first)
	listed(u.ID, 2, second, short)
	listed(u.ID, 0)
	listed(other.ID, 10, foreign)
	listed("absent", 10)
	listed("", 10)

	b.ends("second", second.Session)
	listed(u.ID, 10, short, first)
	b.pass(time.Hour)
	listed(u.ID, 10, first)

	// Of more sign-ins than administrators see, the newest.
	for i := range store.MaxEvents + 5 {
		start(fmt.Sprintf("of-many-%x", i), other, nil)
	}
	many, err := b.SessionsOfUser(ctx, other.ID, 1000)
	b.ok(err)
	if len(many) != store.MaxEvents || many[0].SessionKey != fmt.Sprintf("of-many-%x", store.MaxEvents+4) {
		t.Fatalf("%d, the newest is %s", len(many), many[0].SessionKey)
	}
}

func manySignInEvents(t *testing.T, b *bench) {
	ctx := t.Context()
	// Keys distinguish several events of one millisecond.
	for _, err := range AtOnce(5, func(i int) error {
		return b.RecordEvent(ctx, fmt.Sprint("same", i), b.event("a", "u", "wecom_busy"))
	}) {
		b.ok(err)
	}
	got, err := b.EventsOfUser(ctx, "u", 50)
	b.ok(err)
	if len(got) != 5 {
		t.Fatalf("%d of 5 in one millisecond", len(got))
	}
	for i := range store.MaxEvents + 20 {
		b.pass(time.Second)
		b.ok(b.RecordEvent(ctx, fmt.Sprint("key", i), b.event("a", "", "wecom_busy")))
	}
	got, err = b.EventsOfAuthenticator(ctx, "a", 1000)
	b.ok(err)
	if len(got) != store.MaxEvents || !got[0].At.Equal(b.now()) {
		t.Fatalf("%d, the newest of %v", len(got), got[0].At)
	}
}

func usersByName(t *testing.T, b *bench) {
	ctx := t.Context()
	add := func(name, phone string) store.User {
		b.pass(time.Millisecond)
		u := b.user(phone)
		u.Name = name
		b.ok(b.CreateUser(ctx, u))
		return u
	}
	zhang3 := add("张三", "+8613800000001")
	zhang := add("张", "+8613800000002")
	anna := add("Anna Bell", "+8613800000003")
	anna2 := add("  ANNA bell", "+8613800000004")
	add("", "+8613800000005")
	find := func(prefix string, want ...store.User) {
		t.Helper()
		found, next, err := b.UsersByName(ctx, prefix, store.Page{Limit: 10})
		b.ok(err)
		if next != "" {
			t.Errorf("%q goes on at %q", prefix, next)
		}
		if len(want) == 0 && len(found) == 0 {
			return
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%q finds (-want, +got):\n%s", prefix, diff)
		}
	}
	find("张", zhang, zhang3) // the exact name comes first
	find("张三", zhang3)
	find("三")
	find(" aNNa ", anna, anna2)
	find("anna bell", anna, anna2)
	find("anna bell x")
	find("\x00")

	renamed := next(zhang3, func(u *store.User) { u.Name = "Zhang San" })
	b.ok(b.UpdateUser(ctx, zhang3, renamed))
	find("张", zhang)
	find("zhang", renamed)
	nameless := next(renamed, func(u *store.User) { u.Name = "" })
	b.ok(b.UpdateUser(ctx, renamed, nameless))
	find("zhang")
	b.is(b.UpdateUser(ctx, zhang, next(next(zhang, func(u *store.User) { u.Phone = anna.Phone }), func(u *store.User) { u.Name = "lost"; u.Version-- })), store.ErrPhoneTaken)
	find("lost")
	find("张", zhang)
	b.ok(b.DeleteUser(ctx, anna))
	find("anna", anna2)

	// Page by page, with a deletion in between, and the cursor of another prefix.
	var many []store.User
	for i := range 7 {
		many = append(many, add(fmt.Sprintf("王%d", i), fmt.Sprintf("+861390000000%d", i)))
	}
	first, cursor, err := b.UsersByName(ctx, "王", store.Page{Limit: 3})
	b.ok(err)
	b.ok(b.DeleteUser(ctx, many[2]))
	rest, end, err := b.UsersByName(ctx, "王", store.Page{Limit: 10, Cursor: cursor})
	b.ok(err)
	if diff := cmp.Diff(many, append(first, rest...)); diff != "" || end != "" {
		t.Errorf("%s, goes on at %q", diff, end)
	}
	// Forged cursors in the right form find nobody, or are refused.
	for _, forged := range []string{"王\U0010ffffz", "王" + strings.Repeat("x", 1021), "王\x00"} {
		_, _, err = b.UsersByName(ctx, "王", store.Page{Limit: 3, Cursor: store.EncodeCursor("user-names", forged)})
		if err != nil {
			b.is(err, store.ErrBadCursor)
		}
	}
	for _, wrong := range []string{"x", store.EncodeCursor("other", "王0")} {
		_, _, err = b.UsersByName(ctx, "王", store.Page{Limit: 3, Cursor: wrong})
		b.is(err, store.ErrBadCursor)
	}
	_, _, err = b.UsersByName(ctx, "张", store.Page{Limit: 3, Cursor: cursor})
	b.is(err, store.ErrBadCursor)
}

// sessionsOfAuthenticator: all live sessions of an authenticator are found, page by page,
// among refusals, sessions of others and such as are over.
func sessionsOfAuthenticator(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(ctx, u))
	start := func(key, authenticatorID string, lives time.Duration) {
		r, event := b.session(key, u), b.event(authenticatorID, u.ID, "")
		r.Session.AuthenticatorID, r.Session.ExpiresAt, r.Event = authenticatorID, b.now().Add(lives), &event
		r.Session.AuthenticatorGeneration, r.Session.Lineage = "g of "+key, "lineage of "+key
		b.ok(b.StartSession(ctx, r, false))
		b.pass(time.Millisecond)
	}
	lists := func(authenticatorID string, limit int, want ...string) {
		t.Helper()
		found, page := []string{}, store.Page{Limit: limit}
		for {
			items, next, err := b.SessionsOfAuthenticator(ctx, authenticatorID, page)
			b.ok(err)
			if len(items) > limit {
				t.Fatalf("%d on a page of %d", len(items), limit)
			}
			for _, r := range items {
				if s := r.Session; s.AuthenticatorGeneration != "g of "+r.SessionKey || s.Lineage != "lineage of "+r.SessionKey || s.UserID != u.ID {
					t.Fatalf("%+v", r)
				}
				found = append(found, r.SessionKey)
			}
			if page.Cursor = next; next == "" {
				break
			}
		}
		slices.Sort(found)
		if diff := cmp.Diff(append([]string{}, want...), found); diff != "" {
			t.Fatalf("sessions of %s by %d: %s", authenticatorID, limit, diff)
		}
	}
	lists("a", 10)
	var all []string
	for i := range 7 {
		key := fmt.Sprint("long", i)
		start(key, "a", 8*time.Hour)
		all = append(all, key)
		refused := b.event("a", u.ID, "user_disabled")
		b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "refused" + key, Kind: store.ResultRefused, KeepUntil: b.now().Add(time.Minute), Event: &refused}))
		b.ok(b.RecordEvent(ctx, "noted"+key, refused))
		b.pass(time.Millisecond)
	}
	start("other", "b", time.Hour)
	start("short", "a", time.Hour)
	start("ended", "a", time.Hour)
	_, err := b.EndSession(ctx, "ended")
	b.ok(err)
	for _, limit := range []int{1, 2, 7, 8, 9, 50} {
		lists("a", limit, append(all, "short")...)
		lists("b", limit, "other")
	}
	b.pass(time.Hour)
	lists("a", 3, all...)
	lists("b", 3)
	for _, impossible := range []string{"", "absent", strings.Repeat("x", 5000)} {
		lists(impossible, 3)
	}
	for _, cursor := range []string{"x", store.EncodeCursor("b", "long1"), "\xff"} {
		_, _, err := b.SessionsOfAuthenticator(ctx, "a", store.Page{Cursor: cursor, Limit: 3})
		b.is(err, store.ErrBadCursor)
	}
}
