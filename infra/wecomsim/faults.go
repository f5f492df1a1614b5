package wecomsim

import (
	"encoding/binary"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Fault is something that goes wrong with API calls. The zero Fault does
// nothing; the functions below make the usual ones.
type Fault struct {
	// API is the path it happens to; empty means every API.
	API string
	// Times is how many calls it happens to; 0 means until ClearFaults.
	Times int
	// Probability is the chance per call between 0 and 1; 0 means always.
	Probability float64
	// AfterEffect lets the call work first (a code is spent, a token is given)
	// and loses only the answer.
	AfterEffect bool

	// Delay is real time before the call is looked at. It goes with any of the
	// others.
	Delay time.Duration
	// Code is the errcode of an otherwise well-formed answer.
	Code int
	// Status is the HTTP status of an answer in HTML.
	Status int
	// Body replaces the answer's body, with HTTP 200.
	Body Body
	// Hang gives no answer until the caller gives up.
	Hang bool
	// CutOff closes the connection without an answer.
	CutOff bool
}

// Body is a kind of body that is not an answer.
type Body int

const (
	// BodyIntact leaves the answer alone.
	BodyIntact Body = iota
	// BodyBroken is JSON that ends in the middle.
	BodyBroken
	// BodyEmpty is no body.
	BodyEmpty
	// BodyOversized is 8 MiB of well-formed JSON that claims success.
	BodyOversized
	// BodyHTML is a page of some middlebox, with HTTP 200.
	BodyHTML
)

// Busy makes the next n calls answer -1. Nothing is spent by them.
func Busy(n int) Fault { return Fault{Times: n, Code: codeBusy} }

// Refuse makes the next n calls answer errcode, for example 45033, 45009,
// 48002, 50001 or 60020. Nothing is spent by them.
func Refuse(errcode, n int) Fault { return Fault{Times: n, Code: errcode} }

// BadGateway makes the next n calls answer HTTP 502.
func BadGateway(n int) Fault { return Fault{Times: n, Status: http.StatusBadGateway} }

// Broken makes the next n calls answer HTTP 200 with a body that is none.
func Broken(b Body, n int) Fault { return Fault{Times: n, Body: b} }

// Slow delays every call by d of real time.
func Slow(d time.Duration) Fault { return Fault{Delay: d} }

// Hang leaves the next n calls without an answer until the caller gives up.
func Hang(n int) Fault { return Fault{Times: n, Hang: true} }

// CutOff closes the connection of the next n calls.
func CutOff(n int) Fault { return Fault{Times: n, CutOff: true} }

// On limits a fault to one API path.
func (f Fault) On(path string) Fault {
	f.API = path
	return f
}

// Lost lets the call have its effect and loses the answer only.
func (f Fault) Lost() Fault {
	f.AfterEffect = true
	return f
}

// WithProbability makes a fault happen by chance.
func (f Fault) WithProbability(p float64) Fault {
	f.Probability = p
	return f
}

func (f *Fault) breaks() bool {
	return f.Code != 0 || f.Status != 0 || f.Body != BodyIntact || f.Hang || f.CutOff
}

// Inject adds a fault. Faults are tried in the order they were added and a call
// meets at most one of them.
func (s *Simulator) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults, those of the callback included.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.bends = nil, nil
}

func (s *Simulator) takeFault(path string) Fault {
	for i, f := range s.faults {
		if f.API != "" && f.API != path {
			continue
		}
		if f.Probability > 0 && s.dice() >= f.Probability {
			continue
		}
		taken := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return taken
	}
	return Fault{}
}

// dice returns a number in [0, 1).
func (s *Simulator) dice() float64 {
	var b [8]byte
	if _, err := io.ReadFull(s.rand, b[:]); err != nil {
		return 0
	}
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}

// breakAnswer writes what the fault says in place of the answer and returns the
// HTTP status, 0 for none.
func (f *Fault) breakAnswer(w http.ResponseWriter, r *http.Request) int {
	if f.Hang {
		<-r.Context().Done()
		return 0
	}
	if f.CutOff {
		cutOff(w)
		return 0
	}
	h := w.Header()
	h.Set("Server", "nginx")
	const gatewayPage = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1><hr>nginx</body></html>"
	if f.Status != 0 {
		h.Set("Content-Type", "text/html")
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, gatewayPage)
		return f.Status
	}
	h.Set("Content-Type", "application/json; charset=UTF-8")
	switch f.Body {
	case BodyBroken:
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","userid":"zhang`)
	case BodyOversized:
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok","padding":"`)
		chunk := strings.Repeat("x", 64<<10)
		for range 128 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return http.StatusOK
			}
		}
		_, _ = io.WriteString(w, `"}`)
	case BodyHTML:
		h.Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, gatewayPage)
	case BodyEmpty, BodyIntact:
	}
	return http.StatusOK
}

// cutOff closes the connection. A connection that cannot be taken over (HTTP/2)
// is left with an empty answer, which no client can read either.
func cutOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	_ = conn.Close()
}

// CallbackFault bends the way back to the application.
type CallbackFault struct {
	// Times is how many redirects are bent; 0 means until ClearFaults.
	Times int
	// DropState leaves the state out; AlterState changes its last letter.
	DropState, AlterState bool
	// DropCode leaves the code out.
	DropCode bool
}

// InjectCallback adds a fault of the redirect to the application.
func (s *Simulator) InjectCallback(f CallbackFault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bends = append(s.bends, &f)
}

// back builds the URL that leads back to the application. The existing query is
// kept byte for byte and the new parameters go before a fragment, as on the
// real WeCom. A nil code means denial.
func (s *Simulator) back(redirect, code, state string) string {
	sendState, sendCode := true, code != ""
	if len(s.bends) > 0 {
		b := s.bends[0]
		sendState, sendCode = !b.DropState, sendCode && !b.DropCode
		if b.AlterState {
			state = alter(state)
		}
		if b.Times > 0 {
			if b.Times--; b.Times == 0 {
				s.bends = s.bends[1:]
			}
		}
	}
	var added []string
	if sendCode {
		added = append(added, "code="+url.QueryEscape(code))
	}
	if sendState {
		added = append(added, "state="+url.QueryEscape(state))
	}
	if len(added) == 0 {
		return redirect
	}
	start, fragment, hasFragment := strings.Cut(redirect, "#")
	switch {
	case !strings.Contains(start, "?"):
		start += "?"
	case !strings.HasSuffix(start, "?") && !strings.HasSuffix(start, "&"):
		start += "&"
	}
	start += strings.Join(added, "&")
	if hasFragment {
		start += "#" + fragment
	}
	return start
}

func alter(state string) string {
	if state == "" {
		return "x"
	}
	last := byte('x')
	if state[len(state)-1] == last {
		last = 'y'
	}
	return state[:len(state)-1] + string(last)
}
