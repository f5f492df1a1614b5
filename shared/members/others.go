package members

import (
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// What other apps of the corp said of a member counts, too: their roles and tags. Who stays away
// from them must not keep these for ever, so that each check looks again. What another corp says
// counts for what came through that one alone, and is looked at there.

// again is what another app says of the member now.
type again struct {
	authenticatorID string
	finding         Finding // zero: the authenticator is not in use any more
}

// others looks a member up again by those apps of the corp that have given roles or tags. It
// costs nothing for members who have them by the app of a alone. Whether the member may sign in
// there is left to a check there, which also ends sessions.
func (c *Checker) others(ctx context.Context, a store.Authenticator, i store.Identity) (all []again, err error) {
	for _, access := range i.Access {
		if access.AuthenticatorID == a.ID || len(access.Roles)+len(access.Tags) == 0 {
			continue
		}
		other, err := c.Authenticators.Authenticator(ctx, access.AuthenticatorName)
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return nil, err
		case err != nil, !other.Enabled, other.ID != access.AuthenticatorID, other.CorpID != i.CorpID:
			all = append(all, again{authenticatorID: access.AuthenticatorID})
		default:
			all = append(all, again{other.ID, c.look(ctx, other, i.WeComUserID, i.Former)})
		}
	}
	return all, nil
}

// withOthers returns an identity with the roles and tags that other apps give now. An app that
// could not be asked, or was asked again meanwhile, leaves its own as they are.
func withOthers(i store.Identity, all []again) store.Identity {
	if !i.DisabledAt.IsZero() || len(all) == 0 {
		return i
	}
	for _, other := range all {
		access, known := i.AccessBy(other.authenticatorID)
		f := other.finding
		switch {
		case !known, access.CheckedAt.After(f.at) && !f.at.IsZero():
			continue
		case f.evaluation != nil:
			access.Roles, access.Tags = f.evaluation.Roles, f.evaluation.Tags
		case f.at.IsZero(), f.Verdict == Gone:
			// Known again, it gives them with its next check, which is due.
			access.Roles, access.Tags, access.CheckedAt = nil, nil, time.Time{}
		}
		i = i.WithAccess(access)
	}
	return withTags(i)
}
