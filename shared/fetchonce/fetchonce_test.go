package fetchonce

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// table is the table that all functions share, on the clock of the test. fail may fail a call.
type table struct {
	*embedded.Engine
	fail func(call string) error
}

func open(t *testing.T) *table {
	t.Helper()
	return &table{embeddedtest.New(t, nil), func(string) error { return nil }}
}

func (s *table) Fetched(ctx context.Context, key string) (store.Fetched, error) {
	if err := s.fail("read"); err != nil {
		return store.Fetched{}, err
	}
	return s.Engine.Fetched(ctx, key)
}

func (s *table) SaveFetched(ctx context.Context, key, owner string, record store.Fetched) error {
	if err := errors.Join(ctx.Err(), s.fail("save")); err != nil {
		return err
	}
	return s.Engine.SaveFetched(ctx, key, owner, record)
}

// leases has another caller hold the lease for a time.
func (s *table) leases(t *testing.T, owner string, d time.Duration) {
	t.Helper()
	if leased, err := s.LeaseFetched(t.Context(), "key", owner, time.Now().Add(d)); err != nil || !leased {
		t.Fatal(leased, err)
	}
}

// weather is what is fetched: slow, counted, and good for a minute.
type weather struct {
	mu    sync.Mutex
	asked int
	took  time.Duration
	err   error
}

func (w *weather) from(s *table) Fetch[string] {
	return Fetch[string]{
		Store: s, Now: time.Now, Key: "key", Op: "weather",
		Answer: func(record store.Fetched, now time.Time, busy bool) (string, bool, error) {
			switch {
			case now.Before(record.ExpiresAt):
				return string(record.Content), true, nil
			case busy && len(record.Content) > 0:
				return "old " + string(record.Content), true, nil
			case now.Before(record.RefusedUntil):
				return "", true, &wecom.Error{Op: "weather", Code: record.RefusedCode}
			}
			return "", false, nil
		},
		Fetch: func(ctx context.Context, record store.Fetched) (string, store.Fetched, error) {
			w.mu.Lock()
			w.asked++
			w.mu.Unlock()
			select {
			case <-ctx.Done():
				return "", record, ctx.Err()
			case <-time.After(w.took):
			}
			if w.err != nil {
				return "", store.Fetched{RefusedUntil: time.Now().Add(time.Minute), RefusedCode: 45009}, w.err
			}
			return "sun", store.Fetched{Content: []byte("sun"), ExpiresAt: time.Now().Add(time.Minute)}, nil
		},
	}
}

func (w *weather) want(t *testing.T, s *table, want string) {
	t.Helper()
	if got, err := w.from(s).Get(t.Context()); err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestManyCallersFetchOnce(t *testing.T) {
	for name, failure := range map[string]error{"an answer": nil, "a refusal": &wecom.Error{Op: "weather", Code: 45009}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, w := open(t), &weather{took: time.Second, err: failure}
				var group sync.WaitGroup
				for range 20 {
					group.Go(func() {
						got, err := w.from(s).Get(t.Context())
						answered, refused := errors.AsType[*wecom.Error](err)
						if refused != (failure != nil) || refused && answered.Code != 45009 || !refused && got != "sun" {
							t.Errorf("%q, %v", got, err)
						}
					})
				}
				group.Wait()
				if w.asked != 1 {
					t.Errorf("asked %d times", w.asked)
				}
			})
		})
	}
}

func TestOthersTakeWhatIsOldMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := open(t), &weather{}
		w.want(t, s, "sun")
		time.Sleep(2 * time.Minute)
		s.leases(t, "another", 10*time.Second)
		w.want(t, s, "old sun")
		time.Sleep(10 * time.Second)
		w.want(t, s, "sun") // the other one died
		if w.asked != 2 {
			t.Errorf("asked %d times", w.asked)
		}
	})
}

// Trap: two callers read that there is nothing, and fetch one after the other.
func TestAnotherHolderBetweenReadingAndLeasing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := open(t), &weather{}
		fetch := w.from(s)
		looked, answer := 0, fetch.Answer
		fetch.Answer = func(record store.Fetched, now time.Time, busy bool) (string, bool, error) {
			value, answered, err := answer(record, now, busy)
			if looked++; looked == 1 {
				w.want(t, s, "sun") // all of another caller's turn
			}
			return value, answered, err
		}
		if got, err := fetch.Get(t.Context()); err != nil || got != "sun" || w.asked != 1 {
			t.Errorf("%q, %v, asked %d times", got, err, w.asked)
		}
		s.leases(t, "the next", time.Second) // the lease went back
	})
}

func TestDeadHolderIsWaitedForAndReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w, began := open(t), &weather{}, time.Now()
		s.leases(t, "dead", leaseTime)
		w.want(t, s, "sun")
		if waited := time.Since(began); waited < leaseTime || waited > leaseTime+time.Second {
			t.Errorf("after %v", waited)
		}
	})
}

func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := open(t), &weather{}
		s.leases(t, "slow", time.Hour)
		short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		patient := w.from(s)
		patient.Wait = 5 * time.Second
		for _, get := range []func() (string, error){
			func() (string, error) { return w.from(s).Get(short) },
			func() (string, error) { return patient.Get(t.Context()) },
		} {
			began := time.Now()
			_, err := get()
			failure, ok := errors.AsType[*wecom.UnavailableError](err)
			if waited := time.Since(began); !ok || !failure.Unsent || failure.Op != "weather" || waited < 3*time.Second || waited > 6*time.Second {
				t.Errorf("%v after %v", err, waited)
			}
		}
		if w.asked != 0 {
			t.Errorf("asked %d times", w.asked)
		}
	})
}

// Trap: whoever is slow, or hangs up, keeps the lease from others.
func TestFetchEndsBeforeItsLease(t *testing.T) {
	for name, patience := range map[string]time.Duration{"slow": time.Hour, "hangs up": time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, w, began := open(t), &weather{took: time.Hour}, time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := w.from(s).Get(ctx)
				if waited := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || waited > fetchTime {
					t.Errorf("%v after %v", err, waited)
				}
				s.leases(t, "the next", time.Second)
			})
		})
	}
}

func TestStoreFails(t *testing.T) {
	down := errors.New("the table is down")
	synctest.Test(t, func(t *testing.T) {
		s, w, reads := open(t), &weather{}, 0
		// What cannot be read after leasing is not written over.
		s.fail = func(call string) error {
			if reads++; reads == 1 {
				return nil
			}
			return down
		}
		if _, err := w.from(s).Get(t.Context()); !errors.Is(err, down) || w.asked != 0 || reads != 2 {
			t.Errorf("%v, asked %d times, %d calls", err, w.asked, reads)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// What cannot be written down is good all the same.
		s, w, unsaved := open(t), &weather{}, ""
		s.fail = func(call string) error {
			if call == "save" {
				return down
			}
			return nil
		}
		fetch := w.from(s)
		fetch.NotSaved = func(record store.Fetched) { unsaved = string(record.Content) }
		if got, err := fetch.Get(t.Context()); err != nil || got != "sun" || unsaved != "sun" {
			t.Errorf("%q, %v, not saved %q", got, err, unsaved)
		}
	})
}
