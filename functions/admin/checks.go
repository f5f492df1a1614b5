package admin

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

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
