package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// codeLength is the length of a code: 256 random bits in base64url.
const codeLength = 43

// newCode returns a new code.
func newCode() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// grantID returns the id of the grant of a code: 128 bits of a hash, from which nobody
// finds the code.
func grantID(code string) string {
	sum := sha256.Sum256([]byte("grant\x00" + code))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// createGrant begins the grant of an authorization request that has been decided, and
// returns its code. store.ErrNotFound: the session's lineage has ended.
func (p *Provider) createGrant(ctx context.Context, r *authorization) (code string, err error) {
	now, code := p.Now(), newCode()
	g := grantOf(*r.in.Session, r.application, r.request.Scopes)
	g.ID, g.CreatedAt, g.CodeExpiresAt, g.KeepUntil = grantID(code), now, now.Add(CodeLifetime), now.Add(CodeLifetime+keepAfter)
	g.RedirectURI, g.CodeChallenge = r.request.RedirectURI, r.request.CodeChallenge
	g.Nonce, g.Claims = r.request.Nonce, r.request.Claims
	g.Offline = slices.Contains(r.request.Scopes, claims.ScopeOfflineAccess)
	if err := p.Store.CreateGrant(ctx, g, r.in.Session.Session.ExpiresAt); err != nil {
		return "", wrap("create grant", err)
	}
	return code, nil
}

// grantOf returns what a grant says of the session and the application that it hangs on.
func grantOf(s Session, a store.Application, scopes []string) store.Grant {
	return store.Grant{
		ApplicationID: a.ID, ApplicationGeneration: a.Generation,
		UserID: s.Session.UserID, UserGeneration: s.Session.UserGeneration, Lineage: s.Lineage,
		AuthenticatorName: s.Session.AuthenticatorName, AuthenticatorID: s.Session.AuthenticatorID,
		AuthenticatorGeneration: s.Session.AuthenticatorGeneration,
		CorpID:                  s.Session.CorpID, WeComUserID: s.Session.WeComUserID, IdentityGeneration: s.Session.IdentityGeneration,
		SignedInAt: s.Session.SignedInAt, InWeCom: s.Session.InWeCom, Scopes: scopes,
	}
}

// grantState is a grant with what it hangs on.
type grantState struct {
	store.Grant
	user    store.User
	lineage store.Lineage
	// authenticator and oneCorp are set by checkLive; for oneCorp see claims.Member.
	authenticator store.Authenticator
	oneCorp       bool
}

// state reads a grant with its user and its lineage.
func (p *Provider) state(ctx context.Context, id, userID, lineage string) (grantState, error) {
	g, u, l, err := p.Store.GrantState(ctx, id, userID, lineage)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return grantState{}, refuse(InvalidGrant, CauseGrantGone, "The grant has ended.")
	case err != nil:
		return grantState{}, wrap("read grant with its user", err)
	}
	if u, err = store.WithWeComRoles(ctx, p.Authenticators, u, g.CorpID); err != nil {
		return grantState{}, wrap("read roles of user", err)
	}
	return grantState{Grant: g, user: u, lineage: l}, nil
}

// checkLive refuses a grant that gives nothing any more, and completes one that does.
// Application and authenticators may come from a cache.
func (p *Provider) checkLive(ctx context.Context, g *grantState, a store.Application) error {
	u, l := g.user, g.lineage
	// An offline grant outlives its session, but does not begin after it.
	outlives := g.Offline && g.Refreshed > 0
	ended := func(cause Cause, description string) error { return refuse(InvalidGrant, cause, description) }
	switch {
	case g.Revoked:
		return ended(CauseGrantRevoked, "The grant was revoked.")
	case !a.Enabled || a.ID != g.ApplicationID || a.Generation != g.ApplicationGeneration:
		return ended(CauseApplicationDisabled, "The application has been disabled or replaced since the member signed in.")
	case !u.Keeps(g.Begun()):
		return ended(CauseUserEnded, "The member's access has ended.")
	case !outlives && (l.ID == "" || l.ID != g.Lineage || l.UserID != g.UserID || l.Ended || !p.Now().Before(l.ExpiresAt)):
		return ended(CauseSessionEnded, "The member's session has ended.")
	case !Takes(a, g.AuthenticatorName):
		return ended(CauseAuthenticatorEnded, "The way in which the member signed in is not for this application.")
	}
	switch allowed, err := allows(ctx, p.Authenticators, a, u, g.CorpID); {
	case err != nil:
		return err
	case !allowed:
		return ended(CauseNotAllowed, "The application is not for this member.")
	}
	authenticator, err := p.Authenticators.Authenticator(ctx, g.AuthenticatorName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return wrap("read authenticator of grant", err)
	}
	if err != nil || !authenticator.Enabled || authenticator.ID != g.AuthenticatorID || authenticator.Generation != g.AuthenticatorGeneration {
		return ended(CauseAuthenticatorEnded, "The way in which the member signed in has been disabled or changed.")
	}
	g.authenticator = authenticator
	corpIDs, err := CorpsOf(ctx, p.Authenticators, a)
	if err != nil {
		return err
	}
	g.oneCorp = slices.Equal(corpIDs, []string{g.CorpID})
	if a.FirstParty {
		return nil
	}
	// One more call, for applications of others: a member may withdraw the consent.
	consent, err := p.consent(ctx, u.ID, a)
	agreed := union(g.Scopes, g.requested().Scopes(a.Claims.GroupsName))
	if err == nil && (!containsAll(consent.Scopes, agreed) || g.CreatedAt.Before(consent.Since)) {
		return ended(CauseConsentMissing, "The member does not agree any more.")
	}
	return err
}

func keepUntil(now, expiresAt time.Time) time.Time {
	if last := now.Add(keys.MaxLifetime); last.After(expiresAt) {
		expiresAt = last
	}
	return expiresAt.Add(keepAfter)
}

// refreshToken is what a refresh token says. Its user and lineage let the grant be read
// together with them; the grant decides whose it is.
type refreshToken struct {
	grantID    string
	generation int64
	userID     string
	lineage    string
}

// maxRefreshToken is longer than any refresh token.
const maxRefreshToken = 512

// content is the token without its secret.
func (r refreshToken) content() string {
	return fmt.Sprintf("%s.%d.%s.%s", r.grantID, r.generation, r.userID, r.lineage)
}

// seal returns the token for an application. It can be made again, by us alone.
func (r refreshToken) seal(d Deriver, clientID string) string {
	return r.content() + "." + d.Derive(clientID+"\n"+r.content())
}

// openRefreshToken returns what a refresh token of an application says; ok is false for
// anything else, including the token of another application.
func openRefreshToken(d Deriver, clientID, token string) (r refreshToken, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxRefreshToken || len(parts) != 5 {
		return refreshToken{}, false
	}
	r = refreshToken{grantID: parts[0], userID: parts[2], lineage: parts[3]}
	r.generation, _ = strconv.ParseInt(parts[1], 10, 64) // anything else is not r.content
	content := strings.Join(parts[:4], ".")
	return r, content == r.content() && d.Matches(clientID+"\n"+content, parts[4])
}
