package metricstest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

const good = `{"time":"2026-11-21T12:00:00Z","Service":"s","Outcome":"signed_in","SignIns":1,` +
	`"_aws":{"Timestamp":1795262400000,"CloudWatchMetrics":[{"Namespace":"N","Dimensions":[["Service","Outcome"]],"Metrics":[{"Name":"SignIns","Unit":"Count"}]}]}}` + "\n"

func TestRead(t *testing.T) {
	got, err := metricstest.Read([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"N SignIns{Service=s,Outcome=signed_in} 1 Count"}, got); diff != "" {
		t.Error(diff)
	}
	if got, err := metricstest.Read([]byte(`{"msg":"request"}`)); got != nil || err != nil {
		t.Errorf("a line without metadata: %v, %v", got, err)
	}
}

// A reader that accepts everything would prove nothing.
func TestReadRefusesBrokenLines(t *testing.T) {
	many := strings.TrimSuffix(strings.Repeat(`{"Name":"SignIns","Unit":"Count"},`, 101), ",")
	for _, test := range []struct{ name, old, changed, want string }{
		{"text before the object", `{"time"`, `2026 {"time"`, "not a JSON object"},
		{"text after the object", "}}\n", "}} RequestId", "after the object"},
		{"a member twice", `"Service":"s"`, `"Service":"s","Service":"t"`, "twice"},
		{"metadata in a group", `"_aws":{`, `"_aws":{"group":{},`, "unknown field"},
		{"no time", `"Timestamp":1795262400000,`, ``, "no Timestamp"},
		{"time in seconds", `1795262400000`, `1795262400`, "not in milliseconds"},
		{"time as text", `1795262400000`, `"2026-11-21T12:00:00Z"`, "read metadata"},
		{"no directive", `[{"Namespace":"N","Dimensions":[["Service","Outcome"]],"Metrics":[{"Name":"SignIns","Unit":"Count"}]}]`, `[]`, "no CloudWatchMetrics"},
		{"no namespace", `"Namespace":"N",`, ``, "no namespace"},
		{"AWS's namespace", `"N"`, `"AWS/Lambda"`, "no namespace"},
		{"no set of dimensions", `[["Service","Outcome"]]`, `[]`, "no set of dimensions"},
		{"too many metrics", `{"Name":"SignIns","Unit":"Count"}`, many, "101 metrics"},
		{"too many dimensions", `["Service","Outcome"]`, `["Service"` + strings.Repeat(`,"Service"`, 30) + `]`, "31 dimensions"},
		{"a metric that is not there", `"SignIns":1,`, ``, "SignIns is not a number"},
		{"a metric as text", `"SignIns":1`, `"SignIns":"1"`, "SignIns is not a number"},
		{"a dimension that is not there", `"Outcome":"signed_in",`, ``, "Outcome is not a string"},
		{"a dimension as a number", `"signed_in"`, `7`, "Outcome is not a string"},
		{"an empty dimension", `"signed_in"`, `""`, "has the value"},
		{"a dimension beyond ASCII", `"signed_in"`, `"已登录"`, "has the value"},
		{"a unit that there is not", `"Unit":"Count"`, `"Unit":"Days"`, `"Days"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Count(good, test.old) != 1 {
				t.Fatalf("%q is not once in the line", test.old)
			}
			_, err := metricstest.Read([]byte(strings.Replace(good, test.old, test.changed, 1)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
