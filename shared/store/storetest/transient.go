package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func results(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.AttemptResult(ctx, "key")
	b.is(err, store.ErrNotFound)
	for _, o := range []store.AttemptResult{
		{SessionKey: "continued", Kind: store.ResultContinued, KeepUntil: b.now().Add(15 * time.Minute)},
		{SessionKey: "refused", Kind: store.ResultRefused, Code: "phone_in_use", KeepUntil: b.now().Add(15 * time.Minute)},
	} {
		b.ok(b.RecordResult(ctx, o))
		b.is(b.RecordResult(ctx, store.AttemptResult{SessionKey: o.SessionKey, Kind: store.ResultRefused, Code: "later", KeepUntil: b.now().Add(time.Hour)}), store.ErrExists)
		got, err := b.AttemptResult(ctx, o.SessionKey)
		b.ok(err)
		if diff := cmp.Diff(o, got); diff != "" {
			t.Fatal(diff)
		}
		u := b.user("+86138000000" + map[string]string{"continued": "01", "refused": "02"}[o.SessionKey])
		b.ok(b.CreateUser(ctx, u))
		b.is(b.StartSession(ctx, b.session(o.SessionKey, u), true), store.ErrExists)
		b.ends(o.SessionKey, store.Session{}) // no session: nothing happens
		if got, _ := b.AttemptResult(ctx, o.SessionKey); got.Kind != o.Kind {
			t.Fatalf("ending turned %s into %s", o.Kind, got.Kind)
		}
	}
	// A guess gives way to what is known, and to nothing else.
	guess := store.AttemptResult{SessionKey: "guess", Kind: store.ResultRefused, Code: "code_invalid", Tentative: true, KeepUntil: b.now().Add(15 * time.Minute)}
	b.ok(b.RecordResult(ctx, guess))
	b.is(b.RecordResult(ctx, guess), store.ErrExists)
	if got, err := b.AttemptResult(ctx, "guess"); err != nil || !got.Tentative {
		t.Fatalf("%+v, %v", got, err)
	}
	slow := b.user("+8613800000003")
	b.ok(b.CreateUser(ctx, slow))
	b.ok(b.StartSession(ctx, b.session("guess", slow), false))
	b.is(b.RecordResult(ctx, guess), store.ErrExists)
	if got, err := b.AttemptResult(ctx, "guess"); err != nil || got.Tentative || got.Kind != store.ResultSession {
		t.Fatalf("%+v, %v", got, err)
	}
	b.pass(15*time.Minute - time.Millisecond)
	_, err = b.AttemptResult(ctx, "refused")
	b.ok(err)
	b.pass(time.Millisecond)
	_, err = b.AttemptResult(ctx, "refused")
	b.is(err, store.ErrNotFound)
	// An expired result does not prevent a new one, cleaned up or not.
	b.ok(b.RecordResult(ctx, store.AttemptResult{SessionKey: "refused", Kind: store.ResultContinued, KeepUntil: b.now().Add(time.Minute)}))
}

func sessions(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	u.Identities = []store.Identity{member("ZhangSan")}
	b.ok(b.CreateUser(ctx, u))
	first := b.session("first", u)
	b.ok(b.StartSession(ctx, first, true))
	b.is(b.StartSession(ctx, first, true), store.ErrExists)
	got, err := b.AttemptResult(ctx, "first")
	b.ok(err)
	if diff := cmp.Diff(first, got); diff != "" {
		t.Fatal(diff)
	}
	read, err := b.User(ctx, u.ID)
	b.ok(err)
	if !read.LastSignInAt.Equal(b.now()) || read.Version != 1 {
		t.Fatalf("last sign-in %v, version %d", read.LastSignInAt, read.Version)
	}

	// An ended session keeps nothing of itself but its time; an administrator's change that was under way
	// loses no last sign-in.
	b.pass(time.Hour)
	b.ends("first", first.Session)
	second := b.session("second", u)
	b.ok(b.StartSession(ctx, second, true))
	if got, err := b.AttemptResult(ctx, "first"); err != nil || got.Kind != store.ResultEnded || got.Session != (store.Session{}) || !got.KeepUntil.Equal(first.KeepUntil) {
		t.Fatalf("%+v, %v", got, err)
	}
	changed := next(u, func(u *store.User) { u.Name = "new" })
	b.ok(b.UpdateUser(ctx, u, changed))
	read, err = b.User(ctx, u.ID)
	b.ok(err)
	if !read.LastSignInAt.Equal(b.now()) || read.Name != "new" {
		t.Fatalf("%+v", read)
	}

	if owner, err := b.OwnerOfIdentity(ctx, "ww0123", "zhangsan"); err != nil || !owner.LastSignInAt.Equal(b.now()) {
		t.Fatalf("%+v, %v", owner, err)
	}
	// A sign-in that need not be noted is not.
	b.pass(time.Minute)
	b.ok(b.StartSession(ctx, b.session("soon after", u), false))
	if soon, err := b.User(ctx, u.ID); err != nil || !soon.LastSignInAt.Equal(read.LastSignInAt) {
		t.Fatalf("%+v, %v", soon, err)
	}

	// Session and user are read at once, and nothing is taken from one for the other.
	for _, test := range []struct {
		key, userID string
		found       store.User
		want        error
	}{
		{"second", u.ID, read, nil},
		{"second", "somebody-else", store.User{}, nil},
		{"second", "", store.User{}, nil},
		{"absent", u.ID, read, store.ErrNotFound},
	} {
		got, user, err := b.ResultAndUser(ctx, test.key, test.userID)
		b.is(err, test.want)
		alone, _ := b.AttemptResult(ctx, test.key)
		if diff := cmp.Diff(alone, got); diff != "" || user.ID != test.found.ID || user.Version != test.found.Version {
			t.Fatalf("%s of %q: %+v, %+v %s", test.key, test.userID, got, user, diff)
		}
	}

	// An ended session stays ended.
	b.ends("second", second.Session)
	b.ends("second", store.Session{})
	b.ends("never-was", store.Session{})
	_, err = b.AttemptResult(ctx, "never-was")
	b.is(err, store.ErrNotFound)
	b.is(b.StartSession(ctx, b.session("second", u), true), store.ErrExists)

	// A session that begins while its user is disabled or deleted is there, and nobody's:
	// its generation is not the user's.
	b.ok(b.UpdateUser(ctx, changed, next(changed, func(u *store.User) { u.Enabled = false; u.SessionGeneration++ })))
	b.ok(b.StartSession(ctx, b.session("late", u), true))
	late, owner, err := b.ResultAndUser(ctx, "late", u.ID)
	b.ok(err)
	if owner.Enabled || owner.SessionGeneration == late.Session.UserGeneration {
		t.Fatalf("%+v has %+v", owner, late)
	}
	b.ok(b.StartSession(ctx, b.session("of nobody", b.user("+8613800000009")), true))

	b.pass(8 * time.Hour)
	_, err = b.AttemptResult(ctx, "second")
	b.is(err, store.ErrNotFound)
}

func fetched(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.Fetched(ctx, "app")
	b.is(err, store.ErrNotFound)
	lease := func(owner string, want bool) {
		t.Helper()
		got, err := b.LeaseFetched(ctx, "app", owner, b.now().Add(10*time.Second))
		b.ok(err)
		if got != want {
			t.Fatalf("lease for %s = %v", owner, got)
		}
	}
	lease("one", true)
	lease("two", false)
	lease("one", true)
	token := store.Fetched{Content: bytes.Repeat([]byte{0, 1, 255}, 100_000), ExpiresAt: b.now().Add(2 * time.Hour)}
	b.is(b.SaveFetched(ctx, "app", "two", token), store.ErrChanged)
	b.ok(b.SaveFetched(ctx, "app", "one", token))
	got, err := b.Fetched(ctx, "app")
	b.ok(err)
	if diff := cmp.Diff(token, got); diff != "" {
		t.Fatal(diff)
	}
	// Saving ended the lease; the token stays while another owner fetches.
	lease("two", true)
	if got, err = b.Fetched(ctx, "app"); err != nil || len(got.Content) != 300_000 || got.LeaseOwner != "two" {
		t.Fatalf("%+v, %v", got, err)
	}
	// An owner that died does not block for ever.
	b.pass(10 * time.Second)
	lease("three", true)
	b.is(b.SaveFetched(ctx, "app", "two", token), store.ErrChanged)
	refused := store.Fetched{RefusedUntil: b.now().Add(time.Minute), RefusedCode: 40001}
	b.ok(b.SaveFetched(ctx, "app", "three", refused))
	got, err = b.Fetched(ctx, "app")
	b.ok(err)
	if diff := cmp.Diff(refused, got); diff != "" {
		t.Fatal(diff)
	}
	b.ok(b.ForgetFetched(ctx, "app"))
	b.ok(b.ForgetFetched(ctx, "app"))
	_, err = b.Fetched(ctx, "app")
	b.is(err, store.ErrNotFound)
}
