package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// choices of an operator, which together take both branches of every condition.
type operatorChoices struct {
	name       string
	parameters map[string]string
}

func allChoices() []operatorChoices {
	return []operatorChoices{
		{"the defaults", nil},
		{"EgressMode nat", map[string]string{"EgressMode": "nat"}},
		{"EgressMode nat and addresses of one's own", map[string]string{
			"EgressMode": "nat", "NatGateways": "2", "ElasticIpAllocationIds": "eipalloc-1,eipalloc-2", "EgressAddresses": "192.0.2.7,192.0.2.8",
		}},
		{"EgressMode nat-closing", map[string]string{"EgressMode": "nat-closing", "NatGateways": "2"}},
		{"a domain, an own certificate and a restored directory", map[string]string{
			"DomainName": "signin.example.com", "CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/one",
			"DirectoryTableName": "restored", "CallbackDeployment": "AllAtOnce",
		}},
		{"everything else", map[string]string{
			"Architecture": "x86_64", "PublicUrl": "https://public.example.com", "DomainName": "signin.example.com", "HostedZoneId": "Z1",
			"WeComApiUrl": "https://api.example.com", "WeComOAuthUrl": "https://oauth.example.com", "WeComLoginUrl": "https://login.example.com",
			"SessionLifetime": "9h", "SessionCookieDomain": "example.com", "CompanyName": "Example", "CompanyLogo": "https://logo.example.com/logo.png",
			"EgressMode": "relay", "EgressAddresses": "192.0.2.7", "RotationDays": "90", "AlarmEmail": "on-call@example.com", "LogRetentionDays": "90",
		}},
	}
}

// refusedChoices are those that would make a deployment of no use, or an open one.
func refusedChoices() []operatorChoices {
	return []operatorChoices{
		{"a domain without certificate and zone", map[string]string{"DomainName": "signin.example.com"}},
		{"a certificate without a domain", map[string]string{"CertificateArn": "arn:aws:acm:eu-central-1:123456789012:certificate/one"}},
		{"a zone without a domain", map[string]string{"HostedZoneId": "Z1"}},
		{"a relay without its address", map[string]string{"EgressMode": "relay", "EgressAddresses": "192.0.2.7"}},
		{"a relay without the addresses it calls from", map[string]string{"EgressMode": "relay", "WeComApiUrl": "https://relay.example.com"}},
		{"own addresses without EgressMode nat", map[string]string{"ElasticIpAllocationIds": "eipalloc-1", "EgressAddresses": "192.0.2.7"}},
		{"own addresses without their names", map[string]string{"EgressMode": "nat", "ElasticIpAllocationIds": "eipalloc-1"}},
		{"an address without encryption", map[string]string{"PublicUrl": "http://signin.example.com"}},
		{"WeCom without encryption", map[string]string{"WeComApiUrl": "http://qyapi.weixin.qq.com"}},
		{"WeCom's authorization without encryption", map[string]string{"WeComOAuthUrl": "http://open.weixin.qq.com"}},
		{"WeCom's login without encryption", map[string]string{"WeComLoginUrl": "http://login.work.weixin.qq.com"}},
		{"an address that is more than an origin", map[string]string{"PublicUrl": "https://signin.example.com/\"path"}},
		{"a domain with a path", map[string]string{"DomainName": "signin.example.com/path", "HostedZoneId": "Z1"}},
		{"a cookie's domain with an attribute", map[string]string{"SessionCookieDomain": "example.com; Path=/x"}},
		{"a table that is an ARN's end", map[string]string{"DirectoryTableName": "restored/index/*"}},
		{"addresses that are names", map[string]string{"EgressAddresses": "relay.example.com"}},
		{"two addresses for alarms", map[string]string{"AlarmEmail": "one@example.com two@example.com"}},
		{"a session without end", map[string]string{"SessionLifetime": "forever"}},
		{"a picture that is a program", map[string]string{"CompanyLogo": "javascript:alert(1)"}},
		{"a name of a paragraph", map[string]string{"CompanyName": strings.Repeat("x", 61)}},
		{"rotation every day", map[string]string{"RotationDays": "1"}},
		{"rotation every second year", map[string]string{"RotationDays": "730"}},
		{"logs without end", map[string]string{"LogRetentionDays": "0"}},
	}
}

// checkChoices works the template out for each choice and looks at where values come
// from: two variables that are swapped have the right names and pass everything else.
func checkChoices(s stack) []string {
	var f faults
	template := s.main.evaluable
	if template == nil {
		return nil
	}
	taken := map[string]map[bool]bool{} // by condition
	for _, c := range allChoices() {
		made, err := template.Evaluate(cloudformation.Values{
			Parameters: c.parameters,
			Pseudo:     map[string]string{"AWS::StackName": "${AWS::StackName}"},
			Ref:        func(id string) (string, error) { return "${" + id + "}", nil },
			Attribute:  func(id, attribute string) (string, error) { return "${" + id + "." + attribute + "}", nil },
		})
		if err != nil {
			f.addOnce("with %s: %v", c.name, err)
			continue
		}
		sorted(made.Conditions, func(name string, holds bool) {
			if taken[name] == nil {
				taken[name] = map[bool]bool{}
			}
			taken[name][holds] = true
		})
		checkValues(&f, made)
		checkGiven(&f, made)
		checkConnections(&f, made)
		checkDeployment(&f, made)
		checkAddresses(&f, made)
		checkNestedChoices(&f, s, c, made)
	}
	sorted(taken, func(name string, both map[bool]bool) {
		if len(both) == 1 {
			f.add("condition %s is always %t for these rules, which so do not see what else it chooses; give them a choice of it", name, both[true])
		}
	})
	for _, c := range refusedChoices() {
		if _, err := template.Evaluate(cloudformation.Values{Parameters: c.parameters}); err == nil {
			f.add("%s is not refused", c.name)
		}
	}
	return f
}

// checkNestedChoices works the nested stacks out with what they are given.
func checkNestedChoices(f *faults, s stack, c operatorChoices, made *cloudformation.Stack) {
	sorted(s.nested, func(id string, nested written) {
		r, there := made.Resources[id]
		if !there || nested.evaluable == nil {
			return
		}
		given := map[string]string{}
		for name, value := range object(r.Properties["Parameters"]) {
			given[name] = fmt.Sprint(value)
		}
		if _, err := nested.evaluable.Evaluate(cloudformation.Values{Parameters: given}); err != nil {
			f.addOnce("%s with %s: %v", id, c.name, err)
		}
	})
}

// checkAddresses wants the service under one name, and outputs that say what is.
func checkAddresses(f *faults, stack *cloudformation.Stack) {
	const own = "${Api}.execute-api.eu-central-1.amazonaws.com"
	domain := stack.Parameters["DomainName"] != ""
	if closed := stack.Resources["Api"].Properties["DisableExecuteApiEndpoint"]; closed != domain {
		f.addOnce("Api: DisableExecuteApiEndpoint comes to %v with a domain: %t; the service must answer under one name", closed, domain)
	}
	for _, configuration := range list(stack.Resources["ApiDomain"].Properties["DomainNameConfigurations"]) {
		if policy := at(configuration, "SecurityPolicy"); policy != "TLS_1_2" {
			f.addOnce("ApiDomain: SecurityPolicy is %v, not TLS_1_2", policy)
		}
	}
	checkDoors(f, stack)
	origins := origins(stack)
	public, _ := origins[settings.PublicURL].(string)
	if public == "" {
		public = "https://" + own
	}
	egress := origins[settings.EgressAddresses]
	if egress == "" {
		egress = "none"
	}
	wanted := map[string]any{
		"ServiceUrl": public, "ConsoleUrl": public + "/console", "CallbackDomain": strings.TrimPrefix(public, "https://"),
		"ApiUrl": "https://" + own, "EgressAddresses": egress, "AdminKeySecret": "${AdminKey}", "AlarmTopic": "${AlarmTopic}",
		"DirectoryTable": origins[settings.DirectoryTable], "TransientTable": "${TransientTable}", "Dashboard": "${Monitoring.Outputs.Dashboard}",
	}
	if domain {
		wanted["DomainTarget"] = "${ApiDomain.RegionalDomainName}"
	}
	sorted(wanted, func(name string, want any) {
		if value := stack.Outputs[name]; value != want {
			f.addOnce("output %s comes to %v, not to %v", name, value, want)
		}
	})
	sorted(stack.Outputs, func(name string, _ any) {
		if _, known := wanted[name]; !known {
			f.addOnce("output %s is unknown to these rules", name)
		}
	})
}

// checkDoors wants the domain to lead to the API, its certificate to come by itself,
// and alarms to go to the operator.
func checkDoors(f *faults, stack *cloudformation.Stack) {
	domain, zone := stack.Parameters["DomainName"], stack.Parameters["HostedZoneId"]
	sorted(map[string]map[string]any{
		"ApiDomainMapping": {"DomainName": "${ApiDomain}", "ApiId": "${Api}", "Stage": "$default"},
		"DomainRecord": {
			"HostedZoneId": zone, "Name": domain, "Type": "A",
			"AliasTarget": map[string]any{"DNSName": "${ApiDomain.RegionalDomainName}", "HostedZoneId": "${ApiDomain.RegionalHostedZoneId}"},
		},
		"Certificate": {
			"DomainName": domain, "ValidationMethod": "DNS",
			"DomainValidationOptions": []any{map[string]any{"DomainName": domain, "HostedZoneId": zone}},
		},
		"AlarmSubscription": {"TopicArn": "${AlarmTopic}", "Protocol": "email", "Endpoint": stack.Parameters["AlarmEmail"]},
	}, func(id string, want map[string]any) {
		if r, there := stack.Resources[id]; there && !reflect.DeepEqual(r.Properties, want) {
			f.addOnce("%s comes to %v, not to %v", id, r.Properties, want)
		}
	})
}

// origins are where the values of variables come from: a resource, or a parameter.
func origins(stack *cloudformation.Stack) map[settings.Name]any {
	parameter := func(name string) any { return stack.Parameters[name] }
	origins := map[settings.Name]any{
		settings.ServiceName:               "${AWS::StackName}",
		settings.TransientTable:            "${TransientTable}",
		settings.DirectoryTable:            "${DirectoryTable}",
		settings.SigningKeysSecret:         "${SigningKeys}",
		settings.SealingKeysSecret:         "${SealingKeys}",
		settings.AdminKeySecret:            "${AdminKey}",
		settings.AuthenticatorSecretPrefix: "${AWS::StackName}/authenticators/",
		settings.PublicURL:                 parameter("PublicUrl"),
		settings.WeComAPIURL:               parameter("WeComApiUrl"),
		settings.WeComOAuthURL:             parameter("WeComOAuthUrl"),
		settings.WeComLoginURL:             parameter("WeComLoginUrl"),
		settings.SessionLifetime:           parameter("SessionLifetime"),
		settings.SessionCookieDomain:       parameter("SessionCookieDomain"),
		settings.CompanyName:               parameter("CompanyName"),
		settings.CompanyLogo:               parameter("CompanyLogo"),
		settings.EgressAddresses:           parameter("EgressAddresses"),
	}
	if restored := parameter("DirectoryTableName"); restored != "" {
		origins[settings.DirectoryTable] = restored
	}
	if domain, _ := parameter("DomainName").(string); domain != "" && parameter("PublicUrl") == "" {
		origins[settings.PublicURL] = "https://" + domain
	}
	if parameter("EgressMode") == "nat" {
		origins[settings.EgressAddresses] = "${Network.Outputs.Addresses}"
	}
	return origins
}

func checkValues(f *faults, stack *cloudformation.Stack) {
	origins := origins(stack)
	sorted(stack.Resources, func(id string, r cloudformation.Resource) {
		if r.Type != functionType {
			return
		}
		sorted(object(at(r.Properties, "Environment", "Variables")), func(name string, value any) {
			if want, known := origins[settings.Name(name)]; known && value != want {
				f.addOnce("%s: %s comes to %v, not to %v", id, name, value, want)
			}
		})
	})
}

// checkGiven wants each parameter of a nested stack to be what its name says.
func checkGiven(f *faults, stack *cloudformation.Stack) {
	sorted(stack.Resources, func(id string, r cloudformation.Resource) {
		if r.Type != "AWS::CloudFormation::Stack" {
			return
		}
		sorted(object(r.Properties["Parameters"]), func(name string, value any) {
			want, parameter := stack.Parameters[name]
			output, isOutput := stack.Outputs[name]
			switch _, isResource := stack.Resources[name]; {
			case name == "ServiceName":
				want = "${AWS::StackName}"
			case name == "DirectoryTable":
				want = origins(stack)[settings.DirectoryTable]
			case parameter:
			case isOutput && !isResource:
				want = output
			default:
				want = "${" + name + "}"
			}
			if value != want {
				f.addOnce("%s: the parameter %s comes to %v, not to %v", id, name, value, want)
			}
		})
	})
}

// checkConnections wants those functions in the network that call WeCom, and no other.
func checkConnections(f *faults, stack *cloudformation.Stack) {
	network := map[string]any{
		"SubnetIds": []any{"${Network.Outputs.Subnets}"}, "SecurityGroupIds": []any{"${Network.Outputs.SecurityGroup}"},
	}
	sorted(contract.Functions(), func(id string, function contract.Function) {
		connection, connected := stack.Resources[id].Properties["VpcConfig"]
		want := stack.Parameters["EgressMode"] == "nat" && slices.Contains(function.Settings, settings.WeComAPIURL)
		if connected != want {
			f.addOnce("%s is in the network: %t, wanted with EgressMode %v: %t", id, connected, stack.Parameters["EgressMode"], want)
		}
		role := strings.TrimSuffix(id, "Function") + "Role"
		if connected && !slices.Contains(stack.Resources["Network"].DependsOn, role) {
			f.addOnce("Network must depend on %s: Lambda takes its interfaces away with it, and then the network can end", role)
		}
		if connected && !reflect.DeepEqual(connection, any(network)) {
			f.addOnce("%s: VpcConfig must be the subnets and the security group of Network", id)
		}
	})
}

// checkDeployment wants the callback to be replaced step by step while two alarms
// watch; a repair in spite of an alarm takes none.
func checkDeployment(f *faults, stack *cloudformation.Stack) {
	alarms := []any{"${CallbackErrorsAlarm}", "${CallbackInternalAlarm}"}
	if stack.Parameters["CallbackDeployment"] == "AllAtOnce" {
		alarms = []any{}
	}
	wanted := map[string]any{
		"AutoPublishAlias": "live", "AutoPublishAliasAllProperties": true, "VersionDeletionPolicy": "Delete",
		"DeploymentPreference": map[string]any{"Type": stack.Parameters["CallbackDeployment"], "Alarms": alarms},
	}
	sorted(contract.Functions(), func(id string, _ contract.Function) {
		sorted(wanted, func(name string, want any) {
			value, there := stack.Resources[id].Properties[name]
			switch {
			case id != contract.Callback && there:
				f.addOnce("%s: %s is for the callback alone", id, name)
			case id == contract.Callback && !reflect.DeepEqual(value, want):
				f.addOnce("%s: %s comes to %v, not to %v", id, name, value, want)
			}
		})
	})
}
