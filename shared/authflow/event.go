package authflow

import (
	"errors"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// event is what administrators are shown of this callback; nil when it tells them
// nothing. A nil failure is a sign-in.
func (l *login) event(failure *apierr.Error) *store.SignInEvent {
	if failure != nil && l.isAnonymous(failure) {
		return nil
	}
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

// isAnonymous reports whether this callback may be a program's that calls authorize and
// then the callback: that costs nothing, and would push the real events out of the lists.
// A person who was asked for the phone number was identified as a member before.
func (l *login) isAnonymous(failure *apierr.Error) bool {
	if l.wecomUserID != "" || l.req.Attempt.Scope == wecom.ScopePrivateInfo {
		return false
	}
	switch failure.Code {
	case apierr.StateExpired, apierr.AccessDenied, apierr.CodeInvalid:
		return true
	default:
		return false
	}
}
