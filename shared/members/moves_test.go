package members_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// atOnce runs n checks at the same time, each with a WeCom that has these members, and returns
// how many came to what.
func (b *bench) atOnce(n int, known map[string]wecom.Member, check func(c *members.Checker, n int) (members.Result, error)) map[string]int {
	b.Helper()
	var all sync.WaitGroup
	got := make([]string, n)
	for i := range n {
		cfg := b.Config
		there := &directory{members: known, unseen: b.wecom.unseen}
		cfg.WeCom, cfg.Tokens, cfg.Notifier = there, there, nil
		all.Go(func() {
			result, err := check(&members.Checker{Config: cfg}, i)
			if got[i] = string(result.Verdict); err != nil {
				got[i] = err.Error()
			}
		})
	}
	all.Wait()
	counted := map[string]int{}
	for _, what := range got {
		counted[what]++
	}
	return counted
}

// Trap: of two events about one leaver, one fails because the other was faster; or the access
// ends twice.
func TestChecksOfALeaverAtOnce(t *testing.T) {
	t.Run("by the app that bound the identity", func(t *testing.T) {
		b := newBench(t)
		owner, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan")
		b.ok(err)
		b.equal("came to", map[string]int{"gone": 20}, b.atOnce(20, nil, func(c *members.Checker, n int) (members.Result, error) {
			if n%2 == 0 {
				return c.Check(t.Context(), b.demo, "zhangsan")
			}
			return c.CheckOwner(t.Context(), b.demo, owner)
		}))
		b.equal("generation", int64(1), b.identity().Generation)
		b.equal("audit", []string{"member_gone demo not_found", "sessions_ended demo gone"}, b.told())
	})
	t.Run("by an app that does not see the member", func(t *testing.T) {
		b := newBench(t)
		b.equal("came to", map[string]int{"gone": 20}, b.atOnce(20, nil, func(c *members.Checker, _ int) (members.Result, error) {
			return c.Check(t.Context(), b.other, "zhangsan")
		}))
		access, _ := b.identity().AccessBy(b.other.ID)
		b.equal("generation", int64(1), access.Generation)
		b.equal("audit", []string{"member_gone other out_of_range", "sessions_ended other gone"}, b.told())
	})
}

// Trap: of many pushes about one member with a new userid, the slower ones fail, or find that
// the member left.
func TestRenamesAtOnce(t *testing.T) {
	for name, ask := range map[string]func(b *bench, c *members.Checker, n int) (members.Result, error){
		"pushes of the rename": func(b *bench, c *members.Checker, _ int) (members.Result, error) {
			return c.Rename(b.Context(), b.demo, "zhangsan", "zhang.san", b.now)
		},
		"and checks of the old userid": func(b *bench, c *members.Checker, n int) (members.Result, error) {
			if n%3 == 0 {
				_, err := c.Check(b.Context(), b.demo, "zhangsan")
				if errors.Is(err, store.ErrNotFound) { // moved by then
					err = nil
				}
				return members.Result{Verdict: members.Active}, err
			}
			return c.Rename(b.Context(), b.demo, "zhangsan", "zhang.san", b.now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.check(b.demo)
			known := map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}}
			b.equal("came to", map[string]int{"active": 20}, b.atOnce(20, known, func(c *members.Checker, n int) (members.Result, error) { return ask(b, c, n) }))
			i := b.identity()
			b.equal("userid, gone", []any{"zhang.san", false}, []any{i.WeComUserID, i.IsGone()})
			b.equal("former userids", []store.FormerUserID{{WeComUserID: "zhangsan", Until: b.now}}, i.Former)
			renamed := 0
			for _, line := range b.told() {
				if line == "member_renamed demo" {
					renamed++
				}
			}
			b.equal("told of the new userid", 1, renamed)
			if i.Generation > 1 {
				t.Errorf("ended %d times", i.Generation)
			}
		})
	}
}

// Something asks about the old userid before WeCom tells of the new one. The signed event, by the
// answers that it needs in any case, has the identity follow; what has ended stays ended. Nobody
// else's event does.
func TestRenameOfWhoWasFoundMissing(t *testing.T) {
	renamed := wecom.Member{UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}
	missing := func(b *bench) { b.wecom.members = nil }
	for _, test := range []struct {
		name    string
		leaves  func(*bench) // before the check that finds the identity gone
		meets   func(*bench) // before the event
		known   wecom.Member
		after   time.Duration // from the check to the event
		at      time.Duration // from the check to when the event says that it was
		want    members.Verdict
		follows bool
	}{
		{"a moment before", missing, nil, renamed, time.Second, -time.Second, members.Active, true},
		{"WeCom pushed late", missing, nil, renamed, 24 * time.Hour, -time.Second, members.Active, true},
		{"WeCom's clock is ahead", missing, nil, renamed, time.Second, 5 * time.Minute, members.Active, true},
		{"disabled meanwhile", missing, nil, wecom.Member{UserID: "zhang.san", Name: "张三", Status: wecom.MemberDisabled}, time.Second, 0, members.Disabled, true},
		{"more than a day before", missing, nil, renamed, 24*time.Hour + time.Second, -time.Second, members.Gone, false},
		{"left", func(b *bench) {
			b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: wecom.MemberLeft}
		}, nil, renamed, time.Second, 0, members.Gone, false},
		{"out of range", func(b *bench) { b.wecom.errs["zhangsan"] = answer(wecom.OutOfScope) }, nil, renamed, time.Second, 0, members.Gone, false},
		{"attack: the userid was given to somebody else, who was renamed", missing, nil, renamed, time.Hour, time.Hour, members.Gone, false},
		{"attack: an event of no time", missing, nil, renamed, time.Second, -1 << 62, members.Gone, false},
		{"attack: the old userid is somebody else's by now", missing, func(b *bench) {
			b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: wecom.MemberActive}
		}, renamed, time.Second, 0, members.Gone, false},
		{"attack: WeCom knows no such new userid", missing, nil, wecom.Member{}, time.Second, 0, members.Gone, false},
		{"WeCom does not say of the new userid", missing, func(b *bench) { b.wecom.errs["zhang.san"] = answer(-1) }, renamed, time.Second, 0, members.Unknown, false},
		{"WeCom does not say of the old userid", missing, func(b *bench) { b.wecom.errs["zhangsan"] = answer(45009) }, renamed, time.Second, 0, members.Unknown, false},
		{"attack: of another company, where the member has the same userid", func(b *bench) { b.check(b.partner); missing(b) }, func(b *bench) { b.demo = b.partner }, renamed, time.Second, 0, members.Active, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.check(b.demo)
			began := b.began(b.demo)
			test.leaves(b)
			b.equal("found", members.Gone, b.check(b.demo))
			goneAt := b.now
			delete(b.wecom.errs, "zhangsan")
			b.now = b.now.Add(test.after)
			b.wecom.members = map[string]wecom.Member{}
			if test.known.UserID != "" {
				b.wecom.members["zhang.san"] = test.known
			}
			if test.meets != nil {
				test.meets(b)
			}
			at := goneAt.Add(test.at)
			if test.at == -1<<62 {
				at = time.Time{}
			}
			told := len(b.notifier.told)
			result, err := b.Rename(t.Context(), b.demo, "ZhangSan", "zhang.san", at)
			b.ok(err)
			i := b.identity()
			want := []any{test.want, b.user.ID, !test.follows, false}
			b.equal("verdict, user, gone, session goes on", want, []any{result.Verdict, result.User.ID, i.IsGone(), b.stored().Keeps(began)})
			if !test.follows {
				b.equal("userid", "zhangsan", i.WeComUserID)
				b.equal("told", told, len(b.notifier.told))
				return
			}
			b.equal("audit", true, slices.Contains(b.told(), "member_renamed demo"))
			if owner, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhang.san"); err != nil || owner.UserID != b.user.ID {
				t.Errorf("the new userid is of %+v, %v", owner, err)
			}
			again, err := b.Rename(t.Context(), b.demo, "zhangsan", "zhang.san", at)
			b.ok(err)
			b.equal("again", test.want, again.Verdict)
		})
	}
}

// Attack: the new userid is somebody's, who would lose it to the member who is gone.
func TestAttackRenameToAUseridOfSomebody(t *testing.T) {
	b := newBench(t)
	b.ok(b.store.CreateUser(b.Context(), store.User{ID: "owner", Phone: "+8613900000000", Enabled: true, Version: 1, Identities: []store.Identity{{CorpID: corpID, WeComUserID: "zhang.san", Authenticator: "demo"}}}))
	b.check(b.demo)
	b.wecom.members = nil
	b.check(b.demo)
	b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}}
	result, err := b.Rename(t.Context(), b.demo, "zhangsan", "zhang.san", b.now)
	b.ok(err)
	b.equal("user", "owner", result.User.ID)
	b.equal("gone", true, b.identity().IsGone())
	b.equal("told", []string{"member_gone demo not_found", "sessions_ended demo gone"}, b.told())
}

// Attack: an older event comes once more, when the userid that it names as the old one is of a
// colleague, and the one that it names as the new one has left.
func TestAttackRenameThatIsReplayed(t *testing.T) {
	b := newBench(t)
	renamed := func() members.Result {
		result, err := b.Rename(t.Context(), b.demo, "zhangsan", "zhang.san", b.now)
		b.ok(err)
		return result
	}
	b.check(b.demo)
	b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}}
	b.equal("moved", members.Active, renamed().Verdict)
	b.wecom.members = nil
	_, err := b.Check(t.Context(), b.demo, "zhang.san")
	b.ok(err)
	b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}}
	b.equal("replayed", members.Gone, renamed().Verdict)
	b.equal("gone", []any{"zhang.san", true}, []any{b.identity().WeComUserID, b.identity().IsGone()})
}

// Attack: whoever has the token and the key of some receiver says that a member who has left, or
// whom the app does not see any more, got the userid of an accomplice, whom the app sees.
func TestAttackRenameToAnAccomplice(t *testing.T) {
	const known = "张三"
	for _, test := range []struct {
		name       string
		told       string // last of the identity
		accomplice string
		moves      bool
	}{
		{"the very name", known, known, true},
		{"another name", known, "Mallory", false},
		{"another name that begins alike", known, known + "丰", false},
		{"in another case", "Zhang San", "zhang san", false},
		{"WeCom does not tell the new one's name", known, "", false},
		{"nothing is known of the identity", "", known, false},
		{"neither name is known", "", "", false},
	} {
		for _, missing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, found missing before: %t", test.name, missing), func(t *testing.T) {
				b := newBench(t)
				b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Name: test.told, Status: wecom.MemberActive}
				b.check(b.demo)
				began := b.began(b.demo)
				b.wecom.members = map[string]wecom.Member{"mallory": {UserID: "mallory", Name: test.accomplice, Status: wecom.MemberActive}}
				if missing {
					b.check(b.demo)
				}
				result, err := b.Rename(t.Context(), b.other, "zhangsan", "mallory", b.now)
				b.ok(err)
				_, err = b.store.OwnerOfIdentity(t.Context(), corpID, "mallory")
				b.equal("moved", test.moves, err == nil)
				b.equal("gone", !test.moves, result.Verdict == members.Gone && b.identity().IsGone())
				b.equal("goes on", test.moves && !missing, b.stored().Keeps(began))
				b.equal("name", known, b.stored().Name)
			})
		}
	}
}

// Attack: the member gets another name, as WeCom has it, while an event with a userid of the old
// name is under way.
func TestAttackNameChangesDuringARename(t *testing.T) {
	b := newBench(t)
	b.check(b.demo)
	b.wecom.members = map[string]wecom.Member{"mallory": {UserID: "mallory", Name: "张三", Status: wecom.MemberActive}}
	asked := 0
	b.wecom.before = func() {
		if asked++; asked != 2 { // about the old userid
			return
		}
		from := b.stored()
		i := b.identity()
		i.Name = "张君宝"
		to := from.WithIdentity(i)
		to.Version++
		b.ok(b.store.UpdateUser(t.Context(), from, to))
	}
	result, err := b.Rename(t.Context(), b.demo, "zhangsan", "mallory", b.now)
	b.ok(err)
	b.equal("verdict, userid", []any{members.Gone, "zhangsan"}, []any{result.Verdict, b.identity().WeComUserID})
}

// A member who tried to sign in with the new userid before it was known left a mark for the
// administrator, of which nothing is left to decide.
func TestRenameSettlesTheConflictOfThePhone(t *testing.T) {
	for userID, stays := range map[string]bool{"Zhang.San": false, "lisi": true} {
		b := newBench(t)
		b.check(b.demo)
		b.wecom.members = nil
		b.check(b.demo)
		from := b.stored()
		to := from
		to.PhoneConflict, to.Version = &store.Identity{CorpID: corpID, WeComUserID: userID}, from.Version+1
		b.ok(b.store.UpdateUser(t.Context(), from, to))
		b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: wecom.MemberActive}}
		_, err := b.Rename(t.Context(), b.demo, "zhangsan", "zhang.san", b.now)
		b.ok(err)
		b.equal(fmt.Sprint("conflict with ", userID), stays, b.stored().PhoneConflict != nil)
	}
}
