package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// application returns an application with every field set but the times of last use.
func (b *bench) application(id string) store.Application {
	return store.Application{
		ID: id, Title: "标题 " + id, Enabled: true, Kind: store.KindWeb, Homepage: "https://app.example.com/",
		RedirectURIs: []string{"https://app.example.com/callback", "https://app.example.com/other"}, PostLogoutRedirectURIs: []string{"https://app.example.com/bye"},
		BackchannelLogoutURI: "https://app.example.com/logout", Authenticators: []string{"demo"},
		Allow:       store.Allow{Departments: []int64{1}, Tags: []int64{2}, Roles: []string{"admin"}},
		RequirePKCE: true, FirstParty: true, ForwardAuthToken: true,
		Claims: store.ClaimRules{
			GroupsName: "groups", GroupsFrom: []string{"roles"}, GroupsAs: "id", Email: "template",
			EmailTemplate: "{wecom_userid}@corp.example", PreferredUsername: "phone", Phone: true, InIDToken: true,
		},
		Audience: "https://api.example.com/", RefreshTokenLifetime: 720 * time.Hour,
		Secrets:    []store.ClientSecret{b.secret("one")},
		Generation: store.NewID(), CreatedAt: b.now(), UpdatedAt: b.now(), Version: 1,
	}
}

func (b *bench) secret(id string) store.ClientSecret {
	return store.ClientSecret{ID: id, Prefix: "abcd", Hash: strings.Repeat("0f", 32), CreatedAt: b.now()}
}

func nextApplication(a store.Application, change func(*store.Application)) store.Application {
	change(&a)
	a.Version++
	return a
}

// same fails if the stored application is another.
func (b *bench) same(want store.Application) {
	b.Helper()
	got, err := b.Application(background(), want.ID)
	b.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatalf("application (-want, +got):\n%s", diff)
	}
}

func applications(t *testing.T, b *bench) {
	ctx := t.Context()
	_, err := b.Application(ctx, "demo")
	b.is(err, store.ErrNotFound)
	created := b.application("demo")
	b.ok(b.CreateApplication(ctx, created))
	b.is(b.CreateApplication(ctx, b.application("demo")), store.ErrExists)
	b.same(created)

	b.pass(time.Minute)
	changed := nextApplication(created, func(a *store.Application) {
		a.Title, a.Enabled, a.Generation, a.RedirectURIs, a.UpdatedAt = "other", false, store.NewID(), nil, b.now()
	})
	b.ok(b.UpdateApplication(ctx, created, changed))
	b.same(changed)
	b.is(b.UpdateApplication(ctx, created, changed), store.ErrChanged)
	b.is(b.DeleteApplication(ctx, created), store.ErrChanged)
	b.same(changed)

	b.ok(b.DeleteApplication(ctx, changed))
	_, err = b.Application(ctx, "demo")
	b.is(err, store.ErrNotFound)
	b.is(b.DeleteApplication(ctx, changed), store.ErrChanged)
	b.is(b.UpdateApplication(ctx, changed, nextApplication(changed, func(*store.Application) {})), store.ErrChanged)
	_, err = b.Application(ctx, "demo")
	b.is(err, store.ErrNotFound)

	// A new one of the same id is another one, even at the same version, and inherits no
	// time of use.
	namesake := b.application("demo")
	b.ok(b.CreateApplication(ctx, namesake))
	b.is(b.UpdateApplication(ctx, created, nextApplication(created, func(*store.Application) {})), store.ErrChanged)
	b.is(b.DeleteApplication(ctx, created), store.ErrChanged)
	b.same(namesake)
}

func applicationUse(t *testing.T, b *bench) {
	ctx := t.Context()
	b.ok(b.NoteApplicationUse(ctx, "absent", "one", b.now()))
	_, err := b.Application(ctx, "absent")
	b.is(err, store.ErrNotFound)

	read := b.application("demo")
	b.ok(b.CreateApplication(ctx, read))
	b.pass(time.Hour)
	used := read
	used.LastUsedAt = b.now()
	b.ok(b.NoteApplicationUse(ctx, "demo", "", b.now()))
	b.same(used)
	b.pass(time.Hour)
	used.LastUsedAt = b.now()
	used.Secrets = []store.ClientSecret{b.secret("one")}
	used.Secrets[0].CreatedAt, used.Secrets[0].LastUsedAt = read.CreatedAt, b.now()
	b.ok(b.NoteApplicationUse(ctx, "demo", "one", b.now()))
	b.same(used)
	b.ok(b.NoteApplicationUse(ctx, "demo", "removed long ago", b.now()))
	b.same(used)

	// Whoever read the application before it was used can still update it, and brings
	// back no time of then.
	second := nextApplication(read, func(a *store.Application) {
		a.Secrets = []store.ClientSecret{a.Secrets[0], b.secret("two")}
		a.LastUsedAt = time.Time{}
	})
	b.ok(b.UpdateApplication(ctx, read, second))
	want := second
	want.LastUsedAt, want.Secrets = used.LastUsedAt, []store.ClientSecret{used.Secrets[0], second.Secrets[1]}
	b.same(want)
	if !second.LastUsedAt.IsZero() || !second.Secrets[0].LastUsedAt.IsZero() {
		t.Fatal("the caller's record was changed")
	}
	all, _, err := b.Applications(ctx, store.Page{Limit: 10})
	b.ok(err)
	if diff := cmp.Diff([]store.Application{want}, all); diff != "" {
		t.Fatalf("list: %s", diff)
	}

	// A secret goes with its time.
	third := nextApplication(second, func(a *store.Application) { a.Secrets = []store.ClientSecret{b.secret("two")} })
	b.ok(b.UpdateApplication(ctx, want, third))
	back := nextApplication(third, func(a *store.Application) { a.Secrets = []store.ClientSecret{b.secret("one"), b.secret("two")} })
	b.ok(b.UpdateApplication(ctx, third, back))
	back.LastUsedAt = used.LastUsedAt
	b.same(back)
}

func applicationLists(t *testing.T, b *bench) {
	ctx := t.Context()
	var want, got []string
	for i := range 7 {
		id := fmt.Sprint("app", i)
		b.ok(b.CreateApplication(ctx, b.application(id)))
		want = append(want, id)
	}
	b.ok(b.CreateAuthenticator(ctx, b.authenticator("app3"))) // not in this list
	for page := (store.Page{Limit: 3}); ; {
		items, next, err := b.Applications(ctx, page)
		b.ok(err)
		for _, a := range items {
			got = append(got, a.ID)
		}
		if page.Cursor == "" {
			b.ok(b.DeleteApplication(ctx, items[len(items)-1])) // the cursor stays valid
		}
		if next == "" {
			break
		}
		page.Cursor = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	_, _, err := b.Applications(ctx, store.Page{Cursor: store.EncodeCursor("users", "x"), Limit: 3})
	b.is(err, store.ErrBadCursor)
}

func consents(t *testing.T, b *bench) {
	ctx := t.Context()
	consent := func(userID, applicationID string, scopes ...string) store.Consent {
		return store.Consent{UserID: userID, ApplicationID: applicationID, ApplicationGeneration: "g", Scopes: scopes, At: b.now(), Since: b.now().Add(-time.Hour)}
	}
	lists := func(userID string, want ...store.Consent) {
		t.Helper()
		got, err := b.Consents(ctx, userID)
		b.ok(err)
		if diff := cmp.Diff(append([]store.Consent(nil), want...), got); diff != "" {
			t.Fatalf("consents of %s: %s", userID, diff)
		}
	}
	_, err := b.Consent(ctx, "u", "demo")
	b.is(err, store.ErrNotFound)
	lists("u")
	first, other, foreign := consent("u", "demo", "openid"), consent("u", "another", "openid", "email"), consent("u2", "demo", "openid")
	for _, c := range []store.Consent{first, other, foreign} {
		b.ok(b.PutConsent(ctx, c))
	}
	got, err := b.Consent(ctx, "u", "demo")
	b.ok(err)
	if diff := cmp.Diff(first, got); diff != "" {
		t.Fatal(diff)
	}
	lists("u", other, first) // in order of application
	lists("u2", foreign)
	b.pass(time.Hour)
	more := consent("u", "demo", "openid", "phone")
	b.ok(b.PutConsent(ctx, more))
	lists("u", other, more)
	b.ok(b.DeleteConsent(ctx, "u", "demo"))
	b.ok(b.DeleteConsent(ctx, "u", "demo"))
	_, err = b.Consent(ctx, "u", "demo")
	b.is(err, store.ErrNotFound)
	lists("u", other)
	lists("u2", foreign)
}

func applicationEvents(t *testing.T, b *bench) {
	ctx := t.Context()
	event := func(applicationID, result string) store.ApplicationEvent {
		return store.ApplicationEvent{At: b.now(), ApplicationID: applicationID, UserID: "u", Result: result, Cause: "cause", RequestID: "request-1"}
	}
	lists := func(applicationID string, limit int, want ...store.ApplicationEvent) {
		t.Helper()
		got, err := b.EventsOfApplication(ctx, applicationID, limit)
		b.ok(err)
		if len(want) == 0 && len(got) == 0 {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("events of %s: %s", applicationID, diff)
		}
	}
	lists("demo", 10)
	refused := event("demo", "invalid_grant")
	b.ok(b.RecordApplicationEvent(ctx, refused))
	b.pass(time.Second)
	begun := event("demo", "ok")
	b.ok(b.RecordApplicationEvent(ctx, begun))
	elsewhere := event("demo-2", "ok")
	elsewhere.UserID = ""
	b.ok(b.RecordApplicationEvent(ctx, elsewhere))
	// An authenticator of the same name has a list of its own, and so has the user.
	b.ok(b.RecordEvent(ctx, "key", b.event("demo", "u", "wecom_busy")))
	lists("demo", 10, begun, refused)
	lists("demo", 1, begun)
	lists("demo", 0)
	lists("demo-2", 10, elsewhere)
	lists("", 10)
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfAuthenticator(ctx, "demo", 10) }, b.event("demo", "u", "wecom_busy"))
	b.listed(func() ([]store.SignInEvent, error) { return b.EventsOfUser(ctx, "u", 10) }, b.event("demo", "u", "wecom_busy"))

	b.pass(store.EventRetention - time.Second)
	lists("demo", 10, begun, refused) // exactly the oldest that is kept
	b.pass(time.Millisecond)
	lists("demo", 10, begun)

	// Several of one millisecond are several; the newest hundred are listed.
	for _, err := range AtOnce(5, func(int) error { return b.RecordApplicationEvent(background(), event("busy", "same")) }) {
		b.ok(err)
	}
	got, err := b.EventsOfApplication(ctx, "busy", 10)
	b.ok(err)
	if len(got) != 5 {
		t.Fatalf("%d of 5 in one millisecond", len(got))
	}
	for range store.MaxEvents + 5 {
		b.pass(time.Second)
		b.ok(b.RecordApplicationEvent(ctx, event("busy", "ok")))
	}
	got, err = b.EventsOfApplication(ctx, "busy", 1000)
	b.ok(err)
	if len(got) != store.MaxEvents || !got[0].At.Equal(b.now()) {
		t.Fatalf("%d, the newest of %v", len(got), got[0].At)
	}
}

// applicationUseAtOnce: an application is used while administrators change it; neither
// loses anything of the other's.
func applicationUseAtOnce(t *testing.T, b *bench) {
	read := b.application("demo")
	b.ok(b.CreateApplication(t.Context(), read))
	at := b.now().Add(time.Hour)
	errs := AtOnce(30, func(i int) error {
		if i%10 == 0 {
			return b.UpdateApplication(background(), read, nextApplication(read, func(a *store.Application) {
				a.Enabled, a.Generation, a.Title = false, store.NewID(), fmt.Sprint("administrator", i)
			}))
		}
		return b.NoteApplicationUse(background(), "demo", "one", at)
	})
	if n := b.count(errs, store.ErrChanged); n != 28 {
		t.Fatalf("%d of 27 uses and one of 3 updates succeeded", n)
	}
	got, err := b.Application(t.Context(), "demo")
	b.ok(err)
	if got.Enabled || got.Version != 2 || !got.LastUsedAt.Equal(at) || !got.Secrets[0].LastUsedAt.Equal(at) {
		t.Fatalf("%+v", got)
	}
	// A deleted one does not come back by being used.
	errs = AtOnce(10, func(i int) error {
		if i == 5 {
			return b.DeleteApplication(background(), got)
		}
		return b.NoteApplicationUse(background(), "demo", "one", at)
	})
	if n := b.count(errs); n != 10 {
		t.Fatalf("%d of 10 succeeded", n)
	}
	_, err = b.Application(t.Context(), "demo")
	b.is(err, store.ErrNotFound)
}
