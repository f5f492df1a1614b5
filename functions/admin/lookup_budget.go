package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	// lookupPeriod is how long a miss counts and is not tried again, and how long a corp is
	// left alone after WeCom closed the call: a day, as WeCom does (path 95402). Which day
	// it counts by is not documented, so any 24 hours are one.
	lookupPeriod = 24 * time.Hour
	// budgetLease is how long one request may take to change the record.
	budgetLease = 10 * time.Second
	// mostHits is how many phones are remembered that were found: as many as one request
	// looks up, for the next one, which binds them.
	mostHits = maxLimit
)

// LookupStore is the part of store.Transient that counts lookups in vain.
type LookupStore interface {
	Fetched(ctx context.Context, key string) (store.Fetched, error)
	LeaseFetched(ctx context.Context, key, owner string, until time.Time) (bool, error)
	SaveFetched(ctx context.Context, key, owner string, record store.Fetched) error
}

// lookupBudget is what a corp's lookups have come to in the last 24 hours.
type lookupBudget struct {
	// Misses are those that WeCom has counted or may have counted. A phone under way is one
	// of them until WeCom has found it, so that none is lost when this process ends.
	Misses []lookupTry `json:"misses"`
	// Hits are the last phones that were found. They may be looked up again when the budget
	// is spent, so that what a dry run found can be bound.
	Hits []lookupTry `json:"hits,omitempty"`
	// Place is where the next run goes on.
	Place lookupPlace `json:"place"`
	// closed is WeCom's number while it has closed the call, and until when it counts.
	closed      int
	closedUntil time.Time
}

type lookupTry struct {
	Phone string `json:"phone"` // by LookupKey, never in clear
	At    int64  `json:"at"`    // Unix seconds
}

// lookupPlace is behind a user in the list of all.
type lookupPlace struct {
	Page  string `json:"page"`  // cursor of the page
	After string `json:"after"` // id of the last user who was looked at; ids are in order
}

func (b lookupBudget) misses(phoneKey string) bool { return has(b.Misses, phoneKey) }

// isSpent reports whether a phone may not be looked up any more. One that was found is most
// likely found again, and may be asked for until one is not.
func (b lookupBudget) isSpent(phoneKey string, misses int) bool {
	if misses > 0 && has(b.Hits, phoneKey) {
		misses++
	}
	return len(b.Misses) >= misses
}

func has(tries []lookupTry, phoneKey string) bool {
	return slices.ContainsFunc(tries, func(t lookupTry) bool { return t.Phone == phoneKey })
}

func without(tries []lookupTry, phoneKey string) []lookupTry {
	return slices.DeleteFunc(tries, func(t lookupTry) bool { return t.Phone == phoneKey })
}

// lookupsOf names a corp's record. It depends on no key, so that rotating keys does not
// renew the budget; at most a phone is then tried a second time, within the budget.
func lookupsOf(corpID string) string { return "lookups." + corpID }

// readBudget returns the budget as it is now, without what is older than the period.
func (h *handler) readBudget(ctx context.Context, corpID string) (lookupBudget, error) {
	record, err := h.Lookups.Fetched(ctx, lookupsOf(corpID))
	if errors.Is(err, store.ErrNotFound) {
		return lookupBudget{}, nil
	}
	if err != nil {
		return lookupBudget{}, fmt.Errorf("read lookups: %w", err)
	}
	var b lookupBudget
	if len(record.Content) > 0 { // a lease alone has none
		if err := json.Unmarshal(record.Content, &b); err != nil {
			return lookupBudget{}, fmt.Errorf("decode lookups: %w", err)
		}
	}
	now := h.Now()
	over := func(t lookupTry) bool { return !now.Before(time.Unix(t.At, 0).Add(lookupPeriod)) }
	b.Misses, b.Hits = slices.DeleteFunc(b.Misses, over), slices.DeleteFunc(b.Hits, over)
	if now.Before(record.RefusedUntil) {
		b.closed, b.closedUntil = record.RefusedCode, record.RefusedUntil
	}
	return b, nil
}

// changeBudget writes what change makes of the corp's budget, as the only one to do so, and
// returns it.
func (h *handler) changeBudget(ctx context.Context, corpID string, change func(*lookupBudget)) (lookupBudget, error) {
	key, owner := lookupsOf(corpID), rand.Text()
	return store.RetryChanged(ctx, func() (lookupBudget, error) {
		now := h.Now()
		leased, err := h.Lookups.LeaseFetched(ctx, key, owner, now.Add(budgetLease))
		if err != nil {
			return lookupBudget{}, fmt.Errorf("lease lookups: %w", err)
		}
		if !leased {
			return lookupBudget{}, store.ErrChanged
		}
		b, err := h.readBudget(ctx, corpID)
		if err != nil {
			return b, err
		}
		change(&b)
		content, err := json.Marshal(b)
		if err != nil {
			return b, fmt.Errorf("encode lookups: %w", err)
		}
		err = h.Lookups.SaveFetched(ctx, key, owner, store.Fetched{
			Content: content, ExpiresAt: now.Add(lookupPeriod), RefusedCode: b.closed, RefusedUntil: b.closedUntil,
		})
		if err != nil {
			return b, fmt.Errorf("save lookups: %w", err)
		}
		return b, nil
	})
}

// reservation says why a phone may not be looked up; the zero value allows it.
type reservation struct {
	code  int  // WeCom has closed the call, with this number
	spent bool // there are as many misses as may be, and the phone is no hit
	tried bool // the phone is among them
}

// reserve counts a phone as a miss before it is looked up.
func (h *handler) reserve(ctx context.Context, corpID, phone string) (r reservation, err error) {
	_, err = h.changeBudget(ctx, corpID, func(b *lookupBudget) {
		key := h.LookupKey(phone)
		r = reservation{code: b.closed, spent: b.isSpent(key, h.LookupMissesPerDay), tried: b.misses(key)}
		if r == (reservation{}) {
			b.Misses = append(b.Misses, lookupTry{key, h.Now().Unix()})
		}
	})
	return r, err
}

// release takes a phone back that was not a miss, even after the caller has hung up.
func (h *handler) release(ctx context.Context, corpID, phone string) error {
	return h.settle(ctx, corpID, phone, func(*lookupBudget) {})
}

// found is release for a phone that a member has.
func (h *handler) found(ctx context.Context, corpID, phone string) error {
	return h.settle(ctx, corpID, phone, func(b *lookupBudget) {
		key := h.LookupKey(phone)
		b.Hits = append(without(b.Hits, key), lookupTry{key, h.Now().Unix()})
		b.Hits = b.Hits[max(0, len(b.Hits)-mostHits):]
	})
}

// closeLookups leaves the corp alone for a day. The phone was not looked up.
func (h *handler) closeLookups(ctx context.Context, corpID, phone string, code int) error {
	return h.settle(ctx, corpID, phone, func(b *lookupBudget) {
		b.closed, b.closedUntil = code, h.Now().Add(lookupPeriod)
	})
}

func (h *handler) settle(ctx context.Context, corpID, phone string, change func(*lookupBudget)) error {
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_, err := h.changeBudget(settling, corpID, func(b *lookupBudget) {
		key := h.LookupKey(phone)
		b.Misses = without(b.Misses, key)
		change(b)
	})
	return err
}
