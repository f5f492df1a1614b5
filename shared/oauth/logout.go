package oauth

import (
	"context"
	"errors"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// LogoutInput is a browser at the logout endpoint.
type LogoutInput struct {
	Call
	Parameters string   // the raw query of a GET, or the form of a POST
	Session    *Session // the browser's live session; nil: none
	// Proof is that of the page on which the member has agreed; empty: not asked yet.
	Proof string
}

// LogoutKind is what happens to a browser at the logout endpoint.
type LogoutKind int

// The kinds of logout decisions.
const (
	// AskLogout asks the member, on a page that sends Parameters and Proof back by POST.
	AskLogout LogoutKind = iota
	// EndSession ends the session with its lineage, and goes on as SignedOut does.
	EndSession
	// SignedOut redirects to URL, or shows that the member is signed out if it is empty.
	SignedOut
	// ShowLogoutError shows a page with Refusal, and changes nothing.
	ShowLogoutError
)

// LogoutDecision is what the logout endpoint answers.
type LogoutDecision struct {
	Kind        LogoutKind
	Application store.Application // the one that asks; zero: unknown
	URL         string            // registered, with the state; or empty
	Proof       string            // for AskLogout
	// Refusal says why URL is empty although an address was asked for; otherwise nil.
	Refusal *Error
}

// Logout decides on a logout request (OpenID Connect RP-Initiated Logout). The error is a
// failure of the system.
func (p *Provider) Logout(ctx context.Context, in LogoutInput) (LogoutDecision, error) {
	return LogoutDecision{}, errors.ErrUnsupported
}
