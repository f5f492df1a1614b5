package rehearsal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

// The first deployment as the manual tells it: `sam deploy --guided`, with Enter where
// there is nothing to say. A second one offers the answers of the first, and gets a
// domain.
func TestGuidedDeployment(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	d.buildFirst(t)
	config := filepath.Join(d.folder, "samconfig.toml")
	content, err := os.ReadFile(filepath.Join(moduleRoot, "samconfig.toml"))
	must(t, err)
	must(t, os.WriteFile(config, content, 0o600))
	deploy := func(parameters map[string]string, outputs map[string]string) {
		t.Helper()
		must(t, d.answer(t, answers(t, parameters), nil,
			"deploy", "--guided", "--template-file", filepath.Join(d.folder, "first", "template.yaml"), "--config-file", config))
		said := d.Outputs(t)
		for name, want := range outputs {
			if got := said[name]; !regexp.MustCompile("^(?:" + want + ")$").MatchString(got) {
				t.Errorf("output %s is %q, want %s", name, got, want)
			}
		}
	}
	deploy(map[string]string{"Architecture": awsstack.Architecture(t), "CompanyName": "示例 Company, Ltd.", "LogRetentionDays": "7"}, map[string]string{
		"ServiceUrl": `https://\w+\.execute-api\.eu-central-1\.amazonaws\.com`, "ConsoleUrl": "https://.+com/console", "CallbackDomain": `\w+\..+com`,
		"ApiUrl": "https://.+", "EgressAddresses": "none", "DomainTarget": "", "AdminKeySecret": "arn:.+", "Dashboard": "signin-eu-central-1",
	})
	// Without a domain the service speaks of the address that it was called by.
	api := d.Outputs(t)["ApiUrl"]
	must(t, d.address.LeadTo(api))
	id, _, _ := strings.Cut(api, ".")
	if body := d.anyone.Expect(t, 200, "GET", "/.well-known/openid-configuration").Body; !strings.Contains(body, `"issuer":"`+id+`.execute-api.`) {
		t.Errorf("discovery says %s", body)
	}
	deploy(map[string]string{"DomainName": "signin.example.com", "CertificateArn": "arn:aws:acm:eu-central-1:111122223333:certificate/0"}, map[string]string{
		"ServiceUrl": "https://signin.example.com", "ConsoleUrl": "https://signin.example.com/console", "CallbackDomain": "signin.example.com", "DomainTarget": ".+",
	})
	kept, err := os.ReadFile(config)
	must(t, err)
	for _, want := range []string{
		`stack_name = "` + stackName + `"`, `CompanyName=\"示例 Company, Ltd.\"`, `LogRetentionDays=\"7\"`, `DomainName=\"signin.example.com\"`, `PublicUrl=\"\"`,
		"build_in_source = true", "confirm_changeset = true",
	} {
		if !strings.Contains(string(kept), want) {
			t.Errorf("samconfig.toml does not keep %s:\n%s", want, kept)
		}
	}
	d.judgesParameters(t)
}

// answers are the lines that somebody types whom `sam deploy --guided` asks.
func answers(t *testing.T, parameters map[string]string) string {
	t.Helper()
	template, err := os.ReadFile(filepath.Join(moduleRoot, "template.yaml"))
	must(t, err)
	_, section, _ := strings.Cut(string(template), "\nParameters:\n")
	section, _, _ = strings.Cut(section, "\nRules:\n")
	lines := []string{stackName, "" /* region */}
	given := maps.Clone(parameters)
	for _, name := range regexp.MustCompile(`(?m)^  (\w+):$`).FindAllStringSubmatch(section, -1) {
		lines = append(lines, given[name[1]])
		delete(given, name[1])
	}
	if len(given) > 0 {
		t.Fatalf("nobody asks for %v", given)
	}
	// Confirm changes, make roles, no rollback, save, file, environment; then the changes.
	lines = append(lines, "", "", "", "", "", "", "y")
	return strings.Join(lines, "\n") + "\n"
}

// judgesParameters tries every set of parameters that must do, and those that contradict
// each other: CloudFormation refuses them before it changes anything.
func (d *deployment) judgesParameters(t *testing.T) {
	type parameter struct{ ParameterKey, ParameterValue string }
	propose := func(name string, parameters ...parameter) (bool, string) {
		fields := url.Values{
			"StackName": {stackName}, "ChangeSetName": {name}, "UsePreviousTemplate": {"true"}, "Capabilities.member.1": {"CAPABILITY_IAM"},
		}
		for i, p := range parameters {
			fields.Set(fmt.Sprintf("Parameters.member.%d.ParameterKey", i+1), p.ParameterKey)
			fields.Set(fmt.Sprintf("Parameters.member.%d.ParameterValue", i+1), p.ParameterValue)
		}
		if _, err := d.TryQuery(t, "cloudformation", "2010-05-15", "CreateChangeSet", fields); err != nil {
			return false, err.Error()
		}
		return true, ""
	}
	files, err := filepath.Glob(filepath.Join(moduleRoot, "infra/templatetest/parameters/*.json"))
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		must(t, err)
		var parameters []parameter
		must(t, json.Unmarshal(content, &parameters))
		if accepted, answer := propose(strings.TrimSuffix(filepath.Base(file), ".json"), parameters...); !accepted {
			t.Errorf("%s is refused: %s", file, answer)
		}
	}
	for want, parameters := range map[string][]parameter{
		"DomainName needs CertificateArn":           {{"DomainName", "signin.example.com"}},
		"HostedZoneId are for a DomainName":         {{"HostedZoneId", "Z0123456789ABC"}},
		"EgressMode relay needs WeComApiUrl":        {{"EgressMode", "relay"}, {"EgressAddresses", "203.0.113.20"}},
		"ElasticIpAllocationIds are for EgressMode": {{"ElasticIpAllocationIds", "eipalloc-0123"}, {"EgressAddresses", "203.0.113.20"}},
		"need their addresses in EgressAddresses":   {{"EgressMode", "nat"}, {"ElasticIpAllocationIds", "eipalloc-0123"}},
		"must match pattern (https:":                {{"PublicUrl", "http://signin.example.com"}},
		"is not in AllowedValues":                   {{"EgressMode", "internet"}},
		"RotationDays":                              {{"RotationDays", "3"}},
	} {
		if accepted, answer := propose("contradiction", parameters...); accepted || !strings.Contains(answer, want) {
			t.Errorf("%v is accepted: %t %s", parameters, accepted, answer)
		}
	}
}
