package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// owned is the owner of an identity, as a sign-in reads it.
func (b *bench) owned(want store.User) {
	b.Helper()
	got, err := b.OwnerOfIdentity(background(), "ww0123", "zhangsan")
	b.ok(err)
	got.LastSignInAt = want.LastSignInAt // of this identity here, of any there
	if diff := cmp.Diff(want.Owner("ww0123"), got); diff != "" {
		b.Fatal(diff)
	}
}

// What a check has found is read as it was written, with the user and with the identity
// alone; so is the next one.
func checkedIdentities(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	i := member("zhangsan")
	i.CheckedAt, i.DisabledAt, i.Name, i.Position, i.Tags, i.Generation = b.now(), b.now().Add(time.Second), "张三", "出纳", []int64{3, 7}, 2
	i.Untold = true
	i.Former = []store.FormerUserID{{WeComUserID: "zhang.san", Until: b.now()}}
	i.Departments = []store.Department{{ID: 12, Name: "财务部", Leader: true, Above: []int64{1, 4}, NamesAbove: []string{"集团", "总部"}}, {ID: 13}}
	i.Access = []store.MemberAccess{{
		AuthenticatorID: "id", AuthenticatorName: "demo", Roles: []string{"ops"}, RulesVersion: "rules", CheckedAt: b.now(), GoneAt: b.now(), Refused: true, Generation: 4,
	}}
	u.Identities = []store.Identity{i}
	b.ok(b.CreateUser(ctx, u))
	read, err := b.User(ctx, u.ID)
	b.ok(err)
	if diff := cmp.Diff(u, read); diff != "" {
		t.Fatal(diff)
	}
	b.owned(u)
	checked := next(u, func(u *store.User) {
		i.DisabledAt, i.Tags, i.Departments = time.Time{}, nil, i.Departments[1:]
		*u = u.WithIdentity(i.WithAccess(store.MemberAccess{AuthenticatorID: "other", CheckedAt: b.now()}))
	})
	b.ok(b.UpdateUser(ctx, u, checked))
	b.owned(checked)
	if got := checked.Identities[0].GenerationFor("id"); got != 6 {
		t.Errorf("generation %d", got)
	}
}

// A gone identity is kept with its user and is nobody's: neither a sign-in nor another user
// who takes the userid finds it in the way.
func goneIdentities(t *testing.T, b *bench) {
	ctx := t.Context()
	leaver := b.user("+8613800000001")
	leaver.Identities = []store.Identity{member("zhangsan"), {CorpID: "wwother", WeComUserID: "zhangsan"}}
	b.ok(b.CreateUser(ctx, leaver))
	b.ok(b.StartSession(ctx, b.session("session", leaver), true))
	signedInAt := b.now()
	isGone := func(u *store.User) {
		i, _ := u.IdentityIn("ww0123")
		i.GoneAt, i.GoneReason = b.now(), store.GoneLeft
		*u = u.WithIdentity(i)
	}
	from, err := b.User(ctx, leaver.ID)
	b.ok(err)
	gone := next(from, isGone)
	b.ok(b.UpdateUser(ctx, from, gone))
	_, err = b.OwnerOfIdentity(ctx, "ww0123", "zhangsan")
	b.is(err, store.ErrNotFound)
	b.formerly(leaver.ID)
	kept := func(want store.User) {
		t.Helper()
		read, err := b.User(ctx, want.ID)
		b.ok(err)
		if diff := cmp.Diff(want, read); diff != "" {
			t.Fatal(diff)
		}
		if !read.LastSignInAt.Equal(signedInAt) {
			t.Fatalf("last sign-in %v", read.LastSignInAt)
		}
	}
	kept(gone)
	if owner, err := b.OwnerOfIdentity(ctx, "wwother", "zhangsan"); err != nil || owner.UserID != leaver.ID {
		t.Fatalf("in the other corp: %+v, %v", owner, err)
	}

	// The userid is given to somebody else, whom the leaver's changes do not touch.
	heir := b.user("+8613800000002")
	heir.Identities = []store.Identity{member("ZhangSan")}
	b.ok(b.CreateUser(ctx, heir))
	b.pass(time.Hour)
	b.ok(b.StartSession(ctx, b.session("of the heir", heir), true))
	renamed := next(gone, func(u *store.User) { u.Name = "left" })
	b.ok(b.UpdateUser(ctx, gone, renamed))
	kept(renamed)
	heir, err = b.User(ctx, heir.ID)
	b.ok(err)
	b.owned(heir)
	if !heir.LastSignInAt.Equal(b.now()) {
		t.Fatalf("last sign-in of the heir %v", heir.LastSignInAt)
	}
	b.formerly(leaver.ID)
	users, _, err := b.Users(ctx, store.Page{Limit: 10})
	b.ok(err)
	slices.SortFunc(users, func(x, y store.User) int { return strings.Compare(x.Phone, y.Phone) })
	if diff := cmp.Diff([]store.User{renamed, heir}, users); diff != "" {
		t.Fatal(diff)
	}

	// It comes back to the leaver only when it is free.
	back := func(u *store.User) {
		i, _ := u.IdentityIn("ww0123")
		i.GoneAt, i.GoneReason = time.Time{}, ""
		*u = u.WithIdentity(i)
	}
	b.is(b.UpdateUser(ctx, renamed, next(renamed, back)), store.ErrIdentityTaken)
	b.owned(heir)
	heirLeaves := next(heir, isGone)
	b.ok(b.UpdateUser(ctx, heir, heirLeaves))
	b.formerly(heir.ID)
	returned := next(renamed, back)
	b.ok(b.UpdateUser(ctx, renamed, returned))
	b.owned(returned)
	b.formerly("") // the leaver is back, and nothing is promised of the heir
	// Whoever else was this member is unbound or deleted without taking it along.
	unbound := next(heirLeaves, func(u *store.User) { u.Identities = nil })
	b.ok(b.UpdateUser(ctx, heirLeaves, unbound))
	b.owned(returned)
	other := b.user("+8613800000003")
	other.Identities = []store.Identity{member("zhangsan")}
	other.Identities[0].GoneAt = b.now()
	b.ok(b.CreateUser(ctx, other))
	b.owned(returned)
	b.formerly(other.ID)
	moved := next(other, func(u *store.User) { u.Identities = []store.Identity{member("zhang.san")} })
	b.ok(b.UpdateUser(ctx, other, moved))
	b.formerly("")
	goneAgain := next(moved, func(u *store.User) { u.Identities = other.Identities })
	b.ok(b.UpdateUser(ctx, moved, goneAgain))
	b.formerly(other.ID)
	b.ok(b.DeleteUser(ctx, goneAgain))
	b.owned(returned)
	b.formerly("")
}

// formerly is the user whose identity is gone, or "".
func (b *bench) formerly(want string) {
	b.Helper()
	got, err := b.FormerOwnerOfIdentity(background(), "ww0123", "ZHANGsan")
	if want == "" {
		b.is(err, store.ErrNotFound)
		return
	}
	b.ok(err)
	if got.UserID != want || !got.Identity.Was("ww0123", "zhangsan") {
		b.Fatalf("%s was the member: %+v", want, got)
	}
}

// goneWhileSigningIn: the sign-in reads the member, the check ends the access, the sign-in
// begins the session. It must not live, whichever came first.
func goneWhileSigningIn(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	u.Identities = []store.Identity{member("zhangsan")}
	b.ok(b.CreateUser(ctx, u))
	const rounds = 20
	for round := range rounds {
		owner, err := b.OwnerOfIdentity(ctx, "ww0123", "zhangsan")
		b.ok(err)
		started := b.session("session "+string(rune('a'+round)), u)
		started.Session.UserGeneration, started.Session.IdentityGeneration = owner.SessionGeneration, owner.Identity.GenerationFor("id")
		ended := make(chan error)
		go func() {
			from, err := b.User(ctx, u.ID)
			if err == nil {
				err = b.UpdateUser(ctx, from, next(from, func(u *store.User) {
					i, _ := u.IdentityIn("ww0123")
					i.Generation++
					*u = u.WithIdentity(i)
				}))
			}
			ended <- err
		}()
		b.ok(b.StartSession(ctx, started, false))
		b.ok(<-ended)
		result, user, err := b.ResultAndUser(ctx, started.SessionKey, u.ID)
		b.ok(err)
		if user.Keeps(result.Session.Begun()) {
			t.Fatal("the session lives")
		}
	}
}
