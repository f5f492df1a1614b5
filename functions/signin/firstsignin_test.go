package signin

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func (f *world) Ask(_ context.Context, proof authflow.Proof) (authflow.Waiting, error) {
	f.asked = append(f.asked, proof)
	return f.waiting, f.firstErr
}

func (f *world) GoOn(_ context.Context, req authflow.FirstSignInRequest) (authflow.CallbackResult, authflow.Waiting, error) {
	f.going = append(f.going, req)
	return f.goesOn, f.waiting, f.firstErr
}

func (f *world) proofs(t *testing.T) *session.Proofs {
	t.Helper()
	return &session.Proofs{Box: aeadtest.Box(t, aead.FirstSignIn), Now: func() time.Time { return f.now }}
}

func (f *world) firstSignIn(t *testing.T) OpenFirstSignIn {
	t.Helper()
	return func(context.Context) (FirstSignIns, *session.Proofs, error) { return f, f.proofs(t), nil }
}

// proof is that of a browser where ZhangSan has scanned.
func (f *world) proof() authflow.Proof {
	return authflow.Proof{
		State: "STATE", Authenticator: "demo", AuthenticatorID: "2", CorpID: "wwsecretcorp", WeComUserID: "ZhangSan",
		Destination: authflow.Destination{Console: true}, At: f.now,
	}
}

// carrying returns the cookie of a proof.
func (f *world) carrying(t *testing.T, proof authflow.Proof) []string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := f.proofs(t).Save(w, proof); err != nil {
		t.Fatal(err)
	}
	return answer{cookies: w.Header().Values("Set-Cookie")}.jar()
}

const proofName = "__Host-wecom_first"

// questionsOf returns how many questions the proof counts that an answer gives to the browser.
func (f *world) questionsOf(t *testing.T, a answer) int {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", strings.Join(a.jar(), "; "))
	proof, ok := f.proofs(t).Find(r)
	if !ok {
		t.Fatalf("no proof in %q", a.cookies)
	}
	return proof.Questions
}

func TestBrowserIsToldHowFarItsFirstSignInIs(t *testing.T) {
	for _, test := range []struct {
		waiting authflow.Waiting
		body    string
		over    bool
	}{
		{authflow.Waiting{State: authflow.StillWaiting}, `{"state":"waiting"}`, false},
		{authflow.Waiting{State: authflow.WaitingReady}, `{"state":"ready"}`, false},
		{authflow.Waiting{State: authflow.WaitingIsOver}, `{"state":"over"}`, true},
		{authflow.Waiting{State: authflow.WaitingIsOver, Error: apierr.PhoneInUse}, `{"state":"over","error":"phone_in_use"}`, true},
	} {
		f := newWorld()
		f.waiting = test.waiting
		asked := f.proof()
		asked.Questions = 7
		cookies := f.carrying(t, asked)
		f.now = f.now.Add(time.Minute)
		got := f.ask(t, ask{path: "/api/first-sign-in", cookies: cookies, headers: map[string]string{"Sec-Fetch-Site": "same-origin"}})
		if got.status != http.StatusOK || strings.TrimSpace(got.body) != test.body || got.headers["cache-control"] != "no-store" {
			t.Errorf("%d %s", got.status, got.body)
		}
		asked.Questions++
		if len(f.asked) != 1 || f.asked[0] != asked {
			t.Errorf("asked %+v, want %+v", f.asked, asked)
		}
		switch {
		case test.over:
			if len(got.cookies) != 1 || !got.clears(proofName) {
				t.Errorf("%s: cookies %q", test.body, got.cookies)
			}
		case f.questionsOf(t, got) != 8 || !strings.Contains(got.cookies[0], "Max-Age=540;"):
			t.Errorf("%s: cookies %q", test.body, got.cookies)
		}
	}
}

func TestBrowserWithoutProofHasNothingToWaitFor(t *testing.T) {
	f := newWorld()
	other := newWorld()
	other.now = f.now.Add(-authflow.ProofLifetime)
	for name, cookies := range map[string][]string{
		"no cookie":        nil,
		"a made-up cookie": {proofName + "=bm90IHNlYWxlZA"},
		"an expired one":   other.carrying(t, other.proof()),
	} {
		got := f.ask(t, ask{path: "/api/first-sign-in", cookies: cookies})
		if got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"state":"over"}` {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		gone := f.ask(t, ask{method: "POST", path: "/api/first-sign-in", query: "redirect=%2Forders", cookies: cookies, headers: map[string]string{"Origin": public}})
		if gone.status != http.StatusSeeOther || gone.headers["location"] != public+"/signin?redirect=%2Forders" {
			t.Errorf("%s: %d to %s", name, gone.status, gone.headers["location"])
		}
	}
	if len(f.asked)+len(f.going) != 0 {
		t.Errorf("somebody was asked: %+v %+v", f.asked, f.going)
	}
}

func TestAttackBrowserAsksForEver(t *testing.T) {
	f := newWorld()
	f.waiting = authflow.Waiting{State: authflow.StillWaiting}
	jar := f.carrying(t, f.proof())
	for i := range authflow.MaxQuestions {
		got := f.ask(t, ask{path: "/api/first-sign-in", cookies: jar})
		if got.status != http.StatusOK {
			t.Fatalf("question %d: %d %s", i+1, got.status, got.body)
		}
		jar = got.jar()
	}
	for _, a := range []ask{{path: "/api/first-sign-in"}, {method: "POST", path: "/api/first-sign-in", headers: map[string]string{"Origin": public}}} {
		a.cookies = jar
		if got := f.ask(t, a); got.status != http.StatusTooManyRequests || !strings.Contains(got.body, `"too_many_requests"`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	if len(f.asked) != authflow.MaxQuestions || len(f.going) != 0 {
		t.Errorf("%d questions reached the store, and %d more", len(f.asked), len(f.going))
	}
}

func TestAttackFirstSignInFromAnotherPage(t *testing.T) {
	f := newWorld()
	f.waiting = authflow.Waiting{State: authflow.WaitingReady}
	jar := f.carrying(t, f.proof())
	for _, a := range []ask{
		{headers: map[string]string{"Sec-Fetch-Site": "cross-site"}},
		{headers: map[string]string{"Sec-Fetch-Site": "same-site"}},
		{method: "POST"},
		{method: "POST", headers: map[string]string{"Origin": "null"}},
		{method: "POST", headers: map[string]string{"Origin": "https://evil.example.com"}},
		{method: "POST", headers: map[string]string{"Origin": appOrigin}},
		{method: "POST", headers: map[string]string{"Sec-Fetch-Site": "same-site"}},
		{method: "POST", headers: map[string]string{"Sec-Fetch-Site": "none"}},
	} {
		a.path, a.cookies = "/api/first-sign-in", jar
		if got := f.ask(t, a); got.status != http.StatusForbidden || len(got.cookies) != 0 || got.headers["access-control-allow-origin"] != "" {
			t.Errorf("%s %v: %d %v %q", a.method, a.headers, got.status, got.headers, got.cookies)
		}
	}
	if len(f.asked)+len(f.going) != 0 {
		t.Errorf("the attacker reached %+v %+v", f.asked, f.going)
	}
}

func TestBrowserGoesOnWithItsSession(t *testing.T) {
	f := newWorld()
	f.waiting = authflow.Waiting{State: authflow.WaitingReady}
	f.goesOn = authflow.CallbackResult{URL: public + "/console", SessionID: "SESSION", UserID: "u1", ExpiresAt: f.now.Add(time.Hour)}
	proof := f.proof()
	got := f.ask(t, ask{
		method: "POST", path: "/api/first-sign-in", query: "redirect=%2Forders", cookies: f.carrying(t, proof), session: deadID,
		agent: desktopUA, headers: map[string]string{"Origin": public},
	})
	if got.status != http.StatusSeeOther || got.headers["location"] != public+"/console" {
		t.Fatalf("%d to %s", got.status, got.headers["location"])
	}
	if len(got.cookies) != 2 || !got.clears(proofName) || !slices.Contains(got.cookies, "__Host-wecom_session=SESSION.u1; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax") {
		t.Errorf("cookies %q", got.cookies)
	}
	proof.Questions++
	proof.Destination.Path, _ = authflow.ParseReturnPath("/orders")
	want := []authflow.FirstSignInRequest{{
		Proof: proof, PublicURL: public, Sessions: []authflow.SessionRef{{ID: deadID}}, RequestID: "request-1",
		Client: store.Client{Browser: store.BrowserChrome, System: store.SystemLinux},
	}}
	if diff := cmp.Diff(want, f.going, cmpopts.EquateComparable(authflow.ReturnPath{})); diff != "" {
		t.Error(diff)
	}
}

func TestBrowserThatCannotGoOnGoesBackToThePage(t *testing.T) {
	for name, test := range map[string]struct {
		waiting authflow.Waiting
		err     error
		want    string
		keeps   bool
	}{
		"too early":                 {authflow.Waiting{State: authflow.StillWaiting}, nil, "?authenticator=demo&error=first_sign_in_in_wecom&return=console", true},
		"refused":                   {authflow.Waiting{State: authflow.WaitingIsOver, Error: apierr.SignupClosed}, nil, "?authenticator=demo&error=signup_closed&request=request-1&return=console", false},
		"attack: the proof is used": {authflow.Waiting{State: authflow.WaitingIsOver}, nil, "?authenticator=demo&return=console", false},
		"the store fails":           {authflow.Waiting{}, errors.New("store is down"), "?authenticator=demo&error=internal&request=request-1&return=console", true},
		"disabled":                  {authflow.Waiting{}, apierr.New(apierr.AuthenticatorDisabled, nil), "?authenticator=demo&error=authenticator_disabled&request=request-1&return=console", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newWorld()
			f.waiting, f.firstErr = test.waiting, test.err
			got := f.ask(t, ask{method: "POST", path: "/api/first-sign-in", cookies: f.carrying(t, f.proof()), headers: map[string]string{"Origin": public}})
			if got.status != http.StatusSeeOther || got.headers["location"] != public+"/signin"+test.want {
				t.Errorf("%d to %s", got.status, got.headers["location"])
			}
			if len(got.cookies) != 1 || got.clears(proofName) == test.keeps {
				t.Errorf("cookies %q", got.cookies)
			}
			if test.keeps && f.questionsOf(t, got) != 1 {
				t.Errorf("the question was not counted: %q", got.cookies)
			}
		})
	}
}

func TestPageWaitsForTheMemberOfTheProofAlone(t *testing.T) {
	const failed = "error=first_sign_in_in_wecom&authenticator=demo&redirect=%2Forders%3Fid%3D7"
	for name, test := range map[string]struct {
		query, agent string
		change       func(*authflow.Proof)
		waits        bool
	}{
		"after a scan":                  {failed, desktopUA, nil, true},
		"on a phone":                    {failed, phoneUA, nil, true},
		"inside WeCom":                  {failed, wecomUA, nil, false},
		"another failure":               {"error=access_denied&authenticator=demo", desktopUA, nil, false},
		"no failure":                    {"", desktopUA, nil, false},
		"another authenticator's proof": {failed, desktopUA, func(p *authflow.Proof) { p.Authenticator = "crm" }, false},
		"a disabled authenticator":      {"error=first_sign_in_in_wecom&authenticator=old", desktopUA, func(p *authflow.Proof) { p.Authenticator = "old" }, false},
		"an old proof":                  {failed, desktopUA, func(p *authflow.Proof) { p.At = p.At.Add(-authflow.ProofLifetime) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newWorld()
			proof := f.proof()
			if test.change != nil {
				test.change(&proof)
			}
			got := f.ask(t, ask{path: "/signin", query: test.query, agent: test.agent, cookies: f.carrying(t, proof)})
			form := `<form class="waiting" method="post" action="` + public + `/api/first-sign-in?redirect=%2Forders%3Fid%3D7"`
			link := `value="` + public + `/authorize/demo?return=signin"`
			if strings.Contains(got.body, form) != test.waits || strings.Contains(got.body, link) != test.waits || strings.Contains(got.body, `class="waiting"`) != test.waits {
				t.Errorf("waits? %t, want %t:\n%.3000s", strings.Contains(got.body, form), test.waits, got.body)
			}
			// Showing the page is no question.
			if len(f.asked) != 0 || slices.ContainsFunc(got.cookies, func(c string) bool { return strings.HasPrefix(c, proofName) }) {
				t.Errorf("asked %+v, cookies %q", f.asked, got.cookies)
			}
		})
	}
}

func TestPanelIsForComputersAlone(t *testing.T) {
	const login = "https://login.work.weixin.qq.com"
	for name, test := range map[string]struct {
		agent, panel string
		want         bool
	}{
		"a computer":   {desktopUA, login, true},
		"a phone":      {phoneUA, login, false},
		"inside WeCom": {wecomUA, login, false},
		"switched off": {desktopUA, "", false},
	} {
		f := newWorld()
		f.panel = test.panel
		got := f.ask(t, ask{path: "/signin", query: "redirect=%2Forders", agent: test.agent})
		way := strings.Contains(got.body, `href="`+public+`/authorize/demo?redirect=%2Forders"`)
		panel := strings.Contains(got.body, `data-panel="`+public+`/authorize/demo?panel=1&amp;redirect=%2Forders"`)
		policy := strings.Contains(got.headers["content-security-policy"], "; frame-src "+login)
		if !way || panel != test.want || policy != test.want {
			t.Errorf("%s: way %t, panel %t, policy %t (%s)", name, way, panel, policy, got.headers["content-security-policy"])
		}
		if header := got.headers["permissions-policy"]; header != "" {
			t.Errorf("%s: %q may deny quick login the client on this computer", name, header)
		}
	}
}
