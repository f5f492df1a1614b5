// What a test configures: companies, clock, choices, limits and the console.

package wecomsim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The lifetimes that WeCom documents.
const (
	// CodeLifetime is how long an unused code lives (D/91023).
	CodeLifetime = 300 * time.Second
	// TokenLifetime is how long an access token lives (D/91039).
	TokenLifetime = 7200 * time.Second
	// TicketLifetime is how long a user_ticket lives (D/91023).
	TicketLifetime = 1800 * time.Second
	// ConsentLifetime is how long a member is not asked again (D/91335).
	ConsentLifetime = 30 * 24 * time.Hour
	// TrustedIPDelay is how long saved trusted IPs take to work (60020 in D/90313).
	TrustedIPDelay = time.Minute
	// WrongSecretBlock is how long an IP with too many wrong secrets is blocked
	// (45009 in D/90313).
	WrongSecretBlock = time.Hour
)

// defaultMemberLimit is Corp.MemberLimit where none is given.
const defaultMemberLimit = 1000

// longest is the length in bytes of the longest code, token or ticket (D/91023,
// D/91039).
const longest = 512

// Config describes the WeCom to simulate.
type Config struct {
	// Corps are copied; later changes go through the methods of Simulator.
	Corps []Corp
	// Now is the simulator's clock; nil means time.Now. Slow, Hang and the answers
	// to events take real time all the same: they try the caller's patience.
	Now func() time.Time
	// Choices settle what WeCom leaves unconfirmed; the zero value is the
	// recommended choice everywhere.
	Choices Choices
	// Limits are the frequency limits; zero fields mean WeCom's figures.
	Limits Limits
	// ServiceURL is the address of the sign-in service. The start page links to
	// it. It may be empty.
	ServiceURL string
	// Client sends checks and events to receivers; nil means a plain one. It
	// follows no redirects either way.
	Client *http.Client
	// Console makes the handler of ConsolePath and everything below it, which
	// is console.New of the package beside this one; nil means no admin
	// console. It asks for no sign-in.
	Console func(*Simulator) http.Handler
}

// Validate reports every mistake in the configuration at once. New does not
// call it.
func (c Config) Validate() error {
	var mistakes []error
	report := func(wrong bool, format string, args ...any) {
		if wrong {
			mistakes = append(mistakes, fmt.Errorf(format, args...))
		}
	}
	corps := map[string]bool{}
	for _, corp := range c.Corps {
		report(corp.ID == "" || corps[corp.ID], "corp %q: the ID is empty or used twice", corp.ID)
		corps[corp.ID] = true
		known := func(departments []int) bool {
			return !slices.ContainsFunc(departments, func(id int) bool { return id != RootDepartment && corp.department(id) == nil })
		}
		for i, d := range corp.Departments {
			report(d.ID < 1 || corp.department(d.ID) != &corp.Departments[i] || d.ParentID != 0 && !known([]int{d.ParentID}), "corp %s: department %d: the ID is invalid or used twice, or the parent is unknown", corp.ID, d.ID)
		}
		for i, t := range corp.Tags {
			report(t.ID < 1 || corp.tag(t.ID) != &corp.Tags[i] || !known(t.Departments), "corp %s: tag %d: the ID is invalid or used twice, or a department is unknown", corp.ID, t.ID)
		}
		agents, users := map[string]bool{}, map[string]bool{}
		for _, a := range corp.Apps {
			name := fmt.Sprintf("corp %s: app %q", corp.ID, a.AgentID)
			report(a.AgentID == "" || strings.Trim(a.AgentID, "0123456789") != "" || agents[a.AgentID], "%s: the AgentID is not a number or is used twice", name)
			agents[a.AgentID] = true
			report(a.Receiver != (Receiver{}) && a.Receiver.validate() != nil, "%s: the receiver is incomplete", name)
			report(a.Secret == "", "%s: the secret is empty", name)
			report(strings.ContainsAny(a.TrustedDomain+a.CallbackDomain, "/*? "), "%s: a domain must be host or host:port", name)
			for _, f := range a.Fields {
				report(!slices.Contains(AllFields(), f), "%s: unknown field %q", name, f)
			}
		}
		for _, m := range corp.Members {
			key := corp.fold(m.UserID)
			report(key == "" || strings.Contains(key, "/") || len(key) > 64 || users[key], "corp %s: UserID %q is invalid or used twice", corp.ID, m.UserID)
			users[key] = true
			report(!slices.Contains([]int{0, StatusActive, StatusDisabled, StatusNotActivated, StatusLeft}, m.Status), "corp %s: member %s: unknown status %d", corp.ID, m.UserID, m.Status)
			report(!known(m.Departments), "corp %s: member %s: unknown department", corp.ID, m.UserID)
		}
		for _, o := range corp.Outsiders {
			report(o.OpenID == "" || len(o.OpenID) > 64, "corp %s: invalid OpenID %q", corp.ID, o.OpenID)
		}
	}
	return errors.Join(mistakes...)
}

// TokenRepeat is what gettoken answers while an earlier token is valid.
type TokenRepeat int

const (
	// SameTokenRemainingLife gives the same token and its remaining seconds.
	SameTokenRemainingLife TokenRepeat = iota
	// SameTokenFullLife gives the same token and claims 7200 seconds, though it
	// expires earlier.
	SameTokenFullLife
	// NewTokenKeepsOld gives a new token; the old one stays valid.
	NewTokenKeepsOld
	// NewTokenKillsOld gives a new token; the old one answers 40014 from now on.
	NewTokenKillsOld
)

// Choices switch what WeCom leaves unconfirmed. The package comment explains
// each field; the zero value is the recommended choice everywhere.
type Choices struct {
	// In-client links and browser login.
	AnyBrowserIsClient        bool // for demonstrations; the pages say so
	PersonalWeChatGivesUserID bool
	AnyState                  bool
	ParameterOrderMatters     bool
	PrivateInfoNeedsAgentID   bool
	RefusalStays              bool
	AskAgainAfterRefusal      bool
	WebDenialStays            bool

	// Tokens.
	TokenRepeat            TokenRepeat
	GetTokenChecksIP       bool
	ExpiredTokenIsInvalid  bool
	SecretResetKeepsTokens bool
	LoopbackTrustedIPs     bool // for demonstrations; the console says so
	TrustedIPsAtOnce       bool

	// Errcodes; 0 means the recommended one.
	GetInsteadOfPost int
	SpentCode        int
	BadTicket        int
	DetailOutOfRange int
	UserNotFound     int

	// Other answers.
	TicketIsSingleUse     bool
	DefaultAvatarIsAbsent bool
	LeftMemberIsReadable  bool
	LastPageWithoutCursor bool
	BareErrors            bool
	NoErrcodeOnSuccess    bool
	LongestValues         bool
	RequireTLS            bool
	AnyStatusIsTaken      bool
}

// Limits are the frequency limits. Zero means the figure in brackets, a
// negative number means no limit.
type Limits struct {
	// CorpPerMinute counts calls of one API by one corp (10,000; D/90454).
	CorpPerMinute int
	// Parallel counts calls of one API by one corp at the same time (400, seen
	// by users, not documented).
	Parallel int
	// WrongSecrets counts wrong secrets from one IP within an hour (10, our
	// choice).
	WrongSecrets int
	// LookupMisses counts phones and mail addresses of one corp that are looked up
	// and not found (a fifth of Corp.MemberLimit; D/95402), within LookupPeriod (24
	// hours), which is also how long both calls then stay closed.
	LookupMisses int
	LookupPeriod time.Duration
}
