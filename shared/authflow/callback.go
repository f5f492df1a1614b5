package authflow

import (
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/limit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// callbackTime bounds a whole callback, below what the gateway allows a function.
const callbackTime = 19 * time.Second

// Store is what LoginCompleter needs of the store.
type Store interface {
	SessionStore
	OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error)
	UserByPhone(ctx context.Context, phone string) (store.User, error)
	UpdateUser(ctx context.Context, from, to store.User) error
	RecordResult(ctx context.Context, r store.AttemptResult) error
	RefuseFirstSignIn(ctx context.Context, corpID, wecomUserID string, refusal store.FirstSignInRefusal) error
	// Audited returns the writes that carry a line of the audit.
	Audited(lines ...store.AuditLine) store.AuditedWrites
}

// WeCom is what LoginCompleter asks of WeCom; *wecom.Client does.
type WeCom interface {
	Identify(ctx context.Context, token secret.Value, code string) (wecom.Identity, error)
	Detail(ctx context.Context, token secret.Value, userTicket string) (wecom.Detail, error)
}

// Members looks members up in WeCom; *members.Checker does.
type Members interface {
	Look(ctx context.Context, a store.Authenticator, userID string) members.Finding
	CheckOwner(ctx context.Context, a store.Authenticator, owner store.IdentityOwner) (members.Result, error)
}

// SessionIDs derives session ids from states; *aead.Deriver does.
type SessionIDs interface {
	Derive(state string) string
	Matches(state, sessionID string) bool
}

// LoginCompleter takes browsers back from WeCom and signs people in.
type LoginCompleter struct {
	Starter    *LoginStarter // for a second attempt, and for asking for the phone
	Sessions   *Sessions
	Store      Store
	WeCom      WeCom
	Tokens     accesstoken.Tokens
	Members    Members
	SessionIDs SessionIDs
	// SecretName returns the name of an authenticator's secret.
	SecretName func(authenticatorID string) string
	// SessionLifetime is how long a session lasts, fixed when it begins.
	SessionLifetime time.Duration
	// CheckInterval is how old the last check of a member who returns may be; 0: each
	// sign-in checks.
	CheckInterval time.Duration
	Now           func() time.Time
	// LogField receives facts for the operator's log: WeCom's number, userids. It must
	// not be nil, and is never given a secret or a phone number.
	LogField func(ctx context.Context, key string, value any)

	invalidCodes, anonymousResults sourceCounts
	anonymous                      limit.Limiter // of events
}

// CallbackRequest is a browser that WeCom sent back.
type CallbackRequest struct {
	Authenticator string // name in the path
	PublicURL     string
	Code          string
	State         string
	ReturnTo      Destination // of the callback's own address
	Restarted     bool        // the address marks a second attempt
	InWeCom       bool        // the browser is WeCom's own
	Language      string
	Sessions      []SessionRef // of the session cookies, mostly one or none
	RequestID     string       // the gateway's, for administrators to find it in the log
	Source        Source       // where the request comes from
	// Client and Address are what the member is shown of the session.
	Client  store.Client
	Address string
	// Attempt is the one this browser began under State. AttemptFound is false when it
	// carries none; AttemptErr is OpenAttempt's.
	Attempt      LoginAttempt
	AttemptFound bool
	AttemptErr   error
}

// Destination returns where this browser wants to go. The address says it too, for when
// the cookie is lost.
func (r CallbackRequest) Destination() Destination { return r.Attempt.Destination.Or(r.ReturnTo) }

// CallbackResult is where a callback leads: to WeCom once more when Redirect is set,
// otherwise to URL with the session.
type CallbackResult struct {
	Redirect  *Redirect
	URL       string // the application's origin and the return path, or the console
	SessionID string
	ExpiresAt time.Time // of the session
	UserID    string
	// Proof is set beside the error FirstSignInInWeCom alone: the browser may wait with it.
	Proof *Proof
}

// Complete signs a person in. Its errors are those of the sign-in page.
func (c *LoginCompleter) Complete(ctx context.Context, req CallbackRequest) (CallbackResult, error) {
	ctx, cancel := context.WithTimeout(ctx, callbackTime)
	defer cancel()
	authenticator, err := c.Starter.enabledAuthenticator(ctx, req.Authenticator)
	if err != nil {
		return CallbackResult{}, err
	}
	if req.State == "" {
		return CallbackResult{}, apierr.Newf(apierr.StateInvalid, "callback without state")
	}
	if result, ok, err := c.alreadySignedIn(ctx, authenticator, req); ok || err != nil {
		return result, err
	}
	switch {
	case !req.AttemptFound:
		return c.restart(authenticator, req)
	case req.AttemptErr != nil && !errors.Is(req.AttemptErr, ErrAttemptExpired):
		return CallbackResult{}, apierr.New(apierr.StateInvalid, req.AttemptErr)
	case !req.Attempt.belongsTo(authenticator):
		return CallbackResult{}, apierr.Newf(apierr.StateInvalid, "attempt of another authenticator")
	}
	sessionID := c.SessionIDs.Derive(req.State)
	l := &login{
		flow: c, req: req, authenticator: authenticator,
		sessionID: sessionID, sessionKey: SessionKey(sessionID), earlier: req.Sessions,
	}
	switch {
	case l.isExpired():
		return l.fail(ctx, apierr.New(apierr.StateExpired, req.AttemptErr))
	case req.Code == "":
		return l.fail(ctx, apierr.Newf(apierr.AccessDenied, "callback with state and without code"))
	case !isCode(req.Code):
		return l.fail(ctx, apierr.Newf(apierr.CodeInvalid, "a code of %d bytes, or with bytes that WeCom does not send", len(req.Code)))
	}
	return l.complete(ctx)
}

// maxCode is how long WeCom's codes are at most, in bytes
// (developer.work.weixin.qq.com/document/path/91023).
const maxCode = 512

// isCode reports whether WeCom may have made a code. A made-up one is not sent there: a
// server on the way may refuse a long address by itself, which would look like WeCom
// being down.
func isCode(code string) bool {
	return len(code) <= maxCode && ascii.IsVisible(code)
}

// alreadySignedIn answers the Back button, and a doubled request that comes after the
// first was answered: the browser holds the active session of this very state.
func (c *LoginCompleter) alreadySignedIn(ctx context.Context, authenticator store.Authenticator, req CallbackRequest) (CallbackResult, bool, error) {
	for _, ref := range req.Sessions {
		if !c.SessionIDs.Matches(req.State, ref.ID) {
			continue
		}
		active, err := c.Sessions.Check(ctx, ref)
		switch {
		case apierr.Is(err, apierr.Unauthorized):
			return CallbackResult{}, false, nil
		case err != nil:
			return CallbackResult{}, false, err
		case active.Authenticator.ID != authenticator.ID:
			return CallbackResult{}, false, nil
		}
		return CallbackResult{
			URL:       req.Destination().URL(req.PublicURL, authenticator),
			SessionID: ref.ID, ExpiresAt: active.Session.ExpiresAt, UserID: active.User.ID,
		}, true, nil
	}
	return CallbackResult{}, false, nil
}

// restart is for a browser without a cookie of this state. WeCom's desktop client may
// open the callback in another browser than the one that began; it may also be somebody
// else's link. Either way the code stays unspent and this browser makes an attempt of
// its own, once.
func (c *LoginCompleter) restart(authenticator store.Authenticator, req CallbackRequest) (CallbackResult, error) {
	if req.Restarted {
		return CallbackResult{}, apierr.Newf(apierr.CookiesBlocked, "no cookie of this state, for the second time")
	}
	redirect := c.Starter.redirect(authenticator, req.authRequest(req.InWeCom), wecom.ScopeBase, true)
	return CallbackResult{Redirect: &redirect}, nil
}

// authRequest asks for another attempt to the same destination.
func (r CallbackRequest) authRequest(inWeCom bool) AuthRequest {
	return AuthRequest{
		Authenticator: r.Authenticator, PublicURL: r.PublicURL,
		Destination: r.Destination(), InWeCom: inWeCom, Language: r.Language,
	}
}

// login is one callback whose attempt belongs to this browser.
type login struct {
	flow          *LoginCompleter
	req           CallbackRequest
	authenticator store.Authenticator
	sessionID     string // that the state leads to
	sessionKey    string // of sessionID, and so of the attempt's result
	member        *member
	identifiedAt  time.Time // when WeCom named the member
	unknown       bool      // the member has to show the phone
	proof         *Proof    // for a browser that may wait, or nil
	// userID and wecomUserID are who was identified so far, for the sign-in event.
	userID, wecomUserID string
	// earlier are the browser's sessions that are still to be ended, and lineage is the one
	// that goes on from them; see endEarlierSessions.
	earlier               []SessionRef
	lineage, lineageOwner string
}

// complete spends the code and brings the attempt to its result, or to the one that a
// doubled request brought it to.
func (l *login) complete(ctx context.Context) (CallbackResult, error) {
	identity, err := l.identify(ctx)
	if isWeComError(err, wecom.InvalidCode) {
		return l.awaitResult(ctx, err)
	}
	if err != nil {
		failure := l.explain(ctx, err)
		if wecom.MayHaveArrived(err) {
			// The code counts as used: a doubled request will be told 40029 and must
			// find out why.
			return l.refuse(ctx, failure)
		}
		return l.fail(ctx, failure)
	}
	l.identifiedAt = l.flow.Now()
	l.flow.invalidCodes.forget(l.req.Source)
	result, err := l.admit(ctx, identity)
	if err == nil {
		return result, nil
	}
	if ended := l.endLineage(context.WithoutCancel(ctx)); ended != nil {
		l.flow.LogField(ctx, "lineageNotEnded", ended.Error())
	}
	if errors.Is(err, store.ErrExists) {
		return l.storedResult(ctx)
	}
	refused, err := l.refuse(ctx, err)
	if apierr.Is(err, apierr.FirstSignInInWeCom) {
		refused.Proof = l.proof
	}
	return refused, err
}

// admit turns an identity into a session, or into a redirect that asks for the phone.
// store.ErrExists: the attempt has a result already.
func (l *login) admit(ctx context.Context, identity wecom.Identity) (CallbackResult, error) {
	userID, err := memberUserID(identity)
	if err != nil {
		return CallbackResult{}, err
	}
	l.flow.LogField(ctx, "wecomUserId", userID)
	l.wecomUserID = userID
	// What was read may have changed when the session is to begin: another function
	// creates, binds or disables at the same moment.
	const tries = 8
	for range tries {
		user, err := l.findUser(ctx, identity)
		if errors.Is(err, errPhoneNeeded) {
			return l.askForPhone(ctx)
		}
		if err == nil {
			var result CallbackResult
			if result, err = l.startSession(ctx, user); err == nil {
				return result, nil
			}
		}
		if !isRace(err) {
			return CallbackResult{}, err
		}
	}
	return CallbackResult{}, apierr.Newf(apierr.Internal, "the user changed at each of %d tries", tries)
}

// isRace reports whether somebody else changed what was just read.
func isRace(err error) bool {
	return errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrPhoneTaken) || errors.Is(err, store.ErrIdentityTaken)
}

// askForPhone sends an unknown member to WeCom once more, this time with the scope that
// can bring a phone number; outside WeCom's client nothing can.
func (l *login) askForPhone(ctx context.Context) (CallbackResult, error) {
	switch {
	case !l.req.Attempt.InWeCom:
		l.prove()
		return CallbackResult{}, apierr.Newf(apierr.FirstSignInInWeCom, "unknown identity, signed in outside WeCom's client")
	case l.req.Attempt.Scope == wecom.ScopePrivateInfo:
		return CallbackResult{}, apierr.Newf(apierr.PhoneNotShared, "snsapi_privateinfo brought no user_ticket")
	}
	if err := l.recordContinued(ctx); err != nil {
		return CallbackResult{}, err
	}
	return l.continueWithPrivateInfo(), nil
}

// continueWithPrivateInfo begins the attempt that asks for the phone. The mark of a
// second attempt stays: a browser that loses the cookie here every time must not be
// redirected for ever.
func (l *login) continueWithPrivateInfo() CallbackResult {
	redirect := l.flow.Starter.redirect(l.authenticator, l.req.authRequest(true), wecom.ScopePrivateInfo, l.req.Restarted)
	redirect.Attempt.WeComUserID = l.wecomUserID
	return CallbackResult{Redirect: &redirect}
}
