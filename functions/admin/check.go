package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Tokens gives access tokens; *accesstoken.Source does.
type Tokens interface {
	// Forget makes the next Token ask WeCom, even when a secret was refused a moment ago.
	Forget(ctx context.Context, app accesstoken.App) error
	Token(ctx context.Context, app accesstoken.App) (wecom.AccessToken, error)
}

// WeCom is what a check asks of WeCom; *wecom.Client does.
type WeCom interface {
	Identify(ctx context.Context, token wecom.AccessToken, code string) (wecom.Visitor, error)
}

// checkStep is one thing that was tried.
type checkStep struct {
	Step stepName `json:"step"`
	OK   bool     `json:"ok"`
	// WeComCode is WeCom's number of the failure, 0 when it gave none.
	WeComCode int    `json:"wecomCode"`
	Title     string `json:"title"`
	// Fix says what to do; empty when there is nothing to do.
	Fix string `json:"fix"`
}

type stepName string

const (
	// stepCredentials is gettoken: corp ID and secret belong together.
	stepCredentials stepName = "credentials"
	// stepTrustedIP is the first call with the token: only there does WeCom look at
	// the address that calls.
	stepTrustedIP stepName = "trusted-ip"
)

type checkResult struct {
	OK    bool        `json:"ok"`
	Steps []checkStep `json:"steps"`
}

// noCode is a code that no visitor was given: WeCom refuses it as the last thing it
// looks at, after the token and the caller's address, and nothing is spent.
const noCode = "check"

// checkAuthenticator tries the credentials against WeCom. That they are wrong is an
// answer, not a failure of the request.
func (h *handler) checkAuthenticator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a, err := h.authenticator(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	steps, err := h.check(ctx, a, page.Choose(r.Header.Get("Accept-Language")))
	if err != nil {
		return err
	}
	result := checkResult{OK: true, Steps: steps}
	for _, step := range steps {
		result.OK = result.OK && step.OK
		if !step.OK {
			apigw.Note(ctx, "failedStep", string(step.Step))
			apigw.Note(ctx, "wecomCode", step.WeComCode)
		}
	}
	w.Header().Set("Vary", "Accept-Language")
	return apigw.WriteJSON(w, http.StatusOK, result)
}

// check stops at the first step that fails, because the later ones need it.
func (h *handler) check(ctx context.Context, a store.Authenticator, lang page.Language) ([]checkStep, error) {
	app := accesstoken.App{
		CorpID: a.CorpID, AgentID: a.AgentID, AuthenticatorID: a.ID,
		SecretName: h.SecretName(a.ID), SecretVersion: a.SecretVersion,
	}
	if err := h.Tokens.Forget(ctx, app); err != nil {
		return nil, fmt.Errorf("forget access token: %w", err)
	}
	token, err := h.Tokens.Token(ctx, app)
	first, err := judge(ctx, lang, stepCredentials, err)
	if err != nil || !first.OK {
		return []checkStep{first}, err
	}
	_, err = h.WeCom.Identify(ctx, token, noCode)
	if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.Code == wecom.InvalidCode {
		err = nil // what a good configuration answers to a code of nobody
	}
	second, err := judge(ctx, lang, stepTrustedIP, err)
	return []checkStep{first, second}, err
}

// judge makes a step of what a call answered. An error that is not about WeCom or
// the configuration is passed on.
func judge(ctx context.Context, lang page.Language, step stepName, err error) (checkStep, error) {
	words := checkTexts(lang)
	if err == nil {
		return checkStep{Step: step, OK: true, Title: words.good[step]}, nil
	}
	if errors.Is(err, secret.ErrNotFound) {
		return checkStep{Step: step, Title: words.secretMissing.title, Fix: words.secretMissing.fix}, nil
	}
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok {
		_, unavailable := errors.AsType[*wecom.UnavailableError](err)
		if !unavailable && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
			return checkStep{}, fmt.Errorf("check %s: %w", step, err)
		}
		return checkStep{Step: step, Title: words.unavailable.title, Fix: words.unavailable.fix}, nil
	}
	advice, known := words.codes[answered.Code]
	if !known {
		advice = words.other
		advice.title = fmt.Sprintf(advice.title, answered.Code)
	}
	if answered.Code == wecom.UntrustedIP {
		advice.fix = fmt.Sprintf(advice.fix, egress(answered, words))
	}
	return checkStep{Step: step, WeComCode: answered.Code, Title: advice.title, Fix: advice.fix}, nil
}

// egress is the address that WeCom saw. It is WeCom's text, so it is shown only if
// it is an address.
func egress(answered *wecom.Error, words checkWords) string {
	ip, err := netip.ParseAddr(answered.CallerIP)
	if err != nil {
		return words.unknownIP
	}
	return ip.String()
}
