package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func authenticators(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.Authenticator(ctx, "demo")
	b.is(err, store.ErrNotFound)

	created := b.authenticator("demo")
	b.ok(b.CreateAuthenticator(ctx, created))
	b.is(b.CreateAuthenticator(ctx, b.authenticator("demo")), store.ErrExists)
	read, err := b.Authenticator(ctx, "demo")
	b.ok(err)
	if diff := cmp.Diff(created, read); diff != "" {
		t.Fatal(diff)
	}

	changed := nextAuthenticator(read, func(a *store.Authenticator) { a.Title, a.Enabled = "other", false })
	b.ok(b.UpdateAuthenticator(ctx, read, changed))
	b.is(b.UpdateAuthenticator(ctx, read, changed), store.ErrChanged)
	b.is(b.DeleteAuthenticator(ctx, read), store.ErrChanged)
	read, err = b.Authenticator(ctx, "demo")
	b.ok(err)
	if diff := cmp.Diff(changed, read); diff != "" {
		t.Fatal(diff)
	}

	b.ok(b.DeleteAuthenticator(ctx, read))
	_, err = b.Authenticator(ctx, "demo")
	b.is(err, store.ErrNotFound)
	b.is(b.DeleteAuthenticator(ctx, read), store.ErrChanged)
	// A namesake is another one, even at the same version.
	b.ok(b.CreateAuthenticator(ctx, b.authenticator("demo")))
	created.Version = 1
	b.is(b.UpdateAuthenticator(ctx, created, changed), store.ErrChanged)
}

func notedEvents(t *testing.T, b *bench) {
	ctx := t.Context()
	read := b.authenticator("demo")
	b.ok(b.NoteEvent(ctx, read, b.now()))
	_, err := b.Authenticator(ctx, "demo")
	b.is(err, store.ErrNotFound)

	b.ok(b.CreateAuthenticator(ctx, read))
	same := func(want store.Authenticator) {
		t.Helper()
		got, err := b.Authenticator(ctx, "demo")
		b.ok(err)
		all, _, err := b.Authenticators(ctx, store.Page{Limit: 10})
		b.ok(err)
		if diff := cmp.Diff([]store.Authenticator{want, want}, append(all, got)); diff != "" {
			t.Fatal(diff)
		}
	}
	same(read)
	noted := read
	noted.LastEventAt = b.now()
	b.ok(b.NoteEvent(ctx, read, b.now()))
	same(noted)
	b.pass(store.EventNotePause - time.Second)
	b.ok(b.NoteEvent(ctx, read, b.now()))
	same(noted)
	b.pass(time.Second)
	b.ok(b.NoteEvent(ctx, read, b.now()))
	noted.LastEventAt = b.now()
	same(noted)
	b.ok(b.NoteEvent(ctx, read, b.now().Add(-time.Hour))) // of a function whose clock is slow
	same(noted)

	// Whoever read the authenticator before can still update it, and brings back no time of
	// then. With it goes automatic login, in one transaction.
	changed := nextAuthenticator(read, func(a *store.Authenticator) { a.AutoLogin = true })
	b.ok(b.UpdateAuthenticator(ctx, read, changed))
	changed.LastEventAt = noted.LastEventAt
	same(changed)

	// A namesake inherits nothing, and gets nothing of the one before.
	b.ok(b.DeleteAuthenticator(ctx, changed))
	namesake := b.authenticator("demo")
	b.ok(b.CreateAuthenticator(ctx, namesake))
	b.pass(time.Hour)
	b.ok(b.NoteEvent(ctx, changed, b.now()))
	same(namesake)
}

func autoLogin(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.AutoLoginAuthenticator(ctx)
	b.is(err, store.ErrNotFound)
	taken := func(err error, holder string) {
		t.Helper()
		other, ok := errors.AsType[*store.AutoLoginTakenError](err)
		if !ok || other.Holder != holder {
			t.Fatalf("err = %v, want held by %s", err, holder)
		}
	}
	holds := func(name string) {
		t.Helper()
		a, err := b.AutoLoginAuthenticator(ctx)
		b.ok(err)
		if a.Name != name {
			t.Fatalf("held by %s, want %s", a.Name, name)
		}
	}

	one := b.authenticator("one")
	one.AutoLogin = true
	b.ok(b.CreateAuthenticator(ctx, one))
	holds("one")

	two := b.authenticator("two")
	two.AutoLogin = true
	taken(b.CreateAuthenticator(ctx, two), "one")
	_, err = b.Authenticator(ctx, "two")
	b.is(err, store.ErrNotFound)
	two.Enabled = false // disabled, it may have the setting
	b.ok(b.CreateAuthenticator(ctx, two))
	enabled := nextAuthenticator(two, func(a *store.Authenticator) { a.Enabled = true })
	taken(b.UpdateAuthenticator(ctx, two, enabled), "one")

	retitled := nextAuthenticator(one, func(a *store.Authenticator) { a.Title = "still the one" })
	b.ok(b.UpdateAuthenticator(ctx, one, retitled))
	holds("one")
	disabled := nextAuthenticator(retitled, func(a *store.Authenticator) { a.Enabled = false })
	b.ok(b.UpdateAuthenticator(ctx, retitled, disabled))
	_, err = b.AutoLoginAuthenticator(ctx)
	b.is(err, store.ErrNotFound)
	b.ok(b.UpdateAuthenticator(ctx, two, enabled))
	holds("two")
	b.ok(b.DeleteAuthenticator(ctx, enabled))
	_, err = b.AutoLoginAuthenticator(ctx)
	b.is(err, store.ErrNotFound)
	b.ok(b.UpdateAuthenticator(ctx, disabled, nextAuthenticator(disabled, func(a *store.Authenticator) { a.Enabled = true })))
	holds("one")
}

func users(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.User(ctx, "nobody")
	b.is(err, store.ErrNotFound)
	created := b.user("+8613800000001")
	created.Identities = []store.Identity{member("ZhangSan")}
	created.Avatar, created.NamePending, created.SessionGeneration = "https://avatar.example/1", true, 3
	conflict := member("LiSi")
	created.PhoneConflict = &conflict
	b.ok(b.CreateUser(ctx, created))
	again := b.user("+8613800000002")
	again.ID = created.ID
	b.is(b.CreateUser(ctx, again), store.ErrExists)
	_, err = b.UserByPhone(ctx, again.Phone)
	b.is(err, store.ErrNotFound)

	for name, read := range map[string]func() (store.User, error){
		"id":                           func() (store.User, error) { return b.User(ctx, created.ID) },
		"phone":                        func() (store.User, error) { return b.UserByPhone(ctx, created.Phone) },
		"identity":                     func() (store.User, error) { return b.byIdentity("ww0123", "ZhangSan") },
		"identity in another spelling": func() (store.User, error) { return b.byIdentity("ww0123", "zHANGsAN") },
	} {
		got, err := read()
		b.ok(err)
		if diff := cmp.Diff(created, got); diff != "" {
			t.Fatalf("by %s: %s", name, diff)
		}
	}
	_, err = b.byIdentity("wwother", "ZhangSan")
	b.is(err, store.ErrNotFound)
	_, err = b.OwnerOfIdentity(ctx, "wwother", "ZhangSan")
	b.is(err, store.ErrNotFound)
	owned := func(by store.User) {
		t.Helper()
		got, err := b.OwnerOfIdentity(ctx, "ww0123", "zHANGsAN")
		b.ok(err)
		if diff := cmp.Diff(by.Owner("ww0123"), got); diff != "" {
			t.Fatal(diff)
		}
	}
	owned(created)

	changed := next(created, func(u *store.User) { u.Name, u.Enabled, u.Roles, u.PhoneConflict = "李四", false, nil, nil })
	b.ok(b.UpdateUser(ctx, created, changed))
	owned(changed)
	b.is(b.UpdateUser(ctx, created, changed), store.ErrChanged)
	owned(changed)
	b.is(b.DeleteUser(ctx, created), store.ErrChanged)
	got, err := b.User(ctx, created.ID)
	b.ok(err)
	if diff := cmp.Diff(changed, got); diff != "" {
		t.Fatal(diff)
	}

	b.ok(b.DeleteUser(ctx, changed))
	_, err = b.User(ctx, created.ID)
	b.is(err, store.ErrNotFound)
	_, err = b.UserByPhone(ctx, created.Phone)
	b.is(err, store.ErrNotFound)
	_, err = b.byIdentity("ww0123", "ZhangSan")
	b.is(err, store.ErrNotFound)
	b.is(b.UpdateUser(ctx, changed, next(changed, func(*store.User) {})), store.ErrChanged)
	heir := b.user(created.Phone)
	heir.Identities = created.Identities
	b.ok(b.CreateUser(ctx, heir))
}

func keys(t *testing.T, b *bench) {
	ctx := t.Context()
	one, two := b.user("+8613800000001"), b.user("+8613800000002")
	one.Identities = []store.Identity{member("zhangsan")}
	b.ok(b.CreateUser(ctx, one))
	b.ok(b.CreateUser(ctx, two))

	rival := b.user(one.Phone)
	b.is(b.CreateUser(ctx, rival), store.ErrPhoneTaken)
	rival = b.user("+8613800000003")
	rival.Identities = []store.Identity{member("ZHANGSAN")}
	b.is(b.CreateUser(ctx, rival), store.ErrIdentityTaken)
	_, err := b.UserByPhone(ctx, rival.Phone)
	b.is(err, store.ErrNotFound)

	b.is(b.UpdateUser(ctx, two, next(two, func(u *store.User) { u.Phone = one.Phone })), store.ErrPhoneTaken)
	b.is(b.UpdateUser(ctx, two, next(two, func(u *store.User) { u.Identities = []store.Identity{member("ZhangSan")} })), store.ErrIdentityTaken)
	got, err := b.User(ctx, two.ID)
	b.ok(err)
	if diff := cmp.Diff(two, got); diff != "" {
		t.Fatalf("a refused change changed the user: %s", diff)
	}

	// A phone moves: the old one is free, the new one is taken.
	moved := next(one, func(u *store.User) { u.Phone = "+8613900000001" })
	b.ok(b.UpdateUser(ctx, one, moved))
	_, err = b.UserByPhone(ctx, one.Phone)
	b.is(err, store.ErrNotFound)
	found, err := b.UserByPhone(ctx, moved.Phone)
	b.ok(err)
	if found.ID != one.ID {
		t.Fatalf("the new phone leads to %s", found.ID)
	}
	b.ok(b.CreateUser(ctx, b.user(one.Phone)))

	// An identity is unbound and bound to another user; its spelling changes.
	unbound := next(moved, func(u *store.User) { u.Identities = nil })
	b.ok(b.UpdateUser(ctx, moved, unbound))
	_, err = b.byIdentity("ww0123", "zhangsan")
	b.is(err, store.ErrNotFound)
	bound := next(two, func(u *store.User) { u.Identities = []store.Identity{member("zhangsan")} })
	b.ok(b.UpdateUser(ctx, two, bound))
	respelled := next(bound, func(u *store.User) { u.Identities = []store.Identity{member("ZhangSan")} })
	b.ok(b.UpdateUser(ctx, bound, respelled))
	found, err = b.byIdentity("ww0123", "zhangsan")
	b.ok(err)
	if found.ID != two.ID {
		t.Fatalf("the identity leads to %s", found.ID)
	}
	// Another corp's identity is added.
	b.ok(b.UpdateUser(ctx, respelled, next(respelled, func(u *store.User) {
		u.Identities = append(u.Identities[:1:1], store.Identity{CorpID: "wwother", WeComUserID: "zs"})
	})))
	found, err = b.byIdentity("wwother", "ZS")
	b.ok(err)
	if found.ID != two.ID || len(found.Identities) != 2 {
		t.Fatalf("%+v", found)
	}
}

func lists(t *testing.T, b *bench) {
	ctx := t.Context()
	var want []string
	for i := range 7 {
		u := b.user(fmt.Sprintf("+86138000001%02d", i))
		b.ok(b.CreateUser(ctx, u))
		b.ok(b.CreateAuthenticator(ctx, b.authenticator(fmt.Sprint("a", i))))
		b.pass(time.Millisecond)
		want = append(want, u.ID)
	}
	var got []string
	cursor, pages := "", 0
	for {
		items, next, err := b.Users(ctx, store.Page{Cursor: cursor, Limit: 3})
		b.ok(err)
		for _, u := range items {
			got = append(got, u.ID)
		}
		pages++
		if pages == 1 {
			// The cursor stays valid when its record is deleted.
			b.ok(b.DeleteUser(ctx, items[len(items)-1]))
		}
		if next == "" {
			break
		}
		cursor = next
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Fatalf("%d pages: %s", pages, diff)
	}
	if _, next, err := b.Users(ctx, store.Page{Limit: 6}); err != nil || next != "" {
		t.Fatalf("a full last page leads to %q, %v", next, err)
	}
	_, foreign, err := b.Authenticators(ctx, store.Page{Limit: 3})
	b.ok(err)
	for _, bad := range []string{foreign, "garbage", "!!!", "bm90IG91cnM", strings.Repeat("a", 5000)} {
		_, _, err := b.Users(ctx, store.Page{Cursor: bad, Limit: 3})
		b.is(err, store.ErrBadCursor)
	}
	all, _, err := b.Authenticators(ctx, store.Page{Limit: 100})
	b.ok(err)
	if len(all) != 7 || all[0].Name != "a0" || all[6].Name != "a6" {
		t.Fatalf("%d authenticators", len(all))
	}
}

func domainFiles(t *testing.T, b *bench) {
	ctx := t.Context()
	file := store.DomainFile{Filename: "WW_verify_0123456789abcdef.txt", CreatedAt: b.now()}
	_, err := b.DomainFile(ctx, file.Filename)
	b.is(err, store.ErrNotFound)
	b.ok(b.PutDomainFile(ctx, file))
	b.ok(b.PutDomainFile(ctx, store.DomainFile{Filename: file.Filename, CreatedAt: b.now().Add(time.Hour)}))
	got, err := b.DomainFile(ctx, file.Filename)
	b.ok(err)
	if diff := cmp.Diff(file, got); diff != "" {
		t.Fatal(diff)
	}
	items, next, err := b.DomainFiles(ctx, store.Page{Limit: 10})
	b.ok(err)
	if len(items) != 1 || next != "" {
		t.Fatalf("%v, %q", items, next)
	}
	b.ok(b.DeleteDomainFile(ctx, file.Filename))
	b.is(b.DeleteDomainFile(ctx, file.Filename), store.ErrNotFound)
}

func publicKeys(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.PublicKeys(ctx)
	b.is(err, store.ErrNotFound)
	for _, document := range []string{`{"keys":[]}`, `{"keys":[{}]}`} {
		b.ok(b.PutPublicKeys(ctx, store.PublicKeys{Document: []byte(document), UpdatedAt: b.now()}))
		got, err := b.PublicKeys(ctx)
		b.ok(err)
		if string(got.Document) != document || !got.UpdatedAt.Equal(b.now()) {
			t.Fatalf("%+v", got)
		}
	}
}

// strangeNames: any name from a URL is looked for and not found.
func strangeNames(t *testing.T, b *bench) {
	ctx := t.Context()
	for _, name := range []string{"", "auto-login", "a/b", "a#b\n", "../demo", "演示", "\x00\xff", strings.Repeat("x", 5000)} {
		for record, read := range map[string]func() error{
			"authenticator": func() error { _, err := b.Authenticator(ctx, name); return err },
			"user":          func() error { _, err := b.User(ctx, name); return err },
			"phone":         func() error { _, err := b.UserByPhone(ctx, name); return err },
			"identity":      func() error { _, err := b.byIdentity("ww0123", name); return err },
			"domain file":   func() error { _, err := b.DomainFile(ctx, name); return err },
			"outcome":       func() error { _, err := b.AttemptResult(ctx, name); return err },
			"deleted file":  func() error { return b.DeleteDomainFile(ctx, name) },
		} {
			if err := read(); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s %.20q: err = %v", record, name, err)
			}
		}
	}
}

func answersAreCopies(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	b.ok(b.CreateUser(ctx, u))
	first, err := b.User(ctx, u.ID)
	b.ok(err)
	first.Roles[0] = "changed by the caller"
	second, err := b.User(ctx, u.ID)
	b.ok(err)
	if second.Roles[0] != "admin" {
		t.Fatal("a caller changed what the store holds")
	}
}
