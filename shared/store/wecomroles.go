package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// WithWeComRoles returns a user with the roles by rules that count for whoever has come through
// a corp: those of that corp alone. Another corp's directory may have made up the phone by which
// its member became this user, so it must not reach what the rules of this one give, whichever
// of them came first. Of several authenticators of the corp, all count.
//
// They are those that the checks of the identity found, of authenticators that are still there
// and enabled, and that a rule still gives. So a rule that is taken away takes its role away at
// once. The role of administrators is never among them.
//
// authenticators may be a cache; it is asked for nothing when the user has no such role.
func WithWeComRoles(ctx context.Context, authenticators roleReader, u User, corpID string) (User, error) {
	u.WeComRoles = nil
	identity, bound := u.IdentityIn(corpID)
	if !bound {
		return u, nil
	}
	return withRolesOf(ctx, authenticators, u, identity)
}

// WithWeComRolesOfAllCorps returns a user with the roles by rules of every corp, for
// administrators to see. Nobody has all of them at once.
func WithWeComRolesOfAllCorps(ctx context.Context, authenticators roleReader, u User) (User, error) {
	u.WeComRoles = nil
	return withRolesOf(ctx, authenticators, u, u.Identities...)
}

type roleReader interface {
	Authenticator(ctx context.Context, name string) (Authenticator, error)
}

// withRolesOf adds the roles that identities have.
func withRolesOf(ctx context.Context, authenticators roleReader, u User, identities ...Identity) (User, error) {
	for _, identity := range identities {
		if identity.IsGone() {
			continue
		}
		for _, access := range identity.Access {
			if len(access.Roles) == 0 {
				continue
			}
			a, err := authenticators.Authenticator(ctx, access.AuthenticatorName)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return u, fmt.Errorf("read authenticator of roles: %w", err)
			}
			if !a.Enabled || a.ID != access.AuthenticatorID || a.CorpID != identity.CorpID {
				continue
			}
			for _, role := range access.Roles {
				given := slices.ContainsFunc(a.RoleRules, func(r RoleRule) bool { return r.Role == role })
				if given && role != RoleAdmin && !slices.Contains(u.WeComRoles, role) {
					u.WeComRoles = append(u.WeComRoles, role)
				}
			}
		}
	}
	return u, nil
}
