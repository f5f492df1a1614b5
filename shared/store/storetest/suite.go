package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Open makes an empty engine for one test, with the test's clock.
type Open func(t *testing.T, now func() time.Time) store.Engine

// Run tests an engine.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *bench){
		"Authenticators":          authenticators,
		"AutoLoginIsHeldByOne":    autoLogin,
		"EventsOfAuthenticators":  notedEvents,
		"Users":                   users,
		"PhonesAndIdentities":     keys,
		"CheckedIdentities":       checkedIdentities,
		"GoneIdentities":          goneIdentities,
		"Lists":                   lists,
		"DomainFiles":             domainFiles,
		"PublicKeys":              publicKeys,
		"Results":                 results,
		"Sessions":                sessions,
		"Fetched":                 fetched,
		"SignInEvents":            signInEvents,
		"SessionsOfUser":          sessionsOfUser,
		"ManySignInEvents":        manySignInEvents,
		"SessionsOfAuthenticator": sessionsOfAuthenticator,
		"UsersByName":             usersByName,
		"FirstSignInsAtOnce":      firstSignInsAtOnce,
		"AdministratorsAtOnce":    administratorsAtOnce,
		"DoubledCallbacksAtOnce":  doubledCallbacksAtOnce,
		"UpdatesAtOnce":           updatesAtOnce,
		"LeasesAtOnce":            leasesAtOnce,
		"SignInsOfOneUserAtOnce":  signInsOfOneUserAtOnce,
		"DisabledWhileSigningIn":  disabledWhileSigningIn,
		"FirstSignIns":            firstSignIns,
		"GoneWhileSigningIn":      goneWhileSigningIn,
		"StrangeNamesAreNotFound": strangeNames,
		"AnswersAreCopies":        answersAreCopies,

		"Applications":               applications,
		"ApplicationUse":             applicationUse,
		"ApplicationLists":           applicationLists,
		"ApplicationUseAtOnce":       applicationUseAtOnce,
		"ApplicationEvents":          applicationEvents,
		"Consents":                   consents,
		"Grants":                     grants,
		"GrantsExpire":               grantsExpire,
		"GrantState":                 grantState,
		"Lineages":                   lineages,
		"ImpossibleKeysAreNotFound":  impossibleProviderKeys,
		"ClientsTakeOneCodeAtOnce":   clientsTakeOneCodeAtOnce,
		"RefreshesOfOneTokenAtOnce":  refreshesOfOneTokenAtOnce,
		"RevokedWhileRefreshing":     revokedWhileRefreshing,
		"SignedOutWhileAuthorizing":  signedOutWhileAuthorizing,
		"SessionsOfOneLineageAtOnce": sessionsOfOneLineageAtOnce,

		"AuditLines":            auditLines,
		"AuditPages":            auditPages,
		"AuditLinesNeverChange": auditLinesNeverChange,
		"AuditRetention":        auditRetention,
		"AuditedWrites":         auditedWrites,
		"AuditedSignInsAtOnce":  auditedSignInsAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bench{T: t, at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
			b.Engine = open(t, b.now)
			test(t, b)
		})
	}
}

// bench is an engine under test.
type bench struct {
	*testing.T
	store.Engine
	mu sync.Mutex
	at time.Time
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) is(err, want error) {
	b.Helper()
	if !errors.Is(err, want) {
		b.Fatalf("err = %v, want %v", err, want)
	}
}

// ends ends a session and compares what it was.
func (b *bench) ends(key string, want store.Session) {
	b.Helper()
	got, err := b.EndSession(b.Context(), key)
	b.ok(err)
	if diff := cmp.Diff(want, got); diff != "" {
		b.Fatal(diff)
	}
}

func (b *bench) authenticator(name string) store.Authenticator {
	return store.Authenticator{
		ID: store.NewID(), Name: name, Title: "标题 " + name, Enabled: true, CorpID: "ww0123", AgentID: "1000002", SecretVersion: "v1",
		Origin: "https://app.example.com", WorkbenchRedirectPath: "/", AutoSignup: true, Generation: store.NewID(),
		CreatedAt: b.now(), UpdatedAt: b.now(), Version: 1,
	}
}

func (b *bench) user(phone string) store.User {
	return store.User{
		ID: store.NewUserID(b.now()), Phone: phone, Name: "张三", Roles: []string{"admin", "staff"}, Enabled: true,
		CreatedAt: b.now(), UpdatedAt: b.now(), Version: 1,
	}
}

// byIdentity returns the user whom an identity belongs to.
func (b *bench) byIdentity(corpID, wecomUserID string) (store.User, error) {
	owner, err := b.OwnerOfIdentity(background(), corpID, wecomUserID)
	if err != nil {
		return store.User{}, err
	}
	return b.User(background(), owner.UserID)
}

func member(id string) store.Identity {
	return store.Identity{CorpID: "ww0123", WeComUserID: id, Authenticator: "demo", BoundAt: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Email: id + "@corp.example"}
}

// session is a result that starts a session of a user.
func (b *bench) session(key string, u store.User) store.AttemptResult {
	return store.AttemptResult{
		SessionKey: key, Kind: store.ResultSession, KeepUntil: b.now().Add(8 * time.Hour),
		Session: store.Session{
			UserID: u.ID, UserGeneration: u.SessionGeneration, AuthenticatorName: "demo", AuthenticatorID: "id", AuthenticatorGeneration: "g",
			CorpID: "ww0123", WeComUserID: "zhangsan", SignedInAt: b.now(), ExpiresAt: b.now().Add(8 * time.Hour),
		},
	}
}

// next returns a changed record, one version later.
func next(u store.User, change func(*store.User)) store.User {
	change(&u)
	u.Version++
	return u
}

func nextAuthenticator(a store.Authenticator, change func(*store.Authenticator)) store.Authenticator {
	change(&a)
	a.Version++
	return a
}

// AtOnce runs n calls at the same moment and returns their errors.
func AtOnce(n int, call func(i int) error) []error {
	errs := make([]error, n)
	begin := make(chan struct{})
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			<-begin
			errs[i] = call(i)
		})
	}
	close(begin)
	wait.Wait()
	return errs
}

// count returns how many errors are nil, and fails on one that is not allowed.
func (b *bench) count(errs []error, allowed ...error) (succeeded int) {
	b.Helper()
	for _, err := range errs {
		if err == nil {
			succeeded++
			continue
		}
		known := slices.ContainsFunc(allowed, func(a error) bool { return errors.Is(err, a) })
		if _, taken := errors.AsType[*store.AutoLoginTakenError](err); !known && !taken {
			b.Errorf("unexpected: %v", err)
		}
	}
	return succeeded
}

func background() context.Context { return context.Background() }
