package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Tokens returns access tokens; *accesstoken.Source implements it.
type Tokens interface {
	accesstoken.Tokens
	// Forget makes the next Token ask WeCom, even if it has just refused the secret.
	Forget(ctx context.Context, app accesstoken.App) error
}

// WeCom is the part of WeCom's API that administration calls; *wecom.Client implements
// it.
type WeCom interface {
	Identify(ctx context.Context, token secret.Value, code string) (wecom.Identity, error)
	Agent(ctx context.Context, token secret.Value, agentID string) (wecom.Agent, error)
	Member(ctx context.Context, token secret.Value, userID string) (wecom.Member, error)
	// UserIDByPhone is for lookUp alone.
	UserIDByPhone(ctx context.Context, token secret.Value, phone string) (string, error)
	// CallerAddress makes at most one call.
	CallerAddress(ctx context.Context) (netip.Addr, error)
}

// invalidCode is a code that WeCom never gave out. WeCom checks the code last, after
// the token and the caller's address, and refusing it spends nothing.
const invalidCode = "check"

// checkAuthenticator tries the credentials against WeCom. Wrong ones are an answer, not
// a failure of the request.
func (h *handler) checkAuthenticator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a, err := h.authenticator(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	texts, err := text.Read(requestLanguage(r), text.CheckArea)
	if err != nil {
		return err
	}
	steps, err := h.check(ctx, checkTexts{texts, a, callbackDomain(apigw.PublicURL(ctx))})
	if err != nil {
		return err
	}
	return writeCheck(w, r, steps)
}

// checkTexts makes the steps of an authenticator's check. Their sentences name its corp
// and app, because an administrator may have several.
type checkTexts struct {
	text.Texts
	a      store.Authenticator
	domain string // the trusted domain that the app must have in WeCom
}

func (c checkTexts) text(key string, pairs ...string) string {
	return c.Text(key, append(pairs, "corpId", c.a.CorpID, "agentId", c.a.AgentID, "domain", c.domain)...)
}

func (c checkTexts) passed(step stepName, key string, pairs ...string) checkStep {
	return checkStep{Step: step, OK: true, Title: c.text(key, pairs...)}
}

func (c checkTexts) failed(step stepName, code int, key string, pairs ...string) checkStep {
	return checkStep{Step: step, WeComCode: code, Title: c.text(key+".title", pairs...), Fix: c.text(key+".fix", pairs...)}
}

// check stops at the first call that fails, because the later ones need it. It makes at
// most the calls gettoken, getuserinfo and agent/get; package wecom decides which of
// them it repeats.
func (h *handler) check(ctx context.Context, texts checkTexts) ([]checkStep, error) {
	a := texts.a
	app := accesstoken.AppOf(a, h.SecretName(a.ID))
	if err := h.Tokens.Forget(ctx, app); err != nil {
		return nil, fmt.Errorf("forget access token: %w", err)
	}
	token, err := h.Tokens.Token(ctx, app)
	if err != nil {
		failed, err := texts.failedCall(ctx, stepCredentials, err)
		return []checkStep{failed}, err
	}
	steps := []checkStep{texts.passed(stepCredentials, "check.credentials.ok")}
	_, err = h.WeCom.Identify(ctx, token, invalidCode)
	if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.Code == wecom.InvalidCode {
		err = nil // the answer of a good configuration
	}
	if err != nil {
		failed, err := texts.failedCall(ctx, stepTrustedIP, err)
		return append(steps, failed), err
	}
	steps = append(steps, texts.passed(stepTrustedIP, "check.trusted-ip.ok"))
	agent, err := h.WeCom.Agent(ctx, token, a.AgentID)
	if err != nil {
		return append(steps, texts.failedAgentCall(ctx, err)...), nil
	}
	return append(steps, texts.compareAgent(agent)...), nil
}

// failedCall makes a step of the reason why a call failed. It returns an error that
// concerns neither WeCom nor the configuration.
func (c checkTexts) failedCall(ctx context.Context, step stepName, err error) (checkStep, error) {
	if errors.Is(err, secret.ErrNotFound) {
		return c.failed(step, wecom.SecretMissing, "check.secret-missing"), nil
	}
	answered, ok := errors.AsType[*wecom.Error](err)
	if ok {
		key := codeKey(answered)
		return c.failed(step, answered.Code, key, "code", strconv.Itoa(answered.Code), "address", egressAddress(answered)), nil
	}
	_, unavailable := errors.AsType[*wecom.UnavailableError](err)
	if !unavailable && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
		return checkStep{}, fmt.Errorf("check %s: %w", step, err)
	}
	return c.failed(step, 0, "check.unavailable"), nil
}

// codeKey returns the key of the sentences for WeCom's number (path 90313 of its
// documentation). Numbers with the same remedy share a key.
func codeKey(answered *wecom.Error) string {
	switch answered.Code {
	case wecom.SystemBusy, wecom.TooManyParallelCalls:
		return "check.code.-1"
	case wecom.InvalidCredential, wecom.SecretOfAnotherCorp, wecom.SecretMissing:
		return "check.code.40001"
	case wecom.InvalidCorpID, wecom.CorpIDMissing:
		return "check.code.40013"
	case wecom.InvalidToken, wecom.TokenExpired:
		return "check.code.40014"
	case wecom.InvalidAgentID:
		return "check.code.40056"
	case wecom.RateLimited:
		return "check.code.45009"
	case wecom.APIForbidden:
		return "check.code.48002"
	case wecom.RedirectUnauthorized:
		return "check.code.50001"
	case wecom.AppDisabled:
		return "check.code.50003"
	case wecom.UntrustedIP:
		if egressAddress(answered) == "" {
			return "check.code.60020.unknown"
		}
		return "check.code.60020"
	case wecom.AppMayNotCall:
		return "check.code.60031"
	case wecom.WrongAgent:
		return "check.code.301002"
	case wecom.CorpBlocked:
		return "check.code.301007"
	}
	return "check.code.other"
}

// egressAddress returns the address that WeCom saw, or nothing. What WeCom says is
// shown only if it is an address.
func egressAddress(answered *wecom.Error) string {
	ip, err := netip.ParseAddr(answered.CallerIP)
	if err != nil {
		return ""
	}
	return ip.String()
}

// failedAgentCall makes a step of the reason why agent/get failed, if that proves the
// AgentId wrong. A WeCom that does not have the call, or does not allow it, proves
// nothing about the configuration.
func (c checkTexts) failedAgentCall(ctx context.Context, err error) []checkStep {
	answered, ok := errors.AsType[*wecom.Error](err)
	if ok {
		switch answered.Code {
		case wecom.WrongAgent, wecom.InvalidAgentID, wecom.AppDisabled:
			return []checkStep{c.failed(stepAgent, answered.Code, codeKey(answered))}
		}
		apigw.LogField(ctx, "agentCode", answered.Code)
		return nil
	}
	apigw.LogField(ctx, "agentCode", "none")
	return nil
}

// compareAgent compares the app's settings in WeCom with the authenticator. It reports
// every difference, so that the administrator opens WeCom's console once.
func (c checkTexts) compareAgent(agent wecom.Agent) []checkStep {
	var steps []checkStep
	name := shorten(agent.Name)
	if name == "" {
		name = c.a.AgentID
	}
	switch {
	case !sameNumber(agent.AgentID, c.a.AgentID):
		// It is another app, whose other settings do not concern this authenticator.
		return []checkStep{c.failed(stepAgent, wecom.WrongAgent, "check.code.301002")}
	case agent.Closed:
		steps = append(steps, c.failed(stepAgent, wecom.AppDisabled, "check.code.50003"))
	default:
		steps = append(steps, c.passed(stepAgent, "check.agent.ok", "name", name))
	}
	switch found := agent.TrustedDomain; {
	case !agent.TrustedDomainTold:
	case found == "":
		steps = append(steps, c.failed(stepTrustedDomain, 0, "check.trusted-domain.empty"))
	case found != c.domain:
		steps = append(steps, c.failed(stepTrustedDomain, 0, "check.trusted-domain.other", "found", shorten(found)))
	default:
		steps = append(steps, c.passed(stepTrustedDomain, "check.trusted-domain.ok"))
	}
	switch visible := agent.Visible; {
	case !visible.Told:
	case visible.Empty():
		steps = append(steps, c.failed(stepVisibleRange, 0, "check.visible-range.empty"))
	default:
		steps = append(steps, c.passed(stepVisibleRange, "check.visible-range.ok", "members", strconv.Itoa(visible.Members),
			"departments", strconv.Itoa(visible.Departments), "tags", strconv.Itoa(visible.Tags)))
	}
	return steps
}

// sameNumber compares AgentIds, which may be written with leading zeros.
func sameNumber(a, b string) bool { return strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0") }
