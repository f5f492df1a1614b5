package main

import (
	"regexp"
	"slices"
	"strings"
)

// stateful are types of resources whose loss is a loss.
func stateful() []string {
	return []string{
		"AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::SecretsManager::Secret", "AWS::Logs::LogGroup",
		"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::KMS::Key", "AWS::EFS::FileSystem", "AWS::RDS::DBInstance", "AWS::RDS::DBCluster",
		"AWS::Cognito::UserPool", "AWS::Backup::BackupVault", "AWS::CloudFormation::Stack",
	}
}

// checkStateful wants a decision for everything that holds data, and the directory
// kept whatever happens to the stack.
func checkStateful(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.resources(stateful()...), func(id string, r resource) {
			for _, name := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
				if r.attributes[name] == nil {
					f.add("%s has no %s: what becomes of its data must be said", id, name)
				}
			}
		})
	}
	directory, there := s.main.resources("AWS::DynamoDB::Table")["DirectoryTable"]
	if !there {
		f.add("DirectoryTable is missing")
		return f
	}
	for _, name := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if directory.attributes[name] != "Retain" {
			f.add("DirectoryTable: %s must be Retain; every user and authenticator is in it", name)
		}
	}
	if directory.properties["DeletionProtectionEnabled"] != "true" {
		f.add("DirectoryTable: DeletionProtectionEnabled must be true")
	}
	if at(directory.properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != "true" {
		f.add("DirectoryTable: PointInTimeRecoveryEnabled must be true; without it there is no way back from a mistake")
	}
	transient, there := s.main.resources("AWS::DynamoDB::Table")["TransientTable"]
	if ttl := at(transient.properties, "TimeToLiveSpecification", "Enabled"); !there || ttl != "true" {
		f.add("TransientTable: TimeToLiveSpecification must be enabled; its records would be kept and paid for ever")
	}
	return f
}

var (
	secretName = regexp.MustCompile(`(?i)(secret|password|passphrase|credential|token|private|(admin|api|sealing|signing|access|master)_?-?key)`)
	// keyMaterial is what secrets look like: AWS access keys and PEM.
	keyMaterial = regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN `)
)

// checkSecrets refuses every way in which a secret's value can come to stand in a
// template, a stack's parameters or a function's configuration, where more people
// can read it than in Secrets Manager.
func checkSecrets(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.section("Parameters"), func(name string, value any) {
			if at(value, "NoEcho") != nil {
				f.add("%s: parameter %s has NoEcho, so it is a secret; secrets are made inside the account", t.name, name)
			}
			if secretName.MatchString(name) {
				f.add("%s: parameter %s is a secret by its name; secrets are made inside the account", t.name, name)
			}
		})
		sorted(t.resources("AWS::SecretsManager::Secret"), func(id string, r resource) {
			if value := r.properties["SecretString"]; value != nil && value != "{}" {
				f.add("%s: SecretString is in the template; only '{}', a place for what rotation writes, may be", id)
			}
			if value := at(r.properties, "GenerateSecretString", "SecretStringTemplate"); value != nil && value != "{}" {
				f.add("%s: SecretStringTemplate is in the template; only '{}' may be", id)
			}
			if r.properties["SecretString"] == nil && r.properties["GenerateSecretString"] == nil {
				f.add("%s: nobody makes its value", id)
			}
		})
		walk(t.root, nil, func(path []string, value any) {
			written, ok := value.(string)
			if !ok {
				return
			}
			if strings.Contains(written, "{{resolve:") {
				f.add("%s: %s resolves a value from elsewhere into plain text", t.name, strings.Join(path, "."))
			}
			if keyMaterial.MatchString(written) {
				f.add("%s: %s looks like a key", t.name, strings.Join(path, "."))
			}
		})
	}
	secrets := s.main.resources("AWS::SecretsManager::Secret")
	sorted(s.main.resources(functionType), func(id string, r resource) {
		sorted(object(at(r.properties, "Environment", "Variables")), func(name string, value any) {
			if !strings.HasSuffix(name, "_SECRET") {
				if strings.HasSuffix(name, "_KEY") || strings.HasSuffix(name, "_TOKEN") || strings.HasSuffix(name, "_PASSWORD") {
					f.add("%s: variable %s is a secret by its name; a function reads secrets from Secrets Manager", id, name)
				}
				return
			}
			for _, choice := range choices(value) {
				target, _ := at(choice, "Ref").(string)
				if _, there := secrets[target]; !there {
					f.add("%s: variable %s must be !Ref of a secret, which is its address", id, name)
				}
			}
		})
	})
	return f
}

var (
	region  = regexp.MustCompile(`\b(us|eu|ap|cn|ca|sa|me|af|il|mx|us-gov|us-iso|eusc)-(north|south|east|west|central|northeast|northwest|southeast|southwest|de-east)-[0-9]\b`)
	account = regexp.MustCompile(`(^|[^0-9A-Za-z])[0-9]{12}([^0-9A-Za-z]|$)`)
)

// checkPlaces refuses what ties the stack to one partition, region or account.
func checkPlaces(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		walk(t.root, nil, func(path []string, value any) {
			written, ok := value.(string)
			if !ok || len(path) == 0 {
				return
			}
			place := t.name + ": " + strings.Join(path, ".")
			last := path[len(path)-1]
			// What people read, and what a parameter is compared with.
			if slices.Contains([]string{"Description", "AlarmDescription", "AssertDescription", "AllowedPattern", "ConstraintDescription"}, last) {
				return
			}
			if strings.Contains(written, "arn:aws:") || strings.Contains(written, "arn:aws-") {
				f.add("%s: an ARN of one partition; write arn:${AWS::Partition}:", place)
			}
			// A service's name in a policy is the same in every partition.
			service := slices.Contains(path, "Principal") || last == "Service"
			if strings.Contains(written, "amazonaws.com") && !service {
				f.add("%s: a host of one partition; write ${AWS::URLSuffix}", place)
			}
			if found := region.FindString(written); found != "" {
				f.add("%s: the region %s; write ${AWS::Region}", place, found)
			}
			if account.MatchString(written) {
				f.add("%s: an account number; write ${AWS::AccountId}", place)
			}
		})
	}
	return f
}
