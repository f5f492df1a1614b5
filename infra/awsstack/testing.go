package awsstack

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
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

// Missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func Missing(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}
