package oauth_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// memberChecks is what WeCom would say, and who was asked for.
type memberChecks struct {
	asked  []string
	answer func(ctx context.Context) (members.Verdict, error)
}

func (m *memberChecks) CheckMember(ctx context.Context, authenticator, wecomUserID string) (members.Verdict, error) {
	m.asked = append(m.asked, authenticator+" "+wecomUserID)
	return m.answer(ctx)
}

// checked has the member checked at this moment, and changes the identity otherwise.
func (b *bench) checked(change func(*store.Identity)) {
	b.Helper()
	b.changeUser(func(u *store.User) {
		i := u.Identities[0]
		change(&i)
		*u = u.WithIdentity(i.WithAccess(store.MemberAccess{AuthenticatorID: "auth-id", CheckedAt: b.Now()}))
	})
}

// While WeCom tells of the member and not of tags or departments, the check stays due. An
// application that refreshes in a loop must not use up what WeCom allows the company.
func TestAttackRefreshLoopWhileRulesCannotBeRead(t *testing.T) {
	b := newBench(t)
	checks := &memberChecks{answer: func(context.Context) (members.Verdict, error) { return members.Active, nil }}
	b.MemberChecks = checks
	tokens := b.tokens()
	for range 90 {
		b.pass(time.Second)
		next, err := b.refresh(tokens.RefreshToken)
		b.must(err)
		tokens = next
	}
	if len(checks.asked) != 2 {
		t.Errorf("asked %d times in a minute and a half", len(checks.asked))
	}
	// Once the check is done, rules that an administrator changes count at the next refresh.
	checks.answer = func(context.Context) (members.Verdict, error) {
		b.checked(func(*store.Identity) {})
		return members.Active, nil
	}
	b.pass(time.Minute)
	tokens, err := b.refresh(tokens.RefreshToken)
	b.must(err)
	a, err := b.store.Authenticator(t.Context(), "corp")
	b.must(err)
	changed := a
	changed.RulesVersion = "changed"
	b.must(b.store.UpdateAuthenticator(t.Context(), a, changed))
	b.pass(time.Second)
	_, err = b.refresh(tokens.RefreshToken)
	b.must(err)
	if len(checks.asked) != 4 {
		t.Errorf("asked %d times after the rules had changed", len(checks.asked))
	}
}

// A leaver's refresh token gives nothing once the member was looked up, which happens once
// an hour, of offline grants as well.
func TestRefreshLooksTheMemberUp(t *testing.T) {
	b := newBench(t)
	checks := &memberChecks{}
	b.MemberChecks = checks
	b.checked(func(*store.Identity) {})
	tokens, offline := b.tokens(), b.tokens("scope", "openid offline_access")
	b.pass(time.Hour - time.Second)
	tokens, err := b.refresh(tokens.RefreshToken)
	b.must(err)
	if len(checks.asked) != 0 {
		t.Fatalf("asked within the hour: %q", checks.asked)
	}
	b.pass(time.Second)
	checks.answer = func(context.Context) (members.Verdict, error) {
		b.checked(func(i *store.Identity) { i.WeComUserID = "Zhang.San" }) // renamed since
		return members.Active, nil
	}
	b.store.reset()
	tokens, err = b.refresh(tokens.RefreshToken)
	b.must(err)
	if diff := cmp.Diff([]string{"corp ZhangSan"}, checks.asked); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"GrantState", "GrantState", "RotateGrant"}, slices.DeleteFunc(b.store.calls, func(call string) bool { return call == "NoteApplicationUse" })); diff != "" {
		t.Errorf("remote calls: %s", diff)
	}
	if got := b.claimsOf(tokens.AccessToken)["wecom_userid"]; got != "Zhang.San" {
		t.Errorf("attack: a userid that may be somebody else's: %v", got)
	}

	b.pass(time.Hour)
	checks.answer = func(context.Context) (members.Verdict, error) {
		b.checked(func(i *store.Identity) { i.Generation++; i.GoneAt = b.Now() })
		return members.Gone, nil
	}
	_, err = b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseUserEnded)
	_, err = b.refresh(offline.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseUserEnded)
	if len(checks.asked) != 2 {
		t.Errorf("asked for a grant that has ended: %q", checks.asked)
	}
}

// What WeCom does not say in time ends nothing.
func TestRefreshGoesOnWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		checks := &memberChecks{}
		b.MemberChecks = checks
		tokens := b.tokens("scope", "openid offline_access")
		for name, test := range map[string]struct {
			answer func(context.Context) (members.Verdict, error)
			waits  time.Duration
		}{
			"unknown":  {func(context.Context) (members.Verdict, error) { return members.Unknown, nil }, 0},
			"an error": {func(context.Context) (members.Verdict, error) { return "", errors.New("throttled") }, 0},
			"no answer": {func(ctx context.Context) (members.Verdict, error) {
				<-ctx.Done()
				return "", ctx.Err()
			}, 3 * time.Second},
		} {
			checks.answer = test.answer
			started := time.Now()
			refreshed, err := b.refresh(tokens.RefreshToken)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if waited := time.Since(started); waited != test.waits {
				t.Errorf("%s: waited %s", name, waited)
			}
			tokens = refreshed
			b.pass(time.Minute)
		}
		if len(checks.asked) != 3 {
			t.Errorf("asked %d times", len(checks.asked))
		}
	})
}

// Attack: an application refreshes in a loop while WeCom says nothing, and uses up what WeCom
// allows the company.
func TestAttackRefreshLoopWhileWeComSaysNothing(t *testing.T) {
	b := newBench(t)
	checks := &memberChecks{answer: func(context.Context) (members.Verdict, error) { return members.Unknown, nil }}
	b.MemberChecks = checks
	tokens, other := b.tokens(), b.tokens("scope", "openid offline_access")
	loop := func(want int, refreshed ...*oauth.TokenResponse) {
		t.Helper()
		for range 30 {
			b.pass(time.Second)
			for _, tokens := range refreshed {
				next, err := b.refresh(tokens.RefreshToken)
				b.must(err)
				*tokens = next
			}
		}
		if len(checks.asked) != want {
			t.Errorf("asked %d times, want %d", len(checks.asked), want)
		}
	}
	loop(1, &tokens, &other) // of one member
	loop(1, &tokens)
	loop(2, &tokens, &other)
	b.changeUser(func(u *store.User) { // it is another member
		*u = u.WithIdentity(store.Identity{CorpID: u.Identities[0].CorpID, WeComUserID: "LiSi", Authenticator: "corp"})
	})
	loop(3, &tokens)

	// What an event has ended meanwhile has ended, and an answer ends the pause.
	b.pass(time.Minute)
	checks.answer = func(context.Context) (members.Verdict, error) {
		b.checked(func(*store.Identity) {})
		return members.Active, nil
	}
	loop(4, &tokens)
	b.checked(func(i *store.Identity) { i.Generation++ })
	_, err := b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseUserEnded)
}

// The check came to its end although nobody waited for its answer, or it could not tell the
// applications: what it stored counts.
func TestRefreshReadsWhatACheckStoredThatFailed(t *testing.T) {
	b := newBench(t)
	b.MemberChecks = &memberChecks{answer: func(context.Context) (members.Verdict, error) {
		b.checked(func(i *store.Identity) { i.Generation++ })
		return "", errors.New("the queue is down")
	}}
	tokens := b.tokens()
	_, err := b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseUserEnded)
}
