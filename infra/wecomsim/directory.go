// The companies while the simulator runs: looking them up, changing them, and
// what a corp learns about a person.

package wecomsim

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// appRef names an app. What outlives a request keeps one: a pointer to an app
// does not survive CreateApp. AgentID is empty where no app is named.
type appRef struct{ corpID, agentID string }

// clone copies a corp as deep as anyone may change it.
func (c Corp) clone() *Corp {
	c.Apps, c.Members = slices.Clone(c.Apps), slices.Clone(c.Members)
	c.Departments, c.Tags = slices.Clone(c.Departments), slices.Clone(c.Tags)
	c.addRoot()
	for i, t := range c.Tags {
		c.Tags[i].UserIDs, c.Tags[i].Departments = slices.Clone(t.UserIDs), slices.Clone(t.Departments)
	}
	for i, m := range c.Members {
		if m.serial == 0 {
			c.hires++
			c.Members[i].serial = c.hires
		}
		c.Members[i].Departments, c.Members[i].LeaderOf = slices.Clone(m.Departments), slices.Clone(m.LeaderOf)
	}
	for i, a := range c.Apps {
		c.Apps[i].VisibleUserIDs = slices.Clone(a.VisibleUserIDs)
		c.Apps[i].VisibleDepartments = slices.Clone(a.VisibleDepartments)
		c.Apps[i].VisibleTags = slices.Clone(a.VisibleTags)
		c.Apps[i].Fields = slices.Clone(a.Fields)
		c.Apps[i].TrustedIPs = slices.Clone(a.TrustedIPs)
	}
	return &c
}

func (c *Corp) app(agentID string) *App {
	if i := slices.IndexFunc(c.Apps, func(a App) bool { return a.AgentID == agentID }); i >= 0 {
		return &c.Apps[i]
	}
	return nil
}

func (c *Corp) sameUser(a, b string) bool { return c.fold(a) == c.fold(b) }

// fold returns the form in which UserIDs are compared: without regard to case, as D/90196
// says, but for opaque ones (D/97104).
func (c *Corp) fold(userID string) string {
	if c.OpaqueIDs {
		return userID
	}
	return strings.ToLower(userID)
}

// member finds a member, or returns nil.
func (c *Corp) member(userID string) *Member {
	if i := slices.IndexFunc(c.Members, func(m Member) bool { return c.sameUser(m.UserID, userID) }); i >= 0 {
		return &c.Members[i]
	}
	return nil
}

func (c *Corp) findMember(userID string) (*Member, error) {
	if m := c.member(userID); m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("find member %q: no such member", userID)
}

// homeURL is where the workbench leads on a phone or a desktop.
func (a *App) homeURL(phone bool) string {
	if !phone && a.DesktopHomeURL != "" {
		return a.DesktopHomeURL
	}
	return a.HomeURL
}

// corp finds a corp, or returns nil.
func (s *Simulator) corp(id string) *Corp {
	if i := slices.IndexFunc(s.corps, func(c *Corp) bool { return c.ID == id }); i >= 0 {
		return s.corps[i]
	}
	return nil
}

// app finds an app and its corp, with the trusted IPs that are in force; it
// returns nil for what does not exist.
func (s *Simulator) app(ref appRef) (*Corp, *App) {
	c := s.corp(ref.corpID)
	if c == nil {
		return nil, nil
	}
	a := c.app(ref.agentID)
	if a != nil {
		if next := a.NextTrustedIPs; next != nil && !s.now().Before(next.From) {
			a.TrustedIPs, a.NextTrustedIPs = next.IPs, nil
		}
	}
	return c, a
}

func (a *App) trusts(ip string) bool { return a.TrustedIPs == nil || slices.Contains(a.TrustedIPs, ip) }

// Corps returns the companies as they are now, with their apps and members.
func (s *Simulator) Corps() []Corp {
	s.mu.Lock()
	defer s.mu.Unlock()
	var corps []Corp
	for _, c := range s.corps {
		for _, a := range c.Apps {
			s.app(appRef{c.ID, a.AgentID})
		}
		corps = append(corps, *c.clone())
	}
	return corps
}

// CreateApp adds an app to a corp and returns its AgentID. The app gets the
// next AgentID and a new secret; everything else is as in a.
func (s *Simulator) CreateApp(corpID string, a App) (agentID string, err error) {
	err = s.changeCorp(corpID, func(c *Corp) error {
		// The first self-built app of a real corp has this number.
		next := 1000002
		for _, other := range c.Apps {
			if number, err := strconv.Atoi(other.AgentID); err == nil {
				next = max(next, number+1)
			}
		}
		a.AgentID, a.Secret = strconv.Itoa(next), s.newValue()
		c.Apps = append(c.Apps, a)
		return nil
	})
	return a.AgentID, err
}

// ChangeApp applies f to an app, at any time and with effect at once. A changed
// secret revokes the app's tokens as ResetSecret does.
func (s *Simulator) ChangeApp(corpID, agentID string, f func(*App)) error {
	return s.changeApp(corpID, agentID, func(_ *Corp, a *App) error {
		secret := a.Secret
		f(a)
		if a.Secret != secret && !s.choices.SecretResetKeepsTokens {
			s.revokeTokens(appRef{corpID, agentID}, codeInvalidToken)
		}
		return nil
	})
}

// changeApp calls f for an app, with s.mu held.
func (s *Simulator) changeApp(corpID, agentID string, f func(*Corp, *App) error) error {
	return s.changeCorp(corpID, func(c *Corp) error {
		_, a := s.app(appRef{corpID, agentID})
		if a == nil {
			return fmt.Errorf("find app %q of corp %q: no such app", agentID, corpID)
		}
		return f(c, a)
	})
}

// ResetSecret gives an app a new secret: the old one answers 40001 and its
// tokens 40014 (unless Choices.SecretResetKeepsTokens).
func (s *Simulator) ResetSecret(corpID, agentID, secret string) error {
	return s.ChangeApp(corpID, agentID, func(a *App) { a.Secret = secret })
}

// RevokeTokens revokes all tokens of an app before they expire. Calls with them
// answer errcode, which is 42001 or 40014.
func (s *Simulator) RevokeTokens(corpID, agentID string, errcode int) error {
	return s.ChangeApp(corpID, agentID, func(*App) { s.revokeTokens(appRef{corpID, agentID}, errcode) })
}

// AddMember adds a member to a corp.
func (s *Simulator) AddMember(corpID string, m Member) error {
	return s.changeCorp(corpID, func(c *Corp) error {
		if c.member(m.UserID) != nil {
			return fmt.Errorf("add member %q: the UserID is taken", m.UserID)
		}
		c.hires++
		m.serial = c.hires
		c.Members = append(c.Members, m)
		return nil
	})
}

// ChangeMember applies f to a member, at any time and with effect at once. A new
// UserID stays with the person: in visible ranges, in tags and in the client.
func (s *Simulator) ChangeMember(corpID, userID string, f func(*Member)) error {
	return s.changeCorp(corpID, func(c *Corp) error {
		m, err := c.findMember(userID)
		if err != nil {
			return err
		}
		changed := *m
		f(&changed)
		if other := c.member(changed.UserID); changed.UserID == "" || other != nil && other != m {
			return fmt.Errorf("rename member %q: the UserID is empty or taken", userID)
		}
		if m.UserID != changed.UserID {
			s.rename(c, m.UserID, changed.UserID)
		}
		changed.serial = m.serial
		*m = changed
		return nil
	})
}

// rename replaces a UserID wherever it stands but in the member.
func (s *Simulator) rename(c *Corp, old, changed string) {
	replace := func(ids []string) {
		for i := range ids {
			if c.sameUser(ids[i], old) {
				ids[i] = changed
			}
		}
	}
	for _, a := range c.Apps {
		replace(a.VisibleUserIDs)
	}
	for _, t := range c.Tags {
		replace(t.UserIDs)
	}
	for i, m := range c.Members {
		if c.sameUser(m.DirectLeader, old) {
			c.Members[i].DirectLeader = changed
		}
	}
	for key, who := range s.clients {
		if c.sameUser(string(who), c.ID+"/"+old) {
			s.clients[key] = person(c.ID + "/" + changed)
		}
	}
}

// Dismiss takes a member out of the company. The UserID may be given again, to
// somebody who has agreed to nothing yet.
func (s *Simulator) Dismiss(corpID, userID string) error {
	return s.changeCorp(corpID, func(c *Corp) error {
		if _, err := c.findMember(userID); err != nil {
			return err
		}
		maps.DeleteFunc(s.consents, func(key consentKey, _ consent) bool {
			return key.app.corpID == c.ID && c.sameUser(key.userID, userID)
		})
		c.Members = slices.DeleteFunc(c.Members, func(m Member) bool { return c.sameUser(m.UserID, userID) })
		return nil
	})
}

// TagMember gives a member a tag, or takes it away.
func (s *Simulator) TagMember(corpID string, tagID int, userID string, tagged bool) error {
	return s.changeCorp(corpID, func(c *Corp) error {
		t := c.tag(tagID)
		m, err := c.findMember(userID)
		if t == nil || err != nil {
			return cmp.Or(err, fmt.Errorf("find tag %d: no such tag", tagID))
		}
		t.UserIDs = slices.DeleteFunc(t.UserIDs, func(id string) bool { return c.sameUser(id, userID) })
		if tagged {
			t.UserIDs = append(t.UserIDs, m.UserID)
		}
		return nil
	})
}

// changeCorp calls f for a corp, with s.mu held, and tells receivers what
// changed.
func (s *Simulator) changeCorp(corpID string, f func(*Corp) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	if c == nil {
		return fmt.Errorf("find corp %q: no such corp", corpID)
	}
	before := c.known()
	err := f(c)
	s.announce(c, before, c.known())
	return err
}

// person is who uses a client, spelled as in forms and in Browser.UserID:
// "CorpId/userid" or an openid.
type person string

// identity is what one corp learns about a person.
type identity struct {
	// userID is "userid" for a member, "CorpId/userid" for an interconnected one.
	userID string
	// openID and externalUserID are for everyone else.
	openID         string
	externalUserID string
	// member is true for a member of the corp itself.
	member bool
}

// identify returns what corp c learns about p. In personal WeChat a member is
// identified by openid, unless the choice differs.
func (s *Simulator) identify(c *Corp, p person, personalWeChat bool) identity {
	corpID, userID, _ := strings.Cut(string(p), "/")
	if corpID == c.ID {
		m := c.member(userID)
		hidden := personalWeChat && !s.choices.PersonalWeChatGivesUserID
		if m != nil && !hidden && (m.status() != StatusLeft || s.choices.LeftMemberIsReadable) {
			return identity{userID: m.UserID, member: true}
		}
	}
	for _, i := range c.Interconnected {
		if i.CorpID == corpID && strings.EqualFold(i.UserID, userID) {
			return identity{userID: i.CorpID + "/" + i.UserID}
		}
	}
	for _, o := range c.Outsiders {
		if o.OpenID == string(p) {
			return identity{openID: o.OpenID, externalUserID: o.ExternalUserID}
		}
	}
	// An openid is per corp and person and reveals neither.
	sum := sha256.Sum256([]byte(c.ID + "\x00" + c.fold(string(p))))
	return identity{openID: "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]}
}

// findPerson understands "userid", "CorpId/userid" and an openid.
func (s *Simulator) findPerson(id string) (person, bool) {
	corpID, userID, full := strings.Cut(id, "/")
	if !full {
		corpID, userID = "", id
	}
	for _, c := range s.corps {
		if m := c.member(userID); m != nil && (!full || corpID == c.ID) {
			return person(c.ID + "/" + m.UserID), true
		}
	}
	for _, c := range s.corps {
		for _, i := range c.Interconnected {
			if full && i.CorpID == corpID && strings.EqualFold(i.UserID, userID) {
				return person(i.CorpID + "/" + i.UserID), true
			}
		}
		for _, o := range c.Outsiders {
			if o.OpenID == id {
				return person(id), true
			}
		}
	}
	return "", false
}
