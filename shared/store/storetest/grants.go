package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// codeLifetime is that of the bench's codes; sessionTime that of its sessions, and how long
// its grants are kept until their code is taken.
const (
	codeLifetime = time.Minute
	sessionTime  = 8 * time.Hour
)

// grant returns a grant with every field set, whose code is not taken.
func (b *bench) grant(id, lineage, applicationID string) store.Grant {
	return store.Grant{
		ID: id, ApplicationID: applicationID, ApplicationGeneration: "ag", UserID: "u", UserGeneration: 3, Lineage: lineage,
		AuthenticatorName: "demo", AuthenticatorID: "id", AuthenticatorGeneration: "g", CorpID: "ww0123", WeComUserID: "ZhangSan",
		SignedInAt: b.now().Add(-time.Minute), InWeCom: true, Scopes: []string{"openid", "phone"}, RedirectURI: "https://app.example.com/callback",
		CodeChallenge: "challenge", Nonce: "nonce", Claims: `{"id_token":{}}`, CreatedAt: b.now(), CodeExpiresAt: b.now().Add(codeLifetime),
		Offline: true, KeepUntil: b.now().Add(sessionTime),
	}
}

// create writes a grant whose session ends in sessionTime.
func (b *bench) create(g store.Grant) error {
	return b.CreateGrant(background(), g, b.now().Add(sessionTime))
}

// rotate rotates a grant by a token that lives for an hour.
func (b *bench) rotate(id string, refreshed int64) error {
	return b.RotateGrant(background(), id, refreshed, b.now(), b.now().Add(time.Hour), b.now().Add(2*time.Hour))
}

func (b *bench) sameGrant(want store.Grant) {
	b.Helper()
	got, err := b.Grant(background(), want.ID)
	b.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("grant (-want, +got):\n%s", diff)
	}
}

func grants(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.Grant(ctx, "grant")
	b.is(err, store.ErrNotFound)
	b.is(b.rotate("grant", 0), store.ErrChanged)
	b.ok(b.RevokeGrant(ctx, "grant"))
	_, err = b.Grant(ctx, "grant")
	b.is(err, store.ErrNotFound)

	g := b.grant("grant", "lineage", "demo")
	b.ok(b.create(g))
	b.sameGrant(g)
	rival := b.grant("grant", "lineage", "other")
	b.is(b.create(rival), store.ErrExists)
	b.sameGrant(g)

	// Each generation rotates once, and nothing but the generation's fields changes.
	for refreshed := range int64(3) {
		b.is(b.rotate("grant", refreshed+1), store.ErrChanged)
		b.ok(b.rotate("grant", refreshed))
		g.Refreshed, g.RefreshedAt, g.ExpiresAt, g.KeepUntil = refreshed+1, b.now(), b.now().Add(time.Hour), b.now().Add(2*time.Hour)
		b.sameGrant(g)
		b.pass(time.Second)
		b.is(b.rotate("grant", refreshed), store.ErrChanged)
		b.sameGrant(g)
	}
	b.is(b.create(rival), store.ErrExists) // a code that was taken stays in use
	b.is(b.rotate("grant", -1), store.ErrChanged)

	// A revoked grant is there, and never rotates again.
	b.ok(b.RevokeGrant(ctx, "grant"))
	b.ok(b.RevokeGrant(ctx, "grant"))
	g.Revoked = true
	b.sameGrant(g)
	b.is(b.rotate("grant", g.Refreshed), store.ErrChanged)
	b.sameGrant(g)
	untaken := b.grant("untaken", "lineage", "demo")
	b.ok(b.create(untaken))
	b.ok(b.RevokeGrant(ctx, "untaken"))
	b.is(b.rotate("untaken", 0), store.ErrChanged)
}

func grantsExpire(t *testing.T, b *bench) {
	ctx := t.Context()
	// The code ends to the millisecond, the refresh tokens of a code that was taken do not
	// end with it.
	for id, late := range map[string]bool{"in time": false, "late": true} {
		g := b.grant(id, "lineage", "demo")
		b.ok(b.create(g))
		at := g.CodeExpiresAt
		if !late {
			at = at.Add(-time.Millisecond)
		}
		err := b.RotateGrant(ctx, id, 0, at, at.Add(time.Hour), at.Add(2*time.Hour))
		if late {
			b.is(err, store.ErrChanged)
			b.sameGrant(g)
			continue
		}
		b.ok(err)
		b.ok(b.RotateGrant(ctx, id, 1, at.Add(10*time.Minute), at.Add(2*time.Hour), at.Add(2*time.Hour)))
	}

	// A grant past its KeepUntil is absent, and its id is free.
	short := b.grant("short", "lineage", "demo")
	short.KeepUntil = b.now().Add(time.Hour)
	b.ok(b.create(short))
	b.pass(time.Hour - time.Millisecond)
	b.sameGrant(short)
	b.pass(time.Millisecond)
	_, err := b.Grant(ctx, "short")
	b.is(err, store.ErrNotFound)
	_, _, _, err = b.GrantState(ctx, "short", "u", "lineage")
	b.is(err, store.ErrNotFound)
	b.is(b.RotateGrant(ctx, "short", 0, b.now().Add(-time.Hour), b.now(), b.now().Add(time.Hour)), store.ErrChanged)
	b.ok(b.RevokeGrant(ctx, "short"))
	_, err = b.Grant(ctx, "short")
	b.is(err, store.ErrNotFound)
	again := b.grant("short", "lineage", "demo")
	b.ok(b.create(again))
	b.sameGrant(again)

	// KeepUntil moves with a rotation.
	b.ok(b.RotateGrant(ctx, "short", 0, b.now(), b.now().Add(20*time.Hour), b.now().Add(30*time.Hour)))
	b.pass(30*time.Hour - time.Millisecond)
	b.ok(b.RotateGrant(ctx, "short", 1, b.now(), b.now(), b.now().Add(time.Second)))
	b.pass(time.Second)
	_, err = b.Grant(ctx, "short")
	b.is(err, store.ErrNotFound)
}

func grantState(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(ctx, u))
	g := b.grant("grant", "lineage", "demo")
	b.ok(b.create(g))
	lineage := store.Lineage{ID: "lineage", UserID: "u", Applications: []string{"demo"}, ExpiresAt: b.now().Add(sessionTime)}
	state := func(id, userID, of string) (store.Grant, store.User, store.Lineage) {
		t.Helper()
		g, u, l, err := b.GrantState(ctx, id, userID, of)
		b.ok(err)
		return g, u, l
	}
	for _, test := range []struct {
		userID, lineage string
		wantUser        store.User
		wantLineage     store.Lineage
	}{
		{u.ID, "lineage", u, lineage},
		{u.ID, "absent", u, store.Lineage{}},
		{"absent", "lineage", store.User{}, lineage},
		{"", "", store.User{}, store.Lineage{}},
		{strings.Repeat("x", 5000), strings.Repeat("x", 5000), store.User{}, store.Lineage{}},
	} {
		gotGrant, gotUser, gotLineage := state("grant", test.userID, test.lineage)
		if diff := cmp.Diff(g, gotGrant) + cmp.Diff(test.wantUser, gotUser) + cmp.Diff(test.wantLineage, gotLineage); diff != "" {
			t.Fatalf("%.20q, %.20q: %s", test.userID, test.lineage, diff)
		}
	}
	for _, absent := range []string{"", "absent", strings.Repeat("x", 5000)} {
		_, _, _, err := b.GrantState(ctx, absent, u.ID, "lineage")
		b.is(err, store.ErrNotFound)
	}

	// It shows at once what ends a grant.
	disabled := next(u, func(u *store.User) { u.Enabled = false; u.SessionGeneration++ })
	b.ok(b.UpdateUser(ctx, u, disabled))
	_, err := b.EndLineage(ctx, "lineage")
	b.ok(err)
	b.ok(b.RevokeGrant(ctx, "grant"))
	if g, u, l := state("grant", u.ID, "lineage"); !g.Revoked || u.Enabled || u.SessionGeneration != 1 || !l.Ended {
		t.Fatalf("%+v, %+v, %+v", g, u, l)
	}
}

func lineages(t *testing.T, b *bench) {
	ctx := t.Context()
	lists := func(userID string, want ...store.Lineage) {
		t.Helper()
		got, err := b.LineagesOfUser(ctx, userID)
		b.ok(err)
		slices.SortFunc(got, func(x, y store.Lineage) int { return strings.Compare(x.ID, y.ID) })
		if diff := cmp.Diff(append([]store.Lineage(nil), want...), got); diff != "" {
			t.Fatalf("lineages of %s: %s", userID, diff)
		}
	}
	lists("u")
	reads := func(id string, want store.Lineage) {
		t.Helper()
		got, err := b.Lineage(ctx, id)
		if want.ID == "" {
			b.is(err, store.ErrNotFound)
		} else {
			b.ok(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("lineage %s: %s", id, diff)
		}
	}
	_, err := b.EndLineage(ctx, "never")
	b.is(err, store.ErrNotFound)
	reads("never", store.Lineage{})

	// Its first grant records a lineage; it expires with the latest of its sessions.
	end := b.now().Add(sessionTime)
	b.ok(b.CreateGrant(ctx, b.grant("1", "a", "one"), end))
	a := store.Lineage{ID: "a", UserID: "u", Applications: []string{"one"}, ExpiresAt: end}
	lists("u", a)
	b.ok(b.CreateGrant(ctx, b.grant("2", "a", "two"), end.Add(time.Hour)))
	b.ok(b.CreateGrant(ctx, b.grant("3", "a", "three"), end))
	b.ok(b.CreateGrant(ctx, b.grant("4", "a", "one"), end.Add(time.Hour)))
	a.Applications, a.ExpiresAt = []string{"one", "three", "two"}, end.Add(time.Hour)
	b.ok(b.CreateGrant(ctx, b.grant("5", "b", "one"), end))
	other := b.grant("6", "c", "one")
	other.UserID = "u2"
	b.ok(b.CreateGrant(ctx, other, end))
	second := store.Lineage{ID: "b", UserID: "u", Applications: []string{"one"}, ExpiresAt: end}
	lists("u", a, second)
	lists("u2", store.Lineage{ID: "c", UserID: "u2", Applications: []string{"one"}, ExpiresAt: end})
	lists("absent")
	for _, impossible := range []string{"", strings.Repeat("x", 5000)} {
		lists(impossible)
	}

	// It ends for good, gets no further grant, and can be ended again by whoever could not
	// tell its applications; the others go on.
	reads("a", a)
	a.Ended = true
	for range 2 {
		ended, err := b.EndLineage(ctx, "a")
		b.ok(err)
		if diff := cmp.Diff(a, ended); diff != "" {
			t.Fatal(diff)
		}
		reads("a", a)
	}
	reads("b", second)
	for _, sessionEnd := range []time.Time{end, end.Add(2 * time.Hour)} {
		b.is(b.CreateGrant(ctx, b.grant("7"+sessionEnd.String(), "a", "four"), sessionEnd), store.ErrNotFound)
	}
	lists("u", a, second)
	if _, _, l, err := b.GrantState(ctx, "1", "u", "a"); err != nil || !l.Ended {
		t.Fatalf("%+v, %v", l, err)
	}
	b.ok(b.CreateGrant(ctx, b.grant("8", "b", "one"), end))

	// One that ended before its first grant gets none either, while a request can be under
	// way, and is in no list.
	for range store.EndedLineageKept / (10 * time.Minute) {
		b.is(b.CreateGrant(ctx, b.grant(store.NewID(), "never", "one"), end), store.ErrNotFound)
		b.pass(10*time.Minute - time.Second)
	}
	lists("u", a, second)
	_, err = b.EndLineage(ctx, "never")
	b.is(err, store.ErrNotFound)

	// One that has expired is absent.
	b.pass(end.Sub(b.now()) - time.Millisecond)
	lists("u", a, second)
	b.pass(time.Millisecond)
	lists("u", a)
	_, err = b.EndLineage(ctx, "b")
	b.is(err, store.ErrNotFound)
	reads("b", store.Lineage{})
	late := b.grant("late", "d", "one")
	b.ok(b.create(late))
	if _, _, l, err := b.GrantState(ctx, "late", "u", "b"); err != nil || l.ID != "" {
		t.Fatalf("%+v, %v", l, err)
	}
}

// impossibleProviderKeys: what comes from a request is looked for and not found.
func impossibleProviderKeys(t *testing.T, b *bench) {
	ctx := t.Context()
	a := b.application("demo")
	b.ok(b.CreateApplication(ctx, a))
	for _, name := range []string{"", "user", "application#demo", "a/b", "a#b\n", "演示", "\x00\xff", strings.Repeat("x", 5000)} {
		for record, read := range map[string]func() error{
			"application":            func() error { _, err := b.Application(ctx, name); return err },
			"consent of user":        func() error { _, err := b.Consent(ctx, name, "demo"); return err },
			"consent of application": func() error { _, err := b.Consent(ctx, "u", name); return err },
			"grant":                  func() error { _, err := b.Grant(ctx, name); return err },
			"lineage":                func() error { _, err := b.Lineage(ctx, name); return err },
			"lineage to end":         func() error { _, err := b.EndLineage(ctx, name); return err },
		} {
			if err := read(); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s %.20q: err = %v", record, name, err)
			}
		}
		gone := b.application(name)
		b.is(b.UpdateApplication(ctx, gone, gone), store.ErrChanged)
		b.is(b.DeleteApplication(ctx, gone), store.ErrChanged)
		b.is(b.rotate(name, 0), store.ErrChanged)
		b.ok(b.NoteApplicationUse(ctx, name, name, b.now()))
		b.ok(b.NoteApplicationUse(ctx, "absent", name, b.now()))
		b.ok(b.RevokeGrant(ctx, name))
		b.ok(b.DeleteConsent(ctx, name, "demo"))
		b.ok(b.DeleteConsent(ctx, "u", name))
		if all, err := b.Consents(ctx, name); err != nil || len(all) > 0 {
			t.Errorf("%.20q: %v, %v", name, all, err)
		}
		if all, err := b.LineagesOfUser(ctx, name); err != nil || len(all) > 0 {
			t.Errorf("%.20q: %v, %v", name, all, err)
		}
		if all, err := b.EventsOfApplication(ctx, name, 10); err != nil || len(all) > 0 {
			t.Errorf("%.20q: %v, %v", name, all, err)
		}
	}
	b.same(a)
}

// clientsTakeOneCodeAtOnce: 50 clients take one code.
func clientsTakeOneCodeAtOnce(_ *testing.T, b *bench) {
	b.ok(b.create(b.grant("grant", "lineage", "demo")))
	b.rotatedOnce("grant", 0)
}

// refreshesOfOneTokenAtOnce: 50 clients refresh by one token, generation by generation.
func refreshesOfOneTokenAtOnce(_ *testing.T, b *bench) {
	b.ok(b.create(b.grant("grant", "lineage", "demo")))
	b.ok(b.rotate("grant", 0))
	for refreshed := int64(1); refreshed <= 3; refreshed++ {
		b.rotatedOnce("grant", refreshed)
	}
}

// rotatedOnce rotates a generation 50 times at once; the winner's times are those kept.
func (b *bench) rotatedOnce(id string, refreshed int64) {
	b.Helper()
	now := b.now()
	errs := AtOnce(50, func(i int) error {
		at := now.Add(time.Duration(i) * time.Millisecond)
		return b.RotateGrant(background(), id, refreshed, at, at.Add(time.Hour), at.Add(2*time.Hour))
	})
	if n := b.count(errs, store.ErrChanged); n != 1 {
		b.Fatalf("%d of 50 rotated generation %d", n, refreshed)
	}
	at := now.Add(time.Duration(slices.Index(errs, nil)) * time.Millisecond)
	got, err := b.Grant(background(), id)
	b.ok(err)
	if got.Refreshed != refreshed+1 || !got.RefreshedAt.Equal(at) || !got.ExpiresAt.Equal(at.Add(time.Hour)) || !got.KeepUntil.Equal(at.Add(2*time.Hour)) {
		b.Fatalf("%+v, want that of %v", got, at)
	}
}

// revokedWhileRefreshing: after the revocation nothing rotates, and it is never undone.
func revokedWhileRefreshing(t *testing.T, b *bench) {
	for round := range 5 {
		id := fmt.Sprint("grant", round)
		b.ok(b.create(b.grant(id, "lineage", "demo")))
		b.ok(b.rotate(id, 0))
		errs := AtOnce(20, func(i int) error {
			if i%5 == 0 {
				return b.RevokeGrant(background(), id)
			}
			return b.rotate(id, 1)
		})
		if n := b.count(errs, store.ErrChanged); n < 4 || n > 5 {
			t.Fatalf("%d succeeded, want 4 revocations and at most one rotation", n)
		}
		got, err := b.Grant(t.Context(), id)
		b.ok(err)
		if !got.Revoked {
			t.Fatalf("round %d: %+v", round, got)
		}
		b.is(b.rotate(id, got.Refreshed), store.ErrChanged)
	}
}

// signedOutWhileAuthorizing: whichever comes first, a grant that was made is one of the
// lineage that was ended, and none is made of a lineage afterwards.
func signedOutWhileAuthorizing(t *testing.T, b *bench) {
	for round := range 10 {
		lineage := fmt.Sprint("lineage", round)
		if round%2 == 0 {
			b.ok(b.create(b.grant(lineage+" first", lineage, "first")))
		}
		var ended store.Lineage
		var endErr error
		errs := AtOnce(10, func(i int) error {
			if i == 5 {
				ended, endErr = b.EndLineage(background(), lineage)
				return endErr
			}
			return b.create(b.grant(fmt.Sprint(lineage, i), lineage, fmt.Sprint("app", i)))
		})
		b.count(errs, store.ErrNotFound)
		for i, err := range errs {
			if i == 5 {
				continue
			}
			// Every application that got a grant is told that the session has ended.
			if told := slices.Contains(ended.Applications, fmt.Sprint("app", i)); told != (err == nil) {
				t.Errorf("round %d: application %d: %v, told %v (%v)", round, i, err, told, endErr)
			}
			if _, _, l, stateErr := b.GrantState(t.Context(), fmt.Sprint(lineage, i), "u", lineage); stateErr == nil && l.ID != "" && !l.Ended {
				t.Errorf("round %d: the grant of application %d lives: %+v", round, i, l)
			}
		}
		b.is(b.create(b.grant(lineage+" later", lineage, "later")), store.ErrNotFound)
	}
}

// sessionsOfOneLineageAtOnce: the tabs of a browser open many applications at once.
func sessionsOfOneLineageAtOnce(t *testing.T, b *bench) {
	latest := b.now().Add(sessionTime)
	errs := AtOnce(20, func(i int) error {
		return b.CreateGrant(background(), b.grant(fmt.Sprint("grant", i), "lineage", fmt.Sprint("app", i)), latest.Add(-time.Duration((i*7)%20)*time.Second))
	})
	if n := b.count(errs); n != 20 {
		t.Fatalf("%d of 20 grants", n)
	}
	all, err := b.LineagesOfUser(t.Context(), "u")
	b.ok(err)
	if len(all) != 1 || len(all[0].Applications) != 20 || !all[0].ExpiresAt.Equal(latest) {
		t.Fatalf("%+v, want 20 applications until %v", all, latest)
	}
}
