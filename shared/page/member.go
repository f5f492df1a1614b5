package page

import (
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The member's page: who am I, what may I open, where am I signed in, which applications
// know me. It has no script at all: what it does are forms.

// Member is the content of the member's page.
type Member struct {
	Language text.Language
	Self     string    // the page's own address, for the links of the languages
	Now      time.Time // which the page tells times from: it knows no time zone
	Version  string    // of the service, or empty

	Name        string
	WeComUserID string

	Applications []MemberApplication
	Sessions     []MemberSession // newest first
	Known        []KnownApplication
	// Unreadable says of a list that it could not be read, which is not the same as an
	// empty one.
	Unreadable struct{ Applications, Sessions, Known bool }

	// FailedRequest is the gateway's id of a request of this page that failed, or empty.
	FailedRequest string

	// Action is the address that the page's forms are posted to, and Session is in each of
	// them: the key of the session that the page is for.
	Action, Session string
	SignOut         string // the address to post to: it ends this session
	SignInAgain     string // signs in as somebody else
	Console         string // for administrators; empty for others
}

// The fields of the page's forms.
const (
	FieldAction      = "action"
	FieldSession     = "session"
	FieldKey         = "key"         // of the session to end
	FieldApplication = "application" // id
)

// The values of FieldAction.
const (
	MemberEnd           = "end"            // ends the session of FieldKey
	MemberEndOthers     = "end-others"     // ends all but this one
	MemberEndEverywhere = "end-everywhere" // ends all, and every sign-in to an application
	MemberWithdraw      = "withdraw"       // takes back the consent to FieldApplication
)

// MemberActions returns the values of FieldAction.
func MemberActions() []string {
	return []string{MemberEnd, MemberEndOthers, MemberEndEverywhere, MemberWithdraw}
}

// MemberApplication is an application that the member may open.
type MemberApplication struct {
	Title    string
	Homepage string // http or https
	Host     string // of Homepage
}

// MemberSession is a session of the member.
type MemberSession struct {
	Key     string
	Current bool // the one that asks
	// Browser and System are words of package store; others are unknown.
	Browser, System string
	InWeCom         bool
	Address         string // IP address; empty: unknown
	SignedInAt      time.Time
}

// KnownApplication is an application that has been told about the member.
type KnownApplication struct {
	ID, Title string
	// AgreedAt is when the member consented. Zero: the company has decided.
	AgreedAt time.Time
}

// shownSessions is how many sessions the page lists; hardly anybody has more.
const shownSessions = 20

type memberView struct {
	shell
	Page  Member
	Tiles []tileView
	Rows  []sessionView
	More  int  // sessions that are not listed
	Other bool // there is another session than this one
}

type tileView struct {
	MemberApplication
	Initial string
}

type sessionView struct {
	MemberSession
	Client, Place, When string
	Exactly             string // RFC 3339
}

// Member writes the page with status 200.
func (p *Pages) Member(w http.ResponseWriter, page Member) error {
	shared, err := p.shellIn(p.memberTexts, page.Language, page.Self)
	if err != nil {
		return err
	}
	shared.setHeading("member.title")
	shared.Heading, shared.Wide, shared.Version, shared.Script = page.Name, true, page.Version, ""
	if !likelyRequestID.MatchString(page.FailedRequest) {
		page.FailedRequest = ""
	}
	view := memberView{shell: shared, Page: page, Other: len(page.Sessions) > 1}
	for _, application := range page.Applications {
		view.Tiles = append(view.Tiles, tileView{application, initial(application.Title)})
	}
	for n, session := range page.Sessions {
		if n >= shownSessions && !session.Current {
			view.More++
			continue
		}
		view.Rows = append(view.Rows, view.session(session))
	}
	return p.writeWith(w, http.StatusOK, "member.html", view, strings.Replace(p.policy, p.scriptSource+"; ", "", 1))
}

// MoreText is how many sessions are not listed.
func (v memberView) MoreText() string { return strconv.Itoa(v.More) }

// initial returns the first character of a title, for those who look for its picture.
func initial(title string) string {
	for _, r := range strings.TrimSpace(title) {
		return string(unicode.ToUpper(r))
	}
	return ""
}

func (v *memberView) session(s MemberSession) sessionView {
	shown := sessionView{MemberSession: s, Client: v.client(s), Place: v.T("member.scan"), Exactly: s.SignedInAt.UTC().Format(time.RFC3339)}
	if s.InWeCom {
		shown.Place = v.T("member.wecom")
	}
	shown.When = v.when(v.Page.Now.Sub(s.SignedInAt))
	return shown
}

// client says in words in which browser a session began.
func (v *memberView) client(s MemberSession) string {
	system, knownSystem := map[string]string{
		"windows": "Windows", "macos": "macOS", "ios": "iOS", "android": "Android", "linux": "Linux",
	}[s.System]
	browser, knownBrowser := map[string]string{
		"wecom": v.T("browser.wecom"), "wechat": v.T("browser.wechat"),
		"chrome": "Chrome", "edge": "Edge", "safari": "Safari", "firefox": "Firefox",
	}[s.Browser]
	switch {
	case knownBrowser && knownSystem:
		return v.T("client.both", "browser", browser, "system", system)
	case knownBrowser:
		return browser
	case knownSystem:
		return v.T("client.system", "system", system)
	default:
		return v.T("client.unknown")
	}
}

// when says how long ago something was, in units whose short forms need no plural.
func (v *memberView) when(ago time.Duration) string {
	count := func(unit time.Duration) string { return strconv.Itoa(int(ago / unit)) }
	switch {
	case ago < time.Minute:
		return v.T("when.now")
	case ago < time.Hour:
		return v.T("when.minutes", "count", count(time.Minute))
	case ago < 48*time.Hour:
		return v.T("when.hours", "count", count(time.Hour))
	default:
		return v.T("when.days", "count", count(24*time.Hour))
	}
}

// AgreedOn returns the day of the consent.
func (a KnownApplication) AgreedOn() string { return a.AgreedAt.UTC().Format(time.DateOnly) }
