package authflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// arrivalTime bounds a whole arrival, below what the gateway allows a function.
const arrivalTime = 19 * time.Second

// Store is what LoginCompleter needs of the store.
type Store interface {
	SessionStore
	UserByIdentity(ctx context.Context, corpID, wecomUserID string) (store.User, error)
	UserByPhone(ctx context.Context, phone string) (store.User, error)
	CreateUser(ctx context.Context, u store.User) error
	UpdateUser(ctx context.Context, from, to store.User) error
	RecordEvent(ctx context.Context, key string, a store.SignInEvent) error
	RecordResult(ctx context.Context, o store.AttemptResult) error
	StartSession(ctx context.Context, o store.AttemptResult, earlier string) error
}

// WeCom is what LoginCompleter asks of WeCom; *wecom.Client does.
type WeCom interface {
	Identify(ctx context.Context, token wecom.AccessToken, code string) (wecom.Identity, error)
	Detail(ctx context.Context, token wecom.AccessToken, userTicket string) (wecom.Detail, error)
	Member(ctx context.Context, token wecom.AccessToken, userID string) (wecom.Member, error)
}

// Tokens gives access tokens; *accesstoken.Source does.
type Tokens interface {
	Token(ctx context.Context, app accesstoken.App) (wecom.AccessToken, error)
	Reject(ctx context.Context, app accesstoken.App, token wecom.AccessToken) error
}

// SessionIDs derives session ids from states; *seal.Deriver does.
type SessionIDs interface {
	Derive(state string) string
	Matches(state, sessionID string) bool
}

// LoginCompleter takes browsers back from WeCom and signs people in.
type LoginCompleter struct {
	Starter    *LoginStarter // for going on, and for starting once more
	Sessions   *Sessions
	Store      Store
	WeCom      WeCom
	Tokens     Tokens
	SessionIDs SessionIDs
	// SecretName returns the name of an authenticator's secret.
	SecretName func(authenticatorID string) string
	// SessionLifetime is how long a session lasts, fixed when it begins.
	SessionLifetime time.Duration
	Now             func() time.Time
	// LogField hears facts for the operator's log: WeCom's number, userids. It must not
	// be nil, and is never told a secret or a phone number.
	LogField func(ctx context.Context, key string, value any)
}

// CallbackRequest is a browser at the callback.
type CallbackRequest struct {
	Authenticator string // name in the path
	PublicURL     string
	Code          string
	State         string
	Target        string // redirect in the callback's address, unchecked
	Again         bool   // the address is marked as a second round
	ToConsole     bool   // the address says that the console is where to go
	InWeCom       bool   // the browser is WeCom's own
	Language      string
	SessionID     string // of the session cookie, or empty
	RequestID     string // the gateway's, for administrators to find it in the log
	// Attempt is the one this browser made under State. AttemptFound is false when
	// it carries none; AttemptErr is OpenAttempt's.
	Attempt      LoginAttempt
	AttemptFound bool
	AttemptErr   error
}

// CallbackResult is where an arrival goes: to WeCom once more when Redirect is set, otherwise
// to Address with the session.
type CallbackResult struct {
	Redirect  *Redirect
	Address   string // the application's origin and the target path
	SessionID string
	ExpiresAt time.Time // of the session
	UserID    string
}

// Complete signs a person in. Its faults are those of the sign-in page.
func (s *LoginCompleter) Complete(ctx context.Context, arrival CallbackRequest) (CallbackResult, error) {
	ctx, cancel := context.WithTimeout(ctx, arrivalTime)
	defer cancel()
	authenticator, err := s.Starter.enabled(ctx, arrival.Authenticator)
	if err != nil {
		return CallbackResult{}, err
	}
	if arrival.State == "" {
		return CallbackResult{}, apierr.Newf(apierr.StateInvalid, "callback without state")
	}
	if result, ok, err := s.alreadyArrived(ctx, authenticator, arrival); ok || err != nil {
		return result, err
	}
	expired := errors.Is(arrival.AttemptErr, ErrAttemptExpired)
	switch {
	case !arrival.AttemptFound:
		return s.startOnceMore(authenticator, arrival)
	case arrival.AttemptErr != nil && !expired:
		return CallbackResult{}, apierr.New(apierr.StateInvalid, arrival.AttemptErr)
	case !arrival.Attempt.belongsTo(authenticator):
		return CallbackResult{}, apierr.Newf(apierr.StateInvalid, "attempt of another authenticator")
	}
	visit := &visit{
		LoginCompleter: s, CallbackRequest: arrival, authenticator: authenticator,
		sessionID: s.SessionIDs.Derive(arrival.State),
	}
	visit.key = SessionKey(visit.sessionID)
	switch {
	case expired:
		return visit.fail(ctx, apierr.New(apierr.StateExpired, arrival.AttemptErr))
	case arrival.Code == "":
		return visit.fail(ctx, apierr.Newf(apierr.AccessDenied, "callback with state and without code"))
	case !isCode(arrival.Code):
		return visit.fail(ctx, apierr.Newf(apierr.CodeInvalid, "a code of %d bytes, or with bytes that WeCom does not send", len(arrival.Code)))
	}
	return visit.conclude(ctx)
}

// maxCode is how long a code of WeCom's is at most, in bytes
// (developer.work.weixin.qq.com/document/path/91023).
const maxCode = 512

// isCode reports whether a code may be WeCom's. What is made up is not sent there: a
// server on the way may answer a long address by itself, which would look like WeCom
// being down.
func isCode(code string) bool {
	return len(code) <= maxCode && !strings.ContainsFunc(code, func(r rune) bool { return r <= ' ' || r > '~' })
}

// alreadyArrived answers the Back button and a doubled request that comes after
// the first was answered: the browser holds the live session of this very state.
func (s *LoginCompleter) alreadyArrived(ctx context.Context, authenticator store.Authenticator, arrival CallbackRequest) (CallbackResult, bool, error) {
	if arrival.SessionID == "" || !s.SessionIDs.Matches(arrival.State, arrival.SessionID) {
		return CallbackResult{}, false, nil
	}
	live, err := s.Sessions.Check(ctx, arrival.SessionID)
	switch {
	case apierr.Is(err, apierr.Unauthorized):
		return CallbackResult{}, false, nil
	case err != nil:
		return CallbackResult{}, false, err
	case live.Authenticator.ID != authenticator.ID:
		return CallbackResult{}, false, nil
	}
	return CallbackResult{
		Address:   address(authenticator, arrival),
		SessionID: arrival.SessionID, ExpiresAt: live.Session.ExpiresAt, UserID: live.User.ID,
	}, true, nil
}

// startOnceMore is for a browser without a cookie of this state. WeCom's desktop
// client may open the callback in another browser than the one that left; it may
// also be somebody else's link. Either way the code stays unspent and this browser
// makes an attempt of its own, once.
func (s *LoginCompleter) startOnceMore(authenticator store.Authenticator, arrival CallbackRequest) (CallbackResult, error) {
	if arrival.Again {
		return CallbackResult{}, apierr.Newf(apierr.CookiesBlocked, "no cookie of this state, for the second time")
	}
	target, _ := CheckRedirect(arrival.Target)
	ticket := s.Starter.leave(authenticator, departureOf(arrival, arrival.InWeCom), target, wecom.ScopeBase, true)
	return CallbackResult{Redirect: &ticket}, nil
}

// address is where a signed-in visitor goes. The target is checked again: it has
// been through a cookie or a query.
func address(authenticator store.Authenticator, arrival CallbackRequest) string {
	if arrival.ForConsole() {
		return ConsoleAddress(arrival.PublicURL)
	}
	for _, target := range []string{arrival.Attempt.Target, arrival.Target, authenticator.WorkbenchRedirectPath} {
		if clean, ok := CheckRedirect(target); ok {
			return authenticator.Origin + clean
		}
	}
	return authenticator.Origin + "/"
}

// ForConsole reports whether this browser signs in for the console. The address says
// it too, for when the cookie is lost.
func (arrival CallbackRequest) ForConsole() bool {
	return arrival.Attempt.ToConsole || arrival.ToConsole
}

func departureOf(arrival CallbackRequest, inWeCom bool) AuthRequest {
	return AuthRequest{
		Authenticator: arrival.Authenticator, PublicURL: arrival.PublicURL,
		ToConsole: arrival.ForConsole(), InWeCom: inWeCom, Language: arrival.Language,
	}
}

// visit is one arrival whose attempt is this browser's.
type visit struct {
	*LoginCompleter
	CallbackRequest
	authenticator store.Authenticator
	sessionID     string // that the state leads to
	key           string // of the attempt's outcome
	described     *person
	// userID and wecomUserID are who was found out to be here, for the record.
	userID, wecomUserID string
}

// conclude spends the code and brings the attempt to its outcome, or to the one
// that a doubled request brought it to.
func (v *visit) conclude(ctx context.Context) (CallbackResult, error) {
	visitor, err := v.identify(ctx)
	if isWeComError(err, wecom.InvalidCode) {
		return v.awaitOutcome(ctx, err)
	}
	if err != nil {
		failure := v.wecomFault(ctx, err)
		if wecom.MayHaveArrived(err) {
			// The code counts as used: a doubled request will hear 40029 and must
			// find out why.
			return v.refuse(ctx, failure)
		}
		return v.fail(ctx, failure)
	}
	result, err := v.admit(ctx, visitor)
	if err == nil {
		return result, nil
	}
	if errors.Is(err, store.ErrExists) {
		return v.answerOutcome(ctx)
	}
	return v.refuse(ctx, err)
}

// admit turns an identified visitor into a session, a way back to WeCom for the
// phone, or a fault. store.ErrExists: the attempt has an outcome already.
func (v *visit) admit(ctx context.Context, visitor wecom.Identity) (CallbackResult, error) {
	userID, err := memberOf(visitor)
	if err != nil {
		return CallbackResult{}, err
	}
	v.LogField(ctx, "wecomUserId", userID)
	v.wecomUserID = userID
	// Whatever the person is found to be may have changed when the session is to
	// begin: another function creates, binds or disables at the same moment.
	for range 8 {
		user, err := v.Store.UserByIdentity(ctx, v.authenticator.CorpID, userID)
		v.userID = user.ID
		switch {
		case errors.Is(err, store.ErrNotFound):
			if visitor.UserTicket == "" {
				return v.askForPhone(ctx)
			}
			user, err = v.bindByPhone(ctx, visitor)
		case err != nil:
			return CallbackResult{}, fmt.Errorf("read user by identity: %w", err)
		case !user.Enabled:
			return CallbackResult{}, apierr.Newf(apierr.UserDisabled, "user %s is disabled", user.ID)
		case user.NamePending:
			user, err = v.completeName(ctx, user, userID)
		}
		if err == nil {
			var result CallbackResult
			if result, err = v.start(ctx, user, userID); err == nil {
				return result, nil
			}
		}
		if !isRace(err) {
			return CallbackResult{}, err
		}
	}
	return CallbackResult{}, apierr.Newf(apierr.Internal, "the user changed at every try")
}

// start begins the session of a user and ends the browser's earlier one.
func (v *visit) start(ctx context.Context, user store.User, wecomUserID string) (CallbackResult, error) {
	now := v.Now()
	outcome := store.AttemptResult{
		Key: v.key, Kind: store.ResultSession,
		Session: store.Session{
			UserID: user.ID, UserGeneration: user.SessionGeneration,
			AuthenticatorName: v.authenticator.Name, AuthenticatorID: v.authenticator.ID,
			AuthenticatorGeneration: v.authenticator.Generation,
			CorpID:                  v.authenticator.CorpID, WeComUserID: wecomUserID,
			SignedInAt: now, ExpiresAt: now.Add(v.SessionLifetime),
		},
		KeepUntil: now.Add(max(v.SessionLifetime, AttemptLifetime)),
	}
	v.userID = user.ID
	outcome.Attempt = v.record(nil)
	earlier := ""
	if v.SessionID != "" && v.SessionID != v.sessionID {
		earlier = SessionKey(v.SessionID)
	}
	if err := v.Store.StartSession(ctx, outcome, earlier); err != nil {
		return CallbackResult{}, fmt.Errorf("start session: %w", err)
	}
	return v.arrived(outcome.Session), nil
}

func (v *visit) arrived(session store.Session) CallbackResult {
	return CallbackResult{
		Address:   address(v.authenticator, v.CallbackRequest),
		SessionID: v.sessionID, ExpiresAt: session.ExpiresAt, UserID: session.UserID,
	}
}

// askForPhone sends an unknown member to WeCom once more, this time with the scope
// that can bring a phone number; a browser cannot do that at all.
func (v *visit) askForPhone(ctx context.Context) (CallbackResult, error) {
	switch {
	case !v.Attempt.InWeCom:
		return CallbackResult{}, apierr.Newf(apierr.FirstSignInInWeCom, "unknown identity, left through the browser's door")
	case v.Attempt.Scope == wecom.ScopePrivateInfo:
		return CallbackResult{}, apierr.Newf(apierr.PhoneNotShared, "snsapi_privateinfo brought no user_ticket")
	}
	err := v.Store.RecordResult(ctx, store.AttemptResult{
		Key: v.key, Kind: store.ResultContinued, KeepUntil: v.Now().Add(AttemptLifetime),
	})
	if err != nil {
		return CallbackResult{}, fmt.Errorf("record that the attempt goes on: %w", err)
	}
	return v.goOn(), nil
}

// goOn makes the ticket for snsapi_privateinfo, with a state of its own. The mark of
// a second round stays: a browser that loses the cookie here every time must not go
// round for ever.
func (v *visit) goOn() CallbackResult {
	target := v.Attempt.Target
	if target == "" {
		target, _ = CheckRedirect(v.Target)
	}
	ticket := v.Starter.leave(v.authenticator, departureOf(v.CallbackRequest, true), target, wecom.ScopePrivateInfo, v.Again)
	return CallbackResult{Redirect: &ticket}
}

// refuse makes a failure the attempt's outcome, so that a doubled request answers
// the same, and returns it. An outcome that is there already wins.
func (v *visit) refuse(ctx context.Context, err error) (CallbackResult, error) {
	failure := apierr.From(err)
	// The time for the arrival may be what ran out; the note must still be made.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	recorded := v.Store.RecordResult(ctx, store.AttemptResult{
		Key: v.key, Kind: store.ResultRefused, Code: string(failure.Code), KeepUntil: v.Now().Add(AttemptLifetime),
		Attempt: v.record(failure),
	})
	if errors.Is(recorded, store.ErrExists) {
		return v.answerOutcome(ctx)
	}
	return CallbackResult{}, failure
}

// fail answers a failure that is not the attempt's outcome, because it may still
// have another, and notes it for administrators. That the note cannot be written
// changes nothing for the visitor.
func (v *visit) fail(ctx context.Context, err error) (CallbackResult, error) {
	record := v.record(apierr.From(err))
	if record == nil {
		return CallbackResult{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := v.Store.RecordEvent(ctx, v.key, *record); err != nil {
		v.LogField(ctx, "attemptNotRecorded", err.Error())
	}
	return CallbackResult{}, err
}

// record is what administrators are shown of this visit; nil when it tells them
// nothing. A nil failure is a sign-in.
func (v *visit) record(failure *apierr.Error) *store.SignInEvent {
	if failure != nil && v.isAnybody(failure) {
		return nil
	}
	record := &store.SignInEvent{
		At:              v.Now(),
		AuthenticatorID: v.authenticator.ID, AuthenticatorName: v.authenticator.Name,
		UserID: v.userID, CorpID: v.authenticator.CorpID, WeComUserID: v.wecomUserID,
		InWeCom: v.Attempt.InWeCom, RequestID: v.RequestID,
	}
	if failure != nil {
		record.Code = string(failure.Code)
		if answered, ok := errors.AsType[*wecom.Error](failure.Err); ok {
			record.WeComCode = answered.Code
		}
	}
	return record
}

// isAnybody reports whether this visit may be a program's that walks to authorize and
// straight back: it costs nothing, and would push the real attempts out of the lists.
// Who was asked for the phone number was a member before.
func (v *visit) isAnybody(failure *apierr.Error) bool {
	if v.wecomUserID != "" || v.Attempt.Scope == wecom.ScopePrivateInfo {
		return false
	}
	switch failure.Code {
	case apierr.StateExpired, apierr.AccessDenied, apierr.CodeInvalid:
		return true
	default:
		return false
	}
}

// outcomeTime is how long a doubled request waits for the first one: as long as the
// call to WeCom, in which that one spent the code, may take.
const outcomeTime = 5 * time.Second

// awaitOutcome answers a doubled request: WeCom says that the code is spent, so the
// first request is at work or done. Without any first one the code is just bad, and
// that becomes the outcome: one state is waited for once, however often it is used.
func (v *visit) awaitOutcome(ctx context.Context, cause error) (CallbackResult, error) {
	waiting, cancel := context.WithTimeout(ctx, outcomeTime)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 400*time.Millisecond) {
		result, err := v.answerOutcome(waiting)
		if !errors.Is(err, store.ErrNotFound) && waiting.Err() == nil {
			return result, err
		}
		select {
		case <-waiting.Done():
			return v.refuse(ctx, apierr.New(apierr.CodeInvalid, cause))
		case <-time.After(pause):
		}
	}
}

// answerOutcome answers as the attempt was answered before. store.ErrNotFound: it
// has no outcome yet.
func (v *visit) answerOutcome(ctx context.Context) (CallbackResult, error) {
	outcome, err := v.Store.AttemptResult(ctx, v.key)
	if err != nil {
		return CallbackResult{}, fmt.Errorf("read outcome: %w", err)
	}
	switch outcome.Kind {
	case store.ResultSession:
		if _, err := v.Sessions.Check(ctx, v.sessionID); err != nil {
			return CallbackResult{}, endedSession(err)
		}
		return v.arrived(outcome.Session), nil
	case store.ResultContinued:
		return v.goOn(), nil
	case store.ResultRefused:
		return CallbackResult{}, apierr.Newf(apierr.Code(outcome.Code), "a doubled request: the first was refused")
	default:
		return CallbackResult{}, apierr.Newf(apierr.CodeInvalid, "the session of this state was ended")
	}
}

func endedSession(err error) error {
	if apierr.Is(err, apierr.Unauthorized) {
		return apierr.Newf(apierr.CodeInvalid, "the session of this state is over")
	}
	return err
}

// isRace reports whether somebody else changed what was just read.
func isRace(err error) bool {
	return errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrPhoneTaken) || errors.Is(err, store.ErrIdentityTaken)
}
