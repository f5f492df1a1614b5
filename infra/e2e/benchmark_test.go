package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

// The benchmarks report the processor time of the service's own processes: browsers, WeCom
// and the stand-ins for AWS are left out. docs/benchmarks.md has what was measured.

// benchMembers sign in, however many users there are.
const benchMembers = 1000

func benchMember(i int) string { return fmt.Sprintf("member%07d", i) }

// nthMember spreads the members evenly over the users.
func nthMember(n, users int) string {
	members := min(users, benchMembers)
	return benchMember(n * 7919 % members * (users / members))
}

const (
	moduleRoot  = "../.."
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
	application = "http://localhost:3999"
)

// benchCompany is a WeCom with these members, and two who have never signed in.
func benchCompany(users int, domain string) *wecomsim.Simulator {
	members := []wecomsim.Member{{UserID: "newcomer1", Name: "New Comer", Mobile: "13800138001"}, {UserID: "newcomer2", Name: "New Comer", Mobile: "13800138002"}}
	for n := range min(users, benchMembers) {
		members = append(members, wecomsim.Member{UserID: nthMember(n, users), Name: "Member"})
	}
	return wecomsim.New(wecomsim.Config{
		Limits: wecomsim.Limits{CorpPerMinute: -1},
		Corps: []wecomsim.Corp{{ID: corpID, Members: members, Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, TrustedDomain: domain, Fields: []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar},
		}}}},
	})
}

// manyRoles is the number of the user who has fifty.
const manyRoles = 2

// fillUsers makes users who have signed in before, and were looked up just now for an
// authenticator, so many at a time: a store writes those that wait together in one
// transaction.
func fillUsers(t testing.TB, engine interface {
	CreateUser(ctx context.Context, u store.User) error
}, authenticatorID string, users, atOnce int,
) {
	t.Helper()
	now := time.Now().UTC()
	var next atomic.Int64
	var group sync.WaitGroup
	for range atOnce {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < users && !t.Failed(); i = int(next.Add(1)) - 1 {
				roles := []string{"member"}
				for n := 1; n < 50 && i == manyRoles; n++ {
					roles = append(roles, fmt.Sprintf("department-%02d-member", n))
				}
				if err := engine.CreateUser(t.Context(), store.User{
					ID: store.NewUserID(now), Phone: fmt.Sprintf("+8613%09d", i), Name: fmt.Sprintf("Member %d", i), Roles: roles, Enabled: true,
					Avatar: "https://wework.qpic.cn/wwpic/000000_000000000000/0",
					Identities: []store.Identity{{
						CorpID: corpID, WeComUserID: benchMember(i), Authenticator: portal, BoundAt: now, CheckedAt: now,
						Access: []store.MemberAccess{{AuthenticatorID: authenticatorID, AuthenticatorName: portal, CheckedAt: now}},
					}},
					CreatedAt: now, UpdatedAt: now, LastSignInAt: now, Version: 1,
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func perOperation(b *testing.B, unit string, total time.Duration) {
	b.Helper()
	b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), unit)
}

// signInAgain is a whole returning sign-in: authorize, callback, one look at the
// session. It returns how long the callback took.
func signInAgain(b *testing.B, browser *testbrowser.Browser, userID string) time.Duration {
	b.Helper()
	browser.Forget("")
	browser.Member.UserID = userID
	callback := browser.Callback(b, "/authorize/"+portal)
	started := time.Now()
	a := browser.Expect(b, http.StatusFound, http.MethodGet, callback)
	took := time.Since(started)
	if !strings.HasPrefix(a.Location(), application+"/") {
		b.Fatalf("the callback leads to %s", a.Location())
	}
	browser.Expect(b, http.StatusOK, http.MethodGet, "/api/session")
	return took
}

// From the start of a built function to its first answer. What begins with { is a message of
// the queue.
func BenchmarkFunctionStart(b *testing.B) {
	c := startCloud(b, 1)
	for name, request := range map[string]string{
		"authorize": "/authorize/" + portal, "callback": "/callback/" + portal, "signin": "/api/authenticators", "issuer": "/.well-known/jwks.json",
		"openid": "/oauth2/authorize?client_id=wiki&redirect_uri=" + url.QueryEscape(wikiCallback) + "&response_type=code&scope=openid&state=s",
		"events": "/api/events/" + portal + "?" + weComPushes().Check("42", true),
		"notify": `{"lineage":"` + store.NewID() + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var used time.Duration
			for b.Loop() {
				f := startFunction(b, name, c.environment)
				if strings.HasPrefix(request, "{") {
					event, err := json.Marshal(events.SQSEvent{Records: []events.SQSMessage{{MessageId: "1", Body: request}}})
					must(b, err)
					if answer := string(f.Invoke(event)); answer != `{"batchItemFailures":[]}` {
						b.Fatal(answer)
					}
				} else {
					recorder := httptest.NewRecorder()
					f.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, request, nil))
					if recorder.Code >= http.StatusBadRequest {
						b.Fatalf("%d %s", recorder.Code, recorder.Body)
					}
				}
				used += processorTime(b, f.Pid())
				f.Stop()
			}
			perOperation(b, "cpu-ms/op", used)
			folder, _ := builtFunctions() // it has been built
			if info, err := os.Stat(filepath.Join(folder, name)); err == nil {
				b.ReportMetric(float64(info.Size())/1e6, "MB")
			}
		})
	}
}

// A returning sign-in through functions, one request at a time, with a latency of 5 ms to
// DynamoDB and 30 ms to WeCom.
func BenchmarkSignInThroughFunctions(b *testing.B) {
	const users, each = 1000, 20
	variants := startVariants(b, users)
	n := 1
	for b.Loop() {
		for _, v := range variants {
			v.measure(b, each, func(i int) string { return nthMember(n+i, users) })
		}
		n += each
	}
	report(b, variants)
}

// The same in new processes: from their start to the end of a sign-in.
func BenchmarkColdSignIn(b *testing.B) {
	variants := startVariants(b, 10)
	for b.Loop() {
		for _, v := range variants {
			v.measureCold(b, nthMember(1, 10))
		}
	}
	report(b, variants)
}

// A returning sign-in through `make run`: over HTTP, the embedded store with its disk
// writes included. -short leaves the million users out, who take minutes to make.
func BenchmarkSignIn(b *testing.B) {
	for _, users := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			if testing.Short() && users > 100_000 {
				b.Skip("SKIP a million users: -short")
			}
			service, browser := localWithUsers(b, users)
			for _, inFlight := range []int{1, 8} {
				b.Run(fmt.Sprintf("inflight=%d", inFlight), func(b *testing.B) {
					var next, callbacks atomic.Int64
					var group sync.WaitGroup
					used := processorTime(b, service.Pid())
					for range inFlight {
						group.Go(func() {
							mine := browser.Clone()
							for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
								callbacks.Add(int64(signInAgain(b, mine, nthMember(int(n), users))))
							}
						})
					}
					group.Wait()
					perOperation(b, "cpu-ms/op", processorTime(b, service.Pid())-used)
					perOperation(b, "callback-ms/op", time.Duration(callbacks.Load()))
				})
			}
		})
	}
}

// localWithUsers starts the program of `make run` on a store with so many users, which
// is kept for the next -count.
func localWithUsers(b *testing.B, users int) (*e2e.Local, *testbrowser.Browser) {
	b.Helper()
	programs, err := programFolder()
	must(b, err)
	folder := filepath.Join(programs, fmt.Sprintf("users-%d", users))
	fresh := os.Mkdir(folder, 0o700) == nil
	if fresh {
		engine, err := embedded.Open(embedded.Config{Path: filepath.Join(folder, "store.db")})
		must(b, err)
		fillUsers(b, engine, "none", users, 1000)
		if err := engine.Close(); err != nil || b.Failed() {
			b.Fatal(err)
		}
	}
	weCom := benchCompany(users, "")
	server := httptest.NewServer(weCom)
	b.Cleanup(server.Close)
	const adminKey = "admin-key-of-a-benchmark-0123456789"
	r := startLocal(b, "DATA_DIR="+folder, "WECOM_API_URL="+server.URL, "WECOM_OAUTH_URL="+server.URL, "WECOM_LOGIN_URL="+server.URL, "ADMIN_KEY="+adminKey)
	domain := strings.TrimPrefix(r.Service, "http://")
	must(b, weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.TrustedDomain = domain }))
	browser := testbrowser.New(testbrowser.Config{
		URL: r.Service, WeCom: weCom, WeComURL: server.URL, UserAgent: wecomsim.UserAgentWeComAndroid, Transport: &http.Transport{MaxIdleConnsPerHost: 16},
	})
	browser.Expect(b, map[bool]int{true: http.StatusCreated, false: http.StatusConflict}[fresh], http.MethodPost, "/api/admin/authenticators", testbrowser.Bearer(adminKey), testbrowser.JSON(map[string]any{
		"name": portal, "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}))
	return r, browser
}
