package fetchonce

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// leaseTime is how long a caller may take to fetch; a holder that died keeps the others
	// waiting no longer. fetchTime leaves it time to write down what it got.
	leaseTime = 10 * time.Second
	fetchTime = 8 * time.Second
	// saveTime bounds writing that down, and so giving back the lease, after the caller's own
	// time is over.
	saveTime = 2 * time.Second

	firstPause   = 25 * time.Millisecond
	longestPause = 400 * time.Millisecond
)

// Store is the part of store.Transient that keeps records and leases.
type Store interface {
	Fetched(ctx context.Context, key string) (store.Fetched, error)
	LeaseFetched(ctx context.Context, key, owner string, until time.Time) (bool, error)
	SaveFetched(ctx context.Context, key, owner string, record store.Fetched) error
}

// Fetch is one caller's wish for what the record of a key stands for.
type Fetch[T any] struct {
	Store Store
	Now   func() time.Time
	Key   string
	// Op names what is fetched, in errors.
	Op string
	// Wait bounds the wait for another caller. Zero: the context alone does.
	Wait time.Duration
	// Answer returns what a record says, or that it says nothing of use. busy: another caller
	// is fetching, so that what is not quite fresh may do.
	Answer func(record store.Fetched, now time.Time, busy bool) (value T, answered bool, err error)
	// Fetch makes the call, after Answer found nothing in record. It returns the record to
	// write down beside the value or the error. What was fetched is good whether or not that
	// could be written.
	Fetch func(ctx context.Context, record store.Fetched) (T, store.Fetched, error)
	// NotSaved is told of a record that could not be written. Nil: nobody is.
	NotSaved func(store.Fetched)
}

// Get returns what the record says or what was fetched. Errors: those of Answer and of Fetch;
// the store's; *wecom.UnavailableError when another caller was fetching for too long.
func (f Fetch[T]) Get(ctx context.Context) (T, error) {
	var none T
	owner, started := rand.Text(), f.Now()
	var until time.Time // of the fetch, while owner holds the lease
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		record, err := f.Store.Fetched(ctx, f.Key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return none, fmt.Errorf("read record of %s: %w", f.Op, err)
		}
		now, leased := f.Now(), !until.IsZero()
		busy := !leased && now.Before(record.LeaseUntil)
		value, answered, err := f.Answer(record, now, busy)
		switch {
		case leased && answered: // by another holder, between reading and leasing
			f.save(ctx, owner, record)
			return value, err
		case answered:
			return value, err
		case leased:
			fetching, cancel := context.WithTimeout(ctx, until.Sub(now))
			defer cancel()
			value, record, err = f.Fetch(fetching, record)
			f.save(ctx, owner, record)
			return value, err
		case !busy:
			leased, err := f.Store.LeaseFetched(ctx, f.Key, owner, now.Add(leaseTime))
			if err != nil {
				return none, fmt.Errorf("lease record of %s: %w", f.Op, err)
			}
			if leased {
				until = now.Add(fetchTime)
				continue
			}
		}
		if f.Wait > 0 && now.Sub(started) >= f.Wait || !sleep(ctx, pause) {
			return none, &wecom.UnavailableError{Op: f.Op, Reason: "another function has been fetching for too long", Unsent: true}
		}
	}
}

// save writes a record, which ends the lease. When that fails, the lease ends by time.
func (f Fetch[T]) save(ctx context.Context, owner string, record store.Fetched) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if f.Store.SaveFetched(ctx, f.Key, owner, record) != nil && f.NotSaved != nil {
		f.NotSaved(record)
	}
}

// sleep waits about as long as pause, so that those who wait do not read at the same moment.
// It returns false when ctx ends before.
func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause*3/4 + mathrand.N(pause/2)) //nolint:gosec // spreads load, keeps no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
