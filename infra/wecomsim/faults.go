// Faults: what goes wrong with API calls and with the redirect to the
// application.

package wecomsim

import (
	"io"
	"math/rand/v2"
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
	// AfterEffect lets the call take effect first (a code is spent, a token is
	// issued) and delays or loses only the answer.
	AfterEffect bool

	// Delay is real time before the call is looked at, or before its answer with
	// AfterEffect. It combines with all other faults.
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

// Body is a kind of body that a client cannot use.
type Body int

const (
	// BodyIntact leaves the answer alone.
	BodyIntact Body = iota
	// BodyBroken is JSON that ends in the middle.
	BodyBroken
	// BodyEmpty has no bytes.
	BodyEmpty
	// BodyOversized is 8 MiB of well-formed JSON that claims success.
	BodyOversized
	// BodyHTML is the page of a middlebox.
	BodyHTML
)

// Busy makes the next n calls answer -1. They spend nothing.
func Busy(n int) Fault { return Refuse(codeBusy, n) }

// Refuse makes the next n calls answer errcode, for example 45033, 45009,
// 48002, 50001 or 60020. They spend nothing.
func Refuse(errcode, n int) Fault { return Fault{Times: n, Code: errcode} }

// BadGateway makes the next n calls answer HTTP 502.
func BadGateway(n int) Fault { return Fault{Times: n, Status: http.StatusBadGateway} }

// Broken makes the next n calls answer HTTP 200 with an unusable body.
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

// Lost lets the call take effect and delays or loses only the answer.
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

// Inject adds a fault. Faults are tried in the order they were added, and a
// call meets at most one of them.
func (s *Simulator) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// ClearFaults ends all faults, those of the callback included.
func (s *Simulator) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.callbackFaults = nil, nil
}

func (s *Simulator) takeFault(path string) Fault {
	for i, f := range s.faults {
		if f.API != "" && f.API != path || f.Probability > 0 && rand.Float64() >= f.Probability { //nolint:gosec // Chance, not a secret.
			continue
		}
		taken := *f
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return taken
	}
	return Fault{}
}

// breakAnswer writes what the fault says in place of the answer.
func (f *Fault) breakAnswer(w http.ResponseWriter, r *http.Request) {
	const gatewayPage = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1><hr>nginx</body></html>"
	body, kind := "", "application/json; charset=UTF-8"
	switch {
	case f.Hang:
		<-r.Context().Done()
		return
	case f.CutOff:
		// HTTP/2 has no connection to take over, but resets the stream.
		panic(http.ErrAbortHandler)
	case f.Status != 0, f.Body == BodyHTML:
		body, kind = gatewayPage, "text/html"
	case f.Body == BodyBroken:
		body = `{"errcode":0,"errmsg":"ok","userid":"zhang`
	case f.Body == BodyOversized:
		body = `{"errcode":0,"errmsg":"ok","padding":"` + strings.Repeat("x", 8<<20) + `"}`
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(max(f.Status, http.StatusOK))
	_, _ = io.WriteString(w, body)
}

// CallbackFault distorts the redirect to the application.
type CallbackFault struct {
	// Times is how many redirects are distorted; 0 means until ClearFaults.
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
	s.callbackFaults = append(s.callbackFaults, &f)
}

// callbackURL returns redirectURI with code and state added. As on the real
// WeCom, the existing query stays byte for byte and the new parameters go
// before a fragment. An empty code means denial.
func (s *Simulator) callbackURL(redirectURI, code, state string) string {
	added := []string{"code=" + url.QueryEscape(code), "state=" + url.QueryEscape(state)}
	if len(s.callbackFaults) > 0 {
		f := s.callbackFaults[0]
		if f.AlterState {
			added[1] = "state=" + url.QueryEscape(alter(state))
		}
		if f.DropState {
			added = added[:1]
		}
		if f.DropCode {
			code = ""
		}
		if f.Times--; f.Times == 0 {
			s.callbackFaults = s.callbackFaults[1:]
		}
	}
	if code == "" {
		added = added[1:]
	}
	if len(added) == 0 {
		return redirectURI
	}
	start, fragment, hasFragment := strings.Cut(redirectURI, "#")
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

// alter changes the last letter of a state.
func alter(state string) string {
	kept, found := strings.CutSuffix(state, "x")
	if found {
		return kept + "y"
	}
	return state[:max(0, len(state)-1)] + "x"
}
