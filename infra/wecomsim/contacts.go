// What an app may read about the company: user/get and agent/get.

package wecomsim

import (
	"cmp"
	"strconv"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

// rootDepartment is the department that contains the whole company.
const rootDepartment = 1

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
	if m == nil || !a.visibleTo(m.UserID) || m.status() == StatusLeft && !s.choices.LeftMemberIsReadable {
		return nil, cmp.Or(s.choices.UserNotFound, codeNoUser)
	}
	out := fields{
		"userid": m.UserID, "name": m.Name, "department": []int{rootDepartment}, "order": []int{0}, "position": m.Position,
		"is_leader_in_dept": []int{0}, "direct_leader": []string{}, "telephone": "", "alias": m.Alias,
		"main_department": rootDepartment, "extattr": fields{"attrs": []string{}}, "status": m.status(),
		"external_position": "", "external_profile": fields{"external_attr": []string{}},
	}
	if a.CreatedBefore20220620 {
		for f, value := range m.details() {
			out[string(f)] = value
		}
		out["avatar"] = m.avatarURL(c.base)
		out["thumb_avatar"] = m.avatarURL(c.base)
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
	users, departments, closed := []fields{}, []int{}, 0
	if a.VisibleUserIDs == nil {
		departments = append(departments, rootDepartment)
	}
	for _, m := range c.corp.Members {
		if a.VisibleUserIDs != nil && a.visibleTo(m.UserID) {
			users = append(users, fields{"userid": m.UserID})
		}
	}
	if a.Disabled {
		closed = 1
	}
	return fields{
		"agentid": number, "name": a.DisplayName(), "square_logo_url": c.base + page.Avatar(a.DisplayName()),
		"description": "", "allow_userinfos": fields{"user": users}, "allow_partys": fields{"partyid": departments},
		"allow_tags": fields{"tagid": []int{}}, "close": closed, "redirect_domain": a.TrustedDomain,
		"report_location_flag": 0, "isreportenter": 0, "home_url": a.HomeURL,
	}, 0
}
