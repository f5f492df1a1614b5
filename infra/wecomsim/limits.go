// Frequency limits: calls per minute, wrong secrets per hour, parallel calls.

package wecomsim

import (
	"net/url"
	"time"
)

// window counts events within a period, and remembers a block.
type window struct {
	start        time.Time
	count        int
	blockedUntil time.Time
}

// exceeds counts an event and reports whether there were more than limit of
// them within the period. Then the key is blocked for as long (D/90312). A
// negative limit means none.
func (s *Simulator) exceeds(key string, limit int, period time.Duration) bool {
	if limit < 0 {
		return false
	}
	now := s.now()
	w := s.windows[key]
	if w == nil || now.Sub(w.start) >= period {
		w = &window{start: now}
		s.windows[key] = w
	}
	w.count++
	if w.count > limit {
		w.blockedUntil = now.Add(period)
	}
	return w.count > limit
}

func (s *Simulator) blocked(key string) bool {
	w := s.windows[key]
	return w != nil && s.now().Before(w.blockedUntil)
}

// begin counts a call of one API by one corp that runs now, and reports whether
// there are too many. done ends it and must be called without s.mu.
func (s *Simulator) begin(path string, query url.Values) (tooParallel bool, done func()) {
	corpID := query.Get("corpid")
	if t := s.tokens[query.Get("access_token")]; t != nil {
		corpID = t.owner.corpID
	}
	key := corpID + " " + path
	s.parallel[key]++
	return s.limits.Parallel > 0 && s.parallel[key] > s.limits.Parallel, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.parallel[key]--; s.parallel[key] <= 0 {
			delete(s.parallel, key)
		}
	}
}
