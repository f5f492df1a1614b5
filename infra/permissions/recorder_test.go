package permissions_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/permissions"
)

// startRecorder returns a recorder in front of servers that answer what they are sent.
func startRecorder(t *testing.T, allows func(permissions.Call) bool) *permissions.Recorder {
	t.Helper()
	echo := func(service string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = io.WriteString(w, service+" "+r.Header.Get("X-Amz-Target")+" "+string(body))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	recorder, err := permissions.NewRecorder(permissions.RecorderConfig{
		DynamoDB: echo("tables"), SecretsManager: echo("secrets"), Partition: "aws", Region: "eu-central-1", Account: "111122223333",
		Allows: allows,
	})
	if err != nil {
		t.Fatal(err)
	}
	return recorder
}

func ask(t *testing.T, recorder *permissions.Recorder, target, body string) (status int, answer string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("X-Amz-Target", target)
	recorder.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestRecorder(t *testing.T) {
	one := func(action string, keys ...string) []permissions.Call {
		return []permissions.Call{{Action: "dynamodb:" + action, Resource: table, Keys: keys}}
	}
	tests := []struct {
		target, body string
		want         []permissions.Call
	}{
		{"DynamoDB_20120810.GetItem", `{"TableName":"directory","Key":{"pk":{"S":"user#1"},"sk":{"S":"user"}}}`, one("GetItem", "user#1")},
		{"DynamoDB_20120810.PutItem", `{"TableName":"directory","Item":{"pk":{"S":"users"},"n":{"N":"1"},"b":{"BOOL":true}}}`, one("PutItem", "users")},
		{"DynamoDB_20120810.UpdateItem", `{"TableName":"directory","Key":{"pk":{"S":"user#1"}}}`, one("UpdateItem", "user#1")},
		{"DynamoDB_20120810.DeleteItem", `{"TableName":"directory","Key":{"pk":{"S":"user#1"}}}`, one("DeleteItem", "user#1")},
		{
			"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"directory":{"Keys":[{"pk":{"S":"b"}},{"pk":{"S":"a"}},{"pk":{"S":"b"}}]}}}`,
			one("BatchGetItem", "a", "b"),
		},
		{
			"DynamoDB_20120810.Query", `{"TableName":"directory","KeyConditionExpression":"pk = :pk AND sk BETWEEN :a AND :b","ExpressionAttributeValues":{":pk":{"S":"users"},":a":{"S":"x"}}}`,
			one("Query", "users"),
		},
		{
			"DynamoDB_20120810.Query",
			`{"TableName":"directory","IndexName":"i","KeyConditionExpression":"#owner = :owner AND #at >= :oldest","ExpressionAttributeNames":{"#owner":"userId","#at":"at"},"ExpressionAttributeValues":{":owner":{"S":"an-id"},":oldest":{"N":"1"}}}`,
			[]permissions.Call{{Action: "dynamodb:Query", Resource: table + "/index/i", Keys: []string{"an-id"}}},
		},
		{
			"DynamoDB_20120810.TransactWriteItems",
			`{"TransactItems":[{"Put":{"TableName":"directory","Item":{"pk":{"S":"a"}}}},{"Update":{"TableName":"directory","Key":{"pk":{"S":"b"}}}},` +
				`{"Delete":{"TableName":"directory","Key":{"pk":{"S":"c"}}}},{"ConditionCheck":{"TableName":"directory","Key":{"pk":{"S":"d"}}}}]}`,
			slices.Concat(one("PutItem", "a"), one("UpdateItem", "b"), one("DeleteItem", "c"), one("ConditionCheckItem", "d")),
		},
		{ // judged together, which asks for one statement with both keys
			"DynamoDB_20120810.TransactWriteItems",
			`{"TransactItems":[{"Put":{"TableName":"directory","Item":{"pk":{"S":"a"}}}},{"Put":{"TableName":"directory","Item":{"pk":{"S":"b"}}}}]}`,
			one("PutItem", "a", "b"),
		},
		{"secretsmanager.GetSecretValue", `{"SecretId":"` + secret + `one-GhIjKl"}`, []permissions.Call{{Action: "secretsmanager:GetSecretValue", Resource: secret + "one-GhIjKl"}}},
		{"secretsmanager.CreateSecret", `{"Name":"stack/one","SecretString":"hidden"}`, []permissions.Call{{Action: "secretsmanager:CreateSecret", Resource: secret + "stack/one-AbCdEf"}}},
	}
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			recorder := startRecorder(t, nil)
			service := "tables"
			if strings.HasPrefix(test.target, "secretsmanager") {
				service = "secrets"
			}
			if status, answer := ask(t, recorder, test.target, test.body); status != 200 || answer != service+" "+test.target+" "+test.body {
				t.Errorf("answered %d %s", status, answer)
			}
			got, err := recorder.Calls()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is not understood goes nowhere and fails the proof.
func TestRecorderRefuses(t *testing.T) {
	tests := []struct{ target, body, want string }{
		{"", `{}`, "unknown service"},
		{"Logs_20140328.PutLogEvents", `{}`, "unknown service"},
		{"DynamoDB_20120810.Scan", `{"TableName":"directory"}`, "unknown operation"},
		{"DynamoDB_20120810.ExecuteStatement", `{"Statement":"SELECT * FROM directory"}`, "unknown operation"},
		{"DynamoDB_20120810.GetItem", `nonsense`, "no JSON"},
		{"DynamoDB_20120810.GetItem", `{"Key":{"pk":{"S":"a"}}}`, "an item without table or key"},
		{"DynamoDB_20120810.GetItem", `{"TableName":"directory","Key":{"id":{"S":"a"}}}`, "an item without table or key"},
		{"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{}}`, "it names nothing"},
		{"DynamoDB_20120810.BatchGetItem", `{"RequestItems":{"directory":{"Keys":[{"id":{"S":"a"}}]}}}`, "an item without key"},
		{"DynamoDB_20120810.TransactWriteItems", `{"TransactItems":[{"Get":{"TableName":"directory","Key":{"pk":{"S":"a"}}}}]}`, "unknown part of a transaction"},
		{"DynamoDB_20120810.Query", `{"TableName":"directory","KeyConditionExpression":"pk = :a OR pk = :b"}`, "a query without one partition key"},
		{"DynamoDB_20120810.Query", `{"TableName":"directory","KeyConditionExpression":"owner = :a","ExpressionAttributeValues":{":a":{"S":"x"}}}`, "a query without table or key"},
		{"secretsmanager.ListSecrets", `{}`, "a request without a secret"},
	}
	for _, test := range tests {
		t.Run(test.target+" "+test.want, func(t *testing.T) {
			recorder := startRecorder(t, nil)
			if status, answer := ask(t, recorder, test.target, test.body); status != http.StatusBadRequest || strings.HasPrefix(answer, "tables") {
				t.Errorf("answered %d %s", status, answer)
			}
			if _, err := recorder.Calls(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if _, err := permissions.NewRecorder(permissions.RecorderConfig{DynamoDB: "http://127.0.0.1:1"}); err == nil {
		t.Error("a recorder with nothing behind it was made")
	}
}

// With a role the recorder is IAM: one item of a transaction that is not allowed
// refuses all of it.
func TestRecorderEnforcesARole(t *testing.T) {
	role := permissions.Role{Statements: []permissions.Statement{{
		Actions: []string{"dynamodb:PutItem", "dynamodb:DeleteItem"}, Resources: []string{table}, Keys: []string{"user#*"},
	}}}
	recorder := startRecorder(t, role.Allows)
	put := func(key string) string { return `{"Put":{"TableName":"directory","Item":{"pk":{"S":"` + key + `"}}}}` }
	const target = "DynamoDB_20120810.TransactWriteItems"
	if status, answer := ask(t, recorder, target, `{"TransactItems":[`+put("user#1")+`]}`); status != http.StatusOK {
		t.Errorf("allowed: %d %s", status, answer)
	}
	if _, err := recorder.Calls(); err != nil {
		t.Error(err)
	}
	status, answer := ask(t, recorder, target, `{"TransactItems":[`+put("user#1")+`,`+put("users")+`]}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, `"__type":"AccessDeniedException"`) {
		t.Errorf("not allowed: %d %s", status, answer)
	}
	if _, err := recorder.Calls(); err == nil || !strings.Contains(err.Error(), "refused: [dynamodb:PutItem "+table+" user#* dynamodb:PutItem "+table+" users]") {
		t.Errorf("got %v", err)
	}
}
