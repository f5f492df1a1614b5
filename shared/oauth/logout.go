package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/claims"
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
	UILocales   string            // those of the request, unchecked
	// Refusal says why URL is empty although an address was asked for; otherwise nil.
	Refusal *Error
}

// logoutParameters may be there once.
var logoutParameters = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state", "logout_hint", "ui_locales"}

// Logout decides on a logout request (OpenID Connect RP-Initiated Logout). The error is a
// failure of the system. It makes no remote call but for an application that is not in the
// cache.
//
// Anybody can make a browser come here. So the session ends without a question only if the
// request has an ID token of this very session and no logout_hint at somebody else, and the
// browser is sent only to addresses that the application has registered.
func (p *Provider) Logout(ctx context.Context, in LogoutInput) (LogoutDecision, error) {
	form, err := ParseForm(in.Parameters)
	if refusal, ok := RefusalOf(err); ok {
		return LogoutDecision{Kind: ShowLogoutError, Refusal: refusal}, nil
	}
	if repeated := form.firstRepeated(logoutParameters); repeated != "" {
		return LogoutDecision{Kind: ShowLogoutError, Refusal: refuse(InvalidRequest, CauseRepeatedParameter, repeated+" was sent more than once.")}, nil
	}
	hint, hinted, err := p.idTokenHint(ctx, form.Get("id_token_hint"), in.Issuer)
	if err != nil {
		return LogoutDecision{}, err
	}
	clientID := form.Get("client_id")
	if hinted && clientID != "" && clientID != hint.Audience {
		return LogoutDecision{Kind: ShowLogoutError, Refusal: refuse(InvalidRequest, CauseHintOfAnother, "id_token_hint was not issued to client_id.")}, nil
	}
	if hinted {
		clientID = hint.Audience
	}
	d, err := p.logoutTarget(ctx, clientID, form)
	if err != nil {
		return LogoutDecision{}, err
	}
	switch {
	case in.Session == nil:
		d.Kind = SignedOut
	case hinted && hint.Subject == in.Session.User.ID && hint.SessionID == in.Session.Lineage &&
		mayName(form.Get("logout_hint"), in.Session, d.Application):
		d.Kind = EndSession
	case p.Forms.Matches(formOf(logoutForm, in.Issuer, in.Session, in.Parameters), in.Proof):
		d.Kind = EndSession
	default:
		d.Kind, d.Proof = AskLogout, p.Forms.Derive(formOf(logoutForm, in.Issuer, in.Session, in.Parameters))
	}
	return d, nil
}

// logoutTarget finds the application and where the browser goes after it has signed out.
// An address that is not registered is not followed; the member is signed out all the same.
func (p *Provider) logoutTarget(ctx context.Context, clientID string, form Form) (LogoutDecision, error) {
	uri, state := form.Get("post_logout_redirect_uri"), form.Get("state")
	d := LogoutDecision{UILocales: form.Get("ui_locales")}
	if clientID != "" {
		a, err := p.application(ctx, clientID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return LogoutDecision{}, err
		}
		d.Application = a
	}
	switch {
	case uri == "":
	case d.Application.Enabled && len(state) <= maxState && MatchRedirectURI(d.Application.Kind, d.Application.PostLogoutRedirectURIs, uri):
		d.URL = withParameters(uri, "state", state)
	default:
		d.Refusal = refuse(InvalidRequest, CauseLogoutRedirect, "post_logout_redirect_uri is not one of those registered.")
	}
	return d, nil
}

// mayName reports whether a logout_hint (RP-Initiated Logout 1.0 §2, of which the provider
// chooses the meaning) is empty or a name by which the application may know the member of a
// session. Anybody can write a hint, so it never signs anybody out: one that names nobody
// here, or somebody else, only makes the member be asked.
func mayName(hint string, s *Session, a store.Application) bool {
	if hint == "" || hint == s.Lineage {
		return true
	}
	member := claims.MemberOf(s.User, s.Session.CorpID, s.Session.WeComUserID)
	member.OneCorp = true // what another corp's member has as well may be a hint, too
	told := claims.ForUserinfo(member, a.Claims, claims.Scopes(), claims.Request{}).Map()
	for _, name := range []string{"sub", "preferred_username", "wecom_userid", "email", "phone_number"} {
		if value, ok := told[name].(string); ok && strings.EqualFold(value, hint) {
			return true
		}
	}
	return false
}
