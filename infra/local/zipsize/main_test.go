package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "hello")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "bootstrap")
	content := make([]byte, 300_000) // random bytes do not shrink, zeros do
	_, _ = rand.Read(content[:200_000])
	if err := os.WriteFile(program, content, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ argument, out, err string }{
		{program + "=0.3", "hello         0.20 MB zipped, 0.3 allowed\n", ""},
		{program + "=0.1", "hello         0.20 MB zipped, 0.1 allowed\n", "too large: hello"},
		{program, "", "is not PATH=MEGABYTES"},
		{program + "=much", "", "is not PATH=MEGABYTES"},
		{folder + "/none=1", "", "read program"},
	}
	for _, test := range tests {
		var out strings.Builder
		err := run([]string{test.argument}, &out)
		if out.String() != test.out || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %q, %v", filepath.Base(test.argument), out.String(), err)
		}
	}
}
