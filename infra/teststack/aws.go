package teststack

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// StartAWS starts an emulator that ends with the test. Root is the module's folder.
func StartAWS(t testing.TB, root string) *emulator.AWS {
	t.Helper()
	log := &Log{}
	made, err := emulator.Start(t.Context(), emulator.Config{Tools: filepath.Join(root, ".tools"), Log: log})
	if errors.Is(err, emulator.ErrMissing) {
		missing(t, "AWS on ministack", err.Error())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	return made
}

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

// absentee is a function that Secrets Manager may call and that cannot be started.
const absentee = "absentee"

// BeginRotation begins a rotation of a secret as Secrets Manager does, with a version
// that has no value, and leaves its steps to the test. Only Secrets Manager can make
// such a version, and only when it has a function to call: it is given one that fails,
// after which the rotation waits as it does on AWS.
func BeginRotation(t testing.TB, on *emulator.AWS, secretID, token string) {
	t.Helper()
	var code bytes.Buffer
	if err := zip.NewWriter(&code).Close(); err != nil {
		t.Fatal(err)
	}
	// The first rotation makes the function; it is there for the others.
	const functions = "/2015-03-31/functions"
	post(t, on, functions, map[string]any{
		"FunctionName": absentee, "Runtime": "provided.al2023", "Handler": "bootstrap",
		"Role": "arn:aws:iam::" + emulator.Account + ":role/" + absentee, "Code": map[string]any{"ZipFile": code.Bytes()},
	})
	post(t, on, functions+"/"+absentee+"/policy", map[string]any{
		"StatementId": "rotation", "Action": "lambda:InvokeFunction", "Principal": "secretsmanager.amazonaws.com",
	})
	function := "arn:aws:lambda:" + emulator.Region + ":" + emulator.Account + ":function:" + absentee
	if _, err := secretsmanager.NewFromConfig(on.SDK()).RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{
		SecretId: &secretID, ClientRequestToken: &token, RotationLambdaARN: &function,
	}); err != nil {
		t.Fatal(err)
	}
}

// post asks Lambda to make something; that it is there already is no fault.
func post(t testing.TB, on *emulator.AWS, path string, body any) {
	t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, on.Endpoint+path, bytes.NewReader(encoded))
	if err != nil {
		t.Fatal(err)
	}
	if err := on.Sign(t.Context(), "lambda", r, string(encoded)); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if said, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusCreated && response.StatusCode != http.StatusConflict {
		t.Fatalf("%s: %d %s", path, response.StatusCode, said)
	}
}
