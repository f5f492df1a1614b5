package wecom

import (
	"errors"
	"fmt"
)

// WeCom's numbers that decide something here (90313).
const (
	SystemBusy           = -1
	InvalidSecret        = 40001 // wrong, reset, or the app is disabled: never tried again, WeCom bans the IP
	InvalidCorpID        = 40013
	InvalidToken         = 40014
	InvalidCode          = 40029 // unknown, spent, or older than 5 minutes
	InvalidAgentID       = 40056
	SecretOfAnotherCorp  = 40091
	TokenMissing         = 41001
	CorpIDMissing        = 41002
	SecretMissing        = 41004
	CodeMissing          = 41008
	TokenExpired         = 42001
	CodeExpired          = 42003
	RateLimited          = 45009 // also the hour's ban after many wrong secrets
	TooManyParallelCalls = 45033
	APIForbidden         = 48002
	RedirectUnauthorized = 50001 // not the app's trusted domain, or another app's token
	AppDisabled          = 50003
	AddressNotTrusted    = 60020
	OutOfScope           = 60011
	AppMayNotCall        = 60031
	UserNotFound         = 60111 // no such member, gone, or outside the visible range
)

// Error is a refusal by WeCom. Its text is ours: errmsg holds the caller's address
// and changes at will, so it is never printed.
type Error struct {
	Op       string // the API, for example auth/getuserinfo
	Code     int    // errcode
	callerIP string
}

func (e *Error) Error() string { return fmt.Sprintf("wecom %s: errcode %d", e.Op, e.Code) }

// CallerIP returns the address WeCom saw the call come from, or empty. It is for
// the administrator, who must list it, and for nobody else.
func (e *Error) CallerIP() string { return e.callerIP }

// Retryable reports whether the same call may succeed in a moment: the request was
// answered and not carried out.
func (e *Error) Retryable() bool { return e.Code == SystemBusy || e.Code == TooManyParallelCalls }

// Misconfigured reports whether an administrator must repair the app, its secret or
// its trusted addresses.
func (e *Error) Misconfigured() bool {
	switch e.Code {
	case InvalidSecret, InvalidCorpID, InvalidToken, InvalidAgentID, SecretOfAnotherCorp, TokenMissing, CorpIDMissing, SecretMissing,
		TokenExpired, APIForbidden, RedirectUnauthorized, AppDisabled, AddressNotTrusted, AppMayNotCall:
		return true
	}
	return false
}

// SecretRefused reports whether WeCom refused corp and secret themselves. Asking
// again brings a ban, so it must be remembered.
func SecretRefused(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch refused.Code {
	case InvalidSecret, InvalidCorpID, SecretOfAnotherCorp, CorpIDMissing, SecretMissing:
		return true
	}
	return false
}

// TokenRejected reports whether WeCom no longer takes the access token: the call
// was not carried out, and a fresh token may help, once.
func TokenRejected(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && (refused.Code == InvalidToken || refused.Code == TokenExpired)
}

// UnavailableError says that WeCom gave no usable answer.
type UnavailableError struct {
	Op     string
	Reason string // ours, without address or content
	// Unsent is true when the request surely never reached WeCom.
	Unsent bool
}

func (e *UnavailableError) Error() string { return "wecom " + e.Op + ": " + e.Reason }

// MayHaveArrived reports whether a failed call may have been carried out all the
// same: the answer was lost, and a code in it counts as used.
func MayHaveArrived(err error) bool {
	unavailable, ok := errors.AsType[*UnavailableError](err)
	return ok && !unavailable.Unsent
}
