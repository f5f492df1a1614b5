package apierr

import (
	"errors"
	"fmt"
)

// Code is the stable name of an error: API callers branch on it, and the sign-in page
// explains it in every language. Codes are never renamed.
type Code string

// Codes of the sign-in page (query parameter error of GET /signin).
const (
	StateInvalid          Code = "state_invalid"          // this browser was not given this state
	StateExpired          Code = "state_expired"          // the attempt is older than 15 minutes
	CookiesBlocked        Code = "cookies_blocked"        // the browser lost the attempt's cookie twice in a row
	AccessDenied          Code = "access_denied"          // the member refused, WeCom sent no code
	CodeInvalid           Code = "code_invalid"           // WeCom's 40029: unknown, spent or older than 5 minutes
	NotAMember            Code = "not_a_member"           // WeCom knows the person only by an openid
	OtherCorp             Code = "other_corp"             // a member of an interconnected corp (CorpId/userid)
	FirstSignInInWeCom    Code = "first_sign_in_in_wecom" // a phone is needed, and only WeCom's client gives one
	PhoneNotShared        Code = "phone_not_shared"       // the member or the administrator did not share it
	PhoneInvalid          Code = "phone_invalid"          // WeCom's mobile is not a telephone number
	PhoneInUse            Code = "phone_in_use"           // the phone belongs to another member of this corp
	SignupClosed          Code = "signup_closed"          // no user has this phone and autoSignup is off
	UserDisabled          Code = "user_disabled"          // here, or in WeCom (status 2 or 5)
	NotAllowed            Code = "not_allowed"            // the authenticator is not for this member
	AuthenticatorUnknown  Code = "authenticator_unknown"  // no authenticator of this name
	AuthenticatorDisabled Code = "authenticator_disabled" // it exists and is disabled
	RedirectLoop          Code = "redirect_loop"          // the application keeps redirecting back
	WeComBusy             Code = "wecom_busy"             // −1 or 45033 to the end, 45009
	WeComUnavailable      Code = "wecom_unavailable"      // no usable answer from WeCom
	WeComConfiguration    Code = "wecom_configuration"    // an administrator must change something
	Internal              Code = "internal"               // ours: a bug or a store that does not answer
)

// Codes of the JSON API alone.
const (
	InvalidRequest   Code = "invalid_request"        // 400: Field names the wrong member when there is one
	Unauthorized     Code = "unauthorized"           // 401: no active session
	Forbidden        Code = "forbidden"              // 403: a foreign origin, or not an administrator
	NotFound         Code = "not_found"              // 404
	MethodNotAllowed Code = "method_not_allowed"     // 405
	AlreadyExists    Code = "already_exists"         // 409: the name is taken
	AutoLoginTaken   Code = "auto_login_taken"       // 409: another authenticator holds it; Detail names it
	PhoneTaken       Code = "phone_taken"            // 409: another user has this phone
	TooManySecrets   Code = "too_many_secrets"       // 409: the application has two already
	SecretNotAllowed Code = "secret_not_allowed"     // 409: applications of this kind have no secrets
	DuplicatePhone   Code = "duplicate_phone"        // a row of an import repeats a phone of the same file
	VersionMismatch  Code = "version_mismatch"       // 412: If-Match does not name the present version
	PayloadTooLarge  Code = "payload_too_large"      // 413
	UnsupportedMedia Code = "unsupported_media_type" // 415
	TooManyRequests  Code = "too_many_requests"      // 429
)

// Error is an error with a code. apigw.Status maps the code to an HTTP status.
type Error struct {
	Code   Code
	Field  string // JSON name of the wrong member of the request, or empty
	Detail string // one sentence that the caller may read; no secret, no cause
	Err    error  // the cause, for the log only
}

// New returns an error with a cause, which may be nil.
func New(code Code, cause error) *Error { return &Error{Code: code, Err: cause} }

// Newf returns an error whose cause is formatted as by fmt.Errorf.
func Newf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Err: fmt.Errorf(format, args...)}
}

// Invalid returns an InvalidRequest for one field, with a sentence for the caller.
func Invalid(field, detail string) *Error {
	return &Error{Code: InvalidRequest, Field: field, Detail: detail}
}

// Error describes the error for the log.
func (e *Error) Error() string {
	text := string(e.Code)
	if e.Field != "" {
		text += " (" + e.Field + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// From returns the *Error in err, or Internal with err as its cause.
func From(err error) *Error {
	if known, ok := errors.AsType[*Error](err); ok {
		return known
	}
	return New(Internal, err)
}

// Is reports whether err is an *Error with the given code.
func Is(err error, code Code) bool {
	known, ok := errors.AsType[*Error](err)
	return ok && known.Code == code
}
