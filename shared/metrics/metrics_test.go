package metrics_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// line is what a logger writes of measurements, without its time.
func line(service string, measured ...metrics.Measurement) []byte {
	var log bytes.Buffer
	handler := slog.NewJSONHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
	slog.New(handler).LogAttrs(context.Background(), slog.LevelInfo, "request", metrics.Attributes(service, noon, measured...)...)
	return log.Bytes()
}

func TestLine(t *testing.T) {
	got := string(line("wecom-signin", metrics.SignIns("signed_in"), metrics.WeComDuration(81.25), metrics.InternalErrors(0, "callback", "$LATEST")))
	want := `{"level":"INFO","msg":"request","Service":"wecom-signin","Outcome":"signed_in","SignIns":1,"WeComDuration":81.25,"Function":"callback","InternalErrors":0,` +
		`"_aws":{"Timestamp":1795262400000,"CloudWatchMetrics":[` +
		`{"Namespace":"WeComSignIn","Dimensions":[["Service","Outcome"]],"Metrics":[{"Name":"SignIns","Unit":"Count"}]},` +
		`{"Namespace":"WeComSignIn","Dimensions":[["Service"]],"Metrics":[{"Name":"WeComDuration","Unit":"Milliseconds"}]},` +
		`{"Namespace":"WeComSignIn","Dimensions":[["Service"],["Service","Function"]],"Metrics":[{"Name":"InternalErrors","Unit":"Count"}]}]}}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNothingIsMeasuredWithoutANameOrAValue(t *testing.T) {
	if got := metrics.Attributes("", noon, metrics.SignIns("signed_in")); got != nil {
		t.Errorf("a deployment without a name measures %v", got)
	}
	if got := metrics.Attributes("wecom-signin", noon); got != nil {
		t.Errorf("nothing was measured, and there is %v", got)
	}
}

func TestMetrics(t *testing.T) {
	for _, test := range []struct {
		name string
		m    metrics.Measurement
		want []string
	}{
		{"a sign-in", metrics.SignIns("signed_in"), []string{"SignIns{Service=s,Outcome=signed_in} 1 Count"}},
		{"a line of the audit that is lost", metrics.AuditWritesFailed(), []string{"AuditWritesFailed{Service=s} 1 Count"}},
		{"a refusal", metrics.SignIns("first_sign_in_in_wecom"), []string{"SignIns{Service=s,Outcome=first_sign_in_in_wecom} 1 Count"}},
		{"no outcome", metrics.SignIns(""), []string{"SignIns{Service=s,Outcome=other} 1 Count"}},
		{"attack: a new metric for each request", metrics.SignIns("request 12345"), []string{"SignIns{Service=s,Outcome=other} 1 Count"}},
		{"attack: a very long outcome", metrics.SignIns(strings.Repeat("a", 33)), []string{"SignIns{Service=s,Outcome=other} 1 Count"}},
		{"WeCom's number", metrics.WeComErrors("60020"), []string{"WeComErrors{Service=s,WeComCode=60020} 1 Count"}},
		{"WeCom is busy", metrics.WeComErrors("-1"), []string{"WeComErrors{Service=s,WeComCode=-1} 1 Count"}},
		{"WeCom does not answer", metrics.WeComErrors(metrics.NoAnswer), []string{"WeComErrors{Service=s,WeComCode=none} 1 Count"}},
		{"a number of six digits", metrics.WeComErrors("301002"), []string{"WeComErrors{Service=s,WeComCode=301002} 1 Count"}},
		{"attack: numbers without end", metrics.WeComErrors("3010021"), []string{"WeComErrors{Service=s,WeComCode=other} 1 Count"}},
		{"attack: no number", metrics.WeComErrors("4e2"), []string{"WeComErrors{Service=s,WeComCode=other} 1 Count"}},
		{"attack: a sign alone", metrics.WeComErrors("-"), []string{"WeComErrors{Service=s,WeComCode=other} 1 Count"}},
		{"nothing for a number", metrics.WeComErrors(""), []string{"WeComErrors{Service=s,WeComCode=other} 1 Count"}},
		{"lookups stopped", metrics.LookupsStopped(), []string{"LookupsStopped{Service=s} 1 Count"}},
		{"time in WeCom", metrics.WeComDuration(1234.567), []string{"WeComDuration{Service=s} 1234.567 Milliseconds"}},
		{
			"a failure of ours", metrics.InternalErrors(1, "issuer", ""),
			[]string{"InternalErrors{Service=s} 1 Count", "InternalErrors{Service=s,Function=issuer} 1 Count"},
		},
		{
			"a failure of a published version", metrics.InternalErrors(1, "callback", "7"),
			[]string{"InternalErrors{Service=s} 1 Count", "InternalErrors{Service=s,Function=callback} 1 Count", "InternalErrors{Service=s,Function=callback,Version=7} 1 Count"},
		},
		{
			"no failure of ours", metrics.InternalErrors(0, "callback", "$LATEST"),
			[]string{"InternalErrors{Service=s} 0 Count", "InternalErrors{Service=s,Function=callback} 0 Count"},
		},
		{"age of the keys", metrics.SigningKeyAge(30*24*time.Hour + 6*time.Hour), []string{"SigningKeyAge{Service=s} 30.25 None"}},
		{"age of new keys", metrics.SigningKeyAge(time.Second), []string{"SigningKeyAge{Service=s} 0 None"}},
		{"mistake: a clock that is behind", metrics.SigningKeyAge(-time.Hour), []string{"SigningKeyAge{Service=s} 0 None"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for i, value := range test.want {
				test.want[i] = metrics.Namespace + " " + value
			}
			got, err := metricstest.Read(line("s", test.m))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
