package wecomsim

import "time"

// window counts events within a length of time, and remembers a block.
type window struct {
	start        time.Time
	count        int
	blockedUntil time.Time
}

func (s *Simulator) window(key string) *window {
	w := s.windows[key]
	if w == nil {
		w = &window{}
		s.windows[key] = w
	}
	return w
}

// over counts one event and says whether there were more than limit of them
// within the length of time. A negative limit is none.
func (s *Simulator) over(key string, limit int, length time.Duration) bool {
	if limit < 0 {
		return false
	}
	now := s.now()
	w := s.window(key)
	if now.Sub(w.start) >= length {
		w.start, w.count = now, 0
	}
	w.count++
	return w.count > limit
}

func (s *Simulator) block(key string, length time.Duration) {
	s.window(key).blockedUntil = s.now().Add(length)
}

func (s *Simulator) blocked(key string) bool {
	w := s.windows[key]
	return w != nil && s.now().Before(w.blockedUntil)
}

// tooOften counts a call. A limit that is passed blocks for as long as its
// window is: 60 seconds or 60 minutes (D/90312).
func (s *Simulator) tooOften(key string, perMinute, perHour int) bool {
	if s.blocked(key) {
		return true
	}
	minute := s.over(key+" minute", perMinute, time.Minute)
	hour := s.over(key+" hour", perHour, time.Hour)
	switch {
	case hour:
		s.block(key, time.Hour)
	case minute:
		s.block(key, time.Minute)
	}
	return minute || hour
}

// LiftBlocks ends every block and forgets all counts of the limits, as WeCom's
// self-service page does.
func (s *Simulator) LiftBlocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.windows)
}
