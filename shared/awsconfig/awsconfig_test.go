package awsconfig_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
)

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

func TestFaultsAreReportedTogether(t *testing.T) {
	_, err := awsconfig.FromEnvironment(environment(map[string]string{
		"AWS_ENDPOINT_URL":          "localhost:8000",
		"AWS_ENDPOINT_URL_DYNAMODB": "ftp://x",
	}))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"AWS_REGION is not set", "AWS_ENDPOINT_URL is not", "AWS_ENDPOINT_URL_DYNAMODB is not"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}

func TestRegion(t *testing.T) {
	tests := map[string]map[string]string{
		"cn-north-1": {"AWS_REGION": "cn-north-1", "AWS_DEFAULT_REGION": "us-east-1"},
		"us-east-1":  {"AWS_REGION": "", "AWS_DEFAULT_REGION": "us-east-1"},
	}
	for want, values := range tests {
		cfg, err := awsconfig.FromEnvironment(environment(values))
		if err != nil || cfg.Region != want {
			t.Errorf("got %q, %v, want %q", cfg.Region, err, want)
		}
	}
}

// recorded is an AWS that answers {} and remembers who asked what.
type recorded struct {
	*httptest.Server
	targets []string
	auth    []string
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.targets = append(r.targets, request.Header.Get("X-Amz-Target"))
		r.auth = append(r.auth, request.Header.Get("Authorization")+"|"+request.Header.Get("X-Amz-Security-Token"))
		_, _ = io.Copy(io.Discard, request.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(map[string]any{})
	}))
	t.Cleanup(r.Close)
	return r
}

func call(t *testing.T, cfg aws.Config) {
	t.Helper()
	if _, err := dynamodb.NewFromConfig(cfg).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := secretsmanager.NewFromConfig(cfg).ListSecrets(t.Context(), &secretsmanager.ListSecretsInput{}); err != nil {
		t.Fatal(err)
	}
}

func TestEndpointsAndCredentials(t *testing.T) {
	common, tables := newRecorded(t), newRecorded(t)
	values := map[string]string{
		"AWS_REGION":            "eu-central-1",
		"AWS_ACCESS_KEY_ID":     "FIRST",
		"AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_ENDPOINT_URL":      common.URL,
	}
	cfg, err := awsconfig.FromEnvironment(environment(values))
	if err != nil {
		t.Fatal(err)
	}
	call(t, cfg)
	if len(common.targets) != 2 || !strings.HasPrefix(common.auth[0], "AWS4-HMAC-SHA256 Credential=FIRST/") {
		t.Errorf("got %q %q", common.targets, common.auth)
	}

	// The environment's credentials are replaced while the process runs.
	values["AWS_ACCESS_KEY_ID"], values["AWS_SESSION_TOKEN"] = "SECOND", "token"
	call(t, cfg)
	if last := common.auth[3]; !strings.Contains(last, "Credential=SECOND/") || !strings.HasSuffix(last, "|token") {
		t.Errorf("got %q", last)
	}

	values["AWS_ENDPOINT_URL_DYNAMODB"] = tables.URL + "/"
	cfg, err = awsconfig.FromEnvironment(environment(values))
	if err != nil {
		t.Fatal(err)
	}
	call(t, cfg)
	if len(tables.targets) != 1 || len(common.targets) != 5 {
		t.Errorf("got %q and %q", tables.targets, common.targets)
	}
}

func TestMissingCredentials(t *testing.T) {
	cfg, err := awsconfig.FromEnvironment(environment(map[string]string{"AWS_REGION": "eu-central-1"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cfg.Credentials.Retrieve(t.Context()); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("got %v", err)
	}
}

func TestAttemptsAreBounded(t *testing.T) {
	var attempts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attempts.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	cfg, err := awsconfig.FromEnvironment(environment(map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = dynamodb.NewFromConfig(cfg).ListTables(t.Context(), &dynamodb.ListTablesInput{})
	if err == nil || attempts.Load() != 3 {
		t.Errorf("%d attempts, %v", attempts.Load(), err)
	}
}
