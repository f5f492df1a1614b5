package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadPrinted(t *testing.T) {
	const printed = `WeCom Sign-in runs on this machine.

  service      http://localhost:3000
  application  http://localhost:3002  (sign in here)
  admin key    KEY

Stop it with Ctrl-C.
`
	got, err := readPrinted(strings.NewReader(printed))
	want := map[string]string{"service": "http://localhost:3000", "application": "http://localhost:3002", "admin key": "KEY"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := readPrinted(strings.NewReader("listen: the port is taken\n")); err == nil {
		t.Error("a program that ended counts as ready")
	}
}
