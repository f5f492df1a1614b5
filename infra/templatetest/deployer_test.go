package templatetest_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// unneeded are actions that AWS names beside a type for properties that no template here
// has, and those that read or write records and secrets.
var unneeded = regexp.MustCompile(`^(acm-pca|billing|elasticfilesystem|firehose|kinesis|s3files|vpc-lattice|vpce):|` +
	`^dynamodb:(\w*Item|Query|Scan|ImportTable|[^D]\w*(Replica|KinesisStreamingDestination|ContributorInsights|ResourcePolicy)|D(elete|isable)\w*(ResourcePolicy|Destination))$|` +
	`^secretsmanager:(GetSecretValue|\w*Replica\w*)$|` +
	`^ec2:(AcceptAddressTransfer|\w*(PrivateNatGatewayAddress|NatGatewayAddress|SubnetCidrBlock|VpcEncryptionControl|VpnGateway))$|` +
	`^iam:(\w*(Group|User)Policy|DeleteRolePermissionsBoundary)$|^apigateway:\w+Resource$|^kms:(ListAliases|RevokeGrant)$`)

// What AWS says each type of the templates needs, infra/deployer.yaml allows.
func TestDeployerMayDeploy(t *testing.T) {
	schemas, err := filepath.Glob(filepath.Join(filepath.Dir(findTools(t).python), "../lib/python3*/site-packages/cfnlint/data/schemas"))
	if err != nil || len(schemas) != 1 {
		t.Fatal(schemas, err)
	}
	content, err := os.ReadFile(filepath.Join(root, deployer))
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`\b[a-z0-9]+:[A-Z*][A-Za-z*]*`).FindAllString(string(content), -1)
	allows := func(action string) bool {
		return slices.ContainsFunc(allowed, func(pattern string) bool { matches, _ := path.Match(pattern, action); return matches })
	}
	decode := func(file string, into any) {
		content, err := os.ReadFile(filepath.Join(schemas[0], file))
		if err := errors.Join(err, json.Unmarshal(content, into)); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string]string{}
	decode("providers/"+regions[0]+".json", &files)
	types := append(slices.Collect(maps.Keys(read(t).Resources)), "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::CodeDeploy::Application",
		"AWS::CodeDeploy::DeploymentGroup", "AWS::Lambda::Alias", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::Lambda::Version") // of SAM
	found := 0
	for _, kind := range types {
		var schema struct {
			Handlers map[string]struct{ Permissions []string }
		}
		if file, known := files[kind]; known {
			decode("resources/"+file+".json", &schema)
		}
		for _, handler := range []string{"create", "update", "delete"} {
			for _, action := range schema.Handlers[handler].Permissions {
				found++
				if allows(action) == unneeded.MatchString(action) {
					t.Errorf("%s, %s: %s is allowed: %v", kind, handler, action, allows(action))
				}
			}
		}
	}
	if found < 200 {
		t.Errorf("found only %d actions", found)
	}
}
