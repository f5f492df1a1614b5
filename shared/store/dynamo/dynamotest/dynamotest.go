package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Server is a DynamoDB.
type Server struct {
	Endpoint string // empty: AWS's own for the region
	Client   *dynamodb.Client
}

// Start returns a DynamoDB for this test and its subtests.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("no DynamoDB in short mode")
	}
	if endpoint := os.Getenv("DYNAMODB_ENDPOINT"); endpoint != "" {
		return &Server{endpoint, client(endpoint)}
	}
	program := find(t)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	// Not the test's context: cleaning up after it still needs the server.
	process := exec.CommandContext(context.Background(), program, "serve", "-p", port, "--log", "quiet") //nolint:gosec // the program this repository fetches
	if err := process.Start(); err != nil {
		t.Fatalf("start dynoxide: %v", err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	endpoint := "http://127.0.0.1:" + port
	server := &Server{endpoint, client(endpoint)}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := server.Client.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err == nil {
			return server
		}
		if time.Now().After(deadline) {
			t.Fatal("dynoxide does not answer")
		}
	}
}

// find returns the path of dynoxide: DYNOXIDE, or the one `make tools` builds.
func find(t testing.TB) string {
	t.Helper()
	candidate := os.Getenv("DYNOXIDE")
	if candidate == "" {
		root, err := moduleRoot()
		if err != nil {
			t.Fatal(err)
		}
		candidate = filepath.Join(root, ".tools", "bin", "dynoxide")
	}
	if _, err := os.Stat(candidate); err != nil { //nolint:gosec // the developer's own setting
		if os.Getenv("CI") != "" {
			t.Fatal("dynoxide is missing: run make tools")
		}
		t.Skip("SKIP DynamoDB: dynoxide is missing, run make tools")
	}
	return candidate
}

func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			return folder, nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("find the module's folder: no go.mod above")
		}
		folder = parent
	}
	return "", err
}

func client(endpoint string) *dynamodb.Client {
	options := dynamodb.Options{
		Region:      "eu-central-1",
		Credentials: static("test", "test", ""),
	}
	if strings.HasPrefix(endpoint, "http") {
		options.BaseEndpoint = aws.String(endpoint)
	}
	if id := os.Getenv("AWS_ACCESS_KEY_ID"); id != "" && os.Getenv("DYNAMODB_ENDPOINT") != "" {
		options.Credentials = static(id, os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN"))
		options.Region = os.Getenv("AWS_REGION")
	}
	return dynamodb.New(options)
}

func static(id, key, session string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: session}, nil
	})
}

// Tables names the tables of one engine.
type Tables struct{ Directory, Transient, Audit string }

// CreateTables makes empty tables, like the template's, and drops them after the test. It
// returns existing ones if DIRECTORY_TABLE, TRANSIENT_TABLE and AUDIT_TABLE name them; they
// must be empty.
func (s *Server) CreateTables(t testing.TB) Tables {
	t.Helper()
	if directory := os.Getenv("DIRECTORY_TABLE"); directory != "" && os.Getenv("DYNAMODB_ENDPOINT") != "" {
		return Tables{directory, os.Getenv("TRANSIENT_TABLE"), os.Getenv("AUDIT_TABLE")}
	}
	suffix := store.NewID()
	tables := Tables{"directory-" + suffix, "transient-" + suffix, "audit-" + suffix}
	s.create(t, Describe(tables.Directory, "pk", "sk"))
	s.create(t, Describe(tables.Transient, "pk"))
	s.create(t, DescribeAudit(tables.Audit))
	return tables
}

func (s *Server) create(t testing.TB, table *dynamodb.CreateTableInput) {
	t.Helper()
	if _, err := s.Client.CreateTable(t.Context(), table); err != nil {
		t.Fatal(fmt.Errorf("create table: %w", err))
	}
	waiter := dynamodb.NewTableExistsWaiter(s.Client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: table.TableName}, time.Minute); err != nil {
		t.Fatal(fmt.Errorf("wait for table: %w", err))
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, _ = s.Client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: table.TableName})
	})
}

// Describe describes a table of the template by its keys: pk and sk for the directory, pk
// for the transient table.
func Describe(name string, keys ...string) *dynamodb.CreateTableInput {
	input := &dynamodb.CreateTableInput{TableName: aws.String(name), BillingMode: types.BillingModePayPerRequest}
	for i, key := range keys {
		kind := types.KeyTypeHash
		if i > 0 {
			kind = types.KeyTypeRange
		}
		input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String(key), AttributeType: types.ScalarAttributeTypeS})
		input.KeySchema = append(input.KeySchema, types.KeySchemaElement{AttributeName: aws.String(key), KeyType: kind})
	}
	if len(keys) == 1 {
		DescribeIndexes(input)
	}
	return input
}

// An index is a secondary index as the template declares it.
type index struct {
	name, owner, order string
	projected          []string
}

// DescribeIndexes adds to the description of the transient table the template's indexes: of
// events by authenticator and by user, and of lineages by user.
func DescribeIndexes(input *dynamodb.CreateTableInput) {
	describe(input, types.ScalarAttributeTypeN,
		index{"attempts-of-authenticator", "authenticatorId", "at", []string{"attempt"}},
		index{"attempts-of-user", "userId", "at", []string{"attempt"}},
		index{"lineages-of-user", "lineageOfUser", "expiresAt", []string{"applications", "ended"}})
}

// DescribeAudit describes the template's table of audit lines.
func DescribeAudit(name string) *dynamodb.CreateTableInput {
	input := Describe(name, "pk", "sk")
	DescribeAuditIndexes(input)
	return input
}

// DescribeAuditIndexes adds to the description of the audit table the template's indexes.
func DescribeAuditIndexes(input *dynamodb.CreateTableInput) {
	line := []string{"line"}
	describe(input, types.ScalarAttributeTypeS,
		index{"lines-of-user", "ofUser", "sk", line},
		index{"lines-of-actor", "ofActor", "sk", line},
		index{"lines-of-application", "ofApplication", "sk", line},
		index{"lines-of-authenticator", "ofAuthenticator", "sk", line},
		index{"lines-of-type", "ofType", "sk", line})
}

func describe(input *dynamodb.CreateTableInput, order types.ScalarAttributeType, indexes ...index) {
	attribute := func(name string, kind types.ScalarAttributeType) {
		if !slices.ContainsFunc(input.AttributeDefinitions, func(a types.AttributeDefinition) bool { return *a.AttributeName == name }) {
			input.AttributeDefinitions = append(input.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String(name), AttributeType: kind})
		}
	}
	for _, index := range indexes {
		attribute(index.order, order)
		attribute(index.owner, types.ScalarAttributeTypeS)
		input.GlobalSecondaryIndexes = append(input.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(index.name),
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String(index.owner), KeyType: types.KeyTypeHash},
				{AttributeName: aws.String(index.order), KeyType: types.KeyTypeRange},
			},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: index.projected},
		})
	}
}
