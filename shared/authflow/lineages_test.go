package authflow

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// lineageStore is lineages with one application each, and who was told of their end.
type lineageStore struct {
	ended     []string
	told      []string
	unknown   bool // as if no application had seen them
	storeErr  error
	notifyErr error
}

func (s *lineageStore) EndLineage(_ context.Context, id string) (store.Lineage, error) {
	if s.unknown {
		return store.Lineage{}, store.ErrNotFound
	}
	if s.storeErr == nil {
		s.ended = append(s.ended, id)
	}
	return store.Lineage{ID: id, Applications: []string{"wiki"}}, s.storeErr
}

func (s *lineageStore) SessionEnded(_ context.Context, lineage store.Lineage) error {
	s.told = append(s.told, lineage.ID)
	return s.notifyErr
}

// browser signs members in, one after the other in the same browser.
type browser struct {
	*fixture
	t        *testing.T
	lineages lineageStore
	sessions []SessionRef
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	b := &browser{fixture: newFixture(t), t: t}
	b.Sessions.Lineages = &Lineages{Store: &b.lineages, Notifier: &b.lineages}
	for i, member := range []string{"zhangsan", "lisi"} {
		b.user(t, "+861380000000"+string(rune('1'+i)), func(u *store.User) {
			u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: member}}
		})
	}
	return b
}

// signIn returns the session that a member gets.
func (b *browser) signIn(member string) store.Session {
	b.t.Helper()
	b.wecom.visitor.UserID = member
	result := b.mustComplete(b.t, b.callback(b.t, func(r *CallbackRequest) { r.Sessions = b.sessions }))
	b.sessions = []SessionRef{{ID: result.SessionID, UserID: result.UserID}}
	active, err := b.Sessions.Check(b.t.Context(), b.sessions[0])
	if err != nil {
		b.t.Fatal(err)
	}
	if active.Lineage() != active.Session.Lineage || active.Lineage() == "" {
		b.t.Fatalf("lineage %q of %+v", active.Lineage(), active.Session)
	}
	return active.Session
}

func (b *browser) wantEnded(want ...string) {
	b.t.Helper()
	if diff := cmp.Diff(want, b.lineages.ended); diff != "" {
		b.t.Errorf("ended (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, b.lineages.told); diff != "" {
		b.t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestLineageGoesOnWhenTheSameMemberSignsInAgain(t *testing.T) {
	b := newBrowser(t)
	first := b.signIn("zhangsan")
	old := b.sessions[0]
	if second := b.signIn("ZhangSan"); second.Lineage != first.Lineage {
		t.Errorf("lineage %s after %s", second.Lineage, first.Lineage)
	}
	if _, err := b.Sessions.Check(t.Context(), old); !apierr.Is(err, apierr.Unauthorized) {
		t.Errorf("the earlier session: %v", err)
	}
	b.sessions[0].UserID = "" // a cookie from before it had the user
	if third := b.signIn("zhangsan"); third.Lineage != first.Lineage {
		t.Errorf("lineage %s after %s", third.Lineage, first.Lineage)
	}
	b.wantEnded()
}

func TestLineageEndsWhenAnotherMemberSignsIn(t *testing.T) {
	for name, change := range map[string]func(*SessionRef){
		"": func(*SessionRef) {}, "a cookie without its user": func(r *SessionRef) { r.UserID = "" },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			first := b.signIn("zhangsan")
			change(&b.sessions[0])
			if second := b.signIn("lisi"); second.Lineage == first.Lineage {
				t.Error("another member has the same lineage")
			}
			b.wantEnded(first.Lineage)
		})
	}
}

// Attack: a cookie whose user was changed to the one who signs in.
func TestLineageOfAnotherMemberIsNotInherited(t *testing.T) {
	b := newBrowser(t)
	victim := b.signIn("zhangsan")
	lisi, err := b.store.OwnerOfIdentity(t.Context(), corpID, "lisi")
	if err != nil {
		t.Fatal(err)
	}
	b.sessions[0].UserID = lisi.UserID
	if mine := b.signIn("lisi"); mine.Lineage == victim.Lineage {
		t.Error("inherited another member's lineage")
	}
	b.wantEnded(victim.Lineage)
}

func TestLineageDoesNotGoOnFromASessionThatIsOver(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*browser)
	}{
		{"expired", func(b *browser) { b.now = b.now.Add(8 * time.Hour) }},
		{"ended by an administrator", func(b *browser) {
			owner, _ := b.store.OwnerOfIdentity(b.t.Context(), corpID, "zhangsan")
			user, _ := b.store.User(b.t.Context(), owner.UserID)
			ended := user
			ended.SessionGeneration++
			ended.Version++
			if err := b.store.UpdateUser(b.t.Context(), user, ended); err != nil {
				b.t.Fatal(err)
			}
		}},
		{"signed out", func(b *browser) {
			if err := b.Sessions.End(b.t.Context(), b.sessions[0].ID); err != nil {
				b.t.Fatal(err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBrowser(t)
			first := b.signIn("zhangsan")
			test.end(b)
			if second := b.signIn("zhangsan"); second.Lineage == first.Lineage {
				t.Error("the lineage went on")
			}
		})
	}
}

// Attack: whose sessions an administrator or a member check has ended signs in again in the
// same browser, at once. The lineage must not go on, and its applications are told here.
func TestAttackSignInAgainHidesTheEndOfASession(t *testing.T) {
	for name, end := range map[string]func(u *store.User, authenticatorID string){
		"an administrator": func(u *store.User, _ string) { u.SessionGeneration++ },
		"a member check":   func(u *store.User, _ string) { u.Identities[0].Generation++ },
		"a check by the authenticator": func(u *store.User, authenticatorID string) {
			u.Identities[0] = u.Identities[0].WithAccess(store.MemberAccess{AuthenticatorID: authenticatorID, Generation: 1})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			first := b.signIn("zhangsan")
			user, err := b.store.User(t.Context(), first.UserID)
			b.must(err)
			ended := user
			ended.Version, ended.Identities = user.Version+1, slices.Clone(user.Identities)
			end(&ended, first.AuthenticatorID)
			b.must(b.store.UpdateUser(t.Context(), user, ended))
			if _, err := b.Sessions.Check(t.Context(), b.sessions[0]); !apierr.Is(err, apierr.Unauthorized) {
				t.Fatalf("the session goes on: %v", err)
			}
			if second := b.signIn("zhangsan"); second.Lineage == first.Lineage {
				t.Error("the lineage went on")
			}
			b.wantEnded(first.Lineage)
		})
	}
}

// A session that ended with its authenticator, which may be enabled again since, leaves
// nothing to the next one, and its applications are told: it is in no list any more.
func TestLineageEndsWithTheAuthenticator(t *testing.T) {
	for name, change := range map[string]func(*browser, store.Authenticator){
		"enabled again": func(b *browser, main store.Authenticator) {
			changed := main
			changed.Generation, changed.Version = "another", main.Version+1
			b.must(b.store.UpdateAuthenticator(b.t.Context(), main, changed))
		},
		"a namesake": func(b *browser, main store.Authenticator) {
			b.must(b.store.DeleteAuthenticator(b.t.Context(), main))
			main.ID = "another"
			b.must(b.store.CreateAuthenticator(b.t.Context(), main))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			first := b.signIn("zhangsan")
			main, err := b.store.Authenticator(t.Context(), first.AuthenticatorName)
			b.must(err)
			change(b, main)
			if second := b.signIn("zhangsan"); second.Lineage == first.Lineage {
				t.Error("the lineage went on")
			}
			b.wantEnded(first.Lineage)
		})
	}
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestSignOutEndsTheLineageOnce(t *testing.T) {
	b := newBrowser(t)
	session := b.signIn("zhangsan")
	for range 3 {
		if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	b.wantEnded(session.Lineage)
}

// Attack: who is about to leave one company signs in by another one in the same browser. The
// lineage would go on, and nobody be told when the first company's session ends.
func TestAttackLineageIsCarriedIntoAnotherCompany(t *testing.T) {
	b := newBrowser(t)
	first := b.signIn("zhangsan")
	user, err := b.store.User(t.Context(), first.UserID)
	b.must(err)
	user = user.WithIdentity(store.Identity{CorpID: "wwpartner", WeComUserID: "zs"})
	lineage, err := b.Sessions.replace(t.Context(), b.sessions[0], user.Owner("wwpartner"))
	if err != nil || lineage != "" {
		t.Errorf("the lineage %q goes on, %v", lineage, err)
	}
	b.wantEnded(first.Lineage)
}

// A session from before there were lineages is a lineage of its own.
func TestLineageOfAnOldSessionIsItsKey(t *testing.T) {
	b := newBrowser(t)
	owner, _ := b.store.OwnerOfIdentity(t.Context(), corpID, "zhangsan")
	main, _ := b.store.Authenticator(t.Context(), "demo")
	const id = "old"
	if err := b.store.StartSession(t.Context(), store.AttemptResult{
		SessionKey: SessionKey(id), Kind: store.ResultSession, KeepUntil: b.now.Add(time.Hour),
		Session: store.Session{
			UserID: owner.UserID, CorpID: corpID, ExpiresAt: b.now.Add(time.Hour),
			AuthenticatorName: main.Name, AuthenticatorID: main.ID, AuthenticatorGeneration: main.Generation,
		},
	}, false); err != nil {
		t.Fatal(err)
	}
	b.sessions = []SessionRef{{ID: id, UserID: owner.UserID}}
	if got := b.signIn("zhangsan"); got.Lineage != SessionKey(id) {
		t.Errorf("lineage %q", got.Lineage)
	}
}

// When ending the lineage fails, the session is there for a further try.
func TestSignOutThatFailsCanBeRepeated(t *testing.T) {
	for _, name := range []string{"store", "notifier"} {
		t.Run(name, func(t *testing.T) {
			b := newBrowser(t)
			b.signIn("zhangsan")
			failing := &b.lineages.storeErr
			if name == "notifier" {
				failing = &b.lineages.notifyErr
			}
			*failing = errors.New("down")
			if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err == nil {
				t.Fatal("no error")
			}
			if _, err := b.Sessions.Check(t.Context(), b.sessions[0]); err != nil {
				t.Fatalf("the session is gone: %v", err)
			}
			*failing = nil
			b.lineages.told = nil
			if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err != nil {
				t.Fatal(err)
			}
			if len(b.lineages.told) != 1 {
				t.Errorf("told %q", b.lineages.told)
			}
		})
	}
}

// crashing is a store in which the process dies at a call, and a notifier that remembers.
type crashing struct {
	Store
	LineageStore
	at   string
	told []store.Lineage
}

var errCrashed = errors.New("crashed")

func (c *crashing) EndSession(ctx context.Context, key string) (store.Session, error) {
	if c.at == "EndSession" {
		return store.Session{}, errCrashed
	}
	return c.Store.EndSession(ctx, key)
}

func (c *crashing) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return sessionsBegin{c.Store.Audited(lines...), func() error {
		if c.at == "StartSession" {
			return errCrashed
		}
		return nil
	}}
}

func (c *crashing) SessionEnded(_ context.Context, lineage store.Lineage) error {
	if c.at == "SessionEnded" {
		return errCrashed
	}
	c.told = append(c.told, lineage)
	return nil
}

// newCrashing signs a member in whose lineage has had a grant, all in a real store.
func newCrashing(t *testing.T) (*browser, *crashing, store.Session) {
	t.Helper()
	b := newBrowser(t)
	c := &crashing{Store: b.store, LineageStore: b.store}
	b.Store, b.Sessions.Store = c, c
	b.Sessions.Lineages = &Lineages{Store: c, Notifier: c}
	session := b.signIn("zhangsan")
	if err := b.store.CreateGrant(t.Context(), store.Grant{
		ID: "grant", ApplicationID: "wiki", UserID: session.UserID, Lineage: session.Lineage, KeepUntil: session.ExpiresAt,
	}, session.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	return b, c, session
}

// wantTold compares how often the lineage was announced, each time ended and with its
// application.
func (c *crashing) wantTold(t *testing.T, session store.Session, times int) {
	t.Helper()
	for _, l := range c.told {
		if l.ID != session.Lineage || !l.Ended || len(l.Applications) != 1 {
			t.Errorf("told of %+v", l)
		}
	}
	if len(c.told) != times {
		t.Errorf("told %d times, want %d", len(c.told), times)
	}
}

// A crash at any step of a sign-out leaves the session there, and the next try tells the
// applications, whether or not they were told before.
func TestCrashDuringSignOutLosesNoMessage(t *testing.T) {
	for _, at := range []string{"SessionEnded", "EndSession"} {
		b, c, session := newCrashing(t)
		c.at = at
		if err := b.Sessions.End(t.Context(), b.sessions[0].ID); !errors.Is(err, errCrashed) {
			t.Fatalf("%s: %v", at, err)
		}
		if l, err := b.store.Lineage(t.Context(), session.Lineage); err != nil || !l.Ended {
			t.Errorf("%s: %+v, %v", at, l, err)
		}
		c.at, c.told = "", nil
		if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err != nil {
			t.Fatal(err)
		}
		c.wantTold(t, session, 1)
	}
}

// So does the next try of another member who signs in.
func TestCrashWhileAnotherMemberSignsInLosesNoMessage(t *testing.T) {
	for _, at := range []string{"SessionEnded", "EndSession"} {
		for _, cookie := range []string{"with its user", "from before it had one"} {
			b, c, session := newCrashing(t)
			if cookie != "with its user" {
				b.sessions[0].UserID = ""
			}
			c.at = at
			b.wecom.visitor.UserID = "lisi"
			if _, err := b.Complete(t.Context(), b.callback(t, func(r *CallbackRequest) { r.Sessions = b.sessions })); err == nil {
				t.Fatalf("%s: no error", at)
			}
			c.at, c.told = "", nil
			b.signIn("lisi")
			c.wantTold(t, session, 1)
		}
	}
}

// A lineage that was to go on ends when the sign-in comes to nothing: the session that could
// have ended it is gone.
func TestCrashWhileTheSameMemberSignsInEndsTheLineage(t *testing.T) {
	b, c, session := newCrashing(t)
	c.at = "StartSession"
	if _, err := b.Complete(t.Context(), b.callback(t, func(r *CallbackRequest) { r.Sessions = b.sessions })); err == nil {
		t.Fatal("no error")
	}
	c.wantTold(t, session, 1)
	c.at = ""
	if again := b.signIn("zhangsan"); again.Lineage == session.Lineage {
		t.Error("the lineage went on")
	}
	c.wantTold(t, session, 1)
}

func TestNobodyIsToldOfALineageWithoutApplications(t *testing.T) {
	b := newBrowser(t)
	b.lineages.unknown = true
	b.signIn("zhangsan")
	b.signIn("lisi")
	if err := b.Sessions.End(t.Context(), b.sessions[0].ID); err != nil {
		t.Fatal(err)
	}
	b.wantEnded()
}

func TestSessionKnowsWhetherItBeganInWeCom(t *testing.T) {
	for _, inWeCom := range []bool{true, false} {
		b := newBrowser(t)
		result := b.mustComplete(t, b.callback(t, func(r *CallbackRequest) { r.Attempt.InWeCom = inWeCom }))
		active, err := b.Sessions.Check(t.Context(), SessionRef{ID: result.SessionID, UserID: result.UserID})
		if err != nil || active.Session.InWeCom != inWeCom {
			t.Errorf("%v: %+v, %v", inWeCom, active.Session, err)
		}
	}
}

// An application's request survives the way to WeCom and back, also when the cookie of the
// attempt is lost, and the second round of a first sign-in.
func TestApplicationIsTheDestination(t *testing.T) {
	h := newFixture(t)
	wiki := Destination{Application: "wiki", Continue: NewRequestID()}
	const want = publicURL + "/oauth2/authorize?client_id=wiki&continue="
	redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: "demo", PublicURL: publicURL, InWeCom: true, Destination: wiki})
	if err != nil {
		t.Fatal(err)
	}
	box := aeadtest.Box(t, aead.StateCookie)
	sealed, err := SealAttempt(box, "cookie", redirect.Attempt)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := OpenAttempt(box, "cookie", sealed, h.now); err != nil || opened.Destination != wiki {
		t.Errorf("the cookie has %+v, %v", opened.Destination, err)
	}
	second := h.mustComplete(t, h.back(redirect, nil))
	if second.Redirect == nil || second.Redirect.Attempt.Destination != wiki {
		t.Fatalf("%+v", second)
	}
	h.wecom.withUserTicket()
	if last := h.mustComplete(t, h.back(*second.Redirect, nil)); last.URL != want+wiki.Continue {
		t.Errorf("ends at %s", last.URL)
	}
	lost := h.mustComplete(t, h.back(redirect, func(r *CallbackRequest) {
		r.Attempt, r.AttemptFound, r.ReturnTo = LoginAttempt{}, false, wiki
	}))
	if lost.Redirect == nil || lost.Redirect.Attempt.Destination != wiki {
		t.Errorf("without its cookie %+v", lost)
	}
}

func TestDestinationOfAnApplication(t *testing.T) {
	id := NewRequestID()
	for _, test := range []struct {
		query string
		want  Destination
	}{
		{"application=wiki&continue=" + id, Destination{Application: "wiki", Continue: id}},
		{"application=wiki&continue=" + id + "&redirect=/x", Destination{Application: "wiki", Continue: id}},
		{"application=wiki", Destination{}},
		{"continue=" + id, Destination{}},
		{"application=Wiki&continue=" + id, Destination{}},
		{"application=wiki%0d%0a&continue=" + id, Destination{}},
		{"application=wiki&continue=" + id[1:], Destination{}},
		{"application=wiki&continue=" + id + "A", Destination{}},
		{"application=wiki&continue=https://evil.example/abcdef", Destination{}},
		{"application=wiki&redirect=/x", toPath("/x")},
	} {
		query, _ := url.ParseQuery(test.query)
		if got := DestinationOf(query); got != test.want {
			t.Errorf("%s: %+v", test.query, got)
		}
	}
	query, _ := url.ParseQuery("client_id=wiki&continue=" + id)
	if got, ok := ContinuedRequest(query); !ok || got != id {
		t.Errorf("%q, %v", got, ok)
	}
}
