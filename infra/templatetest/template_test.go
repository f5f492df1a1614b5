package templatetest_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/functions/events"
	"github.com/wecom-signin/wecom-signin/functions/forwardauth"
	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/functions/memberchecks"
	"github.com/wecom-signin/wecom-signin/functions/notify"
	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/functions/sessionauthorizer"
	"github.com/wecom-signin/wecom-signin/functions/signin"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

func read(t *testing.T) *samtemplate.Template {
	t.Helper()
	read, err := samtemplate.ReadFile(filepath.Join(root, template))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestTemplateDeclaresWhatFunctionsRead(t *testing.T) {
	for _, fault := range settingFaults(read(t)) {
		t.Error(fault)
	}
}

func TestTemplateFunctions(t *testing.T) {
	for _, fault := range functionFaults(read(t)) {
		t.Error(fault)
	}
}

// settingFaults compares variables with settings. One that is declared and not read is
// clutter at best and a right too many at worst; one that is read and not declared is a
// fault that only AWS would show. What the Globals give to all is read by nearly all.
func settingFaults(template *samtemplate.Template) (faults []string) {
	reads := map[string][]settings.Name{
		"AdminFunction": admin.Settings(), "AuthorizeFunction": authorize.Settings(), "AuthorizerFunction": authorizer.Settings(),
		"CallbackFunction": callback.Settings(), "EventsFunction": events.Settings(), "IssuerFunction": issuer.Settings(), "RotateKeysFunction": rotatekeys.Settings(),
		"ForwardAuthFunction": forwardauth.Settings(), "SessionAuthorizerFunction": sessionauthorizer.Settings(), "NotifyFunction": notify.Settings(), "MemberChecksFunction": memberchecks.Settings(), "OpenIDFunction": openid.Settings(), "SigninFunction": signin.Settings(),
	}
	unread := map[string]int{}
	for id, names := range reads {
		var want []string
		for _, name := range names {
			want = append(want, string(name))
		}
		for _, name := range template.CommonVariables {
			if !slices.Contains(want, name) {
				unread[name]++
				want = append(want, name)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, template.Functions[id].Variables); diff != "" {
			faults = append(faults, id+" reads (-) what the template declares (+):\n"+diff)
		}
	}
	for name, functions := range unread {
		if functions > 2 {
			faults = append(faults, fmt.Sprintf("%d functions do not read %s; give it to those that do", functions, name))
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(reads)), slices.Sorted(maps.Keys(template.Functions))); diff != "" {
		faults = append(faults, "functions (-), the template's (+):\n"+diff)
	}
	return faults
}

// functionFaults compares functions with their programs, and routes with the gateway.
func functionFaults(template *samtemplate.Template) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for id, f := range template.Functions {
		// build-<logical id> of the Makefile finds the program by this rule.
		folder := "functions/" + strings.ToLower(strings.TrimSuffix(id, "Function")) + "/lambda"
		if f.CodeURI != folder {
			fault("%s: CodeUri %s, the Makefile builds %s", id, f.CodeURI, folder)
		}
		if _, err := os.Stat(filepath.Join(root, folder, "main.go")); err != nil {
			fault("%s: %v", id, err)
		}
	}
	var keys []string
	for _, route := range template.Routes {
		keys = append(keys, route.Key())
		if limit := template.Functions[route.Function].Timeout; limit >= 30*time.Second {
			fault("%s: %s, but the gateway waits 30 s", route.Function, limit)
		}
		if guarded := strings.HasPrefix(route.Path, "/api/admin/"); guarded != (route.Authorizer == "Administrator") {
			fault("%s: authorizer %q", route.Key(), route.Authorizer)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, slices.Sorted(maps.Keys(template.Throttles))); diff != "" {
		fault("routes (-), throttles (+):\n%s", diff)
	}
	if limit := template.Functions["CallbackFunction"].Timeout; limit < 22*time.Second {
		fault("callback: %s, but an exchange may take 20 s", limit)
	}
	if limit := template.Functions["AuthorizerFunction"].Timeout; limit > 10*time.Second {
		fault("authorizer: %s, but the gateway waits 10 s", limit)
	}
	return faults
}

// The indexes of the template, of the code that asks them, of the alarm for those that are
// throttled, and of the tables that the tests make are one and the same.
func TestTemplateHasTheIndexes(t *testing.T) {
	var text string
	for _, file := range []string{template, "infra/directory.yaml", "infra/roles.yaml", monitoring} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		text += string(content)
	}
	tables := map[string]*dynamodb.CreateTableInput{"TransientTable": {}, "AuditTable": {}}
	dynamotest.DescribeIndexes(tables["TransientTable"])
	dynamotest.DescribeAuditIndexes(tables["AuditTable"])
	for table, input := range tables {
		for _, attribute := range input.AttributeDefinitions {
			if wanted := "- {AttributeName: " + *attribute.AttributeName + ", AttributeType: " + string(attribute.AttributeType) + "}"; !strings.Contains(text, wanted) {
				t.Errorf("the template lacks\n%s", wanted)
			}
		}
		hasIndexes(t, text, table, input)
	}
	if transient, audit := len(tables["TransientTable"].GlobalSecondaryIndexes), len(tables["AuditTable"].GlobalSecondaryIndexes); transient != 3 || audit != 5 {
		t.Errorf("%d and %d indexes", transient, audit)
	}
}

func hasIndexes(t *testing.T, text, table string, input *dynamodb.CreateTableInput) {
	t.Helper()
	for _, index := range input.GlobalSecondaryIndexes {
		owner, order := *index.KeySchema[0].AttributeName, *index.KeySchema[1].AttributeName
		for _, wanted := range []string{
			"- IndexName: " + *index.IndexName + "\n          KeySchema: [{AttributeName: " + owner + ", KeyType: HASH}, {AttributeName: " + order + ", KeyType: RANGE}]\n" +
				"          Projection: {ProjectionType: INCLUDE, NonKeyAttributes: [" + strings.Join(index.Projection.NonKeyAttributes, ", ") + "]}",
			"Value: !Ref " + table + "}, {Name: GlobalSecondaryIndexName, Value: " + *index.IndexName + "}",
			"${" + table + "}/index/" + *index.IndexName,
		} {
			if !strings.Contains(text, wanted) {
				t.Errorf("the template lacks\n%s", wanted)
			}
		}
	}
}

// What the daily request of infra/monitoring.yaml hands to the function issuer is an event
// that it takes for a request of the keys.
func TestDailyRequestAsksForTheKeys(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(root, monitoring))
	if err != nil {
		t.Fatal(err)
	}
	_, input, _ := strings.Cut(string(content), "          Input: '")
	input, _, _ = strings.Cut(input, "'\n")
	var event lambdaevents.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(input), &event); err != nil {
		t.Fatal(err)
	}
	var asked string
	function := apigw.New(apigw.Config{Name: "issuer", Logger: slog.New(slog.DiscardHandler), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
	})})
	answer, err := function(t.Context(), event)
	if asked != "GET /.well-known/jwks.json" || event.RouteKey != asked || answer.StatusCode != http.StatusOK || err != nil {
		t.Errorf("asked %q for the route %q: %d, %v", asked, event.RouteKey, answer.StatusCode, err)
	}
}
