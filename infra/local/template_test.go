package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// A variable that is declared and not read is clutter at best and a right too many
// at worst; one that is read and not declared is a fault that only AWS would show.
func TestTemplateDeclaresWhatFunctionsRead(t *testing.T) {
	template, err := readTemplate()
	if err != nil {
		t.Fatal(err)
	}
	read := map[string][]settings.Name{
		authorizerID:         authorizer.Settings(),
		"RotateKeysFunction": rotatekeys.Settings(),
	}
	for id, f := range httpFunctions() {
		read[id] = f.settings
	}
	for id, names := range read {
		var want []string
		for _, name := range names {
			want = append(want, string(name))
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, template.Functions[id].Environment); diff != "" {
			t.Errorf("%s reads (-) what the template declares (+):\n%s", id, diff)
		}
	}
	if len(read) != len(template.Functions) {
		t.Errorf("%d functions here, %d in the template", len(read), len(template.Functions))
	}
}

func TestTemplateFunctions(t *testing.T) {
	template, err := readTemplate()
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range template.Functions {
		// build-<logical id> of the Makefile finds the program by this rule.
		folder := "functions/" + strings.ToLower(strings.TrimSuffix(id, "Function")) + "/lambda"
		if f.CodeURI != folder {
			t.Errorf("%s: CodeUri %s, the Makefile builds %s", id, f.CodeURI, folder)
		}
		if _, err := os.Stat(filepath.Join("../..", folder, "main.go")); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, route := range template.Routes {
		if limit := template.Functions[route.Function].Timeout; limit >= 30*time.Second {
			t.Errorf("%s: %s, but the gateway waits 30 s", route.Function, limit)
		}
		if guarded := strings.HasPrefix(route.Path, "/api/admin/"); guarded != (route.Authorizer == "Administrator") {
			t.Errorf("%s: authorizer %q", route.Key(), route.Authorizer)
		}
	}
	if limit := template.Functions["CallbackFunction"].Timeout; limit < 22*time.Second {
		t.Errorf("callback: %s, but an exchange may take 20 s", limit)
	}
}

// The indexes of the template, of the code that asks them, and of the tables that the
// tests make are one and the same.
func TestTemplateHasTheIndexes(t *testing.T) {
	content, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var input dynamodb.CreateTableInput
	dynamotest.DescribeEvents(&input)
	for _, index := range input.GlobalSecondaryIndexes {
		owner := *index.KeySchema[0].AttributeName
		for _, wanted := range []string{
			"- IndexName: " + *index.IndexName + "\n          KeySchema: [{AttributeName: " + owner + ", KeyType: HASH}, {AttributeName: at, KeyType: RANGE}]\n" +
				"          Projection: {ProjectionType: INCLUDE, NonKeyAttributes: [" + strings.Join(index.Projection.NonKeyAttributes, ", ") + "]}",
			"- {AttributeName: " + owner + ", AttributeType: S}",
			"${TransientTable.Arn}/index/" + *index.IndexName,
		} {
			if !strings.Contains(string(content), wanted) {
				t.Errorf("the template lacks\n%s", wanted)
			}
		}
	}
	if len(input.GlobalSecondaryIndexes) != 2 {
		t.Errorf("%d indexes", len(input.GlobalSecondaryIndexes))
	}
}
