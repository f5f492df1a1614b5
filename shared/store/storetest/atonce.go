package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// firstSignInsAtOnce: 50 requests see the same unknown person.
func firstSignInsAtOnce(t *testing.T, b *bench) {
	const phone = "+8613800000001"
	errs := AtOnce(50, func(int) error {
		for range 100 {
			_, err := b.byIdentity("ww0123", "zhangsan")
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			u, err := b.UserByPhone(background(), phone)
			switch {
			case errors.Is(err, store.ErrNotFound):
				u = b.user(phone)
				u.Identities = []store.Identity{member("zhangsan")}
				err = b.CreateUser(background(), u)
			case err == nil:
				err = b.UpdateUser(background(), u, next(u, func(u *store.User) { u.Identities = []store.Identity{member("zhangsan")} }))
			}
			if !errors.Is(err, store.ErrPhoneTaken) && !errors.Is(err, store.ErrIdentityTaken) && !errors.Is(err, store.ErrChanged) {
				return err
			}
		}
		return errors.New("no end of races")
	})
	if n := b.count(errs); n != 50 {
		t.Fatalf("%d of 50 signed in", n)
	}
	all, _, err := b.Users(t.Context(), store.Page{Limit: 10})
	b.ok(err)
	if len(all) != 1 {
		t.Fatalf("%d users", len(all))
	}
}

// administratorsAtOnce: 20 administrators enable automatic login, each of another
// authenticator.
func administratorsAtOnce(t *testing.T, b *bench) {
	all := make([]store.Authenticator, 20)
	for i := range all {
		all[i] = b.authenticator(fmt.Sprint("a", i))
		b.ok(b.CreateAuthenticator(t.Context(), all[i]))
	}
	errs := AtOnce(len(all), func(i int) error {
		return b.UpdateAuthenticator(background(), all[i], nextAuthenticator(all[i], func(a *store.Authenticator) { a.AutoLogin = true }))
	})
	if n := b.count(errs); n != 1 {
		t.Fatalf("%d administrators succeeded", n)
	}
	holder, err := b.AutoLoginAuthenticator(t.Context())
	b.ok(err)
	read, _, err := b.Authenticators(t.Context(), store.Page{Limit: 50})
	b.ok(err)
	for _, a := range read {
		if a.AutoLogin != (a.Name == holder.Name) {
			t.Errorf("%s has automatic login: %v, the holder is %s", a.Name, a.AutoLogin, holder.Name)
		}
	}
}

// doubledCallbacksAtOnce: 50 requests with the same state.
func doubledCallbacksAtOnce(t *testing.T, b *bench) {
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(t.Context(), u))
	errs := AtOnce(50, func(i int) error {
		o := b.session("key", u)
		o.Session.WeComUserID = fmt.Sprint("request", i)
		return b.StartSession(background(), o, true)
	})
	if n := b.count(errs, store.ErrExists); n != 1 {
		t.Fatalf("%d sessions began", n)
	}
	winner := slices.Index(errs, nil)
	if got, err := b.AttemptResult(t.Context(), "key"); err != nil || got.Session.WeComUserID != fmt.Sprint("request", winner) {
		t.Fatalf("%+v, %v, want that of request %d", got, err, winner)
	}
}

// updatesAtOnce: writers that read and decide again after ErrChanged lose nothing of each
// other's updates.
func updatesAtOnce(t *testing.T, b *bench) {
	u := b.user("+8613800000001")
	u.Roles = nil
	b.ok(b.CreateUser(t.Context(), u))
	errs := AtOnce(10, func(i int) error {
		for {
			read, err := b.User(background(), u.ID)
			if err != nil {
				return err
			}
			err = b.UpdateUser(background(), read, next(read, func(u *store.User) { u.Roles = append(slices.Clone(u.Roles), fmt.Sprint("role", i)) }))
			if !errors.Is(err, store.ErrChanged) {
				return err
			}
		}
	})
	b.count(errs)
	read, err := b.User(t.Context(), u.ID)
	b.ok(err)
	if len(read.Roles) != 10 || read.Version != 11 {
		t.Fatalf("version %d with %v", read.Version, read.Roles)
	}
}

func leasesAtOnce(t *testing.T, b *bench) {
	won := make([]bool, 50)
	errs := AtOnce(len(won), func(i int) (err error) {
		won[i], err = b.LeaseFetched(background(), "app", fmt.Sprint("owner", i), b.now().Add(time.Minute))
		return err
	})
	if n := b.count(errs); n != len(won) {
		t.Fatal("a loser was told an error")
	}
	winners := 0
	for _, w := range won {
		if w {
			winners++
		}
	}
	if winners != 1 {
		t.Fatalf("%d hold the lease", winners)
	}
}

// signInsOfOneUserAtOnce: one person, many devices; all write the same user.
func signInsOfOneUserAtOnce(t *testing.T, b *bench) {
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(t.Context(), u))
	errs := AtOnce(8, func(i int) error { return b.StartSession(background(), b.session(fmt.Sprint("device", i), u), true) })
	if n := b.count(errs); n != 8 {
		t.Fatalf("%d of 8 devices signed in", n)
	}
}

// disabledWhileSigningIn: no session of before belongs to the user as it is afterwards,
// whichever write came first.
func disabledWhileSigningIn(t *testing.T, b *bench) {
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(t.Context(), u))
	disabled := next(u, func(u *store.User) { u.Enabled = false; u.SessionGeneration++ })
	errs := AtOnce(9, func(i int) error {
		if i == 4 {
			return b.UpdateUser(background(), u, disabled)
		}
		return b.StartSession(background(), b.session(fmt.Sprint("device", i), u), true)
	})
	b.count(errs)
	for i := range errs {
		if i == 4 {
			continue
		}
		session, user, err := b.ResultAndUser(t.Context(), fmt.Sprint("device", i), u.ID)
		b.ok(err)
		if user.Enabled || user.SessionGeneration == session.Session.UserGeneration {
			t.Fatalf("%+v is still that of %+v", session, user)
		}
	}
}
