// What may be read about members and apps: user/get, the lists of members, and
// agent/get.

package wecomsim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

// getUser is D/90196.
func (s *Simulator) getUser(c *call) (fields, int) {
	userID := c.query.Get("userid")
	if userID == "" {
		return nil, codeNoUserID
	}
	a := c.app
	if a == nil {
		return nil, codeNoContactDetail
	}
	m := c.corp.member(userID)
	if m == nil || !c.corp.inRange(a, m.UserID) || !s.stays(m) {
		return nil, cmp.Or(s.choices.UserNotFound, codeNoUser)
	}
	return c.memberFields(m), 0
}

// memberFields are a member as the app of a call reads it.
func (c *call) memberFields(m *Member) fields {
	a := c.app
	// Departments that the app does not see are left out, the lists beside them
	// as well.
	departments, order, leads, visible := []int{}, []int{}, []int{}, c.corp.departmentsOf(a)
	for _, id := range m.departments() {
		if d := c.corp.department(id); d != nil && visible[id] {
			lead := 0
			if slices.Contains(m.LeaderOf, id) {
				lead = 1
			}
			departments, order, leads = append(departments, id), append(order, 0), append(leads, lead)
		}
	}
	superior := []string{}
	if c.corp.inRange(a, m.DirectLeader) {
		superior = append(superior, m.DirectLeader)
	}
	out := fields{
		"userid": m.UserID, "department": departments, "order": order, "position": m.Position,
		"is_leader_in_dept": leads, "direct_leader": superior, "telephone": "", "extattr": fields{"attrs": []string{}}, "status": m.status(),
		"external_position": "", "external_profile": fields{"external_attr": []string{}},
	}
	c.corp.nameIn(out, fields{"name": m.Name, "alias": m.Alias})
	if main := m.departments()[0]; visible[main] {
		out["main_department"] = main
	}
	if a.CreatedBefore20220620 {
		for f, value := range m.details() {
			out[string(f)] = value
		}
		out["avatar"] = m.avatarURL(c.base)
		out["thumb_avatar"] = m.avatarURL(c.base)
	}
	return out
}

// listMembers is D/90201, and D/90200 if it is not whole: who is in a department
// itself. The departments below are calls of their own.
func (s *Simulator) listMembers(c *call, whole bool) (fields, int) {
	if c.app == nil {
		return nil, codeNoContactDetail
	}
	d, errcode := c.namedDepartment("department_id")
	if errcode != 0 {
		return nil, errcode
	}
	out := []fields{}
	for i := range c.corp.Members {
		m := &c.corp.Members[i]
		if !m.in(map[int]bool{d.ID: true}) || !s.stays(m) {
			continue
		}
		member := c.memberFields(m)
		if !whole {
			brief := c.corp.brief(m)
			brief["department"] = member["department"]
			member = brief
		}
		out = append(out, member)
	}
	return fields{"userlist": out}, 0
}

// maxMemberIDs is how many rows a page of user/list_id has at most.
const maxMemberIDs = 10_000

// listMemberIDs is D/96067, a row for every membership of a department. It is for
// contact-sync alone.
func (s *Simulator) listMemberIDs(c *call) (fields, int) {
	if c.app != nil {
		return nil, codeNoAPIRight
	}
	request := struct {
		Cursor string `json:"cursor"`
		Limit  int    `json:"limit"`
	}{"0", maxMemberIDs}
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, codeNotJSON
	}
	rows := []fields{}
	for _, m := range c.corp.Members {
		if !s.stays(&m) {
			continue
		}
		for _, id := range m.departments() {
			rows = append(rows, fields{"userid": m.UserID, "department": id})
		}
	}
	start, err := strconv.Atoi(cmp.Or(request.Cursor, "0"))
	if err != nil || start < 0 || start > len(rows) || request.Limit < 1 || request.Limit > maxMemberIDs {
		return nil, codeBadRequest
	}
	end := min(start+request.Limit, len(rows))
	out := fields{"dept_user": rows[start:end]}
	switch {
	case end < len(rows):
		out["next_cursor"] = strconv.Itoa(end)
	case !s.choices.LastPageWithoutCursor:
		out["next_cursor"] = ""
	}
	return out, 0
}

// getAgent is D/90227: an app about itself and no other.
func (s *Simulator) getAgent(c *call) (fields, int) {
	agentID := c.query.Get("agentid")
	if agentID == "" {
		return nil, codeNoAgentID
	}
	number, err := strconv.ParseUint(agentID, 10, 63)
	if err != nil || number == 0 {
		return nil, codeBadAgentID
	}
	a := c.app
	if a == nil || a.AgentID != agentID {
		return nil, codeOtherAgent
	}
	users, closed, reportEnter := []fields{}, 0, 0
	departments, tags := append([]int{}, a.VisibleDepartments...), append([]int{}, a.VisibleTags...)
	if a.WholeCompany() {
		departments = append(departments, RootDepartment)
	}
	for _, m := range c.corp.Members {
		if slices.ContainsFunc(a.VisibleUserIDs, func(id string) bool { return c.corp.sameUser(id, m.UserID) }) {
			users = append(users, fields{"userid": m.UserID})
		}
	}
	if a.Disabled {
		closed = 1
	}
	if a.ReportEnter {
		reportEnter = 1
	}
	return fields{
		"agentid": number, "name": a.DisplayName(), "square_logo_url": c.base + page.Avatar(a.DisplayName()),
		"description": "", "allow_userinfos": fields{"user": users}, "allow_partys": fields{"partyid": departments},
		"allow_tags": fields{"tagid": tags}, "close": closed, "redirect_domain": a.TrustedDomain,
		"report_location_flag": 0, "isreportenter": reportEnter, "home_url": a.HomeURL,
	}, 0
}
