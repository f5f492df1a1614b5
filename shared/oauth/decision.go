package oauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
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
	// Ended is set when the lineage of the session has ended: by a sign-out at this moment,
	// or by one that failed half-way, and then the session must be ended, too.
	Ended bool
}

// ConsentRequest says what a member is asked to agree to.
type ConsentRequest struct {
	Scopes []string // all that the application asks for, agreed to before or not
	Proof  string   // comes back with the answer; it fits this session and this RawQuery
}

// Authorize decides on an authorization request. The error is a failure of the system.
//
// Remote calls, beside those for an application that is not in the cache: CreateGrant for a
// code, and before it Consent, and PutConsent for an answer, for an application that is not
// first-party.
func (p *Provider) Authorize(ctx context.Context, in AuthorizeInput) (Decision, error) {
	request, err := ParseAuthorizationRequest(in.RawQuery)
	d := Decision{Request: request}
	d.Refusal, _ = RefusalOf(err)
	if request.ClientID == "" {
		return d, nil
	}
	application, err := p.application(ctx, request.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		d.Refusal = refuse(InvalidClient, CauseApplicationUnknown, "No application has this client_id.")
		return d, nil
	case err != nil:
		return Decision{}, err
	}
	d.Application = application
	if application.Kind == store.KindBrowser {
		// A page keeps its tokens where a script of somebody else may find them: they end
		// with the session (RFC 10017), and the answered scope says so.
		d.Request.Scopes = slices.DeleteFunc(d.Request.Scopes, func(s string) bool { return s == claims.ScopeOfflineAccess })
	}
	if application.Kind == store.KindProxy {
		d.Request.Scopes = proxyScopes()
		d.Application.RedirectURIs = []string{p.proxyRedirectURI(application, in.Issuer)} // for administrators to see
	}
	r := &authorization{provider: p, in: in, request: d.Request, application: application, decision: d}
	switch {
	case d.Refusal != nil: // without a redirect URI
		return r.showError(ctx, d.Refusal), nil
	case !application.Enabled:
		return r.showError(ctx, refuse(UnauthorizedClient, CauseApplicationDisabled, "The application is disabled.")), nil
	case !p.matchRedirectURI(application, in.Issuer, request.RedirectURI):
		return r.showError(ctx, refuse(InvalidRequest, CauseRedirectMismatch, "redirect_uri is not one of those registered.")), nil
	}
	// From here on the browser may be sent to RedirectURI.
	if refusal := r.refusal(); refusal != nil {
		return r.redirectError(ctx, refusal), nil
	}
	return r.decide(ctx)
}

// authorization is one authorization request while it is decided.
type authorization struct {
	provider    *Provider
	in          AuthorizeInput
	request     AuthorizationRequest
	application store.Application
	decision    Decision // as far as it is known
}

// refusal returns why the request is refused whatever the session, or nil.
func (r *authorization) refusal() *Error {
	switch {
	case r.request.Refusal != nil:
		return r.request.Refusal
	case r.request.CodeChallenge == "" && (r.application.Kind != store.KindWeb || r.application.RequirePKCE):
		return refuse(InvalidRequest, CausePKCEMissing, "This application must send a code_challenge (PKCE, RFC 7636).")
	case !r.meetsACR(claims.ACRs()...):
		return refuse(UnmetAuthenticationRequirement, CauseACRUnmet, "The essential acr is not one of acr_values_supported.")
	}
	return nil
}

// decide decides on a request that is good by itself.
func (r *authorization) decide(ctx context.Context) (Decision, error) {
	wanted, err := r.wantedMember(ctx)
	if err != nil {
		return Decision{}, err
	}
	session, allowed := r.in.Session, false
	if session != nil {
		if allowed, err = allows(ctx, r.provider.Authenticators, r.application, session.User, session.Session.CorpID); err != nil {
			return Decision{}, err
		}
	}
	switch refusal, fits := r.fits(wanted); {
	case refusal != nil:
		return r.redirectError(ctx, refusal), nil
	case !fits && r.request.Prompt.None:
		return r.redirectError(ctx, refuse(LoginRequired, CauseNotSignedIn, "The member must sign in.")), nil
	case !fits:
		return r.signIn(), nil
	case !allowed:
		return r.notAllowed(ctx), nil
	}
	if decision, done, err := r.consent(ctx); done || err != nil {
		return decision, err
	}
	return r.giveCode(ctx)
}

// wantedMember returns the user whom the request asks for by a hint or a claim; empty:
// anybody. An invalid hint, or one that another application got, says nothing.
func (r *authorization) wantedMember(ctx context.Context) (string, error) {
	wanted := r.request.claims.Subject()
	hint, ok, err := r.provider.idTokenHint(ctx, r.request.IDTokenHint, r.in.Issuer)
	switch {
	case err != nil:
		return "", err
	case !ok || hint.Audience != r.application.ID || hint.Subject == wanted:
		return wanted, nil
	case wanted == "":
		return hint.Subject, nil
	}
	return nobody, nil // hint and claim ask for two different members
}

// nobody is the id of no user.
const nobody = "-"

// fits reports whether the session answers the request. A refusal says that signing in once
// more would not help, because the member has just done so.
func (r *authorization) fits(wanted string) (refusal *Error, fits bool) {
	session := r.in.Session
	if session == nil || !r.isLive(session) {
		return nil, false
	}
	began := session.Session.SignedInAt
	again := !r.in.Begun.IsZero() && !began.Before(r.in.Begun) // signed in for this request
	usable := Takes(r.application, session.Session.AuthenticatorName)
	switch {
	case wanted != "" && session.User.ID != wanted:
		if again {
			return refuse(LoginRequired, CauseHintOfAnother, "Another member has signed in than the one asked for."), false
		}
		return nil, false
	case !usable:
		return nil, false
	case !r.meetsACR(claims.ACR(session.Session.InWeCom)):
		if again {
			return refuse(UnmetAuthenticationRequirement, CauseACRUnmet, "The member has signed in, but not in the essential way."), false
		}
		return nil, false
	case r.request.Prompt.Login || r.request.MaxAge == 0:
		return nil, again
	case r.request.MaxAge > 0:
		return nil, again || r.provider.Now().Sub(began) <= r.request.MaxAge
	}
	return nil, true
}

// isLive repeats what package authflow has checked, as far as it is at hand.
func (r *authorization) isLive(session *Session) bool {
	return session.Lineage != "" && session.User.Keeps(session.Session.Begun()) && r.provider.Now().Before(session.Session.ExpiresAt)
}

// MayUse reports whether a user who has signed in by an authenticator of a corp would be let
// into an application. It reads authenticators only for applications that are allowed by
// departments or tags.
func MayUse(ctx context.Context, authenticators Authenticators, a store.Application, user store.User, corpID, authenticator string) (bool, error) {
	if !a.Enabled || !Takes(a, authenticator) {
		return false, nil
	}
	return allows(ctx, authenticators, a, user, corpID)
}

// Takes reports whether an application may be used by those who have signed in by an
// authenticator.
func Takes(a store.Application, authenticator string) bool {
	return len(a.Authenticators) == 0 || slices.Contains(a.Authenticators, authenticator)
}

// allows reports whether a user who has signed in through a corp may use an application.
func allows(ctx context.Context, authenticators Authenticators, a store.Application, user store.User, corpID string) (bool, error) {
	allow := a.Allow
	if len(allow.Departments)+len(allow.Tags) > 0 {
		corpIDs, err := CorpsOf(ctx, authenticators, a)
		if err != nil {
			return false, err
		}
		if !AllowsByNumber(a, corpIDs) || corpID != a.AllowCorpID {
			allow.Departments, allow.Tags = nil, nil
			if allow.IsEmpty() {
				return false, nil
			}
		}
	}
	member, _ := user.IdentityIn(corpID)
	return allow.Allows(member, user.AllRoles()), nil
}

// meetsACR reports whether one of the values of acr is among the essential ones, if the
// request has any.
func (r *authorization) meetsACR(values ...string) bool {
	essential := r.request.claims.EssentialACRs()
	return len(essential) == 0 || slices.ContainsFunc(essential, func(v string) bool { return slices.Contains(values, v) })
}

func (r *authorization) showError(ctx context.Context, refusal *Error) Decision {
	r.provider.record(ctx, r.in.Call, r.application.ID, r.userID(), refusal)
	d := r.decision
	d.Kind, d.Refusal = ShowError, refusal
	return d
}

// redirectError sends the application an error. Those of prompt=none are its everyday
// questions and not recorded.
func (r *authorization) redirectError(ctx context.Context, refusal *Error) Decision {
	if !r.request.Prompt.None || refusal.Code == AccessDenied {
		r.provider.record(ctx, r.in.Call, r.application.ID, r.userID(), refusal)
	}
	d := r.decision
	d.Kind, d.Refusal, d.URL = RedirectBack, refusal, r.errorURL(refusal)
	return d
}

func (r *authorization) errorURL(refusal *Error) string {
	return withParameters(r.request.RedirectURI,
		"error", string(refusal.Code), "error_description", refusal.Description, "state", r.request.State, "iss", r.in.Issuer)
}

// notAllowed refuses the member on a page, and at once where no page may be shown.
func (r *authorization) notAllowed(ctx context.Context) Decision {
	refusal := refuse(AccessDenied, CauseNotAllowed, "The application is not for this member.")
	d := r.redirectError(ctx, refusal)
	if !r.request.Prompt.None {
		d.Kind = ShowNotAllowed
	}
	return d
}

func (r *authorization) signIn() Decision {
	d := r.decision
	d.Kind = SignIn
	d.SignIn = SignInRequest{Authenticators: r.application.Authenticators, Again: r.in.Session != nil}
	return d
}

func (r *authorization) userID() string {
	if r.in.Session == nil {
		return ""
	}
	return r.in.Session.User.ID
}

// giveCode begins a grant and redirects with its code.
func (r *authorization) giveCode(ctx context.Context) (Decision, error) {
	code, err := r.provider.createGrant(ctx, r)
	switch {
	case errors.Is(err, store.ErrNotFound) && r.request.Prompt.None:
		return r.redirectError(ctx, refuse(LoginRequired, CauseSessionEnded, "The member must sign in.")), nil
	case errors.Is(err, store.ErrNotFound):
		d := r.signIn()
		d.SignIn.Ended = true
		return d, nil
	case err != nil:
		return Decision{}, err
	}
	d := r.decision
	d.Kind = RedirectBack
	d.URL = withParameters(r.request.RedirectURI, "code", code, "state", r.request.State, "iss", r.in.Issuer)
	return d, nil
}
