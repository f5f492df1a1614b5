package wecomsim

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Field is a personal detail that an administrator can select for an app and a
// member can share with it. The value is the key in WeCom's JSON.
type Field string

// The seven details of D/95833. A member's name is not among them: the detail
// call never returns one.
const (
	FieldMobile  Field = "mobile"
	FieldAvatar  Field = "avatar"
	FieldGender  Field = "gender"
	FieldEmail   Field = "email"
	FieldBizMail Field = "biz_mail"
	FieldQRCode  Field = "qr_code"
	FieldAddress Field = "address"
)

// AllFields returns the seven details in the order of the consent page.
func AllFields() []Field {
	return []Field{FieldMobile, FieldAvatar, FieldGender, FieldEmail, FieldBizMail, FieldQRCode, FieldAddress}
}

// Corp is a company on this WeCom.
type Corp struct {
	// ID is the CorpID, for example "ww1a2b3c4d5e6f7a8b".
	ID string
	// Name is shown on the pages; empty means ID.
	Name string
	// LatinName is Name for those who read no Chinese. The pages show it beside
	// Name; no API gives it. So it is wherever it stands below.
	LatinName string
	// Apps are the self-built apps.
	Apps []App
	// Members are the people of the company.
	Members []Member
	// Interconnected are members of other companies that this company is
	// connected with. They are seen as "CorpId/userid".
	Interconnected []InterconnectedMember
	// Outsiders are people who are nobody's members. They are seen by openid.
	Outsiders []Outsider
	// ContactSyncSecret is the secret of the contact-sync assistant. Its token
	// is of another kind: it may not exchange codes. Empty means there is none.
	ContactSyncSecret string
}

// App is a self-built app of a corp.
type App struct {
	// AgentID is a number in decimal digits.
	AgentID string
	Secret  string
	// Name is shown on the pages; empty means AgentID.
	Name      string
	LatinName string
	// TrustedDomain is 可信域名: host, or host:port when the port is not the
	// scheme's own. It is compared exactly; there are no wildcards.
	TrustedDomain string
	// CallbackDomain is 授权回调域 of 企业微信授权登录, for browser login only.
	CallbackDomain string
	// MessageURL is 接收消息服务器URL. It is used only as the other condition
	// under which the console accepts trusted IPs.
	MessageURL string
	// HomeURL is 工作台应用主页, opened from the workbench on a phone.
	HomeURL string
	// DesktopHomeURL is opened from the workbench on a desktop; empty means
	// HomeURL.
	DesktopHomeURL string
	// VisibleUserIDs is 可见范围; nil means every member, empty means nobody.
	VisibleUserIDs []string
	// Fields are the personal details that the administrator selected for the
	// app. Nil means none, as for a newly created app.
	Fields []Field
	// CreatedBefore20220620 gives the old rights: user/get still returns the
	// seven details.
	CreatedBefore20220620 bool
	// TrustedIPs is 企业可信IP; nil means not enforced, empty means nobody.
	// It takes effect at once here; SetTrustedIPs has the console's delay.
	TrustedIPs []string
	// Disabled is 停用: no token, and 50003 for the tokens already given.
	Disabled bool
	// NoAPIRight makes the APIs of this app answer 48002.
	NoAPIRight bool
}

// The states of a member, as user/get returns them.
const (
	StatusActive       = 1
	StatusDisabled     = 2
	StatusNotActivated = 4
	StatusLeft         = 5
)

// Member is a person of a corp.
type Member struct {
	// UserID is compared without case and given back in this spelling.
	UserID    string
	Name      string
	LatinName string
	// Mobile is given back exactly as written here.
	Mobile string
	// Avatar is a URL; empty means a picture drawn by the simulator.
	Avatar string
	// Gender is "0" unknown, "1" male, "2" female; empty means "0".
	Gender   string
	Email    string
	BizMail  string
	QRCode   string
	Address  string
	Position string
	Alias    string
	// Status is one of the Status constants; 0 means StatusActive.
	Status int
}

func (m *Member) status() int {
	if m.Status == 0 {
		return StatusActive
	}
	return m.Status
}

func (m *Member) displayName() string {
	if m.Name == "" {
		return m.UserID
	}
	return m.Name
}

// InterconnectedMember is a member of a connected (互联) or upstream company.
type InterconnectedMember struct {
	// CorpID is the other company.
	CorpID    string
	UserID    string
	Name      string
	LatinName string
}

// Outsider is a visitor who is no member: a customer, or anybody with WeChat.
type Outsider struct {
	// OpenID has at most 64 bytes and is unique within the corp.
	OpenID    string
	Name      string
	LatinName string
	// ExternalUserID is set when the outsider is a customer whose follower is
	// in the app's visible range; getuserinfo then returns it too.
	ExternalUserID string
}

// Validate reports every fault of the company's description at once.
func (c Corp) Validate() error {
	var faults []error
	if c.ID == "" {
		faults = append(faults, errors.New("corp has no ID"))
	}
	agents := map[string]bool{}
	for _, a := range c.Apps {
		switch {
		case a.AgentID == "" || strings.Trim(a.AgentID, "0123456789") != "":
			faults = append(faults, fmt.Errorf("corp %s: AgentID %q is no number", c.ID, a.AgentID))
		case agents[a.AgentID]:
			faults = append(faults, fmt.Errorf("corp %s: AgentID %s is there twice", c.ID, a.AgentID))
		}
		agents[a.AgentID] = true
		if a.Secret == "" {
			faults = append(faults, fmt.Errorf("corp %s: app %s has no secret", c.ID, a.AgentID))
		}
		for _, d := range []string{a.TrustedDomain, a.CallbackDomain} {
			if strings.ContainsAny(d, "/*? ") {
				faults = append(faults, fmt.Errorf("corp %s: app %s: domain %q must be host or host:port", c.ID, a.AgentID, d))
			}
		}
		for _, f := range a.Fields {
			if !slices.Contains(AllFields(), f) {
				faults = append(faults, fmt.Errorf("corp %s: app %s: unknown field %q", c.ID, a.AgentID, f))
			}
		}
	}
	users := map[string]bool{}
	for _, m := range c.Members {
		key := strings.ToLower(m.UserID)
		if key == "" || strings.Contains(key, "/") || len(key) > 64 {
			faults = append(faults, fmt.Errorf("corp %s: bad UserID %q", c.ID, m.UserID))
		}
		if users[key] {
			faults = append(faults, fmt.Errorf("corp %s: UserID %q is there twice", c.ID, m.UserID))
		}
		users[key] = true
		if !slices.Contains([]int{0, StatusActive, StatusDisabled, StatusNotActivated, StatusLeft}, m.Status) {
			faults = append(faults, fmt.Errorf("corp %s: member %s: unknown status %d", c.ID, m.UserID, m.Status))
		}
	}
	for _, o := range c.Outsiders {
		if o.OpenID == "" || len(o.OpenID) > 64 {
			faults = append(faults, fmt.Errorf("corp %s: bad OpenID %q", c.ID, o.OpenID))
		}
	}
	return errors.Join(faults...)
}

// corp is the living copy of a Corp; guarded by Simulator.mu.
type corp struct {
	Corp

	apps    []*app
	members []*Member
}

// app is the living copy of an App; guarded by Simulator.mu.
type app struct {
	App

	corp *corp
	// file is the 16 characters of the domain file that the console offers;
	// empty until somebody looks.
	file string
	// nextIPs replaces TrustedIPs at the end of the console's delay.
	nextIPs *ipChange
}

func newCorp(c Corp) *corp {
	living := &corp{Corp: c}
	for _, a := range c.Apps {
		a.VisibleUserIDs = slices.Clone(a.VisibleUserIDs)
		a.Fields = slices.Clone(a.Fields)
		a.TrustedIPs = slices.Clone(a.TrustedIPs)
		living.apps = append(living.apps, &app{App: a, corp: living})
	}
	for _, m := range c.Members {
		living.members = append(living.members, &m)
	}
	return living
}

func (c *corp) name() string {
	if c.Name == "" {
		return c.ID
	}
	return c.Name
}

func (c *corp) app(agentID string) *app {
	for _, a := range c.apps {
		if a.AgentID == agentID {
			return a
		}
	}
	return nil
}

// member finds a member without regard to case, as D/90196 says.
func (c *corp) member(userID string) *Member {
	for _, m := range c.members {
		if strings.EqualFold(m.UserID, userID) {
			return m
		}
	}
	return nil
}

func (a *app) name() string {
	if a.Name == "" {
		return a.AgentID
	}
	return a.Name
}

// homeURL is where the workbench leads to on a phone or a desktop.
func (a *app) homeURL(phone bool) string {
	if !phone && a.DesktopHomeURL != "" {
		return a.DesktopHomeURL
	}
	return a.HomeURL
}

func (a *app) sees(userID string) bool {
	if a.VisibleUserIDs == nil {
		return true
	}
	return slices.ContainsFunc(a.VisibleUserIDs, func(v string) bool { return strings.EqualFold(v, userID) })
}

// person is who sits at a client: a member of some corp, or an outsider.
type person struct {
	corpID string
	userID string
	openID string
}

// key is the spelling of a person in forms and in Browser.UserID.
func (p person) key() string {
	if p.openID != "" {
		return p.openID
	}
	return p.corpID + "/" + p.userID
}

// identity is what one corp learns about a person.
type identity struct {
	// userID is "userid" for a member, "CorpId/userid" for an interconnected one.
	userID string
	// openID and externalUserID are for everybody else.
	openID         string
	externalUserID string
	// member is true for a member of the corp itself.
	member bool
}

// identify says what corp c learns about p. In personal WeChat a member is seen
// by openid unless the choice says otherwise.
func (s *Simulator) identify(c *corp, p person, personalWeChat bool) identity {
	if p.openID == "" && p.corpID == c.ID {
		m := c.member(p.userID)
		hidden := personalWeChat && !s.choices.PersonalWeChatGivesUserID
		if m != nil && !hidden && (m.status() != StatusLeft || s.choices.LeftMemberIsReadable) {
			return identity{userID: m.UserID, member: true}
		}
	}
	if p.openID == "" && p.corpID != c.ID {
		for _, i := range c.Interconnected {
			if i.CorpID == p.corpID && strings.EqualFold(i.UserID, p.userID) {
				return identity{userID: i.CorpID + "/" + i.UserID}
			}
		}
	}
	for _, o := range c.Outsiders {
		if o.OpenID == p.openID {
			return identity{openID: o.OpenID, externalUserID: o.ExternalUserID}
		}
	}
	// An openid is per corp and person, and says nothing about either.
	sum := sha256.Sum256([]byte(c.ID + "\x00" + strings.ToLower(p.key())))
	return identity{openID: "o" + base64.RawURLEncoding.EncodeToString(sum[:])[:27]}
}

// findPerson understands "userid", "CorpId/userid" and an openid.
func (s *Simulator) findPerson(id string) (person, bool) {
	corpID, userID, both := strings.Cut(id, "/")
	if !both {
		corpID, userID = "", id
	}
	for _, c := range s.corps {
		if both && c.ID != corpID {
			continue
		}
		if m := c.member(userID); m != nil {
			return person{corpID: c.ID, userID: m.UserID}, true
		}
	}
	for _, c := range s.corps {
		for _, i := range c.Interconnected {
			if both && i.CorpID == corpID && strings.EqualFold(i.UserID, userID) {
				return person{corpID: i.CorpID, userID: i.UserID}, true
			}
		}
		for _, o := range c.Outsiders {
			if o.OpenID == id {
				return person{openID: id}, true
			}
		}
	}
	return person{}, false
}
