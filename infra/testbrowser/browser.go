package testbrowser

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// Config describes a browser. Only URL is required.
type Config struct {
	// URL is the origin of the service, to which paths are relative.
	URL string
	// Transport sends the requests; nil means http.DefaultTransport. Handler makes one
	// of a handler.
	Transport http.RoundTripper
	// Now tells the time by which cookies expire; nil means time.Now.
	Now func() time.Time

	// UserAgent is sent with every request, see the constants of wecomsim.
	UserAgent string
	// Language is the value of Accept-Language; empty sends none.
	Language string
	// Origin is that of the page whose script calls /api/; empty means the service's.
	Origin string

	// WeCom shows its pages at addresses below WeComURL.
	WeCom    *wecomsim.Simulator
	WeComURL string
	// Member answers WeCom's pages. Its UserAgent is ignored: it is the browser's.
	Member wecomsim.Browser

	// BlockCookies keeps none, KeepExpired keeps them too long.
	BlockCookies, KeepExpired bool
	// OnAnswer, when set, sees every answer after its cookies were kept.
	OnAnswer func(Answer)
}

// Browser is one profile of a browser. Only one goroutine may use it at a time, but
// for Do.
type Browser struct {
	Config
	cookies map[string]*http.Cookie // by name
}

// New returns a browser without cookies.
func New(cfg Config) *Browser {
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Browser{Config: cfg, cookies: map[string]*http.Cookie{}}
}

// Handler is a transport that calls a handler without a network.
func Handler(h http.Handler) http.RoundTripper { return direct{h} }

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Host, r.RequestURI, r.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:1"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// maxRedirects is where browsers give up.
const maxRedirects = 20

// Request makes a request as the browser would send it now: what is below /api/ is
// fetched by a script, everything else is a navigation that the person began.
func (b *Browser) Request(t testing.TB, method, address string, options ...Option) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, b.absolute(address), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", b.UserAgent)
	if b.Language != "" {
		r.Header.Set("Accept-Language", b.Language)
	}
	reads, origin := method == http.MethodGet || method == http.MethodHead, b.URL
	dest, mode, site := "document", "navigate", "none"
	if strings.HasPrefix(r.URL.Path, "/api/") {
		origin, dest, mode = cmp.Or(b.Origin, b.URL), "empty", "cors"
	}
	switch {
	case origin != b.URL:
		site = "cross-site"
	case dest == "empty" || !reads:
		site = "same-origin"
	}
	if !reads || origin != b.URL {
		r.Header.Set("Origin", origin)
	}
	r.Header.Set("Sec-Fetch-Dest", dest)
	r.Header.Set("Sec-Fetch-Mode", mode)
	r.Header.Set("Sec-Fetch-Site", site)
	b.addCookies(r)
	for _, option := range options {
		option(r)
	}
	return r
}

// Do sends a request as it is. It follows no redirect and keeps no cookie, so it may
// be called concurrently.
func (b *Browser) Do(r *http.Request) (Answer, error) {
	response, err := b.Transport.RoundTrip(r)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", r.Method, r.URL.Path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: read answer: %w", r.Method, r.URL.Path, err)
	}
	return Answer{r.URL.String(), response.StatusCode, response.Header, string(body)}, nil
}

// Send sends a request, follows no redirect and keeps the cookies of the answer. An
// answer that does not come fails the test and has status 0.
func (b *Browser) Send(t testing.TB, method, address string, options ...Option) Answer {
	t.Helper()
	a, err := b.Do(b.Request(t, method, address, options...))
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	b.Keep(a)
	return a
}

// Expect is Send for an answer that must have a status: any other ends the test.
func (b *Browser) Expect(t testing.TB, status int, method, address string, options ...Option) Answer {
	t.Helper()
	a := b.Send(t, method, address, options...)
	if a.Status != status {
		t.Fatalf("%s %s: %d %.500s, want %d", method, address, a.Status, a.Body, status)
	}
	return a
}

// Navigation is what came of opening an address.
type Navigation struct {
	// Address is where it ended: that of a page, or the first one that is neither the
	// service's nor WeCom's, which is not opened.
	Address string
	// Page is the service's answer at Address. It is empty when the end is elsewhere.
	Page Answer
	// Redirects are the service's answers before, in order.
	Redirects []Answer
	// WeCom counts the redirects there.
	WeCom int
	// WeComPage is the page of WeCom's own where the navigation ended, or empty.
	WeComPage wecomsim.Page
}

// Open goes to an address and wherever it redirects, through WeCom as well, where the
// member answers.
func (b *Browser) Open(t testing.TB, address string, options ...Option) Navigation {
	t.Helper()
	end := Navigation{Address: b.absolute(address)}
	for range maxRedirects {
		a := b.Send(t, http.MethodGet, end.Address, options...)
		next := a.Redirect()
		if next == "" {
			end.Page = a
			return end
		}
		end.Redirects = append(end.Redirects, a)
		if b.atWeCom(next) {
			end.WeCom++
			var err error
			next, err = b.Follow(t, next)
			if page, ok := errors.AsType[*wecomsim.PageError](err); ok {
				end.WeComPage = page.Page
				return end
			}
			if err != nil {
				t.Errorf("at WeCom: %v", err)
				return end
			}
			options = append(options, Header("Sec-Fetch-Site", "cross-site"))
		}
		end.Address = next
		if !b.atService(next) {
			return end
		}
	}
	t.Errorf("too many redirects, now at %s", end.Address)
	return end
}

// Callback opens an address that must lead to WeCom, and returns where WeCom sends
// the browser, which is not opened yet.
func (b *Browser) Callback(t testing.TB, address string, options ...Option) string {
	t.Helper()
	a := b.Send(t, http.MethodGet, address, options...)
	if !b.atWeCom(a.Redirect()) {
		t.Fatalf("%s does not lead to WeCom: %d %q %.500s", address, a.Status, a.Redirect(), a.Body)
	}
	callback, err := b.Follow(t, a.Redirect())
	if err != nil {
		t.Fatalf("at WeCom: %v", err)
	}
	return callback
}

// Follow lets the member answer at a link of WeCom and returns where WeCom sends the
// browser. The error is a *wecomsim.PageError when WeCom ends on a page of its own.
func (b *Browser) Follow(t testing.TB, link string) (string, error) {
	member := b.Member
	member.UserAgent = b.UserAgent
	callback, err := b.WeCom.Follow(t.Context(), link, member)
	if _, fragment, found := strings.Cut(link, "#"); found && err == nil && !strings.Contains(callback, "#") {
		callback += "#" + fragment // as browsers keep it over a redirect
	}
	return callback, err
}

func (b *Browser) absolute(address string) string {
	if strings.HasPrefix(address, "/") {
		return b.URL + address
	}
	return address
}

func (b *Browser) atService(address string) bool {
	return address == b.URL || strings.HasPrefix(address, b.URL+"/")
}

func (b *Browser) atWeCom(address string) bool {
	return b.WeCom != nil && strings.HasPrefix(address, b.WeComURL+"/")
}

// Clone returns another browser with the same cookies: the same one at an earlier or
// later moment, or a thief's.
func (b *Browser) Clone() *Browser {
	return &Browser{Config: b.Config, cookies: maps.Clone(b.cookies)}
}
