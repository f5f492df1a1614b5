package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// AuthorizeInput is a browser at the authorization endpoint.
type AuthorizeInput struct {
	Call
	// RawQuery is the authorization request: the one of this HTTP request, or the one that
	// this browser has kept while the member signed in.
	RawQuery string
	// Session is the browser's live session; nil: none.
	Session *Session
	// Begun is when this browser brought a kept request first; zero: now. A session that
	// began since then answers prompt=login and max_age.
	Begun time.Time
	// Answer is what the member chose on the consent page, and Proof the page's own.
	Answer Answer
	Proof  string
}

// Answer is a member's answer on the consent page.
type Answer int

// The answers.
const (
	NoAnswer Answer = iota
	Agreed
	Refused
)

// DecisionKind is what happens to a browser at the authorization endpoint. The zero value
// is a page that refuses.
type DecisionKind int

// The kinds of decisions, with the fields that they use beside Application and Request.
const (
	// ShowError shows a page with Refusal. The browser is not sent to RedirectURI, which
	// may be anybody's. Application is zero if it is not known.
	ShowError DecisionKind = iota
	// RedirectBack redirects to URL, by 302 or 303, with a code, or with Refusal.
	RedirectBack
	// SignIn has the member sign in as SignIn says, and comes back with this RawQuery.
	SignIn
	// AskConsent shows the consent page for Consent.
	AskConsent
	// ShowNotAllowed shows a page that the application is not for this member. It offers
	// URL, which takes access_denied back, as a link.
	ShowNotAllowed
)

// Decision is what the authorization endpoint answers.
type Decision struct {
	Kind        DecisionKind
	Application store.Application
	Request     AuthorizationRequest
	URL         string
	Refusal     *Error // nil with a code
	SignIn      SignInRequest
	Consent     ConsentRequest
}

// SignInRequest says which sign-in an application waits for.
type SignInRequest struct {
	// Authenticators are the names of those that may be used, enabled or not; empty: all.
	Authenticators []string
	// Again is set when the session that there is will not do.
	Again bool
}

// ConsentRequest says what a member is asked to agree to.
type ConsentRequest struct {
	Scopes []string // all that the application asks for, agreed to before or not
	Proof  string   // comes back with the answer; it fits this session and this RawQuery
}

// Authorize decides on an authorization request. The error is a failure of the system.
func (p *Provider) Authorize(ctx context.Context, in AuthorizeInput) (Decision, error) {
	return Decision{}, errors.ErrUnsupported
}
