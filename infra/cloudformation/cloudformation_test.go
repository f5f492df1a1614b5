package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// begin is what every template of these tests has; a test adds the property Value of
// the resource It, which is one line of YAML.
const begin = `
AWSTemplateFormatVersion: '2010-09-09'
Parameters:
  Name: {Type: String, Default: ''}
  Count: {Type: Number, Default: 30, MinValue: 1, MaxValue: 99}
  Places: {Type: CommaDelimitedList, Default: 'a, b,c'}
  Size: {Type: String, Default: small, AllowedValues: [small, large]}
  Host: {Type: String, Default: '', AllowedPattern: '([a-z.]+)?', MaxLength: 20}
  Key: {Type: String, Default: '', NoEcho: true, AllowedPattern: '[0-9]*'}
Mappings:
  Prices: {small: {price: 1}}
Rules:
  LargeNeedsName:
    RuleCondition: !Equals [!Ref Size, large]
    Assertions: [{Assert: !Not [!Equals [!Ref Name, '']], AssertDescription: give Name}]
Conditions:
  Named: !Not [!Equals [!Ref Name, '']]
  Large: {Fn::Equals: [{Ref: Size}, large]}
  NamedAndLarge: !And [!Condition Named, {Condition: Large}]
  NamedOrLarge: !Or [!Condition Named, !Condition Large]
  Thirty: !Equals [!Ref Count, 30]
Resources:
  Table: {Type: AWS::DynamoDB::Table}
  Secret: {Type: AWS::SecretsManager::Secret}
  Logs: {Type: AWS::Logs::LogGroup}
  Extra: {Type: AWS::SNS::Topic, Condition: Named}
  Net: {Type: AWS::CloudFormation::Stack}
  It:
    Type: AWS::Some::Thing
`

func read(t *testing.T, value string) (*cloudformation.Template, error) {
	t.Helper()
	return cloudformation.Read(strings.NewReader(begin + "    Properties: {Before: 1, Value: " + value + "}\n"))
}

func TestValues(t *testing.T) {
	const account = "eu-central-1:123456789012:"
	tests := []struct {
		written    string
		parameters map[string]string
		want       any // nil: there is no Value
	}{
		{"text", nil, "text"},
		{"12", nil, int64(12)},
		{"012345678901", nil, "012345678901"},
		{"1.5", nil, 1.5},
		{"true", nil, true},
		{"2012-10-17", nil, "2012-10-17"},
		{"[a, {b: c}]", nil, []any{"a", map[string]any{"b": "c"}}},
		{"{Effect: Allow, Condition: {StringLike: {x: y}}}", nil, map[string]any{"Effect": "Allow", "Condition": map[string]any{"StringLike": map[string]any{"x": "y"}}}},

		{"!Ref Name", map[string]string{"Name": "n"}, "n"},
		{"{Ref: Name}", map[string]string{"Name": "n"}, "n"},
		{"!Ref Count", nil, "30"},
		{"!Ref Places", nil, []any{"a", "b", "c"}},
		{"!Ref AWS::Region", nil, "eu-central-1"},
		{"!Ref AWS::Partition", nil, "aws"},
		{"!Ref AWS::NoValue", nil, nil},
		{"[a, !Ref AWS::NoValue, b]", nil, []any{"a", "b"}},
		{"!Ref Table", nil, "wecom-signin-Table"},
		{"!Ref Secret", nil, "arn:aws:secretsmanager:" + account + "secret:Secret-AbCdEf"},

		{"!GetAtt Table.Arn", nil, "arn:aws:dynamodb:" + account + "table/wecom-signin-Table"},
		{"{Fn::GetAtt: [Table, Arn]}", nil, "arn:aws:dynamodb:" + account + "table/wecom-signin-Table"},
		{"{Fn::GetAtt: Table.Arn}", nil, "arn:aws:dynamodb:" + account + "table/wecom-signin-Table"},
		{"!GetAtt Logs.Arn", nil, "arn:aws:logs:" + account + "log-group:wecom-signin-Logs:*"},
		{"!GetAtt Net.Outputs.Addresses", nil, "Net-Addresses"},

		{"!Sub '${AWS::StackName}/x'", nil, "wecom-signin/x"},
		{"!Sub '${Table.Arn}/index/i'", nil, "arn:aws:dynamodb:" + account + "table/wecom-signin-Table/index/i"},
		{"!Sub '${!Name} $Name ${Count}'", nil, "${Name} $Name 30"},
		{"!Sub ['${a}-${Count}', {a: !Ref Size}]", nil, "small-30"},
		{"{Fn::Sub: ['${a}', {a: {'Fn::Join': ['', [b, !Ref Count]]}}]}", nil, "b30"},

		{"!If [Named, yes, !Ref AWS::NoValue]", nil, nil},
		{"!If [Named, !Ref Extra, none]", nil, "none"},
		{"!If [Named, !Ref Extra, none]", map[string]string{"Name": "n"}, "arn:aws:sns:" + account + "wecom-signin-Extra"},
		{"!If [Thirty, 1, 2]", nil, int64(1)},
		{"!If [NamedAndLarge, 1, !If [NamedOrLarge, 2, 3]]", nil, int64(3)},
		{"!If [NamedAndLarge, 1, !If [NamedOrLarge, 2, 3]]", map[string]string{"Name": "n"}, int64(2)},
		{"!If [NamedAndLarge, 1, !If [NamedOrLarge, 2, 3]]", map[string]string{"Name": "n", "Size": "large"}, int64(1)},

		{"!Join ['-', [a, !Ref Count, true]]", nil, "a-30-true"},
		{"!Join ['-', !Ref Places]", nil, "a-b-c"},
		{"!Split [',', 'a,b']", nil, []any{"a", "b"}},
		{"!Select [1, !Split [',', 'a,b']]", nil, "b"},
		{"!Select [0, !Ref Places]", nil, "a"},
		{"!Select [1, !GetAZs '']", nil, "eu-central-1b"},
		{"!FindInMap [Prices, !Ref Size, price]", nil, int64(1)},
		{"!Base64 x", nil, "eA=="},
	}
	for _, test := range tests {
		t.Run(test.written, func(t *testing.T) {
			template, err := read(t, test.written)
			if err != nil {
				t.Fatal(err)
			}
			stack, err := template.Evaluate(cloudformation.Values{Parameters: test.parameters})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]any{"Before": int64(1)}
			if test.want != nil {
				want["Value"] = test.want
			}
			if diff := cmp.Diff(want, stack.Resources["It"].Properties); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What refers to nothing is found when the template is read, in a branch that is not
// taken as well.
func TestReadRefuses(t *testing.T) {
	tests := []struct{ written, want string }{
		{"!Reff Name", "Resources.It.Properties.Value: unknown function !Reff"},
		{"{Fn::Cidr: [a, 1, 2]}", "Resources.It.Properties.Value.Fn::Cidr: unknown function"},
		{"{Fn::Transform: {Name: x}}", "Value.Fn::Transform: unknown function"},
		{"{Ref: Name, Other: 1}", "Value: a function stands beside something else"},
		{"{A: [1, !If [Named, 1, !Ref Nothing]]}", `Resources.It.Properties.Value.A[1].Fn::If[2].Ref: there is no parameter or resource "Nothing"`},
		{"!Ref AWS::Nothing", `there is no parameter or resource "AWS::Nothing"`},
		{"!GetAtt Nowhere.Arn", `there is no resource "Nowhere"`},
		{"!GetAtt Table", "it names no resource and attribute"},
		{"!GetAtt Name.Arn", `there is no resource "Name"`},
		{"!Sub '${Nothing}'", `there is no parameter or resource "Nothing"`},
		{"!Sub '${Nowhere.Arn}'", `there is no parameter or resource "Nowhere.Arn"`},
		{"!Sub ['${a}', {b: 1}]", `there is no parameter or resource "a"`},
		{"!Sub ['${a}']", "it needs a text, or a text and variables"},
		{"!If [Nobody, 1, 2]", "there is no condition Nobody"},
		{"!If [Named, 1]", "it needs the name of a condition and two values"},
		{"!Equals [1, 2]", "unknown function"},
		{"!Join ['-']", "it has 1 arguments"},
		{"null", "it is null"},
		{"{a: 1, a: 2}", "Resources.It.Properties.Value.a: it is there twice"},
		{"1}\n    Condition: Nobody\n    CreationPolicy: {", "there is no condition Nobody"},
		{"1}\n    DependsOn: [Nowhere]\n    Metadata: {", "there is no resource Nowhere"},
		{"1}\n    Colour: {", "Resources.It.Colour: unknown attribute of a resource"},
		{"1}\nOutput: {", "Output: unknown section"},
		{"1}\nOutputs:\n  A: {Worth: 1", "Outputs.A.Worth: unknown attribute of an output"},
		{"1}\nOutputs:\n  A: {Value: !Ref Nothing", `Outputs.A.Value.Ref: there is no parameter or resource "Nothing"`},
		{"1}\nOutputs:\n  A: {Condition: Nobody, Value: 1", "Outputs.A.Condition: there is no condition Nobody"},
		{"1}\nGlobals: {Functions: {}", "Globals.Functions: only Function and HttpApi are supported"},
	}
	for _, test := range tests {
		t.Run(test.written, func(t *testing.T) {
			if _, err := read(t, test.written); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestReadRefusesConditionsAndParameters(t *testing.T) {
	tests := []struct{ section, want string }{
		{"Conditions: {A: !Condition B}", "Conditions.A.Condition: there is no condition B"},
		{"Conditions: {A: !Contains [a, b]}", "Conditions.A: unknown function !Contains"},
		{"Conditions: {A: !Ref X}", "Conditions.A.Ref: unknown function of conditions"},
		{"Conditions: {A: !Equals [1]}", "Conditions.A.Fn::Equals: it compares two values"},
		{"Conditions: {A: !And [!Equals [1, 1]]}", "Conditions.A.Fn::And: it has 1 conditions"},
		{"Conditions: {A: yes}", "Conditions.A: it is no condition"},
		{"Parameters: {A: {Type: Sting}}", `Parameters.A.Type: unknown type "Sting"`},
		{"Parameters: {A: {Default: x}}", "Parameters.A: it has no Type"},
		{"Parameters: {A: {Type: String, Fallback: x}}", "Parameters.A.Fallback: unknown attribute of a parameter"},
		{"Parameters: {A: {Type: String, Default: x, AllowedValues: [y]}}", `Parameters.A.Default: "x" is none of y`},
		{"Rules: {A: {Assertions: []}}", "Rules.A: it has no Assertions"},
		{"Rules: {A: {Assertions: [{Assert: !Not [!Equals [!Ref X, 1]]}]}}", `there is no parameter or resource "X"`},
	}
	for _, test := range tests {
		t.Run(test.section, func(t *testing.T) {
			_, err := cloudformation.Read(strings.NewReader(test.section + "\nResources: {R: {Type: AWS::SNS::Topic}}\n"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
	for _, text := range []string{"", "[]", "Resources: {}", "Resources: {R: {}}", "a: ["} {
		if _, err := cloudformation.Read(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	tests := []struct {
		written    string
		parameters map[string]string
		want       string
	}{
		{"1", map[string]string{"Nothing": "x"}, "Parameters.Nothing: the template has no such parameter"},
		{"1", map[string]string{"Size": "tiny"}, `Parameters.Size: "tiny" is none of small, large`},
		{"1", map[string]string{"Count": "many"}, `Parameters.Count: "many" is no number`},
		{"1", map[string]string{"Count": "100"}, `Parameters.Count: "100" is out of range`},
		{"1", map[string]string{"Host": "a.b/c"}, `Parameters.Host: "a.b/c" does not match AllowedPattern`},
		{"1", map[string]string{"Host": strings.Repeat("a", 21)}, "has the wrong length"},
		{"1", map[string]string{"Key": "hidden"}, "Parameters.Key: the value does not match AllowedPattern"},
		{"1", map[string]string{"Size": "large"}, "Rules.LargeNeedsName.Assertions[0]: refused: give Name"},
		{"!Ref Extra", nil, "Resources.It.Properties.Value.Ref: Extra is not made: its condition Named is false"},
		{"!GetAtt Extra.TopicArn", nil, "Extra is not made"},
		{"!Sub '${Extra}'", nil, "Extra is not made"},
		{"!GetAtt Table.Arm", nil, "no sample of attribute Arm of AWS::DynamoDB::Table"},
		{"!Sub '${Places}'", nil, "it is no single value"},
		{"!Select [3, !Ref Places]", nil, "there is no element 3 of 3"},
		{"!Join ['-', !Ref Count]", nil, "it joins a list"},
		{"!FindInMap [Prices, large, price]", nil, "the mapping Prices has no large, price"},
	}
	for _, test := range tests {
		t.Run(test.want, func(t *testing.T) {
			template, err := read(t, test.written)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := template.Evaluate(cloudformation.Values{Parameters: test.parameters}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
		})
	}
	circle, err := cloudformation.Read(strings.NewReader("Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}\nResources: {R: {Type: T}}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := circle.Evaluate(cloudformation.Values{}); err == nil || !strings.Contains(err.Error(), "it depends on itself") {
		t.Errorf("a circle of conditions: %v", err)
	}
	required, err := cloudformation.Read(strings.NewReader("Parameters: {A: {Type: String}}\nResources: {R: {Type: T}}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := required.Evaluate(cloudformation.Values{}); err == nil || !strings.Contains(err.Error(), "Parameters.A: it must be given") {
		t.Errorf("without a parameter: %v", err)
	}
}

func TestStack(t *testing.T) {
	template, err := cloudformation.Read(strings.NewReader(`
Transform: AWS::Serverless-2016-10-31
Parameters: {Domain: {Type: String, Default: ''}}
Conditions: {Own: !Not [!Equals [!Ref Domain, '']]}
Globals:
  Function:
    Timeout: 10
    Layers: [one]
    Environment: {Variables: {SERVICE: !Ref AWS::StackName, LEVEL: info}}
Resources:
  Api: {Type: AWS::Serverless::HttpApi, Properties: {StageName: $default}}
  Name: {Type: AWS::ApiGatewayV2::DomainName, Condition: Own, DependsOn: Api, DeletionPolicy: Retain, UpdateReplacePolicy: Delete}
  F:
    Type: AWS::Serverless::Function
    Metadata: {Note: !Ref Api}
    Properties:
      Timeout: 25
      Layers: [two]
      AutoPublishAlias: live
      Environment: {Variables: {LEVEL: debug, TABLE: !Ref T}}
  T: {Type: AWS::DynamoDB::Table, DependsOn: [Api, F]}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {Stage: !Ref ApiApiGatewayDefaultStage, Of: [!Ref F.Alias, !Sub '${F.Version} ${FAliaslive}', !GetAtt FRole.Arn]}
Outputs:
  Url: {Value: !If [Own, !Sub 'https://${Domain}', !GetAtt Api.ApiEndpoint], Description: where it is}
  Target: {Condition: Own, Value: !GetAtt Name.RegionalDomainName}
`))
	if err != nil {
		t.Fatal(err)
	}
	function := cloudformation.Resource{
		Type: "AWS::Serverless::Function", Metadata: map[string]any{"Note": "physical Api"},
		Properties: map[string]any{
			"Timeout": int64(25), "Layers": []any{"one", "two"}, "AutoPublishAlias": "live",
			"Environment": map[string]any{"Variables": map[string]any{"SERVICE": "s", "LEVEL": "debug", "TABLE": "physical T"}},
		},
	}
	want := &cloudformation.Stack{
		Parameters: map[string]any{"Domain": ""}, Conditions: map[string]bool{"Own": false},
		Resources: map[string]cloudformation.Resource{
			"Api": {Type: "AWS::Serverless::HttpApi", Properties: map[string]any{"StageName": "$default"}},
			"F":   function,
			"T":   {Type: "AWS::DynamoDB::Table", Properties: map[string]any{}, DependsOn: []string{"Api", "F"}},
			"Alarm": {Type: "AWS::CloudWatch::Alarm", Properties: map[string]any{
				"Stage": "physical ApiApiGatewayDefaultStage",
				"Of":    []any{"physical F.Alias", "physical F.Version physical FAliaslive", "Arn of FRole"},
			}},
		},
		Outputs: map[string]any{"Url": "ApiEndpoint of Api"},
	}
	values := cloudformation.Values{
		Pseudo:    map[string]string{"AWS::StackName": "s"},
		Ref:       func(id string) (string, error) { return "physical " + id, nil },
		Attribute: func(id, attribute string) (string, error) { return attribute + " of " + id, nil },
	}
	got, err := template.Evaluate(values)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	values.Parameters = map[string]string{"Domain": "signin.example.com"}
	want.Parameters, want.Conditions = map[string]any{"Domain": "signin.example.com"}, map[string]bool{"Own": true}
	want.Resources["Name"] = cloudformation.Resource{
		Type: "AWS::ApiGatewayV2::DomainName", Properties: map[string]any{}, DependsOn: []string{"Api"}, DeletionPolicy: "Retain", UpdateReplacePolicy: "Delete",
	}
	want.Outputs = map[string]any{"Url": "https://signin.example.com", "Target": "RegionalDomainName of Name"}
	if got, err = template.Evaluate(values); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// All refused rules are told, in the same order every time.
func TestAllRefusedRulesAreTold(t *testing.T) {
	template, err := cloudformation.Read(strings.NewReader(`
Parameters: {A: {Type: String, Default: ''}, B: {Type: String, Default: ''}}
Rules:
  Second: {Assertions: [{Assert: !Equals [!Ref A, x], AssertDescription: give A}, {Assert: !Equals [!Ref B, x], AssertDescription: give B}]}
  First: {Assertions: [{Assert: !Equals [!Ref B, x], AssertDescription: give B}]}
  Kept: {Assertions: [{Assert: !Equals [!Ref A, !Ref B]}]}
Resources: {R: {Type: T}}
`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "evaluate template: Rules.First.Assertions[0]: refused: give B\n" +
		"Rules.Second.Assertions[0]: refused: give A\nRules.Second.Assertions[1]: refused: give B"
	for range 20 {
		if _, err := template.Evaluate(cloudformation.Values{}); err == nil || err.Error() != want {
			t.Fatalf("got %v\nwant %s", err, want)
		}
	}
}

// Nothing of another partition stays where a region is given.
func TestRegionDecidesThePartition(t *testing.T) {
	template, err := read(t, "!Sub '${AWS::Partition} ${AWS::URLSuffix} ${Table.Arn}'")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Evaluate(cloudformation.Values{Pseudo: map[string]string{"AWS::Region": "cn-north-1", "AWS::AccountId": "111122223333"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "aws-cn amazonaws.com.cn arn:aws-cn:dynamodb:cn-north-1:111122223333:table/wecom-signin-Table"
	if got := stack.Resources["It"].Properties["Value"]; got != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// The templates of this repository can be read and evaluated.
func TestOwnTemplates(t *testing.T) {
	template, err := cloudformation.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Evaluate(cloudformation.Values{})
	if err != nil {
		t.Fatal(err)
	}
	if kind := stack.Resources["TransientTable"].Type; kind != "AWS::DynamoDB::Table" {
		t.Errorf("TransientTable is %q", kind)
	}
}
