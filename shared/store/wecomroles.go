package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// WithWeComRoles returns a user with the roles by rules: those that the checks of its
// identities found, of authenticators that are still there and enabled, and that a rule
// still gives. So a rule that is taken away takes its role away at once. The role of
// administrators is never among them.
//
// authenticators may be a cache; it is asked for nothing when the user has no such role.
func WithWeComRoles(ctx context.Context, authenticators interface {
	Authenticator(ctx context.Context, name string) (Authenticator, error)
}, u User,
) (User, error) {
	u.WeComRoles = nil
	for _, identity := range u.Identities {
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
