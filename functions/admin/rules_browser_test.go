package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// company gives the office a directory: two departments below the head office, one of them
// with another below it.
func (o *office) company() {
	o.wecom.departments = []wecom.Department{{ID: 1, Name: "总部"}, {ID: 2, ParentID: 1, Name: "销售部"}, {ID: 21, ParentID: 2, Name: "华东区"}, {ID: 3, ParentID: 1, Name: "财务部"}}
	o.wecom.tags = map[int64]wecom.Tag{7: {Departments: []int64{2}}}
	o.wecom.members = map[string]wecom.Member{
		"LiLei": {UserID: "LiLei", Status: wecom.MemberActive, Departments: []wecom.MemberDepartment{{ID: 21, Leader: true}}},
		"Fired": {UserID: "Fired", Status: wecom.MemberDisabled, Departments: []wecom.MemberDepartment{{ID: 3}}},
	}
}

// An administrator gives roles by departments, chosen from the tree, and by a tag, tries them
// on a member, and only then saves them.
func TestConsoleRules(t *testing.T) {
	chromium.RequireAxe(t)
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("hr", `,"title":"Staff"`)
		o.company()
		f := o.serve(t)
		w := openIn(t, "en-US,en", width)
		enter(w, f, "#authenticators/hr")
		part := chromedp.Search(`//summary[text()="Roles and access by WeCom's directory"]`)
		row := func(n int, what string) string { return fmt.Sprintf(`.rule:nth-child(%d) %s`, n, what) }
		w.Do("open", clickOn(part), shows(said("No rules: roles come from")), shows(said("Everybody in the app's visible range")))
		w.Do("add", clickOn(button("Add a rule")), sees(row(1, `input[name=roleRules-role]`)))
		if said := ask(w, `document.querySelector('.rules ~ .wrong').textContent`); said != "" {
			t.Errorf("before anything is typed it is wrong: %s", said)
		}
		w.Do("tree", click(row(1, `.part button`)), sees(`dialog .tree label`), shows(chromedp.Search(`//dialog//h2[text()="Choose a department"]`)))
		w.Accessible("the tree")
		w.Do("search", fill(`dialog input[type=search]`, "华东"), sees(`dialog input[value="21"]`))
		if hidden := ask(w, `document.querySelector('dialog input[value="3"]').checkVisibility()`); hidden != "false" {
			t.Error("the search shows what does not match")
		}
		w.Do("choose", click(`dialog input[value="21"]`), clickOn(dialogButton("Take this")), gone(`dialog`), shows(said("华东区 (21)")))
		w.Do("leave it unfinished", click(`input[name="allow.tags"]`), shows(said("that is not admin")))
		w.Do("finish it", fill(row(1, `input[name=roleRules-role]`), "west"), chromedp.WaitNotPresent(said("that is not admin")))
		w.Do("admin", fill(row(1, `input[name=roleRules-role]`), "admin"), clickOn(button("Save")), shows(said("that is not admin")))
		w.Do("role", fill(row(1, `input[name=roleRules-role]`), "east"), clickOn(button("Add a rule")), sees(row(2, `select`)))
		choose := func(n int, kind string) chromium.Action {
			return chromium.Script(fmt.Sprintf(`(() => { const s = document.querySelector(%q); s.value = %q; s.dispatchEvent(new Event('input', {bubbles: true})); })()`, row(n, "select"), kind))
		}
		w.Do("tag", choose(2, "tag"), fill(row(2, `input[name=roleRules-tag]`), "7"), fill(row(2, `input[name=roleRules-role]`), "ops"))
		w.Do("leader", clickOn(button("Add a rule")), choose(3, "leader"), fill(row(3, `input[name=roleRules-role]`), "lead"))
		w.Do("allow", fill(`input[name="allow.departments"]`, "3"), shows(said("Only those who match may sign in.")))
		w.Do("try", fill(`input[name=wecomUserId]`, "LiLei\r"), shows(said("As LiLei")), shows(said("leads it")))
		w.Accessible("the rules")
		if got := ask(w, `document.querySelector('main').innerText.replace(/\s+/g, ' ')`); !containsAll(got, "May sign in No", "Roles by rules east ops lead", "华东区 21 leads it") {
			t.Errorf("the preview: %s", got)
		}
		if len(o.authenticator("hr").RoleRules) != 0 {
			t.Error("trying has saved something")
		}
		w.Do("why not", shows(said("No department, tag or role lets this member in.")))
		w.Do("disabled", fill(`input[name=wecomUserId]`, "Fired\r"), shows(said("Disabled, in WeCom or among the users here.")))
		w.Do("nobody", fill(`input[name=wecomUserId]`, "HanMei\r"), shows(said("WeCom knows no such member")))
		w.Do("remove", click(row(3, `> button`)), gone(row(3, `select`)))
		w.Do("save", fill(`input[name="allow.departments"]`, "3 1"), clickOn(button("Save")), shows(said("Saved.")))
		a := o.authenticator("hr")
		if fmt.Sprint(a.RoleRules, a.Allow) != fmt.Sprint([]store.RoleRule{{Department: 21, Role: "east"}, {Tag: 7, Role: "ops"}}, store.Allow{Departments: []int64{3, 1}}) {
			t.Errorf("saved %+v, %+v", a.RoleRules, a.Allow)
		}
		w.Do("again", chromedp.Reload(), sees(row(2, `input[name=roleRules-tag]`)), shows(said("财务部 (3), 总部 (1)")), shows(said("华东区 (21)")))
		w.Do("try", fill(`input[name=wecomUserId]`, "LiLei\r"), shows(chromedp.Search(`//dd//span[text()="Yes"]`)))
	})
}

// Another company takes the numbers anew, and events off; the page says both.
func TestConsoleAnotherCompany(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"title":"Staff","roleRules":[{"tag":3,"role":"ops"}],"allow":{"departments":[3]}`)
	o.company()
	o.enable()
	f := o.serve(t)
	numbers := shows(said("Departments and tags have other numbers in another company."))
	setup := openIn(t, "en-US,en", 1440)
	enter(setup, f, "#setup/hr")
	setup.Do("credentials", click(`.setup-progress li:nth-child(5) button`), fill(`input[name=corpId]`, "ww9876543210"), click(`.setup-form .main`), numbers, sees(`input[name=corpId][aria-invalid=true]`))
	w := openIn(t, "en-US,en", 1440)
	enter(w, f, "#authenticators/hr")
	w.Do("corp", fill(`input[name=corpId]`, "ww9876543210"), clickOn(button("Save")), numbers)
	w.Do("rules", click(`.rule:nth-child(1) > button`), clickOn(button("Save")), numbers, sees(`input[name="allow.departments"][aria-invalid=true]`))
	w.Do("allow", fill(`input[name="allow.departments"]`, "1"), clickOn(button("Save")), shows(said("Saved.")), shows(said("Not set up.")))
	if a := o.authenticator("hr"); a.CorpID != "ww9876543210" || len(a.RoleRules) != 0 || fmt.Sprint(a.Allow.Departments) != "[1]" || a.EventsEnabled {
		t.Errorf("saved %+v", a)
	}
}

// A conflict tells the rules in words, and nothing typed is lost.
func TestConsoleRulesConflict(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"title":"Staff","roleRules":[{"tag":3,"role":"ops"}]`)
	o.company()
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#authenticators/hr")
	w.Do("type", fill(`input[name=roleRules-role]`, "mine"))
	o.expect(200, request{method: "PATCH", path: hrPath, body: `{"roleRules":[{"leader":true,"role":"lead"}]}`})
	w.Do("save", clickOn(button("Save")), shows(said("who lead a department → lead")))
	w.Do("save mine", clickOn(button("Save")), shows(said("Saved.")))
	if rules := o.authenticator("hr").RoleRules; fmt.Sprint(rules) != fmt.Sprint([]store.RoleRule{{Tag: 3, Role: "mine"}}) {
		t.Errorf("%+v", rules)
	}
}

// Nothing but the keyboard, in Chinese, on a narrow window: an application for a department
// and those below it.
func TestConsoleDepartmentsByKeyboard(t *testing.T) {
	chromium.RequireAxe(t)
	o := newOffice(t)
	o.create("hr", `,"title":"Staff"`)
	o.company()
	o.createApplication("wiki", "web", `,"title":"Wiki"`)
	f := o.serve(t)
	w := openIn(t, "zh-CN,zh", 360)
	enter(w, f, "#applications/wiki")
	key := func(text string) { w.Do("key", chromedp.KeyEvent(text)) }
	w.Do("there", sees(`input[name="allow.departments"]`))
	tabTo(t, w, "从组织架构选择")
	w.Do("open", chromedp.KeyEvent("\r"), sees(`dialog .tree label`))
	w.Accessible("the tree")
	tabTo(t, w, "销售部 的下级部门")
	w.Do("unfold", chromedp.KeyEvent("\r"), sees(`dialog input[value="21"]`))
	tabTo(t, w, "华东区")
	key(" ")
	tabTo(t, w, "财务部")
	key(" ")
	tabTo(t, w, "使用所选")
	w.Do("take", chromedp.KeyEvent("\r"), gone(`dialog`), shows(said("华东区 (21), 财务部 (3)")), shows(said("只有符合的人可以使用。")))
	tabTo(t, w, "或标签")
	key("7")
	w.Accessible("an application")
	w.Do("save", clickOn(button("保存")), shows(said("已保存。")))
	if allow := o.application("wiki").Allow; fmt.Sprint(allow) != fmt.Sprint(store.Allow{Departments: []int64{21, 3}, Tags: []int64{7}}) {
		t.Errorf("%+v", allow)
	}
	if tags := o.authenticator("hr").LookedUpTags(); fmt.Sprint(tags) != "[7]" {
		t.Errorf("looked up: %v", tags)
	}
	// WeCom does not answer: numbers can be written all the same.
	o.clock = o.clock.Add(20 * 60 * 1e9)
	o.wecom.directoryErr = &wecom.UnavailableError{Op: "department/simplelist", Reason: "time-out"}
	w.Do("down", click(`.part button`), shows(said("企业微信无响应")), chromedp.KeyEvent("\x1b"), gone(`dialog`))
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
