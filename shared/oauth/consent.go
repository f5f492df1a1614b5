package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// consent decides whether the member must be asked, or has answered, before a code is
// given; done is false when it may be.
func (r *authorization) consent(ctx context.Context) (d Decision, done bool, err error) {
	if r.application.FirstParty {
		return Decision{}, false, nil
	}
	user := r.in.Session.User
	earlier, err := r.provider.consent(ctx, user.ID, r.application)
	if err != nil {
		return Decision{}, false, err
	}
	// A claim that is asked for by its name needs the agreement to its scope.
	asked := union(r.request.Scopes, r.request.claims.Scopes(r.application.Claims.GroupsName))
	given := containsAll(earlier.Scopes, asked)
	answer := r.in.Answer
	if answer != NoAnswer && !r.provider.Forms.Matches(r.formOf(consentForm), r.in.Proof) {
		r.provider.LogField(ctx, "cause", string(CauseForgedAnswer))
		answer = NoAnswer
	}
	switch {
	case r.request.Prompt.None && given:
		return Decision{}, false, nil
	case r.request.Prompt.None:
		return r.redirectError(ctx, refuse(ConsentRequired, CauseConsentMissing, "The member must agree first.")), true, nil
	case answer == Refused:
		return r.redirectError(ctx, refuse(AccessDenied, CauseConsentRefused, "The member did not agree.")), true, nil
	case answer == Agreed:
		now, since := r.provider.Now(), earlier.Since
		if earlier.At.IsZero() {
			since = now
		}
		err := r.provider.Store.PutConsent(ctx, store.Consent{
			UserID: user.ID, ApplicationID: r.application.ID, ApplicationGeneration: r.application.Generation,
			Scopes: union(earlier.Scopes, asked), At: now, Since: since,
		})
		if err != nil {
			return Decision{}, false, wrap("write consent", err)
		}
		return Decision{}, false, nil
	case given && !r.request.Prompt.Consent:
		return Decision{}, false, nil
	}
	d = r.decision
	d.Kind = AskConsent
	d.Consent = ConsentRequest{Scopes: asked, Proof: r.provider.Forms.Derive(r.formOf(consentForm))}
	return d, true, nil
}

// consent returns what a member has agreed to for an application; zero: nothing.
func (p *Provider) consent(ctx context.Context, userID string, a store.Application) (store.Consent, error) {
	consent, err := p.Store.Consent(ctx, userID, a.ID)
	switch {
	case errors.Is(err, store.ErrNotFound) || err == nil && consent.ApplicationGeneration != a.Generation:
		return store.Consent{}, nil
	case err != nil:
		return store.Consent{}, wrap("read consent", err)
	}
	return consent, nil
}

// The forms of pages whose answers need a proof.
const (
	consentForm = "consent"
	logoutForm  = "logout"
)

func (r *authorization) formOf(form string) string {
	return formOf(form, r.in.Issuer, r.in.Session, r.in.RawQuery)
}

// formOf is what the proof of a page is derived from: this page, for this session, about
// this request. The parts before the last have no line breaks in them.
func formOf(form, issuer string, session *Session, request string) string {
	return strings.Join([]string{form, issuer, session.User.ID, session.Lineage, request}, "\n")
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// union returns the scopes that are in one of both lists.
func union(x, y []string) []string { return claims.KnownScopes(slices.Concat(x, y)) }
