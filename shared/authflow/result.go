package authflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// writeTime bounds a last write after the callback's own time may have run out.
const writeTime = 2 * time.Second

// lastSignInInterval is how old the noted last sign-in is before another one replaces it:
// an hour is precise enough for administrators, and each update costs a write.
const lastSignInInterval = time.Hour

// startSession ends the browser's earlier session and begins one of the user. It
// becomes the attempt's result. store.ErrExists: the attempt has one already.
func (l *login) startSession(ctx context.Context, owner store.IdentityOwner) (CallbackResult, error) {
	now, lifetime := l.flow.Now(), l.flow.SessionLifetime
	l.userID = owner.UserID
	result := store.AttemptResult{
		SessionKey: l.sessionKey, Kind: store.ResultSession,
		Session: store.Session{
			UserID: owner.UserID, UserGeneration: owner.SessionGeneration,
			AuthenticatorName: l.authenticator.Name, AuthenticatorID: l.authenticator.ID,
			AuthenticatorGeneration: l.authenticator.Generation,
			CorpID:                  l.authenticator.CorpID, WeComUserID: l.wecomUserID,
			IdentityGeneration: owner.Identity.GenerationFor(l.authenticator.ID),
			SignedInAt:         now, ExpiresAt: now.Add(lifetime), InWeCom: l.req.Attempt.InWeCom,
			Client: l.req.Client, Address: l.req.Address,
		},
		Event:     l.event(nil),
		KeepUntil: now.Add(max(lifetime, AttemptLifetime)),
	}
	// Ended first: if that fails, there is no new session beside an old one.
	var err error
	if result.Session.Lineage, err = l.endEarlierSessions(ctx, owner); err != nil {
		return CallbackResult{}, err
	}
	noteSignIn := now.Sub(owner.LastSignInAt) >= lastSignInInterval
	// Without its line there is no session.
	if err := l.audited(result.Event).StartSession(ctx, result, noteSignIn); err != nil {
		return CallbackResult{}, fmt.Errorf("start session: %w", err)
	}
	return l.signedIn(result.Session), nil
}

// endEarlierSessions ends the sessions that the browser has had and returns the lineage of
// the one to begin: that of the same member's live session, otherwise a new one. A further
// try, after a race, finds the sessions ended, and the lineage here.
func (l *login) endEarlierSessions(ctx context.Context, owner store.IdentityOwner) (string, error) {
	for ; len(l.earlier) > 0; l.earlier = l.earlier[1:] {
		if l.earlier[0].ID == l.sessionID {
			continue
		}
		lineage, err := l.flow.Sessions.replace(ctx, l.earlier[0], owner)
		switch {
		case err != nil:
			return "", err
		case lineage == "":
		case l.lineage == "":
			l.lineage, l.lineageOwner = lineage, owner.UserID
		default:
			if err := l.flow.Sessions.Lineages.End(ctx, lineage); err != nil {
				return "", err
			}
		}
	}
	if l.lineage != "" && l.lineageOwner != owner.UserID {
		if err := l.endLineage(ctx); err != nil {
			return "", err
		}
	}
	if l.lineage == "" {
		return store.NewID(), nil
	}
	return l.lineage, nil
}

// endLineage ends the lineage that was to go on: no session is left that could end it.
func (l *login) endLineage(ctx context.Context) error {
	if l.lineage == "" {
		return nil
	}
	if err := l.flow.Sessions.Lineages.End(ctx, l.lineage); err != nil {
		return err
	}
	l.lineage = ""
	return nil
}

func (l *login) signedIn(session store.Session) CallbackResult {
	return CallbackResult{
		URL:       l.req.Destination().URL(l.req.PublicURL, l.authenticator),
		SessionID: l.sessionID, ExpiresAt: session.ExpiresAt, UserID: session.UserID,
	}
}

// recordContinued makes it the attempt's result that another attempt asks for the phone.
func (l *login) recordContinued(ctx context.Context) error {
	err := l.flow.Store.RecordResult(ctx, store.AttemptResult{
		SessionKey: l.sessionKey, Kind: store.ResultContinued, KeepUntil: l.flow.Now().Add(AttemptLifetime),
	})
	if err != nil {
		return fmt.Errorf("record that the attempt continues: %w", err)
	}
	return nil
}

// refuse makes a failure the attempt's result, so that a doubled request answers the
// same, and returns it. A result that is there already wins. A source whose codes keep leading
// to no member gets no result, as for invalid codes: each would be a write.
func (l *login) refuse(ctx context.Context, err error) (CallbackResult, error) {
	if l.isAnonymous() {
		now := l.flow.Now()
		if l.flow.anonymousResults.exceeded(l.req.Source, now) {
			return l.fail(ctx, apierr.From(err))
		}
		l.flow.anonymousResults.count(l.req.Source, now)
	}
	return l.recordRefusal(ctx, err, false)
}

func (l *login) recordRefusal(ctx context.Context, err error, tentative bool) (CallbackResult, error) {
	failure := apierr.From(err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	if recorded := l.record(ctx, failure, tentative); errors.Is(recorded, store.ErrExists) {
		return l.storedResult(ctx)
	}
	if !tentative {
		l.endWaiting(ctx, failure)
	}
	return CallbackResult{}, failure
}

// record makes a failure the attempt's result, with its event. store.ErrExists: it has one
// already, and nothing is written.
func (l *login) record(ctx context.Context, failure *apierr.Error, tentative bool) error {
	event := l.event(failure)
	err := l.audited(event).RecordResult(ctx, store.AttemptResult{
		SessionKey: l.sessionKey, Kind: store.ResultRefused, Code: string(failure.Code), Tentative: tentative,
		Event: event, KeepUntil: l.flow.Now().Add(AttemptLifetime),
	})
	if err != nil {
		l.notRecorded(event)
	}
	if err != nil && !errors.Is(err, store.ErrExists) {
		l.flow.LogField(ctx, "attemptNotRecorded", err.Error())
	}
	return err
}

// fail answers a failure after which the attempt may still have a result, and records it for
// administrators. When that fails, it changes nothing for the visitor. Of a member it is a
// tentative result, so that coming back again and again writes nothing more.
func (l *login) fail(ctx context.Context, err error) (CallbackResult, error) {
	failure := apierr.From(err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	if !l.isAnonymous() {
		if recorded := l.record(ctx, failure, true); !errors.Is(recorded, store.ErrExists) {
			l.endWaiting(ctx, failure)
		}
		return CallbackResult{}, err
	}
	event := l.event(failure)
	if event == nil {
		return CallbackResult{}, err
	}
	if recorded := l.audited(event).RecordEvent(ctx, l.sessionKey, *event); recorded != nil {
		l.notRecorded(event)
		l.flow.LogField(ctx, "attemptNotRecorded", recorded.Error())
	}
	return CallbackResult{}, err
}

// storedResult answers as the attempt was answered before. store.ErrNotFound: it has no
// result yet.
func (l *login) storedResult(ctx context.Context) (CallbackResult, error) {
	result, err := l.flow.Store.AttemptResult(ctx, l.sessionKey)
	return l.answerAgain(ctx, result, err)
}

// answerAgain answers by the attempt's result, or with what reading it failed with.
func (l *login) answerAgain(ctx context.Context, result store.AttemptResult, err error) (CallbackResult, error) {
	if err != nil {
		return CallbackResult{}, fmt.Errorf("read result: %w", err)
	}
	switch result.Kind {
	case store.ResultSession:
		// It reads the result once more, together with the user: Store.User alone costs
		// more in DynamoDB.
		_, err := l.flow.Sessions.CheckKey(ctx, l.sessionKey, result.Session.UserID)
		if apierr.Is(err, apierr.Unauthorized) {
			return CallbackResult{}, apierr.Newf(apierr.CodeInvalid, "the session of this state is over")
		}
		if err != nil {
			return CallbackResult{}, err
		}
		return l.signedIn(result.Session), nil
	case store.ResultContinued:
		return l.continueWithPrivateInfo(), nil
	case store.ResultRefused:
		return CallbackResult{}, apierr.Newf(apierr.Code(result.Code), "a doubled request: the first was refused")
	default:
		return CallbackResult{}, apierr.Newf(apierr.CodeInvalid, "the session of this state was ended")
	}
}
