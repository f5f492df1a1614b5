// The simulator: its state, and how requests reach the API or a page.

package wecomsim

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

// Simulator is one WeCom. It is safe for concurrent use. Create it with New.
type Simulator struct {
	now        func() time.Time
	serviceURL string
	console    bool
	pages      http.Handler
	endpoints  map[string]endpoint
	templates  page.Templates
	recorder   recorder

	mu              sync.Mutex
	choices         Choices
	limits          Limits
	corps           []*Corp
	callerIP        string
	clients         map[string]person
	consents        map[consentKey]consent
	consentRequests map[string]*consentRequest
	logins          map[string]*login
	codes           map[string]*authCode
	tokens          map[string]*token
	tickets         map[string]*ticket
	windows         map[string]*window
	parallel        map[string]int
	faults          []*Fault
	callbackFaults  []*CallbackFault
	purged          time.Time
	client          http.Client
	checks          int
	eventFaults     EventFaults
	pushes          []*Push
	messages        []Message
	responses       map[string]response
	onTheirWay      int
	settled         *sync.Cond
}

// New returns a WeCom with the companies of c.
func New(c Config) *Simulator {
	s := &Simulator{
		now:        c.Now,
		serviceURL: c.ServiceURL,
		console:    c.Console != nil,
		choices:    c.Choices,
		limits: Limits{
			CorpPerMinute: cmp.Or(c.Limits.CorpPerMinute, 10_000),
			Parallel:      cmp.Or(c.Limits.Parallel, 400),
			WrongSecrets:  cmp.Or(c.Limits.WrongSecrets, 10),
			LookupMisses:  c.Limits.LookupMisses,
			LookupPeriod:  cmp.Or(c.Limits.LookupPeriod, 24*time.Hour),
		},
		clients:         map[string]person{},
		consents:        map[consentKey]consent{},
		consentRequests: map[string]*consentRequest{},
		logins:          map[string]*login{},
		codes:           map[string]*authCode{},
		tokens:          map[string]*token{},
		tickets:         map[string]*ticket{},
		windows:         map[string]*window{},
		responses:       map[string]response{},
		parallel:        map[string]int{},
		templates:       page.Parse(pageFiles),
	}
	s.settled = sync.NewCond(&s.mu)
	if c.Client != nil {
		s.client = *c.Client
	} else {
		s.client.Transport = &http.Transport{DisableKeepAlives: true}
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if s.now == nil {
		s.now = time.Now
	}
	for _, corp := range c.Corps {
		s.corps = append(s.corps, corp.clone())
	}
	s.endpoints = s.newEndpoints()
	s.pages = s.newPages(c.Console)
	return s
}

// ServeHTTP answers for all of WeCom's hosts, whatever the Host header says:
// the API below /cgi-bin/, the pages everywhere else.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
		s.serveAPI(w, r)
		return
	}
	s.pages.ServeHTTP(w, r)
}

// Start serves the simulator on a loopback port until the test ends and returns
// its URL without a trailing slash, which stands for all of WeCom's hosts. t is
// a testing.TB.
func (s *Simulator) Start(t interface{ Cleanup(func()) }) string {
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		// Close waits for hanging calls: cut them off first.
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// Now returns the time on the simulator's clock.
func (s *Simulator) Now() time.Time { return s.now() }

// Choices returns the choices in force.
func (s *Simulator) Choices() Choices {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.choices
}

// Change applies f to the choices, at any time.
func (s *Simulator) Change(f func(*Choices)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.choices)
}

// newValue returns an unguessable value in the alphabet of WeCom's own codes,
// "-" and "_" included.
func (s *Simulator) newValue() string {
	size := 32
	if s.choices.LongestValues {
		size = longest / 4 * 3
	}
	b := make([]byte, size)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// purge drops what has expired, so that a simulator that runs for weeks stays
// small. It looks once a minute, so that it costs less than the calls do.
// Lifetimes are checked at use; nothing depends on purging.
func (s *Simulator) purge() {
	now := s.now()
	if now.Sub(s.purged) < time.Minute {
		return
	}
	s.purged = now
	maps.DeleteFunc(s.codes, func(_ string, c *authCode) bool { return now.Sub(c.issued) >= CodeLifetime })
	maps.DeleteFunc(s.tickets, func(_ string, t *ticket) bool { return now.Sub(t.issued) >= 12*TicketLifetime })
	maps.DeleteFunc(s.tokens, func(_ string, t *token) bool { return now.Sub(t.issued) > 12*TokenLifetime })
	maps.DeleteFunc(s.consentRequests, func(_ string, q *consentRequest) bool { return now.Sub(q.since) > 24*time.Hour })
	maps.DeleteFunc(s.logins, func(_ string, l *login) bool { return now.Sub(l.since) > 24*time.Hour })
	maps.DeleteFunc(s.responses, func(_ string, r response) bool { return now.Sub(r.since) >= responseLifetime })
	maps.DeleteFunc(s.windows, func(_ string, w *window) bool {
		return now.Sub(w.start) > max(24*time.Hour, s.limits.LookupPeriod) && !now.Before(w.blockedUntil)
	})
}
