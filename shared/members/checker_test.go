package members_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const corpID = "ww0123456789abcdef"

// directory is WeCom, as the app of each authenticator sees it.
type directory struct {
	members  map[string]wecom.Member // by userid
	errs     map[string]error        // of user/get, by userid
	unseen   map[string]string       // app -> userid outside of its visible range
	tokenErr error
	rejects  int // how often a token is not taken
	asked    int
	before   func() // each answer
}

func (d *directory) Token(_ context.Context, app accesstoken.App) (secret.Value, error) {
	return secret.NewValue(app.AuthenticatorID), d.tokenErr
}

func (d *directory) Reject(context.Context, accesstoken.App, secret.Value) error { return nil }

func (d *directory) Member(_ context.Context, token secret.Value, userID string) (wecom.Member, error) {
	d.asked++
	if d.before != nil {
		d.before()
	}
	if d.rejects > 0 {
		d.rejects--
		return wecom.Member{}, answer(wecom.InvalidToken)
	}
	if err := d.errs[userID]; err != nil {
		return wecom.Member{}, err
	}
	found, ok := d.members[store.FoldUserID(userID)]
	if !ok || d.unseen[token.Reveal()] == userID {
		return wecom.Member{}, answer(wecom.UserNotFound)
	}
	return found, nil
}

func answer(code int) error { return &wecom.Error{Op: "user/get", Code: code} }

// rules are scripted: what each authenticator says of everybody. A userid that the member had
// before gives its length as a tag.
type rules map[string]scripted

type scripted struct {
	members.Evaluation
	err error
}

func (r rules) Evaluate(_ context.Context, a store.Authenticator, m wecom.Member, former []store.FormerUserID) (members.Evaluation, error) {
	e := r[a.Name]
	for _, f := range former {
		e.Tags = append(slices.Clone(e.Tags), int64(len(f.WeComUserID)))
	}
	for _, d := range m.Departments {
		e.Departments = append(e.Departments, store.Department{ID: d.ID, Name: fmt.Sprint("department ", d.ID), Leader: d.Leader})
	}
	return e.Evaluation, e.err
}

type notifier struct {
	told     []string
	versions []int64
	err      error
	during   func() // what happens meanwhile, once
}

func (n *notifier) MemberEnded(_ context.Context, userID string, version int64) error {
	if n.err == nil {
		n.told, n.versions = append(n.told, userID), append(n.versions, version)
	}
	if during := n.during; during != nil {
		n.during = nil
		during()
	}
	return n.err
}

// bench is a checker with a real store, two authenticators of one corp, one of another, and
// a user who is a member of both.
type bench struct {
	*testing.T
	members.Checker
	store          *embedded.Engine
	wecom          *directory
	rules          rules
	notifier       *notifier
	now            time.Time
	demo, other    store.Authenticator // of one corp; demo has bound the identity
	partner        store.Authenticator
	user           store.User
	inCorp, abroad store.Identity
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, now: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC), notifier: &notifier{}, rules: rules{}}
	engine := embeddedtest.New(t, func() time.Time { return b.now })
	b.store = engine
	b.wecom = &directory{
		errs: map[string]error{}, unseen: map[string]string{},
		members: map[string]wecom.Member{"zhangsan": {UserID: "ZhangSan", Name: "张三", Status: wecom.MemberActive}},
	}
	b.Checker = members.Checker{Config: members.Config{
		Store: engine, Authenticators: engine, WeCom: b.wecom, Tokens: b.wecom, Rules: b.rules, Notifier: b.notifier,
		SecretName: func(id string) string { return "secret/" + id }, Now: func() time.Time { return b.now },
		Audit: &audit.Log{Store: engine, Now: func() time.Time { return b.now }, RequestID: func(context.Context) string { return "request-1" }},
	}}
	b.demo, b.other, b.partner = b.authenticator("demo", corpID), b.authenticator("other", corpID), b.authenticator("partner", "wwpartner")
	b.inCorp = store.Identity{CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "demo", BoundAt: b.now.Add(-time.Hour)}
	b.abroad = store.Identity{CorpID: "wwpartner", WeComUserID: "zhangsan", Authenticator: "partner", BoundAt: b.now.Add(-time.Hour)}
	b.user = store.User{
		ID: store.NewUserID(b.now), Phone: "+8613800000001", Name: "张三", Enabled: true, SessionGeneration: 1, Version: 1,
		Identities: []store.Identity{b.inCorp, b.abroad},
	}
	b.ok(engine.CreateUser(t.Context(), b.user))
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) equal(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (b *bench) authenticator(name, corp string) store.Authenticator {
	b.Helper()
	a := store.Authenticator{ID: "id of " + name, Name: name, Enabled: true, CorpID: corp, AgentID: "1000002", SecretVersion: "v1", Generation: "g", Version: 1}
	b.ok(b.store.CreateAuthenticator(b.Context(), a))
	return a
}

// began is what a session that begins now by an authenticator remembers.
func (b *bench) began(a store.Authenticator) store.Begun {
	b.Helper()
	u, err := b.store.User(b.Context(), b.user.ID)
	b.ok(err)
	i, _ := u.IdentityIn(a.CorpID)
	return store.Begun{UserID: u.ID, UserGeneration: u.SessionGeneration, CorpID: a.CorpID, AuthenticatorID: a.ID, IdentityGeneration: i.GenerationFor(a.ID)}
}

func (b *bench) stored() store.User {
	b.Helper()
	u, err := b.store.User(b.Context(), b.user.ID)
	b.ok(err)
	return u
}

func (b *bench) identity() store.Identity {
	b.Helper()
	i, _ := b.stored().IdentityIn(corpID)
	return i
}

// check checks the member and returns the verdict.
func (b *bench) check(a store.Authenticator) members.Verdict {
	b.Helper()
	result, err := b.Check(b.Context(), a, "ZhangSan")
	b.ok(err)
	if result.User.ID != b.user.ID {
		b.Errorf("result of user %q", result.User.ID)
	}
	return result.Verdict
}

// TestWhatUserGetSays is the table of the contract: what WeCom says, what it means, and whose
// sessions end: by the app that was asked, by another app of the corp, by another corp's.
func TestWhatUserGetSays(t *testing.T) {
	status := func(status int) func(*directory) {
		return func(d *directory) {
			m := d.members["zhangsan"]
			m.Status = status
			d.members["zhangsan"] = m
		}
	}
	code := func(code int) func(*directory) {
		return func(d *directory) { d.errs["zhangsan"] = answer(code) }
	}
	for _, test := range []struct {
		name    string
		wecom   func(*directory)
		want    members.Verdict
		reason  store.GoneReason
		ends    bool // the sessions through this corp
		checked bool
	}{
		{"active", status(1), members.Active, "", false, true},
		{"not activated", status(4), members.Active, "", false, true},
		{"disabled", status(2), members.Disabled, "", true, true},
		{"left", status(5), members.Gone, store.GoneLeft, true, false},
		{"attack: no status counts as an active member", status(0), members.Unknown, "", false, false},
		{"attack: a status nobody knows counts as an active member", status(3), members.Unknown, "", false, false},
		{"60111", code(60111), members.Gone, store.GoneNotFound, true, false},
		{"40003", code(40003), members.Gone, store.GoneNotFound, true, false},
		{"60011", code(60011), members.Gone, store.GoneOutOfRange, true, false},
		{"60021", code(60021), members.Gone, store.GoneOutOfRange, true, false},
		{"system busy", code(-1), members.Unknown, "", false, false},
		{"rate limited", code(45009), members.Unknown, "", false, false},
		{"too many parallel calls", code(45033), members.Unknown, "", false, false},
		{"attack: mass departure by an address that is not trusted", code(60020), members.Unknown, "", false, false},
		{"attack: mass departure by a dead secret", func(d *directory) { d.tokenErr = &wecom.Error{Op: "gettoken", Code: 40001} }, members.Unknown, "", false, false},
		{"attack: mass departure by an unknown corp", func(d *directory) { d.tokenErr = &wecom.Error{Op: "gettoken", Code: 40013} }, members.Unknown, "", false, false},
		{"a number of user/get from gettoken is not about the member", func(d *directory) { d.tokenErr = &wecom.Error{Op: "gettoken", Code: 60111} }, members.Unknown, "", false, false},
		{"40001", code(40001), members.Unknown, "", false, false},
		{"app switched off", code(50003), members.Unknown, "", false, false},
		{"call forbidden", code(48002), members.Unknown, "", false, false},
		{"right withdrawn", code(48004), members.Unknown, "", false, false},
		{"a number nobody knows", code(99999), members.Unknown, "", false, false},
		{"no answer", func(d *directory) { d.errs["zhangsan"] = &wecom.UnavailableError{Op: "user/get", Reason: "timeout"} }, members.Unknown, "", false, false},
		{"the secret cannot be read", func(d *directory) { d.tokenErr = errors.New("the store is down") }, members.Unknown, "", false, false},
		{"the token is refused twice", func(d *directory) { d.rejects = 2 }, members.Unknown, "", false, false},
		{"a token that is over, then a member who left", func(d *directory) { d.rejects = 1; status(5)(d) }, members.Gone, store.GoneLeft, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.gives(true, "ops")
			b.check(b.demo)
			b.now = b.now.Add(25 * time.Hour)
			checkedAt := b.identity().CheckedAt
			before := b.stored()
			here, beside, abroad := b.began(b.demo), b.began(b.other), b.began(b.partner)
			test.wecom(b.wecom)
			b.equal("verdict", test.want, b.check(b.demo))
			u, i := b.stored(), b.identity()
			b.equal("goes on here, by another app, in another corp", []bool{!test.ends, !test.ends, true}, []bool{u.Keeps(here), u.Keeps(beside), u.Keeps(abroad)})
			b.equal("gone and why", []any{test.reason != "", test.reason}, []any{i.IsGone(), i.GoneReason})
			b.equal("told", test.ends, len(b.notifier.told) == 1)
			b.equal("checked", test.checked, i.CheckedAt.After(checkedAt))
			b.equal("has the role", !test.ends, len(i.Access[0].Roles) == 1)
			if test.want == members.Unknown {
				b.equal("stored", before, u)
			}
			if abroad, _ := u.IdentityIn("wwpartner"); abroad.IsGone() || abroad.Generation != 0 {
				t.Errorf("the other corp's identity changed: %+v", abroad)
			}
			b.equal("due", test.want != members.Active, members.Due(b.demo, i, 24*time.Hour, b.now))
		})
	}
}

func TestWhatWeComTellsIsStored(t *testing.T) {
	b := newBench(t)
	b.rules["demo"] = struct {
		members.Evaluation
		err error
	}{members.Evaluation{Tags: []int64{3}, Roles: []string{"ops"}, Allowed: true}, nil}
	b.demo.RulesVersion = "rules"
	b.wecom.members["zhangsan"] = wecom.Member{
		UserID: "ZhangSan", Name: "张三丰", Status: 1, Position: "出纳",
		Departments: []wecom.MemberDepartment{{ID: 7}, {ID: 12, Leader: true}},
	}
	b.equal("verdict", members.Active, b.check(b.demo))
	want := b.inCorp
	want.CheckedAt, want.Name, want.Position, want.Tags = b.now, "张三丰", "出纳", []int64{3}
	want.Departments = []store.Department{{ID: 7, Name: "department 7"}, {ID: 12, Name: "department 12", Leader: true}}
	want.Access = []store.MemberAccess{{
		AuthenticatorID: b.demo.ID, AuthenticatorName: "demo", CheckedAt: b.now, Roles: []string{"ops"}, Tags: []int64{3}, RulesVersion: "rules",
	}}
	b.equal("identity", want, b.identity())
	owner, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan")
	b.ok(err)
	b.equal("identity at sign-in", want, owner.Identity)
}

// The name follows WeCom's until an administrator chooses another one.
func TestTheNameFollowsWeComUnlessAnAdministratorChoseIt(t *testing.T) {
	b := newBench(t)
	for _, step := range []struct{ administrator, wecom, want string }{
		{"", "张三丰", "张三"}, // it may have been chosen: nobody knows WeCom's name from before
		{"张三丰", "张君宝", "张君宝"},
		{"Junbao", "张三丰", "Junbao"},
		{"", "", "Junbao"}, // the right to read names was withdrawn
	} {
		if step.administrator != "" {
			u := b.stored()
			to := u
			to.Name = step.administrator
			to.Version++
			b.ok(b.store.UpdateUser(t.Context(), u, to))
		}
		b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Name: step.wecom, Status: 1}
		b.check(b.demo)
		b.equal("name", step.want, b.stored().Name)
	}
}

// Each app has its own visible range: only the one that bound the identity can say that the
// member is gone.
func TestAnotherAppsAnswerEndsOnlyItsOwnSessions(t *testing.T) {
	b := newBench(t)
	bound, own := b.began(b.demo), b.began(b.other)
	b.wecom.unseen[b.other.ID] = "zhangsan"
	b.equal("verdict", members.Gone, b.check(b.other))
	u := b.stored()
	b.equal("goes on by the app that bound it, by this one", []bool{true, false}, []bool{u.Keeps(bound), u.Keeps(own)})
	b.equal("gone", false, b.identity().IsGone())
	b.equal("told", 1, len(b.notifier.told))

	// Seen again, the userid may be somebody else's: it takes a phone, and no question.
	b.wecom.unseen, b.wecom.asked = nil, 0
	b.equal("verdict once seen again", members.Gone, b.check(b.other))
	b.equal("asked", 0, b.wecom.asked)
	b.equal("verdict of the other app", members.Active, b.check(b.demo))
}

// When the app that bound the identity is there no more, any other may say it.
func TestGoneIsSaidByAnotherAppWhenTheOneThatBoundIsGone(t *testing.T) {
	for name, retire := range map[string]func(*bench) error{
		"deleted": func(b *bench) error { return b.store.DeleteAuthenticator(b.Context(), b.demo) },
		"another corp's": func(b *bench) error {
			to := b.demo
			to.CorpID, to.Version = "wwelse", 2
			return b.store.UpdateAuthenticator(b.Context(), b.demo, to)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.ok(retire(b))
			delete(b.wecom.members, "zhangsan")
			b.equal("verdict", members.Gone, b.check(b.other))
			b.equal("gone", true, b.identity().IsGone())
		})
	}
}

// Attack: while the app that bound the identity is disabled, another one, which does not see the
// member, ends what hangs on all the others, or moves the identity to somebody whom it sees.
func TestAttackAnotherAppSpeaksForOneThatIsDisabled(t *testing.T) {
	for name, ask := range map[string]func(*bench) (members.Result, error){
		"check": func(b *bench) (members.Result, error) { return b.Check(b.Context(), b.other, "zhangsan") },
		"rename": func(b *bench) (members.Result, error) {
			b.wecom.members["mallory"] = wecom.Member{UserID: "mallory", Name: "张三", Status: wecom.MemberActive}
			return b.Rename(b.Context(), b.other, "zhangsan", "mallory", b.now)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			third := b.authenticator("third", corpID)
			b.check(third)
			disabled := b.demo
			disabled.Enabled, disabled.Version = false, 2
			b.ok(b.store.UpdateAuthenticator(t.Context(), b.demo, disabled))
			own, beside := b.began(b.other), b.began(third)
			b.wecom.unseen[b.other.ID] = "zhangsan"
			result, err := ask(b)
			b.ok(err)
			b.equal("verdict, gone, userid", []any{members.Gone, false, "zhangsan"}, []any{result.Verdict, b.identity().IsGone(), b.identity().WeComUserID})
			b.equal("goes on by this app, by a third one", []bool{false, true}, []bool{b.stored().Keeps(own), b.stored().Keeps(beside)})
			b.equal("by the third one", members.Active, b.check(third))
			b.equal("enabled again", members.Active, b.check(b.demo))
		})
	}
}

// Attack: a userid that is given to somebody else after its member left inherits nothing.
func TestAttackUseridOfALeaverGivenToSomebodyElse(t *testing.T) {
	b := newBench(t)
	delete(b.wecom.members, "zhangsan")
	b.check(b.demo)
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Name: "another person", Status: 1}
	b.wecom.asked = 0
	b.equal("verdict", members.Gone, b.check(b.demo))
	b.equal("asked", 0, b.wecom.asked)
	if _, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the userid has an owner: %v", err)
	}
	b.equal("name", "张三", b.stored().Name)
}

func TestDisabledUntilWeComSaysOtherwise(t *testing.T) {
	b := newBench(t)
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2}
	b.check(b.demo)
	disabledAt := b.now
	// Nothing new is known: as disabled as before. Looked up once more, nothing changes.
	b.wecom.errs["zhangsan"] = answer(-1)
	result, err := b.Check(t.Context(), b.demo, "zhangsan")
	b.ok(err)
	b.equal("verdict, at sign-in", []members.Verdict{members.Unknown, members.Disabled}, []members.Verdict{result.Verdict, result.AtSignIn(b.demo)})
	delete(b.wecom.errs, "zhangsan")
	b.now = b.now.Add(time.Hour)
	b.check(b.demo)
	if i := b.identity(); i.Generation != 1 || !i.DisabledAt.Equal(disabledAt) || !i.CheckedAt.Equal(b.now) {
		t.Errorf("%+v", i)
	}
	began := b.began(b.demo)
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 1}
	b.equal("verdict", members.Active, b.check(b.demo))
	if u, i := b.stored(), b.identity(); !i.DisabledAt.IsZero() || !u.Keeps(began) {
		t.Errorf("%+v", i)
	}
}

func TestAllowEndsTheSessionsOfItsAuthenticatorAlone(t *testing.T) {
	b := newBench(t)
	b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "rules"
	bound, beside := b.began(b.demo), b.began(b.other)
	b.equal("verdict", members.NotAllowed, b.check(b.demo))
	b.equal("verdict again", members.NotAllowed, b.check(b.demo))
	u := b.stored()
	b.equal("goes on by the authenticator, by another of the corp", []bool{false, true}, []bool{u.Keeps(bound), u.Keeps(beside)})
	b.equal("generation", int64(1), b.identity().Access[0].Generation)
	b.equal("gone", false, b.identity().IsGone())
	b.equal("due", true, members.Due(b.demo, b.identity(), 24*time.Hour, b.now))

	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 1, Departments: []wecom.MemberDepartment{{ID: 12}}}
	b.equal("verdict in the department", members.Active, b.check(b.demo))
}

// Trap: a session that began while everybody was let in, and WeCom did not answer, outlives the
// next allow, because the member had been refused before.
func TestAllowEndsWhatBeganBetweenTwoRefusals(t *testing.T) {
	b := newBench(t)
	b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "first"
	b.equal("refused", members.NotAllowed, b.check(b.demo))
	b.demo.Allow, b.demo.RulesVersion = store.Allow{}, "second"
	b.wecom.errs["zhangsan"] = answer(-1)
	result, err := b.Check(t.Context(), b.demo, "zhangsan")
	b.ok(err)
	b.equal("let in", members.Active, result.AtSignIn(b.demo))
	began := b.began(b.demo)
	delete(b.wecom.errs, "zhangsan")
	b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "third"
	b.equal("refused again", members.NotAllowed, b.check(b.demo))
	b.equal("goes on", false, b.stored().Keeps(began))
}

// Attack: a member who has lost a role or a tag stays away from the app that gave it, and goes on
// by another one of the corp.
func TestAttackRolesOfAnAppThatIsNotUsedAnyMore(t *testing.T) {
	ops := scripted{Evaluation: members.Evaluation{Roles: []string{"ops"}, Tags: []int64{3}, Allowed: true}}
	for _, test := range []struct {
		name  string
		moves func(*bench)
		has   bool
	}{
		{"nothing new", func(*bench) {}, true},
		{"another department", func(b *bench) { b.rules["other"] = scripted{Evaluation: members.Evaluation{Allowed: true}} }, false},
		{"not allowed there any more", func(b *bench) { b.rules["other"] = rules{}[""] }, false},
		{"outside of that app's visible range", func(b *bench) { b.wecom.unseen[b.other.ID] = "zhangsan" }, false},
		{"that app is deleted", func(b *bench) { b.ok(b.store.DeleteAuthenticator(b.Context(), b.other)) }, false},
		{"its tree cannot be read", func(b *bench) {
			b.rules["other"] = scripted{err: &wecom.UnavailableError{Op: "department/simplelist"}}
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.rules["other"] = ops
			b.equal("by the other app", members.Active, b.check(b.other))
			b.now = b.now.Add(25 * time.Hour)
			test.moves(b)
			began := b.began(b.other)
			b.equal("by this one", members.Active, b.check(b.demo))
			access, _ := b.identity().AccessBy(b.other.ID)
			b.equal("has the role, the tag", []bool{test.has, test.has}, []bool{len(access.Roles) == 1, len(b.identity().Tags) == 1})
			b.equal("due there", true, members.Due(b.other, b.identity(), 24*time.Hour, b.now))
			b.equal("goes on there", true, b.stored().Keeps(began))
		})
	}
}

// appoint has an administrator give the user a role.
func (b *bench) appoint(role string) {
	b.Helper()
	from := b.stored()
	to := from
	to.Roles = []string{role}
	to.Version++
	b.ok(b.store.UpdateUser(b.Context(), from, to))
}

// Roles that an administrator gave count for Allow, like those by rules.
func TestAllowedByARoleOfAnAdministrator(t *testing.T) {
	b := newBench(t)
	b.appoint("staff")
	b.demo.Allow = store.Allow{Roles: []string{"staff"}}
	b.equal("verdict", members.Active, b.check(b.demo))
}

// Where Allow needs what cannot be found out, nobody is let in, and nobody's access ends.
func TestAtSignInWhenSomethingCannotBeFoundOut(t *testing.T) {
	allow := store.Allow{Departments: []int64{12}}
	inside := wecom.Member{UserID: "zhangsan", Status: 1, Departments: []wecom.MemberDepartment{{ID: 12}}}
	vip := store.Allow{Departments: []int64{5}, Roles: []string{"vip"}}
	unread := scripted{err: &wecom.UnavailableError{Op: "department/simplelist"}}
	certain := scripted{Evaluation: members.Evaluation{Allowed: true}, err: unread.err}
	for _, test := range []struct {
		name   string
		before wecom.Member // as the check before found it; zero: none was made
		known  string       // RulesVersion of that check
		allow  store.Allow
		now    func(*bench)
		want   members.Verdict
	}{
		{"no rules, no answer", wecom.Member{}, "", store.Allow{}, func(b *bench) { b.wecom.errs["zhangsan"] = answer(-1) }, members.Active},
		{"no rules, tree not read", wecom.Member{}, "", store.Allow{}, func(b *bench) { b.rules["demo"] = unread }, members.Active},
		{"never checked, no answer", wecom.Member{}, "", allow, func(b *bench) { b.wecom.errs["zhangsan"] = answer(-1) }, members.Unknown},
		{"checked under other rules, no answer", inside, "old", allow, func(b *bench) { b.wecom.errs["zhangsan"] = answer(-1) }, members.Unknown},
		{"let in before, no answer", inside, "rules", allow, func(b *bench) { b.wecom.errs["zhangsan"] = answer(-1) }, members.Active},
		{"refused before, no answer", wecom.Member{UserID: "zhangsan", Status: 1}, "rules", allow, func(b *bench) { b.wecom.errs["zhangsan"] = answer(-1) }, members.NotAllowed},
		{"let in before, tree not read", inside, "rules", allow, func(b *bench) { b.rules["demo"] = unread }, members.Unknown},
		{"attack: an unread tree refuses who needs none", wecom.Member{}, "", allow, func(b *bench) { b.rules["demo"] = certain }, members.Active},
		{"refused before, lets in without the tree", wecom.Member{UserID: "zhangsan", Status: 1}, "rules", allow, func(b *bench) { b.rules["demo"] = certain }, members.Active},
		{"attack: an unread tree refuses the role of an administrator", wecom.Member{}, "", vip, func(b *bench) { b.rules["demo"] = unread; b.appoint("vip") }, members.Active},
		{"another role of an administrator, tree not read", wecom.Member{}, "", vip, func(b *bench) { b.rules["demo"] = unread; b.appoint("staff") }, members.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.demo.Allow, b.demo.RulesVersion = test.allow, test.known
			if test.before.UserID != "" {
				b.wecom.members["zhangsan"] = test.before
				b.check(b.demo)
			}
			began := b.began(b.demo)
			b.demo.RulesVersion = "rules"
			test.now(b)
			result, err := b.Check(t.Context(), b.demo, "zhangsan")
			b.ok(err)
			b.equal("at sign-in", test.want, result.AtSignIn(b.demo))
			b.equal("sessions go on", true, b.stored().Keeps(began))
			if result.Cause == nil {
				t.Error("no cause")
			}
		})
	}
}

// Attack: refused, let in by what needs no tree, and refused again, but the sessions go on.
func TestAttackRefusedAgainAfterAnUnreadTree(t *testing.T) {
	b := newBench(t)
	b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "rules"
	b.equal("refused", members.NotAllowed, b.check(b.demo))
	b.rules["demo"] = scripted{Evaluation: members.Evaluation{Allowed: true}, err: errors.New("the tree cannot be read")}
	b.equal("let in", members.Active, b.check(b.demo))
	began := b.began(b.demo)
	b.rules["demo"] = scripted{}
	b.equal("refused again", members.NotAllowed, b.check(b.demo))
	b.equal("goes on", false, b.stored().Keeps(began))
}

// A failure of the tree or the tags leaves the roles as they were, and the check due.
func TestRolesStayWhenTheTreeCannotBeRead(t *testing.T) {
	b := newBench(t)
	b.demo.RoleRules = []store.RoleRule{{Tag: 3, Role: "ops"}}
	found := b.rules["demo"]
	found.Roles, found.Tags, found.Allowed = []string{"ops"}, []int64{3}, true
	b.rules["demo"] = found
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 1, Departments: []wecom.MemberDepartment{{ID: 12, Leader: true}}}
	b.check(b.demo)
	before := b.identity()
	b.rules["demo"] = scripted{err: errors.New("the tree cannot be read")}
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 1, Position: "new", Departments: []wecom.MemberDepartment{{ID: 12}, {ID: 13}}}
	b.now = b.now.Add(time.Minute) // attack: an event, and the next check would be tomorrow
	b.equal("verdict", members.Active, b.check(b.demo))
	want := before
	want.Access = slices.Clone(before.Access)
	want.Access[0].CheckedAt = time.Time{}
	want.Position, want.Departments = "new", []store.Department{{ID: 12, Name: "department 12"}, {ID: 13}}
	b.equal("identity", want, b.identity())
	b.equal("due", true, members.Due(b.demo, b.identity(), 24*time.Hour, b.now))

	// Without rules, an app that may not read the tree is not asked each time.
	b.demo.RoleRules = nil
	b.equal("verdict without rules", members.Active, b.check(b.demo))
	b.equal("due without rules", false, members.Due(b.demo, b.identity(), 24*time.Hour, b.now))
}

func TestDue(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	a := store.Authenticator{ID: "id", RulesVersion: "rules"}
	checked := func(ago time.Duration, version string) store.Identity {
		return store.Identity{CheckedAt: now.Add(-ago), Access: []store.MemberAccess{{AuthenticatorID: "id", CheckedAt: now.Add(-ago), RulesVersion: version}}}
	}
	for _, test := range []struct {
		name     string
		identity store.Identity
		interval time.Duration
		want     bool
	}{
		{"never checked", store.Identity{}, 24 * time.Hour, true},
		{"checked by another app only", store.Identity{CheckedAt: now, Access: []store.MemberAccess{{AuthenticatorID: "other", CheckedAt: now}}}, 24 * time.Hour, true},
		{"just now", checked(0, "rules"), 24 * time.Hour, false},
		{"just now, with an interval of zero", checked(0, "rules"), 0, true},
		{"a moment before the interval is over", checked(24*time.Hour-1, "rules"), 24 * time.Hour, false},
		{"after the interval", checked(24*time.Hour, "rules"), 24 * time.Hour, true},
		{"under other rules", checked(0, "old"), 24 * time.Hour, true},
	} {
		if got := members.Due(a, test.identity, test.interval, now); got != test.want {
			t.Errorf("%s: due is %v", test.name, got)
		}
	}
}

// Sessions have ended although nobody could be told; who tries again finds the member and
// tells, once. Until then, whoever comes with the userid is looked up.
func TestTheEndStandsWhenApplicationsCannotBeTold(t *testing.T) {
	for name, leave := range map[string]func(*bench){
		"gone":        func(b *bench) { delete(b.wecom.members, "zhangsan") },
		"disabled":    func(b *bench) { b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2} },
		"not allowed": func(b *bench) { b.demo.Allow = store.Allow{Tags: []int64{3}} },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.check(b.demo) // due tomorrow
			began := b.began(b.demo)
			leave(b)
			b.notifier.err = errors.New("the queue is down")
			result, err := b.Check(t.Context(), b.demo, "zhangsan")
			if !errors.Is(err, b.notifier.err) || result.Verdict == members.Active || result.Verdict == members.Unknown {
				t.Errorf("%s, %v", result.Verdict, err)
			}
			b.equal("goes on", false, b.stored().Keeps(began))
			b.equal("due", true, members.Due(b.demo, b.identity(), 24*time.Hour, b.now))
			b.notifier.err = nil
			b.check(b.demo)
			b.equal("told", []string{b.user.ID}, b.notifier.told)
			b.equal("goes on", false, b.stored().Keeps(began))
		})
	}
}

// Attack: who signs in again and again, and is not let in, has each application told as often of
// sessions that ended long ago.
func TestAttackApplicationsAreToldAtEachAttempt(t *testing.T) {
	for name, leave := range map[string]func(*bench) store.Authenticator{
		"outside of the visible range of another app": func(b *bench) store.Authenticator {
			b.wecom.unseen[b.other.ID] = "zhangsan"
			return b.other
		},
		"disabled": func(b *bench) store.Authenticator {
			b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2}
			return b.demo
		},
		"not allowed": func(b *bench) store.Authenticator {
			b.demo.Allow = store.Allow{Tags: []int64{3}}
			return b.demo
		},
	} {
		for failures := range 3 {
			t.Run(fmt.Sprintf("%s, %d failures", name, failures), func(t *testing.T) {
				b := newBench(t)
				by := leave(b)
				began := b.began(by)
				for attempt := range 10 {
					b.notifier.err = nil
					if attempt < failures {
						b.notifier.err = errors.New("the queue is down")
					}
					result, err := b.Check(t.Context(), by, "zhangsan")
					if !errors.Is(err, b.notifier.err) || result.Verdict == members.Active || result.User.ID != b.user.ID {
						t.Errorf("attempt %d: %+v, %v", attempt, result, err)
					}
					b.equal("goes on", false, b.stored().Keeps(began))
					b.now = b.now.Add(time.Hour)
				}
				b.equal("told", []string{b.user.ID}, b.notifier.told)
			})
		}
	}
}

// Who is a member again by the time that applications can be told has lost the sessions from
// before all the same.
func TestApplicationsAreToldOfWhoIsBack(t *testing.T) {
	b := newBench(t)
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2}
	b.notifier.err = errors.New("the queue is down")
	if _, err := b.Check(t.Context(), b.demo, "zhangsan"); !errors.Is(err, b.notifier.err) {
		t.Errorf("err = %v", err)
	}
	b.notifier.err = nil
	b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 1}
	for range 2 {
		b.equal("verdict", members.Active, b.check(b.demo))
	}
	b.equal("told", []string{b.user.ID}, b.notifier.told)
}

// The user changes under the check's hands: by an administrator, by another check.
func TestChecksAndChangesAtOnce(t *testing.T) {
	t.Run("an administrator's change is kept", func(t *testing.T) {
		b := newBench(t)
		b.wecom.before = func() {
			b.wecom.before = nil
			from := b.stored()
			to := from
			to.Roles, to.SessionGeneration, to.Version = []string{"admin"}, 2, from.Version+1
			b.ok(b.store.UpdateUser(t.Context(), from, to))
		}
		b.equal("verdict", members.Active, b.check(b.demo))
		if u := b.stored(); u.SessionGeneration != 2 || len(u.Roles) != 1 {
			t.Errorf("%+v", u)
		}
	})
	t.Run("attack: an older answer undoes a newer one", func(t *testing.T) {
		for status, want := range map[int]members.Verdict{2: members.Disabled, 1: members.NotAllowed} {
			b := newBench(t)
			b.wecom.before = func() {
				b.wecom.before = nil
				b.now = b.now.Add(time.Second)
				before, allow := b.wecom.members["zhangsan"], b.demo.Allow
				b.demo.Allow = store.Allow{Tags: []int64{3}}
				b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: status}
				b.equal("newer verdict", want, b.check(b.demo))
				b.wecom.members["zhangsan"], b.demo.Allow = before, allow
			}
			after := b.check(b.demo)
			b.equal("older verdict", want, after)
		}
	})
	t.Run("attack: a check that was begun later, and answered before, hides that the member is disabled", func(t *testing.T) {
		b := newBench(t)
		began := b.began(b.demo)
		b.wecom.before = func() {
			b.wecom.before = nil
			b.now = b.now.Add(time.Millisecond)
			b.equal("in between", members.Active, b.check(b.demo))
			b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: wecom.MemberDisabled}
		}
		b.equal("verdict", members.Disabled, b.check(b.demo))
		b.equal("goes on", false, b.stored().Keeps(began))
	})
	t.Run("attack: roles come back to a member who was disabled meanwhile", func(t *testing.T) {
		b := newBench(t)
		b.rules["other"] = scripted{Evaluation: members.Evaluation{Roles: []string{"ops"}, Allowed: true}}
		b.check(b.other)
		b.now = b.now.Add(time.Hour)
		asked := 0
		b.wecom.before = func() {
			if asked++; asked != 2 { // by the other app, after this one
				return
			}
			b.wecom.before = nil
			before := b.wecom.members["zhangsan"]
			b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: wecom.MemberDisabled}
			b.now = b.now.Add(time.Second)
			b.equal("meanwhile", members.Disabled, b.check(b.demo))
			b.wecom.members["zhangsan"] = before
		}
		b.equal("verdict", members.Disabled, b.check(b.demo))
		access, _ := b.identity().AccessBy(b.other.ID)
		b.equal("roles", 0, len(access.Roles))
	})
	t.Run("attack: a newer check by another app of the corp hides that this one does not let in", func(t *testing.T) {
		b := newBench(t)
		b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "rules"
		b.gives(false, "ops")
		began := b.began(b.demo)
		b.wecom.before = func() {
			b.wecom.before = nil
			b.now = b.now.Add(time.Second)
			b.equal("the other app", members.Active, b.check(b.other))
		}
		b.equal("this app", members.NotAllowed, b.check(b.demo))
		access, _ := b.identity().AccessBy(b.demo.ID)
		b.equal("refused", true, access.Refused)
		b.equal("rules", "rules", access.RulesVersion)
		b.equal("goes on", false, b.stored().Keeps(began))
		b.equal("checked last", b.now, b.identity().CheckedAt)
	})
	t.Run("attack: a newer check by another app hides that the tree could not be read", func(t *testing.T) {
		b := newBench(t)
		b.demo.Allow, b.demo.RulesVersion = store.Allow{Departments: []int64{12}}, "rules"
		b.rules["demo"] = scripted{err: &wecom.UnavailableError{Op: "department/simplelist"}}
		b.wecom.before = func() {
			b.wecom.before = nil
			b.now = b.now.Add(time.Second)
			b.check(b.other)
		}
		b.equal("this app", members.Unknown, b.check(b.demo))
	})
	t.Run("unbound meanwhile", func(t *testing.T) {
		b := newBench(t)
		b.wecom.before = func() {
			b.wecom.before = nil
			from := b.stored()
			to := from
			to.Identities, to.Version = from.Identities[1:], from.Version+1
			b.ok(b.store.UpdateUser(t.Context(), from, to))
		}
		owner, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan")
		b.ok(err)
		if _, err := b.CheckOwner(t.Context(), b.demo, owner); !errors.Is(err, store.ErrChanged) {
			t.Errorf("err = %v", err)
		}
		if _, err := b.Check(t.Context(), b.demo, "zhangsan"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by the userid: %v", err)
		}
		if i := b.identity(); i.CorpID != "" {
			t.Errorf("bound again: %+v", i)
		}
	})
}

// The announcement names the version that the user has before the end is stored. By another
// write in between, that of the first announcement would say that it is stored already.
func TestAnEndIsAnnouncedByTheVersionBeforeIt(t *testing.T) {
	b := newBench(t)
	version := b.stored().Version
	b.notifier.during = func() { b.appoint("staff") }
	delete(b.wecom.members, "zhangsan")
	b.equal("gone", members.Gone, b.check(b.demo))
	b.equal("versions", []int64{version, version + 1}, b.notifier.versions)
	b.equal("stored", version+2, b.stored().Version)
}

func TestRename(t *testing.T) {
	renamed := wecom.Member{UserID: "Zhang.San", Name: "张三", Status: 1}
	for _, test := range []struct {
		name       string
		old, found wecom.Member // as WeCom has them; zero: not there
		set        func(*bench)
		by         func(*bench) store.Authenticator
		want       members.Verdict
		userID     string // afterwards
		gone       bool
	}{
		{"moves", wecom.Member{}, renamed, nil, nil, members.Active, "zhang.san", false},
		{
			"told by another app's receiver, which sees neither",
			wecom.Member{},
			renamed, func(b *bench) { b.wecom.unseen[b.other.ID] = "zhang.san" },
			func(b *bench) store.Authenticator { return b.other }, members.Active, "zhang.san", false,
		},
		{"the old one is there still", wecom.Member{UserID: "zhangsan", Status: 1}, renamed, nil, nil, members.Active, "zhangsan", false},
		{"the old one has left", wecom.Member{UserID: "zhangsan", Status: 5}, renamed, nil, nil, members.Gone, "zhangsan", true},
		{"attack: a forged event ends nobody's access", wecom.Member{UserID: "zhangsan", Status: 1}, wecom.Member{}, nil, nil, members.Active, "zhangsan", false},
		{"neither is there", wecom.Member{}, wecom.Member{}, nil, nil, members.Gone, "zhangsan", true},
		{"the new one cannot be looked up", wecom.Member{}, renamed, func(b *bench) { b.wecom.errs["zhang.san"] = answer(-1) }, nil, members.Unknown, "zhangsan", false},
		{"the old one cannot be looked up", wecom.Member{}, renamed, func(b *bench) { b.wecom.errs["zhangsan"] = answer(60020) }, nil, members.Unknown, "zhangsan", false},
		{"renamed and disabled", wecom.Member{}, wecom.Member{UserID: "zhang.san", Name: "张三", Status: 2}, nil, nil, members.Disabled, "zhang.san", false},
		{"attack: the new one is somebody's, who would lose it", wecom.Member{}, renamed, func(b *bench) {
			b.ok(b.store.CreateUser(b.Context(), store.User{ID: "owner", Phone: "+8613900000000", Enabled: true, Version: 1, Identities: []store.Identity{{CorpID: corpID, WeComUserID: "zhang.san", Authenticator: "demo"}}}))
		}, nil, members.Gone, "zhangsan", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.check(b.demo)
			began := b.began(b.demo)
			delete(b.wecom.members, "zhangsan")
			for _, m := range []wecom.Member{test.old, test.found} {
				if m.UserID != "" {
					b.wecom.members[store.FoldUserID(m.UserID)] = m
				}
			}
			by := b.demo
			if test.set != nil {
				test.set(b)
			}
			if test.by != nil {
				by = test.by(b)
			}
			result, err := b.Rename(t.Context(), by, "zhangsan", "zhang.san", b.now)
			b.ok(err)
			i := b.identity()
			b.equal("verdict, userid, gone", []any{test.want, test.userID, test.gone}, []any{result.Verdict, i.WeComUserID, i.IsGone()})
			b.equal("goes on", test.want == members.Active || test.want == members.Unknown, b.stored().Keeps(began))
			if test.userID == "zhang.san" {
				b.equal("former userid", []store.FormerUserID{{WeComUserID: "zhangsan", Until: b.now}}, i.Former)
				if _, err := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan"); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("the old userid leads to somebody: %v", err)
				}
				// WeCom sends the event again.
				if again, err := b.Rename(t.Context(), by, "zhangsan", "zhang.san", b.now); err != nil || again.User.ID != b.user.ID {
					t.Errorf("again: %+v, %v", again, err)
				}
			}
		})
	}
}

// Lists that WeCom told before a rename are used for ten minutes: so long the former userids
// count, also at checks of other apps, and no longer.
func TestFormerUserIDsCountForTenMinutes(t *testing.T) {
	b := newBench(t)
	b.rules["demo"] = scripted{Evaluation: members.Evaluation{Allowed: true}}
	b.check(b.other)
	b.check(b.demo)
	rename := func(from, to string) {
		t.Helper()
		delete(b.wecom.members, from)
		b.wecom.members[to] = wecom.Member{UserID: to, Name: "张三", Status: wecom.MemberActive}
		_, err := b.Rename(t.Context(), b.demo, from, to, b.now)
		b.ok(err)
	}
	tags := func(by store.Authenticator, want ...int64) {
		t.Helper()
		access, _ := b.identity().AccessBy(by.ID)
		b.equal("tags by "+by.Name, want, access.Tags)
	}
	rename("zhangsan", "zhang.san")
	tags(b.demo, 8)
	b.now = b.now.Add(9 * time.Minute)
	rename("zhang.san", "zs")
	tags(b.demo, 8, 9)
	_, err := b.Check(t.Context(), b.other, "zs")
	b.ok(err)
	tags(b.other, 8, 9)
	b.now = b.now.Add(time.Minute)
	_, err = b.Check(t.Context(), b.demo, "zs")
	b.ok(err)
	b.equal("former userids", []store.FormerUserID{{WeComUserID: "zhang.san", Until: b.now.Add(-time.Minute)}}, b.identity().Former)
}

func TestNobodyIsChecked(t *testing.T) {
	b := newBench(t)
	for name, check := range map[string]func() (members.Result, error){
		"check":  func() (members.Result, error) { return b.Check(t.Context(), b.demo, "nobody") },
		"rename": func() (members.Result, error) { return b.Rename(t.Context(), b.demo, "nobody", "nobody.else", b.now) },
		"another corp's member": func() (members.Result, error) {
			b.ok(b.store.CreateUser(t.Context(), store.User{ID: "abroad", Phone: "+8613900000000", Enabled: true, Version: 1, Identities: []store.Identity{{CorpID: "wwpartner", WeComUserID: "lisi"}}}))
			return b.Check(t.Context(), b.demo, "lisi")
		},
	} {
		if _, err := check(); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.equal("asked", 0, b.wecom.asked)
}
