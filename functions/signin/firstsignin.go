package signin

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
)

// The first sign-in of a member who has scanned a code in this browser, and signs in inside
// WeCom meanwhile. The browser's cookie says who that is; requests say nothing.

// waitingBody answers a browser that waits.
type waitingBody struct {
	State authflow.WaitingState `json:"state"`
	Error apierr.Code           `json:"error,omitempty"`
}

// askFirstSignIn answers GET /api/first-sign-in.
func (h handler) askFirstSignIn(w http.ResponseWriter, r *http.Request) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "Only a page of the service itself may ask that."}
	}
	q, err := h.question(r)
	switch {
	case err != nil:
		return err
	case q == nil:
		session.ClearProof(w)
		return apigw.WriteJSON(w, http.StatusOK, waitingBody{State: authflow.WaitingIsOver})
	}
	ctx := r.Context()
	waiting, err := q.answers.Ask(ctx, q.proof)
	if err := errors.Join(err, q.keep(ctx, w, waiting)); err != nil {
		return err
	}
	return apigw.WriteJSON(w, http.StatusOK, waitingBody{waiting.State, waiting.Error})
}

// question is one that a browser asks with its proof, which counts it already.
type question struct {
	proof   authflow.Proof
	proofs  *session.Proofs
	answers FirstSignIns
}

// question returns the question of a browser, or nil without a proof that counts. Error
// TooManyRequests: it has asked often enough.
func (h handler) question(r *http.Request) (*question, error) {
	ctx := r.Context()
	if !session.HasProof(r) {
		return nil, nil
	}
	answers, proofs, err := h.FirstSignIn(ctx)
	if err != nil {
		return nil, err
	}
	proof, ok := proofs.Find(r)
	if !ok {
		return nil, nil
	}
	apigw.LogField(ctx, "authenticator", proof.Authenticator)
	apigw.LogField(ctx, "wecomUserId", proof.WeComUserID)
	if proof.Questions >= authflow.MaxQuestions {
		return nil, apierr.New(apierr.TooManyRequests, nil)
	}
	proof.Questions++
	return &question{proof, proofs, answers}, nil
}

// keep renews the proof in the browser, unless it has nothing to wait for any more. Why not
// is in the log: the page shows the id of this request.
func (q *question) keep(ctx context.Context, w http.ResponseWriter, waiting authflow.Waiting) error {
	if waiting.State == authflow.WaitingIsOver {
		if waiting.Error != "" {
			apigw.LogField(ctx, "refusal", string(waiting.Error))
		}
		session.ClearProof(w)
		return nil
	}
	return q.proofs.Save(w, q.proof)
}

// goOn answers POST /api/first-sign-in: it signs the browser in that has waited. Whatever
// happens instead leads to the sign-in page.
func (h handler) goOn(w http.ResponseWriter, r *http.Request) error {
	ctx, public := r.Context(), apigw.PublicURL(r.Context())
	if !isOwnPage(r) {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "Only a page of the service itself may do that."}
	}
	q, err := h.question(r)
	if err != nil {
		return err
	}
	next := authflow.SignInPage{Destination: authflow.DestinationOf(apigw.Query(r))}
	if q == nil {
		session.ClearProof(w)
		seeOther(w, authflow.SignInURL(public, next))
		return nil
	}
	next.Destination, next.Authenticator = q.proof.Destination.Or(next.Destination), q.proof.Authenticator
	req := authflow.FirstSignInRequest{
		Proof: q.proof, PublicURL: public, Sessions: h.Cookie.Sessions(r), RequestID: apigw.RequestID(ctx),
		Client: authflow.ClientOf(r.UserAgent()), Address: authflow.AddressOf(r.RemoteAddr),
	}
	req.Proof.Destination = next.Destination
	result, waiting, err := q.answers.GoOn(ctx, req)
	if err == nil && waiting.State == authflow.WaitingReady {
		apigw.LogField(ctx, "user", result.UserID)
		session.ClearProof(w)
		h.Cookie.Set(w, authflow.SessionRef{ID: result.SessionID, UserID: result.UserID}, result.ExpiresAt.Sub(h.Now()))
		seeOther(w, result.URL)
		return nil
	}
	switch {
	case err != nil:
		apigw.LogError(ctx, apierr.From(err))
		next.Error, next.RequestID = apierr.From(err).Code, apigw.RequestID(ctx)
	case waiting.State == authflow.StillWaiting:
		next.Error = apierr.FirstSignInInWeCom
	default:
		if next.Error = waiting.Error; next.Error != "" {
			next.RequestID = apigw.RequestID(ctx)
		}
	}
	if err := q.keep(ctx, w, waiting); err != nil {
		return err
	}
	seeOther(w, authflow.SignInURL(public, next))
	return nil
}

// waitingOfPage returns how the sign-in page waits for a first sign-in; nil: it does not.
func (h handler) waitingOfPage(r *http.Request, shown page.SignIn, destination authflow.Destination) *page.Waiting {
	failure := shown.Failure
	if failure == nil || failure.Code != string(apierr.FirstSignInInWeCom) || shown.Client == page.InWeCom || !session.HasProof(r) {
		return nil
	}
	ctx, public := r.Context(), apigw.PublicURL(r.Context())
	_, proofs, err := h.FirstSignIn(ctx)
	if err != nil {
		apigw.LogError(ctx, apierr.From(err)) // the page helps without it, too
		return nil
	}
	proof, ok := proofs.Find(r)
	if !ok || proof.Authenticator != failure.Authenticator || !slices.ContainsFunc(shown.Buttons, func(b page.Button) bool { return b.Name == proof.Authenticator }) {
		return nil
	}
	return &page.Waiting{
		// It ends at the member's page: what the browser is on the way to belongs here.
		Link:  authflow.AuthorizeURL(public, proof.Authenticator, authflow.Destination{MemberPage: true}),
		GoOn:  authflow.FirstSignInURL(public, destination),
		Over:  authflow.SignInURL(public, authflow.SignInPage{Authenticator: proof.Authenticator, Destination: destination}),
		Early: proof.Questions > 0,
	}
}

// seeOther leads a browser on after a form (RFC 9110 §15.4.4).
func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}
