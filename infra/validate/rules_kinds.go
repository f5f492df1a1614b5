package main

import (
	"reflect"
	"slices"
	"strings"
)

// kinds are the types of resources that each nested template may have, by its file.
// What nobody has looked at is refused, because it could be one more way in.
func kinds() map[string][]string {
	return map[string][]string{
		"infra/monitoring.yaml": {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard"},
		"infra/network.yaml": {
			"AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::EC2::RouteTable",
			"AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC",
			"AWS::EC2::VPCEndpoint", "AWS::EC2::VPCGatewayAttachment",
		},
	}
}

// mainKinds are those of the main template. Routes, integrations and versions are not
// among them: SAM makes them of the functions, where these rules see them.
func mainKinds() []string {
	return []string{
		apiType, functionType, "AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::DomainName", "AWS::CertificateManager::Certificate",
		"AWS::CloudFormation::Stack", "AWS::CloudWatch::Alarm", "AWS::DynamoDB::Table", "AWS::IAM::Role", "AWS::Lambda::Permission",
		"AWS::Logs::LogGroup", "AWS::Route53::RecordSet", "AWS::SNS::Subscription", "AWS::SNS::Topic",
		"AWS::SecretsManager::RotationSchedule", "AWS::SecretsManager::Secret",
	}
}

// properties are the ones that these rules know. Some, such as FailOnWarnings, have a
// rule that refuses them in better words; those of roles are for package permissions.
func properties() map[string][]string {
	return map[string][]string{
		functionType: {
			"Architectures", "AutoPublishAlias", "AutoPublishAliasAllProperties", "CodeUri", "DeploymentPreference", "Description",
			"Environment", "Events", "Handler", "LoggingConfig", "MemorySize", "Role", "Runtime", "Timeout",
			"VersionDeletionPolicy", "VpcConfig",
		},
		apiType: {
			"AccessLogSettings", "Auth", "DefaultRouteSettings", "DisableExecuteApiEndpoint", "FailOnWarnings", "RouteSettings", "StageName",
		},
		"AWS::ApiGatewayV2::ApiMapping":        {"ApiId", "DomainName", "Stage"},
		"AWS::ApiGatewayV2::DomainName":        {"DomainName", "DomainNameConfigurations"},
		"AWS::CertificateManager::Certificate": {"DomainName", "DomainValidationOptions", "ValidationMethod"},
		"AWS::CloudFormation::Stack":           {"Parameters", "TemplateURL"},
		"AWS::CloudWatch::Alarm": {
			"ActionsEnabled", "AlarmActions", "AlarmDescription", "ComparisonOperator", "DatapointsToAlarm", "Dimensions", "EvaluationPeriods",
			"ExtendedStatistic", "MetricName", "Metrics", "Namespace", "OKActions", "Period", "Statistic", "Threshold", "TreatMissingData",
		},
		"AWS::DynamoDB::Table": {
			"AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "GlobalSecondaryIndexes", "KeySchema",
			"PointInTimeRecoverySpecification", "TimeToLiveSpecification",
		},
		"AWS::EC2::SecurityGroup":               {"GroupDescription", "SecurityGroupEgress", "SecurityGroupIngress", "VpcId"},
		"AWS::EC2::VPCEndpoint":                 {"RouteTableIds", "ServiceName", "VpcEndpointType", "VpcId"},
		"AWS::Lambda::Permission":               {"Action", "FunctionName", "Principal", "SourceAccount", "SourceArn"},
		"AWS::Logs::LogGroup":                   {"LogGroupName", "RetentionInDays"},
		"AWS::Route53::RecordSet":               {"AliasTarget", "HostedZoneId", "Name", "Type"},
		"AWS::SNS::Subscription":                {"Endpoint", "Protocol", "TopicArn"},
		"AWS::SNS::Topic":                       {"DisplayName"},
		"AWS::SecretsManager::RotationSchedule": {"RotateImmediatelyOnUpdate", "RotationLambdaARN", "RotationRules", "SecretId"},
		"AWS::SecretsManager::Secret":           {"Description", "GenerateSecretString", "SecretString"},
	}
}

// sections are what a template may have. Metadata is not among them: what silences a
// tool stands at the resource.
func sections() []string {
	return []string{
		"AWSTemplateFormatVersion", "Conditions", "Description", "Globals", "Outputs", "Parameters", "Resources", "Rules", "Transform",
	}
}

// attributes are what a resource may have beside Metadata.
func attributes() []string {
	return []string{"Condition", "DeletionPolicy", "DependsOn", "Properties", "Type", "UpdateReplacePolicy"}
}

// metadata of a resource say how it is built, or what a tool overlooks.
func metadata(id string, r resource) map[string]any {
	switch {
	case r.kind == functionType:
		return map[string]any{"BuildMethod": "makefile", "ProjectRootDirectory": "."}
	case id == "ApiDomain":
		return map[string]any{"cfn-lint": map[string]any{"config": map[string]any{"ignore_checks": []any{"W1030"}}}}
	}
	return nil
}

const transform = "AWS::Serverless-2016-10-31"

// checkKinds refuses what these rules do not know: sections, types of resources with
// their properties, transforms, and values that are filled in from elsewhere.
func checkKinds(s stack) []string {
	var f faults
	for i, t := range s.templates() {
		allowed := kinds()[t.name]
		if i == 0 {
			allowed = mainKinds()
		}
		sorted(t.root, func(section string, _ any) {
			if !slices.Contains(sections(), section) {
				f.add("%s: it has %s, which these rules do not know", t.name, section)
			}
		})
		sorted(t.resources(), func(id string, r resource) {
			sorted(r.attributes, func(name string, _ any) {
				if name != "Metadata" && !slices.Contains(attributes(), name) {
					f.add("%s has %s, which these rules do not know", id, name)
				}
			})
			if want := metadata(id, r); !reflect.DeepEqual(object(r.attributes["Metadata"]), want) {
				f.add("%s: Metadata are %v, not %v", id, r.attributes["Metadata"], want)
			}
			if !slices.Contains(allowed, r.kind) {
				f.add("%s: %s is an %s, which nothing of this service is", t.name, id, r.kind)
			}
			known, limited := properties()[r.kind]
			sorted(r.properties, func(name string, _ any) {
				if limited && !slices.Contains(known, name) {
					f.add("%s has the property %s, which these rules do not know", id, name)
				}
			})
		})
		if i == 0 && t.root["Transform"] != transform || i > 0 && t.root["Transform"] != nil {
			f.add("%s: Transform is %v; SAM's own is the only one, and in the main template alone", t.name, t.root["Transform"])
		}
		for name, value := range t.section("Globals") {
			sorted(object(value), func(property string, _ any) {
				if name != "Function" || !slices.Contains(properties()[functionType], property) {
					f.add("%s: Globals.%s has the property %s, which these rules do not know", t.name, name, property)
				}
			})
		}
		walk(t.root, nil, func(path []string, value any) {
			for name := range object(value) {
				if name == "Fn::Transform" {
					f.add("%s: %s is a transform, made of what these rules do not see", t.name, strings.Join(path, "."))
				}
			}
			// Also where it is put together of pieces.
			if written, _ := value.(string); strings.Contains(written, "resolve:") {
				f.add("%s: %s resolves a value from elsewhere into plain text", t.name, strings.Join(path, "."))
			}
		})
	}
	return f
}
