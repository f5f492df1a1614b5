package cache_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/cache"
)

// source counts loads and fails on demand.
type source struct {
	mu    sync.Mutex
	loads int
	err   error
	delay time.Duration
}

func (s *source) load(ctx context.Context) (int, error) {
	s.mu.Lock()
	s.loads++
	loads, err, delay := s.loads, s.err, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
		return loads, err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func TestValueOverTime(t *testing.T) {
	down := errors.New("down")
	steps := []struct {
		name    string
		wait    time.Duration
		fails   error
		reload  bool
		want    int // which load the value is from
		wantErr error
		loads   int // so far
	}{
		{name: "nothing kept and down", fails: down, wantErr: down, loads: 1},
		{name: "no pause while there is nothing to serve", want: 2, loads: 2},
		{name: "kept", wait: 59 * time.Second, want: 2, loads: 2},
		{name: "too old", wait: 2 * time.Second, want: 3, loads: 3},
		{name: "reload pauses after an attempt", wait: 9 * time.Second, reload: true, want: 3, loads: 3},
		{name: "reload", wait: 2 * time.Second, reload: true, want: 4, loads: 4},
		{name: "too old and down", wait: 61 * time.Second, fails: down, want: 4, loads: 5},
		{name: "no second attempt at once", wait: 9 * time.Second, fails: down, want: 4, loads: 5},
		{name: "attempt after the pause", wait: 2 * time.Second, fails: down, want: 4, loads: 6},
		{name: "too old even for stale", wait: 30 * time.Second, fails: down, wantErr: down, loads: 7},
		{name: "up again", want: 8, loads: 8},
	}
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		value := cache.New(cache.Config[int]{
			Load: s.load, Keep: time.Minute, Stale: 40 * time.Second, Pause: 10 * time.Second,
		})
		for _, step := range steps {
			time.Sleep(step.wait)
			s.fail(step.fails)
			get := value.Get
			if step.reload {
				get = value.Reload
			}
			got, err := get(t.Context())
			if got != step.want || !errors.Is(err, step.wantErr) || s.loads != step.loads {
				t.Errorf("%s: got %d, %v after %d loads; want %d, %v after %d",
					step.name, got, err, s.loads, step.want, step.wantErr, step.loads)
			}
		}
	})
}

func TestValueLoadsOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: time.Second}
		value := cache.New(cache.Config[int]{Load: s.load, Keep: time.Minute})
		impatient, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() {
			if _, err := value.Get(impatient); !errors.Is(err, context.Canceled) {
				t.Errorf("the caller that gave up got %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			group.Go(func() {
				if got, err := value.Get(t.Context()); got != 1 || err != nil {
					t.Errorf("got %d, %v; want 1", got, err)
				}
			})
		}
		synctest.Wait()
		cancel() // must not fail the others
		group.Wait()
		if s.loads != 1 {
			t.Errorf("%d loads; want 1", s.loads)
		}
	})
}

func TestValueBoundsALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{delay: time.Hour}
		value := cache.New(cache.Config[int]{Load: s.load, Keep: time.Minute, Timeout: 3 * time.Second})
		began := time.Now()
		if _, err := value.Get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want a deadline", err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("took %v; want 3s", took)
		}
	})
}
