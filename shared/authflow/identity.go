package authflow

import (
	"context"
	"errors"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/ascii"
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

// withToken makes a call with the app's access token; see accesstoken.Use.
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
}

// describe asks WeCom for the member's phone, and then for name and status. The answer
// is kept, because a user_ticket need not work twice.
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
	name, err := l.memberName(ctx, identity.UserID)
	if err != nil {
		return member{}, err
	}
	if name != "" {
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

// memberName asks WeCom for a member's name. It is empty when WeCom does not tell: a
// name can be had later, the sign-in need not wait. Error UserDisabled: WeCom says that
// the member is disabled or has left.
func (l *login) memberName(ctx context.Context, userID string) (string, error) {
	var found wecom.Member
	err := l.withToken(ctx, func(token secret.Value) (err error) {
		found, err = l.flow.WeCom.Member(ctx, token, userID)
		return err
	})
	switch {
	case err != nil:
		l.flow.LogField(ctx, "nameUnknown", err.Error())
		return "", nil
	case store.FoldUserID(found.UserID) != store.FoldUserID(userID):
		l.flow.LogField(ctx, "nameUnknown", "user/get answered for another member")
		return "", nil
	case found.Status == wecom.MemberDisabled || found.Status == wecom.MemberLeft:
		return "", apierr.Newf(apierr.UserDisabled, "member status %d", found.Status)
	}
	return found.Name, nil
}

func isWeComError(err error, code int) bool {
	answered, ok := errors.AsType[*wecom.Error](err)
	return ok && answered.Code == code
}

// explain gives a failure of WeCom the code that tells the person what to do. Any other
// error is passed on.
func (l *login) explain(ctx context.Context, err error) error {
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok {
		if _, unavailable := errors.AsType[*wecom.UnavailableError](err); unavailable || errors.Is(err, context.DeadlineExceeded) {
			return apierr.New(apierr.WeComUnavailable, err)
		}
		return err
	}
	l.flow.LogField(ctx, "wecomCode", answered.Code)
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
