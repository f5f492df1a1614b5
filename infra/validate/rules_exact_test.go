package main

import "testing"

// Mistakes in what has one right value: a known secret, a right that only some choices
// give, somebody else's program, an alarm that never rings.
func TestOurRulesRefuseWhatIsNotExact(t *testing.T) {
	for name, c := range map[string]struct {
		change
		want string
	}{
		// Rights.
		"a right that comes with a domain": {
			change{part: "IssuerRole", old: "Action: [dynamodb:GetItem]", new: "Action: !If [OwnDomain, [dynamodb:GetItem, dynamodb:PutItem], [dynamodb:GetItem]]"},
			"depends on OwnDomain; roles depend on NewDirectory and NetworkStands alone",
		},
		"a policy that comes with an address for alarms": {
			change{part: "IssuerRole", old: "      Policies:\n", new: "      Policies:\n        - !If [AlarmByEmail, {PolicyName: more, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Action: [secretsmanager:GetSecretValue], Resource: !Ref AdminKey}]}}, !Ref AWS::NoValue]\n"},
			"IssuerRole: Policies.0 depends on AlarmByEmail",
		},
		"a role ends by choice": {
			change{part: "RotateKeysRole", old: "    Properties:\n", new: "    Condition: OwnDomain\n    Properties:\n"},
			"RotateKeysRole: no choice may end a role",
		},
		"a role of nobody": {
			change{old: "  IssuerRole:\n", new: "  OtherRole: {Type: AWS::IAM::Role}\n  IssuerRole:\n"},
			"OtherRole is the role of no function",
		},
		"a condition that no choice takes": {
			change{old: "Conditions:\n", new: "Conditions:\n  Yearly: !Equals [!Ref LogRetentionDays, 365]\n"},
			"condition Yearly is always false for these rules",
		},
		"a table with a policy of its own": {
			change{part: "DirectoryTable", old: "      BillingMode: PAY_PER_REQUEST\n", new: "      BillingMode: PAY_PER_REQUEST\n      ResourcePolicy: {PolicyDocument: {Version: '2012-10-17', Statement: []}}\n"},
			"DirectoryTable has the property ResourcePolicy, which these rules do not know",
		},
		"a copy of every change": {
			change{part: "DirectoryTable", old: "      BillingMode: PAY_PER_REQUEST\n", new: "      BillingMode: PAY_PER_REQUEST\n      StreamSpecification: {StreamViewType: NEW_AND_OLD_IMAGES}\n"},
			"DirectoryTable has the property StreamSpecification, which these rules do not know",
		},

		// Secrets.
		"the admin key is known to everybody": {
			change{part: "AdminKey", old: "GenerateSecretString: {PasswordLength: 48, ExcludePunctuation: true}", new: "SecretString: '{}'"},
			"AdminKey: Secrets Manager must make its value",
		},
		"the sealing keys have another name": {
			change{part: "SealingKeys", old: "GenerateStringKey: current", new: "GenerateStringKey: currant"},
			"SealingKeys: GenerateStringKey is currant",
		},
		"a secret is sealed with a key of somebody's": {
			change{part: "AdminKey", old: "      Description:", new: "      KmsKeyId: alias/other\n      Description:"},
			"AdminKey has the property KmsKeyId, which these rules do not know",
		},
		"a secret outlives its stack": {
			change{part: "AdminKey", old: "    DeletionPolicy: Delete\n", new: "    DeletionPolicy: Retain\n"},
			"AdminKey: DeletionPolicy is Retain; only the directory outlives its stack",
		},
		"the rotation runs before it may": {
			change{part: "SigningKeysRotation", old: "    DependsOn: [RotateKeysPermission]\n", new: ""},
			"SigningKeysRotation must depend on RotateKeysPermission",
		},
		"a table with a capacity of its own": {
			change{part: "TransientTable", old: "BillingMode: PAY_PER_REQUEST", new: "BillingMode: PROVISIONED"},
			"TransientTable: BillingMode must be PAY_PER_REQUEST",
		},

		// Programs.
		"the authorizer is another program": {
			change{part: "AuthorizerFunction", old: "CodeUri: functions/authorizer/lambda", new: "CodeUri: functions/issuer/lambda"},
			"AuthorizerFunction: CodeUri is functions/issuer/lambda, not functions/authorizer/lambda",
		},
		"a program from elsewhere": {
			change{part: "AuthorizerFunction", old: "CodeUri: functions/authorizer/lambda", new: "CodeUri: s3://bucket/program.zip"},
			"AuthorizerFunction: CodeUri is s3://bucket/program.zip",
		},
		"a program is built elsewhere": {
			change{part: "AuthorizerFunction", old: "ProjectRootDirectory: .}", new: "ProjectRootDirectory: ..}"},
			"AuthorizerFunction: Metadata are map[BuildMethod:makefile ProjectRootDirectory:..]",
		},
		"a function has a runtime of its own": {
			change{part: "AuthorizerFunction", old: "    Properties:\n", new: "    Properties:\n      Runtime: python3.12\n"},
			"AuthorizerFunction has a Runtime of its own",
		},
		"functions of another processor than the one that is built for": {
			change{old: "Architectures: [!Ref Architecture]", new: "Architectures: [x86_64]"},
			"Globals: Architectures must be ${Architecture}",
		},
		"functions end before they begin": {
			change{old: "    Timeout: 10\n", new: "    Timeout: 1\n"},
			`SigninFunction: Timeout is "1", but must be`,
		},
		"lines and their metrics are left out": {
			change{part: "CallbackFunction", old: "{LogFormat: JSON,", new: "{LogFormat: JSON, ApplicationLogLevel: FATAL,"},
			"CallbackFunction: LoggingConfig must be LogFormat and LogGroup alone",
		},
		"a tool is silenced": {
			change{old: "Globals:\n", new: "Metadata: {cfn-lint: {config: {ignore_checks: [E]}}}\nGlobals:\n"},
			"template.yaml: it has Metadata, which these rules do not know",
		},
		"a tool is silenced about one resource": {
			change{part: "RotateKeysPermission", old: "    Properties:\n", new: "    Metadata: {cfn-lint: {config: {ignore_checks: [E]}}}\n    Properties:\n"},
			"RotateKeysPermission: Metadata are",
		},
		"an update of another kind": {
			change{part: "CallbackFunction", old: "    Properties:\n", new: "    UpdatePolicy: {AutoScalingReplacingUpdate: {WillReplace: true}}\n    Properties:\n"},
			"CallbackFunction has UpdatePolicy, which these rules do not know",
		},

		// The API and its domain.
		"IAM decides beside the authorizer": {
			change{part: "Api", old: "      Auth:\n", new: "      Auth:\n        EnableIamAuthorizer: true\n"},
			"Api: Auth has EnableIamAuthorizer, which these rules do not know",
		},
		"the authorizer wants more than the key": {
			change{part: "Api", old: "              Headers: [Authorization]\n", new: "              Headers: [Authorization]\n              QueryStrings: [k]\n"},
			"Api: Auth has QueryStrings, which these rules do not know",
		},
		"a route has an exception": {
			change{part: "AdminFunction", old: "{Authorizer: Administrator}", new: "{Authorizer: Administrator, OverrideApiAuth: true}"},
			"AdminFunction: the Auth of event Admin has OverrideApiAuth",
		},
		"guesses at the admin key without bound": {
			change{part: "Api", old: "'ANY /api/admin/{proxy+}': {ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40}", new: "'ANY /api/admin/{proxy+}': {ThrottlingRateLimit: 100000, ThrottlingBurstLimit: 100000}"},
			"Api: RouteSettings of ANY /api/admin/{proxy+} must have",
		},
		"every request is written down": {
			change{part: "Api", old: "DefaultRouteSettings: {", new: "DefaultRouteSettings: {DataTraceEnabled: true, "},
			"Api: DefaultRouteSettings must have",
		},
		"the access log is among a function's lines": {
			change{part: "Api", old: "!GetAtt ApiLogGroup.Arn", new: "!GetAtt IssuerLogGroup.Arn"},
			`the access log goes to "${IssuerLogGroup.Arn}", not to the log group ApiLogGroup`,
		},
		"the domain leads elsewhere": {
			change{part: "DomainRecord", old: "DNSName: !GetAtt ApiDomain.RegionalDomainName", new: "DNSName: example.org"},
			"DomainRecord comes to",
		},
		"the domain has a path in front": {
			change{part: "ApiDomainMapping", old: "Stage: $default}", new: "Stage: $default, ApiMappingKey: x}"},
			"ApiDomainMapping has the property ApiMappingKey",
		},
		"a certificate waits for a letter": {
			change{part: "Certificate", old: "ValidationMethod: DNS", new: "ValidationMethod: EMAIL"},
			"Certificate comes to",
		},
		"alarms go to somebody else": {
			change{part: "AlarmSubscription", old: "Protocol: email, Endpoint: !Ref AlarmEmail", new: "Protocol: https, Endpoint: 'https://example.org'"},
			"AlarmSubscription comes to",
		},
		"another stack holds this one": {
			change{part: "AdminKeySecret", old: "    Value: !Ref AdminKey\n", new: "    Value: !Ref AdminKey\n    Export: {Name: admin-key}\n"},
			"template.yaml: output AdminKeySecret has an Export",
		},
		"an address that is more than one": {
			change{part: "PublicUrl", old: "'(https://[A-Za-z0-9.-]+(:[0-9]+)?/?)?'", new: "'(https://.*)?'"},
			"an address that is more than an origin is not refused",
		},

		// Alarms and the network.
		"an alarm never rings": {
			change{part: "CallbackErrorsAlarm", old: "Threshold: 1\n", new: "Threshold: 1000000000\n"},
			`CallbackErrorsAlarm: Threshold is "1000000000", but must be a number from 1 to 5`,
		},
		"an alarm rings a day late": {
			change{file: monitoring, part: "RotationFailedAlarm", old: "EvaluationPeriods: 1", new: "EvaluationPeriods: 100"},
			`RotationFailedAlarm: EvaluationPeriods is "100"`,
		},
		"an alarm rings when all is well": {
			change{part: "CallbackErrorsAlarm", old: "GreaterThanOrEqualToThreshold", new: "LessThanThreshold"},
			`CallbackErrorsAlarm: ComparisonOperator is "LessThanThreshold"`,
		},
		"an alarm rings when nobody comes": {
			change{file: monitoring, part: "InternalErrorsAlarm", old: "TreatMissingData: notBreaching", new: "TreatMissingData: breaching"},
			"InternalErrorsAlarm: TreatMissingData must be notBreaching",
		},
		"one success hides all failures": {
			change{file: monitoring, part: "InternalErrorsAlarm", old: "Statistic: Sum", new: "Statistic: Minimum"},
			"InternalErrorsAlarm: the statistic Minimum would hide failures",
		},
		"an alarm compares nothing": {
			change{file: monitoring, part: "FunctionErrorsAlarm", old: "ReturnData: true", new: "ReturnData: false"},
			"FunctionErrorsAlarm compares 0 expressions",
		},
		"nobody hears of the end": {
			change{file: monitoring, part: "ApiErrorsAlarm", old: "      OKActions: [!Ref AlarmTopic]\n", new: ""},
			"ApiErrorsAlarm: OKActions must be AlarmTopic",
		},
		"two gateways in one zone": {
			change{file: network, part: "NatGatewayB", old: "SubnetId: !Ref PublicSubnetB", new: "SubnetId: !Ref PublicSubnetA"},
			"NatGatewayB: NAT gateways must stand in public subnets of different zones",
		},
		"the endpoint has a policy of its own": {
			change{file: network, part: "DynamoDBEndpoint", old: "      VpcEndpointType: Gateway\n", new: "      VpcEndpointType: Gateway\n      PolicyDocument: {}\n"},
			"DynamoDBEndpoint has the property PolicyDocument",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := checkRules(brokenCopy(t, c.change))
			wantFault(t, faults, c.want)
		})
	}
}
