package authflow

import (
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// anonymousInterval is the time between two events of attempts that name no member, with the
// same authenticator and codes, ours and WeCom's. So administrators see the cause, and a
// program that sends made-up codes while an app is misconfigured or WeCom is down fills neither
// their lists nor the audit.
const anonymousInterval = 10 * time.Second

// event is what administrators are shown of this callback; nil when it tells them
// nothing, or nothing that they were not shown a moment ago. A nil failure is a sign-in. When
// it cannot be written, notRecorded has to be called.
func (l *login) event(failure *apierr.Error) *store.SignInEvent {
	event := &store.SignInEvent{
		At:              l.flow.Now(),
		AuthenticatorID: l.authenticator.ID, AuthenticatorName: l.authenticator.Name,
		UserID: l.userID, CorpID: l.authenticator.CorpID, WeComUserID: l.wecomUserID,
		InWeCom: l.req.Attempt.InWeCom, RequestID: l.req.RequestID,
	}
	if failure != nil {
		event.Code = string(failure.Code)
		if answered, ok := errors.AsType[*wecom.Error](failure.Err); ok {
			event.WeComCode = answered.Code
		}
		if l.isAnonymous() && (l.isNoise(failure) || !l.flow.anonymous.Allow(anonymousKey(event), event.At, anonymousInterval)) {
			return nil
		}
	}
	return event
}

// audited returns the writes that carry the audit line of an event, or none for nil.
func (l *login) audited(event *store.SignInEvent) store.AuditedWrites {
	if event == nil {
		return l.flow.Store.Audited()
	}
	return l.flow.Store.Audited(audit.OfSignIn(*event))
}

// notRecorded lets the next event of the kind be recorded instead of this one, which may be
// nil.
func (l *login) notRecorded(event *store.SignInEvent) {
	if event != nil && event.Code != "" && l.isAnonymous() {
		l.flow.anonymous.Forget(anonymousKey(event))
	}
}

func anonymousKey(event *store.SignInEvent) string {
	return fmt.Sprintf("%s %s %d", event.AuthenticatorID, event.Code, event.WeComCode)
}

// isAnonymous reports whether this callback may be a program's that calls authorize and
// then the callback: that costs nothing. WeCom has named no member, or in a cookie that is no
// longer good, which anybody may have kept for years.
func (l *login) isAnonymous() bool {
	return l.wecomUserID == "" && (l.isExpired() || !l.isSecondRound())
}

// isNoise reports whether a failure without a member tells nothing of the service: people
// cause it as often as programs, and no administrator can help.
func (l *login) isNoise(failure *apierr.Error) bool {
	switch failure.Code {
	case apierr.StateExpired, apierr.AccessDenied, apierr.CodeInvalid:
		return !l.isSecondRound()
	default:
		return false
	}
}

// isSecondRound reports whether the attempt asks for the phone: whoever it was made for was
// identified as a member before.
func (l *login) isSecondRound() bool { return l.req.Attempt.Scope == wecom.ScopePrivateInfo }

func (l *login) isExpired() bool { return errors.Is(l.req.AttemptErr, ErrAttemptExpired) }
