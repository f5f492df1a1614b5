package teststack

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// Values are those of a stack with this name: its parameters in place of the
// template's defaults, and the physical ids of the resources that there are.
func Values(name string, parameters, resources map[string]string) cloudformation.Values {
	return cloudformation.Values{
		Parameters: parameters,
		Pseudo: map[string]string{
			"AWS::StackName": name, "AWS::Region": emulator.Region, "AWS::AccountId": emulator.Account,
		},
		Ref: func(id string) (string, error) {
			if made, ok := resources[id]; ok {
				return made, nil
			}
			return "", cloudformation.ErrSample
		},
		Attribute: func(id, attribute string) (string, error) {
			output, _ := strings.CutPrefix(attribute, "Outputs.")
			directory, restored := resources["DirectoryTable"], parameters["DirectoryTableName"]
			if restored != "" {
				directory = restored
			}
			switch made, ok := resources[id]; {
			case ok && strings.HasSuffix(id, "Table") && attribute == "Arn":
				return TableARN(made), nil
			case id == "Directory" && output == "TableName":
				return directory, nil
			case id == "Directory" && output == "TableArn":
				return TableARN(directory), nil
			case id == "Roles":
				return "arn:aws:iam::" + emulator.Account + ":role/" + name + "-" + output + "Role", nil
			}
			return "", cloudformation.ErrSample
		},
	}
}

// Evaluate works out template.yaml with the roles of the stacks below it, as if they
// were its own. read returns a template by its path in the module.
func Evaluate(read func(path string) (*cloudformation.Template, error), v cloudformation.Values) (*cloudformation.Stack, error) {
	template, err := read("template.yaml")
	if err != nil {
		return nil, err
	}
	stack, err := template.Evaluate(v)
	if err != nil {
		return nil, err
	}
	below := func(id string) (*cloudformation.Stack, error) {
		nested, ok := stack.Resources[id]
		if !ok {
			return &cloudformation.Stack{}, nil
		}
		template, err := read(fmt.Sprint(nested.Properties["TemplateURL"]))
		if err != nil {
			return nil, err
		}
		given := cloudformation.Values{Parameters: map[string]string{}, Pseudo: v.Pseudo}
		parameters, _ := nested.Properties["Parameters"].(map[string]any)
		for name, value := range parameters {
			given.Parameters[name] = fmt.Sprint(value)
		}
		return template.Evaluate(given)
	}
	roles, err := below("Roles")
	if err != nil {
		return nil, err
	}
	network, err := below("Network")
	if err != nil {
		return nil, err
	}
	for id, resource := range roles.Resources {
		policy, ok := network.Resources["InterfacePolicy"]
		if names, _ := policy.Properties["Roles"].([]any); ok && slices.Contains(names, any(v.Pseudo["AWS::StackName"]+"-"+id)) {
			policies, _ := resource.Properties["Policies"].([]any)
			resource.Properties["Policies"] = append(policies, map[string]any{
				"PolicyName": policy.Properties["PolicyName"], "PolicyDocument": policy.Properties["PolicyDocument"],
			})
		}
		stack.Resources[id] = resource
	}
	return stack, nil
}

// ReadFrom reads the templates of the module in a folder.
func ReadFrom(root string) func(path string) (*cloudformation.Template, error) {
	return func(path string) (*cloudformation.Template, error) {
		return cloudformation.ReadFile(filepath.Join(root, path))
	}
}

// TableARN returns the ARN of a table.
func TableARN(name string) string {
	return "arn:aws:dynamodb:" + emulator.Region + ":" + emulator.Account + ":table/" + name
}

// evaluate works out the template, and makes its secrets on the way. The template
// takes https alone and this machine has http, so an address travels under a name of
// its own and is put in its place at the end.
func (s *Stack) evaluate(t testing.TB, parameters map[string]string) *cloudformation.Stack {
	t.Helper()
	given := map[string]string{}
	var addresses []string
	for name, value := range parameters {
		if strings.HasPrefix(value, "http://") {
			travelling := "https://" + strings.ToLower(name) + ".invalid"
			addresses = append(addresses, travelling, value)
			value = travelling
		}
		given[name] = value
	}
	values := Values(s.cfg.Name, given, s.Resources)
	before, err := Evaluate(ReadFrom(s.cfg.Root), values)
	if err != nil {
		t.Fatal(err)
	}
	for id, resource := range before.Resources {
		if resource.Type == "AWS::SecretsManager::Secret" {
			s.Resources[id] = s.createSecret(t, id, resource.Properties)
		}
	}
	after, err := Evaluate(ReadFrom(s.cfg.Root), values)
	if err != nil {
		t.Fatal(err)
	}
	for _, resource := range after.Resources {
		variables := variablesOf(resource)
		for name, value := range variables {
			variables[name] = strings.NewReplacer(addresses...).Replace(fmt.Sprint(value))
		}
	}
	return after
}

// createSecret makes a secret as CloudFormation does and returns its ARN, which is
// what !Ref gives.
func (s *Stack) createSecret(t testing.TB, id string, properties map[string]any) string {
	t.Helper()
	value, _ := properties["SecretString"].(string)
	if properties["GenerateSecretString"] != nil {
		var generate generatedSecret
		encoded, err := json.Marshal(properties["GenerateSecretString"])
		if err == nil {
			err = json.Unmarshal(encoded, &generate)
		}
		if err != nil {
			t.Fatal(err)
		}
		value = s.generate(t, id, generate)
	}
	created, err := s.Secrets.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(id + "-" + s.cfg.Name), SecretString: &value,
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(created.ARN)
}

// generatedSecret is GenerateSecretString of a secret.
type generatedSecret struct {
	PasswordLength       int64
	ExcludePunctuation   bool
	SecretStringTemplate string
	GenerateStringKey    string
}

func (s *Stack) generate(t testing.TB, id string, generate generatedSecret) string {
	t.Helper()
	password, err := s.Secrets.GetRandomPassword(t.Context(), &secretsmanager.GetRandomPasswordInput{
		PasswordLength: &generate.PasswordLength, ExcludePunctuation: &generate.ExcludePunctuation,
	})
	if err != nil {
		t.Fatal(err)
	}
	value := aws.ToString(password.RandomPassword)
	s.Generated[id] = value
	if generate.GenerateStringKey == "" {
		return value
	}
	object := map[string]string{}
	if err := json.Unmarshal([]byte(generate.SecretStringTemplate), &object); err != nil {
		t.Fatal(err)
	}
	object[generate.GenerateStringKey] = value
	encoded, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
