package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// An administrator reads what happened, filters it by keyboard, follows it to a user, and
// takes it along for a spreadsheet.
func TestConsoleAudit(t *testing.T) {
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("hr", "")
		id := o.createUser("13800138000")
		o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"name":"李四","roles":["staff","admin"]}`})
		o.fillAudit(120, func(i int, l *store.AuditLine) {
			if l.User = id; i%2 == 0 {
				l.Type, l.Code = audit.Refused, "wecom_busy"
			}
		})
		f := o.serve(t)
		w := open(t, width)
		enter(w, f, "#audit")
		w.Do("by name", shows(chromedp.Search(`//tbody//a[@href="#users/`+id+`"][starts-with(., "李四")]`)))
		count := func() string { return ask(w, `document.querySelectorAll('tbody tr').length`) }
		w.Do("all", shows(said("Roles: none → staff admin")), shows(button("Show more")))
		if got := count(); got != "50" {
			t.Errorf("%s lines at first", got)
		}
		w.Do("more", clickOn(button("Show more")), sees(`tbody tr:nth-child(51)`))
		w.Do("by type", chromedp.SetValue(`select[name=type]`, "sign_in_refused"), types(`input[name=authenticator]`, "hr\r"), gone(`tbody .badge.good`), gone(`tbody tr:nth-child(51)`), sees(`tbody .badge.bad`))
		w.Do("none", fill(`input[name=authenticator]`, "other\r"), shows(said("Nothing fits these filters.")))
		w.Do("not a name", fill(`input[name=authenticator]`, "Human resources\r"), sees(`input[name=authenticator][aria-invalid=true]`))
		if got := ask(w, `document.activeElement.name`); got != "authenticator" {
			t.Errorf("the focus is on %q", got)
		}
		// chromedp sets an empty value as "undefined".
		empty := func(fields string) {
			ask(w, `document.querySelectorAll('`+fields+`').forEach((field) => (field.value = ''))`)
		}
		empty(`input[name=authenticator], select[name=type]`)
		w.Do("by time", chromedp.SetValue(`input[name=to]`, o.clock.Add(-time.Minute).Local().Format("2006-01-02T15:04")), clickOn(button("Show")), gone(`[aria-invalid=true]`), sees(`tbody .badge.good`))
		empty(`input[name=to]`)
		w.Do("by user", fill(`input[name=user]`, id), clickOn(button("Show")), shows(said("staff admin")))
		file := fileOf(w, "export", clickOn(button("Export as CSV")), shows(said("Exported 122 lines.")))
		if !strings.HasPrefix(file, "id,at,type,") || strings.Count(file, "\n") != 123 {
			t.Errorf("the file begins with %.80q and has %d lines", file, strings.Count(file, "\n"))
		}
		if got := ask(w, `location.hash`); got != "#audit/user="+id {
			t.Errorf("the address is %q", got)
		}
		w.Do("to the user", click(`tbody td a[href="#users/`+id+`"]`), sees(`input[name=roles]`))
		w.Do("and back", click(`a[href="#audit/user=`+id+`"]`), sees(`input[name=user]`))
		if got := ask(w, `document.querySelector('input[name=user]').value`); got != id {
			t.Errorf("the filter is %q", got)
		}
		w.Do("the export is in it", click(`#tabs a[href="#audit"]`), shows(chromedp.Search(`//tbody//span[text()="Audit exported"]`)))
	})
}

// Filters are in the address: to link to, to reload and to come back to. What a line says is
// said in words, and who is gone here, too, stays an id.
func TestConsoleAuditByItsAddress(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	left := o.importUser(phoneOf(1), "李四", nil)
	deleted := store.NewUserID(o.clock)
	o.fillAudit(6, func(i int, l *store.AuditLine) {
		switch i {
		case 0:
			*l = store.AuditLine{Type: audit.MemberGone, User: left, Authenticator: "hr", Code: string(store.GoneLeft)}
		case 1:
			*l = store.AuditLine{Type: audit.MemberGone, User: deleted, Authenticator: "hr", Code: string(store.GoneOutOfRange)}
		case 2:
			*l = store.AuditLine{Type: audit.UsersLookedUp, Authenticator: "hr", Actor: audit.ActorKey, Code: "dry_run"}
		case 3:
			*l = store.AuditLine{Type: audit.AuthenticatorUpdated, Authenticator: "hr", Actor: audit.ActorKey, Fields: []string{"allow", "linkByPhone"}}
		}
	})
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#users")
	w.Do("who has left", clickOn(chromedp.Search(`//a[text()="Who has left"]`)), shows(said("The member has left the company.")), shows(said("李四")))
	rows := `[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('.badge').innerText + ' ' + (row.querySelector('.id')?.innerText ?? '')).join('|')`
	leavers := "Member gone " + deleted + "|Member gone 李四 " + left
	if got := ask(w, rows); got != leavers {
		t.Errorf("%q, want %q", got, leavers)
	}
	if got, want := ask(w, `document.querySelector('tbody time').innerText`), o.clock.Add(-5*time.Second).Local().Format("3:04:05"); !strings.Contains(got, want) {
		t.Errorf("the time %q is not to the second, %s", got, want)
	}
	hash := func(what, want string) {
		t.Helper()
		if got := ask(w, `location.hash`); got != want {
			t.Errorf("%s: the address is %q, want %q", what, got, want)
		}
	}
	allTypes := chromium.Script(`document.querySelector('select[name=type]').value = ''`)
	w.Do("all of one authenticator", allTypes, fill(`input[name=authenticator]`, "hr\r"), shows(said("A try: nobody was bound.")), shows(said("Fields: Who may sign in, Becoming existing users by phone")))
	hash("filtered", "#audit/authenticator=hr")
	w.Do("a time", chromedp.SetValue(`input[name=to]`, "2000-01-01T00:00"), clickOn(button("Show")), shows(said("Nothing fits")))
	w.Do("reload", chromedp.Reload(), shows(said("Nothing fits")))
	if got := ask(w, `document.querySelector('[name=to]').value + ' ' + document.querySelector('[name=authenticator]').value`); got != "2000-01-01T00:00 hr" {
		t.Errorf("reloaded: %q", got)
	}
	w.Do("back", chromedp.NavigateBack(), shows(said("A try: nobody was bound.")))
	w.Do("and back", chromedp.NavigateBack(), gone(`tbody tr:nth-child(3)`), sees(`tbody tr:nth-child(2)`))
	if got := ask(w, rows); !strings.HasPrefix(got, "Member gone "+deleted) {
		t.Errorf("back at %q", got)
	}
	w.Do("a phone instead of an id", fill(`input[name=user]`, "13800138000\r"), sees(`input[name=user][aria-invalid=true]`))
	hash("a phone", "#audit/type=member_gone")
	w.Do("a phone instead of a name", chromium.Script(`document.querySelector('input[name=user]').value = ''`), fill(`input[name=authenticator]`, "13800138000\r"), shows(said("Nothing fits")))
	hash("a phone", "#audit")
	w.Do("the deleted user", chromedp.NavigateBack(), click(`a[href="#users/`+deleted+`"]`), shows(chromedp.Search(`//h1[text()="User not found"]`)))
	w.Do("what the audit knows", click(`main a[href="#audit/user=`+deleted+`"]`), shows(said("outside the app's visible range")))
}

// fileOf does something that hands over a file, and returns its text without the mark in front.
func fileOf(w *chromium.Window, step string, actions ...chromium.Action) string {
	ask(w, `(() => {
		delete document.body.dataset.file;
		const make = URL.createObjectURL;
		URL.createObjectURL = (file) => (file.text().then((text) => (document.body.dataset.file = text)), make(file));
	})()`)
	w.Do(step, append(actions, sees(`body[data-file]`))...)
	return strings.TrimPrefix(ask(w, `document.body.dataset.file`), "\uFEFF")
}
