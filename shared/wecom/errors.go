package wecom

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Numbers of WeCom that the service treats by name (path 90313).
const (
	SystemBusy           = -1     // try again, at most three times
	InvalidCredential    = 40001  // the secret is wrong or was reset, or the app is disabled
	InvalidUserID        = 40003  // no such userid
	InvalidCorpID        = 40013  // no such corp
	InvalidToken         = 40014  // the access token is unknown, ended early or of another kind
	InvalidCode          = 40029  // the code is unknown, spent or older than 5 minutes
	InvalidAgentID       = 40056  // no such app
	TagNotFound          = 40068  // no such tag
	InvalidParameter     = 40058  // which number a bad user ticket gets is not documented
	SecretOfAnotherCorp  = 40091  // the secret is not of this corp
	TokenMissing         = 41001  // no access token in the query
	CorpIDMissing        = 41002  // gettoken without a corp
	SecretMissing        = 41004  // gettoken without a secret
	CodeMissing          = 41008  // getuserinfo without a code
	TokenExpired         = 42001  // the access token is over
	CodeExpired          = 42003  // the code is over
	RateLimited          = 45009  // too many calls, or too many wrong secrets from this address
	TooManyParallelCalls = 45033  // try again, with fewer at once
	APIForbidden         = 48002  // the app may not make this call
	RedirectUnauthorized = 50001  // the callback's host is not the app's, or the token is another app's
	AppDisabled          = 50003  // an administrator of the corp switched the app off
	OutOfScope           = 60011  // the member is outside of what the app may see
	PhoneNotFound        = 46004  // no member has the phone, or outside of what the app may see
	UntrustedIP          = 60020  // the caller's address is not among the app's trusted ones
	OutsideVisibleRange  = 60021  // the member is outside of what the app may see
	AppMayNotCall        = 60031  // the app may make no calls at all
	InvalidPhone         = 60103  // not a phone by WeCom's rules
	UserNotFound         = 60111  // no such member, or outside of what the app may see
	NoSuchPhone          = 60146  // like PhoneNotFound
	ForeignTag           = 81011  // the app may not see the tag
	WrongAgent           = 301002 // the token belongs to another app
	CorpBlocked          = 301007 // the corp was dissolved or banned
)

// meaning is the service's own words: errmsg changes at will, holds the caller's
// address, and is therefore never printed.
func meaning(code int) string {
	switch code {
	case SystemBusy:
		return "system busy"
	case InvalidCredential:
		return "secret refused or app disabled"
	case InvalidUserID:
		return "invalid userid"
	case InvalidCorpID, 2000002:
		return "invalid corp id"
	case InvalidToken:
		return "access token not valid"
	case InvalidCode:
		return "code unknown, spent or expired"
	case 40035, InvalidParameter, 40063:
		return "invalid parameter"
	case InvalidAgentID:
		return "invalid agent id"
	case TagNotFound:
		return "no such tag"
	case ForeignTag:
		return "the app may not see the tag"
	case SecretOfAnotherCorp:
		return "secret of another corp"
	case TokenMissing:
		return "access token missing"
	case CorpIDMissing:
		return "corp id missing"
	case SecretMissing:
		return "secret missing"
	case CodeMissing:
		return "code missing"
	case 41009:
		return "userid missing"
	case TokenExpired:
		return "access token expired"
	case CodeExpired:
		return "code expired"
	case RateLimited:
		return "too many calls"
	case TooManyParallelCalls:
		return "too many parallel calls"
	case 47001:
		return "body is not the JSON expected"
	case APIForbidden:
		return "app has no right to this call"
	case 48004, 48006:
		return "right withdrawn"
	case 48005:
		return "call retired"
	case 48009:
		return "details refused to the contact-sync secret"
	case RedirectUnauthorized:
		return "callback domain not trusted, or token of another app"
	case AppDisabled:
		return "app disabled"
	case UntrustedIP:
		return "caller's address not trusted"
	case AppMayNotCall:
		return "app may not make calls"
	case OutOfScope, 50002, OutsideVisibleRange:
		return "member outside of the visible range"
	case InvalidPhone:
		return "not a phone"
	case UserNotFound, PhoneNotFound, NoSuchPhone:
		return "member not found or outside of the visible range"
	case WrongAgent:
		return "access token of another app"
	case CorpBlocked:
		return "corp dissolved or banned"
	}
	return "no name known"
}

// Error says that WeCom answered with a number other than 0.
type Error struct {
	Op   string // the call, such as "getuserinfo"
	Code int    // WeCom's errcode
	// CallerIP is the address that WeCom saw the call come from, or empty when it
	// did not tell. It is for administrators, who must list it, and for nobody else;
	// the error's text does not have it.
	CallerIP string
}

// Error names the call and the number. Nothing of errmsg is in it.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: WeCom answered %d (%s)", e.Op, e.Code, meaning(e.Code))
}

// Retryable reports whether the call may be made again soon: nothing was done.
func (e *Error) Retryable() bool {
	return e.Code == SystemBusy || e.Code == TooManyParallelCalls
}

// TokenRejected reports whether the access token was not taken, so that the call
// may be made again with a fresh one. 40001 is not among them: WeCom bans the
// address of whoever keeps sending a wrong secret.
func (e *Error) TokenRejected() bool { return e.Code == InvalidToken || e.Code == TokenExpired }

// SaysNoMember reports whether the answer to user/get is that there is no such member, as far
// as the app may see.
func (e *Error) SaysNoMember() bool {
	switch e.Code {
	case UserNotFound, InvalidUserID, OutOfScope, OutsideVisibleRange:
		return true
	}
	return false
}

// SecretRefused reports whether gettoken refused corp or secret: another try with
// the same ones is useless and harmful.
func (e *Error) SecretRefused() bool {
	switch e.Code {
	case InvalidCredential, InvalidCorpID, SecretOfAnotherCorp, CorpIDMissing, SecretMissing:
		return true
	}
	return false
}

// Misconfigured reports whether the cause lies with the app, its secret, its
// domains or addresses, or with the access token: with something that fails for
// every member alike and that an administrator repairs.
func (e *Error) Misconfigured() bool {
	switch e.Code {
	case InvalidToken, TokenMissing, TokenExpired, InvalidAgentID,
		APIForbidden, 48004, 48005, 48006, 48009,
		RedirectUnauthorized, AppDisabled, UntrustedIP, AppMayNotCall, WrongAgent, CorpBlocked, 2000002:
		return true
	}
	return e.SecretRefused()
}

// PhoneMissed reports whether user/getuserid found nobody: a miss, by WeCom's count.
func (e *Error) PhoneMissed() bool {
	switch e.Code {
	case PhoneNotFound, NoSuchPhone, InvalidPhone, InvalidUserID, OutOfScope, UserNotFound:
		return true
	}
	return false
}

// UnavailableError says that there was no usable answer.
type UnavailableError struct {
	Op     string // the call, such as "getuserinfo"
	Reason string // what happened; never an address or a text of the answer
	// Unsent is true only when the request surely never reached WeCom.
	Unsent bool

	cause error // nil, context.Canceled or context.DeadlineExceeded
}

// Error names the call and the reason.
func (e *UnavailableError) Error() string { return e.Op + ": no usable answer from WeCom: " + e.Reason }

// Unwrap returns context.Canceled or context.DeadlineExceeded when that is why.
func (e *UnavailableError) Unwrap() error { return e.cause }

// TokenRejected reports whether err is WeCom's refusal of an access token.
func TokenRejected(err error) bool {
	answered, ok := errors.AsType[*Error](err)
	return ok && answered.TokenRejected()
}

// MayHaveArrived reports whether err is a lost answer to a call that spends
// something, and what it spent must count as used. A lost gettoken is none: the
// code was never sent then.
func MayHaveArrived(err error) bool {
	failure, ok := errors.AsType[*UnavailableError](err)
	if !ok || failure.Unsent {
		return false
	}
	switch failure.Op {
	case opToken, opMember, opAgent, opCaller, opTree, opNames, opTag:
		return false
	}
	return true
}

// callerIP finds the address in "…, from ip: 203.0.113.7, more info at …".
func callerIP(errmsg string) string {
	_, rest, found := strings.Cut(errmsg, "from ip:")
	if !found {
		return ""
	}
	text, _, _ := strings.Cut(strings.TrimSpace(rest), ",")
	text, _, _ = strings.Cut(text, " ")
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return ""
	}
	return address.String()
}
