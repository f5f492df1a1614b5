// Access tokens: gettoken, and the checks of the token that other calls bring.

package wecomsim

import (
	"slices"
	"time"
)

// token is an access token. It belongs to one app, or to the contact-sync
// assistant of a corp (no AgentID).
type token struct {
	value   string
	owner   appRef
	issued  time.Time
	expires time.Time
	// revoked is the code for a token that was revoked before it expired.
	revoked int
}

// getToken is D/91039. The order of its checks was seen on the real API.
func (s *Simulator) getToken(c *call) (fields, int) {
	secret, corpID := c.query.Get("corpsecret"), c.query.Get("corpid")
	if secret == "" {
		return nil, codeNoSecret
	}
	if corpID == "" {
		return nil, codeNoCorpID
	}
	corp := s.corp(corpID)
	if corp == nil {
		return nil, codeBadCorpID
	}
	owner := appRef{corpID: corpID}
	if i := slices.IndexFunc(corp.Apps, func(a App) bool { return a.Secret == secret }); i >= 0 {
		owner.agentID = corp.Apps[i].AgentID
	} else if corp.ContactSyncSecret == "" || corp.ContactSyncSecret != secret {
		// The answer itself is 40001; the block begins with the next call.
		s.exceeds("secrets "+c.ip, s.limits.WrongSecrets-1, WrongSecretBlock)
		return nil, codeBadSecret
	}
	if _, a := s.app(owner); a != nil {
		if a.Disabled {
			return nil, codeBadSecret
		}
		if s.choices.GetTokenChecksIP && !a.trusts(c.ip) {
			return nil, codeBadIP
		}
	}
	now := s.now()
	for _, t := range s.tokens {
		if t.owner != owner || t.revoked != 0 || !now.Before(t.expires) {
			continue
		}
		switch s.choices.TokenRepeat {
		case SameTokenRemainingLife:
			// Rounded up: a valid token never has 0 seconds left.
			left := (t.expires.Sub(now) + time.Second - 1) / time.Second
			return fields{"access_token": t.value, "expires_in": int(left)}, 0
		case SameTokenFullLife:
			return fields{"access_token": t.value, "expires_in": int(TokenLifetime.Seconds())}, 0
		case NewTokenKillsOld:
			t.revoked = codeInvalidToken
		case NewTokenKeepsOld:
		}
	}
	t := &token{value: s.newValue(), owner: owner, issued: now, expires: now.Add(TokenLifetime)}
	s.tokens[t.value] = t
	return fields{"access_token": t.value, "expires_in": int(TokenLifetime.Seconds())}, 0
}

// checkToken sets the corp and app of a call, or returns the errcode that refuses it.
func (s *Simulator) checkToken(c *call) int {
	value := c.query.Get("access_token")
	t := s.tokens[value]
	switch {
	case value == "":
		return codeNoToken
	case t == nil:
		return codeInvalidToken
	case t.revoked != 0:
		return t.revoked
	case !s.now().Before(t.expires) && s.choices.ExpiredTokenIsInvalid:
		return codeInvalidToken
	case !s.now().Before(t.expires):
		return codeExpiredToken
	}
	c.corp, c.app = s.app(t.owner)
	switch {
	case c.app == nil:
		return 0
	case !c.app.trusts(c.ip):
		return codeBadIP
	case c.app.Disabled:
		return codeAppDisabled
	default:
		return 0
	}
}

func (s *Simulator) revokeTokens(owner appRef, errcode int) {
	for _, t := range s.tokens {
		if t.owner == owner && t.revoked == 0 {
			t.revoked = errcode
		}
	}
}
