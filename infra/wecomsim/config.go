package wecomsim

import (
	"errors"
	"fmt"
	"io"
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

// longest is the longest code, token or ticket in bytes (D/91023, D/91039).
const longest = 512

// Config describes the WeCom to simulate.
type Config struct {
	// Corps are copied; later changes go through the methods of Simulator.
	Corps []Corp
	// Now is the simulator's clock; nil means time.Now. Delays of answers are
	// real time all the same: they are about the caller's patience.
	Now func() time.Time
	// Rand gives codes, tokens and the dice of random faults; nil means
	// crypto/rand.
	Rand io.Reader
	// Choices settle what is unknown about the real WeCom; the zero value is
	// the recommended choice everywhere.
	Choices Choices
	// Limits are the frequency limits; zero fields mean the documented figures.
	Limits Limits
	// ServiceURL is where the service under trial lives. The start page links
	// to it. It may be empty.
	ServiceURL string
	// Console offers the pages of the admin console at /wecomsim/console. They
	// ask nobody who they are: whoever reaches the simulator may use them.
	Console bool
}

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var faults []error
	seen := map[string]bool{}
	for _, corp := range c.Corps {
		if seen[corp.ID] {
			faults = append(faults, fmt.Errorf("corp %s is there twice", corp.ID))
		}
		seen[corp.ID] = true
		faults = append(faults, corp.Validate())
	}
	return errors.Join(faults...)
}

// TokenRepeat says what gettoken answers while an earlier token is valid.
type TokenRepeat int

const (
	// SameTokenRemainingLife gives the same token and its remaining seconds.
	SameTokenRemainingLife TokenRepeat = iota
	// SameTokenFullLife gives the same token and claims 7200 seconds, though it
	// dies earlier.
	SameTokenFullLife
	// NewTokenKeepsOld gives a new token; the old one stays valid.
	NewTokenKeepsOld
	// NewTokenKillsOld gives a new token; the old one answers 40014 from now on.
	NewTokenKillsOld
)

// Choices settle what is unknown or contradictory about the real WeCom, one
// field each. The zero value is the choice described in the package comment.
type Choices struct {
	// AnyBrowserIsClient treats every User-Agent as the WeCom client at the
	// in-client authorize page. It is for demonstrations, is written on the
	// pages, and is never faithful.
	AnyBrowserIsClient bool
	// PersonalWeChatGivesUserID lets a member in personal WeChat (the WeChat
	// plug-in) be seen by userid instead of openid.
	PersonalWeChatGivesUserID bool

	// AnyState passes a state outside [A-Za-z0-9]{0,128} through unchanged.
	AnyState bool
	// ParameterOrderMatters refuses in-client links whose parameters are not in
	// the documented order.
	ParameterOrderMatters bool
	// FragmentIsOptional lets Follow, which plays the client, go on with an
	// in-client link that does not end in #wechat_redirect.
	FragmentIsOptional bool
	// PrivateInfoNeedsAgentID answers snsapi_privateinfo without agentid with an
	// error page instead of silently giving a code of scope base.
	PrivateInfoNeedsAgentID bool
	// RefusalStays keeps a refusing member on a WeCom page instead of sending
	// the browser back with state only.
	RefusalStays bool
	// AskAgainAfterRefusal shows the consent page again at the next visit. By
	// default a refusal stands for 30 days like any other answer.
	AskAgainAfterRefusal bool
	// WebDenialStays is RefusalStays for the new browser login.
	WebDenialStays bool

	// TokenRepeat is the answer of gettoken while a token is valid.
	TokenRepeat TokenRepeat
	// GetTokenChecksIP makes gettoken answer 60020 too.
	GetTokenChecksIP bool
	// ExpiredTokenIsInvalid answers 40014 for an expired token, not 42001.
	ExpiredTokenIsInvalid bool
	// SecretResetKeepsTokens keeps the tokens of the old secret valid.
	SecretResetKeepsTokens bool

	// GetInsteadOfPost is the code for a wrong method; 0 means 40063.
	GetInsteadOfPost int
	// BadTicket is the code for a bad user_ticket; 0 means 40058.
	BadTicket int
	// TicketIsSingleUse lets a user_ticket work once only.
	TicketIsSingleUse bool
	// DetailOutOfRange is getuserdetail's code for a member who left the visible
	// range; 0 means 60011.
	DetailOutOfRange int
	// DefaultAvatarIsAbsent leaves avatar out when it was not agreed to, instead
	// of giving the default picture.
	DefaultAvatarIsAbsent bool
	// UserNotFound is user/get's code for a member who is unknown, gone or out
	// of range; 0 means 60111. The other one in the field is 60011.
	UserNotFound int
	// LeftMemberIsReadable keeps a member of status 5 a member who can sign in
	// and is answered by user/get with that status.
	LeftMemberIsReadable bool

	// LoopbackTrustedIPs lets the console take loopback addresses as trusted
	// IPs. It is for demonstrations on one machine, whose calls have no public
	// address, and is written on the page.
	LoopbackTrustedIPs bool
	// TrustedIPsAtOnce lets trusted IPs that the console saved work at once, not
	// after TrustedIPDelay.
	TrustedIPsAtOnce bool

	// BareErrors leaves hint, IP and empty fields out of error answers.
	BareErrors bool
	// NoErrcodeOnSuccess leaves errcode and errmsg out of good answers.
	NoErrcodeOnSuccess bool
	// LongestValues makes codes, tokens and tickets as long as WeCom allows.
	LongestValues bool
	// RequireTLS answers API calls over plain HTTP with 301 to https.
	RequireTLS bool
}

// Limits are the frequency limits. Zero means the documented figure, a
// negative number means no limit.
type Limits struct {
	// CorpPerMinute and CorpPerHour count calls of one API by one corp
	// (10,000 and 150,000; D/90454).
	CorpPerMinute, CorpPerHour int
	// IPPerMinute and IPPerHour count calls of one API from one IP
	// (20,000 and 600,000; D/90454).
	IPPerMinute, IPPerHour int
	// Parallel is the number of calls of one API by one corp that may run at a
	// time (400: seen by users, not documented).
	Parallel int
	// WrongSecrets from one IP within an hour block the IP (10, our choice).
	WrongSecrets int
	// FailuresPerHour from one IP block the IP for an hour (2,000, staff).
	FailuresPerHour int
	// DebugPerMinute counts calls with debug=1 per API (5; 45009 in D/90313).
	DebugPerMinute int
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, standard int) {
		if *v == 0 {
			*v = standard
		}
	}
	set(&l.CorpPerMinute, 10_000)
	set(&l.CorpPerHour, 150_000)
	set(&l.IPPerMinute, 20_000)
	set(&l.IPPerHour, 600_000)
	set(&l.Parallel, 400)
	set(&l.WrongSecrets, 10)
	set(&l.FailuresPerHour, 2_000)
	set(&l.DebugPerMinute, 5)
	return l
}

func orCode(choice, standard int) int {
	if choice == 0 {
		return standard
	}
	return choice
}
