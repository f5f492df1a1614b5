// A company as a test describes it: apps, members and everyone else who can
// follow a link.

package wecomsim

import (
	"cmp"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
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

// Label names the detail on pages.
func (f Field) Label() (chinese, english string) {
	label := map[Field][2]string{
		FieldMobile:  {"手机号", "Mobile"},
		FieldAvatar:  {"头像", "Avatar"},
		FieldGender:  {"性别", "Gender"},
		FieldEmail:   {"邮箱", "E-mail"},
		FieldBizMail: {"企业邮箱", "Business e-mail"},
		FieldQRCode:  {"个人二维码", "Personal QR code"},
		FieldAddress: {"地址", "Address"},
	}[f]
	return label[0], label[1]
}

// Corp is a company on this WeCom.
type Corp struct {
	// ID is the CorpID, for example "ww1a2b3c4d5e6f7a8b".
	ID string
	// Name is shown on the pages; empty means ID.
	Name string
	// LatinName is Name for people who cannot read Chinese, here and below. The
	// pages show it beside Name; no API returns it.
	LatinName string
	// OpaqueIDs makes ID and every UserID those that 代开发 apps get: they are
	// compared with case, and no app reads a name of a member or a department.
	OpaqueIDs bool
	// Apps are the self-built apps.
	Apps []App
	// Departments form a tree below RootDepartment, which is added if absent.
	Departments []Department
	Tags        []Tag
	// Members are the people of the company.
	Members []Member
	// MemberLimit is how many members the corp may have, by which WeCom counts
	// failed lookups; 0 means 1,000.
	MemberLimit int
	// Interconnected are members of companies that this company is connected
	// with. WeCom identifies them as "CorpId/userid".
	Interconnected []InterconnectedMember
	// Outsiders belong to no company. WeCom identifies them by openid.
	Outsiders []Outsider
	// ContactSyncSecret is the secret of the contact-sync assistant, whose token
	// cannot exchange codes. Empty means none.
	ContactSyncSecret string
	// ContactSyncReceiver gets change_contact.
	ContactSyncReceiver Receiver

	// hires counts the members there have been.
	hires int
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
	// scheme's default. It is compared exactly; there are no wildcards.
	TrustedDomain string
	// CallbackDomain is 授权回调域 of 企业微信授权登录, for browser login only.
	CallbackDomain string
	// Receiver is 接收消息服务器配置. SetReceiver sets it while the simulator runs.
	Receiver Receiver
	// ReportEnter is isreportenter: the receiver is told who opens the app.
	ReportEnter bool
	// HomeURL is 工作台应用主页, opened from the workbench on a phone.
	HomeURL string
	// DesktopHomeURL is opened from the workbench on a desktop; empty means
	// HomeURL.
	DesktopHomeURL string
	// VisibleUserIDs, VisibleDepartments and VisibleTags are 可见范围. All nil
	// means the whole company, empty means nobody.
	VisibleUserIDs     []string
	VisibleDepartments []int
	VisibleTags        []int
	// Fields are the personal details that the administrator selected for the
	// app; a new app has none.
	Fields []Field
	// CreatedBefore20220620 gives the old rights: user/get still returns the
	// seven details.
	CreatedBefore20220620 bool
	// TrustedIPs is 企业可信IP; nil means not enforced, empty means that no IP
	// is trusted.
	TrustedIPs []string
	// NextTrustedIPs replaces TrustedIPs when its time has come; nil means that
	// no change is pending.
	NextTrustedIPs *TrustedIPChange
	// Disabled is 停用: no new token, and 50003 for the tokens already issued.
	Disabled bool
}

// TrustedIPChange is a list of trusted IPs that works from a time on.
type TrustedIPChange struct {
	IPs  []string
	From time.Time
}

// DisplayName is the name on pages and in agent/get.
func (a App) DisplayName() string { return cmp.Or(a.Name, a.AgentID) }

// DisplayName is the name on pages.
func (c Corp) DisplayName() string { return cmp.Or(c.Name, c.ID) }

// The states of a member, as user/get returns them.
const (
	StatusActive       = 1
	StatusDisabled     = 2
	StatusNotActivated = 4
	StatusLeft         = 5
)

// Member is a person of a corp.
type Member struct {
	// UserID is compared without case, but for OpaqueIDs, and returned in this spelling.
	UserID    string
	Name      string
	LatinName string
	// Mobile is returned exactly as written here.
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
	// Departments are the IDs of the member's departments, the main one first;
	// none means the root.
	Departments []int
	// LeaderOf are those of Departments that the member leads.
	LeaderOf []int
	// DirectLeader is the UserID of the member's superior.
	DirectLeader string

	// serial tells members apart whose UserID changes or is given again.
	serial int
	// Status is one of the Status constants; 0 means StatusActive.
	Status int
}

// InterconnectedMember is a member of a connected (互联) or upstream company.
type InterconnectedMember struct {
	// CorpID is the other company.
	CorpID    string
	UserID    string
	Name      string
	LatinName string
}

// Outsider is a person without a company on this WeCom: a customer, or a user
// of WeChat.
type Outsider struct {
	// OpenID has at most 64 bytes and is unique within the corp.
	OpenID    string
	Name      string
	LatinName string
	// ExternalUserID is set for a customer whose contact person is in the app's
	// visible range; getuserinfo then returns it too.
	ExternalUserID string
}

func (m *Member) status() int {
	if m.Status == 0 {
		return StatusActive
	}
	return m.Status
}

func (m *Member) details() map[Field]string {
	return map[Field]string{
		FieldMobile: m.Mobile, FieldGender: cmp.Or(m.Gender, "0"), FieldEmail: m.Email, FieldBizMail: m.BizMail,
		FieldQRCode: m.QRCode, FieldAddress: m.Address, FieldAvatar: m.Avatar,
	}
}

func (m *Member) avatarURL(base string) string {
	return cmp.Or(m.Avatar, base+page.Avatar(cmp.Or(m.Name, m.UserID)))
}

// Person is the member as pages show them, with what matters for signing in.
func (m *Member) Person(corpID string) page.Person {
	p := page.Person{Key: corpID + "/" + m.UserID, Name: cmp.Or(m.Name, m.UserID), Latin: m.LatinName, Note: m.UserID, Avatar: m.avatarURL("")}
	if m.Mobile == "" {
		p.Marks = append(p.Marks, page.Mark{Chinese: "无手机号", English: "no phone"})
	} else {
		p.Note += " · " + m.Mobile
	}
	switch m.status() {
	case StatusDisabled:
		p.Marks = append(p.Marks, page.Mark{Chinese: "已禁用", English: "disabled"})
	case StatusNotActivated:
		p.Marks = append(p.Marks, page.Mark{Chinese: "未激活", English: "not activated"})
	case StatusLeft:
		p.Marks = append(p.Marks, page.Mark{Chinese: "已退出", English: "left"})
	}
	return p
}
