package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

const (
	directoryTable = "directory"
	transientTable = "transient"
	publicURL      = "http://localhost:8"
)

// cloud is AWS on loopback: dynoxide and a stand-in for Secrets Manager.
type cloud struct {
	environment map[string]string // of functions
	aws         aws.Config
	engine      *dynamo.Engine
	secrets     *secretsManager
}

func (c *cloud) lookup(name string) (string, bool) {
	value, found := c.environment[name]
	return value, found
}

// startCloud starts AWS with the tables, the secrets, an authenticator and users.
func (b *bench) startCloud(ctx context.Context, users int) (_ *cloud, stop func(), err error) {
	program := os.Getenv("DYNOXIDE")
	if program == "" {
		program = filepath.Join(".tools", "bin", "dynoxide")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	if err != nil {
		return nil, nil, fmt.Errorf("find a port: %w", err)
	}
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address) // it is host:port
	_ = listener.Close()
	process := exec.Command(program, "serve", "-p", port, "--log", "quiet") //nolint:gosec,noctx // the program `make tools` builds; stop ends it
	if err := process.Start(); err != nil {
		return nil, nil, fmt.Errorf("start dynoxide (run make tools): %w", err)
	}
	stops := []func(){func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	}}
	stop = func() {
		for _, end := range stops {
			end()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	sealing, _ := json.Marshal(map[string]string{"current": rand.Text() + rand.Text()}) // of strings, it cannot fail
	secrets := &secretsManager{values: map[string]string{"sealing-keys": string(sealing), "admin-key": rand.Text()}}
	secretsURL, stopSecrets, err := listenAndServe(secrets)
	if err != nil {
		return nil, nil, err
	}
	stops = append(stops, stopSecrets)
	c := &cloud{secrets: secrets, environment: map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_ENDPOINT_URL_DYNAMODB": "http://" + address, "AWS_ENDPOINT_URL_SECRETS_MANAGER": secretsURL,
		"PUBLIC_URL": publicURL, "WECOM_API_URL": b.weComURL, "WECOM_OAUTH_URL": b.weComURL, "WECOM_LOGIN_URL": b.weComURL,
		"DIRECTORY_TABLE": directoryTable, "TRANSIENT_TABLE": transientTable,
		"SIGNING_KEYS_SECRET": "signing-keys", "SEALING_KEYS_SECRET": "sealing-keys", "ADMIN_KEY_SECRET": "admin-key",
		"AUTHENTICATOR_SECRET_PREFIX": "bench/authenticators/",
	}}
	if c.aws, err = awsconfig.FromEnvironment(c.lookup); err != nil {
		return nil, nil, err
	}
	client := dynamodb.NewFromConfig(c.aws)
	if err := createTables(ctx, client); err != nil {
		return nil, nil, err
	}
	if c.engine, err = dynamo.New(dynamo.Config{Client: client, DirectoryTable: directoryTable, TransientTable: transientTable}); err != nil {
		return nil, nil, err
	}
	a := authenticator(time.Now().UTC())
	secrets.values["bench/authenticators/"+a.ID] = appSecret
	return c, stop, errors.Join(
		c.engine.CreateAuthenticator(ctx, a),
		fill(ctx, c.engine, users, 8),
		c.makeSigningKeys(ctx),
	)
}

func createTables(ctx context.Context, client *dynamodb.Client) error {
	for name, attributes := range map[string][]string{directoryTable: {"pk", "sk"}, transientTable: {"pk"}} {
		input := dynamotest.Describe(name, attributes...)
		var err error
		for range 100 { // until dynoxide listens
			if _, err = client.CreateTable(ctx, input); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			return fmt.Errorf("create table: %w", err)
		}
	}
	return nil
}

// makeSigningKeys makes the keys of tokens and publishes them.
func (c *cloud) makeSigningKeys(ctx context.Context) error {
	set, err := keys.Generate(time.Now())
	if err != nil {
		return err
	}
	document, err := keys.Public(set)
	if err != nil {
		return err
	}
	if c.secrets.values["signing-keys"], err = set.Encode(); err != nil {
		return err
	}
	return c.engine.PutPublicKeys(ctx, store.PublicKeys{Document: document, UpdatedAt: time.Now()})
}

// settingsOf reads the settings of a function from its environment.
func (c *cloud) settingsOf(names []settings.Name) (settings.Settings, error) {
	return settings.FromEnvironment(c.lookup, names...)
}

// newGateway puts functions behind the routes of template.yaml. Those that are not
// given answer 501.
func newGateway(functions map[string]gateway.Function) (*gateway.Gateway, error) {
	template, err := samtemplate.ReadFile("template.yaml")
	if err != nil {
		return nil, fmt.Errorf("run this in the folder of template.yaml: %w", err)
	}
	absent := func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		return events.APIGatewayV2HTTPResponse{StatusCode: http.StatusNotImplemented}, nil
	}
	for _, route := range template.Routes {
		if functions[route.Function] == nil {
			functions[route.Function] = absent
		}
	}
	authorizers := map[string]gateway.Authorizer{}
	for _, spec := range template.Authorizers {
		authorizers[spec.Function] = func(context.Context, events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
			return events.APIGatewayV2CustomAuthorizerSimpleResponse{}, nil
		}
	}
	return gateway.New(gateway.Config{Template: template, Functions: functions, Authorizers: authorizers})
}

// counting is a DynamoDB that counts calls and adds up what they consume.
type counting struct {
	client *dynamodb.Client

	mu           sync.Mutex
	calls        int
	read, writes float64 // capacity units
}

var _ dynamo.API = (*counting)(nil)

func (c *counting) add(into *float64, consumed ...types.ConsumedCapacity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	for _, of := range consumed {
		*into += aws.ToFloat64(of.CapacityUnits)
	}
}

func one(consumed *types.ConsumedCapacity) types.ConsumedCapacity {
	if consumed == nil {
		return types.ConsumedCapacity{}
	}
	return *consumed
}

const total = types.ReturnConsumedCapacityTotal

// GetItem implements dynamo.API, as the methods after it do.
func (c *counting) GetItem(ctx context.Context, in *dynamodb.GetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.GetItem(ctx, in, options...)
	if err == nil {
		c.add(&c.read, one(out.ConsumedCapacity))
	}
	return out, err
}

// Query implements dynamo.API.
func (c *counting) Query(ctx context.Context, in *dynamodb.QueryInput, options ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.Query(ctx, in, options...)
	if err == nil {
		c.add(&c.read, one(out.ConsumedCapacity))
	}
	return out, err
}

// BatchGetItem implements dynamo.API.
func (c *counting) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, options ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.BatchGetItem(ctx, in, options...)
	if err == nil {
		c.add(&c.read, out.ConsumedCapacity...)
	}
	return out, err
}

// PutItem implements dynamo.API.
func (c *counting) PutItem(ctx context.Context, in *dynamodb.PutItemInput, options ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.PutItem(ctx, in, options...)
	if err == nil {
		c.add(&c.writes, one(out.ConsumedCapacity))
	}
	return out, err
}

// UpdateItem implements dynamo.API.
func (c *counting) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, options ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.UpdateItem(ctx, in, options...)
	if err == nil {
		c.add(&c.writes, one(out.ConsumedCapacity))
	}
	return out, err
}

// DeleteItem implements dynamo.API.
func (c *counting) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, options ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.DeleteItem(ctx, in, options...)
	if err == nil {
		c.add(&c.writes, one(out.ConsumedCapacity))
	}
	return out, err
}

// TransactWriteItems implements dynamo.API.
func (c *counting) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, options ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	in.ReturnConsumedCapacity = total
	out, err := c.client.TransactWriteItems(ctx, in, options...)
	if err == nil {
		c.add(&c.writes, out.ConsumedCapacity...)
	}
	return out, err
}
