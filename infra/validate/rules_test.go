package main

import "testing"

const (
	monitoring = "infra/monitoring.yaml"
	network    = "infra/network.yaml"
)

// Mistakes that pass every tool: what is wired to the wrong thing, what watches
// nothing, and what opens something.
func TestOurRulesRefuseWrongConnections(t *testing.T) {
	for name, c := range map[string]struct {
		change
		want string
	}{
		// What these rules do not know.
		"a function has an address of its own": {
			change{part: "IssuerFunction", old: "    Properties:\n", new: "    Properties:\n      FunctionUrlConfig: {AuthType: NONE}\n"},
			"IssuerFunction has the property FunctionUrlConfig, which these rules do not know",
		},
		"a function's address as a resource": {
			change{old: "Resources:\n", new: "Resources:\n  Url:\n    Type: AWS::Lambda::Url\n    Properties: {AuthType: NONE, TargetFunctionArn: !Ref AdminFunction}\n"},
			"template.yaml: Url is an AWS::Lambda::Url, which nothing of this service is",
		},
		"events of failures go elsewhere": {
			change{part: "RotateKeysFunction", old: "    Properties:\n", new: "    Properties:\n      EventInvokeConfig: {MaximumRetryAttempts: 2}\n"},
			"RotateKeysFunction has the property EventInvokeConfig",
		},
		"a property of all functions": {
			change{old: "    Timeout: 10\n", new: "    Timeout: 10\n    Layers: ['arn:x']\n"},
			"Globals.Function has the property Layers, which these rules do not know",
		},
		"a second transform": {
			change{old: "Transform: AWS::Serverless-2016-10-31", new: "Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]"},
			"template.yaml: Transform is [AWS::LanguageExtensions AWS::Serverless-2016-10-31]; SAM's own is the only one",
		},
		"a transform of a nested stack": {
			change{file: network, old: "Parameters:\n", new: "Transform: AWS::Serverless-2016-10-31\nParameters:\n"},
			"infra/network.yaml: Transform is AWS::Serverless-2016-10-31; SAM's own is the only one",
		},
		"a reference to a value from elsewhere, in two pieces": {
			change{old: "COMPANY_NAME: !Ref CompanyName", new: "COMPANY_NAME: !Join ['', ['{{', 'resolve:ssm:/name}}']]"},
			"resolves a value from elsewhere into plain text",
		},
		"a nested stack from elsewhere": {
			change{old: "TemplateURL: infra/network.yaml", new: "TemplateURL: https://example.com/network.yaml"},
			"Network: TemplateURL must be one of infra/monitoring.yaml, infra/network.yaml",
		},
		"a nested stack from outside of infra": {
			change{old: "TemplateURL: infra/network.yaml", new: "TemplateURL: ../network.yaml"},
			"Network: TemplateURL must be one of",
		},
		"a role in a nested stack": {
			change{file: monitoring, old: "Resources:\n", new: "Resources:\n  Role: {Type: AWS::IAM::Role}\n"},
			"infra/monitoring.yaml: Role is an AWS::IAM::Role, which nothing of this service is",
		},

		"a reference to nothing": {
			change{file: network, part: "Addresses", old: "!GetAtt AddressA.PublicIp", new: "!GetAtt AddressC.PublicIp"},
			`there is no resource "AddressC"`,
		},

		"a route speaks another format": {
			change{part: "IssuerFunction", old: "{Type: HttpApi, Properties: {", new: "{Type: HttpApi, Properties: {PayloadFormatVersion: '1.0', "},
			"has the property PayloadFormatVersion, which these rules do not know",
		},
		"a part is made by a transform": {
			change{part: "AlarmTopic", old: "Properties: {", new: "Properties: {'Fn::Transform': {Name: 'AWS::Include'}, "},
			"template.yaml: Resources.AlarmTopic.Properties is a transform",
		},

		// Where values come from.
		"two secrets are swapped": {
			change{part: "CallbackFunction", old: "SEALING_KEYS_SECRET: !Ref SealingKeys", new: "SEALING_KEYS_SECRET: !Ref SigningKeys"},
			"CallbackFunction: SEALING_KEYS_SECRET comes to ${SigningKeys}, not to ${SealingKeys}",
		},
		"the admin key is another secret": {
			change{part: "AuthorizerFunction", old: "!Ref AdminKey", new: "!Ref SealingKeys"},
			"AuthorizerFunction: ADMIN_KEY_SECRET comes to ${SealingKeys}, not to ${AdminKey}",
		},
		"the tables are swapped": {
			change{part: "AdminFunction", old: "TRANSIENT_TABLE: !Ref TransientTable", new: "TRANSIENT_TABLE: !Ref DirectoryTableName"},
			"AdminFunction: TRANSIENT_TABLE comes to , not to ${TransientTable}",
		},
		"a table of no name, but for a restored one": {
			change{old: "DIRECTORY_TABLE: !If [NewDirectory, !Ref DirectoryTable, !Ref DirectoryTableName]", new: "DIRECTORY_TABLE: !Ref DirectoryTableName"},
			"AdminFunction: DIRECTORY_TABLE comes to , not to ${DirectoryTable}",
		},
		"the secrets of all stacks": {
			change{part: "AdminFunction", old: "'${AWS::StackName}/authenticators/'", new: "'authenticators/'"},
			"AdminFunction: AUTHENTICATOR_SECRET_PREFIX comes to authenticators/, not to ${AWS::StackName}/authenticators/",
		},
		"two addresses of WeCom are swapped": {
			change{part: "AuthorizeFunction", old: "WECOM_OAUTH_URL: !Ref WeComOAuthUrl", new: "WECOM_OAUTH_URL: !Ref WeComLoginUrl"},
			"AuthorizeFunction: WECOM_OAUTH_URL comes to https://login.example.com, not to https://oauth.example.com",
		},
		"a domain wins over the public address": {
			change{part: "SigninFunction", old: "!If [OwnPublicUrl, !Ref PublicUrl, !If [OwnDomain, !Sub 'https://${DomainName}', '']]", new: "!If [OwnDomain, !Sub 'https://${DomainName}', !Ref PublicUrl]"},
			"SigninFunction: PUBLIC_URL comes to https://signin.example.com, not to https://public.example.com",
		},
		"a condition is the wrong way round": {
			change{old: "NatEgress: !Equals [!Ref EgressMode, nat]", new: "NatEgress: !Not [!Equals [!Ref EgressMode, nat]]"},
			"AdminFunction is in the network: true, wanted with EgressMode none: false",
		},
		"a nested stack is given something else": {
			change{part: "Monitoring", old: "SigninFunction: !Ref SigninFunction", new: "SigninFunction: !Ref AdminFunction"},
			"Monitoring: the parameter SigninFunction comes to ${AdminFunction}, not to ${SigninFunction}",
		},
		"the callback leaves by a changing address": {
			change{part: "CallbackFunction", old: "VpcConfig: !If\n        - NatEgress\n", new: "VpcConfig: !If\n        - OwnDomain\n"},
			"CallbackFunction is in the network: false, wanted with EgressMode nat: true",
		},
		"a role loses the network before Lambda has left it": {
			change{part: "AdminRole", old: "- !If\n                - NetworkStands\n                # Lambda", new: "- !If\n                - NatEgress\n                # Lambda"},
			"AdminRole: read role: Policies: what Lambda may do with the network",
		},

		"the network ends before Lambda has left it": {
			change{part: "Network", old: "DependsOn: [CallbackRole, AdminRole]", new: "DependsOn: [CallbackRole]"},
			"Network must depend on AdminRole",
		},
		"two outputs are swapped": {
			change{part: "AdminKeySecret", old: "!Ref AdminKey", new: "!Ref SealingKeys"},
			"output AdminKeySecret comes to ${SealingKeys}, not to ${AdminKey}",
		},
		"an output that nobody looks at": {
			change{old: "Outputs:\n", new: "Outputs:\n  Keys: {Description: Where the keys are, Value: !Ref SigningKeys}\n"},
			"output Keys is unknown to these rules",
		},
		"the API answers beside its domain": {
			change{part: "Api", old: "DisableExecuteApiEndpoint: !If [OwnDomain, true, false]", new: "DisableExecuteApiEndpoint: false"},
			"Api: DisableExecuteApiEndpoint comes to false with a domain: true",
		},
		"the domain speaks an old TLS": {
			change{part: "ApiDomain", old: "TLS_1_2", new: "TLS_1_0"},
			"ApiDomain: SecurityPolicy is TLS_1_0, not TLS_1_2",
		},
		"the gateway may not ask the authorizer": {
			change{part: "Api", old: "            EnableFunctionDefaultPermissions: true\n", new: ""},
			"Api: authorizer Administrator must have EnableFunctionDefaultPermissions",
		},
		"two logs have each other's names": {
			change{part: "IssuerLogGroup", old: "${AWS::StackName}/issuer", new: "${AWS::StackName}/admin"},
			`IssuerFunction: the name of its log group is "/aws/lambda/${AWS::StackName}/admin", not "/aws/lambda/${AWS::StackName}/issuer"`,
		},
		"a contradiction is not refused": {
			change{old: "RuleCondition: !Equals [!Ref EgressMode, relay]", new: "RuleCondition: !Equals [!Ref EgressMode, relais]"},
			"a relay without its address is not refused\na relay without the addresses it calls from is not refused",
		},
		"an address without encryption is not refused": {
			change{part: "PublicUrl", old: "(https://", new: "(https?://"},
			"an address without encryption is not refused",
		},
		"a parameter takes anything": {
			change{part: "CompanyName", old: "    MaxLength: 60\n", new: ""},
			"template.yaml: parameter CompanyName takes anything",
		},
		"a nested stack cannot be made with addresses of one's own": {
			change{file: network, part: "NatGatewayB", old: "!If [SecondNewAddress,", new: "!If [TwoGateways,"},
			"Network with EgressMode nat and addresses of one's own: evaluate template: Resources.NatGatewayB",
		},

		// Deployment of the callback.
		"the callback is replaced at once": {
			change{part: "CallbackFunction", old: "Type: !Ref CallbackDeployment", new: "Type: AllAtOnce"},
			"CallbackFunction: DeploymentPreference comes to",
		},
		"a deployment looks at one alarm": {
			change{part: "CallbackFunction", old: ", !Ref CallbackInternalAlarm]", new: "]"},
			"CallbackFunction: DeploymentPreference comes to",
		},
		"an alarm that rings stops its repair": {
			change{part: "CallbackFunction", old: "!If [Gradual, [!Ref CallbackErrorsAlarm, !Ref CallbackInternalAlarm], [!Ref AWS::NoValue]]", new: "[!Ref CallbackErrorsAlarm, !Ref CallbackInternalAlarm]"},
			"CallbackFunction: DeploymentPreference comes to",
		},
		"old versions hold on to the network": {
			change{part: "CallbackFunction", old: "      VersionDeletionPolicy: Delete\n", new: ""},
			"CallbackFunction: VersionDeletionPolicy comes to <nil>, not to Delete",
		},
		"the callback has no versions": {
			change{part: "CallbackFunction", old: "      AutoPublishAlias: live\n", new: ""},
			"CallbackFunction: AutoPublishAlias comes to <nil>, not to live",
		},

		"another function has versions": {
			change{part: "IssuerFunction", old: "    Properties:\n", new: "    Properties:\n      AutoPublishAlias: live\n"},
			"IssuerFunction: AutoPublishAlias is for the callback alone",
		},

		// Data.
		"records of sessions last": {
			change{part: "TransientTable", old: "AttributeName: ttl,", new: "AttributeName: expires,"},
			"TransientTable: TimeToLiveSpecification must be enabled with the attribute ttl",
		},
		"records of the directory end": {
			change{part: "DirectoryTable", old: "      BillingMode: PAY_PER_REQUEST\n", new: "      BillingMode: PAY_PER_REQUEST\n      TimeToLiveSpecification: {AttributeName: ttl, Enabled: true}\n"},
			"DirectoryTable: TimeToLiveSpecification would delete what must last",
		},
		"an index has another name": {
			change{part: "TransientTable", old: "IndexName: attempts-of-user", new: "IndexName: attempts-of-users"},
			"TransientTable: the index attempts-of-user is missing\nTransientTable: nothing asks the index attempts-of-users",
		},
		"an index has another key": {
			change{part: "TransientTable", old: "KeySchema: [{AttributeName: userId,", new: "KeySchema: [{AttributeName: authenticatorId,"},
			"TransientTable: the keys of index attempts-of-user are [authenticatorId S at N], not [userId S at N]",
		},
		"an index holds whole records": {
			change{part: "TransientTable", old: "{ProjectionType: INCLUDE, NonKeyAttributes: [attempt]}", new: "{ProjectionType: ALL}"},
			"TransientTable: index attempts-of-authenticator must hold attempt and no more",
		},
		"times are texts": {
			change{part: "TransientTable", old: "{AttributeName: at, AttributeType: N}", new: "{AttributeName: at, AttributeType: S}"},
			"the keys of index attempts-of-authenticator are [authenticatorId S at S]",
		},
		"a table has another key": {
			change{part: "DirectoryTable", old: "{AttributeName: sk, KeyType: RANGE}", new: "{AttributeName: sk, KeyType: HASH}"},
			"DirectoryTable: its keys are [pk S sk S as HASH], not [pk S sk S]",
		},
		"the admin key can be guessed": {
			change{part: "AdminKey", old: "PasswordLength: 48", new: "PasswordLength: 16"},
			`AdminKey: PasswordLength is "16", but must be a number and at least 32`,
		},
		"the sealing keys have a length of nobody's choice": {
			change{part: "SealingKeys", old: "        PasswordLength: 64\n", new: ""},
			`SealingKeys: PasswordLength is "", but must be a number and at least 32`,
		},
		"a secret of few characters": {
			change{part: "AdminKey", old: "ExcludePunctuation: true", new: "ExcludePunctuation: true, ExcludeCharacters: abcdefghijklmnopqrstuvwxyz"},
			"AdminKey: ExcludeCharacters could leave few characters to choose from",
		},
		"the signing keys are never rotated": {
			change{part: "SigningKeysRotation", old: "Type: AWS::SecretsManager::RotationSchedule", new: "Type: AWS::SecretsManager::Secret"},
			"there are 0 rotation schedules, not the one of SigningKeys",
		},
		"a choice ends the rotation": {
			change{part: "SigningKeysRotation", old: "    Properties:\n", new: "    Condition: NewDirectory\n    Properties:\n"},
			"SigningKeysRotation: no choice may end the rotation",
		},
		"another secret is rotated": {
			change{part: "SigningKeysRotation", old: "SecretId: !Ref SigningKeys", new: "SecretId: !Ref SealingKeys"},
			"SigningKeysRotation: RotateKeysFunction must rotate SigningKeys every RotationDays",
		},
		"the rotation has days of its own": {
			change{part: "SigningKeysRotation", old: "!Ref RotationDays", new: "365"},
			"SigningKeysRotation: RotateKeysFunction must rotate SigningKeys every RotationDays",
		},
		"the first keys come with the first rotation, a month later": {
			change{part: "SigningKeysRotation", old: "RotateImmediatelyOnUpdate: true", new: "RotateImmediatelyOnUpdate: false"},
			"SigningKeysRotation: RotateImmediatelyOnUpdate must be true",
		},
		"keys may be rotated every day": {
			change{part: "RotationDays", old: "MinValue: 7", new: "MinValue: 1"},
			"parameter RotationDays must be a Number from 7 to 365",
		},
		"any secret may call for a rotation": {
			change{part: "RotateKeysPermission", old: "SourceArn: !Ref SigningKeys", new: "SourceArn: !Ref AdminKey"},
			"permissions to invoke are",
		},

		// Defaults.
		"sessions last a month by default": {
			change{old: "Default: 8h", new: "Default: 720h"},
			`template.yaml: parameter SessionLifetime is "720h" by default, not "8h"`,
		},
		"a network by default": {
			change{part: "EgressMode", old: "Default: none", new: "Default: nat"},
			`template.yaml: parameter EgressMode is "nat" by default, not "none"`,
		},
		"somebody's address by default": {
			change{part: "AlarmEmail", old: "Default: ''", new: "Default: me@example.com"},
			`template.yaml: parameter AlarmEmail is "me@example.com" by default, not ""`,
		},
		"a nested stack has a choice of its own": {
			change{file: network, part: "NatGateways", old: "    Type: Number\n", new: "    Type: Number\n    Default: 1\n"},
			"infra/network.yaml: parameter NatGateways has a Default; template.yaml gives it",
		},

		// The network.
		"something may come into the network": {
			change{file: network, part: "SecurityGroup", old: "      VpcId: !Ref Vpc\n", new: "      VpcId: !Ref Vpc\n      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}]\n"},
			"SecurityGroup: SecurityGroupIngress lets something in",
		},
		"a door as a resource": {
			change{file: network, old: "Resources:\n", new: "Resources:\n  Door: {Type: AWS::EC2::SecurityGroupIngress}\n"},
			"infra/network.yaml: Door is an AWS::EC2::SecurityGroupIngress, which nothing of this service is",
		},
		"a subnet gives public addresses": {
			change{file: network, part: "PublicSubnetA", old: "    Properties:\n", new: "    Properties:\n      MapPublicIpOnLaunch: true\n"},
			"PublicSubnetA: MapPublicIpOnLaunch gives addresses",
		},
		"functions stand on the internet": {
			change{file: network, part: "PrivateRouteA", old: "NatGatewayId: !Ref NatGatewayA", new: "GatewayId: !Ref InternetGateway"},
			"PrivateRouteA: GatewayId leads from ${PrivateSubnetA} elsewhere than to a NAT gateway",
		},
		"a private subnet has the public routes": {
			change{file: network, part: "PrivateSubnetBRoutes", old: "!Ref PrivateRoutesB", new: "!Ref PublicRoutes"},
			"PublicRoute: GatewayId leads from ${PrivateSubnetB} elsewhere than to a NAT gateway",
		},
		"functions stand in a public subnet": {
			change{file: network, part: "Subnets", old: "!Ref PrivateSubnetA", new: "!Ref PublicSubnetA"},
			"PublicRoute: GatewayId leads from ${PublicSubnetA} elsewhere than to a NAT gateway",
		},
		"a private subnet without a way out": {
			change{file: network, part: "PrivateRouteB", old: "!Ref PrivateRoutesB", new: "!Ref PrivateRoutesA"},
			"${PrivateSubnetB} has 0 ways out, not one",
		},

		// Alarms and dashboard.
		"an alarm tells nobody": {
			change{file: monitoring, part: "OldKeysAlarm", old: "      AlarmActions: [!Ref AlarmTopic]\n", new: ""},
			"OldKeysAlarm: AlarmActions must be AlarmTopic",
		},
		"an alarm tells somebody else": {
			change{part: "CallbackErrorsAlarm", old: "AlarmActions: [!Ref AlarmTopic]", new: "AlarmActions: [!Ref Api]"},
			"CallbackErrorsAlarm: AlarmActions must be AlarmTopic",
		},
		"a choice ends an alarm": {
			change{part: "CallbackInternalAlarm", old: "    Properties:\n", new: "    Condition: Gradual\n    Properties:\n"},
			"CallbackInternalAlarm: no choice may end an alarm",
		},
		"an alarm is silenced": {
			change{file: monitoring, part: "ApiErrorsAlarm", old: "    Properties:\n", new: "    Properties:\n      ActionsEnabled: false\n"},
			"ApiErrorsAlarm: ActionsEnabled is false, so nobody is told",
		},
		"an alarm does not say what to do": {
			change{file: monitoring, part: "ApiErrorsAlarm", old: "docs/operations.md#api-errors", new: ""},
			"ApiErrorsAlarm: AlarmDescription must end with the address of its chapter",
		},
		"an alarm leads to a chapter that is not there": {
			change{file: monitoring, part: "ApiErrorsAlarm", old: "#api-errors", new: "#api-error"},
			"ApiErrorsAlarm: AlarmDescription leads to api-error, which docs/operations.md does not have",
		},
		"an alarm about a metric of another name": {
			change{part: "CallbackInternalAlarm", old: "MetricName: InternalErrors", new: "MetricName: InternalError"},
			"CallbackInternalAlarm: there is no metric WeComSignIn InternalError",
		},
		"an alarm about another namespace": {
			change{file: monitoring, part: "InternalErrorsAlarm", old: "Namespace: WeComSignIn", new: "Namespace: WeComSignin"},
			"InternalErrorsAlarm: there is no metric WeComSignin InternalErrors",
		},
		"an alarm about dimensions that are not written": {
			change{file: monitoring, part: "WeComConfigurationAlarm", old: ", {Name: Outcome, Value: wecom_configuration}]", new: "]"},
			`WeComConfigurationAlarm: WeComSignIn SignIns has no dimensions "Service"`,
		},
		"an alarm about an outcome that there is not": {
			change{file: monitoring, part: "WeComConfigurationAlarm", old: "Value: wecom_configuration", new: "Value: wecom_config"},
			"WeComConfigurationAlarm: WeComSignIn SignIns never has Outcome wecom_config",
		},
		"an alarm about the function of another deployment": {
			change{part: "CallbackInternalAlarm", old: "{Name: Service, Value: !Ref AWS::StackName}", new: "{Name: Service, Value: wecom-signin}"},
			"CallbackInternalAlarm: WeComSignIn InternalErrors never has Service wecom-signin",
		},
		"an alarm looks at one function twice": {
			change{file: monitoring, part: "FunctionErrorsAlarm", old: "Value: !Ref SigninFunction", new: "Value: !Ref AdminFunction"},
			"SigninFunction could crash and no alarm would say so",
		},
		"a number of an alarm is in no expression": {
			change{file: monitoring, part: "FunctionErrorsAlarm", old: " + FILL(issuer, 0)", new: ""},
			"FunctionErrorsAlarm: issuer is in no expression",
		},
		"an alarm about an index that is not there": {
			change{file: monitoring, part: "ThrottledTablesAlarm", old: "Value: attempts-of-user}", new: "Value: attempts-of-users}"},
			"ThrottledTablesAlarm: AWS/DynamoDB WriteThrottleEvents never has GlobalSecondaryIndexName attempts-of-users",
		},
		"the dashboard is no JSON": {
			change{file: monitoring, part: "Dashboard", old: `{"widgets": [`, new: `{"widgets": [,`},
			"Dashboard: DashboardBody is no JSON",
		},
		"a widget of another kind": {
			change{file: monitoring, part: "Dashboard", old: `"type": "metric", "x": 0, "y": 0`, new: `"type": "custom", "x": 0, "y": 0`},
			`Dashboard: "Sign-ins by outcome" shows no metrics`,
		},
		"the dashboard shows a metric of another name": {
			change{file: monitoring, part: "Dashboard", old: `"WeComSignIn", "WeComDuration"`, new: `"WeComSignIn", "WecomDuration"`},
			"there is no metric WeComSignIn WecomDuration",
		},
		"the dashboard searches dimensions that are not written": {
			change{file: monitoring, part: "Dashboard", old: "{WeComSignIn,Service,WeComCode}", new: "{WeComSignIn,Service,Code}"},
			`WeComSignIn WeComErrors has no dimensions "Code,Service"`,
		},
		"the dashboard continues a row that does not fit": {
			change{file: monitoring, part: "Dashboard", old: `[".", "5xx", ".", "."]`, new: `[".", "5xx", "."]`},
			"has a row without a metric",
		},
		"the dashboard shows another deployment": {
			change{file: monitoring, part: "Dashboard", old: `"SigningKeyAge", "Service", "${ServiceName}"`, new: `"SigningKeyAge", "Service", "wecom-signin"`},
			"WeComSignIn SigningKeyAge never has Service wecom-signin",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := checkRules(brokenCopy(t, c.change))
			wantFault(t, faults, c.want)
		})
	}
}

// Lambda needs the role to take its interfaces away; an hour later the network can end.
func TestRoleKeepsTheNetworkUntilItIsLeft(t *testing.T) {
	early := change{part: "AdminRole", old: "- !If\n                - NetworkStands\n", new: "- !If\n                - NatEgress\n"}
	_, faults := checkRules(brokenCopy(t, early, early))
	wantFault(t, faults, "roles may use the network of [AdminFunction CallbackFunction] with EgressMode nat, but of [CallbackFunction] with nat-closing")
}
