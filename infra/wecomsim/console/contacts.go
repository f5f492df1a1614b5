// 通讯录: the company's people by department, and what an administrator does
// with them: hire, move, disable, rename, dismiss.

package console

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

// contacts adds the routes of 通讯录.
func (c *console) contacts(mux *http.ServeMux) {
	const base = wecomsim.ConsolePath + "/{corp}"
	mux.HandleFunc("GET "+base+"/contacts", c.inCorp(c.showContacts))
	mux.HandleFunc("GET "+base+"/new-member", c.inCorp(c.showMember))
	mux.HandleFunc("POST "+base+"/contacts", c.inCorp(c.saveMember))
	mux.HandleFunc("POST "+base+"/contact-sync", c.inCorp(c.saveReceiver))
	mux.HandleFunc("GET "+base+"/contacts/{member}", c.ofMember(c.showMember))
	mux.HandleFunc("POST "+base+"/contacts/{member}", c.ofMember(c.saveMember))
	mux.HandleFunc("POST "+base+"/contacts/{member}/state", c.ofMember(c.setMemberState))
	mux.HandleFunc("POST "+base+"/contacts/{member}/dismiss", c.ofMember(c.dismiss))
}

// ofMember serves a page of the member in the address.
func (c *console) ofMember(next corpHandler) http.HandlerFunc {
	return c.inCorp(func(w http.ResponseWriter, r *http.Request, v view) {
		i := slices.IndexFunc(v.Corp.Members, func(m wecomsim.Member) bool { return m.UserID == r.PathValue("member") })
		if i < 0 {
			c.notFound(w)
			return
		}
		v.Member = v.Corp.Members[i]
		next(w, r, v)
	})
}

// MemberPath is the address of the member, or of 通讯录 if there is none.
func (v view) MemberPath() string {
	path := wecomsim.ConsolePath + "/" + url.PathEscape(v.Corp.ID) + "/contacts"
	if v.Member.UserID != "" {
		path += "/" + url.PathEscape(v.Member.UserID)
	}
	return path
}

// departmentView is a department with its own people, in the order of the tree.
type departmentView struct {
	wecomsim.Department

	Depth          int
	People         []wecomsim.Member
	Chosen, Leads  bool
	InVisibleRange bool
}

// LedBy reports whether a member leads the department.
func (d departmentView) LedBy(m wecomsim.Member) bool { return slices.Contains(m.LeaderOf, d.ID) }

// Tree returns all departments from the root down.
func (v view) Tree() []departmentView {
	var tree []departmentView
	var add func(parent, depth int)
	add = func(parent, depth int) {
		var children []wecomsim.Department
		for _, d := range v.Corp.Departments {
			if d.ParentID == parent {
				children = append(children, d)
			}
		}
		slices.SortStableFunc(children, func(a, b wecomsim.Department) int { return b.Order - a.Order })
		for _, d := range children {
			shown := departmentView{Department: d, Depth: depth, Chosen: v.picked("department", d.ID, v.Member.Departments), Leads: v.picked("leader", d.ID, v.Member.LeaderOf)}
			shown.InVisibleRange = slices.Contains(v.visible().departments, d.ID)
			for _, m := range v.Corp.Members {
				if slices.Contains(m.Departments, d.ID) || len(m.Departments) == 0 && d.ID == wecomsim.RootDepartment {
					shown.People = append(shown.People, m)
				}
			}
			tree = append(tree, shown)
			add(d.ID, depth+1)
		}
	}
	add(0, 0)
	return tree
}

// picked reports whether a box of the member's form is ticked.
func (v view) picked(name string, id int, saved []int) bool {
	if v.refused == "member" {
		return slices.Contains(v.form[name], strconv.Itoa(id))
	}
	return slices.Contains(saved, id)
}

// tagView is a tag in a form.
type tagView struct {
	wecomsim.Tag

	Chosen, InVisibleRange bool
}

// Tags are all tags.
func (v view) Tags() []tagView {
	var tags []tagView
	for _, t := range v.Corp.Tags {
		var saved []int
		if slices.ContainsFunc(t.UserIDs, func(id string) bool { return strings.EqualFold(id, v.Member.UserID) }) {
			saved = []int{t.ID}
		}
		tags = append(tags, tagView{t, v.picked("tag", t.ID, saved), slices.Contains(v.visible().tags, t.ID)})
	}
	return tags
}

// Who is the member as pages show people.
func (v view) Who() page.Person { return v.Member.Person(v.Corp.ID) }

// Disabled reports whether the member is.
func (v view) Disabled() bool { return v.Member.Status == wecomsim.StatusDisabled }

func (c *console) showContacts(w http.ResponseWriter, _ *http.Request, v view) {
	for _, p := range slices.Backward(c.sim.Pushes()) {
		if p.CorpID == v.Corp.ID {
			v.Pushes = append(v.Pushes, p)
		}
	}
	c.show(w, "console-contacts", v)
}

func (c *console) showMember(w http.ResponseWriter, _ *http.Request, v view) {
	c.show(w, "console-member", v)
}

var (
	// userIDShape is that of D/90195.
	userIDShape = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_.@-]{0,63}$`)
	phoneShape  = regexp.MustCompile(`^[0-9+ -]{5,32}$`)
)

// memberForm reads the form of a member, or says why it is refused.
func memberForm(v view) (m wecomsim.Member, tags []int, refused *refusal) {
	m = v.Member
	m.Name, m.UserID, m.Mobile, m.Position = v.text("name"), v.text("userid"), v.text("mobile"), v.text("position")
	if m.Name != v.Member.Name {
		m.LatinName = ""
	}
	taken := func(same func(wecomsim.Member) bool) bool {
		return slices.ContainsFunc(v.Corp.Members, func(other wecomsim.Member) bool { return other.UserID != v.Member.UserID && same(other) })
	}
	switch {
	case m.Name == "":
		return m, nil, &refusal{"请填写姓名。", "Enter a name."}
	case !userIDShape.MatchString(m.UserID):
		return m, nil, &refusal{"帐号由 1–64 个字母、数字和“_-@.”组成，以字母或数字开头。", `A userid has 1 to 64 letters, digits and "_-@.", and begins with a letter or digit.`}
	case taken(func(other wecomsim.Member) bool { return strings.EqualFold(other.UserID, m.UserID) }):
		return m, nil, &refusal{"帐号已被占用。", "The userid is taken."}
	case m.Mobile != "" && !phoneShape.MatchString(m.Mobile):
		return m, nil, &refusal{"手机号格式不正确。", "This is not a phone number."}
	case m.Mobile != "" && taken(func(other wecomsim.Member) bool { return other.Mobile == m.Mobile }):
		return m, nil, &refusal{"手机号已被占用。", "Another member has this phone."}
	}
	m.Departments, m.LeaderOf = v.numbers("department"), v.numbers("leader")
	m.LeaderOf = slices.DeleteFunc(m.LeaderOf, func(id int) bool { return !slices.Contains(m.Departments, id) })
	return m, v.numbers("tag"), v.checkDepartments(m.Departments)
}

// checkDepartments refuses a department that the company does not have.
func (v view) checkDepartments(ids []int) *refusal {
	for _, id := range ids {
		if !slices.ContainsFunc(v.Corp.Departments, func(d wecomsim.Department) bool { return d.ID == id }) {
			return &refusal{"没有这个部门。", "There is no such department."}
		}
	}
	return nil
}

// numbers are the values of a form's boxes; what is not a number is 0.
func (v view) numbers(name string) []int {
	var numbers []int
	for _, text := range v.form[name] {
		number, err := strconv.Atoi(text)
		if err != nil {
			number = 0
		}
		numbers = append(numbers, number)
	}
	return numbers
}

// saveMember answers the form of a member, or of a new one.
func (c *console) saveMember(w http.ResponseWriter, r *http.Request, v view) {
	m, tags, refused := memberForm(v)
	if refused != nil {
		v.refused, v.refusal = "member", refused
		c.showMember(w, r, v)
		return
	}
	var err error
	if v.Member.UserID == "" {
		err = c.sim.AddMember(v.Corp.ID, m)
	} else {
		err = c.sim.ChangeMember(v.Corp.ID, v.Member.UserID, func(old *wecomsim.Member) { *old = m })
	}
	for _, t := range v.Corp.Tags {
		if err == nil {
			err = c.sim.TagMember(v.Corp.ID, t.ID, m.UserID, slices.Contains(tags, t.ID))
		}
	}
	v.Member = m
	c.done(w, err, v.MemberPath()+"?saved=member")
}

// done answers a form whose member may be gone meanwhile.
func (c *console) done(w http.ResponseWriter, err error, location string) {
	if err != nil {
		c.notFound(w)
		return
	}
	seeOther(w, location)
}

func (c *console) setMemberState(w http.ResponseWriter, r *http.Request, v view) {
	status := wecomsim.StatusActive
	if r.PostForm.Get("enabled") == "no" {
		status = wecomsim.StatusDisabled
	}
	err := c.sim.ChangeMember(v.Corp.ID, v.Member.UserID, func(m *wecomsim.Member) { m.Status = status })
	c.done(w, err, v.MemberPath()+"?saved=state")
}

func (c *console) dismiss(w http.ResponseWriter, _ *http.Request, v view) {
	err := c.sim.Dismiss(v.Corp.ID, v.Member.UserID)
	v.Member = wecomsim.Member{}
	c.done(w, err, v.MemberPath()+"?saved=dismissed")
}

// saveReceiver is 接收消息 → 设置API接收 of an app, or 接收事件服务器 of contact-sync.
// An empty URL removes the receiver.
func (c *console) saveReceiver(w http.ResponseWriter, r *http.Request, v view) {
	section, show, location := "receiver", c.showApp, v.Path()
	if v.App.AgentID == "" {
		section, show, location = "contact-sync", c.showContacts, v.MemberPath()
	}
	var receiver wecomsim.Receiver
	if address := v.text("url"); address != "" {
		receiver = wecomsim.Receiver{URL: address, Token: v.text("token"), EncodingAESKey: v.text("key")}
	}
	if err := c.sim.SetReceiver(r.Context(), v.Corp.ID, v.App.AgentID, receiver); err != nil {
		v.refused, v.refusal = section, &refusal{"openapi 回调地址请求不通过，未保存。", "Not saved: " + err.Error() + "."}
		show(w, r, v)
		return
	}
	seeOther(w, location+"?saved="+section+"#"+section)
}

// unusedNotice is how long before it closes an unused app WeCom says so here. The real one
// does not document it.
const unusedNotice = 7 * 24 * time.Hour

// unused has WeCom do what it does to an app that nobody uses: warn, or close it.
func (c *console) unused(w http.ResponseWriter, _ *http.Request, v view) {
	var err error
	if v.form.Get("closed") == "yes" {
		err = c.sim.CloseInactive(v.Corp.ID, v.App.AgentID)
	} else {
		err = c.sim.WarnInactive(v.Corp.ID, v.App.AgentID, c.sim.Now().Add(unusedNotice))
	}
	if err != nil {
		c.notFound(w)
		return
	}
	seeOther(w, v.Path()+"?saved=unused#receiver")
}

// receiverForm is the form of a receiver.
type receiverForm struct {
	view

	Section  string
	Receiver wecomsim.Receiver
}

// ReceiverForm is the form of the receiver that a section shows.
func (v view) ReceiverForm(section string, r wecomsim.Receiver) receiverForm {
	return receiverForm{v, section, r}
}
