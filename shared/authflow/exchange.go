package authflow

import (
	"context"
	"errors"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// identify asks WeCom whose code this is.
func (v *visit) identify(ctx context.Context) (visitor wecom.Identity, err error) {
	err = v.withToken(ctx, func(token wecom.AccessToken) error {
		visitor, err = v.WeCom.Identify(ctx, token, v.Code)
		return err
	})
	return visitor, err
}

// withToken makes a call with the app's access token, and once more with a fresh
// one when WeCom no longer takes it (40014, 42001): the call was not carried out.
func (v *visit) withToken(ctx context.Context, call func(wecom.AccessToken) error) error {
	app := accesstoken.App{
		CorpID: v.authenticator.CorpID, AgentID: v.authenticator.AgentID, AuthenticatorID: v.authenticator.ID,
		SecretName: v.SecretName(v.authenticator.ID), SecretVersion: v.authenticator.SecretVersion,
	}
	token, err := v.Tokens.Token(ctx, app)
	if err != nil {
		return err
	}
	if err = call(token); !wecom.TokenRejected(err) {
		return err
	}
	if err := v.Tokens.Reject(ctx, app, token); err != nil {
		return err
	}
	if token, err = v.Tokens.Token(ctx, app); err != nil {
		return err
	}
	return call(token)
}

// memberOf returns the userid of a member of the authenticator's own corp.
func memberOf(visitor wecom.Identity) (string, error) {
	switch {
	case visitor.UserID == "":
		return "", apierr.Newf(apierr.NotAMember, "WeCom answered without a userid")
	case strings.Contains(visitor.UserID, "/"):
		return "", apierr.Newf(apierr.OtherCorp, "WeCom answered with a member of another corp")
	}
	return visitor.UserID, nil
}

func isWeComError(err error, code int) bool {
	answered, ok := errors.AsType[*wecom.Error](err)
	return ok && answered.Code == code
}

// wecomFault names a failure of WeCom for the visitor. What is no failure of WeCom
// is passed on.
func (v *visit) wecomFault(ctx context.Context, err error) error {
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok {
		if _, unavailable := errors.AsType[*wecom.UnavailableError](err); unavailable || errors.Is(err, context.DeadlineExceeded) {
			return apierr.New(apierr.WeComUnavailable, err)
		}
		return err
	}
	v.LogField(ctx, "wecomCode", answered.Code)
	switch answered.Code {
	case wecom.SystemBusy, wecom.TooManyParallelCalls, wecom.RateLimited:
		return apierr.New(apierr.WeComBusy, err)
	case wecom.InvalidCode, wecom.CodeExpired, wecom.CodeMissing:
		return apierr.New(apierr.CodeInvalid, err)
	default:
		// Whatever else WeCom refuses, an administrator must look at.
		return apierr.New(apierr.WeComConfiguration, err)
	}
}
