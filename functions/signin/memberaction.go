package signin

import (
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
)

// memberAction answers POST /signin, a form of the member's page, and leads back there. A
// failure is shown there, too, with the id of this request.
func (h handler) memberAction(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if !isOwnPage(r) {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "Only a page of the service itself may do that."}
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	next := authflow.SignInPage{Destination: authflow.Destination{Locales: authflow.DestinationOf(apigw.Query(r)).Locales}}
	if err := h.act(w, r, form); err != nil {
		apigw.LogError(ctx, apierr.From(err))
		next.RequestID = apigw.RequestID(ctx)
	}
	seeOther(w, authflow.SignInURL(apigw.PublicURL(ctx), next))
	return nil
}

// act does what a form asks for, if the session that the page was made for still is the
// browser's: a page that is left open while somebody else signs in ends nothing of theirs,
// and one that is posted again after a sign-in ends nothing of that.
func (h handler) act(w http.ResponseWriter, r *http.Request, form oauth.Form) error {
	ctx := r.Context()
	active, err := h.activeSession(w, r)
	switch {
	case apierr.Is(err, apierr.Unauthorized):
		return nil // the sign-in page follows
	case err != nil:
		return err
	case active.Key != form.Get(page.FieldSession):
		apigw.LogField(ctx, "cause", "the form is of a page for another session")
		return nil
	}
	action, key := form.Get(page.FieldAction), form.Get(page.FieldKey)
	apigw.LogField(ctx, "user", active.User.ID)
	apigw.LogField(ctx, "action", action)
	switch {
	case action == page.MemberEnd && key == active.Key:
		return h.endBrowserSessions(w, r)
	case action == page.MemberEnd:
		return h.SelfService.EndSession(ctx, active, key)
	case action == page.MemberEndOthers:
		return h.SelfService.EndOtherSessions(ctx, active)
	case action == page.MemberWithdraw:
		return h.SelfService.Withdraw(ctx, active, form.Get(page.FieldApplication))
	}
	if err := h.SelfService.EndEverywhere(ctx, active); err != nil {
		return err
	}
	h.Cookie.Clear(w)
	return nil
}

// isOwnPage reports whether a page of the service sends a request. A page of a subdomain
// is of the same site, and gets its cookies with SESSION_COOKIE_DOMAIN, but it is another
// origin. Browsers send an Origin with every POST, or else Fetch Metadata; what sends neither
// is not one of the service's pages.
func isOwnPage(r *http.Request) bool {
	if origins := r.Header.Values("Origin"); len(origins) > 0 {
		return len(origins) == 1 && origins[0] == apigw.PublicURL(r.Context())
	}
	return r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// maxForm is longer than any form of the member's page, in bytes.
const maxForm = 4 << 10

// readForm reads a form of the member's page.
func readForm(r *http.Request) (oauth.Form, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return oauth.Form{}, apierr.New(apierr.UnsupportedMedia, nil)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil || len(body) > maxForm {
		return oauth.Form{}, apierr.New(apierr.PayloadTooLarge, err)
	}
	form, err := oauth.ParseForm(string(body))
	if err != nil || !slices.Contains(page.MemberActions(), form.Get(page.FieldAction)) {
		return oauth.Form{}, apierr.Newf(apierr.InvalidRequest, "not a form of the member's page")
	}
	return form, nil
}
