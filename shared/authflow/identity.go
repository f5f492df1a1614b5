package authflow

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/phone"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// identify asks WeCom whose code this is.
func (l *login) identify(ctx context.Context) (identity wecom.Identity, err error) {
	err = l.withToken(ctx, func(token secret.Value) error {
		identity, err = l.flow.WeCom.Identify(ctx, token, l.req.Code)
		return err
	})
	return identity, err
}

// withToken makes a call with the app's access token.
func (l *login) withToken(ctx context.Context, call func(secret.Value) error) error {
	return accesstoken.Use(ctx, l.flow.Tokens, accesstoken.AppOf(l.authenticator, l.flow.SecretName(l.authenticator.ID)), call)
}

// memberUserID returns the userid of a member of the authenticator's own corp.
func memberUserID(identity wecom.Identity) (string, error) {
	switch {
	case identity.UserID == "":
		return "", apierr.Newf(apierr.NotAMember, "WeCom answered without a userid")
	case strings.Contains(identity.UserID, "/"):
		return "", apierr.Newf(apierr.OtherCorp, "WeCom answered with a member of another corp")
	}
	return identity.UserID, nil
}

// member is what WeCom tells of a member who signs in for the first time.
type member struct {
	userID      string // as WeCom spells it
	phone       string // E.164
	avatar      string
	email       string // the company's mailbox, or empty
	name        string
	namePending bool // name is only the userid
	found       members.Finding
}

// describe asks WeCom for the member's phone, and then for the directory's entry. The
// answer is kept, because a user_ticket need not work twice.
func (l *login) describe(ctx context.Context, identity wecom.Identity) (member, error) {
	if l.member != nil {
		return *l.member, nil
	}
	m := member{userID: identity.UserID, name: identity.UserID, namePending: true}
	var detail wecom.Detail
	err := l.withToken(ctx, func(token secret.Value) (err error) {
		detail, err = l.flow.WeCom.Detail(ctx, token, identity.UserTicket)
		return err
	})
	if err != nil {
		return member{}, l.explainDetail(ctx, err)
	}
	switch normalized, ok := phone.Normalize(detail.Mobile); {
	case store.FoldUserID(detail.UserID) != store.FoldUserID(identity.UserID):
		return member{}, apierr.Newf(apierr.WeComUnavailable, "getuserdetail answered for another member")
	case detail.Mobile == "":
		return member{}, apierr.Newf(apierr.PhoneNotShared, "getuserdetail answered without mobile")
	case !ok:
		return member{}, apierr.Newf(apierr.PhoneInvalid, "mobile is not a telephone number")
	default:
		m.phone, m.avatar, m.email = normalized, detail.Avatar, mailbox(detail.BizMail)
	}
	m.found = l.flow.Members.Look(ctx, l.authenticator, identity.UserID)
	switch {
	case !m.found.Told():
		// The phone vouches for the member; the rest can be had later.
		l.flow.LogField(ctx, "memberUnknown", fmt.Sprint(m.found.WeComCode, " ", m.found.Cause))
	case m.found.Verdict != members.Active:
		return member{}, apierr.Newf(apierr.UserDisabled, "the member is %s in WeCom", m.found.Verdict)
	}
	if name := m.found.Name(); name != "" {
		m.name, m.namePending = name, false
	}
	l.member = &m
	return m, nil
}

// maxMailbox is the longest address there is (RFC 5321 §4.5.3.1, erratum 1690), in bytes.
const maxMailbox = 254

// mailbox returns an address that applications can take as it is, or nothing.
func mailbox(text string) string {
	local, domain, _ := strings.Cut(text, "@")
	if len(text) > maxMailbox || local == "" || domain == "" || !ascii.IsVisible(text) || strings.ContainsAny(domain, "@") || strings.ContainsAny(text, `"(),:;<>[\]`) {
		return ""
	}
	return text
}

func isWeComError(err error, code int) bool {
	answered, ok := errors.AsType[*wecom.Error](err)
	return ok && answered.Code == code
}

// explain is ExplainWeCom, and logs WeCom's number.
func (l *login) explain(ctx context.Context, err error) error {
	if answered, ok := errors.AsType[*wecom.Error](err); ok {
		l.flow.LogField(ctx, "wecomCode", answered.Code)
	}
	return ExplainWeCom(err)
}

// ExplainWeCom gives a failure of WeCom the code that tells the person what to do. Any other
// error is passed on.
func ExplainWeCom(err error) error {
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok {
		if _, unavailable := errors.AsType[*wecom.UnavailableError](err); unavailable || errors.Is(err, context.DeadlineExceeded) {
			return apierr.New(apierr.WeComUnavailable, err)
		}
		return err
	}
	switch answered.Code {
	case wecom.SystemBusy, wecom.TooManyParallelCalls, wecom.RateLimited:
		return apierr.New(apierr.WeComBusy, err)
	case wecom.InvalidCode, wecom.CodeExpired, wecom.CodeMissing:
		return apierr.New(apierr.CodeInvalid, err)
	default:
		// Any other refusal needs an administrator.
		return apierr.New(apierr.WeComConfiguration, err)
	}
}

// explainDetail is explain for getuserdetail. WeCom does not document the number of a
// bad ticket; so a refusal that neither the access token nor the app's configuration
// explains means that no phone was given this time.
func (l *login) explainDetail(ctx context.Context, err error) error {
	failure := l.explain(ctx, err)
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok || !apierr.Is(failure, apierr.WeComConfiguration) || answered.Misconfigured() {
		return failure
	}
	return apierr.New(apierr.PhoneNotShared, err)
}

// notFoundOut explains that nobody is let in now, because Allow of the authenticator needs
// what WeCom did not tell.
func (l *login) notFoundOut(ctx context.Context, cause error) error {
	if cause == nil {
		cause = errNotTold
	}
	if failure := l.explain(ctx, cause); apierr.Is(failure, apierr.WeComBusy) {
		return failure
	}
	return apierr.New(apierr.WeComUnavailable, cause)
}

// errNotTold: WeCom does not know the member whose phone it gave a moment ago.
var errNotTold = errors.New("WeCom told nothing of the member")
