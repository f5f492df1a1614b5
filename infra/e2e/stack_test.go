package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	moduleRoot = "../.."
	stackName  = "signin-e2e"
)

// stack is the service as `sam deploy` would make it.
type stack struct {
	*teststack.Stack
	t *testing.T
}

// deploy makes the stack, with parameters in place of the template's defaults, and
// with IAM between every function and AWS. Both stacks of the tests share programs.
func deploy(t *testing.T, parameters map[string]string) *stack {
	t.Helper()
	return &stack{t: t, Stack: teststack.Deploy(t, teststack.Config{
		Root: moduleRoot, Name: stackName, Parameters: parameters, EnforceRoles: true, Programs: functionPrograms,
	})}
}

var functionPrograms = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	if err != nil {
		return "", err
	}
	return folder, teststack.Build(context.Background(), moduleRoot, folder)
})

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

// authenticatorSecrets returns the values of the secrets that belong to
// authenticators.
func (s *stack) authenticatorSecrets() []string {
	s.t.Helper()
	list, err := s.Secrets.ListSecrets(s.t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	var values []string
	for _, entry := range list.SecretList {
		if !strings.HasPrefix(aws.ToString(entry.Name), stackName+"/authenticators/") {
			continue
		}
		value, err := s.Secrets.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: entry.ARN})
		if err != nil {
			s.t.Fatal(err)
		}
		values = append(values, aws.ToString(value.SecretString))
	}
	return values
}

// confidential is what must not be logged.
type confidential struct {
	mu     sync.Mutex
	values map[string]string // to their kind
}

func (c *confidential) add(kind, value string) {
	if len(value) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]string{}
	}
	c.values[value] = kind
}

// listen reads along what the service and WeCom tell each other.
func (c *confidential) listen(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"code", "access_token", "corpsecret"} {
			c.add(name, r.URL.Query().Get(name))
		}
		answer := httptest.NewRecorder()
		weCom.ServeHTTP(answer, r)
		var said struct {
			Token  string `json:"access_token"`
			Ticket string `json:"user_ticket"`
		}
		if json.Unmarshal(answer.Body.Bytes(), &said) == nil {
			c.add("access_token", said.Token)
			c.add("user_ticket", said.Ticket)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// findIn returns the kinds of what a log shows.
func (c *confidential) findIn(log string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for value, kind := range c.values {
		if strings.Contains(log, value) {
			found = append(found, kind)
		}
	}
	return found
}

// startWeCom starts a company whose app trusts a domain that is known later.
func startWeCom(t *testing.T, known *confidential) (*wecomsim.Simulator, string) {
	t.Helper()
	simulator := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corpID,
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Fields: []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar},
		}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
		},
	}}})
	server := httptest.NewServer(known.listen(simulator))
	t.Cleanup(server.Close)
	return simulator, server.URL
}
