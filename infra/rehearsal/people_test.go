package rehearsal_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
	application = "https://app.example.com"
)

// newWeCom returns a company whose app trusts an address.
func newWeCom(address string) *wecomsim.Simulator {
	domain := strings.TrimPrefix(address, "https://")
	return wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corpID,
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Fields: []wecomsim.Field{wecomsim.FieldMobile}, TrustedDomain: domain, CallbackDomain: domain,
		}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
			{UserID: "wangwu", Name: "王五", Mobile: "13800000003"},
			{UserID: "zhaoliu", Name: "赵六", Mobile: "13800000004"},
			{UserID: "sunqi", Name: "孙七", Mobile: "13800000005"},
		},
	}}})
}

// browser returns a browser of a member's, or of nobody's.
func (d *deployment) browser(member, userAgent string) *testbrowser.Browser {
	return testbrowser.New(testbrowser.Config{
		URL: d.address.URL, Transport: d.transport, UserAgent: userAgent,
		WeCom: d.weCom, WeComURL: d.weURL, Member: wecomsim.Browser{UserID: member},
	})
}

// signIn signs the member in and fails the test when it ends elsewhere than in the
// application.
func signIn(t *testing.T, b *testbrowser.Browser) {
	t.Helper()
	if end := b.Open(t, "/authorize/main").Address; end != application+"/home" {
		t.Fatalf("%s signed in and ended at %s", b.Member.UserID, withoutQuery(end))
	}
}

// withoutQuery is an address without what may be secret in it.
func withoutQuery(address string) string {
	before, query, _ := strings.Cut(address, "?")
	values, _ := url.ParseQuery(query)
	if code := values.Get("error"); code != "" {
		return before + "?error=" + code
	}
	return before
}

type session struct {
	User      struct{ ID string }
	ExpiresAt time.Time
}

func sessionOf(t *testing.T, b *testbrowser.Browser) session {
	t.Helper()
	return testbrowser.Decode[session](t, b.Expect(t, http.StatusOK, "GET", "/api/session"))
}

// token returns one for the pages of the application.
func token(t *testing.T, b *testbrowser.Browser) string {
	t.Helper()
	return tokenFor(t, application, b)
}

func tokenFor(t *testing.T, origin string, b *testbrowser.Browser) string {
	t.Helper()
	page := b.Clone()
	page.Origin = origin
	return testbrowser.AccessToken(t, page.Expect(t, http.StatusOK, "POST", "/api/token"))
}

// claims are what an application's backend learns of a token.
type claims struct {
	Subject string `json:"sub"`
	UserID  string `json:"wecom_userid"`
	Phone   string `json:"phone_number"`
}

// verify checks a token as an application's backend does, with a library of others.
func (d *deployment) verify(t *testing.T, token string) (found claims) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: d.transport})
	provider, err := oidc.NewProvider(ctx, d.address.URL)
	must(t, err)
	verified, err := provider.Verifier(&oidc.Config{ClientID: application, SupportedSigningAlgs: []string{oidc.RS256}}).Verify(ctx, token)
	if err == nil {
		err = verified.Claims(&found)
	}
	must(t, err)
	return found
}

// keyOf returns the id of the key that signed a token.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	var fields struct{ Kid string }
	content, err := base64.RawURLEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(content, &fields)
	}
	if err != nil || fields.Kid == "" {
		t.Fatalf("a token names no key: %v", err)
	}
	return fields.Kid
}

// crowd is people who sign in all the time.
type crowd struct {
	stop    context.CancelFunc
	people  sync.WaitGroup
	signIns atomic.Int64 // that ended in the application
	unlucky atomic.Int64 // that ended elsewhere
}

// pause is what each of the crowd takes between two requests: the emulator shows the first
// ten thousand lines of a log and no others.
const pause = 50 * time.Millisecond

// gather lets people sign in, in WeCom's client and in browsers, until disperse is
// called. Everybody who is in already asks for the session as well. unlucky is how many
// sign-ins may fail.
func (d *deployment) gather(t *testing.T, unlucky int64) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{stop: stop}
	for _, userAgent := range []string{wecomsim.UserAgentWeComAndroid, wecomsim.UserAgentBrowser} {
		c.people.Go(func() {
			// A sign-in that has begun is ended: only the start looks at ctx.
			for ; ctx.Err() == nil; time.Sleep(pause) {
				if end := d.browser("zhangsan", userAgent).Open(t, "/authorize/main").Address; end != application+"/home" {
					if c.unlucky.Add(1) > unlucky {
						t.Errorf("%s a sign-in ended at %s", time.Now().Format("05.000"), withoutQuery(end))
					}
					continue
				}
				c.signIns.Add(1)
			}
		})
	}
	c.people.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(pause) {
			for _, b := range []*testbrowser.Browser{d.phone, d.desktop} {
				if status := b.Send(t, "GET", "/api/session").Status; status != http.StatusOK {
					t.Errorf("%s a session from before: %d", time.Now().Format("05.000"), status)
				}
			}
		}
	})
	return c
}

// disperse lets the crowd go when enough have signed in.
func (c *crowd) disperse(t *testing.T) {
	t.Helper()
	awsstack.Until(t, "ten people have signed in", func() bool { return t.Failed() || c.signIns.Load() >= 10 })
	c.stop()
	c.people.Wait()
	t.Logf("%d sign-ins, %d unlucky ones", c.signIns.Load(), c.unlucky.Load())
}
