package permissions_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/permissions"
)

const (
	table  = "arn:aws:dynamodb:eu-central-1:111122223333:table/directory"
	secret = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"
)

func TestAllows(t *testing.T) {
	role := permissions.Role{Statements: []permissions.Statement{
		{Actions: []string{"dynamodb:GetItem", "dynamodb:BatchGetItem"}, Resources: []string{table}, Keys: []string{"user#*", "authenticator"}},
		{Actions: []string{"dynamodb:BatchGetItem"}, Resources: []string{table}, Keys: []string{"phone#*"}},
		{Actions: []string{"dynamodb:Query"}, Resources: []string{table + "/index/attempts"}},
		{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: []string{secret + "one-AbCdEf", secret + "stack/authenticators/*"}},
	}}
	tests := []struct {
		name string
		call permissions.Call
		want bool
	}{
		{"a kind of record", permissions.Call{Action: "dynamodb:GetItem", Resource: table, Keys: []string{"user#1"}}, true},
		{"an exact key", permissions.Call{Action: "dynamodb:GetItem", Resource: table, Keys: []string{"authenticator"}}, true},
		{"a key that goes on", permissions.Call{Action: "dynamodb:GetItem", Resource: table, Keys: []string{"authenticators"}}, false},
		{"another kind", permissions.Call{Action: "dynamodb:GetItem", Resource: table, Keys: []string{"users"}}, false},
		{"no key at all", permissions.Call{Action: "dynamodb:GetItem", Resource: table}, false},
		{"another action", permissions.Call{Action: "dynamodb:PutItem", Resource: table, Keys: []string{"user#1"}}, false},
		{"another table", permissions.Call{Action: "dynamodb:GetItem", Resource: table + "2", Keys: []string{"user#1"}}, false},
		{"several keys", permissions.Call{Action: "dynamodb:BatchGetItem", Resource: table, Keys: []string{"authenticator", "user#1"}}, true},
		{"several keys, one of another kind", permissions.Call{Action: "dynamodb:BatchGetItem", Resource: table, Keys: []string{"user#1", "users"}}, false},
		{"several keys, which no one statement has", permissions.Call{Action: "dynamodb:BatchGetItem", Resource: table, Keys: []string{"phone#1", "user#1"}}, false},
		{"an index", permissions.Call{Action: "dynamodb:Query", Resource: table + "/index/attempts", Keys: []string{"an-id"}}, true},
		{"the table of an index", permissions.Call{Action: "dynamodb:Query", Resource: table, Keys: []string{"an-id"}}, false},
		{"a secret", permissions.Call{Action: "secretsmanager:GetSecretValue", Resource: secret + "one-AbCdEf"}, true},
		{"another secret", permissions.Call{Action: "secretsmanager:GetSecretValue", Resource: secret + "one-AbCdEfG"}, false},
		{"a secret of a family", permissions.Call{Action: "secretsmanager:GetSecretValue", Resource: secret + "stack/authenticators/x-AbCdEf"}, true},
		{"a secret of another stack", permissions.Call{Action: "secretsmanager:GetSecretValue", Resource: secret + "stack2/authenticators/x-AbCdEf"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := role.Allows(test.call); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestGrantsOfACall(t *testing.T) {
	families := permissions.Families{secret + "stack/authenticators/"}
	tests := []struct {
		call permissions.Call
		want []permissions.Grant
	}{
		{
			permissions.Call{Action: "dynamodb:BatchGetItem", Resource: table, Keys: []string{"user#1", "user#2", "users"}},
			[]permissions.Grant{{Action: "dynamodb:BatchGetItem", Resource: table, Key: "user#*"}, {Action: "dynamodb:BatchGetItem", Resource: table, Key: "users"}},
		},
		{
			permissions.Call{Action: "dynamodb:GetItem", Resource: table, Keys: []string{"identity#corp#user"}},
			[]permissions.Grant{{Action: "dynamodb:GetItem", Resource: table, Key: "identity#*"}},
		},
		{
			permissions.Call{Action: "dynamodb:Query", Resource: table + "/index/i", Keys: []string{"an-id"}},
			[]permissions.Grant{{Action: "dynamodb:Query", Resource: table + "/index/i"}},
		},
		{
			permissions.Call{Action: "secretsmanager:PutSecretValue", Resource: secret + "stack/authenticators/x-AbCdEf"},
			[]permissions.Grant{{Action: "secretsmanager:PutSecretValue", Resource: secret + "stack/authenticators/*"}},
		},
		{
			permissions.Call{Action: "secretsmanager:GetSecretValue", Resource: secret + "one-AbCdEf"},
			[]permissions.Grant{{Action: "secretsmanager:GetSecretValue", Resource: secret + "one-AbCdEf"}},
		},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.call.Grants(families)); diff != "" {
			t.Error(diff)
		}
	}
}
