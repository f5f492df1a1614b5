package admin_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const lookupCorp = "ww0123456789"

// importUser stores a user as an import makes one; change may make it another one.
func (o *office) importUser(phone, name string, change func(*store.User)) string {
	o.t.Helper()
	o.imported++ // ids are in the order of time
	u := store.User{
		ID: store.NewUserID(o.clock.Add(time.Duration(o.imported) * time.Millisecond)), Phone: phone, Name: name, NamePending: name == "",
		Enabled: true, SessionGeneration: 1, CreatedAt: o.clock, UpdatedAt: o.clock, Version: 1,
	}
	if change != nil {
		change(&u)
	}
	if err := o.directory.CreateUser(o.t.Context(), u); err != nil {
		o.t.Fatal(err)
	}
	return u.ID
}

type lookedUp struct {
	Items []struct {
		UserID, Name, Phone, WeComUserID, WeComName, Result string
	}
	Misses    int
	Stopped   string
	WeComCode int
}

// lookUp sends a lookup and returns "phone result member" of each item, then how it ended.
func (o *office) lookUp(body string) (items []string, ended string) {
	o.t.Helper()
	var got lookedUp
	o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: body}).decode(o.t, &got)
	for _, item := range got.Items {
		items = append(items, strings.TrimSpace(item.Phone+" "+item.Result+" "+item.WeComUserID))
	}
	return items, strings.TrimSpace(fmt.Sprintf("%d %s", got.Misses, got.Stopped))
}

func (o *office) wantLookUp(body, wantEnd string, want ...string) {
	o.t.Helper()
	if items, ended := o.lookUp(body); !slices.Equal(items, want) || ended != wantEnd {
		o.t.Errorf("%s: %q, ended %q; want %q, %q", body, items, ended, want, wantEnd)
	}
}

// identity returns the userid of a user in the corp, or nothing.
func (o *office) identity(id string) string {
	o.t.Helper()
	identity, _ := o.user(id).IdentityIn(lookupCorp)
	return identity.WeComUserID
}

func (f *wecomFake) lookups() (phones []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, call := range f.calls {
		if phone, ok := strings.CutPrefix(call, "getuserid "); ok {
			phones = append(phones, phone)
		}
	}
	return phones
}

func phoneOf(i int) string { return fmt.Sprintf("+86138%08d", i) }

func active(userID, name string) wecom.Member {
	return wecom.Member{UserID: userID, Name: name, Status: wecom.MemberActive}
}

// The whole answer, and what the lookup leaves behind.
func TestLookupAnswer(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	li := o.importUser("+8613800000001", "李四", nil)
	o.importUser("+8613800000002", "Nobody", nil)
	o.wecom.phones = map[string]wecom.Member{"+8613800000001": active("LiSi", "李四")}
	look := func(body, want string) {
		t.Helper()
		got := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: body})
		want = strings.ReplaceAll(want, "LI", li)
		if body := strings.TrimSpace(got.body); !strings.HasPrefix(body, want) {
			t.Errorf("%s\nwant %s…", body, want)
		}
	}
	look(`{}`, `{"items":[{"userId":"LI","name":"李四","phone":"+8613800000001","wecomUserId":"LiSi","wecomName":"李四","result":"found"},{"userId":"`)
	if o.identity(li) != "" {
		t.Error("a dry run bound somebody")
	}
	look(`{"dryRun":false}`, `{"items":[{"userId":"LI","name":"李四","phone":"+8613800000001","wecomUserId":"LiSi","wecomName":"李四","result":"bound"}],"misses":1,"stopped":""}`)
	want := store.Identity{CorpID: lookupCorp, WeComUserID: "LiSi", Name: "李四", Authenticator: "hr", BoundAt: o.clock}
	if got := o.user(li).Identities; len(got) != 1 || fmt.Sprint(got[0]) != fmt.Sprint(want) {
		t.Errorf("bound %+v", got)
	}
	look(`{"dryRun":false}`, `{"items":[],"misses":1,"stopped":""}`)
	if log := o.log.String(); strings.Contains(log, "1380000000") || strings.Contains(log, "李四") {
		t.Errorf("a phone or a name is in the log: %s", log)
	} else if !strings.Contains(log, `"changedFields":"identities"`) || !strings.Contains(log, `"lookups":1`) {
		t.Errorf("the log does not say what was done: %s", log)
	}
}

func TestLookupResults(t *testing.T) {
	const phone = "+8613800000001"
	for _, test := range []struct {
		name     string
		imported string // name
		member   wecom.Member
		change   func(*store.User)
		other    store.Identity // of another user
		dry      string         // result of a dry run; empty: not looked up
		result   string
		bound    bool
		newName  string
		rules    string // of the authenticator
	}{
		{name: "the same name", imported: "Li Si", member: active("LiSi", "li si "), dry: "found", result: "bound", bound: true, newName: "Li Si"},
		{name: "another name", imported: "Li Si", member: active("WangWu", "Wang Wu"), dry: "name_differs", result: "name_differs"},
		{name: "no name of the import", member: active("LiSi", "Li Si"), dry: "name_differs", result: "name_differs"},
		{name: "the userid for a name", imported: "LiSi", change: func(u *store.User) { u.NamePending = true }, member: active("LiSi", "LiSi"), dry: "name_differs", result: "name_differs"},
		{name: "no name of WeCom", imported: "Li Si", member: active("LiSi", ""), dry: "name_differs", result: "name_differs"},
		{name: "not activated yet", imported: "Li Si", member: wecom.Member{UserID: "LiSi", Name: "Li Si", Status: wecom.MemberNotActivated}, dry: "found", result: "bound", bound: true, newName: "Li Si"},
		{name: "disabled in WeCom", imported: "Li Si", member: wecom.Member{UserID: "LiSi", Name: "Li Si", Status: wecom.MemberDisabled}, dry: "not_found", result: "not_found"},
		{name: "attack: a status nobody knows counts as an active member", imported: "Li Si", member: wecom.Member{UserID: "LiSi", Name: "Li Si", Status: 3}, dry: "not_found", result: "not_found"},
		{name: "has left", imported: "Li Si", member: wecom.Member{UserID: "LiSi", Name: "Li Si", Status: wecom.MemberLeft}, dry: "not_found", result: "not_found"},
		{name: "attack: the member is another user, in another case", imported: "Li Si", member: active("LiSi", "Li Si"), other: store.Identity{CorpID: lookupCorp, WeComUserID: "lisi"}, dry: "taken", result: "taken"},
		{name: "a member of another corp has this userid", imported: "Li Si", member: active("LiSi", "Li Si"), other: store.Identity{CorpID: "ww9", WeComUserID: "LiSi"}, dry: "found", result: "bound", bound: true, newName: "Li Si"},
		{name: "disabled here", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) { u.Enabled = false }},
		{name: "has an identity in this corp", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: lookupCorp, WeComUserID: "OldId"}}
		}},
		{name: "attack: a recycled number inherits the account of one who left", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: lookupCorp, WeComUserID: "OldId", GoneAt: u.CreatedAt, GoneReason: store.GoneLeft}}
		}},
		{name: "attack: another corp's directory reaches the roles of a member of the first", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities, u.Roles = []store.Identity{{CorpID: "ww9", WeComUserID: "x"}}, []string{"admin"}
		}},
		{name: "attack: another corp's directory reaches what a rule gave in the first", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x", Access: []store.MemberAccess{{AuthenticatorID: "a", Roles: []string{"finance"}}}}}
		}},
		{name: "attack: a partner corp makes a member with the phone of one who has left the first", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x", GoneAt: u.CreatedAt, GoneReason: store.GoneLeft}}
		}},
		{name: "attack: the same with one who is disabled there", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x", DisabledAt: u.CreatedAt}}
		}},
		{name: "attack: the same with one of whom nobody has noticed yet that they left", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x"}}
		}},
		{name: "attack: another corp's member came first, for what rules may give in this one", imported: "Li Si", member: active("LiSi", "Li Si"), change: func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x"}}
		}, rules: `,"roleRules":[{"department":12,"role":"finance"}]`},
		{name: "rules, and no other corp", imported: "Li Si", member: active("LiSi", "Li Si"), rules: `,"roleRules":[{"department":12,"role":"finance"}]`, dry: "found", result: "bound", bound: true, newName: "Li Si"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", test.rules)
			id := o.importUser(phone, test.imported, test.change)
			before := o.identity(id)
			if test.other.CorpID != "" {
				// Without a name and disabled: not looked up itself.
				o.importUser("+8613800000009", "", func(u *store.User) { u.Identities, u.Enabled = []store.Identity{test.other}, false })
			}
			o.wecom.phones = map[string]wecom.Member{phone: test.member}
			results := func(body string) string {
				items, ended := o.lookUp(body)
				if ended != "0" {
					t.Errorf("%s ended %q", body, ended)
				}
				return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(strings.Join(items, ","), " "+test.member.UserID), phone+" "), " ")
			}
			if got := results(`{"dryRun":true}`); got != test.dry {
				t.Errorf("dry run: %q", got)
			}
			if got := results(`{"dryRun":false}`); got != test.result {
				t.Errorf("result: %q", got)
			}
			want := before
			if test.bound {
				want = test.member.UserID
			}
			if u := o.user(id); o.identity(id) != want || test.bound && u.Name != test.newName {
				t.Errorf("identity %q, %+v", o.identity(id), u)
			}
			if test.dry == "" && len(o.wecom.lookups()) > 0 {
				t.Errorf("spent %q", o.wecom.lookups())
			}
		})
	}
}

// A name that differs is bound when an administrator accepts it, wherever the last run ended.
func TestLookupAcceptsNames(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	nameless, other := o.importUser(phoneOf(1), "", nil), o.importUser(phoneOf(2), "Li", nil)
	o.importUser(phoneOf(3), "Wang", nil)
	o.wecom.phones = map[string]wecom.Member{phoneOf(1): active("One", "Zhang"), phoneOf(2): active("Two", "李四"), phoneOf(3): active("Three", "Wang")}
	o.wantLookUp(`{"dryRun":false}`, "0", phoneOf(1)+" name_differs One", phoneOf(2)+" name_differs Two", phoneOf(3)+" bound Three")
	accept := fmt.Sprintf(`"accept":[%q,%q]`, other, nameless)
	o.wantLookUp(`{"limit":2,`+accept+`}`, "0", phoneOf(1)+" found One", phoneOf(2)+" found Two")
	o.wantLookUp(`{"dryRun":false,"limit":1,`+accept+`}`, "0", phoneOf(1)+" bound One")
	o.wantLookUp(`{"dryRun":false,`+accept+`}`, "0", phoneOf(2)+" bound Two")
	if u := o.user(nameless); u.Name != "Zhang" || u.NamePending {
		t.Errorf("the one without a name: %+v", u)
	}
	if u := o.user(other); u.Name != "Li" {
		t.Errorf("an administrator's name was replaced: %+v", u)
	}
}

// A company of thousands goes on where it stopped; those whom nobody accepted do not keep
// the others waiting, and come again when the others have had their turn. The time for a
// lookup passes in a bubble, however slow the machine is.
func TestLookupGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, lookUpMany)
}

func lookUpMany(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.wecom.phones = map[string]wecom.Member{}
	for i := range 210 {
		name := "Li"
		if i < 3 {
			name = "" // differs
		}
		o.importUser(phoneOf(i), name, nil)
		o.wecom.phones[phoneOf(i)] = active(fmt.Sprint("m", i), "Li")
	}
	phones := func(body string) (first, last string, n int) {
		items, _ := o.lookUp(body)
		if len(items) == 0 {
			return "", "", 0
		}
		return strings.Fields(items[0])[0], strings.Fields(items[len(items)-1])[0], len(items)
	}
	for _, test := range []struct {
		body        string
		first, last int
	}{
		{`{"limit":20}`, 0, 19},
		{`{"limit":20}`, 0, 19}, // a dry run stays where it is
		{`{"limit":15,"dryRun":false}`, 0, 14},
		{`{"limit":5}`, 15, 19},
		{`{"limit":95,"dryRun":false}`, 15, 109},
		{`{"limit":95,"dryRun":false}`, 110, 204}, // into the next page
		{`{"limit":4,"dryRun":false}`, 205, 208},
		{`{"limit":3,"dryRun":false}`, 209, 1}, // around: the last one and the first two of those left
		{`{"dryRun":false}`, 2, 1},
	} {
		first, last, n := phones(test.body)
		if first != phoneOf(test.first) || last != phoneOf(test.last) {
			t.Fatalf("%s: %s to %s, %d", test.body, first, last, n)
		}
	}
	if n := len(slices.DeleteFunc(o.usersOfPages(), func(u store.User) bool { return len(u.Identities) == 0 })); n != 207 {
		t.Errorf("%d are bound", n)
	}
}

func (o *office) usersOfPages() (users []store.User) {
	o.t.Helper()
	for cursor := ""; ; {
		page, next, err := o.directory.Users(o.t.Context(), store.Page{Cursor: cursor, Limit: 200})
		if err != nil {
			o.t.Fatal(err)
		}
		users = append(users, page...)
		if cursor = next; cursor == "" {
			return users
		}
	}
}

// Attack on the company: WeCom closes the call when too many phones are not found.
func TestLookupBudget(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("finance", "") // of the same corp
	o.expect(201, request{method: "POST", path: "/api/admin/authenticators", body: `{"name":"other","corpId":"ww9999","agentId":"1000002","secret":"` + theSecret + `","origin":"https://app.example.com"}`})
	for i := range 25 {
		o.importUser(phoneOf(i), "Li", nil)
	}
	var want []string
	for i := range 10 {
		want = append(want, phoneOf(i)+" not_found")
	}
	o.wantLookUp(`{"limit":4}`, "4", want[:4]...) // a dry run spends, too
	o.clock = o.clock.Add(time.Hour)
	o.wantLookUp(`{"dryRun":false}`, "10 budget", want[4:]...)
	o.wantLookUp(`{"dryRun":false}`, "10 budget")
	if finance := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/finance/lookup", body: `{}`}); !strings.Contains(finance.body, `"items":[],"misses":10,"stopped":"budget"`) {
		t.Errorf("another app of the corp has a budget of its own: %s", finance.body)
	}
	if other := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/other/lookup", body: `{"limit":1}`}); !strings.Contains(other.body, `"misses":1,"stopped":""`) {
		t.Errorf("one corp spends another's budget: %s", other.body)
	}
	// Any 24 hours are a day, and so long no phone is tried again.
	o.clock = o.clock.Add(23*time.Hour - time.Second)
	o.wantLookUp(`{"dryRun":false}`, "10 budget")
	o.clock = o.clock.Add(time.Second)
	o.wantLookUp(`{"limit":2}`, "8", phoneOf(10)+" not_found", phoneOf(11)+" not_found")
	counts := map[string]int{}
	for _, phone := range o.wecom.lookups() {
		counts[phone]++
	}
	if most := slices.Max(slices.Collect(maps.Values(counts))); most != 2 || counts[phoneOf(0)] != 2 || len(counts) != 12 { // 0 by two corps
		t.Errorf("%v", counts)
	}
	// What is kept of a phone does not tell it.
	record, err := o.directory.Fetched(t.Context(), "lookups."+lookupCorp)
	if err != nil || strings.Contains(string(record.Content), "1380000") {
		t.Errorf("%s, %v", record.Content, err)
	}
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.LookupMissesPerDay = 0 })
	before := len(o.wecom.lookups())
	o.wantLookUp(`{}`, "8 budget")
	if len(o.wecom.lookups()) != before {
		t.Error("a budget of 0 was spent")
	}
}

// What a dry run found can be bound although it has spent the budget; who was not found then
// counts, and ends it.
func TestLookupBindsWhatADryRunFound(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.LookupMissesPerDay = 2 })
	o.wecom.phones = map[string]wecom.Member{}
	var ids []string
	for i := range 12 {
		ids = append(ids, o.importUser(phoneOf(i), "Li", nil))
		if i != 2 && i != 8 && i != 9 {
			o.wecom.phones[phoneOf(i)] = active(fmt.Sprint("m", i), "Li")
		}
	}
	o.wecom.phones[phoneOf(1)] = active("m1", "Wang")
	o.wantLookUp(`{"limit":20}`, "2 budget",
		phoneOf(0)+" found m0", phoneOf(1)+" name_differs m1", phoneOf(2)+" not_found", phoneOf(3)+" found m3", phoneOf(4)+" found m4",
		phoneOf(5)+" found m5", phoneOf(6)+" found m6", phoneOf(7)+" found m7", phoneOf(8)+" not_found")
	for _, gone := range []int{4, 5, 6} {
		delete(o.wecom.phones, phoneOf(gone)) // they leave
	}
	// WeCom fails for a moment: what was found stays so.
	o.wecom.lookedUp = func(string) error { return &wecom.UnavailableError{Op: "user/getuserid", Unsent: true} }
	o.wantLookUp(`{"dryRun":false}`, "2 wecom")
	o.wecom.lookedUp = nil
	o.wantLookUp(fmt.Sprintf(`{"dryRun":false,"limit":3,"accept":[%q]}`, ids[1]), "2", phoneOf(1)+" bound m1", phoneOf(0)+" bound m0", phoneOf(3)+" bound m3")
	o.wantLookUp(`{"dryRun":false}`, "3 budget", phoneOf(4)+" not_found")
	o.wantLookUp(`{"dryRun":false}`, "3 budget")
	if o.clock = o.clock.Add(24 * time.Hour); o.identity(ids[7]) != "" {
		t.Error("looked up beyond the budget")
	}
	record, err := o.directory.Fetched(t.Context(), "lookups."+lookupCorp)
	if err != nil || strings.Contains(string(record.Content), "1380000") {
		t.Errorf("%s, %v", record.Content, err)
	}
}

// As many phones as one request looks up are remembered, and not for longer than a day.
func TestLookupHitsAreForgotten(t *testing.T) {
	synctest.Test(t, forgetHits)
}

func forgetHits(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.wecom.phones = map[string]wecom.Member{}
	for i := range 210 {
		o.importUser(phoneOf(i), "Li", nil)
		o.wecom.phones[phoneOf(i)] = active(fmt.Sprint("m", i), "Zhang")
	}
	hits := func(want int) {
		t.Helper()
		record, err := o.directory.Fetched(t.Context(), "lookups."+lookupCorp)
		if err != nil || strings.Count(string(record.Content), `"phone"`) != want || len(record.Content) > 20_000 {
			t.Errorf("%d bytes, %d hits, want %d; %v", len(record.Content), strings.Count(string(record.Content), `"phone"`), want, err)
		}
	}
	o.lookUp(`{"limit":200,"dryRun":false}`)
	o.lookUp(`{"limit":10,"dryRun":false}`)
	hits(200)
	o.clock = o.clock.Add(24 * time.Hour)
	o.lookUp(`{"limit":1}`)
	hits(1)
}

// Trap: dry runs that spend each day's budget on the same strangers.
func TestLookupDryRunsGetPastStrangers(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.wecom.phones = map[string]wecom.Member{phoneOf(22): active("last", "Li")}
	for i := range 24 {
		o.importUser(phoneOf(i), "Li", nil)
	}
	strangers := func(from, to int) (items []string) {
		for i := from; i < to; i++ {
			items = append(items, phoneOf(i)+" not_found")
		}
		return items
	}
	for day := range 2 {
		o.wantLookUp(`{}`, "10 budget", strangers(10*day, 10*day+10)...)
		o.clock = o.clock.Add(24 * time.Hour)
	}
	third := append(strangers(20, 22), phoneOf(22)+" found last", strangers(23, 24)[0])
	o.wantLookUp(`{"limit":4}`, "3", third...)
	o.wantLookUp(`{"dryRun":false,"limit":1}`, "3", phoneOf(22)+" bound last") // the next run does what the dry run showed
}

func TestLookupStopsWhenWeComDoes(t *testing.T) {
	for _, test := range []struct {
		name    string
		err     error
		misses  int // afterwards: what WeCom may have counted
		code    int
		closed  bool
		measure bool
	}{
		{name: "too many", err: &wecom.Error{Op: "user/getuserid", Code: wecom.RateLimited}, code: 45009, closed: true, measure: true},
		{name: "the app may not", err: &wecom.Error{Op: "user/getuserid", Code: wecom.APIForbidden}, code: 48002},
		{name: "not this address", err: &wecom.Error{Op: "user/getuserid", Code: wecom.UntrustedIP}, code: 60020},
		{name: "no answer", err: &wecom.UnavailableError{Op: "user/getuserid", Reason: "time-out"}, misses: 1},
		{name: "never sent", err: &wecom.UnavailableError{Op: "user/getuserid", Unsent: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", "")
			for i := range 5 {
				o.importUser(phoneOf(i), "Li", nil)
			}
			o.wecom.phones = map[string]wecom.Member{phoneOf(0): active("zero", "Li"), phoneOf(2): active("two", "Li")}
			o.wecom.lookedUp = func(phone string) error {
				if phone == phoneOf(1) {
					return test.err
				}
				return nil
			}
			end := fmt.Sprintf("%d wecom", test.misses)
			got := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: `{"dryRun":false}`})
			var answer lookedUp
			got.decode(t, &answer)
			if len(answer.Items) != 1 || answer.Items[0].Result != "bound" || answer.Stopped != "wecom" || answer.Misses != test.misses || answer.WeComCode != test.code {
				t.Fatal(got.body)
			}
			if phones := o.wecom.lookups(); !slices.Equal(phones, []string{phoneOf(0), phoneOf(1)}) {
				t.Errorf("went on: %q", phones)
			}
			o.wecom.lookedUp = nil
			if test.closed {
				o.clock = o.clock.Add(24*time.Hour - time.Second)
				o.wantLookUp(`{}`, end)
				if len(o.wecom.lookups()) != 2 {
					t.Error("the corp was not left alone")
				}
				o.clock = o.clock.Add(time.Second)
			}
			items, _ := o.lookUp(`{"limit":1}`)
			want := phoneOf(1) + " not_found"
			if test.misses > 0 {
				want = phoneOf(2) + " found two" // a lost call may have arrived
			}
			if !slices.Equal(items, []string{want}) {
				t.Errorf("afterwards %q", items)
			}
		})
	}
}

// Two administrators at the same moment spend one budget, and no phone twice.
func TestLookupOfTwoAdministratorsSpendsOnce(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	for i := range 40 {
		o.importUser(phoneOf(i), "Li", nil)
	}
	// The first two phones are under way at the same time.
	var both sync.WaitGroup
	both.Add(2)
	var met sync.Map
	o.wecom.lookedUp = func(phone string) error {
		if _, later := met.LoadOrStore(phone, true); later {
			t.Errorf("%s was tried twice", phone)
		}
		if phone == phoneOf(0) || phone == phoneOf(1) {
			both.Done()
			both.Wait()
		}
		return nil
	}
	var administrators sync.WaitGroup
	for range 2 {
		administrators.Go(func() { o.lookUp(`{"dryRun":false,"limit":20}`) })
	}
	administrators.Wait()
	if n := len(o.wecom.lookups()); n != 10 {
		t.Errorf("%d misses of 10", n)
	}
}

// A user who changes while WeCom is asked is not bound as what they were.
func TestLookupRaces(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(o *office, u store.User)
		want   string
		bound  string
	}{
		{"signs in meanwhile", func(o *office, u store.User) {
			u.Identities = []store.Identity{{CorpID: lookupCorp, WeComUserID: "LISI"}}
			o.replaceUser(u)
		}, phoneOf(1) + " bound LiSi", "LISI"},
		{"becomes a member of another corp meanwhile", func(o *office, u store.User) {
			u.Identities = []store.Identity{{CorpID: "ww9", WeComUserID: "x"}}
			o.replaceUser(u)
		}, "", ""},
		{"signs in and leaves meanwhile", func(o *office, u store.User) {
			u.Identities = []store.Identity{{CorpID: lookupCorp, WeComUserID: "LISI", GoneAt: o.clock, GoneReason: store.GoneLeft}}
			o.replaceUser(u)
		}, "", "LISI"},
		{"is somebody else meanwhile", func(o *office, u store.User) {
			u.Identities = []store.Identity{{CorpID: lookupCorp, WeComUserID: "x"}}
			o.replaceUser(u)
		}, "", "x"},
		{"is disabled meanwhile", func(o *office, u store.User) { u.Enabled = false; o.replaceUser(u) }, "", ""},
		{"has another phone meanwhile", func(o *office, u store.User) { u.Phone = phoneOf(2); o.replaceUser(u) }, "", ""},
		{"is renamed meanwhile", func(o *office, u store.User) { u.Avatar = "https://a.example/b"; o.replaceUser(u) }, phoneOf(1) + " bound LiSi", "LiSi"},
		{"the member becomes another user", func(o *office, u store.User) {
			u.ID, u.Phone, u.Identities = "other", phoneOf(3), []store.Identity{{CorpID: lookupCorp, WeComUserID: "lisi"}}
			if err := o.directory.CreateUser(o.t.Context(), u); err != nil {
				o.t.Fatal(err)
			}
		}, phoneOf(1) + " taken LiSi", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", "")
			id := o.importUser(phoneOf(1), "Li", nil)
			o.wecom.phones = map[string]wecom.Member{phoneOf(1): active("LiSi", "Li")}
			once := false
			o.directory.before = func(operation string) error {
				if operation == "UpdateUser" && !once {
					once = true
					u := o.user(id)
					u.Version++
					test.change(o, u)
				}
				return nil
			}
			items, ended := o.lookUp(`{"dryRun":false}`)
			if strings.Join(items, ",") != test.want || ended != "0" || o.identity(id) != test.bound {
				t.Errorf("%q, %q, bound %q", items, ended, o.identity(id))
			}
		})
	}
}

// A member who disappears between the two calls does not stop the lookup at the same place
// for ever.
func TestLookupOfAMemberWhoDisappears(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.importUser(phoneOf(1), "Li", nil)
	o.importUser(phoneOf(2), "Wang", nil)
	o.wecom.phones = map[string]wecom.Member{phoneOf(1): active("Li", "Li"), phoneOf(2): active("Wang", "Wang")}
	o.wecom.memberErr = func(userID string) error {
		if userID == "Li" {
			return &wecom.Error{Op: "user/get", Code: wecom.UserNotFound}
		}
		return nil
	}
	o.wantLookUp(`{"dryRun":false}`, "0", phoneOf(1)+" not_found", phoneOf(2)+" bound Wang")
}

func TestLookupRefusals(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("off", `,"linkByPhone":false`)
	o.importUser(phoneOf(1), "Li", nil)
	many := `["a"`
	for i := range 200 {
		many += fmt.Sprintf(`,"%d"`, i)
	}
	many += `]`
	for _, test := range []struct {
		name, path, body string
		status           int
		problem          string
	}{
		{"no authenticator", "none", `{}`, 404, "not_found"},
		{"phones are not trusted in this corp", "off", `{}`, 400, "invalid_request linkByPhone"},
		{"limit of 0", "hr", `{"limit":0}`, 400, "invalid_request limit"},
		{"limit too high", "hr", `{"limit":201}`, 400, "invalid_request limit"},
		{"half a limit", "hr", `{"limit":1.5}`, 400, "invalid_request limit"},
		{"limit as text", "hr", `{"limit":"5"}`, 400, "invalid_request limit"},
		{"no limit", "hr", `{"limit":null}`, 400, "invalid_request limit"},
		{"dry run as text", "hr", `{"dryRun":"false"}`, 400, "invalid_request dryRun"},
		{"accepts all", "hr", `{"accept":"all"}`, 400, "invalid_request accept"},
		{"accepts what is no id", "hr", `{"accept":["+8613800000001"]}`, 400, "invalid_request accept"},
		{"accepts too many", "hr", `{"accept":` + many + `}`, 400, "invalid_request accept"},
		{"attack: phones to try", "hr", `{"phones":["13800000001"]}`, 400, "invalid_request phones"},
		{"no JSON", "hr", `x`, 400, "invalid_request"},
	} {
		got := o.expect(test.status, request{method: "POST", path: "/api/admin/authenticators/" + test.path + "/lookup", body: test.body})
		if problem := got.problem(t); problem != test.problem {
			t.Errorf("%s: %s", test.name, problem)
		}
	}
	o.expect(405, request{method: "GET", path: "/api/admin/authenticators/hr/lookup"})
	if o.expect(403, request{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: `{}`, noAuthorizer: true}); len(o.wecom.lookups()) > 0 {
		t.Errorf("a refused request asked WeCom: %q", o.wecom.lookups())
	}
	// A failure of the store is no answer of WeCom's.
	o.tokens.err = errors.New("store is away")
	o.expect(500, request{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: `{}`})
}

// Trap: another path to the call. Only the administrators' route, in lookup.go, makes it.
func TestAttackNothingElseLooksUpPhones(t *testing.T) {
	calls := map[string]int{}
	for _, folder := range []string{"../../functions", "../../shared", "../../infra"} {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if n := strings.Count(string(source), ".UserIDByPhone("); n > 0 {
				calls[path] = n
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]int{"../../functions/admin/lookup.go": 1}; !maps.Equal(calls, want) {
		t.Errorf("called in %v, want %v", calls, want)
	}
}
