package session

import (
	"errors"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/secret"
)

func proxySignInsOf(t *testing.T, now *time.Time) *ProxySignIns {
	t.Helper()
	keys, err := aead.ParseKeys(secret.NewValue(`{"current":"a sealing key and more than 32 characters of it"}`))
	if err != nil {
		t.Fatal(err)
	}
	box, err := keys.Box(aead.AuthorizationRequest)
	if err != nil {
		t.Fatal(err)
	}
	return &ProxySignIns{Box: box, Now: func() time.Time { return *now }}
}

func beginProxySignIn(t *testing.T, p *ProxySignIns, b browser, s ProxySignIn) (id string) {
	t.Helper()
	id = authflow.NewRequestID()
	w := httptest.NewRecorder()
	if err := p.Save(w, b.request(), id, s); err != nil {
		t.Fatal(err)
	}
	b.keep(w)
	return id
}

func TestProxySignInIsKept(t *testing.T) {
	now := noon
	p, b := proxySignInsOf(t, &now), browser{}
	want := ProxySignIn{"wiki", "verifier", "/deep?link=1&x=\n"}
	id := beginProxySignIn(t, p, b, want)
	other := beginProxySignIn(t, p, b, ProxySignIn{"wiki", "other", "/"})
	if got, err := p.Find(b.request(), id, "wiki"); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for name, find := range map[string]func() (ProxySignIn, error){
		"another application's": func() (ProxySignIn, error) { return p.Find(b.request(), id, "other") },
		"another browser's":     func() (ProxySignIn, error) { return p.Find(browser{}.request(), id, "wiki") },
		"another state":         func() (ProxySignIn, error) { return p.Find(b.request(), authflow.NewRequestID(), "wiki") },
		"too old": func() (ProxySignIn, error) {
			now = noon.Add(RequestLifetime)
			defer func() { now = noon }()
			return p.Find(b.request(), id, "wiki")
		},
	} {
		if got, err := find(); !errors.Is(err, ErrRequestLost) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	w := httptest.NewRecorder()
	p.Clear(w, id)
	b.keep(w)
	if _, err := p.Find(b.request(), other, "wiki"); err != nil || len(b) != 1 {
		t.Errorf("another tab's: %v, %d cookies", err, len(b))
	}
}

// TestProxySignInsAreBounded: API Gateway takes 10,240 bytes for all headers.
func TestProxySignInsAreBounded(t *testing.T) {
	now := noon
	p, b := proxySignInsOf(t, &now), browser{}
	for i := range 30 {
		now = noon.Add(time.Duration(i) * time.Second)
		id := beginProxySignIn(t, p, b, ProxySignIn{"wiki", strings.Repeat("v", 52), "/" + strings.Repeat(strconv.Itoa(i%10), 1+i*70)})
		if _, err := p.Find(b.request(), id, "wiki"); err != nil {
			t.Fatalf("the newest: %v", err)
		}
		if size := cookieBytes(b); size > maxRequests {
			t.Fatalf("%d bytes of cookies", size)
		}
	}
}

// TestSignInByTheServicesHostIsKept: with a shared session both wait on one host, also the
// longest of both.
func TestSignInByTheServicesHostIsKept(t *testing.T) {
	now := noon
	p, q, b := proxySignInsOf(t, &now), requestsOf(t, "a sealing key", &now), browser{}
	id := beginProxySignIn(t, p, b, ProxySignIn{strings.Repeat("a", 64), strings.Repeat("v", 52), "/" + strings.Repeat("p", 2047)})
	request := keep(t, q, b, strings.Repeat("q", 650)) // oauth.Provider.ProxyAuthorizationURL's
	if _, err := p.Find(b.request(), id, strings.Repeat("a", 64)); err != nil {
		t.Error(err)
	}
	if _, err := q.Find(b.request(), request); err != nil {
		t.Error(err)
	}
	if _, err := q.Find(b.request(), id); !errors.Is(err, ErrRequestLost) {
		t.Errorf("a sign-in is taken for a request: %v", err)
	}
}

func TestProxyCookie(t *testing.T) {
	cookie, b := ProxyCookie{"wiki"}, browser{}
	w := httptest.NewRecorder()
	cookie.Set(w, "value", time.Hour)
	if got, want := w.Header().Get("Set-Cookie"), "__Host-wecom_auth_wiki=value; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	b.keep(w)
	if got := cookie.Values(b.request()); len(got) != 1 || got[0] != "value" {
		t.Errorf("%v", got)
	}
	if got := (ProxyCookie{"wik"}).Values(b.request()); len(got) != 0 {
		t.Errorf("another application's: %v", got)
	}
	r := b.request()
	r.Header.Set("Cookie", strings.Repeat("__Host-wecom_auth_wiki=x; ", 100))
	if got := cookie.Values(r); len(got) != maxSessions {
		t.Errorf("%d values", len(got))
	}
	w = httptest.NewRecorder()
	cookie.Clear(w)
	b.keep(w)
	if len(b) != 0 {
		t.Errorf("still has %v", b)
	}
}
