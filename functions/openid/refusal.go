package openid

import (
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// refusedRequest is a request of an application that is not answered to the application.
type refusedRequest struct {
	application store.Application // zero: unknown
	refusal     *oauth.Error
	clientID    string
	came        string   // the address that came with it
	registered  []string // and those that are registered
	uiLocales   string
}

// refuse explains a refusal on a page. What came and what is registered is for
// administrators: it tells an attacker what to try, and everybody else nothing.
func (h handler) refuse(w http.ResponseWriter, r *http.Request, refused refusedRequest, session *oauth.Session) error {
	shown := page.RefusedRequest{
		Language: languageOf(w, r, refused.uiLocales), Self: self(r), RequestID: apigw.RequestID(r.Context()),
		Code: string(refused.refusal.Code), Reason: reasonOf(refused.refusal),
	}
	if refused.application.ID != "" {
		shown.Application = title(refused.application)
	}
	if session != nil && slices.Contains(session.User.Roles, store.RoleAdmin) {
		shown.Details = &page.RequestDetails{
			Description: refused.refusal.Description, ClientID: refused.clientID,
			Came: refused.came, Registered: refused.registered,
		}
		if refused.application.ID != "" {
			shown.Details.Console = apigw.PublicURL(r.Context()) + "/console#applications/" + refused.application.ID
		}
	}
	return h.Pages.RefusedRequest(w, shown)
}

func reasonOf(refusal *oauth.Error) page.RequestReason {
	switch refusal.Cause {
	case oauth.CauseApplicationUnknown:
		return page.ReasonUnknown
	case oauth.CauseApplicationDisabled:
		return page.ReasonDisabled
	case oauth.CauseRedirectMismatch, oauth.CauseLogoutRedirect:
		return page.ReasonAddress
	case oauth.CauseRedirectMissing:
		return page.ReasonMissing
	default:
		return page.ReasonRequest
	}
}
