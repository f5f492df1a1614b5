// Who signed in: codes and tickets, getuserinfo and getuserdetail.

package wecomsim

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

// authCode is what a code that was sent to the application stands for.
type authCode struct {
	// app has no AgentID for an in-client link without agentid.
	app appRef
	// host is host[:port] of the redirect_uri.
	host string
	// web codes come from browser login.
	web      bool
	identity identity
	// ticket says that the exchange gives a user_ticket for agreed.
	ticket bool
	agreed []Field
	issued time.Time
	spent  bool
}

// ticket gives the details of a member to one app.
type ticket struct {
	app    appRef
	userID string
	agreed []Field
	issued time.Time
	used   bool
}

func (s *Simulator) newCode(c *authCode) string {
	c.issued = s.now()
	value := s.newValue()
	s.codes[value] = c
	return value
}

// getUserInfo is D/91023 and D/98176.
func (s *Simulator) getUserInfo(c *call) (fields, int) {
	value := c.query.Get("code")
	if value == "" {
		return nil, codeNoCode
	}
	a := c.app
	if a == nil {
		return nil, codeBadDomain
	}
	code := s.codes[value]
	switch {
	case code == nil || s.now().Sub(code.issued) >= CodeLifetime:
		return nil, codeInvalidCode
	case code.spent:
		return nil, cmp.Or(s.choices.SpentCode, codeInvalidCode)
	}
	domainOK := sameDomain(code.host, a.TrustedDomain) || code.web && sameDomain(code.host, a.CallbackDomain)
	if code.app.corpID != c.corp.ID || code.app.agentID != "" && code.app.agentID != a.AgentID || !domainOK {
		// The code stays unspent: the caller learned nothing from it.
		return nil, codeBadDomain
	}
	code.spent = true
	id := code.identity
	if id.userID == "" {
		out := fields{"openid": id.openID}
		if id.externalUserID != "" {
			out["external_userid"] = id.externalUserID
		}
		return out, 0
	}
	out := fields{"userid": id.userID}
	if code.ticket && id.member && c.corp.inRange(a, id.userID) {
		value := s.newValue()
		s.tickets[value] = &ticket{app: appRef{c.corp.ID, a.AgentID}, userID: id.userID, agreed: code.agreed, issued: s.now()}
		out["user_ticket"] = value
	}
	return out, 0
}

// getUserInfoOld is the same call with its former names.
func (s *Simulator) getUserInfoOld(c *call) (fields, int) {
	out, errcode := s.getUserInfo(c)
	if errcode != 0 {
		return nil, errcode
	}
	renamed := fields{"DeviceId": ""}
	if out["user_ticket"] != nil {
		renamed["expires_in"] = int(TicketLifetime.Seconds())
	}
	names := map[string]string{"userid": "UserId", "openid": "OpenId"}
	for name, value := range out {
		renamed[cmp.Or(names[name], name)] = value
	}
	return renamed, 0
}

// getUserDetail is D/95833. Its answer has no name.
func (s *Simulator) getUserDetail(c *call) (fields, int) {
	a := c.app
	if a == nil {
		return nil, codeNoAPIRight
	}
	var request struct {
		Ticket string `json:"user_ticket"`
	}
	if err := json.Unmarshal(c.body, &request); err != nil {
		return nil, codeNotJSON
	}
	t := s.tickets[request.Ticket]
	bad := 0
	switch {
	case request.Ticket == "":
		bad = codeNoTicket
	case t == nil || t.app != (appRef{c.corp.ID, a.AgentID}) || t.used && s.choices.TicketIsSingleUse:
		bad = codeInvalidTicket
	case s.now().Sub(t.issued) >= TicketLifetime:
		bad = codeExpiredTicket
	}
	if bad != 0 {
		return nil, cmp.Or(s.choices.BadTicket, bad)
	}
	m := c.corp.member(t.userID)
	if m == nil || !c.corp.inRange(a, t.userID) {
		return nil, cmp.Or(s.choices.DetailOutOfRange, codeNoPrivilege)
	}
	t.used = true
	shared := func(f Field) bool { return slices.Contains(a.Fields, f) && slices.Contains(t.agreed, f) }
	out := fields{"userid": m.UserID, "gender": "0"}
	for f, value := range m.details() {
		if shared(f) {
			out[string(f)] = value
		}
	}
	if shared(FieldAvatar) {
		out["avatar"] = m.avatarURL(c.base)
	} else if !s.choices.DefaultAvatarIsAbsent {
		out["avatar"] = c.base + page.DefaultAvatar
	}
	return out, 0
}

// sameDomain compares host and port exactly, but for the case of letters. A
// domain that is not set equals nothing.
func sameDomain(host, registered string) bool {
	return registered != "" && strings.EqualFold(host, registered)
}
