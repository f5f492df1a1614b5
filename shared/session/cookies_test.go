package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func attempts(t *testing.T, now *time.Time) *Attempts {
	t.Helper()
	return &Attempts{Box: aeadtest.Box(t, aead.StateCookie), Now: func() time.Time { return *now }}
}

// browser keeps cookies as a browser does, by name and without asking for more.
type browser map[string]string

func (b browser) keep(w *httptest.ResponseRecorder) {
	for _, cookie := range w.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(b, cookie.Name)
		} else {
			b[cookie.Name] = cookie.Value
		}
	}
}

func (b browser) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for name, value := range b {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func save(t *testing.T, a *Attempts, b browser, attempt authflow.LoginAttempt) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := a.Save(w, b.request(), attempt); err != nil {
		t.Fatal(err)
	}
	b.keep(w)
	return w
}

func TestSessionCookieAttributes(t *testing.T) {
	for name, test := range map[string]struct {
		cookie Cookie
		want   string
	}{
		"host only":     {Cookie{}, "__Host-wecom_session=ID.u; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax"},
		"parent domain": {Cookie{Domain: "example.com"}, "__Secure-wecom_session=ID.u; Path=/; Domain=example.com; Max-Age=60; HttpOnly; Secure; SameSite=Lax"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			test.cookie.Set(w, authflow.SessionRef{ID: "ID", UserID: "u"}, time.Minute)
			if got := w.Header().Get("Set-Cookie"); got != test.want {
				t.Fatalf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAttemptIsFoundUnderItsStateOnly(t *testing.T) {
	now := noon
	a, b := attempts(t, &now), browser{}
	want := authflow.LoginAttempt{State: "STATE1", AuthenticatorID: "id", AuthenticatorGeneration: "g", Destination: destination("/a?b=c", true), InWeCom: true, Scope: "snsapi_base", IssuedAt: now}
	w := save(t, a, b, want)
	header := w.Header().Get("Set-Cookie")
	for _, attribute := range []string{"__Host-", "; Path=/", "; Max-Age=900", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
		if !strings.Contains(header, attribute) {
			t.Errorf("cookie lacks %q: %s", attribute, header)
		}
	}
	if strings.Contains(header, "STATE1") || strings.Contains(header, "/a?b") {
		t.Errorf("cookie shows its content: %s", header)
	}
	got, found, err := a.Find(b.request(), "STATE1")
	if !found || err != nil || got.State != want.State || got.Destination != want.Destination || !got.InWeCom || !got.IssuedAt.Equal(want.IssuedAt) {
		t.Fatalf("Find = %+v, %v, %v", got, found, err)
	}
	if _, found, _ := a.Find(b.request(), "STATE2"); found {
		t.Fatal("found under another state")
	}
}

func TestAttemptCookieMovedToAnotherNameDoesNotOpen(t *testing.T) {
	now := noon
	a, b := attempts(t, &now), browser{}
	save(t, a, b, authflow.LoginAttempt{State: "MINE", IssuedAt: now})
	b[attemptName("YOURS")] = b[attemptName("MINE")]
	if _, found, err := a.Find(b.request(), "YOURS"); !found || err == nil {
		t.Fatalf("found %v, err %v", found, err)
	}
}

func TestAttemptExpires(t *testing.T) {
	now := noon
	a, b := attempts(t, &now), browser{}
	save(t, a, b, authflow.LoginAttempt{State: "S", IssuedAt: now})
	now = noon.Add(15*time.Minute - time.Millisecond)
	if _, _, err := a.Find(b.request(), "S"); err != nil {
		t.Fatalf("just before the end: %v", err)
	}
	now = noon.Add(15 * time.Minute)
	if _, found, err := a.Find(b.request(), "S"); !found || !errors.Is(err, authflow.ErrAttemptExpired) {
		t.Fatalf("found %v, err %v", found, err)
	}
}

func TestNewestEightAttemptsAreKept(t *testing.T) {
	now := noon
	a, b := attempts(t, &now), browser{"other": "stays", "__Host-wecom_attempt_broken": "x"}
	for i := range 12 {
		now = noon.Add(time.Duration(i) * time.Millisecond)
		save(t, a, b, authflow.LoginAttempt{State: fmt.Sprint("S", i), IssuedAt: now})
	}
	for i := range 12 {
		_, found, err := a.Find(b.request(), fmt.Sprint("S", i))
		if found != (i >= 4) || err != nil {
			t.Errorf("attempt %d: found %v, err %v", i, found, err)
		}
	}
	if len(b) != 9 || b["other"] != "stays" {
		t.Errorf("kept %v", b)
	}
}

func TestEightAttemptsFitTheGatewaysHeaders(t *testing.T) {
	now := noon
	a, b := attempts(t, &now), browser{}
	for i := range 9 {
		save(t, a, b, authflow.LoginAttempt{
			State: fmt.Sprintf("%026d", i), AuthenticatorID: strings.Repeat("i", 26), AuthenticatorGeneration: strings.Repeat("g", 26),
			Destination: destination("/"+strings.Repeat("t", 127), false), Scope: "snsapi_privateinfo", IssuedAt: now,
		})
	}
	if size := len(b.request().Header.Get("Cookie")); size > 4<<10 {
		t.Fatalf("cookies take %d of the 10,240 bytes for all headers", size)
	}
}

func FuzzAttemptCookie(f *testing.F) {
	now := noon
	a := &Attempts{Box: aeadtest.Box(f, aead.StateCookie), Now: func() time.Time { return now }}
	f.Add("", "S")
	f.Add("AAAA", "S")
	f.Fuzz(func(t *testing.T, value, state string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", attemptName(state)+"="+value)
		if _, found, err := a.Find(r, state); found && err == nil {
			t.Fatalf("a forged cookie opened: %q", value)
		}
	})
}

// Hundreds of made-up cookies must not make an answer that the gateway refuses.
func TestHundredsOfMadeUpCookiesMakeNoLargeAnswer(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := attempts(t, &now), browser{}
	for i := range 300 {
		b[attemptPrefix+strconv.Itoa(i)] = "made up"
	}
	w := save(t, a, b, authflow.LoginAttempt{State: "STATE", IssuedAt: now})
	if n := len(w.Result().Cookies()); n > maxCleared+1 {
		t.Errorf("%d cookies in one answer", n)
	}
}

func destination(path string, console bool) authflow.Destination {
	d := authflow.DestinationOf(url.Values{"redirect": {path}})
	d.Console = console
	return d
}
