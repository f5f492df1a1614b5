package admin_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// peopleToLookUp are four users: one found, one with another name, one who is not in WeCom,
// and one without a name.
func peopleToLookUp(o *office) {
	o.create("hr", `,"title":"Human resources"`)
	o.importUser(phoneOf(1), "李四", nil)
	o.importUser(phoneOf(2), "王五", nil)
	o.importUser(phoneOf(3), "A Person With Quite A Long Name Of Many Words", nil)
	o.importUser(phoneOf(4), "", nil)
	o.wecom.phones = map[string]wecom.Member{phoneOf(1): active("LiSi", "李四"), phoneOf(2): active("ZhaoLiu", "赵六"), phoneOf(4): active("QianQi", "钱七")}
}

// What the list says of each: name and result.
const lookupRows = `[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').innerText.trim() + ' ' + row.querySelector('.badge').innerText.trim()).join('|')`

// An administrator tries, looks at the names, binds those who are right, and is told what is
// left.
func TestConsoleLookup(t *testing.T) {
	atBothSizes(t, func(t *testing.T, width int64) {
		chromium.RequireAxe(t)
		o := newOffice(t)
		peopleToLookUp(o)
		f := o.serve(t)
		w := open(t, width)
		enter(w, f, "#authenticators/hr")
		w.Do("go there", click(`a[href="#lookup/hr"]`), shows(said("apps made after 20 June 2022 may make this call, too. We have not seen it")))
		w.Accessible("lookup")
		w.Do("try", clickOn(button("Try without binding")), shows(said("Not found in this company within 24 hours: 1")))
		w.Accessible("what a try found")
		if got, want := ask(w, lookupRows), "李四 Same name|王五 Another name|A Person With Quite A Long Name Of Many Words Not found|No name yet Another name"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if len(o.identities()) > 0 {
			t.Errorf("a try bound %q", o.identities())
		}
		w.Do("accept", click(`tbody tr:nth-child(4) input[name=accept]`), clickOn(button("Bind users: 2")), shows(said("Bound: 2. They can sign in")))
		if got, want := ask(w, lookupRows), "No name yet Bound|李四 Bound|王五 Another name"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		w.Do("accept the other one afterwards", click(`input[name=accept]`), clickOn(button("Bind users: 1")), shows(said("Bound: 1.")))
		if got := o.identities(); !slices.Equal(got, []string{"LiSi", "ZhaoLiu", "QianQi"}) {
			t.Errorf("bound %q", got)
		}
		w.Do("nobody is left", clickOn(button("Try without binding")), shows(said("Nobody is left to look up")))
		o.importUser(phoneOf(5), "Li", nil)
		o.wecom.lookedUp = func(string) error { return &wecom.Error{Op: "user/getuserid", Code: wecom.RateLimited} }
		w.Do("WeCom closes", clickOn(button("Try without binding")), shows(said("WeCom has closed the lookup to this company (45009)")))
		w.Accessible("closed")
		if got := ask(w, `document.querySelector('.actions button:last-child').disabled`); got != "true" {
			t.Error("a try that WeCom has closed can be pressed")
		}
	})
}

func (o *office) identities() (userIDs []string) {
	for _, u := range o.users() {
		if id := o.identity(u.ID); id != "" {
			userIDs = append(userIDs, id)
		}
	}
	return userIDs
}

func TestConsoleLookupByKeyboard(t *testing.T) {
	o := newOffice(t)
	peopleToLookUp(o)
	f := o.serve(t)
	w := open(t, 360)
	enter(w, f, "#lookup/hr")
	press := chromedp.KeyEvent("\r")
	tabTo(t, w, "Try without binding")
	w.Do("try", press, shows(button("Bind users: 1")))
	if got := ask(w, `document.activeElement.innerText`); got != "Found in WeCom" {
		t.Errorf("the focus is on %q", got)
	}
	for range 3 { // the two links before, and the box
		w.Do("tab", chromedp.KeyEvent("\t"))
	}
	if got := ask(w, `document.activeElement.name + ' ' + document.activeElement.labels?.[0].innerText`); got != "accept It is the same person" {
		t.Errorf("the focus is on %q", got)
	}
	w.Do("accept", chromedp.KeyEvent(" "), shows(button("Bind users: 2")))
	tabTo(t, w, "Bind users")
	w.Do("bind", press, shows(said("Bound: 2.")))
	if got := o.identities(); !slices.Equal(got, []string{"LiSi", "ZhaoLiu"}) {
		t.Errorf("bound %q", got)
	}
}

// What a try found is bound although the try has spent the budget, and who is not bound is said.
func TestConsoleLookupWithoutBudget(t *testing.T) {
	o := newOffice(t)
	peopleToLookUp(o)
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.LookupMissesPerDay = 2 })
	o.importUser(phoneOf(5), "A Stranger", nil)
	o.importUser(phoneOf(6), "Another Stranger", nil)
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#lookup/hr")
	w.Do("try", clickOn(button("Try without binding")), shows(said("No more numbers are looked up now: 2")), shows(button("Bind users: 1")))
	if got := ask(w, `[...document.querySelectorAll('.actions button')].map((b) => b.innerText + ' ' + b.disabled).join('|')`); got != "Bind users: 1 false|Try without binding true" {
		t.Error(got)
	}
	w.Do("accept the other name", click(`tbody tr:nth-child(2) input[name=accept]`))
	delete(o.wecom.phones, phoneOf(1)) // another phone changes hands meanwhile
	w.Do("bind", clickOn(button("Bind users: 2")), shows(said("Not bound: 1.")))
	if got := o.identities(); !slices.Equal(got, []string{"ZhaoLiu"}) {
		t.Errorf("bound %q", got)
	}
}

// Those whom nobody accepts are not in the way of the others.
func TestConsoleLookupGoesPastOtherNames(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.wecom.phones = map[string]wecom.Member{}
	for i := range 11 {
		o.importUser(phoneOf(i), fmt.Sprint("Person ", i), nil)
		o.wecom.phones[phoneOf(i)] = active(fmt.Sprint("m", i), "Somebody else")
	}
	o.wecom.phones[phoneOf(10)] = active("m10", "Person 10")
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#lookup/hr")
	w.Do("try ten", chromedp.SetValue(chromedp.CSS(`select[name=limit]`), "10"), clickOn(button("Try without binding")), shows(button("Go on without these")))
	w.Do("go past", clickOn(button("Go on without these")), chromedp.WaitNotVisible(button("Go on without these")))
	w.Do("the next", clickOn(button("Try without binding")), shows(said("Same name")), clickOn(button("Bind users: 1")), shows(said("Bound: 1.")))
	if got := o.identities(); !slices.Equal(got, []string{"m10"}) {
		t.Errorf("bound %q", got)
	}
}
