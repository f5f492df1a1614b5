package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
)

const (
	kills         = 20
	peopleAtOnce  = 8
	sessionCookie = "__Host-wecom_session"
)

var killSeed = flag.Uint64("killseed", rand.Uint64(), "choose the moments of kills as the run that logged this")

// The program of `make run` is killed, and started again on the same folder.
func TestAuditAfterKillsOfTheProgram(t *testing.T) {
	t.Parallel()
	port := 10000 + rand.IntN(20000) // the system gives none of these to a connection
	weCom := benchCompany(0, fmt.Sprintf("localhost:%d", port))
	server := httptest.NewServer(weCom)
	t.Cleanup(server.Close)
	folder, adminKey := t.TempDir(), "admin-key-of-the-kills-0123456789"
	start := func() *e2e.Local {
		l, err := launch(folder, fmt.Sprintf("PORT=%d", port), "ADMIN_KEY="+adminKey,
			"WECOM_API_URL="+server.URL, "WECOM_OAUTH_URL="+server.URL, "WECOM_LOGIN_URL="+server.URL)
		must(t, err)
		return l
	}
	program := start()
	t.Cleanup(func() { must(t, program.Stop()) })
	a := administrator{t, adminKey, testbrowser.New(testbrowser.Config{
		URL: program.Service, Transport: &http.Transport{MaxIdleConnsPerHost: peopleAtOnce}, WeCom: weCom, WeComURL: server.URL,
		UserAgent: wecomsim.UserAgentWeComAndroid,
	})}
	a.ask(http.StatusCreated, "POST", "/authenticators", testbrowser.JSON(map[string]any{
		"name": portal, "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}))
	compareAfterKills(t, a, func(*rand.Rand) {
		program.Kill()
		program = start()
	})
}

// Functions are killed while they serve requests.
func TestAuditAfterKillsOfFunctions(t *testing.T) {
	t.Parallel()
	c := startCloud(t, 0)
	c.meter.Delay = 5 * time.Millisecond // so that more kills come between two calls
	all, mux := &instances{}, http.NewServeMux()
	for pattern, name := range map[string]string{"/authorize/": "authorize", "/callback/": "callback", "/api/admin/": "admin", "/": "signin"} {
		mux.Handle(pattern, all.of(func() *e2e.Function {
			f := startFunction(t, name, c.environment)
			f.Authorizer = apigw.AdminKeyCaller().Encode()
			return f
		}))
	}
	c.browser.Transport = testbrowser.Handler(mux)
	compareAfterKills(t, administrator{t, "", c.browser}, all.kill)
}

// instances are those of functions. As with Lambda, each serves one request at a time, and
// another is started when all are busy.
type instances struct {
	mu      sync.Mutex
	serving []*e2e.Function
}

// of returns a handler that runs a function.
func (i *instances) of(start func() *e2e.Function) http.Handler {
	idle := make(chan *e2e.Function, 2*peopleAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f *e2e.Function
		select {
		case f = <-idle:
		default:
			f = start()
		}
		i.mu.Lock()
		i.serving = append(i.serving, f)
		i.mu.Unlock()
		f.ServeHTTP(w, r)
		i.mu.Lock()
		defer i.mu.Unlock()
		if n := slices.Index(i.serving, f); n >= 0 {
			i.serving = slices.Delete(i.serving, n, n+1)
			idle <- f
		}
	})
}

// kill kills half of those that serve a request.
func (i *instances) kill(random *rand.Rand) {
	i.mu.Lock()
	defer i.mu.Unlock()
	random.Shuffle(len(i.serving), func(n, m int) { i.serving[n], i.serving[m] = i.serving[m], i.serving[n] })
	half := (len(i.serving) + 1) / 2
	for _, f := range i.serving[:half] {
		f.Stop()
	}
	i.serving = slices.Delete(i.serving, 0, half)
}

// compareAfterKills has people sign in and out, and an administrator change what they may,
// while kill kills the service, or a part of it, and brings it back. Then it compares the audit
// with what they were told, or have found out since.
func compareAfterKills(t *testing.T, a administrator, kill func(*rand.Rand)) {
	random, from := rand.New(rand.NewPCG(*killSeed, 0)), time.Now()
	var (
		mu      sync.Mutex // held while the service is away
		over    bool
		people  []*visitor
		answers atomic.Int64
		coming  sync.WaitGroup
	)
	come := func() *visitor {
		mu.Lock()
		defer mu.Unlock()
		if over || t.Failed() {
			return nil
		}
		p := &visitor{Browser: testbrowser.New(a.browser.Config), administrator: a, number: len(people), answers: &answers}
		p.Member.UserID = fmt.Sprintf("person%d", p.number)
		must(t, p.WeCom.AddMember(corpID, wecomsim.Member{UserID: p.Member.UserID, Name: "Person", Mobile: fmt.Sprintf("139%08d", p.number)}))
		people = append(people, p)
		return p
	}
	come().live() // by whom WeCom's access token is fetched; a kill then would cost others ten seconds
	for range peopleAtOnce {
		coming.Go(func() {
			for p := come(); p != nil; p = come() {
				p.live()
			}
		})
	}
	for range kills {
		for until := answers.Load() + random.Int64N(120); answers.Load() < until && !t.Failed(); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
		mu.Lock()
		kill(random)
		mu.Unlock()
	}
	mu.Lock()
	over = true
	mu.Unlock()
	coming.Wait()

	each := func(people []*visitor, do func(*visitor)) {
		var group errgroup.Group
		group.SetLimit(2 * peopleAtOnce) // many only wait for the result of a code that is spent
		for _, p := range people {
			group.Go(func() error { do(p); return nil })
		}
		_ = group.Wait()
	}
	interrupted := slices.DeleteFunc(slices.Clone(people), func(p *visitor) bool { return p.findOut == nil })
	t.Logf("%d of %d people were interrupted, with -killseed %d", len(interrupted), len(people), *killSeed)
	if len(interrupted) < kills {
		t.Error("those are too few")
	}
	each(interrupted, func(p *visitor) {
		if err := p.findOut(); err != nil {
			t.Errorf("%s, interrupted: %v", p.Member.UserID, err)
		}
	})
	lines := map[string][]auditLine{}
	for _, line := range list[auditLine](a, "/audit?from="+url.QueryEscape(from.UTC().Format(time.RFC3339))) {
		if line.User != "" {
			lines[line.User] = append(lines[line.User], line)
		}
	}
	if users := list[struct{}](a, "/users?"); len(users) != len(people) || len(lines) != len(people) {
		t.Errorf("%d users, and lines about %d, of %d people", len(users), len(lines), len(people))
	}
	each(people, func(p *visitor) { p.compare(lines[p.id]) })
}

// administrator has the admin key.
type administrator struct {
	t       *testing.T
	key     string
	browser *testbrowser.Browser
}

func (a administrator) ask(status int, method, path string, options ...testbrowser.Option) testbrowser.Answer {
	return a.browser.Clone().Expect(a.t, status, method, "/api/admin"+path, append(options, testbrowser.Bearer(a.key))...)
}

// list returns the whole of a list.
func list[T any](a administrator, path string) (all []T) {
	for next := "&"; next != ""; {
		page := testbrowser.Decode[struct {
			Items      []T
			NextCursor string
		}](a.t, a.ask(http.StatusOK, "GET", path+"&limit=100"+next))
		all = append(all, page.Items...)
		if next = page.NextCursor; next != "" {
			next = "&cursor=" + url.QueryEscape(next)
		}
	}
	return all
}

// auditLine is what is compared of a line.
type auditLine struct {
	Type, User string
	RolesAfter []string
}

// visitor is a member with a phone, and what has happened, as far as it was told.
type visitor struct {
	*testbrowser.Browser
	administrator administrator
	number        int
	answers       *atomic.Int64 // to everybody

	id                             string
	signIns, signOuts, ends, roles int
	untold                         int      // sign-outs of which no answer told
	over                           []string // cookies of sessions that have ended
	// findOut finds out what became of a request that was not answered.
	findOut func() error
}

// live takes steps until one is not answered. Not everybody takes the same ones first.
func (p *visitor) live() {
	steps := [][]func() error{{p.giveRole}, {p.signIn}, {p.signOut, p.signIn}, {p.endSessions, p.signIn}}
	n := p.number % len(steps)
	for _, step := range append([]func() error{p.signIn}, slices.Concat(slices.Concat(steps[n:], steps[:n])...)...) {
		if err := step(); err != nil {
			if !errors.Is(err, errNoAnswer) {
				p.administrator.t.Errorf("%s: %v", p.Member.UserID, err)
			}
			return
		}
	}
}

var (
	errNoAnswer  = errors.New("no answer")
	errCodeSpent = errors.New("the code is spent")
)

// ask sends a request, which must be answered by a status, or not at all.
func (p *visitor) ask(status int, method, address string, options ...testbrowser.Option) (testbrowser.Answer, error) {
	a, err := p.Do(p.Request(p.administrator.t, method, address, options...))
	switch {
	case err != nil, a.Status == http.StatusBadGateway: // by the gateway
		return a, errNoAnswer
	case a.Status != status:
		return a, fmt.Errorf("%s %s: %d %.300s", method, address, a.Status, a.Body)
	}
	p.answers.Add(1)
	p.Keep(a)
	return a, nil
}

// settle notes what a request has done. If no answer told, it asks later whether it did.
func (p *visitor) settle(err error, done func() bool, note func()) error {
	if err == nil {
		note()
		return nil
	}
	p.findOut = func() error {
		if done() {
			note()
		}
		return nil
	}
	return err
}

func (p *visitor) cookie() string { return p.Cookies(sessionCookie)[sessionCookie] }

func (p *visitor) signIn() error { return p.goOn("/authorize/" + portal) }

// goOn opens an address of a sign-in, and where it leads, until there is a session.
func (p *visitor) goOn(address string) error {
	before := p.cookie()
	for {
		a, err := p.ask(http.StatusFound, "GET", address)
		if err != nil {
			p.findOut = func() error {
				err := p.goOn(address) // with the session, if one has begun
				if errors.Is(err, errCodeSpent) {
					err = p.signIn()
				}
				return err
			}
			return err
		}
		next := a.Redirect()
		switch {
		case strings.HasPrefix(next, p.WeComURL+"/"):
			if address, err = p.Follow(p.administrator.t, next); err != nil {
				return err
			}
		case strings.HasPrefix(next, application+"/"):
			p.signIns++
			if before != "" {
				p.over = append(p.over, before)
			}
			_, p.id, _ = strings.Cut(p.cookie(), ".")
			return nil
		case strings.Contains(next, "error=code_invalid"):
			return errCodeSpent
		default:
			return fmt.Errorf("%s leads to %s", address, next)
		}
	}
}

func (p *visitor) signOut() error {
	cookie := p.cookie()
	_, err := p.ask(http.StatusNoContent, "POST", "/api/signout")
	return p.settle(err, func() bool { return !p.has(cookie) }, func() {
		p.over = append(p.over, cookie)
		if err == nil {
			p.signOuts++
		} else {
			p.untold++
		}
	})
}

// endSessions has an administrator end all sessions.
func (p *visitor) endSessions() error {
	cookie := p.cookie()
	_, err := p.ask(http.StatusNoContent, "DELETE", "/api/admin/users/"+p.id+"/sessions", testbrowser.Bearer(p.administrator.key))
	return p.settle(err, func() bool { return !p.has(cookie) }, func() {
		p.over = append(p.over, cookie)
		p.ends++
	})
}

// giveRole has an administrator give a role.
func (p *visitor) giveRole() error {
	_, err := p.ask(http.StatusOK, "PATCH", "/api/admin/users/"+p.id, testbrowser.Bearer(p.administrator.key), testbrowser.JSON(map[string]any{"roles": []string{"staff"}}))
	return p.settle(err, func() bool {
		return strings.Contains(p.administrator.ask(http.StatusOK, "GET", "/users/"+p.id).Body, `"staff"`)
	}, func() { p.roles++ })
}

// has reports whether a cookie has a session.
func (p *visitor) has(cookie string) bool {
	b := p.Clone()
	b.SetCookie(sessionCookie, cookie)
	return b.Send(p.administrator.t, "GET", "/api/session").Status == http.StatusOK
}

// compare compares lines about the person with what has happened.
func (p *visitor) compare(lines []auditLine) {
	t, got := p.administrator.t, map[string]int{}
	for _, line := range lines {
		got[strings.Join(append([]string{line.Type}, line.RolesAfter...), " ")]++
	}
	// What takes access away does not wait for its line.
	signOuts := min(max(got[audit.SignedOut], p.signOuts), p.signOuts+p.untold)
	want := map[string]int{
		audit.UserCreated: 1, audit.SignedIn: p.signIns, audit.SignedOut: signOuts, audit.SessionsEnded: p.ends, audit.UserUpdated + " staff": p.roles,
	}
	maps.DeleteFunc(want, func(_ string, count int) bool { return count == 0 })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: lines of the audit (-what happened +what it says):\n%s", p.Member.UserID, diff)
	}
	if attempts := list[struct{}](p.administrator, "/users/"+p.id+"/attempts?"); len(attempts) != p.signIns {
		t.Errorf("%s signed in %d times, and has %d attempts", p.Member.UserID, p.signIns, len(attempts))
	}
	for _, cookie := range p.over {
		if p.has(cookie) {
			t.Errorf("%s has a session that has ended", p.Member.UserID)
		}
	}
	if cookie := p.cookie(); cookie != "" && !slices.Contains(p.over, cookie) && !p.has(cookie) {
		t.Errorf("%s has lost a session", p.Member.UserID)
	}
}
