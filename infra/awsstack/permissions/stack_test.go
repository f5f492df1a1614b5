package permissions_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

const (
	stackName   = "signin-permissions"
	application = "https://app.example.com"
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
)

// world is the deployed service, with every permission enforced and written down,
// beside a WeCom.
type world struct {
	*awsstack.Stack
	t        *testing.T
	url      string
	weCom    *wecomsim.Simulator
	weURL    string
	adminKey string
	known    *confidential
}

func deploy(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, known: &confidential{values: map[string]string{"PRIVATE KEY": "private key", appSecret: "app secret"}}}
	w.weCom = wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corpID,
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Fields: []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar},
		}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
			{UserID: "wangwu", Name: "王五", Mobile: "13800000001"}, // the phone of zhangsan
			{UserID: "zhaoliu", Name: "赵六", Mobile: "13800000004"},
			{UserID: "sunqi", Name: "孙七", Mobile: "13800000005"},
		},
	}}})
	account := awsstack.New(t, awsstack.Config{Root: "../../..", EnforceIAM: true})
	w.weURL = account.Serve(t, w.known.listen(w.weCom))
	stack, address := account.Deploy(t, stackName, map[string]string{
		"WeComApiUrl": w.weURL, "WeComOAuthUrl": w.weURL, "WeComLoginUrl": w.weURL,
	})
	w.Stack, w.url = stack, address.URL
	must(t, w.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) {
		a.TrustedDomain = strings.TrimPrefix(w.url, "https://")
		a.CallbackDomain = a.TrustedDomain
	}))
	_, w.adminKey = stack.Secret(t, stack.Resources(t)["AdminKey"])
	w.known.add("admin key", w.adminKey)
	var sealing struct{ Current string }
	if _, value := stack.Secret(t, stack.Resources(t)["SealingKeys"]); json.Unmarshal([]byte(value), &sealing) != nil || sealing.Current == "" {
		t.Fatal("there is no sealing key")
	}
	w.known.add("sealing key", sealing.Current)
	return w
}

// visitor is somebody with a browser.
type visitor struct {
	*testbrowser.Browser
	*world
}

func (w *world) visitor(member, userAgent string) *visitor {
	return &visitor{testbrowser.New(testbrowser.Config{
		URL: w.url, Transport: w.Transport(), UserAgent: userAgent, OnAnswer: w.known.read,
		WeCom: w.weCom, WeComURL: w.weURL, Member: wecomsim.Browser{UserID: member},
	}), w}
}

// send makes a request to the service. The status must be the one that is wanted: a
// journey that went another way proves nothing. A text is sent as CSV, everything else
// as JSON; authorization is a bearer's.
func (v *visitor) send(status int, method, address, authorization string, body any) testbrowser.Answer {
	v.t.Helper()
	var options []testbrowser.Option
	if authorization != "" {
		options = append(options, testbrowser.Bearer(authorization))
	}
	if text, ok := body.(string); ok {
		options = append(options, testbrowser.Body("text/csv", text))
	} else if body != nil {
		options = append(options, testbrowser.JSON(body))
	}
	return v.Expect(v.t, status, method, address, options...)
}

// signIn opens an address and goes wherever it leads, through WeCom as well, until it
// ends at the application or at a page of the service, whose address has this in it.
func (v *visitor) signIn(address, end string) {
	v.t.Helper()
	if got := v.Open(v.t, address).Address; !strings.Contains(got, end) {
		v.t.Fatalf("the sign-in of %s ended at %s, want %s", v.Member.UserID, got, end)
	}
}

// authenticatorSecrets returns the values of the secrets that belong to authenticators.
func (w *world) authenticatorSecrets() []string {
	w.t.Helper()
	list, err := secretsmanager.NewFromConfig(w.SDK()).ListSecrets(w.t.Context(), &secretsmanager.ListSecretsInput{})
	must(w.t, err)
	var values []string
	for _, entry := range list.SecretList {
		if strings.HasPrefix(aws.ToString(entry.Name), stackName+"/authenticators/") {
			_, value := w.Secret(w.t, aws.ToString(entry.ARN))
			values = append(values, value)
		}
	}
	return values
}

// confidential is what must not be logged: values, with their kinds.
type confidential struct {
	mu     sync.Mutex
	values map[string]string
}

func (c *confidential) add(kind, value string) {
	if len(value) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values[value] = kind
}

// read learns what the service tells a browser.
func (c *confidential) read(a testbrowser.Answer) {
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		c.add("cookie", cookie.Value)
	}
	if u, err := url.Parse(a.URL); err == nil {
		c.add("state", u.Query().Get("state"))
		c.add("code", u.Query().Get("code"))
	}
	c.learn(a.Body)
}

// listen learns what the service and WeCom tell each other.
func (c *confidential) listen(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"code", "access_token", "corpsecret"} {
			c.add(name, r.URL.Query().Get(name))
		}
		answer := httptest.NewRecorder()
		weCom.ServeHTTP(answer, r)
		c.learn(answer.Body.String())
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

func (c *confidential) learn(body string) {
	var said struct {
		Token  string `json:"access_token"`
		Ticket string `json:"user_ticket"`
		Mobile string
	}
	if json.Unmarshal([]byte(body), &said) == nil {
		c.add("access_token", said.Token)
		c.add("user_ticket", said.Ticket)
		c.add("phone", said.Mobile)
	}
}

// checkLogs reads everything that the functions have printed.
func (w *world) checkLogs(t *testing.T) {
	lines := 0
	for _, group := range w.LogGroups(t) {
		function := group[strings.LastIndex(group, "/")+1:]
		ours := 0
		for _, line := range w.Logs(t, function) {
			if strings.HasPrefix(line, "START RequestId") || strings.HasPrefix(line, "END RequestId") || strings.HasPrefix(line, "REPORT RequestId") {
				continue // Lambda's own
			}
			ours++
			if !json.Valid([]byte(line)) {
				t.Errorf("%s logged what is not JSON: %s", function, line)
			}
			if _, err := metricstest.Read([]byte(line)); err != nil {
				t.Errorf("%s logged what CloudWatch would drop: %v: %s", function, err, line)
			}
			for value, kind := range w.known.values {
				if strings.Contains(line, value) {
					t.Errorf("LEAK: %s in the log of %s: %s", kind, function, line)
				}
			}
			if strings.Contains(line, `"level":"ERROR"`) {
				t.Errorf("%s logged an error: %s", function, line)
			}
		}
		if lines += ours; ours == 0 {
			t.Errorf("%s has logged nothing", function)
		}
	}
	t.Logf("%d lines of log, %d confidential values, none of them there", lines, len(w.known.values))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
