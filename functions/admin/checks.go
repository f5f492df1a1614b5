package admin

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

// checkStep is the result of one step of a check.
type checkStep struct {
	Step stepName `json:"step"`
	OK   bool     `json:"ok"`
	// WeComCode is WeCom's number for the failure, or 0. A failure found without asking
	// WeCom, or in the settings that WeCom shows, has the number that a sign-in would
	// meet, so that step and number always identify the cause.
	WeComCode int    `json:"wecomCode"`
	Title     string `json:"title"`
	// Fix says what to do, or is empty.
	Fix string `json:"fix"`
}

type stepName string

const (
	// stepCredentials is gettoken: corp ID and secret belong together.
	stepCredentials stepName = "credentials"
	// stepTrustedIP is the first call with the token: WeCom does not check the address
	// of the caller before.
	stepTrustedIP stepName = "trusted-ip"
	// The next three come from agent/get. WeCom does not allow it to every app; the
	// steps are then left out.
	stepAgent         stepName = "agent"          // the AgentId is of the secret's app, which is enabled
	stepTrustedDomain stepName = "trusted-domain" // the app's domain is the service's
	stepVisibleRange  stepName = "visible-range"  // somebody may use the app
	// stepDomainFile is the only step of checkDomainFile.
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
