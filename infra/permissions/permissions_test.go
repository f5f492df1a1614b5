package permissions_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
)

var update = flag.Bool("update", false, "write the recorded calls to testdata/calls.txt")

const golden = "testdata/calls.txt"

// The built functions make every call that they ever make, and each one's role allows
// these and nothing else, in every way that the template may be deployed.
func TestRolesAllowWhatFunctionsDo(t *testing.T) {
	w := deploy(t, company())
	journeys(t, w)

	families := permissions.Families{"arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + stackName + "/authenticators/"}
	calls := w.Calls()
	var table strings.Builder
	for _, id := range slices.Sorted(maps.Keys(calls)) {
		var grants []permissions.Grant
		for _, call := range calls[id] {
			grants = append(grants, call.Grants(families)...)
		}
		table.WriteString(id + "\n" + permissions.Table(grants, w.names()))
	}
	compareWithGolden(t, table.String())

	tests := []struct {
		name       string
		parameters map[string]string
		directory  string // in place of the stack's own
	}{
		{"as it is deployed by default", nil, ""},
		{"with fixed addresses", map[string]string{"EgressMode": "nat"}, ""},
		{"with a restored directory", map[string]string{"DirectoryTableName": "restored-directory"}, "restored-directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			stack := evaluate(t, test.parameters, w.Resources)
			roles, faults := permissions.Roles(stack)
			for id, made := range calls {
				if test.directory != "" {
					made = moved(made, tableARN(w.Resources["DirectoryTable"]), tableARN(test.directory))
				}
				for _, fault := range permissions.Compare(roles[id], made, families, logGroup(stack, id)) {
					faults = append(faults, id+": "+w.readable(fault))
				}
			}
			for _, fault := range slices.Sorted(slices.Values(faults)) {
				t.Error(fault)
			}
			if len(roles) != len(calls) {
				t.Errorf("%d roles, %d functions", len(roles), len(calls))
			}
		})
	}
	if t.Failed() {
		t.Logf("The functions' calls:\n%s", &table)
	}
}

// moved returns the calls as they are made when a table has another name.
func moved(calls []permissions.Call, from, to string) []permissions.Call {
	moved := slices.Clone(calls)
	for i := range moved {
		if moved[i].Resource == from {
			moved[i].Resource = to
		}
	}
	return moved
}

// names are what the table shows in place of ARNs.
func (w *world) names() map[string]string {
	names := map[string]string{"arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + stackName + "/": "STACK/"}
	for id, physical := range w.Resources {
		if strings.HasSuffix(id, "Table") {
			physical = tableARN(physical)
		}
		names[physical] = id
	}
	return names
}

func (w *world) readable(text string) string {
	for arn, name := range w.names() {
		text = strings.ReplaceAll(text, arn, name)
	}
	return text
}

// logGroup is the name of a function's log group, whose logical id ends what !Ref gives.
func logGroup(stack *cloudformation.Stack, function string) string {
	logging, _ := stack.Resources[function].Properties["LoggingConfig"].(map[string]any)
	group, _ := logging["LogGroup"].(string)
	name, _ := stack.Resources[group[strings.LastIndex(group, "-")+1:]].Properties["LogGroupName"].(string)
	return name
}

// compareWithGolden shows in a change of the file what a change of the code asks for.
func compareWithGolden(t *testing.T, table string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), table); diff != "" {
		t.Errorf("the functions make other calls than %s says (-update writes it):\n%s", golden, diff)
	}
}
