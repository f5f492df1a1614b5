package oauth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// respond signs the tokens of a grant, with the refresh token of a generation. The first
// ones are recorded as a sign-in.
func (t *tokenRequest) respond(ctx context.Context, g grantState, generation int64, scopes []string, nonce string) (TokenResponse, error) {
	// Nothing may go on after the answer: a function is frozen then.
	var recording sync.WaitGroup
	defer recording.Wait()
	recording.Go(func() {
		if generation == 1 {
			t.provider.record(ctx, t.call, t.client.ID, g.UserID, nil)
		}
		t.provider.noteUse(ctx, t.client)
	})
	accessToken, lifetime, err := t.accessToken(ctx, g, scopes)
	if err != nil {
		return TokenResponse{}, err
	}
	response := TokenResponse{
		AccessToken: accessToken, TokenType: "Bearer", ExpiresIn: int64(lifetime / time.Second),
		RefreshToken: refreshToken{g.ID, generation, g.UserID, g.Lineage}.seal(t.provider.RefreshTokens, t.client.ID),
		Scope:        strings.Join(scopes, " "),
	}
	if slices.Contains(scopes, claims.ScopeOpenID) {
		response.IDToken, err = t.idToken(ctx, g, scopes, nonce, accessToken)
	}
	return response, err
}

// accessToken signs an access token, which does not outlive the session unless the grant
// does.
func (t *tokenRequest) accessToken(ctx context.Context, g grantState, scopes []string) (token string, lifetime time.Duration, err error) {
	end := t.provider.Now().Add(keys.MaxLifetime)
	if !g.Offline && g.lineage.ExpiresAt.Before(end) {
		end = g.lineage.ExpiresAt
	}
	audience := keys.Audience{t.call.Issuer}
	if own := t.client.Audience; own != "" && own != t.call.Issuer {
		audience = keys.Audience{own, t.call.Issuer}
	}
	token, lifetime, err = t.provider.Signer.Mint(ctx, keys.AccessTokenClaims{
		Issuer: t.call.Issuer, Audience: audience, Subject: g.UserID, SessionKey: g.Lineage,
		ClientID: t.client.ID, Scope: strings.Join(scopes, " "), GrantID: g.ID,
		AuthTime: g.SignedInAt.Unix(), ACR: claims.ACR(g.InWeCom), AMR: claims.AMR(g.InWeCom),
		Member: claims.ForAccessToken(g.member(), t.client.Claims, scopes).Map(),
	}, end)
	switch {
	case errors.Is(err, keys.ErrNoTimeLeft):
		return "", 0, refuse(InvalidGrant, CauseSessionEnded, "The member's session has ended.")
	case err != nil:
		return "", 0, wrap("sign access token", err)
	}
	return token, lifetime, nil
}

func (t *tokenRequest) idToken(ctx context.Context, g grantState, scopes []string, nonce, accessToken string) (string, error) {
	token, err := t.provider.Signer.MintIDToken(ctx, keys.IDTokenClaims{
		Issuer: t.call.Issuer, Subject: g.UserID, Audience: t.client.ID, SessionID: g.Lineage, Nonce: nonce,
		AuthTime: g.SignedInAt.Unix(), ACR: claims.ACR(g.InWeCom), AMR: claims.AMR(g.InWeCom),
		Member: claims.ForIDToken(g.member(), t.client.Claims, scopes, g.requested()).Map(),
	}, accessToken)
	if err != nil {
		return "", wrap("sign ID token", err)
	}
	return token, nil
}

// member is whom the grant is about.
func (g grantState) member() claims.Member {
	m := claims.MemberOf(g.user, g.CorpID, g.WeComUserID)
	m.OneCorp = g.oneCorp
	return m
}

// requested is the claims parameter of the grant, which parsed when the grant began.
func (g grantState) requested() claims.Request {
	r, _ := claims.ParseRequest(g.Claims)
	return r
}

// idTokenHint reads an id_token_hint; ok is false without a valid one.
func (p *Provider) idTokenHint(ctx context.Context, token, issuer string) (hint keys.IDTokenClaims, ok bool, err error) {
	if token == "" {
		return keys.IDTokenClaims{}, false, nil
	}
	hint, _, err = p.Verifier.VerifyIDTokenHint(ctx, token, issuer)
	switch {
	case errors.Is(err, keys.ErrRefused):
		return keys.IDTokenClaims{}, false, nil
	case err != nil:
		return keys.IDTokenClaims{}, false, wrap("verify id_token_hint", err)
	}
	return hint, true, nil
}

// verifyAccessToken verifies an access token that was made here for an application. A
// token of /api/token has no grant and is refused.
func (p *Provider) verifyAccessToken(ctx context.Context, token, issuer string) (keys.AccessTokenClaims, error) {
	verified, err := p.Verifier.VerifyOAuth(ctx, token, issuer)
	switch {
	case errors.Is(err, keys.ErrRefused):
		return keys.AccessTokenClaims{}, refuse(InvalidToken, CauseTokenMalformed, "The access token is not valid.")
	case err != nil:
		return keys.AccessTokenClaims{}, wrap("verify access token", err)
	}
	return verified, nil
}

// liveToken reads the grant of an access token, and refuses it unless that lives.
func (p *Provider) liveToken(ctx context.Context, token keys.AccessTokenClaims) (store.Application, grantState, error) {
	a, g, err := p.grantOfToken(ctx, token)
	if refusal, ok := RefusalOf(err); ok {
		return a, g, refuse(InvalidToken, refusal.Cause, "The access token is not valid any more.")
	}
	return a, g, err
}

func (p *Provider) grantOfToken(ctx context.Context, token keys.AccessTokenClaims) (store.Application, grantState, error) {
	a, err := p.application(ctx, token.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return a, grantState{}, refuse(InvalidGrant, CauseApplicationUnknown, "")
	case err != nil:
		return a, grantState{}, err
	}
	g, err := p.state(ctx, token.GrantID, token.Subject, token.SessionKey)
	switch {
	case err != nil:
		return a, grantState{}, err
	case g.Refreshed == 0: // its code was never taken
		return a, grantState{}, refuse(InvalidGrant, CauseTokenMalformed, "")
	}
	err = p.checkLive(ctx, &g, a)
	return a, g, err
}
