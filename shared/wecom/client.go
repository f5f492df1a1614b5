package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Names of the calls, as they stand in errors.
const (
	opToken    = "gettoken"
	opIdentify = "getuserinfo"
	opDetail   = "getuserdetail"
	opMember   = "user/get"
	opAgent    = "agent/get"
	opCaller   = "gettoken without credentials"
	opTree     = "department/simplelist"
	opNames    = "department/list"
	opTag      = "tag/get"
	opByPhone  = "user/getuserid"
)

// Config is what New needs.
type Config struct {
	APIURL   string // https://qyapi.weixin.qq.com in the public cloud; may have a path
	OAuthURL string // see Links; may be empty when no links are built
	LoginURL string // see Links; likewise
	// HTTP makes the calls. It is copied, and never follows a redirect. Nil: one
	// with a transport made for this purpose, which uses no proxy of the
	// environment: WeCom trusts addresses, so the way out must be the known one.
	HTTP *http.Client
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// Sleep waits before another try. Nil: a timer that ends with the context.
	Sleep func(ctx context.Context, d time.Duration) error
	// CallTimeout bounds one try of a call. Zero: 5 s.
	CallTimeout time.Duration
	// MaxBody is the largest answer read, in bytes. Zero: 64 KiB. Lists of departments and
	// of a tag's members may be longer; see maxList.
	MaxBody int64
	// Observe hears of every try of a call when it is over. Nil: nobody does.
	Observe func(ctx context.Context, call Call)
}

// Call is what an observer is told of one try: nothing of what was asked or answered.
type Call struct {
	Operation string        // the call, such as "getuserinfo"
	Answered  bool          // WeCom gave an answer that can be read
	Code      int           // its number; 0 is success
	Duration  time.Duration // from the request to the end of the answer
}

// Failed reports whether there was no usable answer, or one with a number other than 0.
func (c Call) Failed() bool { return !c.Answered || c.Code != 0 }

// Client makes calls to WeCom. It is safe for concurrent use.
//
// How often a call is tried: an answer -1 or 45033 is tried again, three times in
// all, because it says that nothing was done. After a failure of the connection
// only the calls that change nothing (gettoken, user/get, departments and tags) are
// tried once more, when the context leaves time for a whole try. getuserinfo and
// getuserdetail are not: a code serves once, a ticket perhaps. Neither are user/getuserid,
// whose misses WeCom counts, and agent/get, whose caller does without it sooner than wait. CallerAddress is one try, always.
type Client struct {
	Links
	api     *url.URL // nil: the address could not be read
	http    *http.Client
	now     func() time.Time
	sleep   func(context.Context, time.Duration) error
	timeout time.Duration
	maxBody int64
	observe func(context.Context, Call)
}

// New returns a client. An APIURL that is no address makes every call fail; the
// service's settings are checked before they come here.
func New(cfg Config) *Client {
	c := &Client{
		Links:   Links{OAuthURL: cfg.OAuthURL, LoginURL: cfg.LoginURL},
		now:     cfg.Now,
		sleep:   cfg.Sleep,
		timeout: cfg.CallTimeout,
		maxBody: cfg.MaxBody,
		observe: cfg.Observe,
	}
	if api, err := url.Parse(strings.TrimRight(cfg.APIURL, "/")); err == nil && api.Host != "" {
		c.api = &url.URL{Scheme: api.Scheme, Host: api.Host, Path: api.Path}
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.observe == nil {
		c.observe = func(context.Context, Call) {}
	}
	if c.sleep == nil {
		c.sleep = sleep
	}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	if c.maxBody <= 0 {
		c.maxBody = 64 << 10
	}
	c.http = &http.Client{}
	if cfg.HTTP != nil {
		*c.http = *cfg.HTTP
	} else {
		c.http.Transport = newTransport()
	}
	c.http.Jar = nil
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}

// Token is what gettoken gives.
type Token struct {
	Value secret.Value
	// ExpiresIn counts from the moment the call was made. WeCom may end a token
	// earlier (40014, 42001).
	ExpiresIn time.Duration
}

// FetchToken asks for an app's access token (path 91039). Keep it: WeCom blocks
// whoever asks often. Errors: *Error, see SecretRefused; *UnavailableError.
func (c *Client) FetchToken(ctx context.Context, corpID, corpSecret string) (Token, error) {
	a, err := c.call(ctx, request{
		op: opToken, path: "/cgi-bin/gettoken", repeatable: true,
		query: "corpid=" + url.QueryEscape(corpID) + "&corpsecret=" + url.QueryEscape(corpSecret),
	})
	if err != nil {
		return Token{}, err
	}
	value, seconds := a.text("access_token"), a.number("expires_in")
	if a.broken != "" || value == "" || seconds <= 0 {
		return Token{}, a.unusable("access_token or expires_in")
	}
	// Two hours is what the documentation says; more is not believed.
	return Token{Value: secret.NewValue(value), ExpiresIn: time.Duration(min(seconds, 7200)) * time.Second}, nil
}

// Identity is whose code it was (path 91023). It prints without the ticket.
type Identity struct {
	// UserID is the member's, or CorpId/userid of a member of another corp. Compare
	// it without case.
	UserID string
	// OpenID and ExternalUserID are of visitors who are no members. They are no
	// identity to sign in with.
	OpenID         string
	ExternalUserID string
	// UserTicket leads to Detail, for 30 minutes. It comes only with
	// ScopePrivateInfo, inside the client, for members the app may see.
	UserTicket string
}

// Identify asks whose code it is (auth/getuserinfo, path 91023) and spends it.
// One of UserID, OpenID and ExternalUserID is set. See MayHaveArrived for errors
// after which the code counts as spent.
func (c *Client) Identify(ctx context.Context, token secret.Value, code string) (Identity, error) {
	a, err := c.call(ctx, request{
		op: opIdentify, path: "/cgi-bin/auth/getuserinfo",
		query: tokenQuery(token) + "&code=" + url.QueryEscape(code),
	})
	if err != nil {
		return Identity{}, err
	}
	// The older spelling of the same call is read where the documented one is absent.
	identity := Identity{
		UserID: a.textOf("userid", "UserId"), OpenID: a.textOf("openid", "OpenId"),
		ExternalUserID: a.text("external_userid"), UserTicket: a.text("user_ticket"),
	}
	if a.broken != "" || identity.UserID == "" && identity.OpenID == "" && identity.ExternalUserID == "" {
		return Identity{}, a.unusable("userid or openid")
	}
	return identity, nil
}

// Detail is what a member agreed to share (path 95833). It prints without
// phone and mailbox. There is no name in it, ever.
type Detail struct {
	// UserID says whose details these are. The caller compares it, without case,
	// with whom it asked for.
	UserID string
	// Mobile is as the corp's directory spells it, and empty when the
	// administrator did not select it or the member did not share it.
	Mobile string
	Avatar string // address of a picture, or empty
	// BizMail is the mailbox that the company gave the member, or empty as Mobile is. The
	// answer's email, which members enter themselves, is not read.
	BizMail string
}

// Detail asks for what a member shared (auth/getuserdetail, path 95833).
func (c *Client) Detail(ctx context.Context, token secret.Value, userTicket string) (Detail, error) {
	a, err := c.call(ctx, request{
		op: opDetail, path: "/cgi-bin/auth/getuserdetail",
		query: tokenQuery(token), body: encodeTicket(userTicket),
	})
	if err != nil {
		return Detail{}, err
	}
	detail := Detail{UserID: a.text("userid"), Mobile: a.digits("mobile"), Avatar: a.text("avatar"), BizMail: a.text("biz_mail")}
	if a.broken != "" || detail.UserID == "" {
		return Detail{}, a.unusable("userid")
	}
	return detail, nil
}

// What Member.Status says (path 90196). Other numbers may come, and 0 when WeCom
// told nothing.
const (
	MemberActive       = 1
	MemberDisabled     = 2
	MemberNotActivated = 4
	MemberLeft         = 5
)

// MaxUserID is how long a userid may be, in bytes (path 90195).
const MaxUserID = 64

// Member is an entry of the corp's directory (path 90196), without the phone: apps
// created since June 2022 are not given it here.
type Member struct {
	UserID   string // as WeCom spells it
	Name     string
	Status   int
	Position string // empty when the app is not told
	// Departments are those that the app may see, in WeCom's order.
	Departments []MemberDepartment
}

// UnknownStatus returns an *UnavailableError when Status is none of the four above, which says
// nothing about the member, and nil otherwise.
func (m Member) UnknownStatus() error {
	switch m.Status {
	case MemberActive, MemberDisabled, MemberNotActivated, MemberLeft:
		return nil
	}
	return &UnavailableError{Op: opMember, Reason: "a status that says nothing: " + strconv.Itoa(m.Status)}
}

// MemberDepartment is a department that a member is in, by its number.
type MemberDepartment struct {
	ID     int64
	Leader bool // the member is one of its leaders
}

// Member asks for a member by userid (user/get, path 90196). Members outside of
// what the app may see are UserNotFound or OutOfScope. An answer about another member is
// unusable; WeCom compares userids without case (path 90195).
func (c *Client) Member(ctx context.Context, token secret.Value, userID string) (Member, error) {
	a, err := c.call(ctx, request{
		op: opMember, path: "/cgi-bin/user/get", repeatable: true,
		query: tokenQuery(token) + "&userid=" + url.QueryEscape(userID),
	})
	if err != nil {
		return Member{}, err
	}
	member := Member{UserID: a.text("userid"), Name: cleanName(a.text("name")), Status: a.number("status"), Position: cleanName(a.text("position"))}
	var ids []int64
	var leads []int // by the index of ids (path 90196), 1 or 0
	a.read("department", &ids)
	a.read("is_leader_in_dept", &leads)
	for i, id := range ids {
		member.Departments = append(member.Departments, MemberDepartment{ID: id, Leader: i < len(leads) && leads[i] == 1})
	}
	if a.broken != "" || member.UserID == "" {
		return Member{}, a.unusable("userid")
	}
	if !strings.EqualFold(member.UserID, userID) {
		return Member{}, &UnavailableError{Op: opMember, Reason: "it answered for another member"}
	}
	return member, nil
}

// cleanName takes control characters out of a name, and what nobody sees from its ends.
// What is left may be nothing: then WeCom told no name.
func cleanName(name string) string {
	visible := strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, name)
	return strings.TrimFunc(visible, func(c rune) bool { return unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) })
}

// Agent is what WeCom keeps of an app (agent/get, path 90227).
type Agent struct {
	AgentID string // in decimal digits
	Name    string
	// Closed says that an administrator of the corp switched the app off.
	Closed bool
	// TrustedDomain is the domain of web authorization: host, perhaps with a port.
	// Empty means that none is set, if TrustedDomainTold.
	TrustedDomain     string
	TrustedDomainTold bool
	Visible           VisibleRange
}

// VisibleRange counts who may use an app: members, departments and tags that an
// administrator listed one by one.
type VisibleRange struct {
	Members, Departments, Tags int
	// Told is false when the answer left members or departments out, so that the
	// numbers say nothing.
	Told bool
}

// Empty reports whether the app is surely nobody's.
func (r VisibleRange) Empty() bool { return r.Told && r.Members+r.Departments+r.Tags == 0 }

// Agent asks for the app of an AgentID. Errors: *Error, with WrongAgent or
// InvalidAgentID when it is not the token's app; *UnavailableError.
func (c *Client) Agent(ctx context.Context, token secret.Value, agentID string) (Agent, error) {
	a, err := c.call(ctx, request{
		op: opAgent, path: "/cgi-bin/agent/get",
		query: tokenQuery(token) + "&agentid=" + url.QueryEscape(agentID),
	})
	if err != nil {
		return Agent{}, err
	}
	agent := Agent{
		Name: a.text("name"), Closed: a.number("close") != 0,
		TrustedDomain: a.text("redirect_domain"),
	}
	agent.TrustedDomainTold = a.tells("redirect_domain")
	var id json.Number
	a.read("agentid", &id)
	agent.AgentID = id.String()
	var members struct {
		User []json.RawMessage `json:"user"`
	}
	var departments struct {
		PartyID []json.RawMessage `json:"partyid"`
	}
	var tags struct {
		TagID []json.RawMessage `json:"tagid"`
	}
	a.read("allow_userinfos", &members)
	a.read("allow_partys", &departments)
	a.read("allow_tags", &tags)
	agent.Visible = VisibleRange{
		Members: len(members.User), Departments: len(departments.PartyID), Tags: len(tags.TagID),
		Told: a.tells("allow_userinfos") && a.tells("allow_partys"),
	}
	if a.broken != "" || agent.AgentID == "" {
		return Agent{}, a.unusable("agentid")
	}
	return agent, nil
}

// CallerAddress asks which address WeCom sees this service call from: a gettoken
// without credentials is refused (41004, path 91039), and the refusal names it. The
// address is a public IPv4 one, as WeCom takes no other in an app's list, or a
// loopback one, on a laptop. It was so just now; nothing promises that it stays.
// Errors: *UnavailableError, also when WeCom named no such address.
func (c *Client) CallerAddress(ctx context.Context) (netip.Addr, error) {
	_, err := c.once(ctx, request{op: opCaller, path: "/cgi-bin/gettoken"})
	answered, ok := errors.AsType[*Error](err)
	if err != nil && !ok {
		return netip.Addr{}, err
	}
	if ok {
		address, err := netip.ParseAddr(answered.CallerIP)
		address = address.Unmap()
		public := address.Is4() && address.IsGlobalUnicast() && !address.IsPrivate()
		if err == nil && (public || address.IsLoopback()) {
			return address, nil
		}
	}
	return netip.Addr{}, &UnavailableError{Op: opCaller, Reason: "the answer names no usable address"}
}

func tokenQuery(token secret.Value) string { return "access_token=" + url.QueryEscape(token.Reveal()) }

// String tells the visitor's ids.
func (v Identity) String() string {
	return fmt.Sprintf("identity userid=%q openid=%q external=%q", v.UserID, v.OpenID, v.ExternalUserID)
}

// Format hides the ticket from fmt, whatever the verb.
func (v Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, v.String()) }

// LogValue hides the ticket from slog.
func (v Identity) LogValue() slog.Value { return slog.StringValue(v.String()) }

// String tells whose details these are.
func (d Detail) String() string { return fmt.Sprintf("detail userid=%q", d.UserID) }

// Format hides the phone from fmt, whatever the verb.
func (d Detail) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue hides the phone from slog.
func (d Detail) LogValue() slog.Value { return slog.StringValue(d.String()) }
