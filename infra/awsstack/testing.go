package awsstack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// New starts an account that ends with the test. What went wrong in it is part of a
// failed test's log.
func New(t testing.TB, cfg Config) *Account {
	t.Helper()
	var log bytes.Buffer
	cfg.Log = &log
	// Not the test's context: cleaning up at its end still talks to the account.
	a, err := Start(context.WithoutCancel(t.Context()), cfg)
	if errors.Is(err, ErrMissing) {
		Missing(t, "AWS on ministack", err.Error())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(log.String()) {
			if t.Failed() && (strings.Contains(line, "ERROR") || strings.Contains(line, "Error:")) {
				t.Log("account:", strings.TrimSpace(line))
			}
		}
	})
	return a
}

// BeginRotation begins a rotation of a secret as Secrets Manager does, with a version
// that has no value, and leaves its steps to the test. Only Secrets Manager can make
// such a version, and only when it has a function to call: it is given one that fails,
// after which the rotation waits as it does on AWS.
func (a *Account) BeginRotation(t testing.TB, secretID, token string) {
	t.Helper()
	function := a.CreateFunction(t, "fails-"+token, nil)
	if _, err := secretsmanager.NewFromConfig(a.SDK()).RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &secretID, ClientRequestToken: &token, RotationLambdaARN: &function,
	}); err != nil {
		t.Fatal(err)
	}
}

// CreateFunction makes a function of a program, which other services of the account may
// invoke, and returns its ARN. It ends with the account.
func (a *Account) CreateFunction(t testing.TB, name string, program []byte) (arn string) {
	t.Helper()
	create := func(path string, body any) {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a.Call(t, "lambda", http.MethodPost, "/2015-03-31/functions"+path, "", encoded)
	}
	role := map[string][]string{
		"RoleName":                 {name},
		"AssumeRolePolicyDocument": {`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`},
	}
	a.Query(t, "iam", "2010-05-08", "CreateRole", role)
	create("", map[string]any{
		"FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 600,
		"Role": "arn:aws:iam::" + AccountID + ":role/" + name, "Code": map[string]any{"ZipFile": archive(t, program)},
	})
	create("/"+name+"/policy", map[string]any{
		"StatementId": "rotation", "Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com",
	})
	return "arn:aws:lambda:" + Region + ":" + AccountID + ":function:" + name
}

// Missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func Missing(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}
