package wecomsim

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Simulator is one WeCom. It is safe for concurrent use. Create it with New.
type Simulator struct {
	now        func() time.Time
	rand       io.Reader
	serviceURL string
	console    bool
	pages      http.Handler
	apis       map[string]api
	templates  map[string]*template.Template
	recorder   recorder

	mu       sync.Mutex
	choices  Choices
	limits   Limits
	corps    []*corp
	callerIP string
	clients  map[string]person
	standing map[consentKey]standingConsent
	asking   map[string]*asking
	scanning map[string]*scanning
	codes    map[string]*code
	tokens   map[string]*token
	tickets  map[string]*ticket
	windows  map[string]*window
	parallel map[string]int
	faults   []*Fault
	bends    []*CallbackFault
	tidied   time.Time
}

var _ http.Handler = (*Simulator)(nil)

// New returns a WeCom with the companies of c. It does not check c; a caller
// whose configuration comes from outside calls c.Validate first.
func New(c Config) *Simulator {
	s := &Simulator{
		now:        c.Now,
		rand:       c.Rand,
		serviceURL: c.ServiceURL,
		console:    c.Console,
		choices:    c.Choices,
		limits:     c.Limits.withDefaults(),
		clients:    map[string]person{},
		standing:   map[consentKey]standingConsent{},
		asking:     map[string]*asking{},
		scanning:   map[string]*scanning{},
		codes:      map[string]*code{},
		tokens:     map[string]*token{},
		tickets:    map[string]*ticket{},
		windows:    map[string]*window{},
		parallel:   map[string]int{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	for _, corp := range c.Corps {
		s.corps = append(s.corps, newCorp(corp))
	}
	s.apis = s.apiTable()
	s.templates = parsePages()
	s.pages = s.pageRoutes()
	return s
}

// ServeHTTP answers for all of WeCom's hosts: the API under /cgi-bin/, the
// pages everywhere else. The Host header plays no part.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isAPI(r.URL.Path) {
		s.serveAPI(w, r)
		return
	}
	s.recorder.page(s.now(), r)
	s.pages.ServeHTTP(w, r)
}

// Change applies f to the choices, at any time.
func (s *Simulator) Change(f func(*Choices)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.choices)
}

// ChangeApp applies f to an app, at any time and with effect at once. A changed
// secret ends the app's tokens as ResetSecret does.
func (s *Simulator) ChangeApp(corpID, agentID string, f func(*App)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return err
	}
	secret := a.Secret
	f(&a.App)
	if a.Secret != secret && !s.choices.SecretResetKeepsTokens {
		s.endTokens(a, codeInvalidToken)
	}
	return nil
}

// ResetSecret gives an app a new secret: the old one answers 40001 and its
// tokens 40014 (unless Choices.SecretResetKeepsTokens).
func (s *Simulator) ResetSecret(corpID, agentID, secret string) error {
	return s.ChangeApp(corpID, agentID, func(a *App) { a.Secret = secret })
}

// ChangeMember applies f to a member, at any time and with effect at once.
func (s *Simulator) ChangeMember(corpID, userID string, f func(*Member)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	if c == nil {
		return fmt.Errorf("find corp %q: no such corp", corpID)
	}
	m := c.member(userID)
	if m == nil {
		return fmt.Errorf("find member %q: no such member", userID)
	}
	f(m)
	return nil
}

// AddMember adds a member to a corp.
func (s *Simulator) AddMember(corpID string, m Member) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	if c == nil {
		return fmt.Errorf("find corp %q: no such corp", corpID)
	}
	if c.member(m.UserID) != nil {
		return fmt.Errorf("add member %q: there is one", m.UserID)
	}
	c.members = append(c.members, &m)
	return nil
}

// RemoveMember deletes a member. Codes and tickets already given stay, as they
// would while the person leaves.
func (s *Simulator) RemoveMember(corpID, userID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	if c == nil {
		return fmt.Errorf("find corp %q: no such corp", corpID)
	}
	m := c.member(userID)
	if m == nil {
		return fmt.Errorf("find member %q: no such member", userID)
	}
	c.members = slices.DeleteFunc(c.members, func(x *Member) bool { return x == m })
	return nil
}

// RevokeTokens ends all tokens of an app before their time. Calls with them
// answer errcode, which is 42001 or 40014.
func (s *Simulator) RevokeTokens(corpID, agentID string, errcode int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return err
	}
	s.endTokens(a, errcode)
	return nil
}

// ForgetConsent makes WeCom ask every member again.
func (s *Simulator) ForgetConsent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.standing)
}

func (s *Simulator) corp(id string) *corp {
	for _, c := range s.corps {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (s *Simulator) findApp(corpID, agentID string) (*app, error) {
	if c := s.corp(corpID); c != nil {
		if a := c.app(agentID); a != nil {
			return a, nil
		}
	}
	return nil, fmt.Errorf("find app %q of corp %q: no such app", agentID, corpID)
}

// random returns a fresh unguessable word with the letters that WeCom's own
// codes have, "-" and "_" among them.
func (s *Simulator) random() string {
	size := 32
	if s.choices.LongestValues {
		size = longest / 4 * 3
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		// A test's reader may run dry; unguessable words must not.
		_, _ = rand.Read(b)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// forget drops what is dead, so that a simulator that runs for weeks stays
// small. It looks once a minute: under load it must not cost more than the calls.
// Lifetimes are checked where things are used; nothing depends on forgetting.
func (s *Simulator) forget() {
	now := s.now()
	if now.Sub(s.tidied) < time.Minute {
		return
	}
	s.tidied = now
	maps.DeleteFunc(s.codes, func(_ string, c *code) bool { return now.Sub(c.issued) >= CodeLifetime })
	maps.DeleteFunc(s.tickets, func(_ string, t *ticket) bool { return now.Sub(t.issued) >= TicketLifetime })
	maps.DeleteFunc(s.tokens, func(_ string, t *token) bool { return now.Sub(t.issued) > 12*TokenLifetime })
	maps.DeleteFunc(s.asking, func(_ string, a *asking) bool { return now.Sub(a.since) > 24*time.Hour })
	maps.DeleteFunc(s.scanning, func(_ string, a *scanning) bool { return now.Sub(a.since) > 24*time.Hour })
}
