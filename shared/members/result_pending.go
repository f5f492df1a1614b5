package members

import "github.com/wecom-signin/wecom-signin/shared/store"

// Result is what a check came to.
type Result struct {
	Verdict   Verdict
	User      store.User
	WeComCode int
	Cause     error
}
