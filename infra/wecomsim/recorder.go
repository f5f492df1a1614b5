// Counts of API calls, and the latest calls for the start page.

package wecomsim

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// latestCalls is how many calls the start page shows.
const latestCalls = 12

// apiCall is a recorded call. It has the names of parameters, never their
// values, which are secrets, tokens and codes.
type apiCall struct {
	Time         time.Time
	Method, Path string
	Params       []string
	ErrCode      int
}

type recorder struct {
	mu     sync.Mutex
	latest []*apiCall
	counts map[string]int
}

func (c *recorder) begin(now time.Time, r *http.Request) *apiCall {
	recorded := &apiCall{Time: now, Method: r.Method, Path: r.URL.Path, Params: slices.Sorted(maps.Keys(r.URL.Query()))}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latest = append(c.latest, recorded)
	c.latest = c.latest[max(0, len(c.latest)-latestCalls):]
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[r.URL.Path]++
	return recorded
}

func (c *recorder) end(recorded *apiCall, errcode int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	recorded.ErrCode = errcode
}

// newestFirst returns the latest calls.
func (c *recorder) newestFirst() []apiCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	var calls []apiCall
	for _, recorded := range slices.Backward(c.latest) {
		calls = append(calls, *recorded)
	}
	return calls
}

// Calls returns how often the given API paths were called; without a path, all
// of them. A call counts from its beginning.
func (s *Simulator) Calls(paths ...string) int {
	total := 0
	for path, n := range s.CallsByPath() {
		if len(paths) == 0 || slices.Contains(paths, path) {
			total += n
		}
	}
	return total
}

// CallsByPath returns how often each API path was called.
func (s *Simulator) CallsByPath() map[string]int {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	return maps.Clone(s.recorder.counts)
}

// ResetCalls forgets all calls.
func (s *Simulator) ResetCalls() {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.recorder.latest = nil
	clear(s.recorder.counts)
}
