package oauth

import (
	"errors"
	"fmt"
)

// ErrorCode is the error of an answer, as the standards name it.
type ErrorCode string

// The error codes in use.
const (
	// RFC 6749 §4.1.2.1 and §5.2.
	InvalidRequest          ErrorCode = "invalid_request"
	InvalidClient           ErrorCode = "invalid_client"
	InvalidGrant            ErrorCode = "invalid_grant"
	InvalidScope            ErrorCode = "invalid_scope"
	UnauthorizedClient      ErrorCode = "unauthorized_client"
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"
	UnsupportedResponseType ErrorCode = "unsupported_response_type"
	AccessDenied            ErrorCode = "access_denied"
	// OpenID Connect Core §3.1.2.6, and OpenID Connect Unmet Authentication Requirements.
	LoginRequired                  ErrorCode = "login_required"
	ConsentRequired                ErrorCode = "consent_required"
	RequestNotSupported            ErrorCode = "request_not_supported"
	RequestURINotSupported         ErrorCode = "request_uri_not_supported"
	RegistrationNotSupported       ErrorCode = "registration_not_supported"
	UnmetAuthenticationRequirement ErrorCode = "unmet_authentication_requirements"
	// RFC 6750 §3.1.
	InvalidToken      ErrorCode = "invalid_token"
	InsufficientScope ErrorCode = "insufficient_scope"
	// TemporarilyUnavailable (RFC 6749 §4.1.2.1) says of an application that did not take a
	// logout token that it is told again.
	TemporarilyUnavailable ErrorCode = "temporarily_unavailable"
)

// Cause says in a word why a sign-in to an application ended as it did. Administrators read
// it in the application's attempts, where the console explains it; it is never renamed.
type Cause string

// The causes.
const (
	// Of the request.
	CauseMalformed            Cause = "malformed"             // an encoding or a value that does not parse
	CauseRepeatedParameter    Cause = "repeated_parameter"    // a parameter was there twice
	CauseTooLong              Cause = "too_long"              // a parameter is longer than allowed
	CauseMissingParameter     Cause = "missing_parameter"     // a required parameter is absent
	CauseApplicationUnknown   Cause = "application_unknown"   // no application has this client id
	CauseApplicationDisabled  Cause = "application_disabled"  // or replaced since the grant began
	CauseApplicationKind      Cause = "application_kind"      // a proxy application has no tokens to ask for
	CauseRedirectMissing      Cause = "redirect_missing"      // no redirect_uri
	CauseRedirectMismatch     Cause = "redirect_mismatch"     // not one of those registered, or another one than for the code
	CauseResponseType         Cause = "response_type"         // something else than "code"
	CauseResponseMode         Cause = "response_mode"         // something else than "query"
	CauseScope                Cause = "scope"                 // without openid, or more than was granted
	CauseRequestObject        Cause = "request_object"        // request, request_uri or registration
	CausePrompt               Cause = "prompt"                // unknown, or none with others
	CausePKCEMissing          Cause = "pkce_missing"          // required and not there, or no verifier for a challenge
	CausePKCEMethod           Cause = "pkce_method"           // something else than S256
	CausePKCEMismatch         Cause = "pkce_mismatch"         // the verifier does not fit the challenge
	CauseClaims               Cause = "claims"                // the claims parameter does not parse
	CauseLogoutRedirect       Cause = "logout_redirect"       // post_logout_redirect_uri is not registered
	CauseGrantType            Cause = "grant_type"            // neither authorization_code nor refresh_token
	CauseForgedAnswer         Cause = "forged_answer"         // a page's answer was not made for this browser
	CauseHintOfAnother        Cause = "hint_of_another"       // id_token_hint is of another member or application
	CauseAuthenticationMethod Cause = "authentication_method" // two methods at once, or an unknown one
	CauseSecretMissing        Cause = "secret_missing"        // a confidential application sent none
	CauseSecretWrong          Cause = "secret_wrong"          // none of its secrets, or a public application sent one
	// Of the member and the session.
	CauseNotSignedIn        Cause = "not_signed_in"            // prompt=none without a session that fits
	CauseNotAllowed         Cause = "not_allowed"              // the application is not for this member
	CauseConsentMissing     Cause = "consent_missing"          // prompt=none without consent, or it was withdrawn
	CauseConsentRefused     Cause = "consent_refused"          // the member said no
	CauseACRUnmet           Cause = "acr_unmet"                // an essential acr was not reached
	CauseUserEnded          Cause = "user_ended"               // disabled, deleted, or all sessions were ended
	CauseSessionEnded       Cause = "session_ended"            // the lineage has ended or expired
	CauseAuthenticatorEnded Cause = "authenticator_ended"      // disabled, deleted, changed, or not for this application
	CauseOtherApplication   Cause = "other_application"        // code or token of another application
	CauseCodeUnknown        Cause = "code_unknown"             // no such code, or long gone
	CauseCodeExpired        Cause = "code_expired"             // older than CodeLifetime
	CauseCodeUsedTwice      Cause = "code_used_twice"          // the grant was revoked for it
	CauseTokenMalformed     Cause = "token_malformed"          // not a token of this service for this application
	CauseTokenExpired       Cause = "token_expired"            // unused for the application's lifetime of refresh tokens
	CauseTokenUsedTwice     Cause = "refresh_token_used_twice" // of an old generation: the grant was revoked
	CauseGrantRevoked       Cause = "grant_revoked"            // by the application, the member, or after a second use
	CauseGrantGone          Cause = "grant_gone"               // no such grant
	CauseSigningKeysMissing Cause = "signing_keys_missing"     // a proxy application wants tokens, which this deployment gives none
	// Of telling the application that a session has ended, by the function notify.
	CauseBackchannelLogout      Cause = "backchannel_logout"      // it has taken the logout token
	CauseBackchannelRefused     Cause = "backchannel_refused"     // it has answered 400
	CauseBackchannelStatus      Cause = "backchannel_status"      // it has answered neither 200, 204 nor 400; redirects are not followed
	CauseBackchannelTimeout     Cause = "backchannel_timeout"     // it has not answered in time
	CauseBackchannelUnreachable Cause = "backchannel_unreachable" // no such name, or no connection
	CauseBackchannelCertificate Cause = "backchannel_certificate" // not one that is valid for its name
	CauseBackchannelAddress     Cause = "backchannel_address"     // not https, or a private, loopback or link-local address
)

// Causes returns all causes, so that tests find one that the console does not explain.
func Causes() []Cause {
	return []Cause{
		CauseMalformed, CauseRepeatedParameter, CauseTooLong, CauseMissingParameter, CauseApplicationUnknown,
		CauseApplicationDisabled, CauseApplicationKind, CauseRedirectMissing, CauseRedirectMismatch,
		CauseResponseType, CauseResponseMode, CauseScope, CauseRequestObject, CausePrompt, CausePKCEMissing,
		CausePKCEMethod, CausePKCEMismatch, CauseClaims, CauseLogoutRedirect, CauseGrantType, CauseForgedAnswer,
		CauseHintOfAnother, CauseAuthenticationMethod, CauseSecretMissing, CauseSecretWrong, CauseNotSignedIn,
		CauseNotAllowed, CauseConsentMissing, CauseConsentRefused, CauseACRUnmet, CauseUserEnded,
		CauseSessionEnded, CauseAuthenticatorEnded, CauseOtherApplication, CauseCodeUnknown, CauseCodeExpired,
		CauseCodeUsedTwice, CauseTokenMalformed, CauseTokenExpired, CauseTokenUsedTwice, CauseGrantRevoked,
		CauseGrantGone, CauseSigningKeysMissing, CauseBackchannelLogout, CauseBackchannelRefused, CauseBackchannelStatus, CauseBackchannelTimeout,
		CauseBackchannelUnreachable, CauseBackchannelCertificate, CauseBackchannelAddress,
	}
}

// Error is a refusal in the words of the standards. Any other error of this package is a
// failure of the system.
type Error struct {
	Code  ErrorCode
	Cause Cause
	// Description is one sentence for the application's developer (error_description), in
	// the characters that RFC 6749 allows, without anything that came with the request.
	Description string
	// Basic is set when the application used HTTP Basic: a 401 then has a challenge.
	Basic bool
}

func (e *Error) Error() string { return fmt.Sprintf("%s (%s)", e.Code, e.Cause) }

func refuse(code ErrorCode, cause Cause, description string) *Error {
	return &Error{Code: code, Cause: cause, Description: description}
}

// RefusalOf returns the refusal that err is; ok is false for a failure of the system.
func RefusalOf(err error) (refusal *Error, ok bool) { return errors.AsType[*Error](err) }
