package awsstack_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/secret/secrettest"
)

const moduleRoot = "../.."

func TestMissingToolsAreSaid(t *testing.T) {
	t.Parallel()
	if _, err := awsstack.Start(t.Context(), awsstack.Config{Root: t.TempDir()}); !errors.Is(err, awsstack.ErrMissing) {
		t.Errorf("without ministack: %v", err)
	}
}

func TestAnEndAtTheStartIsSaid(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	program := filepath.Join(root, ".tools", "ministack", "bin", "python")
	must(t, os.MkdirAll(filepath.Dir(program), 0o700))
	must(t, os.WriteFile(program, []byte("#!/bin/sh\nexit 3\n"), 0o700))
	a, err := awsstack.Start(t.Context(), awsstack.Config{Root: root})
	if err == nil {
		_ = a.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "it ended (exit status 3)") {
		t.Errorf("a launcher that ends: %v", err)
	}
}

func TestOnlyNamedServicesAnswer(t *testing.T) {
	t.Parallel()
	a := awsstack.New(t, awsstack.Config{Root: moduleRoot, Services: "secretsmanager"})
	if _, err := sdk.NewFromConfig(a.SDK()).ListSecrets(t.Context(), &sdk.ListSecretsInput{}); err != nil {
		t.Error(err)
	}
	if _, err := dynamodb.NewFromConfig(a.SDK(), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
		t.Error("DynamoDB answers, too")
	}
}

// What other tests rely on.
func TestAccount(t *testing.T) {
	t.Parallel()
	a := awsstack.New(t, awsstack.Config{Root: moduleRoot, EnforceIAM: true})
	t.Run("Secrets Manager keeps every promise", func(t *testing.T) {
		store := secretsmanager.New(secretsmanager.Config{Client: sdk.NewFromConfig(a.SDK())})
		secrettest.Run(t, func(*testing.T) secret.Store { return store })
	})
	t.Run("leading keys", func(t *testing.T) { leadingKeys(t, a) })
	t.Run("no browser is answered", func(t *testing.T) { noBrowserIsAnswered(t, a) })
	must(t, a.Close())
	if response, err := http.Get(a.Endpoint); err == nil {
		_ = response.Body.Close()
		t.Error("it answers after its end")
	}
}

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func key(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk)}
}

// A user who may touch partitions whose key begins with "mine#", and no others.
func leadingKeys(t *testing.T, a *awsstack.Account) {
	table := aws.String("shared")
	if _, err := dynamodb.NewFromConfig(a.SDK()).CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
	}); err != nil {
		t.Fatal(err)
	}
	user := dynamodb.NewFromConfig(asUser(t, a, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{
		"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["mine#*"]},"Null":{"dynamodb:LeadingKeys":"false"}}}]}`))
	transaction := func(keys ...string) error {
		var items []types.TransactWriteItem
		for _, k := range keys {
			items = append(items, types.TransactWriteItem{Put: &types.Put{TableName: table, Item: key(k)}})
		}
		_, err := user.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items})
		return err
	}
	batch := func(keys ...string) error {
		wanted := types.KeysAndAttributes{}
		for _, k := range keys {
			wanted.Keys = append(wanted.Keys, key(k))
		}
		_, err := user.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*table: wanted}})
		return err
	}
	for _, c := range []struct {
		name string
		call func(pk string) error
	}{
		{"get", func(pk string) error {
			_, err := user.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: table, Key: key(pk)})
			return err
		}},
		{"put", func(pk string) error {
			_, err := user.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: table, Item: key(pk)})
			return err
		}},
		{"query", func(pk string) error {
			_, err := user.Query(t.Context(), &dynamodb.QueryInput{
				TableName: table, KeyConditionExpression: aws.String("pk = :v"), ExpressionAttributeValues: map[string]types.AttributeValue{":v": text(pk)},
			})
			return err
		}},
		{"transaction", func(pk string) error { return transaction("mine#3", pk) }},
		{"batch", func(pk string) error { return batch("mine#3", pk) }},
	} {
		if err := c.call("mine#1"); err != nil {
			t.Errorf("%s mine: %v", c.name, err)
		}
		if err := c.call("yours#1"); !denied(err) {
			t.Errorf("%s another's: %v", c.name, err)
		}
	}
	if _, err := user.Scan(t.Context(), &dynamodb.ScanInput{TableName: table}); !denied(err) {
		t.Errorf("scan: %v", err)
	}
}

func denied(err error) bool {
	refusal, ok := errors.AsType[smithy.APIError](err)
	return ok && refusal.ErrorCode() == "AccessDeniedException"
}

// asUser makes a user with a policy and returns its configuration.
func asUser(t *testing.T, a *awsstack.Account, policy string) aws.Config {
	t.Helper()
	iam := func(action string, fields url.Values) awsstack.Answer {
		fields.Set("UserName", "somebody")
		return a.Query(t, "iam", "2010-05-08", action, fields)
	}
	iam("CreateUser", url.Values{})
	iam("PutUserPolicy", url.Values{"PolicyName": {"policy"}, "PolicyDocument": {policy}})
	made := iam("CreateAccessKey", url.Values{})
	cfg := a.SDK()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: made.Values(t, "AccessKeyId")[0], SecretAccessKey: made.Values(t, "SecretAccessKey")[0]}, nil
	})
	return cfg
}

// Whoever may call the account may run programs here: so no page of a browser may, and
// nobody by a name that was led to this machine.
func noBrowserIsAnswered(t *testing.T, a *awsstack.Account) {
	for name, test := range map[string]struct {
		host   string
		header http.Header
		want   int
	}{
		"a program":                   {want: http.StatusOK},
		"a page":                      {header: http.Header{"Origin": {"https://evil.example"}}, want: http.StatusForbidden},
		"an address that is opened":   {header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: http.StatusForbidden},
		"a name that was led to here": {host: "evil.example", want: http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Endpoint+"/_ministack/health", http.NoBody)
		must(t, err)
		maps.Copy(r.Header, test.header)
		r.Host = test.host
		response, err := http.DefaultClient.Do(r)
		must(t, err)
		_ = response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: %d, want %d", name, response.StatusCode, test.want)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
