package apigw

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// Caller is who may use /api/admin, as the Lambda authorizer tells the functions
// behind it: the holder of the admin key, or a user. The zero Caller is nobody.
type Caller struct {
	kind   string
	userID string
}

// The members of the authorizer's context, and the kinds of callers.
const (
	memberCaller = "caller"
	memberUserID = "userId" // with kindUser

	kindAdminKey = "admin-key"
	kindUser     = "user"
)

// AdminKeyCaller is the holder of the admin key.
func AdminKeyCaller() Caller { return Caller{kind: kindAdminKey} }

// UserCaller is a user. Without an id it is nobody.
func UserCaller(id string) Caller {
	if id == "" {
		return Caller{}
	}
	return Caller{kind: kindUser, userID: id}
}

// Kind returns "admin-key", "user", or nothing for nobody.
func (c Caller) Kind() string { return c.kind }

// UserID returns the id of the user, or nothing.
func (c Caller) UserID() string { return c.userID }

// Encode returns the context of the authorizer's answer, from which CallerOf reads the
// caller behind the gateway. Nobody is encoded as nil.
func (c Caller) Encode() map[string]any {
	switch c.kind {
	case kindAdminKey:
		return map[string]any{memberCaller: kindAdminKey}
	case kindUser:
		return map[string]any{memberCaller: kindUser, memberUserID: c.userID}
	default:
		return nil
	}
}

// CallerOf returns the caller of a request. Unless the authorizer named one the error
// is Forbidden, so that a route without its authorizer is closed.
func CallerOf(ctx context.Context) (Caller, error) {
	authorizer := infoOf(ctx).authorizer
	switch authorizer[memberCaller] {
	case kindAdminKey:
		return AdminKeyCaller(), nil
	case kindUser:
		id, _ := authorizer[memberUserID].(string)
		if id == "" {
			return Caller{}, apierr.Newf(apierr.Forbidden, "the authorizer named no user")
		}
		return UserCaller(id), nil
	default:
		return Caller{}, apierr.Newf(apierr.Forbidden, "no authorizer vouched for the caller")
	}
}
