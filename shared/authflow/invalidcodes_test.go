package authflow

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// countingStore counts what a callback asks of the store.
type countingStore struct {
	Store
	reads, writes, endedWaits atomic.Int32
}

func (s *countingStore) AttemptResult(ctx context.Context, key string) (store.AttemptResult, error) {
	s.reads.Add(1)
	return s.Store.AttemptResult(ctx, key)
}

func (s *countingStore) RecordResult(ctx context.Context, r store.AttemptResult) error {
	s.writes.Add(1)
	return s.Store.RecordResult(ctx, r)
}

func (s *countingStore) RefuseFirstSignIn(ctx context.Context, corpID, wecomUserID string, refusal store.FirstSignInRefusal) error {
	s.endedWaits.Add(1)
	return s.Store.RefuseFirstSignIn(ctx, corpID, wecomUserID, refusal)
}

func (s *countingStore) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return countingWrites{s.Store.Audited(lines...), s}
}

type countingWrites struct {
	store.AuditedWrites
	of *countingStore
}

func (w countingWrites) RecordResult(ctx context.Context, r store.AttemptResult) error {
	w.of.writes.Add(1)
	return w.AuditedWrites.RecordResult(ctx, r)
}

func (w countingWrites) RecordEvent(ctx context.Context, key string, e store.SignInEvent) error {
	w.of.writes.Add(1)
	return w.AuditedWrites.RecordEvent(ctx, key, e)
}

// sendInvalidCodes sends as many codes that WeCom calls invalid as are waited for, each
// with an attempt of its own.
func sendInvalidCodes(t *testing.T, h *fixture, source Source) {
	t.Helper()
	requests := make([]CallbackRequest, maxInvalidCodes)
	for i := range requests {
		requests[i] = h.callback(t, func(r *CallbackRequest) { r.Code, r.Source = "MADE-UP", source })
	}
	var wait sync.WaitGroup
	for _, req := range requests {
		wait.Go(func() {
			if _, err := h.Complete(context.Background(), req); !apierr.Is(err, apierr.CodeInvalid) {
				t.Errorf("err = %v", err)
			}
		})
	}
	wait.Wait()
}

// Attack: a program fetches attempts and sends made-up codes, so that each holds a process
// and writes a record.
func TestAttackOfMadeUpCodesHoldsNoProcessAndWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.LogField = func(context.Context, string, any) {}
		h.wecom.spent = map[string]bool{"MADE-UP": true}
		sendInvalidCodes(t, h, SourceOf("203.0.113.9"))
		for _, test := range []struct {
			name, address string
			after         time.Duration
			reads, writes int32 // several reads: it was waited for
		}{
			{name: "the same address", address: "203.0.113.9", reads: 1},
			{name: "another address", address: "203.0.113.10", reads: 2, writes: 1},
			{name: "the same address, a minute later", address: "203.0.113.9", after: invalidCodesWindow, reads: 2, writes: 1},
		} {
			counted := &countingStore{Store: h.store}
			h.Store = counted
			h.now = h.now.Add(test.after)
			_, err := h.Complete(t.Context(), h.callback(t, func(r *CallbackRequest) { r.Code, r.Source = "MADE-UP", SourceOf(test.address) }))
			wantError(t, err, apierr.CodeInvalid)
			if reads, writes := counted.reads.Load(), counted.writes.Load(); min(reads, 2) != test.reads || writes != test.writes {
				t.Errorf("%s: %d reads and %d writes", test.name, reads, writes)
			}
		}
	})
}

// Attack: a guest in a company's network, or anybody who uses the same proxy, sends
// made-up codes until the whole address is refused.
func TestAttackOfMadeUpCodesLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFixture(t)
		h.LogField = func(context.Context, string, any) {}
		h.wecom.spent = map[string]bool{"MADE-UP": true}
		h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
		office := SourceOf("198.51.100.7")
		fromOffice := func(r *CallbackRequest) { r.Source = office }
		sendInvalidCodes(t, h, office)
		person := h.callback(t, fromOffice)
		first := h.mustComplete(t, person)
		// The second of two requests for one attempt still finds the first one's result.
		sendInvalidCodes(t, h, office)
		if again := h.mustComplete(t, person); again.SessionID != first.SessionID {
			t.Errorf("%+v differs from %+v", again, first)
		}
	})
}

// Only a code that WeCom called invalid, and that no result explains, counts.
func TestPeoplesFailuresAreNotCountedAsInvalidCodes(t *testing.T) {
	h := newFixture(t)
	h.user(t, "+8613800000001", func(u *store.User) { u.Identities = []store.Identity{{CorpID: corpID, WeComUserID: "zhangsan"}} })
	office := SourceOf("198.51.100.7")
	h.wecom.spent = map[string]bool{}
	doubled := h.callback(t, func(r *CallbackRequest) { r.Source = office })
	for range 2 * maxInvalidCodes {
		h.mustComplete(t, doubled)
		for _, change := range []func(*CallbackRequest){
			func(r *CallbackRequest) { r.AttemptErr = ErrAttemptExpired },
			func(r *CallbackRequest) { r.AttemptErr = ErrAttemptInvalid },
			func(r *CallbackRequest) { r.AttemptFound, r.Restarted = false, true },
			func(r *CallbackRequest) { r.Code = "" },
			func(r *CallbackRequest) { r.State = "" },
		} {
			req := h.callback(t, func(r *CallbackRequest) { r.Source = office })
			change(&req)
			if _, err := h.Complete(t.Context(), req); err == nil {
				t.Fatal("no failure")
			}
		}
	}
	if h.invalidCodes.exceeded(office, h.now) {
		t.Error("counted")
	}
}

func TestAcceptedCodeEndsTheCount(t *testing.T) {
	h := newFixture(t)
	office := SourceOf("198.51.100.7")
	for range maxInvalidCodes {
		h.invalidCodes.count(office, h.now)
	}
	h.mustComplete(t, h.callback(t, func(r *CallbackRequest) { r.Source = office }))
	if h.invalidCodes.exceeded(office, h.now) {
		t.Error("still counted")
	}
}

func TestSourceOf(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"203.0.113.9", "203.0.113.9", true},
		{"203.0.113.9", "203.0.113.10", false},
		{"203.0.113.9", "::ffff:203.0.113.9", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::2%eth1", true},
		{"", "not an address", true},
	} {
		if same := SourceOf(test.a) == SourceOf(test.b); same != test.same {
			t.Errorf("%q and %q: %v", test.a, test.b, same)
		}
	}
	var c sourceCounts
	for range 2 * maxInvalidCodes {
		c.count(Source{}, time.Time{})
	}
	if c.exceeded(Source{}, time.Time{}) {
		t.Error("requests of unknown source are counted")
	}
}

// Attack: made-up codes from ever new addresses fill the memory.
func TestAttackFromManySourcesFillsNoMemory(t *testing.T) {
	var c sourceCounts
	now := time.Unix(1_700_000_000, 0)
	for i := range 5 * maxSources {
		c.count(SourceOf(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff)), now)
		if len(c.counts) > maxSources {
			t.Fatalf("%d sources are kept", len(c.counts))
		}
	}
}
