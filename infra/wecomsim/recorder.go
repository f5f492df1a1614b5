package wecomsim

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// remembered is how many requests the recorder keeps.
const remembered = 500

// Request is one recorded request. It has the names of parameters, never their
// values: those are secrets, tokens and codes.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	// Params are the sorted names of the query parameters.
	Params []string
	// BodyKeys are the sorted keys of a JSON body.
	BodyKeys []string
	// Headers are the sorted names of the request's header fields.
	Headers []string
	// Status and ErrCode are the answer; Status is 0 while there is none.
	Status  int
	ErrCode int
}

type recorder struct {
	mu       sync.Mutex
	requests []*Request
	calls    map[string]int
	running  map[string]int
	peak     map[string]int
}

func describe(now time.Time, r *http.Request) *Request {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = r.URL.Query()
	}
	return &Request{
		Time: now, Method: r.Method, Path: r.URL.Path,
		Params:  slices.Sorted(maps.Keys(query)),
		Headers: slices.Sorted(maps.Keys(r.Header)),
	}
}

func (c *recorder) keep(q *Request) {
	c.requests = append(c.requests, q)
	if len(c.requests) > remembered {
		c.requests = slices.Delete(c.requests, 0, len(c.requests)-remembered)
	}
}

func (c *recorder) page(now time.Time, r *http.Request) {
	q := describe(now, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(q)
}

func (c *recorder) begin(now time.Time, r *http.Request, body []byte) *Request {
	q := describe(now, r)
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) == nil {
		q.BodyKeys = slices.Sorted(maps.Keys(object))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls, c.running, c.peak = map[string]int{}, map[string]int{}, map[string]int{}
	}
	c.keep(q)
	c.calls[q.Path]++
	c.running[q.Path]++
	c.peak[q.Path] = max(c.peak[q.Path], c.running[q.Path])
	return q
}

func (c *recorder) end(q *Request, status, errcode int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.Status, q.ErrCode = status, errcode
	c.running[q.Path]--
}

// Calls returns how often an API path was called; no path means all APIs
// together. Pages are not counted.
func (s *Simulator) Calls(paths ...string) int {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	total := 0
	for path, n := range s.recorder.calls {
		if len(paths) == 0 || slices.Contains(paths, path) {
			total += n
		}
	}
	return total
}

// CallsByPath returns the number of calls of every API path.
func (s *Simulator) CallsByPath() map[string]int {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	return maps.Clone(s.recorder.calls)
}

// PeakCalls returns how many calls of an API path ran at the same time at most.
func (s *Simulator) PeakCalls(path string) int {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	return s.recorder.peak[path]
}

// Requests returns the newest requests, pages included, oldest first.
func (s *Simulator) Requests() []Request {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	out := make([]Request, 0, len(s.recorder.requests))
	for _, q := range s.recorder.requests {
		out = append(out, *q)
	}
	return out
}

// ResetCalls forgets counts and requests.
func (s *Simulator) ResetCalls() {
	s.recorder.mu.Lock()
	defer s.recorder.mu.Unlock()
	s.recorder.requests = nil
	clear(s.recorder.calls)
	clear(s.recorder.peak)
}
