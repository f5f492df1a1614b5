package authflow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

// told records who is told of what.
type told struct {
	mu  sync.Mutex
	all []string
	err error
}

func (n *told) tell(what ...string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, strings.Join(what, " "))
	return n.err
}

func (n *told) SessionEnded(_ context.Context, l store.Lineage) error { return n.tell("session", l.ID) }

func (n *told) UserEnded(_ context.Context, userID string) error { return n.tell("user", userID) }

func (n *told) ApplicationEnded(_ context.Context, lineage, application string) error {
	return n.tell("application", lineage, application)
}

// selfService is members with several browsers each.
type selfService struct {
	*browser
	SelfService
	told told
}

func newSelfService(t *testing.T) *selfService {
	t.Helper()
	s := &selfService{browser: newBrowser(t)}
	s.browser.Sessions.Lineages = &Lineages{Store: s.store, Notifier: &s.told}
	s.SelfService = SelfService{Sessions: s.browser.Sessions, Store: s.store, Notifier: &s.told}
	return s
}

// begin signs a member in with a browser that has had no session, and then gives the
// application wiki a grant.
func (s *selfService) begin(member string) ActiveSession {
	s.t.Helper()
	s.sessions = nil
	s.now = s.now.Add(time.Second)
	s.signIn(member)
	active, err := s.browser.Sessions.Check(s.t.Context(), s.sessions[0])
	if err != nil {
		s.t.Fatal(err)
	}
	err = s.store.CreateGrant(s.t.Context(), store.Grant{
		ID: store.NewID(), ApplicationID: "wiki", UserID: active.User.ID, Lineage: active.Lineage(), KeepUntil: s.now.Add(time.Hour),
	}, active.Session.ExpiresAt)
	if err != nil {
		s.t.Fatal(err)
	}
	return active
}

// wantActive fails unless these sessions are active, and no others of the member of the
// first.
func (s *selfService) wantActive(want ...ActiveSession) {
	s.t.Helper()
	active, err := s.ActiveSessions(s.t.Context(), want[0])
	if err != nil {
		s.t.Fatal(err)
	}
	var got, keys []string
	for _, session := range active {
		got = append(got, session.SessionKey)
	}
	for _, session := range want {
		keys = append(keys, session.Key)
		if _, err := s.browser.Sessions.CheckKey(s.t.Context(), session.Key, session.User.ID); err != nil {
			s.t.Errorf("%s is not active: %v", session.Key, err)
		}
	}
	slices.Sort(got)
	slices.Sort(keys)
	if diff := cmp.Diff(keys, got); diff != "" {
		s.t.Errorf("active sessions (-want +got):\n%s", diff)
	}
}

func (s *selfService) wantOver(over ...ActiveSession) {
	s.t.Helper()
	for _, session := range over {
		if _, err := s.browser.Sessions.CheckKey(s.t.Context(), session.Key, session.User.ID); !apierr.Is(err, apierr.Unauthorized) {
			s.t.Errorf("%s: %v", session.Key, err)
		}
	}
}

func (s *selfService) wantTold(want ...string) {
	s.t.Helper()
	slices.Sort(want)
	slices.Sort(s.told.all)
	if diff := cmp.Diff(want, s.told.all); diff != "" {
		s.t.Errorf("told (-want +got):\n%s", diff)
	}
	s.told.all = nil
}

func (s *selfService) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestActiveSessionsAreThoseThatGoOn(t *testing.T) {
	s := newSelfService(t)
	phone, laptop, other := s.begin("zhangsan"), s.begin("zhangsan"), s.begin("lisi")
	s.wantActive(laptop, phone)
	s.wantActive(other)
	sessions, err := s.ActiveSessions(t.Context(), phone)
	s.must(err)
	if sessions[0].SessionKey != laptop.Key {
		t.Error("the newest is not the first")
	}

	// The session that asks is there, though the list does not know it yet.
	unlisted := laptop
	unlisted.Key = "unlisted"
	sessions, err = s.ActiveSessions(t.Context(), unlisted)
	s.must(err)
	if len(sessions) != 3 {
		t.Errorf("%d sessions", len(sessions))
	}

	// Sessions of an authenticator that was switched off meanwhile are over, and those of
	// an earlier generation of the user.
	later := laptop
	later.User.SessionGeneration++
	sessions, err = s.ActiveSessions(t.Context(), later)
	s.must(err)
	if len(sessions) != 1 {
		t.Errorf("%d sessions of two generations", len(sessions))
	}
	s.authenticator(t, func(*store.Authenticator) {}) // another one of the same name
	sessions, err = s.ActiveSessions(t.Context(), laptop)
	s.must(err)
	if len(sessions) != 1 {
		t.Errorf("%d sessions of an authenticator that is gone", len(sessions))
	}
}

func TestEndAnotherSession(t *testing.T) {
	s := newSelfService(t)
	phone, laptop := s.begin("zhangsan"), s.begin("zhangsan")
	s.must(s.EndSession(t.Context(), laptop, phone.Key))
	s.wantOver(phone)
	s.wantActive(laptop)
	s.wantTold("session " + phone.Lineage())
	s.must(s.EndSession(t.Context(), laptop, phone.Key)) // once more
	s.wantTold()
}

// A key is no secret, and ends nothing of anybody else.
func TestAttackEndTheSessionOfAnotherMember(t *testing.T) {
	s := newSelfService(t)
	victim, attacker := s.begin("lisi"), s.begin("zhangsan")
	for _, key := range []string{victim.Key, "", "unknown", strings.Repeat("x", 5000), attacker.Lineage()} {
		s.must(s.EndSession(t.Context(), attacker, key))
	}
	s.must(s.EndOtherSessions(t.Context(), attacker))
	s.must(s.EndEverywhere(t.Context(), attacker))
	s.wantActive(victim)
	s.wantTold("user " + attacker.User.ID)
	if lineage, err := s.store.Lineage(t.Context(), victim.Lineage()); err != nil || lineage.Ended {
		t.Errorf("the victim's lineage: %+v, %v", lineage, err)
	}
}

func TestEndAllOtherSessions(t *testing.T) {
	s := newSelfService(t)
	var others []ActiveSession
	var want []string
	for range 20 {
		other := s.begin("zhangsan")
		others, want = append(others, other), append(want, "session "+other.Lineage())
	}
	this := s.begin("zhangsan")
	// Two tabs that signed in at once may share a lineage, which goes on with this one.
	twin := this.Session
	s.must(s.store.StartSession(t.Context(), store.AttemptResult{
		SessionKey: SessionKey("twin"), Kind: store.ResultSession, Session: twin, KeepUntil: twin.ExpiresAt,
		Event: &store.SignInEvent{At: s.now, UserID: this.User.ID, AuthenticatorID: twin.AuthenticatorID},
	}, false))
	s.must(s.EndOtherSessions(t.Context(), this))
	s.wantActive(this)
	s.wantOver(append(others, ActiveSession{Key: SessionKey("twin"), User: this.User})...)
	s.wantTold(want...)
	if lineage, err := s.store.Lineage(t.Context(), this.Lineage()); err != nil || lineage.Ended {
		t.Errorf("this lineage: %+v, %v", lineage, err)
	}
}

func TestSignOutEverywhere(t *testing.T) {
	s := newSelfService(t)
	phone, laptop := s.begin("zhangsan"), s.begin("zhangsan")
	s.must(s.EndEverywhere(t.Context(), laptop))
	s.wantOver(phone, laptop)
	s.wantTold("user " + laptop.User.ID)
	// A further try of the same form ends nothing that has begun since.
	s.browser.Sessions.Store = s.store
	again := s.begin("zhangsan")
	s.must(s.EndEverywhere(t.Context(), laptop))
	s.wantActive(again)
}

// changing is a store in which somebody else writes a user first, some times.
type changing struct {
	*embedded.Engine
	times int
}

func (c *changing) UpdateUser(ctx context.Context, from, to store.User) error {
	if c.times--; c.times >= 0 {
		other := from
		other.Version, other.Name = from.Version+1, "changed"
		if err := c.Engine.UpdateUser(ctx, from, other); err != nil {
			return err
		}
	}
	return c.Engine.UpdateUser(ctx, from, to)
}

func TestSignOutEverywhereBesideAnAdministrator(t *testing.T) {
	s := newSelfService(t)
	active := s.begin("zhangsan")
	s.Store = &changing{s.store, 3}
	s.must(s.EndEverywhere(t.Context(), active))
	s.wantOver(active)
	user, err := s.store.User(t.Context(), active.User.ID)
	s.must(err)
	if user.Name != "changed" || user.SessionGeneration != active.User.SessionGeneration+1 || user.Version != active.User.Version+4 {
		t.Errorf("%+v", user)
	}
}

// Nobody could be told: the member is still signed in, and can try again.
func TestNothingEndsThatCannotBeAnnounced(t *testing.T) {
	s := newSelfService(t)
	phone, laptop := s.begin("zhangsan"), s.begin("zhangsan")
	consent := store.Consent{UserID: laptop.User.ID, ApplicationID: "wiki"}
	s.must(s.store.PutConsent(t.Context(), consent))
	s.told.err = errors.New("no queue")
	for name, err := range map[string]error{
		"one": s.EndSession(t.Context(), laptop, phone.Key), "others": s.EndOtherSessions(t.Context(), laptop),
		"everywhere": s.EndEverywhere(t.Context(), laptop), "withdraw": s.Withdraw(t.Context(), laptop, "wiki"),
	} {
		if !errors.Is(err, s.told.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.wantActive(laptop, phone)
	if _, err := s.store.Consent(t.Context(), laptop.User.ID, "wiki"); err != nil {
		t.Error(err)
	}
}

func TestWithdrawAConsent(t *testing.T) {
	s := newSelfService(t)
	over, phone, laptop, other := s.begin("zhangsan"), s.begin("zhangsan"), s.begin("zhangsan"), s.begin("lisi")
	s.must(s.EndSession(t.Context(), laptop, over.Key))
	s.told.all = nil
	s.must(s.Withdraw(t.Context(), laptop, "wiki")) // without a consent
	s.wantTold()
	for _, user := range []string{laptop.User.ID, other.User.ID} {
		for _, application := range []string{"wiki", "board"} {
			s.must(s.store.PutConsent(t.Context(), store.Consent{UserID: user, ApplicationID: application}))
		}
	}
	s.must(s.Withdraw(t.Context(), laptop, "wiki"))
	s.wantTold("application "+phone.Lineage()+" wiki", "application "+laptop.Lineage()+" wiki")
	for user, want := range map[string]int{laptop.User.ID: 1, other.User.ID: 2} {
		if left, err := s.store.Consents(t.Context(), user); err != nil || len(left) != want {
			t.Errorf("%d consents are left, %v", len(left), err)
		}
	}
	s.must(s.Withdraw(t.Context(), laptop, "board")) // which no session has opened
	s.wantTold()
	s.wantActive(laptop, phone)

	// Where no application is told, it works all the same.
	s.Notifier = nil
	s.must(s.store.PutConsent(t.Context(), store.Consent{UserID: laptop.User.ID, ApplicationID: "wiki"}))
	s.must(s.Withdraw(t.Context(), laptop, "wiki"))
	s.must(s.EndEverywhere(t.Context(), laptop))
	s.wantOver(laptop, phone)
}
