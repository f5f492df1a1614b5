package wecomsim

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// User agents as real clients send them.
const (
	UserAgentWeComAndroid = "Mozilla/5.0 (Linux; Android 14; PJD110 Build/UKQ1; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/134.0.6998.136 Mobile Safari/537.36 XWEB/1340129 MMWEBSDK/20250201 wxwork/4.1.38 MicroMessenger/7.0.1 NetType/WIFI Language/zh Lang/zh ColorScheme/Light wwmver/3.26.38.639"
	UserAgentWeComIPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)  Mobile/15E148 wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
	UserAgentWeComWindows = "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/107.0.0.0 Safari/537.36 Language/zh ColorScheme/Light wxwork/5.0.10 (MicroMessenger/6.2) WindowsWechat  MailPlugin_Electron WeMail embeddisk wwmver/3.26.510.632"
	UserAgentWeComMac     = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) wxwork/4.1.36 (MicroMessenger/6.2) WeChat/2.0.4 wwmver/3.26.36.600 Safari/605.1.15"
	UserAgentWeChat       = "Mozilla/5.0 (Linux; Android 14; PJD110; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/134.0.6998.136 Mobile Safari/537.36 XWEB/1340129 MMWEBSDK/20250201 MicroMessenger/8.0.57 NetType/WIFI Language/zh_CN"
	UserAgentBrowser      = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)

// Consent is a member's answer on the consent page. The zero value agrees to
// every field that the administrator selected.
type Consent struct {
	chosen bool
	fields []Field
}

// ConsentAll agrees to every field on the page.
func ConsentAll() Consent { return Consent{} }

// ConsentNone agrees, with no field ticked. It is not a refusal: see Browser.Deny.
func ConsentNone() Consent { return Consent{chosen: true} }

// ConsentTo agrees with these fields ticked.
func ConsentTo(fields ...Field) Consent { return Consent{chosen: true, fields: fields} }

// Browser is somebody who opens a WeCom link.
type Browser struct {
	// UserID is "userid" (of the first corp that has it), "CorpId/userid" or an
	// openid.
	UserID string
	// UserAgent is the browser's; empty means WeCom on Android for in-client
	// links and a desktop browser for browser login.
	UserAgent string
	// Consent is the answer if the consent page appears.
	Consent Consent
	// Deny refuses on the consent page or on the phone that scanned.
	Deny bool
	// BeforeAnswer, when set, is called while the consent page or the QR code
	// is on the screen. A test moves its clock here: a member who is slow.
	BeforeAnswer func()
}

// PageError is the end of a visit on a page of WeCom.
type PageError struct {
	// Page is one of the Page constants.
	Page Page
	// Code is the number on the page of a failed browser login, else 0.
	Code int
}

func (e *PageError) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("visit ended on WeCom's page %s (%d)", e.Page, e.Code)
	}
	return fmt.Sprintf("visit ended on WeCom's page %s", e.Page)
}

var (
	pageMark   = regexp.MustCompile(`data-page="([a-z-]+)"`)
	codeMark   = regexp.MustCompile(`data-code="(-?[0-9]+)"`)
	askingMark = regexp.MustCompile(`name="asking" value="([^"]+)"`)
	keyMark    = regexp.MustCompile(`name="key" value="([^"]+)"`)
	fieldMark  = regexp.MustCompile(`name="field" value="([a-z_]+)"`)
)

// Follow does what a member would do with a link of ours to WeCom, in-client or
// browser login, and returns the URL of the application that WeCom redirects
// to. It does not open that URL. The host of link plays no part. When WeCom
// ends on a page of its own, the error is a *PageError.
func (s *Simulator) Follow(ctx context.Context, link string, v Browser) (string, error) {
	target, err := url.Parse(link)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	web := target.Path == pathWebLogin || target.Path == pathWebLoginOld
	if v.UserAgent == "" {
		v.UserAgent = UserAgentWeComAndroid
		if web {
			v.UserAgent = UserAgentBrowser
		}
	}
	s.mu.Lock()
	fragment := s.choices.FragmentIsOptional || target.Fragment == "wechat_redirect"
	s.mu.Unlock()
	if target.Path == pathAuthorize && !fragment {
		return "", &PageError{Page: PageNoFragment}
	}
	cookie, err := s.As(v.UserID)
	if err != nil {
		return "", err
	}
	defer s.signOut(cookie)
	visit := &visit{sim: s, visitor: v, cookie: cookie}
	page, location, err := visit.open(ctx, http.MethodGet, target.RequestURI(), nil)
	if err != nil || location != "" {
		return location, err
	}
	form := url.Values{}
	var path string
	switch page.name {
	case PageConsent:
		path = pathConsent
		form.Set("asking", page.value(askingMark))
		form.Set("answer", "agree")
		if v.Deny {
			form.Set("answer", "refuse")
		}
		form["field"] = page.ticks(v.Consent)
	case PageWebLogin:
		path = pathWebConfirm
		form.Set("key", page.value(keyMark))
		form.Set("person", v.UserID)
		if v.Deny {
			form.Set("answer", "deny")
		}
	default:
		return "", page.err()
	}
	if v.BeforeAnswer != nil {
		v.BeforeAnswer()
	}
	page, location, err = visit.open(ctx, http.MethodPost, path, form)
	if err == nil && location == "" {
		err = page.err()
	}
	return location, err
}

// FollowTwice is Follow for a webview that requests the callback twice: the
// same URL comes back two times. The test decides whether it sends the requests
// one after the other, at once, or the second after giving up the first.
func (s *Simulator) FollowTwice(ctx context.Context, link string, v Browser) ([2]string, error) {
	callback, err := s.Follow(ctx, link, v)
	return [2]string{callback, callback}, err
}

type visit struct {
	sim     *Simulator
	visitor Browser
	cookie  *http.Cookie
}

type shown struct {
	name Page
	code int
	body string
}

func (p *shown) err() error { return &PageError{Page: p.name, Code: p.code} }

func (p *shown) value(mark *regexp.Regexp) string {
	if m := mark.FindStringSubmatch(p.body); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

func (p *shown) ticks(c Consent) []string {
	var ticks []string
	if c.chosen {
		for _, f := range c.fields {
			ticks = append(ticks, string(f))
		}
		return ticks
	}
	for _, m := range fieldMark.FindAllStringSubmatch(p.body, -1) {
		ticks = append(ticks, m[1])
	}
	return ticks
}

// open requests a page of the simulator and follows its redirects to itself. It
// returns the page, or the location outside.
func (v *visit) open(ctx context.Context, method, target string, form url.Values) (*shown, string, error) {
	for range 5 {
		r, err := http.NewRequestWithContext(ctx, method, "http://wecom.invalid"+target, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, "", fmt.Errorf("make request: %w", err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("User-Agent", v.visitor.UserAgent)
		r.RemoteAddr = "127.0.0.1:1"
		r.AddCookie(v.cookie)
		w := &memoryWriter{header: http.Header{}, status: http.StatusOK}
		v.sim.ServeHTTP(w, r)
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		location := w.header.Get("Location")
		switch {
		case location == "":
			page := &shown{body: w.body.String()}
			page.name = Page(page.value(pageMark))
			if page.name == "" {
				return nil, "", fmt.Errorf("open WeCom's %s: HTTP %d", r.URL.Path, w.status)
			}
			// No number is 0, which says the same.
			page.code, _ = strconv.Atoi(page.value(codeMark))
			return page, "", nil
		case strings.HasPrefix(location, "/"):
			method, target, form = http.MethodGet, location, nil
		default:
			return nil, location, nil
		}
	}
	return nil, "", fmt.Errorf("open WeCom's page: too many redirects")
}

// memoryWriter is a http.ResponseWriter for a visit without a network.
type memoryWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *memoryWriter) Header() http.Header         { return w.header }
func (w *memoryWriter) WriteHeader(status int)      { w.status = status }
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }
