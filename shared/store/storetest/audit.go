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

// line returns a line of now.
func (b *bench) line(change func(*store.AuditLine)) store.AuditLine {
	at := b.now().Truncate(time.Millisecond)
	line := store.AuditLine{
		ID: store.NewAuditID(at), At: at, Type: "user_updated", User: "u", Authenticator: "demo", Application: "wiki", Actor: "key",
		RequestID: "request-1", Code: "code", Fields: []string{"roles"}, RolesBefore: []string{"staff"}, RolesAfter: []string{"staff", "admin"},
	}
	if change != nil {
		change(&line)
	}
	return line
}

// written writes a line of now.
func (b *bench) written(change func(*store.AuditLine)) store.AuditLine {
	b.Helper()
	line := b.line(change)
	b.ok(b.RecordAudit(background(), line))
	return line
}

// all reads all pages of a query.
func (b *bench) all(q store.AuditQuery, limit int) (lines []store.AuditLine) {
	b.Helper()
	for cursor, pages := "", 0; ; pages++ {
		page, next, err := b.AuditLines(background(), q, store.Page{Cursor: cursor, Limit: limit})
		b.ok(err)
		if len(page) > limit {
			b.Fatalf("a page of %d has %d lines", limit, len(page))
		}
		lines = append(lines, page...)
		if next == "" {
			return lines
		}
		if cursor = next; pages > 1000 {
			b.Fatal("no end of pages")
		}
	}
}

// selected compares the lines that a query selects.
func (b *bench) selected(q store.AuditQuery, want ...store.AuditLine) {
	b.Helper()
	if diff := cmp.Diff(want, b.all(q, 50)); diff != "" {
		b.Fatalf("%+v selects (-want, +got):\n%s", q, diff)
	}
}

func auditLines(t *testing.T, b *bench) {
	began := b.now()
	b.selected(store.AuditQuery{From: began.Add(-time.Hour)})
	change := b.written(nil)
	b.pass(time.Millisecond)
	signIn := b.written(func(l *store.AuditLine) {
		*l = store.AuditLine{ID: l.ID, At: l.At, Type: store.AuditSignedIn, User: "v", Authenticator: "demo"}
	})
	b.pass(3 * time.Hour) // across empty hours
	refusal := b.written(func(l *store.AuditLine) {
		*l = store.AuditLine{ID: l.ID, At: l.At, Type: store.AuditRefused, Authenticator: "other", Code: "wecom_busy"}
	})
	b.pass(time.Hour)
	token := b.written(func(l *store.AuditLine) {
		*l = store.AuditLine{ID: l.ID, At: l.At, Type: "token_reused", User: "u", Application: "wiki"}
	})
	b.pass(26 * time.Hour)

	for name, test := range map[string]struct {
		query store.AuditQuery
		want  []store.AuditLine
	}{
		"everything":                   {store.AuditQuery{}, []store.AuditLine{token, refusal, signIn, change}},
		"a user":                       {store.AuditQuery{User: "u"}, []store.AuditLine{token, change}},
		"an authenticator":             {store.AuditQuery{Authenticator: "demo"}, []store.AuditLine{signIn, change}},
		"an application":               {store.AuditQuery{Application: "wiki"}, []store.AuditLine{token, change}},
		"an actor":                     {store.AuditQuery{Actor: "key"}, []store.AuditLine{change}},
		"a type":                       {store.AuditQuery{Type: "token_reused"}, []store.AuditLine{token}},
		"sign-ins":                     {store.AuditQuery{Type: store.AuditSignedIn, From: began}, []store.AuditLine{signIn}},
		"refusals":                     {store.AuditQuery{Type: store.AuditRefused, From: began}, []store.AuditLine{refusal}},
		"sign-ins by an authenticator": {store.AuditQuery{Type: store.AuditSignedIn, Authenticator: "demo"}, []store.AuditLine{signIn}},
		"a user and a type":            {store.AuditQuery{User: "u", Type: "user_updated"}, []store.AuditLine{change}},
		"a user and another's type":    {store.AuditQuery{User: "v", Type: "user_updated"}, nil},
		"everything at once": {store.AuditQuery{
			Type: "user_updated", User: "u", Authenticator: "demo", Application: "wiki", Actor: "key", From: began, To: began.Add(time.Millisecond),
		}, []store.AuditLine{change}},
		"from is inclusive":                {store.AuditQuery{From: signIn.At}, []store.AuditLine{token, refusal, signIn}},
		"from, a moment later":             {store.AuditQuery{From: signIn.At.Add(time.Microsecond)}, []store.AuditLine{token, refusal}},
		"to is exclusive":                  {store.AuditQuery{From: began, To: signIn.At}, []store.AuditLine{change}},
		"to, a moment later":               {store.AuditQuery{From: began, To: signIn.At.Add(time.Microsecond)}, []store.AuditLine{signIn, change}},
		"between":                          {store.AuditQuery{From: signIn.At, To: token.At}, []store.AuditLine{refusal, signIn}},
		"between, of an authenticator":     {store.AuditQuery{From: signIn.At, To: token.At, Authenticator: "demo"}, []store.AuditLine{signIn}},
		"an empty range":                   {store.AuditQuery{From: token.At, To: token.At}, nil},
		"a range that ends before it does": {store.AuditQuery{From: token.At, To: signIn.At}, nil},
		"the future":                       {store.AuditQuery{From: b.now().Add(240 * time.Hour)}, nil},
		"nobody":                           {store.AuditQuery{User: "absent"}, nil},
		"the beginning of a name":          {store.AuditQuery{Authenticator: "dem"}, nil},
		"another's partition":              {store.AuditQuery{Authenticator: "demo#1"}, nil},
		"a name with a line break":         {store.AuditQuery{User: "u\n" + change.ID}, nil},
		"an impossible name":               {store.AuditQuery{Actor: strings.Repeat("x", 5000)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, Engine: b.Engine}
			b.selected(test.query, test.want...)
		})
	}

	for _, cursor := range []string{"x", "!", store.EncodeCursor("users", change.ID), store.EncodeCursor("audit", "x"), store.EncodeCursor("audit", change.ID+"0")} {
		_, _, err := b.AuditLines(t.Context(), store.AuditQuery{}, store.Page{Cursor: cursor, Limit: 10})
		b.is(err, store.ErrBadCursor)
	}
	wrong := b.line(nil)
	wrong.At = wrong.At.Add(time.Millisecond)
	if err := b.RecordAudit(t.Context(), wrong); err == nil {
		t.Fatal("a line whose id is of another time is written")
	}
}

// auditPages: many lines in few milliseconds are on one page each, in one order.
func auditPages(t *testing.T, b *bench) {
	began := b.now()
	var want []string
	for burst := range 3 {
		for range 2 {
			lines := make([]store.AuditLine, 25)
			for n := range lines {
				lines[n] = b.line(nil)
				want = append(want, lines[n].ID)
			}
			for _, err := range AtOnce(len(lines), func(n int) error { return b.RecordAudit(background(), lines[n]) }) {
				b.ok(err)
			}
			b.pass(time.Millisecond)
		}
		b.pass(time.Duration(1+20*burst) * time.Hour)
	}
	slices.Sort(want)
	slices.Reverse(want)
	for _, q := range []store.AuditQuery{{From: began}, {User: "u"}, {Authenticator: "demo"}} {
		for _, limit := range []int{1, 7, 149, 150, 200} {
			var got []string
			for _, line := range b.all(q, limit) {
				got = append(got, line.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%+v in pages of %d (-want, +got):\n%s", q, limit, diff)
			}
		}
	}
	// A cursor goes on where it was, whatever is written meanwhile.
	page, next, err := b.AuditLines(t.Context(), store.AuditQuery{From: began}, store.Page{Limit: 149})
	b.ok(err)
	newest := b.written(nil)
	rest, last, err := b.AuditLines(t.Context(), store.AuditQuery{From: began}, store.Page{Cursor: next, Limit: 149})
	b.ok(err)
	if len(page) != 149 || len(rest) != 1 || rest[0].ID != want[149] || rest[0].ID == newest.ID {
		t.Fatalf("%d lines, then %+v, then %q", len(page), rest, last)
	}
}

func auditLinesNeverChange(t *testing.T, b *bench) {
	line := b.written(nil)
	b.ok(b.RecordAudit(t.Context(), line)) // as a client does whose first answer was lost
	forged := line
	forged.Actor, forged.RolesAfter = "somebody-else", nil
	b.is(b.RecordAudit(t.Context(), forged), store.ErrExists)
	u := b.user("+8613800000001")
	b.is(b.Audited(forged).CreateUser(t.Context(), u), store.ErrExists)
	_, err := b.User(t.Context(), u.ID)
	b.is(err, store.ErrNotFound)
	b.selected(store.AuditQuery{User: line.User}, line)
	b.selected(store.AuditQuery{Actor: "somebody-else"})
}

func auditRetention(_ *testing.T, b *bench) {
	old := b.written(nil)
	b.pass(time.Hour)
	young := b.written(nil)
	b.pass(store.DefaultAuditRetention - time.Hour)
	b.selected(store.AuditQuery{User: "u"}, young, old)
	b.selected(store.AuditQuery{Type: old.Type}, young, old)
	b.pass(time.Millisecond)
	b.selected(store.AuditQuery{User: "u"}, young)
	b.selected(store.AuditQuery{From: old.At, Authenticator: "demo"}, young)
	b.pass(time.Hour)
	b.selected(store.AuditQuery{})
	b.selected(store.AuditQuery{User: "u", From: old.At})
}

// auditedWrites: a write and its lines happen together or not at all.
func auditedWrites(t *testing.T, b *bench) {
	ctx := t.Context()
	u := b.user("+8613800000001")
	u.Identities = []store.Identity{member("zhangsan")}
	a := b.authenticator("demo")
	app := store.Application{ID: "wiki", Generation: "g", Version: 1}
	file := store.DomainFile{Filename: "WW_verify_0123456789abcdef.txt", CreatedAt: b.now()}
	event := b.event("a", u.ID, "wecom_busy")
	renamed, disabled, titled := next(u, func(u *store.User) { u.Name = "new" }), nextAuthenticator(a, func(a *store.Authenticator) { a.Enabled = false }), app
	titled.Title, titled.Version = "Wiki", 2
	refused := store.AttemptResult{SessionKey: "refused", Kind: store.ResultRefused, Code: "internal", KeepUntil: b.now().Add(time.Minute), Event: &event}
	var want []store.AuditLine
	for _, test := range []struct {
		name  string
		write func(store.AuditedWrites) error
		// again is the error of the same write once more; nil: nothing is left to do, and
		// no line is written.
		again error
	}{
		{"create a user", func(w store.AuditedWrites) error { return w.CreateUser(ctx, u) }, store.ErrExists},
		{"update a user", func(w store.AuditedWrites) error { return w.UpdateUser(ctx, u, renamed) }, store.ErrChanged},
		{"create an authenticator", func(w store.AuditedWrites) error { return w.CreateAuthenticator(ctx, a) }, store.ErrExists},
		{"update an authenticator", func(w store.AuditedWrites) error { return w.UpdateAuthenticator(ctx, a, disabled) }, store.ErrChanged},
		{"create an application", func(w store.AuditedWrites) error { return w.CreateApplication(ctx, app) }, store.ErrExists},
		{"update an application", func(w store.AuditedWrites) error { return w.UpdateApplication(ctx, app, titled) }, store.ErrChanged},
		{"put a domain file", func(w store.AuditedWrites) error { return w.PutDomainFile(ctx, file) }, nil},
		{"begin a session", func(w store.AuditedWrites) error { return w.StartSession(ctx, b.session("session", u), true) }, store.ErrExists},
		{"refuse", func(w store.AuditedWrites) error { return w.RecordResult(ctx, refused) }, store.ErrExists},
		{"delete a domain file", func(w store.AuditedWrites) error { return w.DeleteDomainFile(ctx, file.Filename) }, store.ErrNotFound},
		{"delete an application", func(w store.AuditedWrites) error { return w.DeleteApplication(ctx, titled) }, store.ErrChanged},
		{"delete an authenticator", func(w store.AuditedWrites) error { return w.DeleteAuthenticator(ctx, disabled) }, store.ErrChanged},
		{"delete a user", func(w store.AuditedWrites) error { return w.DeleteUser(ctx, renamed) }, store.ErrChanged},
	} {
		b.pass(time.Second)
		first, second := b.line(nil), b.line(nil)
		if second.ID < first.ID {
			first, second = second, first
		}
		if err := test.write(b.Audited(first, second)); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		want = append(want, first, second)
		b.is(test.write(b.Audited(b.line(nil))), test.again)
	}
	slices.Reverse(want)
	began := store.AuditQuery{From: want[len(want)-1].At}
	b.selected(began, want...)

	// An event may happen more often.
	b.pass(time.Second)
	failed := b.line(nil)
	b.ok(b.Audited(failed).RecordEvent(ctx, "tried", event))
	b.selected(began, append([]store.AuditLine{failed}, want...)...)
	// The engine's own writes carry no line.
	b.ok(b.CreateUser(ctx, b.user("+8613800000002")))
	b.selected(began, append([]store.AuditLine{failed}, want...)...)
}

// auditedSignInsAtOnce: of doubled requests with one state one begins a session, and one
// line says so; sign-ins of one user do not hinder one another.
func auditedSignInsAtOnce(t *testing.T, b *bench) {
	u := b.user("+8613800000001")
	u.Identities = []store.Identity{member("zhangsan")}
	b.ok(b.CreateUser(t.Context(), u))
	line := make([]store.AuditLine, 40)
	errs := AtOnce(len(line), func(n int) error {
		line[n] = b.line(func(l *store.AuditLine) { l.Type, l.User = store.AuditSignedIn, u.ID })
		return b.Audited(line[n]).StartSession(background(), b.session(fmt.Sprint("state", n%10), u), true)
	})
	if n := b.count(errs, store.ErrExists); n != 10 {
		t.Fatalf("%d sessions of 10 states", n)
	}
	var want []string
	for n, err := range errs {
		if err == nil {
			want = append(want, line[n].ID)
		}
	}
	slices.Sort(want)
	slices.Reverse(want)
	var got []string
	for _, l := range b.all(store.AuditQuery{User: u.ID}, 50) {
		got = append(got, l.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("lines (-sessions, +lines):\n%s", diff)
	}
}
