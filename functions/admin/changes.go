package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// change says in the log what a request changed: the object, the names of its fields and
// a user's roles, but no other value, because the others are phones, names and secrets.
type change struct {
	Change   changeKind `json:"change"`
	Object   objectKind `json:"object"`
	ObjectID string     `json:"objectId"`
	// name is an authenticator's, by which the audit knows it.
	name string
	// line is the type of its line in the audit.
	line string
	// Fields are named as in the API, and "sessions" or "grants" is one of them when those
	// ended, "applicationTags" when an authenticator looks up other tags for applications.
	// Here and below a space separates: CloudWatch shows lists element by element.
	Fields string `json:"changedFields,omitempty"`
	// RolesBefore and RolesAfter are a user's.
	RolesBefore string `json:"rolesBefore,omitempty"`
	RolesAfter  string `json:"rolesAfter,omitempty"`
	// Uncertain: the store failed, perhaps after it had written.
	Uncertain bool `json:"uncertain,omitempty"`
}

type changeKind string

const (
	changeCreated changeKind = "created"
	changeUpdated changeKind = "updated"
	changeDeleted changeKind = "deleted"
)

type objectKind string

const (
	applicationObject   objectKind = "application"
	authenticatorObject objectKind = "authenticator"
	userObject          objectKind = "user"
	domainFileObject    objectKind = "domain-file"
)

// maxLoggedChanges is how many bytes the changes of an import may have in its log event,
// below the 256 kB at which CloudWatch used to cut one off.
const maxLoggedChanges = 200 << 10

// changes are those of one request; an import makes them concurrently.
type changes struct {
	mu  sync.Mutex
	all []change
}

type changesKey struct{}

// withChanges returns a context in which recordChange collects.
func withChanges(ctx context.Context) (context.Context, *changes) {
	collected := &changes{}
	return context.WithValue(ctx, changesKey{}, collected), collected
}

// recordChange adds a change to the log event of the request. err is the result of the
// write: what the store refused was not changed.
func recordChange(ctx context.Context, c change, err error) {
	collected, ok := ctx.Value(changesKey{}).(*changes)
	if !ok || isRefusal(err) {
		return
	}
	c.Uncertain = err != nil
	collected.mu.Lock()
	defer collected.mu.Unlock()
	collected.all = append(collected.all, c)
}

// isRefusal reports whether the store says that nothing was written.
func isRefusal(err error) bool {
	_, autoLoginTaken := errors.AsType[*store.AutoLoginTakenError](err)
	return autoLoginTaken || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrChanged) ||
		errors.Is(err, store.ErrPhoneTaken) || errors.Is(err, store.ErrIdentityTaken)
}

// log writes one change as fields of the event, and several as a list: those of roles
// first, and as many as fit.
func (c *changes) log(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch len(c.all) {
	case 0:
		return
	case 1:
		one := c.all[0]
		apigw.LogField(ctx, "change", one.Change)
		apigw.LogField(ctx, "object", one.Object)
		apigw.LogField(ctx, "objectId", one.ObjectID)
		apigw.LogField(ctx, "changedFields", one.Fields)
		if one.Object == userObject {
			apigw.LogField(ctx, "rolesBefore", one.RolesBefore)
			apigw.LogField(ctx, "rolesAfter", one.RolesAfter)
		}
		if one.Uncertain {
			apigw.LogField(ctx, "uncertain", true)
		}
		return
	}
	changesRoles := func(c change) int {
		if c.RolesBefore == c.RolesAfter {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(c.all, func(a, b change) int {
		return cmp.Or(cmp.Compare(changesRoles(a), changesRoles(b)), cmp.Compare(a.ObjectID, b.ObjectID))
	})
	logged, size := 0, 0
	for _, one := range c.all {
		text, _ := json.Marshal(one) // of strings only
		if size += len(text) + 1; size > maxLoggedChanges {
			break
		}
		logged++
	}
	apigw.LogField(ctx, "changes", c.all[:logged])
	if left := len(c.all) - logged; left > 0 {
		apigw.LogField(ctx, "changesLeftOut", left)
	}
}

// authenticatorChange compares two states of an authenticator; before is the zero value
// for a new one.
func authenticatorChange(before, after store.Authenticator) change {
	c := change{Change: changeUpdated, Object: authenticatorObject, ObjectID: after.ID, name: after.Name, line: audit.AuthenticatorUpdated}
	if before.ID == "" {
		c.Change, c.line = changeCreated, audit.AuthenticatorCreated
	}
	c.Fields = changedFields([]field{
		{"title", before.Title != after.Title},
		{"enabled", before.Enabled != after.Enabled},
		{"corpId", before.CorpID != after.CorpID},
		{"agentId", before.AgentID != after.AgentID},
		{"secret", before.SecretVersion != after.SecretVersion},
		{"origin", before.Origin != after.Origin},
		{"workbenchRedirectPath", before.WorkbenchRedirectPath != after.WorkbenchRedirectPath},
		{"autoSignup", before.AutoSignup != after.AutoSignup},
		{"autoLogin", before.AutoLogin != after.AutoLogin},
		{"linkByPhone", before.LinkByPhoneOff != after.LinkByPhoneOff},
		{"events", before.EventsEnabled != after.EventsEnabled},
		{"roleRules", !slices.Equal(before.RoleRules, after.RoleRules)},
		{"allow", !sameAllow(before.Allow, after.Allow)},
		{"applicationTags", !slices.Equal(before.ApplicationTags, after.ApplicationTags)},
		{"sessions", before.ID != "" && before.Generation != after.Generation},
	})
	return c
}

// applicationChange compares two states of an application; before is the zero value for a
// new one. Without Fields they are the same.
func applicationChange(before, after store.Application) change {
	c := change{Change: changeUpdated, Object: applicationObject, ObjectID: after.ID, line: audit.ApplicationUpdated}
	if before.ID == "" {
		c.Change, c.line = changeCreated, audit.ApplicationCreated
	}
	c.Fields = changedFields([]field{
		{"title", before.Title != after.Title},
		{"enabled", before.Enabled != after.Enabled},
		{"kind", before.Kind != after.Kind},
		{"homepage", before.Homepage != after.Homepage},
		{"redirectUris", !slices.Equal(before.RedirectURIs, after.RedirectURIs)},
		{"postLogoutRedirectUris", !slices.Equal(before.PostLogoutRedirectURIs, after.PostLogoutRedirectURIs)},
		{"backchannelLogoutUri", before.BackchannelLogoutURI != after.BackchannelLogoutURI},
		{"authenticators", !slices.Equal(before.Authenticators, after.Authenticators)},
		{"allow", !sameAllow(before.Allow, after.Allow) || before.AllowCorpID != after.AllowCorpID},
		{"requirePkce", before.RequirePKCE != after.RequirePKCE},
		{"firstParty", before.FirstParty != after.FirstParty},
		{"claims", !reflect.DeepEqual(before.Claims, after.Claims)},
		{"forwardAuth", before.ForwardAuthToken != after.ForwardAuthToken},
		{"audience", before.Audience != after.Audience},
		{"refreshTokenLifetime", before.RefreshTokenLifetime != after.RefreshTokenLifetime},
		{"secrets", !slices.Equal(secretIDs(before), secretIDs(after))},
		{"grants", before.ID != "" && before.Generation != after.Generation},
	})
	return c
}

func secretIDs(a store.Application) []string {
	ids := make([]string, len(a.Secrets))
	for i, s := range a.Secrets {
		ids[i] = s.ID
	}
	return ids
}

// userChange compares two states of a user; before is the zero value for a new one.
func userChange(before, after store.User) change {
	c := change{
		Change: changeUpdated, Object: userObject, ObjectID: after.ID, line: audit.UserUpdated,
		RolesBefore: strings.Join(before.Roles, " "), RolesAfter: strings.Join(after.Roles, " "),
	}
	if before.ID == "" {
		c.Change, c.line = changeCreated, audit.UserCreated
	}
	c.Fields = changedFields([]field{
		{"phone", before.Phone != after.Phone},
		{"name", before.Name != after.Name},
		{"avatar", before.Avatar != after.Avatar},
		{"roles", !slices.Equal(before.Roles, after.Roles)},
		{"enabled", before.Enabled != after.Enabled},
		{"identities", !reflect.DeepEqual(before.Identities, after.Identities)},
		{"sessions", before.ID != "" && before.SessionGeneration != after.SessionGeneration},
	})
	return c
}

type field struct {
	name    string
	changed bool
}

func changedFields(fields []field) string {
	var names []string
	for _, f := range fields {
		if f.changed {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, " ")
}
