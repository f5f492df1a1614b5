package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const events = `{"Action":"run","Package":"a","Test":"TestOne"}
{"Action":"output","Package":"a","Test":"TestOne","Output":"noise\n"}
{"Action":"pass","Package":"a","Test":"TestOne"}
{"Action":"output","Package":"a","Test":"TestTwo","Output":"=== RUN   TestTwo\n"}
{"Action":"output","Package":"a","Test":"TestTwo","Output":"    a_test.go:1: SKIP dynamo: no dynoxide\n"}
{"Action":"skip","Package":"a","Test":"TestTwo"}
{"Action":"skip","Package":"a","Test":"FuzzFour/seed#1"}
{"Action":"pass","Package":"a","Elapsed":0.5}
`
	const failure = `{"Action":"output","Package":"b","Test":"TestThree","Output":"wrong\n"}
{"Action":"fail","Package":"b","Test":"TestThree"}
{"Action":"fail","Package":"b"}
`
	const broken = `{"Action":"build-output","ImportPath":"c","Output":"c.go:1: undefined: x\n"}
{"Action":"fail","Package":"c"}
`
	skipped := "SKIP a TestTwo\n    a_test.go:1: SKIP dynamo: no dynoxide\nok   a 0.5s\n"
	tests := []struct {
		name, events string
		strict, ok   bool
		want         string
	}{
		{"skips are allowed", events, false, true, skipped + "1 passed, 0 failed, 1 skipped\n"},
		{"skips in CI", events, true, false, skipped + "1 passed, 0 failed, 1 skipped\n"},
		{"failure", failure, false, false, "FAIL b TestThree\nwrong\nFAIL b\n0 passed, 1 failed, 0 skipped\n"},
		{"compile error", broken, false, false, "c.go:1: undefined: x\nFAIL c\n0 passed, 1 failed, 0 skipped\n"},
		{"no JSON", "panic\n", false, true, "panic\n0 passed, 0 failed, 0 skipped\n"},
	}
	for _, test := range tests {
		var out strings.Builder
		ok := newReport(&out).read(strings.NewReader(test.events), test.strict)
		if ok != test.ok || out.String() != test.want {
			t.Errorf("%s: %v\n%s", test.name, ok, out.String())
		}
	}
}
