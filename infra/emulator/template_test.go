package emulator_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// cloudFormation asks CloudFormation about a stack and returns its answer.
func cloudFormation(t *testing.T, a *emulator.AWS, action, template string) string {
	t.Helper()
	fields := url.Values{"Action": {action}, "Version": {"2010-05-15"}, "StackName": {"stack"}, "Capabilities.member.1": {"CAPABILITY_IAM"}}
	if template != "" {
		fields.Set("TemplateBody", template)
	}
	return post(t, a, "cloudformation", fields)
}

// apply makes or changes a stack and returns how that ended, and why.
func apply(t *testing.T, a *emulator.AWS, action, template string) (status, events string) {
	t.Helper()
	cloudFormation(t, a, action, template)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, rest, _ := strings.Cut(cloudFormation(t, a, "DescribeStacks", ""), "<StackStatus>")
		status, _, _ = strings.Cut(rest, "</StackStatus>")
		if !strings.HasSuffix(status, "_IN_PROGRESS") {
			return status, cloudFormation(t, a, "DescribeStackEvents", "")
		}
		if time.Now().After(deadline) {
			t.Fatalf("the stack is %s for ever", status)
		}
	}
}

// SAM writes a server without an address for an API whose own address is disabled,
// which is a warning of the import.
func TestImportsFailOnWarningsWhenAsked(t *testing.T) {
	t.Parallel()
	template := func(properties string) string {
		return `{"Resources":{"Api":{"Type":"AWS::ApiGatewayV2::Api","Properties":{` + properties + `"Body":{"openapi":"3.0.1","paths":{},
			"servers":[{"x-amazon-apigateway-endpoint-configuration":{"disableExecuteApiEndpoint":true}}]}}}}}`
	}
	if status, events := apply(t, start(t, true), "CreateStack", template("")); status != "CREATE_COMPLETE" {
		t.Errorf("without the question the stack is %s\n%s", status, events)
	}
	status, events := apply(t, start(t, true), "CreateStack", template(`"FailOnWarnings":true,`))
	if status != "ROLLBACK_COMPLETE" || !strings.Contains(events, "attribute .servers.url is missing") {
		t.Errorf("with FailOnWarnings the stack is %s\n%s", status, events)
	}
}

// The function itself has left, but its version is where it was published.
func TestANetworkWithAVersionInItStays(t *testing.T) {
	t.Parallel()
	const network = `{"Resources":{
		"Vpc":{"Type":"AWS::EC2::VPC","Properties":{"CidrBlock":"10.42.0.0/24"}},
		"Subnet":{"Type":"AWS::EC2::Subnet","Properties":{"VpcId":{"Ref":"Vpc"},"CidrBlock":"10.42.0.0/28"}},
		"Group":{"Type":"AWS::EC2::SecurityGroup","Properties":{"VpcId":{"Ref":"Vpc"},"GroupDescription":"functions"}},`
	const role = `"Role":{"Type":"AWS::IAM::Role","Properties":{"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}}},`
	function := func(connection string) string {
		return role + `"Function":{"Type":"AWS::Lambda::Function","Properties":{"Runtime":"python3.11","Handler":"index.h",
			"Role":{"Fn::GetAtt":["Role","Arn"]},"Code":{"ZipFile":"def h(e, c): pass"}` + connection + `}}`
	}
	const version = `,"Version":{"Type":"AWS::Lambda::Version","Properties":{"FunctionName":{"Ref":"Function"}}}}}`
	a := start(t, true)
	for _, step := range []struct{ name, action, template string }{
		{"connect", "CreateStack", network + function(`,"VpcConfig":{"SubnetIds":[{"Ref":"Subnet"}],"SecurityGroupIds":[{"Ref":"Group"}]}`) + version},
		{"leave", "UpdateStack", network + function("") + version},
	} {
		if status, events := apply(t, a, step.action, step.template); !strings.HasSuffix(status, "E_COMPLETE") || strings.Contains(status, "ROLLBACK") {
			t.Fatalf("%s: the stack is %s\n%s", step.name, status, events)
		}
	}
	status, events := apply(t, a, "UpdateStack", `{"Resources":{`+function("")+version)
	if !strings.Contains(events, "has a dependent object") {
		t.Errorf("the network is gone from below a version: %s\n%s", status, events)
	}
}
