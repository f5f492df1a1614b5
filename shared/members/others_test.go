package members_test

import (
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/members"
)

// A check in one company asks nobody about the user's membership of another, and leaves it as it
// is: what that one gives counts there alone. So one company's pushes cost the other no call.
func TestCheckLeavesAnotherCompanyAlone(t *testing.T) {
	b := newBench(t)
	b.rules["demo"] = scripted{Evaluation: members.Evaluation{Roles: []string{"ops"}, Allowed: true}}
	b.equal("in the company", members.Active, b.check(b.demo))
	before := b.identity()
	b.wecom.unseen[b.demo.ID] = "zhangsan" // who has left it meanwhile
	b.wecom.asked = 0
	for range 5 {
		b.equal("in the other", members.Active, b.check(b.partner))
	}
	b.equal("asked", 5, b.wecom.asked)
	b.equal("the company's identity", before, b.identity())
	b.equal("told", 0, len(b.notifier.told))
}
