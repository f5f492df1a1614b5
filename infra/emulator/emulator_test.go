package emulator_test

import (
	"context"
	"errors"
	"io"
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

	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/secret/secrettest"
)

const tools = "../../.tools"

// start starts an emulator that ends with the test. Without ministack the test is
// skipped, and fails where CI is set.
func start(t *testing.T, enforce bool) *emulator.AWS {
	t.Helper()
	var log teststack.Log
	a, err := emulator.Start(t.Context(), emulator.Config{Tools: tools, Log: &log, EnforceIAM: enforce})
	if errors.Is(err, emulator.ErrMissing) && os.Getenv("CI") == "" {
		t.Skipf("SKIP AWS on ministack: %v", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestItEndsWithClose(t *testing.T) {
	t.Parallel()
	a := start(t, false)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Endpoint, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		_ = response.Body.Close()
		t.Error("it answers after its end")
	}
}

func TestMissingToolsAreSaid(t *testing.T) {
	t.Parallel()
	if _, err := emulator.Start(t.Context(), emulator.Config{Tools: t.TempDir()}); !errors.Is(err, emulator.ErrMissing) {
		t.Errorf("without ministack: %v", err)
	}
}

func TestAnEndAtTheStartIsSaid(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	program := filepath.Join(tools, "ministack", "bin", "python")
	if err := os.MkdirAll(filepath.Dir(program), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, err := emulator.Start(t.Context(), emulator.Config{Tools: tools})
	if err == nil {
		_ = a.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "it ended (exit status 3)") {
		t.Errorf("a launcher that ends: %v", err)
	}
}

// The launcher keeps every promise of Secrets Manager that ministack alone does not.
func TestSecretsKeepEveryPromise(t *testing.T) {
	t.Parallel()
	store := secretsmanager.New(secretsmanager.Config{Client: sdk.NewFromConfig(start(t, true).SDK())})
	secrettest.Run(t, func(*testing.T) secret.Store { return store })
}

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }

func key(pk string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"pk": text(pk)}
}

// A user who may touch partitions whose key begins with "mine#", and no others.
func TestLeadingKeys(t *testing.T) {
	t.Parallel()
	a := start(t, true)
	root := dynamodb.NewFromConfig(a.SDK())
	table := aws.String("shared")
	attribute := func(name string) types.AttributeDefinition {
		return types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeTypeS}
	}
	hash := func(name string) []types.KeySchemaElement {
		return []types.KeySchemaElement{{AttributeName: &name, KeyType: types.KeyTypeHash}}
	}
	if _, err := root.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{attribute("pk"), attribute("owner")}, KeySchema: hash("pk"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("by-owner"), KeySchema: hash("owner"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{
		"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["mine#*"]},"Null":{"dynamodb:LeadingKeys":"false"}}}]}`
	user := dynamodb.NewFromConfig(asUser(t, a, policy))
	put := func(pk string) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{TableName: table, Item: key(pk)}}
	}
	query := func(index, name, value string) func(context.Context) error {
		return func(ctx context.Context) error {
			input := &dynamodb.QueryInput{
				TableName: table, KeyConditionExpression: aws.String("#k = :v"),
				ExpressionAttributeNames:  map[string]string{"#k": name},
				ExpressionAttributeValues: map[string]types.AttributeValue{":v": text(value)},
			}
			if index != "" {
				input.IndexName = &index
			}
			_, err := user.Query(ctx, input)
			return err
		}
	}
	for name, c := range map[string]struct {
		denied bool
		call   func(context.Context) error
	}{
		"get mine": {false, func(ctx context.Context) error {
			_, err := user.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key("mine#1")})
			return err
		}},
		"get another's": {true, func(ctx context.Context) error {
			_, err := user.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key("yours#1")})
			return err
		}},
		"put mine": {false, func(ctx context.Context) error {
			_, err := user.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: key("mine#1")})
			return err
		}},
		"put another's": {true, func(ctx context.Context) error {
			_, err := user.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: key("yours#1")})
			return err
		}},
		"transaction of mine": {false, func(ctx context.Context) error {
			_, err := user.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{put("mine#2"), put("mine#3")}})
			return err
		}},
		"transaction with another's": {true, func(ctx context.Context) error {
			_, err := user.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{put("mine#4"), put("yours#4")}})
			return err
		}},
		"batch with another's": {true, func(ctx context.Context) error {
			_, err := user.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				*table: {Keys: []map[string]types.AttributeValue{key("mine#1"), key("yours#1")}},
			}})
			return err
		}},
		"batch of mine": {false, func(ctx context.Context) error {
			_, err := user.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
				*table: {Keys: []map[string]types.AttributeValue{key("mine#1"), key("mine#2")}},
			}})
			return err
		}},
		"query mine":               {false, query("", "pk", "mine#1")},
		"query another's":          {true, query("", "pk", "yours#1")},
		"query an index by mine":   {false, query("by-owner", "owner", "mine#1")},
		"query an index by others": {true, query("by-owner", "owner", "yours#1")},
		"scan": {true, func(ctx context.Context) error {
			_, err := user.Scan(ctx, &dynamodb.ScanInput{TableName: table})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.call(t.Context())
			refusal, denied := errors.AsType[smithy.APIError](err)
			denied = denied && refusal.ErrorCode() == "AccessDeniedException"
			if denied != c.denied || (!denied && err != nil) {
				t.Errorf("denied: %t; want %t (%v)", denied, c.denied, err)
			}
		})
	}
}

// post sends a form to a service as the root user and returns the answer.
func post(t *testing.T, a *emulator.AWS, service string, fields url.Values) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.Endpoint, strings.NewReader(fields.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := a.Sign(t.Context(), service, r, fields.Encode()); err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s (%v)", fields.Get("Action"), response.StatusCode, answer, err)
	}
	return string(answer)
}

// asUser makes a user with a policy and returns its configuration.
func asUser(t *testing.T, a *emulator.AWS, policy string) aws.Config {
	t.Helper()
	iam := func(action string, fields url.Values) string {
		fields.Set("Action", action)
		fields.Set("Version", "2010-05-08")
		fields.Set("UserName", "somebody")
		return post(t, a, "iam", fields)
	}
	iam("CreateUser", url.Values{})
	iam("PutUserPolicy", url.Values{"PolicyName": {"policy"}, "PolicyDocument": {policy}})
	made := iam("CreateAccessKey", url.Values{})
	between := func(name string) string {
		_, rest, _ := strings.Cut(made, "<"+name+">")
		value, _, _ := strings.Cut(rest, "</"+name+">")
		return value
	}
	cfg := a.SDK()
	cfg.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: between("AccessKeyId"), SecretAccessKey: between("SecretAccessKey")}, nil
	})
	return cfg
}

// Whoever may call the emulator may run programs here: so no page of a browser may, and
// nobody by a name that was led to this machine.
func TestNoBrowserIsAnswered(t *testing.T) {
	a := start(t, false)
	for name, test := range map[string]struct {
		host   string
		header http.Header
		want   int
	}{
		"the SDK":                     {want: http.StatusOK},
		"a page":                      {header: http.Header{"Origin": {"https://evil.example"}}, want: http.StatusForbidden},
		"an address that is opened":   {header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: http.StatusForbidden},
		"a name that was led to here": {host: "evil.example", want: http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.Endpoint, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(r.Header, test.header)
		r.Header.Set("X-Amz-Target", "secretsmanager.ListSecrets")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Host = test.host
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.want {
			t.Errorf("%s: %d, want %d", name, response.StatusCode, test.want)
		}
	}
}

func TestOnlyNamedServicesAnswer(t *testing.T) {
	started, err := emulator.Start(t.Context(), emulator.Config{Tools: tools, Services: "secretsmanager"})
	if errors.Is(err, emulator.ErrMissing) && os.Getenv("CI") == "" {
		t.Skipf("SKIP AWS on ministack: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = started.Close() })
	if _, err := sdk.NewFromConfig(started.SDK()).ListSecrets(t.Context(), &sdk.ListSecretsInput{}); err != nil {
		t.Error(err)
	}
	if _, err := dynamodb.NewFromConfig(started.SDK(), func(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }).ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
		t.Error("DynamoDB answers, too")
	}
}
