package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// stackName is the name of the deployment here. A table or a secret is called by it
// and its logical id, so that the events can name them.
const stackName = "wecom-signin-local"

func physicalName(logicalID string) string { return stackName + "-" + logicalID }

// Logical ids of resources that are more than tables and secrets to this command.
const (
	directoryTable = "DirectoryTable"
	transientTable = "TransientTable"
	adminKeySecret = "AdminKey"
	signingKeys    = "SigningKeys"
)

const (
	functionType = "AWS::Serverless::Function"
	tableType    = "AWS::DynamoDB::Table"
	secretType   = "AWS::SecretsManager::Secret"
)

// processor is Lambda's name of this machine's.
func processor() (string, error) {
	name := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if name == "" {
		return "", fmt.Errorf("Lambda has no processor like %s", runtime.GOARCH)
	}
	return name, nil
}

// readStack works out what template.yaml says with its defaults, on this machine.
func (l *local) readStack() (*cloudformation.Stack, error) {
	architecture, err := processor()
	if err != nil {
		return nil, err
	}
	template, err := cloudformation.ReadFile(filepath.Join(l.source, "template.yaml"))
	if err != nil {
		return nil, err
	}
	values := cloudformation.Values{
		Parameters: map[string]string{"Architecture": architecture},
		Pseudo:     map[string]string{"AWS::StackName": stackName, "AWS::Region": emulator.Region, "AWS::AccountId": emulator.Account},
		Ref:        func(id string) (string, error) { return physicalName(id), nil },
		Attribute: func(id, attribute string) (string, error) {
			if id == "Directory" && attribute == "Outputs.TableName" {
				return physicalName(directoryTable), nil
			}
			return "", cloudformation.ErrSample
		},
	}
	stack, err := template.Evaluate(values)
	if err != nil {
		return nil, err
	}
	nested, err := cloudformation.ReadFile(filepath.Join(l.source, "infra/directory.yaml"))
	if err != nil {
		return nil, err
	}
	values.Parameters, values.Attribute = map[string]string{"TableName": ""}, nil
	directory, err := nested.Evaluate(values)
	if err != nil {
		return nil, err
	}
	stack.Resources[directoryTable] = directory.Resources[directoryTable]
	return stack, nil
}

// properties of resources as the template spells them.
type (
	functionProperties struct {
		Timeout, MemorySize int
		Environment         struct{ Variables map[string]string }
	}
	secretProperties struct {
		SecretString         string
		GenerateSecretString *struct {
			PasswordLength                          int
			SecretStringTemplate, GenerateStringKey string
		}
	}
)

// resources returns what the template says of the resources of a type, by logical id.
func resources[T any](stack *cloudformation.Stack, kind string) (map[string]T, error) {
	found := map[string]T{}
	for id, resource := range stack.Resources {
		if resource.Type != kind {
			continue
		}
		encoded, err := json.Marshal(resource.Properties)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", id, err)
		}
		var properties T
		if err := json.Unmarshal(encoded, &properties); err != nil {
			return nil, fmt.Errorf("read %s: %w", id, err)
		}
		found[id] = properties
	}
	return found, nil
}

// createTables makes the template's tables. What the emulator has no use for, such as
// backups, is left out by the type.
func createTables(ctx context.Context, client *dynamodb.Client, stack *cloudformation.Stack) error {
	tables, err := resources[dynamodb.CreateTableInput](stack, tableType)
	if err != nil {
		return err
	}
	for id, input := range tables {
		input.TableName = aws.String(physicalName(id))
		if _, err := client.CreateTable(ctx, &input); err != nil {
			return fmt.Errorf("create table %s: %w", id, err)
		}
		waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
		if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: input.TableName}, time.Minute); err != nil {
			return fmt.Errorf("wait for table %s: %w", id, err)
		}
	}
	return nil
}

// createSecrets makes the template's secrets, with the admin key that is given.
func createSecrets(ctx context.Context, client *secretsmanager.Client, stack *cloudformation.Stack, adminKey string) error {
	secrets, err := resources[secretProperties](stack, secretType)
	if err != nil {
		return err
	}
	for id, properties := range secrets {
		value := properties.SecretString
		if generate := properties.GenerateSecretString; generate != nil {
			value = password(generate.PasswordLength)
			if generate.GenerateStringKey != "" {
				object := map[string]string{}
				if err := json.Unmarshal([]byte(generate.SecretStringTemplate), &object); err != nil {
					return fmt.Errorf("read SecretStringTemplate of %s: %w", id, err)
				}
				object[generate.GenerateStringKey] = value
				encoded, err := json.Marshal(object)
				if err != nil {
					return fmt.Errorf("make secret %s: %w", id, err)
				}
				value = string(encoded)
			}
		}
		if id == adminKeySecret {
			value = adminKey
		}
		if _, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(physicalName(id)), SecretString: &value}); err != nil {
			return fmt.Errorf("create secret %s: %w", id, err)
		}
	}
	return nil
}

func password(length int) string {
	if length == 0 {
		length = 32 // as Secrets Manager
	}
	var text strings.Builder
	for text.Len() < length {
		text.WriteString(rand.Text())
	}
	return text.String()[:length]
}

// function is one of the template's functions as it runs here.
type function struct {
	ID              string
	Timeout, Memory int
	// Variables are all that it is given, but for what a way of running adds.
	Variables map[string]string
}

// functions returns the template's functions, sorted, with their variables: as the
// template says, except where browsers and the service find WeCom and each other.
// The template's parameters take no http address, and need not.
func functions(stack *cloudformation.Stack, s state) ([]function, error) {
	declared, err := resources[functionProperties](stack, functionType)
	if err != nil {
		return nil, err
	}
	var all []function
	for _, id := range slices.Sorted(maps.Keys(declared)) {
		f := function{ID: id, Timeout: declared[id].Timeout, Memory: declared[id].MemorySize, Variables: maps.Clone(declared[id].Environment.Variables)}
		for name, value := range map[settings.Name]string{
			settings.PublicURL: s.PublicURL, settings.WeComOAuthURL: s.WeComURL, settings.WeComLoginURL: s.WeComURL,
		} {
			if _, ok := f.Variables[string(name)]; ok {
				f.Variables[string(name)] = value
			}
		}
		all = append(all, f)
	}
	return all, nil
}

// with returns the variables of a function that reaches the emulators by addresses
// and trusts the certificate in a file.
func (f function) with(addresses addresses, certificate string) map[string]string {
	variables := addresses.variables()
	variables["SSL_CERT_FILE"] = certificate
	maps.Copy(variables, f.Variables)
	if _, ok := f.Variables[string(settings.WeComAPIURL)]; ok {
		variables[string(settings.WeComAPIURL)] = addresses.WeComAPI
	}
	return variables
}
