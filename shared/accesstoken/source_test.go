package accesstoken

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// table is a store that keeps its promises, in memory.
type table struct {
	mu      sync.Mutex
	records map[string]store.Fetched
	calls   int
	err     error // of every call
	saveErr error // of SaveFetched
}

func (f *table) begin() (unlock func(), err error) {
	f.mu.Lock()
	f.calls++
	if f.records == nil {
		f.records = map[string]store.Fetched{}
	}
	return f.mu.Unlock, f.err
}

func (f *table) Fetched(_ context.Context, key string) (store.Fetched, error) {
	unlock, err := f.begin()
	defer unlock()
	record, found := f.records[key]
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return record, err
}

func (f *table) LeaseFetched(_ context.Context, key, owner string, until time.Time) (bool, error) {
	unlock, err := f.begin()
	defer unlock()
	record := f.records[key]
	if err != nil || time.Now().Before(record.LeaseUntil) {
		return false, err
	}
	record.LeaseOwner, record.LeaseUntil = owner, until
	f.records[key] = record
	return true, nil
}

func (f *table) SaveFetched(ctx context.Context, key, owner string, token store.Fetched) error {
	unlock, err := f.begin()
	defer unlock()
	switch {
	case err != nil:
		return err
	case f.saveErr != nil:
		return f.saveErr
	case ctx.Err() != nil:
		return ctx.Err()
	case f.records[key].LeaseOwner != owner:
		return store.ErrChanged
	}
	token.LeaseOwner, token.LeaseUntil = "", time.Time{}
	f.records[key] = token
	return nil
}

func (f *table) ForgetFetched(_ context.Context, key string) error {
	unlock, err := f.begin()
	defer unlock()
	delete(f.records, key)
	return err
}

// sealer binds to the associated data, and hides nothing from a test.
type sealer struct{}

func (sealer) Seal(plaintext, associated []byte) ([]byte, error) {
	return append(append([]byte{}, associated...), plaintext...), nil
}

func (sealer) Open(sealed, associated []byte) ([]byte, error) {
	if rest, ok := bytes.CutPrefix(sealed, associated); ok {
		return rest, nil
	}
	return nil, errors.New("does not open")
}

// secrets answers every name and version with itself.
type secrets struct{}

func (secrets) Get(_ context.Context, name, version string) (secret.Value, error) {
	return secret.NewValue(name + version), nil
}

// gettoken is WeCom's one call: slow, and counted.
type gettoken struct {
	mu    sync.Mutex
	count int
	took  time.Duration // zero: 200 ms
	life  time.Duration // zero: 2 h
	err   error
	same  bool // the same token each time
}

func (f *gettoken) FetchToken(ctx context.Context, _, corpSecret string) (wecom.Token, error) {
	f.mu.Lock()
	f.count++
	token := wecom.Token{Value: secret.NewValue(fmt.Sprintf("%s-%d", corpSecret, f.count)), ExpiresIn: f.life}
	if f.same {
		token.Value = secret.NewValue("same")
	}
	if f.life == 0 {
		token.ExpiresIn = 2 * time.Hour
	}
	took, err := f.took, f.err
	f.mu.Unlock()
	if took == 0 {
		took = 200 * time.Millisecond
	}
	select {
	case <-ctx.Done():
		return wecom.Token{}, &wecom.UnavailableError{Op: "gettoken", Reason: "time-out"}
	case <-time.After(took):
	}
	if err != nil {
		return wecom.Token{}, err
	}
	return token, nil
}

func (f *gettoken) fetches(t *testing.T, want int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count != want {
		t.Errorf("%d calls of gettoken, want %d", f.count, want)
	}
}

func (f *gettoken) answer(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// world is WeCom, a table, and as many functions as wanted.
type world struct {
	table table
	wecom gettoken
}

func (w *world) source() *Source {
	return New(Config{Store: &w.table, Sealer: sealer{}, Fetcher: &w.wecom, Secrets: secrets{}})
}

func (w *world) sources(n int) []*Source {
	sources := make([]*Source, n)
	for i := range sources {
		sources[i] = w.source()
	}
	return sources
}

var app = App{CorpID: "ww1", AgentID: "1000002", AuthenticatorID: "a1", SecretName: "s", SecretVersion: "v1"}

func mustToken(t *testing.T, s *Source, app App) secret.Value {
	t.Helper()
	token, err := s.Token(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	if answered, ok := errors.AsType[*wecom.Error](err); !ok || answered.Code != code {
		t.Errorf("got %v, want WeCom's %d", err, code)
	}
}

// Trap: gettoken on every login.
func TestThousandSignInsOverTwentyFunctionsAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		var group sync.WaitGroup
		for _, source := range w.sources(20) {
			for range 50 {
				group.Go(func() { mustToken(t, source, app) })
			}
		}
		group.Wait()
		w.wecom.fetches(t, 1)
	})
}

func TestTwentyColdStartsAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		var group sync.WaitGroup
		for _, source := range w.sources(20) {
			group.Go(func() {
				if token := mustToken(t, source, app); token.Reveal() != "sv1-1" {
					t.Error("another token")
				}
			})
		}
		group.Wait()
		w.wecom.fetches(t, 1)
	})
}

func TestHotPathAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		source := w.source()
		mustToken(t, source, app)
		before := w.table.calls
		for range 1000 {
			mustToken(t, source, app)
		}
		if w.table.calls != before {
			t.Errorf("%d calls of the store", w.table.calls-before)
		}
		w.wecom.fetches(t, 1)
	})
}

func TestRejectedTokenIsReplacedOnceByTwentyFunctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		sources := w.sources(20)
		for _, source := range sources {
			mustToken(t, source, app)
		}
		var group sync.WaitGroup
		for _, source := range sources {
			group.Go(func() {
				if err := source.Reject(t.Context(), app, secret.NewValue("sv1-1")); err != nil {
					t.Error(err)
				}
				if token := mustToken(t, source, app); token.Reveal() != "sv1-2" {
					t.Error("the rejected token came back")
				}
				// A second call that held the old token must not drop the new one.
				if err := source.Reject(t.Context(), app, secret.NewValue("sv1-1")); err != nil {
					t.Error(err)
				}
				mustToken(t, source, app)
			})
		}
		group.Wait()
		w.wecom.fetches(t, 2)
	})
}

// Attack: make WeCom ban the address by letting sign-ins repeat a wrong secret.
func TestRefusedSecretIsSentOnceAMinute(t *testing.T) {
	for _, code := range []int{40001, 40013, 40091, 41002, 41004} {
		synctest.Test(t, func(t *testing.T) {
			var w world
			w.wecom.answer(&wecom.Error{Op: "gettoken", Code: code})
			var group sync.WaitGroup
			for _, source := range w.sources(20) {
				for range 5 {
					group.Go(func() {
						_, err := source.Token(t.Context(), app)
						wantCode(t, err, code)
					})
				}
			}
			group.Wait()
			w.wecom.fetches(t, 1)
			time.Sleep(time.Minute)
			_, err := w.source().Token(t.Context(), app)
			wantCode(t, err, code)
			w.wecom.fetches(t, 2)
		})
	}
}

func TestRefusalIsRememberedWhenTheTableDoesNotKeepIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		w.table.saveErr = errors.New("table down")
		w.wecom.answer(&wecom.Error{Op: "gettoken", Code: 40001})
		source := w.source()
		for range 3 {
			_, err := source.Token(t.Context(), app)
			wantCode(t, err, 40001)
			time.Sleep(15 * time.Second) // the lease is over
		}
		w.wecom.fetches(t, 1)
	})
}

func TestRefusalEndsWithAnotherVersionAndWithForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		w.wecom.answer(&wecom.Error{Op: "gettoken", Code: 40001})
		source, other := w.source(), w.source()
		for _, s := range []*Source{source, other} {
			_, err := s.Token(t.Context(), app)
			wantCode(t, err, 40001)
		}
		w.wecom.answer(nil)
		changed := app
		changed.SecretVersion = "v2"
		mustToken(t, source, changed)
		w.wecom.fetches(t, 2)
		if err := source.Forget(t.Context(), app); err != nil {
			t.Fatal(err)
		}
		mustToken(t, other, app) // checked in one function, free in all
		w.wecom.fetches(t, 3)
	})
}

// Trap: token cached per corp though it belongs to an app.
func TestNothingIsSharedBetweenApps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		source := w.source()
		mustToken(t, source, app)
		for i, change := range []func(*App){
			func(a *App) { a.CorpID = "ww2" },
			func(a *App) { a.AgentID = "1000003" },
			func(a *App) { a.AuthenticatorID = "a2" },
			func(a *App) { a.SecretVersion = "v2" },
		} {
			other := app
			change(&other)
			mustToken(t, source, other)
			w.wecom.fetches(t, i+2)
		}
	})
}

// Attack: move one app's sealed token into another app's record.
func TestMovedRecordDoesNotOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		mustToken(t, w.source(), app)
		other := app
		other.AgentID = "1000003"
		w.table.records[other.Key()] = w.table.records[app.Key()]
		if mustToken(t, w.source(), other).Reveal() != "sv1-2" {
			t.Error("took another app's token")
		}
	})
}

// Traps: token cached for its full life; refreshed by a goroutine.
func TestTokenIsReplacedEarlyByACaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		source := w.source()
		first := mustToken(t, source, app)
		time.Sleep(107 * time.Minute)
		mustToken(t, source, app)
		w.wecom.fetches(t, 1)
		time.Sleep(6 * time.Minute) // 113 of 120 minutes: beyond all jitter
		w.wecom.fetches(t, 1)       // nobody called
		if mustToken(t, source, app).Equal(first) {
			t.Error("not replaced")
		}
		w.wecom.fetches(t, 2)
	})
}

// Trap: a lock held over a slow call.
func TestOthersUseTheOldTokenWhileOneRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		sources := w.sources(2)
		for _, source := range sources {
			mustToken(t, source, app)
		}
		time.Sleep(113 * time.Minute)
		w.wecom.took = 2 * time.Second
		var group sync.WaitGroup
		group.Go(func() { mustToken(t, sources[0], app) })
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		for _, source := range sources {
			if mustToken(t, source, app).Reveal() != "sv1-1" {
				t.Error("not the old token")
			}
		}
		if waited := time.Since(began); waited > 0 {
			t.Errorf("waited %v", waited)
		}
		group.Wait()
		w.wecom.fetches(t, 2)
	})
}

func TestOldTokenServesWhileWeComIsDownAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		source := w.source()
		mustToken(t, source, app)
		w.wecom.answer(&wecom.UnavailableError{Op: "gettoken", Reason: "down"})
		time.Sleep(113 * time.Minute)
		for range 100 {
			mustToken(t, source, app)
		}
		w.wecom.fetches(t, 2) // not at every call
		time.Sleep(7 * time.Minute)
		if _, err := source.Token(t.Context(), app); err == nil {
			t.Error("a token past its life")
		}
	})
}

// WeCom may give the same token again with what is left of its life.
func TestShortLivesDoNotTurnIntoManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		w.wecom.life = 100 * time.Second
		source := w.source()
		for range 85 { // until 15 s before the end, in steps of a second
			mustToken(t, source, app)
			time.Sleep(time.Second)
		}
		if w.wecom.count > 2 {
			t.Errorf("%d calls of gettoken", w.wecom.count)
		}
	})
}

// Attack: hang up to break everybody else's sign-in.
func TestCallerThatLeavesTakesNothingFromTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		w.wecom.took = time.Second
		source, elsewhere := w.source(), w.source()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := source.Token(ctx, app); err == nil {
				t.Error("answered after its time")
			}
		})
		time.Sleep(100 * time.Millisecond)
		group.Go(func() { mustToken(t, source, app) })
		group.Go(func() { mustToken(t, elsewhere, app) })
		group.Wait()
		w.wecom.fetches(t, 2)
	})
}

// Attack on ourselves: WeCom that rejects all it gives must not be asked at every sign-in.
func TestRejectionsDoNotBecomeAStreamOfCalls(t *testing.T) {
	for _, same := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var w world
			w.wecom.same = same
			source := w.source()
			for range 600 { // ten minutes of a sign-in each second
				token, err := source.Token(t.Context(), app)
				if err == nil {
					_ = source.Reject(t.Context(), app, token)
				} else {
					wantCode(t, err, wecom.InvalidToken)
				}
				time.Sleep(time.Second)
			}
			// 2 + 4 + 8 + 16 + 32 s, and then one each minute.
			if w.wecom.count > 2+5+9 {
				t.Errorf("same %v: %d calls of gettoken", same, w.wecom.count)
			}
		})
	}
}

func TestPassingRejectionIsOverWhenItIsOver(t *testing.T) {
	for _, same := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var w world
			w.wecom.same = same
			source, elsewhere := w.source(), w.source()
			for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(100 * time.Millisecond) {
				if token, err := source.Token(t.Context(), app); err == nil {
					_ = source.Reject(t.Context(), app, token)
				}
			}
			w.wecom.same = false // all is well again
			for _, s := range []*Source{source, elsewhere} {
				began := time.Now()
				for time.Since(began) < 10*time.Second {
					if _, err := s.Token(t.Context(), app); err == nil {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if waited := time.Since(began); waited > 5*time.Second {
					t.Errorf("same %v: a good token after %v", same, waited)
				}
			}
		})
	}
}

// A token can be rejected while this process is just about to take it up again.
func TestTokenRejectedOnItsWayIsNotGivenOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		source, elsewhere := w.source(), w.source()
		old := mustToken(t, source, app)
		time.Sleep(113 * time.Minute)
		w.wecom.took = 2 * time.Second
		var group sync.WaitGroup
		group.Go(func() { mustToken(t, source, app) }) // refreshes
		time.Sleep(100 * time.Millisecond)
		_ = source.Reject(t.Context(), app, old)
		group.Go(func() {
			if mustToken(t, source, app).Equal(old) {
				t.Error("the rejected token was given out")
			}
		})
		group.Go(func() { mustToken(t, elsewhere, app) })
		group.Wait()
		w.wecom.fetches(t, 2)
	})
}

func TestStoreThatDoesNotAnswerIsASystemFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		down := errors.New("table down")
		w.table.err = down
		if _, err := w.source().Token(t.Context(), app); !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
		w.wecom.fetches(t, 0)
	})
}
