package members

import "github.com/wecom-signin/wecom-signin/shared/store"

// Evaluation is what an authenticator makes of a member.
type Evaluation struct {
	// Departments are the member's, with their names and those above, as far as the app may
	// see them.
	Departments []store.Department
	// Tags are those of the authenticator's LookedUpTags that the member has.
	Tags []int64
	// Roles are by the authenticator's rules, each once, in the order of the rules.
	Roles []string
	// Allowed: the authenticator's Allow is empty, or one of the above matches it. A role that
	// an administrator gave lets the member in, too; it is not looked at here.
	Allowed bool
}
