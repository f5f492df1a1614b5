package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
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
				switch policy := r.attributes[name]; {
				case policy == nil:
					f.add("%s has no %s: what becomes of its data must be said", id, name)
				case policy != "Delete" && id != "DirectoryTable":
					f.add("%s: %s is %v; only the directory outlives its stack", id, name, policy)
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
	return f
}

// checkTables compares keys, indexes and the time to live with what the code asks for.
func checkTables(s stack) []string {
	var f faults
	tables := s.main.resources("AWS::DynamoDB::Table")
	sorted(contract.Tables(), func(id string, want contract.Table) {
		r, there := tables[id]
		if !there {
			f.add("%s is missing", id)
			return
		}
		if r.properties["BillingMode"] != "PAY_PER_REQUEST" {
			f.add("%s: BillingMode must be PAY_PER_REQUEST; a capacity of its own turns people away", id)
		}
		kinds := map[string]string{}
		for _, attribute := range list(r.properties["AttributeDefinitions"]) {
			name, _ := at(attribute, "AttributeName").(string)
			kinds[name], _ = at(attribute, "AttributeType").(string)
		}
		if keys := keysOf(r.properties, kinds); !slices.Equal(keys, want.Keys) {
			f.add("%s: its keys are %v, not %v", id, keys, want.Keys)
		}
		found := map[string]any{}
		for _, index := range list(r.properties["GlobalSecondaryIndexes"]) {
			name, _ := at(index, "IndexName").(string)
			found[name] = index
		}
		sorted(want.Indexes, func(name string, keys []string) {
			index, there := found[name]
			if !there {
				f.add("%s: the index %s is missing", id, name)
				return
			}
			if has := keysOf(object(index), kinds); !slices.Equal(has, keys) {
				f.add("%s: the keys of index %s are %v, not %v", id, name, has, keys)
			}
			projection := object(at(index, "Projection"))
			if projection["ProjectionType"] != "INCLUDE" || !slices.Equal(list(projection["NonKeyAttributes"]), []any{contract.Attempt}) {
				f.add("%s: index %s must hold %s and no more", id, name, contract.Attempt)
			}
		})
		sorted(found, func(name string, _ any) {
			if _, wanted := want.Indexes[name]; !wanted {
				f.add("%s: nothing asks the index %s", id, name)
			}
		})
		ttl := object(r.properties["TimeToLiveSpecification"])
		if want.TimeToLive != "" && (ttl["Enabled"] != "true" || ttl["AttributeName"] != want.TimeToLive) {
			f.add("%s: TimeToLiveSpecification must be enabled with the attribute %s; its records would be kept and paid for ever", id, want.TimeToLive)
		}
		if want.TimeToLive == "" && len(ttl) > 0 {
			f.add("%s: TimeToLiveSpecification would delete what must last", id)
		}
	})
	return f
}

// keysOf returns the keys of a table or index as "name type", the partition key first.
func keysOf(properties map[string]any, kinds map[string]string) []string {
	var keys []string
	for i, key := range list(properties["KeySchema"]) {
		name, _ := at(key, "AttributeName").(string)
		written := name + " " + kinds[name]
		if role := at(key, "KeyType"); i == 0 && role != "HASH" || i > 0 && role != "RANGE" {
			written = fmt.Sprintf("%s as %v", written, role)
		}
		keys = append(keys, written)
	}
	return keys
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
			generated := r.properties["GenerateSecretString"]
			if r.properties["SecretString"] == nil && generated == nil {
				f.add("%s: nobody makes its value", id)
			}
			// A text that everybody knows would be the key.
			if id != "SigningKeys" && (r.properties["SecretString"] != nil || generated == nil) {
				f.add("%s: Secrets Manager must make its value (GenerateSecretString); only SigningKeys have a function for it", id)
			}
			if key := at(generated, "GenerateStringKey"); id == "SealingKeys" && key != "current" || id != "SealingKeys" && key != nil {
				f.add("%s: GenerateStringKey is %v; the code reads current of SealingKeys, and AdminKey as it is", id, key)
			}
			checkStrength(id, r.properties["GenerateSecretString"], &f)
		})
		walk(t.root, nil, func(path []string, value any) {
			written, ok := value.(string)
			if !ok {
				return
			}
			if keyMaterial.MatchString(written) {
				f.add("%s: %s looks like a key", t.name, strings.Join(path, "."))
			}
		})
	}
	sorted(s.main.resources(functionType), func(id string, r resource) {
		sorted(object(at(r.properties, "Environment", "Variables")), func(name string, _ any) {
			if strings.HasSuffix(name, "_KEY") || strings.HasSuffix(name, "_TOKEN") || strings.HasSuffix(name, "_PASSWORD") {
				f.add("%s: variable %s is a secret by its name; a function reads secrets from Secrets Manager", id, name)
			}
		})
	})
	return f
}

// shortestSecret is in characters of letters and digits, each worth almost 6 bits.
const shortestSecret = 32

// checkStrength wants what Secrets Manager makes to be beyond guessing.
func checkStrength(id string, generated any, f *faults) {
	if generated == nil {
		return
	}
	written, _ := at(generated, "PasswordLength").(string)
	if length, err := strconv.Atoi(written); err != nil || length < shortestSecret {
		f.add("%s: PasswordLength is %q, but must be a number and at least %d", id, written, shortestSecret)
	}
	sorted(object(generated), func(name string, _ any) {
		if !slices.Contains([]string{"PasswordLength", "ExcludePunctuation", "SecretStringTemplate", "GenerateStringKey"}, name) {
			f.add("%s: %s could leave few characters to choose from", id, name)
		}
	})
}

// Limits of RotationDays. Below, verifiers that keep keys for a week could miss one;
// above, a key that got out would serve for long.
const (
	shortestRotation = "7"
	longestRotation  = "365"
)

// checkRotation wants the signing keys to be made at once and rotated from then on.
func checkRotation(s stack) []string {
	var f faults
	schedules := s.main.resources("AWS::SecretsManager::RotationSchedule")
	if len(schedules) != 1 {
		f.add("there are %d rotation schedules, not the one of SigningKeys", len(schedules))
	}
	sorted(schedules, func(id string, r resource) {
		secret, _ := text(r.properties["SecretId"])
		function, _ := text(r.properties["RotationLambdaARN"])
		days, _ := text(at(r.properties, "RotationRules", "AutomaticallyAfterDays"))
		if secret != "${SigningKeys}" || function != "${"+contract.RotateKeys+".Arn}" || days != "${RotationDays}" || len(object(r.properties["RotationRules"])) != 1 {
			f.add("%s: %s must rotate SigningKeys every RotationDays", id, contract.RotateKeys)
		}
		if now := r.properties["RotateImmediatelyOnUpdate"]; now != nil && now != "true" {
			f.add("%s: RotateImmediatelyOnUpdate must be true: the first rotation makes the first keys", id)
		}
		if !slices.Contains(list(r.attributes["DependsOn"]), any("RotateKeysPermission")) {
			f.add("%s must depend on RotateKeysPermission: the first rotation runs at once", id)
		}
		if r.attributes["Condition"] != nil {
			f.add("%s: no choice may end the rotation", id)
		}
	})
	days := object(s.main.section("Parameters")["RotationDays"])
	if days["Type"] != "Number" || days["MinValue"] != shortestRotation || days["MaxValue"] != longestRotation {
		f.add("parameter RotationDays must be a Number from %s to %s", shortestRotation, longestRotation)
	}
	allowed := map[string]string{}
	sorted(s.main.resources("AWS::Lambda::Permission"), func(id string, r resource) {
		function, _ := text(r.properties["FunctionName"])
		source, _ := text(r.properties["SourceArn"])
		account, _ := text(r.properties["SourceAccount"])
		allowed[id] = fmt.Sprintf("%v may %v %s for %s of %s", r.properties["Principal"], r.properties["Action"], function, source, account)
	})
	want := "secretsmanager.amazonaws.com may lambda:InvokeFunction ${RotateKeysFunction} for ${SigningKeys} of ${AWS::AccountId}"
	if len(allowed) != 1 || allowed["RotateKeysPermission"] != want {
		f.add("permissions to invoke are %v, wanted one: %s", allowed, want)
	}
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
