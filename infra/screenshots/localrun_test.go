package main

import (
	"strings"
	"testing"
)

func TestWaitUntilReady(t *testing.T) {
	const printed = `WeCom Sign-in runs on this machine.

  service      http://localhost:3000

Stop it with Ctrl-C.
`
	if err := waitUntilReady(strings.NewReader(printed)); err != nil {
		t.Error(err)
	}
	if err := waitUntilReady(strings.NewReader("listen: the port is taken\n")); err == nil {
		t.Error("a program that ended counts as ready")
	}
}
