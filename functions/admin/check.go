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

// Tokens gives access tokens; *accesstoken.Source does.
type Tokens interface {
	// Forget makes the next Token ask WeCom, even when a secret was refused a moment ago.
	Forget(ctx context.Context, app accesstoken.App) error
	Token(ctx context.Context, app accesstoken.App) (secret.Value, error)
}

// WeCom is what administration asks of WeCom; *wecom.Client does.
type WeCom interface {
	Identify(ctx context.Context, token secret.Value, code string) (wecom.Identity, error)
	Agent(ctx context.Context, token secret.Value, agentID string) (wecom.Agent, error)
	// CallerAddress is one call at most.
	CallerAddress(ctx context.Context) (netip.Addr, error)
}

// checkStep is one thing that was tried.
type checkStep struct {
	Step stepName `json:"step"`
	OK   bool     `json:"ok"`
	// WeComCode is WeCom's number for the failure, 0 when it has none. What is found in
	// the settings that WeCom tells, or before WeCom is asked, has the number that a
	// sign-in would meet: a number and a step name the cause for good.
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
	// The next three are what agent/get tells. WeCom does not tell every app: then
	// they are left out.
	stepAgent         stepName = "agent"          // the AgentId is of the secret's app, which is enabled
	stepTrustedDomain stepName = "trusted-domain" // the app's domain is ours
	stepVisibleRange  stepName = "visible-range"  // somebody may use the app
	// stepDomainFile is of another check: see checkDomainFile.
	stepDomainFile stepName = "domain-file"
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
	texts, err := text.Read(requestLanguage(r), text.CheckArea)
	if err != nil {
		return err
	}
	steps, err := h.check(ctx, checkWords{texts, a, callbackDomain(apigw.PublicURL(ctx))})
	if err != nil {
		return err
	}
	return writeCheck(w, r, steps)
}

// requestLanguage is the language of sentences in an answer: the console names its
// own in Accept-Language.
func requestLanguage(r *http.Request) text.Language {
	return text.Choose(r.Header.Get("Accept-Language"))
}

func writeCheck(w http.ResponseWriter, r *http.Request, steps []checkStep) error {
	result := checkResult{OK: true, Steps: steps}
	for _, step := range steps {
		result.OK = result.OK && step.OK
		if !step.OK {
			apigw.LogField(r.Context(), "failedStep", string(step.Step))
		}
	}
	w.Header().Set("Vary", "Accept-Language")
	return apigw.WriteJSON(w, http.StatusOK, result)
}

// checkWords makes the steps of a check of one authenticator. The sentences name its
// corp and app: an administrator may have several.
type checkWords struct {
	text.Texts
	a      store.Authenticator
	domain string // that WeCom must know the service by
}

func (c checkWords) text(key string, pairs ...string) string {
	return c.Text(key, append(pairs, "corpId", c.a.CorpID, "agentId", c.a.AgentID, "domain", c.domain)...)
}

func (c checkWords) good(step stepName, key string, pairs ...string) checkStep {
	return checkStep{Step: step, OK: true, Title: c.text(key, pairs...)}
}

func (c checkWords) bad(step stepName, code int, key string, pairs ...string) checkStep {
	return checkStep{Step: step, WeComCode: code, Title: c.text(key+".title", pairs...), Fix: c.text(key+".fix", pairs...)}
}

// check stops at the first call that fails, because the later ones need it. It costs
// gettoken, getuserinfo and agent/get at most; package wecom says which of them are
// tried again.
func (h *handler) check(ctx context.Context, words checkWords) ([]checkStep, error) {
	a := words.a
	app := accesstoken.AppOf(a, h.SecretName(a.ID))
	if err := h.Tokens.Forget(ctx, app); err != nil {
		return nil, fmt.Errorf("forget access token: %w", err)
	}
	token, err := h.Tokens.Token(ctx, app)
	if err != nil {
		failed, err := words.judge(ctx, stepCredentials, err)
		return []checkStep{failed}, err
	}
	steps := []checkStep{words.good(stepCredentials, "check.credentials.ok")}
	_, err = h.WeCom.Identify(ctx, token, noCode)
	if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.Code == wecom.InvalidCode {
		err = nil // what a good configuration answers to a code of nobody
	}
	if err != nil {
		failed, err := words.judge(ctx, stepTrustedIP, err)
		return append(steps, failed), err
	}
	steps = append(steps, words.good(stepTrustedIP, "check.trusted-ip.ok"))
	agent, err := h.WeCom.Agent(ctx, token, a.AgentID)
	if err != nil {
		return append(steps, words.judgeAgent(ctx, err)...), nil
	}
	return append(steps, words.compare(agent)...), nil
}

// judge makes a step of why a call failed. An error that is not about WeCom or the
// configuration is passed on.
func (c checkWords) judge(ctx context.Context, step stepName, err error) (checkStep, error) {
	if errors.Is(err, secret.ErrNotFound) {
		return c.bad(step, wecom.SecretMissing, "check.secret-missing"), nil
	}
	answered, ok := errors.AsType[*wecom.Error](err)
	if ok {
		key := codeKey(answered)
		return c.bad(step, answered.Code, key, "code", strconv.Itoa(answered.Code), "address", egressAddress(answered)), nil
	}
	_, unavailable := errors.AsType[*wecom.UnavailableError](err)
	if !unavailable && (!errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil) {
		return checkStep{}, fmt.Errorf("check %s: %w", step, err)
	}
	return c.bad(step, 0, "check.unavailable"), nil
}

// codeKey returns where the sentences for WeCom's number are (path 90313 of its
// documentation). Numbers with the same remedy share them.
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

// egressAddress is the address that WeCom saw, or empty. It is WeCom's text, so it
// is shown only if it is an address.
func egressAddress(answered *wecom.Error) string {
	ip, err := netip.ParseAddr(answered.CallerIP)
	if err != nil {
		return ""
	}
	return ip.String()
}

// judgeAgent makes a step of why agent/get failed, when that says for certain that
// the AgentId is wrong. A WeCom that does not have the call, or does not allow it,
// says nothing about the configuration.
func (c checkWords) judgeAgent(ctx context.Context, err error) []checkStep {
	answered, ok := errors.AsType[*wecom.Error](err)
	if ok {
		switch answered.Code {
		case wecom.WrongAgent, wecom.InvalidAgentID, wecom.AppDisabled:
			return []checkStep{c.bad(stepAgent, answered.Code, codeKey(answered))}
		}
		apigw.LogField(ctx, "agentCode", answered.Code)
		return nil
	}
	apigw.LogField(ctx, "agentCode", "none")
	return nil
}

// compare looks at the app as WeCom has it. All is told at once, so that the
// administrator goes to WeCom's console once.
func (c checkWords) compare(agent wecom.Agent) []checkStep {
	var steps []checkStep
	name := shorten(agent.Name)
	if name == "" {
		name = c.a.AgentID
	}
	switch {
	case !sameNumber(agent.AgentID, c.a.AgentID):
		// It is another app: nothing else that is told concerns this authenticator.
		return []checkStep{c.bad(stepAgent, wecom.WrongAgent, "check.code.301002")}
	case agent.Closed:
		steps = append(steps, c.bad(stepAgent, wecom.AppDisabled, "check.code.50003"))
	default:
		steps = append(steps, c.good(stepAgent, "check.agent.ok", "name", name))
	}
	switch found := agent.TrustedDomain; {
	case !agent.TrustedDomainTold:
	case found == "":
		steps = append(steps, c.bad(stepTrustedDomain, 0, "check.trusted-domain.empty"))
	case found != c.domain:
		steps = append(steps, c.bad(stepTrustedDomain, 0, "check.trusted-domain.other", "found", shorten(found)))
	default:
		steps = append(steps, c.good(stepTrustedDomain, "check.trusted-domain.ok"))
	}
	switch visible := agent.Visible; {
	case !visible.Told:
	case visible.Empty():
		steps = append(steps, c.bad(stepVisibleRange, 0, "check.visible-range.empty"))
	default:
		steps = append(steps, c.good(stepVisibleRange, "check.visible-range.ok", "members", strconv.Itoa(visible.Members),
			"departments", strconv.Itoa(visible.Departments), "tags", strconv.Itoa(visible.Tags)))
	}
	return steps
}

// sameNumber compares AgentIds, of which one may be written with zeros in front.
func sameNumber(a, b string) bool { return strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0") }
