package limit

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiterAllowsOnceInAnInterval(t *testing.T) {
	var l Limiter
	start := time.Unix(1_700_000_000, 0)
	for _, step := range []struct {
		key     string
		after   time.Duration
		forget  bool
		allowed bool
	}{
		{key: "a", allowed: true},
		{key: "a", after: time.Second},
		{key: "b", after: time.Second, allowed: true},
		{key: "a", after: 9999 * time.Millisecond},
		{key: "a", after: 10 * time.Second, allowed: true},
		{key: "a", after: 11 * time.Second},
		{key: "a", after: 12 * time.Second, forget: true, allowed: true},
		{key: "a", after: 13 * time.Second},
	} {
		if step.forget {
			l.Forget(step.key)
		}
		if allowed := l.Allow(step.key, start.Add(step.after), 10*time.Second); allowed != step.allowed {
			t.Errorf("%+v: %v", step, allowed)
		}
	}
}

// Attack: ever new keys fill the memory.
func TestAttackOfManyKeysFillsNoMemory(t *testing.T) {
	var l Limiter
	now, allowed := time.Unix(1_700_000_000, 0), 0
	for i := range 5 * mostAllowed {
		if l.Allow(strconv.Itoa(i), now, time.Second) {
			allowed++
		}
		if len(l.last) > mostAllowed {
			t.Fatalf("%d keys are kept", len(l.last))
		}
	}
	if full := strconv.Itoa(mostAllowed); l.WasAllowed(full, now, time.Second) || !l.WasAllowed("0", now, time.Second) || l.WasAllowed("0", now.Add(time.Second), time.Second) {
		t.Error("what was not allowed was, or the other way round")
	}
	if allowed != mostAllowed {
		t.Errorf("%d writes in an interval", allowed)
	}
	if !l.Allow("later", now.Add(time.Second), time.Second) || len(l.last) != 1 {
		t.Errorf("%d keys are kept afterwards", len(l.last))
	}
}
