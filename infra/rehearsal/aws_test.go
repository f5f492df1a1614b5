package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ask calls a service of AWS without an SDK of its own: the rehearsal asks eight of
// them one question each.
func (s *stack) ask(t *testing.T, service, method, path, target, body string) []byte {
	t.Helper()
	status, answer := s.try(t, service, method, path, target, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s%s %s: %d %s", service, path, target, body, status, answer)
	}
	return answer
}

// try is ask for a question that may be refused.
func (s *stack) try(t *testing.T, service, method, path, target, body string) (status int, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.aws.Endpoint+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case target != "":
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
	case body != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err := s.aws.Sign(t.Context(), service, r, body); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// query calls a service that takes forms.
func (s *stack) query(t *testing.T, service, version, action string, fields url.Values) []byte {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {version}}
	maps.Copy(form, fields)
	return s.ask(t, service, http.MethodPost, "/", "", form.Encode())
}

func (s *stack) cloudFormation(t *testing.T, action string) []byte {
	t.Helper()
	return s.query(t, "cloudformation", "2010-05-15", action, url.Values{"StackName": {stackName}})
}

// values returns what an answer, in XML or JSON, says under a name, in order.
func values(t *testing.T, answer []byte, name string) []string {
	t.Helper()
	var found []string
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("<")) {
		for decoder := xml.NewDecoder(bytes.NewReader(answer)); ; {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				return found
			}
			if err != nil {
				t.Fatal(err)
			}
			if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
				var text string
				if err := decoder.DecodeElement(&text, &start); err != nil {
					t.Fatal(err)
				}
				found = append(found, text)
			}
		}
	}
	var value any
	if err := json.Unmarshal(answer, &value); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case []any:
			for _, entry := range value {
				walk(entry)
			}
		case map[string]any:
			for key, entry := range value {
				if text, ok := entry.(string); ok && key == name {
					found = append(found, text)
				}
				walk(entry)
			}
		}
	}
	walk(value)
	return found
}

// outputs returns what the stack says of itself.
func (s *stack) outputs(t *testing.T) map[string]string {
	t.Helper()
	answer := s.cloudFormation(t, "DescribeStacks")
	keys, texts := values(t, answer, "OutputKey"), values(t, answer, "OutputValue")
	if len(keys) == 0 || len(keys) != len(texts) {
		t.Fatalf("the stack's outputs are %q with %q", keys, texts)
	}
	outputs := map[string]string{}
	for i, key := range keys {
		outputs[key] = texts[i]
	}
	return outputs
}

func (s *stack) status(t *testing.T) string {
	t.Helper()
	return strings.Join(values(t, s.cloudFormation(t, "DescribeStacks"), "StackStatus"), " ")
}

// resources returns the physical names of the stack's resources by their logical ones.
func (s *stack) resources(t *testing.T) map[string]string {
	t.Helper()
	answer := s.cloudFormation(t, "DescribeStackResources")
	names, ids := values(t, answer, "LogicalResourceId"), values(t, answer, "PhysicalResourceId")
	if len(names) != len(ids) {
		t.Fatalf("%d resources with %d names", len(names), len(ids))
	}
	resources := map[string]string{}
	for i, name := range names {
		resources[name] = ids[i]
	}
	return resources
}

// roleOf returns the name of a function's role.
func (s *stack) roleOf(t *testing.T, function string) string {
	t.Helper()
	configuration := s.ask(t, "lambda", http.MethodGet, "/2015-03-31/functions/"+s.resources(t)[function]+"/configuration", "", "")
	roles := values(t, configuration, "Role")
	if len(roles) != 1 {
		t.Fatalf("%s has the roles %q", function, roles)
	}
	return roles[0][strings.LastIndex(roles[0], "/")+1:]
}

// alarmed reports whether an alarm went off, and fails the test when nothing has been
// measured under the names that it watches: the emulator's alarms look at a metric's
// name alone.
func (s *stack) alarmed(t *testing.T, alarm string) bool {
	t.Helper()
	metrics := func(action string, question map[string]any) []byte {
		body, err := json.Marshal(question)
		if err != nil {
			t.Fatal(err)
		}
		return s.ask(t, "monitoring", http.MethodPost, "/", "GraniteServiceVersion20100801."+action, string(body))
	}
	described := metrics("DescribeAlarms", map[string]any{"AlarmNames": []string{s.resources(t)[alarm]}})
	var found struct {
		MetricAlarms []struct {
			Namespace, MetricName, StateValue string
			Dimensions                        []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(described, &found); err != nil || len(found.MetricAlarms) != 1 {
		t.Fatalf("%v in %s", err, described)
	}
	watched := found.MetricAlarms[0]
	measured := metrics("ListMetrics", map[string]any{"Namespace": watched.Namespace, "MetricName": watched.MetricName, "Dimensions": watched.Dimensions})
	if len(watched.Dimensions) == 0 || len(values(t, measured, "MetricName")) == 0 {
		t.Errorf("%s watches what nobody measures: %+v", alarm, watched)
	}
	return watched.StateValue == "ALARM"
}

// inventory lists everything that can cost money or open a door, each as KIND NAME.
func (s *stack) inventory(t *testing.T) []string {
	t.Helper()
	var list []string
	add := func(kind, name string, answer []byte) {
		for _, value := range values(t, answer, name) {
			list = append(list, kind+" "+value)
		}
	}
	add("function", "FunctionName", s.ask(t, "lambda", "GET", "/2015-03-31/functions/", "", ""))
	add("api", "apiId", s.ask(t, "apigateway", "GET", "/v2/apis", "", ""))
	add("role", "RoleName", s.query(t, "iam", "2010-05-08", "ListRoles", nil))
	add("log group", "logGroupName", s.ask(t, "logs", "POST", "/", "Logs_20140328.DescribeLogGroups", "{}"))
	add("alarm", "AlarmName", s.query(t, "monitoring", "2010-08-01", "DescribeAlarms", nil))
	add("dashboard", "DashboardName", s.query(t, "monitoring", "2010-08-01", "ListDashboards", nil))
	add("topic", "TopicArn", s.query(t, "sns", "2010-03-31", "ListTopics", nil))
	add("secret", "Name", s.ask(t, "secretsmanager", "POST", "/", "secretsmanager.ListSecrets", `{"IncludePlannedDeletion":true}`))
	add("stack", "StackName", s.query(t, "cloudformation", "2010-05-15", "DescribeStacks", nil))
	add("bucket", "Name", s.ask(t, "s3", "GET", "/", "", ""))
	add("network", "vpcId", s.query(t, "ec2", "2016-11-15", "DescribeVpcs", nil))
	add("address", "publicIp", s.query(t, "ec2", "2016-11-15", "DescribeAddresses", nil))
	add("gateway", "natGatewayId", s.query(t, "ec2", "2016-11-15", "DescribeNatGateways", url.Values{"Filter.1.Name": {"state"}, "Filter.1.Value.1": {"available"}}))
	var tables struct{ TableNames []string }
	if err := json.Unmarshal(s.ask(t, "dynamodb", "POST", "/", "DynamoDB_20120810.ListTables", "{}"), &tables); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables.TableNames {
		list = append(list, "table "+name)
	}
	slices.Sort(list)
	return list
}

// logs returns what the function of a log group has printed.
func (s *stack) logs(t *testing.T, function string) []string {
	t.Helper()
	group := fmt.Sprintf("/aws/lambda/%s/%s", stackName, function)
	return values(t, s.ask(t, "logs", "POST", "/", "Logs_20140328.FilterLogEvents", fmt.Sprintf(`{"logGroupName":%q}`, group)), "message")
}

// explain prints what an operator would look at after a failure.
func (s *stack) explain(t *testing.T) {
	t.Helper()
	events := s.cloudFormation(t, "DescribeStackEvents")
	for _, reason := range values(t, events, "ResourceStatusReason") {
		if reason != "" {
			t.Log("stack:", reason)
		}
	}
	for _, group := range values(t, s.ask(t, "logs", "POST", "/", "Logs_20140328.DescribeLogGroups", "{}"), "logGroupName") {
		name, ours := strings.CutPrefix(group, "/aws/lambda/"+stackName+"/")
		if !ours {
			continue
		}
		for _, line := range s.logs(t, name) {
			if strings.Contains(line, `"ERROR"`) || strings.Contains(line, `"WARN"`) || strings.HasPrefix(line, "panic:") {
				t.Log(name+":", strings.TrimSpace(line))
			}
		}
	}
}
