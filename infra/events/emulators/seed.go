package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	secretstore "github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// What the events refer to. These values open nothing but emulators on this machine.
const (
	demoName     = "demo"
	demoAdminKey = "demo-admin-key-for-this-machine-only"
	demoSession  = "demo-session-for-this-machine-only-00000000"
	demoFile     = "WW_verify_Demo0Demo0Demo00.txt"
	demoUserID   = "000000000000000000zhangsan"
	// demoRotation is the version of the signing keys, as if a rotation had made them.
	demoRotation = "00000000-0000-4000-8000-000000000001"
	// demoToken and demoKey are those of the receiver of events.
	demoToken = "demotokenforthismachineonly"
	demoKey   = "demoKeyForThisMachineOnly000000000000000000"
	// demoVersion is that of every other secret.
	demoVersion = "00000000-0000-4000-8000-000000000002"
)

// seed makes the tables and secrets that the template declares, and the demo records:
// an authenticator with a receiver of events, a user with a session as long as one may be, a domain file and
// signing keys.
func seed(ctx context.Context, config aws.Config, variables map[settings.Name]string) error {
	database, client := dynamodb.NewFromConfig(config), secretsmanager.NewFromConfig(config)
	directory, transient, audit := variables[settings.DirectoryTable], variables[settings.TransientTable], variables[settings.AuditTable]
	for _, table := range []*dynamodb.CreateTableInput{dynamotest.Describe(directory, "pk", "sk"), dynamotest.Describe(transient, "pk"), dynamotest.DescribeAudit(audit)} {
		_, err := database.CreateTable(ctx, table)
		// On a busy machine the client tries again what was done.
		if _, done := errors.AsType[*types.ResourceInUseException](err); err != nil && !done {
			return err
		}
	}
	signingKeys, err := keys.Generate(time.Now())
	if err != nil {
		return err
	}
	encodedKeys, err := signingKeys.Encode()
	if err != nil {
		return err
	}
	secrets := secretstore.New(secretstore.Config{Client: client})
	authenticatorID := store.NewID()
	appSecret := appsecret.Secret{App: secret.NewValue(wecomsim.DemoSecret), Token: secret.NewValue(demoToken), EncodingAESKey: secret.NewValue(demoKey)}
	for _, s := range []struct{ name, version, value string }{
		{variables[settings.AdminKeySecret], demoVersion, demoAdminKey},
		{variables[settings.SealingKeysSecret], demoVersion, fmt.Sprintf(`{"current":%q}`, rand.Text()+rand.Text())},
		{variables[settings.SigningKeysSecret], demoRotation, encodedKeys},
		{variables[settings.AuthenticatorSecretPrefix] + authenticatorID, demoVersion, appSecret.Encode().Reveal()},
	} {
		if err := secrets.Create(ctx, s.name, s.version, secret.NewValue(s.value)); err != nil {
			return err
		}
	}
	engine, err := dynamo.New(dynamo.Config{Client: database, DirectoryTable: directory, TransientTable: transient})
	if err != nil {
		return err
	}
	document, err := keys.Public(signingKeys)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	authenticator := store.Authenticator{
		ID: authenticatorID, Name: demoName, Title: "示例应用 Demo app", Enabled: true,
		CorpID: wecomsim.DemoCorpID, AgentID: wecomsim.DemoAgentID, SecretVersion: demoVersion,
		Origin: applicationURL, WorkbenchRedirectPath: "/", AutoSignup: true, EventsEnabled: true, Generation: store.NewID(),
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	user := store.User{
		ID: demoUserID, Phone: "+8613800000001", Name: "张三", Enabled: true, Roles: []string{"admin"},
		Identities: []store.Identity{{CorpID: wecomsim.DemoCorpID, WeComUserID: "zhangsan", Authenticator: demoName, BoundAt: now}},
		CreatedAt:  now, UpdatedAt: now, Version: 1,
	}
	session := store.Session{
		UserID: demoUserID, AuthenticatorName: demoName, AuthenticatorID: authenticatorID, AuthenticatorGeneration: authenticator.Generation,
		CorpID: wecomsim.DemoCorpID, WeComUserID: "zhangsan", SignedInAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
	}
	if err := engine.CreateAuthenticator(ctx, authenticator); err != nil {
		return err
	}
	if err := engine.CreateUser(ctx, user); err != nil {
		return err
	}
	return errors.Join(
		engine.StartSession(ctx, store.AttemptResult{
			SessionKey: authflow.SessionKey(demoSession), Kind: store.ResultSession, Session: session, KeepUntil: session.ExpiresAt,
		}, false),
		engine.PutDomainFile(ctx, store.DomainFile{Filename: demoFile, CreatedAt: now}),
		engine.PutPublicKeys(ctx, store.PublicKeys{Document: document, UpdatedAt: now}),
	)
}
