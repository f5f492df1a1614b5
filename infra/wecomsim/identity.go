package wecomsim

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// code is what the browser brings back to the application.
type code struct {
	corp *corp
	// agentID is empty for an in-client link without agentid.
	agentID string
	// host is host[:port] of the redirect_uri.
	host string
	// web codes come from browser login.
	web      bool
	identity identity
	// ticket says that the exchange gives a user_ticket for agreed.
	ticket bool
	agreed []Field
	issued time.Time
}

// ticket opens the member's details to one app.
type ticket struct {
	app    *app
	userID string
	agreed []Field
	issued time.Time
	spent  bool
}

// getUserInfo is D/91023 and D/98176.
func (s *Simulator) getUserInfo(c *call) (fields, int) {
	value := c.query.Get("code")
	if value == "" {
		return nil, codeNoCode
	}
	if c.token.app == nil {
		return nil, codeBadDomain
	}
	given := s.codes[value]
	if given == nil || s.now().Sub(given.issued) >= CodeLifetime {
		return nil, codeInvalidCode
	}
	a := c.token.app
	domainOK := sameDomain(given.host, a.TrustedDomain) || given.web && sameDomain(given.host, a.CallbackDomain)
	if given.corp != a.corp || given.agentID != "" && given.agentID != a.AgentID || !domainOK {
		// The code stays unspent: nobody learned anything from it.
		return nil, codeBadDomain
	}
	// A spent code is as unknown as one that never was.
	delete(s.codes, value)
	id := given.identity
	if id.userID == "" {
		out := fields{"openid": id.openID}
		if id.externalUserID != "" {
			out["external_userid"] = id.externalUserID
		}
		return out, 0
	}
	out := fields{"userid": id.userID}
	if given.ticket && id.member && a.sees(id.userID) {
		t := &ticket{app: a, userID: id.userID, agreed: given.agreed, issued: s.now()}
		word := s.random()
		s.tickets[word] = t
		out["user_ticket"] = word
	}
	return out, 0
}

// getUserInfoOld is the same call in its old spelling.
func (s *Simulator) getUserInfoOld(c *call) (fields, int) {
	out, errcode := s.getUserInfo(c)
	if errcode != 0 {
		return nil, errcode
	}
	renamed := fields{"DeviceId": ""}
	for key, value := range out {
		switch key {
		case "userid":
			renamed["UserId"] = value
		case "openid":
			renamed["OpenId"] = value
		case "user_ticket":
			renamed["user_ticket"] = value
			renamed["expires_in"] = int(TicketLifetime.Seconds())
		default:
			renamed[key] = value
		}
	}
	return renamed, 0
}

// getUserDetail is D/95833. It has no name in it.
func (s *Simulator) getUserDetail(c *call) (fields, int) {
	if c.token.app == nil {
		return nil, codeNoAPIRight
	}
	var request struct {
		Ticket *string `json:"user_ticket"`
	}
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, codeNotJSON
	}
	badTicket := orCode(s.choices.BadTicket, codeBadParameter)
	if request.Ticket == nil || *request.Ticket == "" {
		return nil, badTicket
	}
	a := c.token.app
	t := s.tickets[*request.Ticket]
	if t == nil || t.app != a || s.now().Sub(t.issued) >= TicketLifetime || t.spent && s.choices.TicketIsSingleUse {
		return nil, badTicket
	}
	m := a.corp.member(t.userID)
	if m == nil || !a.sees(t.userID) {
		return nil, orCode(s.choices.DetailOutOfRange, codeNoPrivilege)
	}
	t.spent = true
	given := func(f Field) bool { return slices.Contains(a.Fields, f) && slices.Contains(t.agreed, f) }
	out := fields{"userid": m.UserID, "gender": "0"}
	if given(FieldAvatar) {
		out["avatar"] = m.avatarURL(c.base)
	} else if !s.choices.DefaultAvatarIsAbsent {
		out["avatar"] = c.base + "/wecomsim/avatar"
	}
	for f, value := range m.details() {
		if given(f) && f != FieldAvatar {
			out[string(f)] = value
		}
	}
	return out, 0
}

// getUser is D/90196.
func (s *Simulator) getUser(c *call) (fields, int) {
	userID := c.query.Get("userid")
	if userID == "" {
		return nil, codeNoUserID
	}
	a := c.token.app
	if a == nil {
		return nil, codeNoContactDetail
	}
	m := a.corp.member(userID)
	gone := m == nil || m.status() == StatusLeft && !s.choices.LeftMemberIsReadable
	if gone || !a.sees(m.UserID) {
		return nil, orCode(s.choices.UserNotFound, codeNoUser)
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

func (m *Member) details() map[Field]string {
	gender := m.Gender
	if gender == "" {
		gender = "0"
	}
	return map[Field]string{
		FieldMobile: m.Mobile, FieldGender: gender, FieldEmail: m.Email, FieldBizMail: m.BizMail,
		FieldQRCode: m.QRCode, FieldAddress: m.Address, FieldAvatar: m.Avatar,
	}
}

func (m *Member) avatarURL(base string) string {
	if m.Avatar != "" {
		return m.Avatar
	}
	return base + avatarOf(m.displayName())
}

// sameDomain compares host and port exactly, but for the case of letters. An
// unset domain fits nothing.
func sameDomain(host, registered string) bool {
	return registered != "" && strings.EqualFold(host, registered)
}
