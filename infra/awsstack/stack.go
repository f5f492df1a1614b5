package awsstack

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// Stack is template.yaml deployed in an account.
type Stack struct {
	*Account
	Name string
}

// Deploy deploys template.yaml and what it nests, with values in place of its defaults,
// behind an address that is its PublicUrl unless one is given.
func (a *Account) Deploy(t testing.TB, name string, parameters map[string]string) (*Stack, *Address) {
	t.Helper()
	s, address := &Stack{a, name}, a.NewAddress(t)
	all := map[string]string{"PublicUrl": address.URL}
	maps.Copy(all, parameters)
	s.apply(t, "CreateStack", all)
	if err := address.LeadTo(s.Outputs(t)["ApiUrl"]); err != nil {
		t.Fatal(err)
	}
	return s, address
}

// Update deploys template.yaml over the stack, with new versions of its functions. What
// parameters leaves out keeps its value.
func (s *Stack) Update(t testing.TB, parameters map[string]string) {
	t.Helper()
	all := s.describe(t).Pairs(t, "ParameterKey", "ParameterValue")
	maps.Copy(all, parameters)
	s.apply(t, "UpdateStack", all)
}

func (s *Stack) apply(t testing.TB, action string, parameters map[string]string) {
	t.Helper()
	parameters["Architecture"] = Architecture(t)
	fields := url.Values{
		"StackName": {s.Name}, "TemplateURL": {s.packageTemplate(t)},
		"Capabilities.member.1": {"CAPABILITY_IAM"}, "Capabilities.member.2": {"CAPABILITY_AUTO_EXPAND"},
	}
	i := 0
	for name, value := range parameters {
		i++
		fields.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", i), name)
		fields.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", i), value)
	}
	s.cloudFormation(t, action, fields)
	var status string
	Until(t, action+" ends", func() bool {
		status = s.Status(t)
		return !strings.HasSuffix(status, "_IN_PROGRESS")
	})
	if status != "CREATE_COMPLETE" && status != "UPDATE_COMPLETE" {
		t.Fatalf("%s: the stack is %s: %s", action, status, strings.Join(s.Reasons(t), "; "))
	}
}

func (s *Stack) cloudFormation(t testing.TB, action string, fields url.Values) Answer {
	t.Helper()
	return s.Query(t, "cloudformation", "2010-05-15", action, fields)
}

func (s *Stack) describe(t testing.TB) Answer {
	t.Helper()
	return s.cloudFormation(t, "DescribeStacks", url.Values{"StackName": {s.Name}})
}

// Status returns the stack's, such as UPDATE_COMPLETE.
func (s *Stack) Status(t testing.TB) string {
	t.Helper()
	return strings.Join(s.describe(t).Values(t, "StackStatus"), " ")
}

// Reasons returns why resources failed.
func (s *Stack) Reasons(t testing.TB) (reasons []string) {
	t.Helper()
	events := s.cloudFormation(t, "DescribeStackEvents", url.Values{"StackName": {s.Name}})
	for _, reason := range events.Values(t, "ResourceStatusReason") {
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}

// Outputs returns what the stack says of itself.
func (s *Stack) Outputs(t testing.TB) map[string]string {
	t.Helper()
	return s.describe(t).Pairs(t, "OutputKey", "OutputValue")
}

// Resources returns the physical ids of resources by their logical ones, those of
// nested stacks included.
func (s *Stack) Resources(t testing.TB) map[string]string {
	t.Helper()
	resources := map[string]string{}
	for unseen := []string{s.Name}; len(unseen) > 0; unseen = unseen[1:] {
		answer := s.cloudFormation(t, "DescribeStackResources", url.Values{"StackName": unseen[:1]})
		for logical, physical := range answer.Pairs(t, "LogicalResourceId", "PhysicalResourceId") {
			resources[logical] = physical
			if strings.HasPrefix(physical, "arn:aws:cloudformation:") && strings.Contains(physical, ":stack/") {
				unseen = append(unseen, physical)
			}
		}
	}
	return resources
}

// LogGroups returns the names of the functions' log groups.
func (s *Stack) LogGroups(t testing.TB) []string {
	t.Helper()
	body := fmt.Appendf(nil, `{"logGroupNamePrefix":"/aws/lambda/%s/"}`, s.Name)
	return s.Call(t, "logs", http.MethodPost, "/", "Logs_20140328.DescribeLogGroups", body).Values(t, "logGroupName")
}

// Logs returns the lines that a function has printed; its name is as in functions/.
func (s *Stack) Logs(t testing.TB, function string) []string {
	t.Helper()
	body := fmt.Appendf(nil, `{"logGroupName":"/aws/lambda/%s/%s"}`, s.Name, function)
	return s.Call(t, "logs", http.MethodPost, "/", "Logs_20140328.FilterLogEvents", body).Values(t, "message")
}

// Secret returns the version of a secret that is in force, and its value.
func (s *Stack) Secret(t testing.TB, id string) (version, value string) {
	t.Helper()
	client := secretsmanager.NewFromConfig(s.SDK())
	output, err := client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(output.VersionId), aws.ToString(output.SecretString)
}

// Until waits until something has happened, for ten minutes at most: a machine may be busy,
// and what never happens must not take all the time that the tests have.
func Until(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for began := time.Now(); !happened(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 10*time.Minute {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
