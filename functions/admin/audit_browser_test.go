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
		o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"roles":["staff","admin"]}`})
		o.fillAudit(120, func(i int, l *store.AuditLine) {
			if l.User = id; i%2 == 0 {
				l.Type, l.Code = audit.Refused, "wecom_busy"
			}
		})
		f := o.serve(t)
		w := open(t, width)
		enter(w, f, "#audit")
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
		w.Do("to the user", click(`tbody td a[href="#users/`+id+`"]`), sees(`input[name=roles]`))
		w.Do("and back", click(`a[href="#audit/user=`+id+`"]`), sees(`input[name=user]`))
		if got := ask(w, `document.querySelector('input[name=user]').value`); got != id {
			t.Errorf("the filter is %q", got)
		}
		w.Do("the export is in it", click(`#tabs a[href="#audit"]`), shows(chromedp.Search(`//tbody//span[text()="Audit exported"]`)))
	})
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
