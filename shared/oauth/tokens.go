package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// respond signs the tokens of a grant, with the refresh token of a generation. The first
// ones are recorded as a sign-in.
func (t *tokenRequest) respond(ctx context.Context, g grantState, generation int64, scopes []string, nonce string) (TokenResponse, error) {
	p := t.provider
	// Nothing may go on after the answer: a function is frozen then.
	var recording sync.WaitGroup
	defer recording.Wait()
	recording.Go(func() {
		if generation == 1 {
			p.record(ctx, t.call, t.client.ID, g.UserID, nil)
		}
		p.noteUse(ctx, t.client)
	})
	now := p.Now()
	lifetime := AccessTokenLifetime
	if !g.Offline { // the session ends at a whole second or a moment later
		lifetime = min(lifetime, g.lineage.ExpiresAt.Sub(now).Truncate(time.Second))
	}
	accessToken, err := p.Signer.SignAccessToken(ctx, p.accessTokenClaims(t.call.Issuer, t.client.Application, g, scopes, now, lifetime))
	if err != nil {
		return TokenResponse{}, wrap("sign access token", err)
	}
	response := TokenResponse{
		AccessToken: accessToken, TokenType: "Bearer", ExpiresIn: int64(lifetime / time.Second),
		RefreshToken: refreshToken{g.ID, generation, g.UserID, g.Lineage}.seal(p.RefreshTokens, t.client.ID),
		Scope:        strings.Join(scopes, " "),
	}
	if slices.Contains(scopes, ScopeOpenID) {
		claims := p.idTokenClaims(t.call.Issuer, t.client.Application, g, scopes, now)
		claims["at_hash"] = halfHash(accessToken)
		if nonce != "" {
			claims["nonce"] = nonce
		}
		if response.IDToken, err = p.Signer.SignIDToken(ctx, claims); err != nil {
			return TokenResponse{}, wrap("sign ID token", err)
		}
	}
	return response, nil
}

// halfHash is at_hash (OpenID Connect Core §3.1.3.6).
func halfHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// accessTokenClaims are those of RFC 9068 and of the member. The audience is never the
// application itself, so that the token does not pass for an ID token; client_id and azp
// keep it out of the admin API.
func (p *Provider) accessTokenClaims(issuer string, a store.Application, g grantState, scopes []string, now time.Time, lifetime time.Duration) map[string]any {
	claims := p.memberClaims(a, g, scopes, nil)
	maps.Copy(claims, signInClaims(issuer, a, g.Grant, now, lifetime))
	claims["aud"] = issuer
	if a.Audience != "" && a.Audience != issuer {
		claims["aud"] = []string{a.Audience, issuer}
	}
	claims["jti"], claims["client_id"] = rand.Text(), a.ID
	claims["scope"], claims["grant_id"] = strings.Join(scopes, " "), g.ID
	return claims
}

func (p *Provider) idTokenClaims(issuer string, a store.Application, g grantState, scopes []string, now time.Time) map[string]any {
	asked, _ := parseClaims(g.Claims) // it parsed when the grant began
	if !a.Claims.InIDToken {
		scopes = nil
	}
	claims := p.memberClaims(a, g, scopes, asked.idToken)
	maps.Copy(claims, signInClaims(issuer, a, g.Grant, now, IDTokenLifetime))
	claims["aud"] = a.ID
	return claims
}

// signInClaims are what access tokens and ID tokens say of the sign-in.
func signInClaims(issuer string, a store.Application, g store.Grant, now time.Time, lifetime time.Duration) map[string]any {
	return map[string]any{
		"iss": issuer, "sub": g.UserID, "azp": a.ID, "sid": g.Lineage,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "auth_time": g.SignedInAt.Unix(),
		"acr": acrOf(g.InWeCom), "amr": amrOf(g.InWeCom),
	}
}

// amrOf names the ways of authentication (RFC 8176): a scan confirms on the phone what goes
// on in a browser, so there are several channels.
func amrOf(inWeCom bool) []string {
	if inWeCom {
		return []string{"wecom"}
	}
	return []string{"wecom", "mca"}
}

// memberClaims are the claims of the member without any that a token has of its own. Claims
// asked for one by one are given to first-party applications only: nobody has agreed to
// them for another.
func (p *Provider) memberClaims(a store.Application, g grantState, scopes, named []string) map[string]any {
	if !a.FirstParty {
		named = nil
	}
	claims := map[string]any{}
	maps.Copy(claims, p.Claims.MemberClaims(a, g.user, store.Identity{CorpID: g.CorpID, WeComUserID: g.WeComUserID}, scopes, named))
	for _, own := range []string{
		"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "nonce", "azp", "client_id", "sid", "scope", "grant_id",
		"auth_time", "acr", "amr", "at_hash", "c_hash", "s_hash", "cnf", "act", "events", "typ", "active", "token_type",
	} {
		delete(claims, own)
	}
	return claims
}

// hint is what an ID token says when it comes back.
type hint struct{ clientID, subject, lineage string }

// idTokenHint reads an id_token_hint; ok is false without a valid one.
func (p *Provider) idTokenHint(ctx context.Context, token, issuer string) (h hint, ok bool, err error) {
	if token == "" {
		return hint{}, false, nil
	}
	claims, err := p.Verifier.VerifyIDTokenHint(ctx, token, issuer)
	switch {
	case errors.Is(err, keys.ErrRefused):
		return hint{}, false, nil
	case err != nil:
		return hint{}, false, wrap("verify id_token_hint", err)
	}
	h = hint{text(claims["azp"]), text(claims["sub"]), text(claims["sid"])}
	return h, h.clientID != "" && h.subject != "" && slices.Contains(texts(claims["aud"]), h.clientID), nil
}

// token is a verified access token of a grant.
type token struct {
	claims                             map[string]any
	clientID, grantID, userID, lineage string
	scopes                             []string
}

// accessToken verifies an access token that was made here, for an application. A token of
// /api/token has no grant and is refused.
func (p *Provider) accessToken(ctx context.Context, jwt, issuer string) (token, error) {
	refused := refuse(InvalidToken, CauseTokenMalformed, "The access token is not valid.")
	claims, err := p.Verifier.VerifyAccessToken(ctx, jwt, issuer)
	switch {
	case errors.Is(err, keys.ErrRefused):
		return token{}, refused
	case err != nil:
		return token{}, wrap("verify access token", err)
	}
	t := token{
		claims: claims, clientID: text(claims["client_id"]), grantID: text(claims["grant_id"]),
		userID: text(claims["sub"]), lineage: text(claims["sid"]), scopes: strings.Fields(text(claims["scope"])),
	}
	if t.clientID == "" || t.grantID == "" || t.userID == "" || text(claims["azp"]) != t.clientID || !slices.Contains(texts(claims["aud"]), issuer) {
		return token{}, refused
	}
	return t, nil
}

// liveToken reads the grant of an access token, and refuses it unless that lives.
func (p *Provider) liveToken(ctx context.Context, t token) (store.Application, grantState, error) {
	refused := func(cause Cause) (store.Application, grantState, error) {
		return store.Application{}, grantState{}, refuse(InvalidToken, cause, "The access token is not valid any more.")
	}
	a, err := p.application(ctx, t.clientID)
	if errors.Is(err, store.ErrNotFound) {
		return refused(CauseApplicationUnknown)
	}
	var g grantState
	if err == nil {
		g, err = p.state(ctx, t.grantID, t.userID, t.lineage)
	}
	if err == nil {
		err = p.checkLive(ctx, g, a)
	}
	if refusal, ok := RefusalOf(err); ok {
		return refused(refusal.Cause)
	}
	if err != nil {
		return store.Application{}, grantState{}, err
	}
	if g.Refreshed == 0 || !containsAll(g.Scopes, t.scopes) {
		return refused(CauseTokenMalformed)
	}
	return a, g, nil
}

func text(claim any) string {
	s, _ := claim.(string)
	return s
}

// texts returns a claim that is one string or a list of them.
func texts(claim any) []string {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []string:
		return claim
	case []any:
		list := make([]string, 0, len(claim))
		for _, item := range claim {
			list = append(list, text(item))
		}
		return list
	}
	return nil
}
