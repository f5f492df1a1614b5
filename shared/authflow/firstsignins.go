package authflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// FirstSignIns lets a browser that has proven to be an unknown member go on by itself, once
// that member has signed in inside WeCom's client, where WeCom gives the phone.
//
// The code or the link that the member opens there names no browser: it binds the member who
// opens it and nobody else, and each browser waits for the member that it has proven. So
// somebody else's code, opened by mistake or by deceit, signs in nobody but its reader.
type FirstSignIns struct {
	// Completer begins the session as a callback would. It asks WeCom nothing, so WeCom,
	// Tokens, SecretName and the Starter's Links may be missing.
	Completer *LoginCompleter
	Store     FirstSignInStore
}

// FirstSignInStore is what FirstSignIns reads.
type FirstSignInStore interface {
	FirstSignIn(ctx context.Context, sessionKey, corpID, wecomUserID string) (store.FirstSignIn, error)
}

// Waiting is how far a first sign-in is.
type Waiting struct {
	State WaitingState
	// Error is why it is over, where that is known.
	Error apierr.Code
}

// WaitingState is a state of Waiting, as the API names it.
type WaitingState string

// The states.
const (
	StillWaiting  WaitingState = "waiting" // the member has not signed in inside WeCom yet
	WaitingReady  WaitingState = "ready"   // the browser can go on
	WaitingIsOver WaitingState = "over"
)

// Ask says how far the first sign-in of a proof's member is. It costs one read.
func (f *FirstSignIns) Ask(ctx context.Context, p Proof) (Waiting, error) {
	waiting, _, err := f.ask(ctx, p)
	return waiting, err
}

func (f *FirstSignIns) ask(ctx context.Context, p Proof) (Waiting, store.FirstSignIn, error) {
	first, err := f.Store.FirstSignIn(ctx, SessionKey(f.sessionID(p)), p.CorpID, p.WeComUserID)
	if err != nil {
		return Waiting{}, first, fmt.Errorf("read first sign-in: %w", err)
	}
	return p.judge(first), first, nil
}

// sessionID derives the session of a proof. No state has a space, so none leads to it.
func (f *FirstSignIns) sessionID(p Proof) string {
	return f.Completer.SessionIDs.Derive("first sign-in " + p.State)
}

// judge says what a first sign-in means for the browser with this proof. What happened before
// the proof does not count. An identity that another app of the corp had bound before counts
// when the proof's own knows the member again. One that another app has bound since ends the
// waiting: WeCom lets members scan who are outside of an app's visible range, so the proof's
// own app has to be asked, and the next sign-in asks it.
func (p Proof) judge(first store.FirstSignIn) Waiting {
	identity := first.Owner.Identity
	access, _ := identity.AccessBy(p.AuthenticatorID)
	known := first.Owner.UserID != "" && !identity.IsGone() && access.GoneAt.IsZero()
	bound := known && (!identity.BoundAt.Before(p.At) || !access.CheckedAt.Before(p.At))
	switch {
	case first.Used:
		return Waiting{State: WaitingIsOver}
	case bound && (!first.Owner.Enabled || !identity.DisabledAt.IsZero()):
		return Waiting{WaitingIsOver, apierr.UserDisabled}
	case bound && access.Refused:
		return Waiting{WaitingIsOver, apierr.NotAllowed}
	case bound && p.ownApp(identity, access):
		return Waiting{State: WaitingReady}
	case bound:
		return Waiting{State: WaitingIsOver}
	case first.Refusal.Code != "" && !first.Refusal.At.Before(p.At):
		return Waiting{WaitingIsOver, apierr.Code(first.Refusal.Code)}
	}
	return Waiting{State: StillWaiting}
}

// ownApp reports whether the app of the proof's authenticator has vouched for the member since
// the proof: it was asked, or it gave the phone while WeCom told nobody of the member.
func (p Proof) ownApp(identity store.Identity, access store.MemberAccess) bool {
	return !access.CheckedAt.Before(p.At) || identity.Authenticator == p.Authenticator && identity.CheckedAt.Before(p.At)
}

// FirstSignInRequest is a browser that goes on.
type FirstSignInRequest struct {
	Proof     Proof
	PublicURL string
	Sessions  []SessionRef // of the session cookies
	RequestID string
	Client    store.Client
	Address   string
}

// GoOn starts the session of a proof, if its member is ready. Otherwise it says how far it
// is, and starts none. A second request of the browser that has the session already leads to
// the same place. Errors: AuthenticatorUnknown, AuthenticatorDisabled and what a store fails
// with.
func (f *FirstSignIns) GoOn(ctx context.Context, req FirstSignInRequest) (CallbackResult, Waiting, error) {
	p := req.Proof
	authenticator, err := f.Completer.Starter.enabledAuthenticator(ctx, p.Authenticator)
	if err != nil {
		return CallbackResult{}, Waiting{}, err
	}
	if authenticator.ID != p.AuthenticatorID || authenticator.Generation != p.AuthenticatorGeneration || authenticator.CorpID != p.CorpID {
		return CallbackResult{}, Waiting{}, apierr.Newf(apierr.AuthenticatorUnknown, "the authenticator of the proof is another one now")
	}
	l := f.login(req, authenticator)
	own := slices.IndexFunc(req.Sessions, func(ref SessionRef) bool { return ref.ID == l.sessionID })
	if own >= 0 {
		active, err := f.Completer.Sessions.Check(ctx, req.Sessions[own])
		switch {
		case err == nil:
			return l.signedIn(active.Session), Waiting{State: WaitingReady}, nil
		case !apierr.Is(err, apierr.Unauthorized):
			return CallbackResult{}, Waiting{}, err
		}
	}
	waiting, first, err := f.ask(ctx, p)
	if err != nil || waiting.State != WaitingReady {
		return CallbackResult{}, waiting, err
	}
	// Another authenticator may have bound the member. Whether this one lets the member in is
	// taken from its own look, or from the next sign-in, which looks.
	found := members.Result{Owner: first.Owner, Verdict: members.Unknown}
	if found.AtSignIn(authenticator) != members.Active {
		return CallbackResult{}, Waiting{State: WaitingIsOver}, nil
	}
	result, err := l.startSession(ctx, first.Owner)
	if err == nil {
		return result, waiting, nil
	}
	if ended := l.endLineage(context.WithoutCancel(ctx)); ended != nil {
		f.Completer.LogField(ctx, "lineageNotEnded", ended.Error())
	}
	if errors.Is(err, store.ErrExists) {
		return CallbackResult{}, Waiting{State: WaitingIsOver}, nil // another request was quicker
	}
	return CallbackResult{}, Waiting{}, err
}

// login is the callback that the request takes the place of.
func (f *FirstSignIns) login(req FirstSignInRequest, authenticator store.Authenticator) *login {
	sessionID := f.sessionID(req.Proof)
	return &login{
		flow: f.Completer, authenticator: authenticator,
		req: CallbackRequest{
			PublicURL: req.PublicURL, RequestID: req.RequestID, Client: req.Client, Address: req.Address,
			Attempt: LoginAttempt{Destination: req.Proof.Destination},
		},
		sessionID: sessionID, sessionKey: SessionKey(sessionID), earlier: req.Sessions,
		wecomUserID: req.Proof.WeComUserID,
	}
}

// prove gives the browser a proof that it is an unknown member.
func (l *login) prove() {
	l.proof = &Proof{
		State:         l.req.State,
		Authenticator: l.authenticator.Name, AuthenticatorID: l.authenticator.ID, AuthenticatorGeneration: l.authenticator.Generation,
		CorpID: l.authenticator.CorpID, WeComUserID: l.wecomUserID,
		Destination: l.req.Destination(), At: l.identifiedAt,
	}
}

// endWaiting tells a browser that may wait for this member why the first sign-in inside
// WeCom was refused. Whether one waits is not looked up: that would cost as much as this
// write, and only first sign-ins that fail make it.
func (l *login) endWaiting(ctx context.Context, failure *apierr.Error) {
	attempt := l.req.Attempt
	member := cmp.Or(l.wecomUserID, attempt.WeComUserID)
	if member == "" || !attempt.InWeCom || !l.unknown && attempt.Scope != wecom.ScopePrivateInfo {
		return
	}
	now := l.flow.Now()
	err := l.flow.Store.RefuseFirstSignIn(ctx, l.authenticator.CorpID, member, store.FirstSignInRefusal{
		Code: string(failure.Code), At: now, KeepUntil: now.Add(ProofLifetime),
	})
	if err != nil {
		l.flow.LogField(ctx, "waitingNotEnded", err.Error())
	}
}
