package session

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// requestsOf returns the kept requests of a deployment with a sealing key.
func requestsOf(t *testing.T, key string, now *time.Time) *Requests {
	t.Helper()
	keys, err := aead.ParseKeys(secret.NewValue(`{"current":"` + key + ` and more than 32 characters of it"}`))
	if err != nil {
		t.Fatal(err)
	}
	box, err := keys.Box(aead.AuthorizationRequest)
	if err != nil {
		t.Fatal(err)
	}
	return &Requests{Box: box, Now: func() time.Time { return *now }}
}

// keep saves a request as a browser that is sent to sign in.
func keep(t *testing.T, q *Requests, b browser, query string) (id string) {
	t.Helper()
	id = authflow.NewRequestID()
	w := httptest.NewRecorder()
	if err := q.Save(w, b.request(), id, Request{Query: query, StartedAt: q.Now()}); err != nil {
		t.Fatal(err)
	}
	b.keep(w)
	return id
}

func cookieBytes(b browser) int { return len(b.request().Header.Get("Cookie")) }

func TestRequestIsKeptAsItCame(t *testing.T) {
	now := noon
	q, b := requestsOf(t, "k", &now), browser{}
	const query = "response_type=code&client_id=wiki&state=%7B%22a%22%3A1%7D&scope=openid+profile&nonce=N-0S6"
	id := keep(t, q, b, query)
	now = noon.Add(5 * time.Minute)
	got, err := q.Find(b.request(), id)
	if err != nil || got.Query != query || !got.StartedAt.Equal(noon) {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, value := range b {
		if !strings.HasPrefix(name, "__Host-") || strings.Contains(name+value, id) || strings.Contains(value, "wiki") {
			t.Errorf("the cookie shows what it keeps: %s=%s", name, value)
		}
	}
	w := httptest.NewRecorder()
	q.Clear(w, id)
	b.keep(w)
	if len(b) != 0 {
		t.Errorf("still has %v", b)
	}
}

func TestRequestCookieAttributes(t *testing.T) {
	now := noon
	w := httptest.NewRecorder()
	if err := requestsOf(t, "k", &now).Save(w, browser{}.request(), authflow.NewRequestID(), Request{StartedAt: now}); err != nil {
		t.Fatal(err)
	}
	for _, attribute := range []string{"__Host-wecom_request_", "; Path=/", "; Max-Age=900", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(w.Header().Get("Set-Cookie"), attribute) {
			t.Errorf("lacks %q: %s", attribute, w.Header().Get("Set-Cookie"))
		}
	}
}

func TestRequestThatIsLost(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, b browser, id *string, now *time.Time)
	}{
		{"another browser", func(_ *testing.T, b browser, _ *string, _ *time.Time) { clear(b) }},
		{"another id", func(_ *testing.T, _ browser, id *string, _ *time.Time) { *id = authflow.NewRequestID() }},
		{"no id", func(_ *testing.T, _ browser, id *string, _ *time.Time) { *id = "" }},
		{"15 minutes later", func(_ *testing.T, _ browser, _ *string, now *time.Time) { *now = now.Add(15 * time.Minute) }},
		{"made tomorrow", func(_ *testing.T, _ browser, _ *string, now *time.Time) { *now = now.Add(-24 * time.Hour) }},
		{"forged", func(_ *testing.T, b browser, id *string, _ *time.Time) {
			b[cookieName(requestPrefix, *id)] = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo"
		}},
		{"not base64", func(_ *testing.T, b browser, id *string, _ *time.Time) { b[cookieName(requestPrefix, *id)] = "!" }},
		{"one bit changed", func(_ *testing.T, b browser, id *string, _ *time.Time) {
			value := []byte(b[cookieName(requestPrefix, *id)])
			value[20] ^= 1
			b[cookieName(requestPrefix, *id)] = string(value)
		}},
		{"moved to another name", func(_ *testing.T, b browser, id *string, _ *time.Time) {
			other := authflow.NewRequestID()
			b[cookieName(requestPrefix, other)] = b[cookieName(requestPrefix, *id)]
			*id = other
		}},
		{"sealed by another deployment", func(t *testing.T, b browser, id *string, now *time.Time) {
			w := httptest.NewRecorder()
			if err := requestsOf(t, "another", now).Save(w, b.request(), *id, Request{StartedAt: *now}); err != nil {
				t.Fatal(err)
			}
			b.keep(w)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := noon
			q, b := requestsOf(t, "k", &now), browser{}
			id := keep(t, q, b, "client_id=wiki")
			test.change(t, b, &id, &now)
			if got, err := q.Find(b.request(), id); !errors.Is(err, ErrRequestLost) || got != (Request{}) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}

// Eight tabs with the request of usual software: none disturbs another as long as all fit,
// and then the oldest go.
func TestEightTabs(t *testing.T) {
	for _, test := range []struct {
		name        string
		length      int // of each query
		kept, found int
	}{
		{"short ones", 250, 8, 8},
		{"usual ones", 500, 8, 5},
		{"the longest", MaxRequestQuery, 8, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := noon
			q, b := requestsOf(t, "k", &now), browser{}
			var ids []string
			for i := range test.kept {
				now = now.Add(time.Second)
				ids = append(ids, keep(t, q, b, fmt.Sprintf("%0*d", test.length, i)))
				if size := cookieBytes(b); size > maxRequests {
					t.Fatalf("after tab %d the cookies take %d bytes", i, size)
				}
			}
			for i, id := range ids {
				got, err := q.Find(b.request(), id)
				if newest := i >= test.kept-test.found; newest && (err != nil || got.Query != fmt.Sprintf("%0*d", test.length, i)) || !newest && err == nil {
					t.Errorf("tab %d: %.20s, %v", i, got.Query, err)
				}
			}
		})
	}
}

func TestRequestThatIsTooLongIsNotKept(t *testing.T) {
	now := noon
	w := httptest.NewRecorder()
	err := requestsOf(t, "k", &now).Save(w, browser{}.request(), authflow.NewRequestID(), Request{Query: strings.Repeat("q", MaxRequestQuery+1), StartedAt: now})
	if !errors.Is(err, ErrRequestTooLong) || len(w.Result().Cookies()) != 0 {
		t.Fatalf("%v, %v", err, w.Header())
	}
}

// Attempts, requests and sign-ins to software behind a proxy, which a page of somebody else
// can have a browser begin by turns, together leave room for its other headers.
func TestAttemptsAndRequestsFitTheGatewaysHeaders(t *testing.T) {
	now := noon
	q, a, p, b := requestsOf(t, "a sealing key", &now), attempts(t, &now), proxySignInsOf(t, &now), browser{}
	for i := range 12 {
		id := keep(t, q, b, strings.Repeat("q", 200+i*150))
		save(t, a, b, authflow.LoginAttempt{
			State: fmt.Sprintf("%026d", i), AuthenticatorID: strings.Repeat("i", 26), AuthenticatorGeneration: strings.Repeat("g", 26),
			Destination: authflow.Destination{Application: strings.Repeat("a", 64), Continue: id}, Scope: "snsapi_privateinfo", IssuedAt: now,
		})
		signIn := beginProxySignIn(t, p, b, ProxySignIn{"wiki", strings.Repeat("v", 52), "/" + strings.Repeat("p", 200+i*150)})
		if _, err := p.Find(b.request(), signIn, "wiki"); err != nil {
			t.Errorf("the newest: %v", err)
		}
		now = now.Add(time.Second)
		if size := cookieBytes(b); size > 8<<10 {
			t.Fatalf("after %d of each cookies take %d of the 10,240 bytes for all headers", i+1, size)
		}
	}
}

func TestHundredsOfMadeUpRequestsMakeNoLargeAnswer(t *testing.T) {
	now := noon
	q, b := requestsOf(t, "k", &now), browser{}
	for i := range 300 {
		b[requestPrefix+strconv.Itoa(i)] = "made up"
	}
	w := httptest.NewRecorder()
	if err := q.Save(w, b.request(), authflow.NewRequestID(), Request{StartedAt: now}); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Result().Cookies()); n > maxCleared+1 {
		t.Errorf("%d cookies in one answer", n)
	}
}
