package main

import (
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

// properties are the ones that these rules know of what SAM translates, of functions
// and of the API. FailOnWarnings has a rule of its own.
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
	}
}

const transform = "AWS::Serverless-2016-10-31"

// checkKinds refuses what these rules do not know: types of resources, properties of
// functions and of the API, transforms, and values that are filled in from elsewhere.
func checkKinds(s stack) []string {
	var f faults
	for i, t := range s.templates() {
		allowed := kinds()[t.name]
		if i == 0 {
			allowed = mainKinds()
		}
		sorted(t.resources(), func(id string, r resource) {
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
