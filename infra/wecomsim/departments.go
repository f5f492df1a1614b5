// Departments and tags: the tree, who belongs where, what an app sees of it,
// and the calls that read it.

package wecomsim

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// RootDepartment is the department that contains the whole company. It has the
// company's name, and every corp has it.
const RootDepartment = 1

// Department is a part of a company. Its name is not unique and may change; its
// ID stays.
type Department struct {
	ID   int
	Name string
	// LatinName is name_en.
	LatinName string
	// ParentID is the department above; 0 means RootDepartment.
	ParentID int
	// Order sorts departments below the same parent, the largest first.
	Order int
}

// Tag is a label of members and departments. A tagged department stands for its
// members and for all departments below.
type Tag struct {
	ID          int
	Name        string
	UserIDs     []string
	Departments []int
}

// addRoot makes the root department if c was described without.
func (c *Corp) addRoot() {
	for i, d := range c.Departments {
		if d.ID != RootDepartment {
			c.Departments[i].ParentID = cmp.Or(d.ParentID, RootDepartment)
		}
	}
	if c.department(RootDepartment) != nil {
		return
	}
	c.Departments = slices.Insert(c.Departments, 0, Department{ID: RootDepartment, Name: c.DisplayName(), LatinName: c.LatinName})
}

func (c *Corp) department(id int) *Department {
	if i := slices.IndexFunc(c.Departments, func(d Department) bool { return d.ID == id }); i >= 0 {
		return &c.Departments[i]
	}
	return nil
}

func (c *Corp) tag(id int) *Tag {
	if i := slices.IndexFunc(c.Tags, func(t Tag) bool { return t.ID == id }); i >= 0 {
		return &c.Tags[i]
	}
	return nil
}

// below returns these departments and all below them.
func (c *Corp) below(roots []int) map[int]bool {
	found := map[int]bool{}
	for _, d := range c.Departments {
		// A tree is not deeper than it has departments: a cycle ends, too.
		for at, steps := &d, 0; at != nil && steps <= len(c.Departments); at, steps = c.department(at.ParentID), steps+1 {
			if slices.Contains(roots, at.ID) {
				found[d.ID] = true
				break
			}
		}
	}
	return found
}

// departments are those of a member; who is in none is in the root.
func (m *Member) departments() []int {
	if len(m.Departments) == 0 {
		return []int{RootDepartment}
	}
	return m.Departments
}

func (m *Member) in(departments map[int]bool) bool {
	return slices.ContainsFunc(m.departments(), func(id int) bool { return departments[id] })
}

// WholeCompany reports whether the visible range is everyone.
func (a *App) WholeCompany() bool {
	return a.VisibleUserIDs == nil && a.VisibleDepartments == nil && a.VisibleTags == nil
}

// departmentsOf are the departments that an app sees: a department in its range
// brings those below, and a tag brings its departments. Contact-sync, which is no
// app, sees all (D/90665).
func (c *Corp) departmentsOf(a *App) map[int]bool {
	if a == nil || a.WholeCompany() {
		return c.below([]int{RootDepartment})
	}
	roots := slices.Clone(a.VisibleDepartments)
	for _, id := range a.VisibleTags {
		if t := c.tag(id); t != nil {
			roots = append(roots, t.Departments...)
		}
	}
	return c.below(roots)
}

// inRange reports whether a member is in the app's visible range.
func (c *Corp) inRange(a *App, userID string) bool {
	m := c.member(userID)
	if m == nil {
		return false
	}
	named := func(ids []string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return c.sameUser(id, m.UserID) })
	}
	return a.WholeCompany() || named(a.VisibleUserIDs) || m.in(c.departmentsOf(a)) ||
		slices.ContainsFunc(a.VisibleTags, func(id int) bool { t := c.tag(id); return t != nil && named(t.UserIDs) })
}

// leaders are the leaders of a department that an app sees.
func (c *Corp) leaders(a *App, department int) []string {
	leaders := []string{}
	for _, m := range c.Members {
		if slices.Contains(m.LeaderOf, department) && slices.Contains(m.departments(), department) && c.inRange(a, m.UserID) {
			leaders = append(leaders, m.UserID)
		}
	}
	return leaders
}

// departmentFields are a department as an app reads it: by its ids alone, or
// whole. The parent's id is there even when the parent is out of range.
func (c *Corp) departmentFields(a *App, d *Department, whole bool) fields {
	out := fields{"id": d.ID, "parentid": d.ParentID, "order": d.Order}
	if whole {
		out["department_leader"] = c.leaders(a, d.ID)
		c.nameIn(out, fields{"name": d.Name, "name_en": d.LatinName})
	}
	return out
}

// nameIn adds names to what an app reads, if it reads names.
func (c *Corp) nameIn(out, names fields) {
	if !c.OpaqueIDs {
		maps.Copy(out, names)
	}
}

// brief is a member in lists.
func (c *Corp) brief(m *Member) fields {
	out := fields{"userid": m.UserID}
	c.nameIn(out, fields{"name": m.Name})
	return out
}

// namedDepartment finds the department that a parameter names, or says why not.
func (c *call) namedDepartment(parameter string) (*Department, int) {
	id, err := strconv.Atoi(c.query.Get(parameter))
	d := c.corp.department(id)
	switch {
	case err != nil || d == nil:
		return nil, codeNoDepartment
	case !c.corp.departmentsOf(c.app)[id]:
		return nil, codeNoPrivilege
	}
	return d, 0
}

// listDepartments is D/90208, and D/95350 if it is not whole, which is all that
// contact-sync may read of departments.
func (s *Simulator) listDepartments(c *call, whole bool) (fields, int) {
	key := "department_id"
	if whole {
		key = "department"
	}
	if c.app == nil && whole {
		return nil, codeNoContactDetail
	}
	visible := c.corp.departmentsOf(c.app)
	if c.query.Get("id") != "" {
		d, errcode := c.namedDepartment("id")
		if errcode != 0 {
			return nil, errcode
		}
		below := c.corp.below([]int{d.ID})
		maps.DeleteFunc(visible, func(id int, _ bool) bool { return !below[id] })
	}
	out := []fields{}
	for i, d := range c.corp.Departments {
		if visible[d.ID] {
			out = append(out, c.corp.departmentFields(c.app, &c.corp.Departments[i], whole))
		}
	}
	return fields{key: out}, 0
}

// getDepartment is D/95351.
func (s *Simulator) getDepartment(c *call) (fields, int) {
	if c.app == nil {
		return nil, codeNoContactDetail
	}
	d, errcode := c.namedDepartment("id")
	if errcode != 0 {
		return nil, errcode
	}
	return fields{"department": c.corp.departmentFields(c.app, d, true)}, 0
}

// getTag is D/90213. Every app may read every tag; it sees of it what is in its
// visible range.
func (s *Simulator) getTag(c *call) (fields, int) {
	if c.app == nil {
		return nil, codeNoContactDetail
	}
	id, err := strconv.Atoi(c.query.Get("tagid"))
	t := c.corp.tag(id)
	if err != nil || t == nil {
		return nil, codeNoTag
	}
	users, departments, visible := []fields{}, []int{}, c.corp.departmentsOf(c.app)
	for _, userID := range t.UserIDs {
		if m := c.corp.member(userID); m != nil && c.corp.inRange(c.app, userID) && s.stays(m) {
			users = append(users, c.corp.brief(m))
		}
	}
	for _, d := range t.Departments {
		if visible[d] {
			departments = append(departments, d)
		}
	}
	return fields{"tagname": t.Name, "userlist": users, "partylist": departments}, 0
}

// stays reports whether a member is still one for the API.
func (s *Simulator) stays(m *Member) bool {
	return m.status() != StatusLeft || s.choices.LeftMemberIsReadable
}

// getUserID is D/95402: a phone's member. Blanks and dashes do not count.
func (s *Simulator) getUserID(c *call) (fields, int) {
	var request struct {
		Mobile string `json:"mobile"`
	}
	return s.lookUp(c, &request, func() (func(*Member) bool, int) {
		wanted := bareNumber(request.Mobile)
		switch {
		case wanted == "":
			return nil, codeBadRequest
		case len(request.Mobile) < 5 || len(request.Mobile) > 32 || strings.Trim(wanted, "+0123456789") != "":
			return nil, codeBadPhone
		}
		return func(m *Member) bool { return bareNumber(m.Mobile) == wanted }, 0
	})
}

// getUserIDByMail is D/95895: the member of a mail address, which is the
// company's (1) or the member's own (2).
func (s *Simulator) getUserIDByMail(c *call) (fields, int) {
	request := struct {
		Email string `json:"email"`
		Type  int    `json:"email_type"`
	}{Type: 1}
	return s.lookUp(c, &request, func() (func(*Member) bool, int) {
		if request.Email == "" || request.Type != 1 && request.Type != 2 {
			return nil, codeBadRequest
		}
		return func(m *Member) bool {
			return request.Email == map[int]string{1: m.BizMail, 2: m.Email}[request.Type]
		}, 0
	})
}

// lookUp finds the member that a request means. A corp with too many misses is
// closed out for a day.
func (s *Simulator) lookUp(c *call, request any, read func() (func(*Member) bool, int)) (fields, int) {
	if c.app == nil {
		return nil, codeNoAPIRight
	}
	key := "lookups " + c.corp.ID
	if s.blocked(key) {
		return nil, codeTooOften
	}
	if err := json.Unmarshal(c.body, request); err != nil {
		return nil, codeNotJSON
	}
	meant, errcode := read()
	if errcode != 0 {
		return nil, errcode
	}
	for _, m := range c.corp.Members {
		if meant(&m) && s.stays(&m) && c.corp.inRange(c.app, m.UserID) {
			return fields{"userid": m.UserID}, 0
		}
	}
	limit := s.limits.LookupMisses
	if limit == 0 {
		limit = cmp.Or(c.corp.MemberLimit, defaultMemberLimit) / 5
	}
	// The miss too many is a miss; the block begins with the next call.
	s.exceeds(key, limit, s.limits.LookupPeriod)
	return nil, codeNoSuchUser
}

func bareNumber(phone string) string { return strings.NewReplacer(" ", "", "-", "").Replace(phone) }
