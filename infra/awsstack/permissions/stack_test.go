package permissions_test

import (
	"encoding/json"
	"net/url"
	"strings"
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
	known    testbrowser.Confidential
}

func deploy(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.known.Add("private key", "PRIVATE KEY")
	w.known.Add("app secret", appSecret)
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
			{UserID: "zhouba", Name: "周八", Mobile: "13800000006"},
		},
	}}})
	account := awsstack.New(t, awsstack.Config{Root: "../../..", EnforceIAM: true})
	w.weURL = account.Serve(t, w.known.Listen(w.weCom))
	stack, address := account.Deploy(t, stackName, map[string]string{
		"WeComApiUrl": w.weURL, "WeComOAuthUrl": w.weURL, "WeComLoginUrl": w.weURL,
	})
	w.Stack, w.url = stack, address.URL
	must(t, w.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) {
		a.TrustedDomain = strings.TrimPrefix(w.url, "https://")
		a.CallbackDomain = a.TrustedDomain
	}))
	_, w.adminKey = stack.Secret(t, stack.Resources(t)["AdminKey"])
	w.known.Add("admin key", w.adminKey)
	var sealing struct{ Current string }
	if _, value := stack.Secret(t, stack.Resources(t)["SealingKeys"]); json.Unmarshal([]byte(value), &sealing) != nil || sealing.Current == "" {
		t.Fatal("there is no sealing key")
	}
	w.known.Add("sealing key", sealing.Current)
	return w
}

// visitor is somebody with a browser.
type visitor struct {
	*testbrowser.Browser
	*world
}

func (w *world) visitor(member, userAgent string) *visitor {
	return &visitor{testbrowser.New(testbrowser.Config{
		URL: w.url, Transport: w.Transport(), UserAgent: userAgent, OnAnswer: w.learn,
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

// learn remembers what the service tells a browser that must not be logged.
func (w *world) learn(a testbrowser.Answer) {
	w.known.AddCookies(a)
	if u, err := url.Parse(a.URL); err == nil {
		w.known.Add("state", u.Query().Get("state"))
		w.known.Add("code", u.Query().Get("code"))
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
			for _, kind := range w.known.In(line) {
				t.Errorf("LEAK: %s in the log of %s: %s", kind, function, line)
			}
			if strings.Contains(line, `"level":"ERROR"`) {
				t.Errorf("%s logged an error: %s", function, line)
			}
		}
		if lines += ours; ours == 0 {
			t.Errorf("%s has logged nothing", function)
		}
	}
	t.Logf("%d lines of log, searched for each %s", lines, strings.Join(w.known.Kinds(), ", "))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
