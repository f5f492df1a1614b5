package oauth

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Revoke ends the grant of a refresh or access token of the application (RFC 7009). Any
// other token is not an error, and nothing happens. The error is an *Error or a failure of
// the system. One remote call: RevokeGrant.
func (p *Provider) Revoke(ctx context.Context, in TokenInput) error {
	c, text, err := p.tokenOfOwner(ctx, in)
	if err != nil {
		return err
	}
	// Of an old generation, too: it is the application's own wish.
	if r, ok := openRefreshToken(p.RefreshTokens, c.ID, text); ok {
		return p.giveBack(ctx, r.grantID, r.userID, c)
	}
	token, err := p.verifyAccessToken(ctx, text, in.Issuer)
	_, refused := RefusalOf(err)
	switch {
	case refused || err == nil && token.ClientID != c.ID:
		return nil
	case err != nil:
		return err
	}
	return p.giveBack(ctx, token.GrantID, token.Subject, c)
}

// giveBack ends a grant at the wish of its application. A token that is given back again and
// again is in the audit once in a while.
func (p *Provider) giveBack(ctx context.Context, grantID, userID string, c client) error {
	if err := p.revokeGrant(ctx, grantID); err != nil {
		return err
	}
	if p.refusals.Allow("given back "+grantID, p.Now(), refusalInterval) {
		p.Audit.Note(ctx, store.AuditLine{Type: audit.TokenRevoked, User: userID, Application: c.ID})
	}
	return nil
}

func (p *Provider) revokeGrant(ctx context.Context, id string) error {
	if err := p.Store.RevokeGrant(ctx, id); err != nil {
		return wrap("revoke grant", err)
	}
	return nil
}

// tokenOfOwner authenticates the application of a request about a token, and returns both.
// token_type_hint is not needed: the tokens cannot be mistaken for one another.
func (p *Provider) tokenOfOwner(ctx context.Context, in TokenInput) (client, string, error) {
	form, err := ParseForm(in.Body)
	if err != nil {
		return client{}, "", err
	}
	c, err := p.authenticate(ctx, in, form)
	switch {
	case err != nil:
		return client{}, "", err
	case form.firstRepeated([]string{"token", "token_type_hint"}) != "":
		return client{}, "", refuse(InvalidRequest, CauseRepeatedParameter, "token or token_type_hint was sent more than once.")
	case form.Get("token") == "":
		return client{}, "", refuse(InvalidRequest, CauseMissingParameter, "token is missing.")
	}
	return c, form.Get("token"), nil
}
