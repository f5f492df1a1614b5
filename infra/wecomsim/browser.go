// A person's browser without a screen: Follow opens a link to WeCom and returns
// where WeCom sends the browser.

package wecomsim

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	fields []string
}

// ConsentNone agrees with no field ticked. It is not a refusal: see
// Browser.Deny.
func ConsentNone() Consent { return ConsentTo() }

// ConsentTo agrees with these fields ticked.
func ConsentTo(fields ...Field) Consent {
	c := Consent{chosen: true}
	for _, f := range fields {
		c.fields = append(c.fields, string(f))
	}
	return c
}

// Browser is a person's browser that opens a link to WeCom.
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
	// BeforeAnswer, when set, is called while the consent page or the QR code is
	// on the screen. A test advances its clock here: a member who is slow.
	BeforeAnswer func()
}

// PageError says that WeCom sent nothing to the application but showed one of
// its pages.
type PageError struct {
	// Page is one of the Page constants.
	Page Page
	// Code is the number on the page of a failed browser login, else 0.
	Code int
}

func (e *PageError) Error() string {
	if e.Code != 0 {
		return fmt.Sprintf("WeCom stopped at its page %s (%d)", e.Page, e.Code)
	}
	return fmt.Sprintf("WeCom stopped at its page %s", e.Page)
}

// Follow does what a member does with a link to WeCom, in-client or browser
// login, and returns the URL of the application that WeCom redirects to. It
// does not open that URL; a test that opens it twice is a webview that does.
// The host of link is ignored. When WeCom shows a page instead, the error is a
// *PageError.
func (s *Simulator) Follow(ctx context.Context, link string, b Browser) (string, error) {
	target, err := url.Parse(link)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	if target.Path == pathAuthorize && target.Fragment != "wechat_redirect" {
		return "", &PageError{Page: PageNoFragment}
	}
	if b.UserAgent == "" {
		b.UserAgent = UserAgentWeComAndroid
		if target.Path == pathWebLogin || target.Path == pathWebLoginOld {
			b.UserAgent = UserAgentBrowser
		}
	}
	s.mu.Lock()
	who, ok := s.findPerson(b.UserID)
	cookie := s.signIn(who)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.clients, cookie.Value)
	}()
	if !ok {
		return "", fmt.Errorf("sign in as %q: no such person", b.UserID)
	}
	t := tab{sim: s, userAgent: b.UserAgent, cookie: cookie}
	body, location, err := t.open(ctx, http.MethodGet, target.RequestURI(), nil)
	if err != nil || location != "" {
		return location, err
	}
	form, action := url.Values{}, ""
	switch body.page() {
	case PageConsent:
		action = pathConsent
		form.Set("request", body.field("request"))
		form.Set("answer", "agree")
		if b.Deny {
			form.Set("answer", "refuse")
		}
		form["field"] = b.Consent.fields
		if !b.Consent.chosen {
			form["field"] = body.fields("field")
		}
	case PageWebLogin:
		action = pathWebConfirm
		form.Set("key", body.field("key"))
		form.Set("person", b.UserID)
		if b.Deny {
			form.Set("answer", "deny")
		}
	default:
		return "", body.err()
	}
	if b.BeforeAnswer != nil {
		b.BeforeAnswer()
	}
	body, location, err = t.open(ctx, http.MethodPost, action, form)
	if body.page() == PagePanelDone {
		location = body.attribute(`data-location="`)
	}
	if err == nil && location == "" {
		err = body.err()
	}
	return location, err
}

// tab is a browser tab in memory, with the session of a client.
type tab struct {
	sim       *Simulator
	userAgent string
	cookie    *http.Cookie
}

// open requests a page and follows redirects within WeCom. It returns the page,
// or the location outside.
func (t tab) open(ctx context.Context, method, target string, form url.Values) (body pageBody, location string, err error) {
	for range 5 {
		r, err := http.NewRequestWithContext(ctx, method, "http://wecom.invalid"+target, strings.NewReader(form.Encode()))
		if err != nil {
			return "", "", fmt.Errorf("make request: %w", err)
		}
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		r.Header.Set("User-Agent", t.userAgent)
		r.AddCookie(t.cookie)
		w := httptest.NewRecorder()
		t.sim.ServeHTTP(w, r)
		if err := ctx.Err(); err != nil {
			return "", "", err
		}
		location := w.Header().Get("Location")
		body := pageBody(w.Body.String())
		switch {
		case location == "" && body.page() == "":
			return "", "", fmt.Errorf("open WeCom's %s: HTTP %d", r.URL.Path, w.Code)
		case location == "":
			return body, "", nil
		case strings.HasPrefix(location, "/"):
			method, target, form = http.MethodGet, location, nil
		default:
			return "", location, nil
		}
	}
	return "", "", fmt.Errorf("open WeCom's page: too many redirects")
}

// pageBody is the HTML of one of the simulator's pages.
type pageBody string

// attribute is what follows before, up to the closing quote.
func (b pageBody) attribute(before string) string {
	_, rest, _ := strings.Cut(string(b), before)
	value, _, found := strings.Cut(rest, `"`)
	if !found {
		return ""
	}
	return html.UnescapeString(value)
}

func (b pageBody) page() Page { return Page(b.attribute(`data-page="`)) }

// field is the value of a form's field, and fields are those of all its fields
// with one name.
func (b pageBody) field(name string) string { return b.attribute(`name="` + name + `" value="`) }

func (b pageBody) fields(name string) []string {
	var values []string
	for part := range strings.SplitSeq(string(b), `name="`+name+`" value="`) {
		value, _, _ := strings.Cut(part, `"`)
		values = append(values, value)
	}
	return values[1:]
}

func (b pageBody) err() error {
	// A page without a number has none, which is 0 as well.
	code, _ := strconv.Atoi(b.attribute(`data-code="`))
	return &PageError{Page: b.page(), Code: code}
}
