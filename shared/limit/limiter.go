package limit

import (
	"maps"
	"sync"
	"time"
)

// mostAllowed is how many different keys are allowed within one interval. It bounds the
// memory, too.
const mostAllowed = 1000

// Limiter allows something once in an interval, in this process, mostly a write. So it bounds
// what can be written, and pushed out of a list, by requests that nobody has signed in for or
// that lead to nothing. All calls of one Limiter have the same interval. The zero value is
// ready, and safe for concurrent use.
type Limiter struct {
	mu sync.Mutex
	// last is when a write was allowed last.
	last map[string]time.Time
}

// Allow reports whether what a key stands for may be done now, and takes it as done.
func (l *Limiter) Allow(key string, now time.Time, interval time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.last[key]; ok && now.Sub(last) < interval {
		return false
	}
	if len(l.last) >= mostAllowed {
		maps.DeleteFunc(l.last, func(_ string, last time.Time) bool { return now.Sub(last) >= interval })
	}
	if len(l.last) >= mostAllowed {
		return false
	}
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	l.last[key] = now
	return true
}

// WasAllowed reports whether Allow has let through what a key stands for within the interval.
func (l *Limiter) WasAllowed(key string, now time.Time, interval time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.last[key]
	return ok && now.Sub(last) < interval
}

// Forget allows it the next time, because this time it has failed.
func (l *Limiter) Forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, key)
}
