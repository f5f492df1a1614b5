package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	secretstore "github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

// What the events in infra/events refer to. These values open nothing but emulators
// on loopback, and are in the repository for everybody to read.
const (
	demoAdminKey = "demo-admin-key-for-this-machine-only"
	demoSession  = "demo-session-for-this-machine-only-00000000"
	demoFile     = "WW_verify_Demo0Demo0Demo00.txt"
	// demoRotation is the version that the first rotation of the signing keys made.
	demoRotation = "00000000-0000-4000-8000-000000000001"

	demoName    = "demo"
	demoUserID  = "000000000000000000zhangsan"
	demoMember  = "zhangsan"
	demoPhone   = "+8613800000001"
	demoVersion = "00000000-0000-4000-8000-000000000002"
)

// demoLife is how long the demo session lasts: as long as one may.
const demoLife = 30 * 24 * time.Hour

// seed fills the stack with what the events need: an authenticator for the demo
// application, a user who is signed in, a domain file, and signing keys.
func seed(ctx context.Context, engine *dynamo.Engine, client *secretsmanager.Client, prefix, origin string, now time.Time) error {
	authenticator := store.Authenticator{
		ID: store.NewID(), Name: demoName, Title: "示例应用 Demo app", Enabled: true,
		CorpID: wecomsim.DemoCorpID, AgentID: wecomsim.DemoAgentID, SecretVersion: demoVersion,
		Origin: origin, WorkbenchRedirectPath: "/", AutoSignup: true, Generation: store.NewID(),
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	secrets := secretstore.New(secretstore.Config{Client: client})
	if err := secrets.Create(ctx, prefix+authenticator.ID, authenticator.SecretVersion, secret.NewValue(wecomsim.DemoSecret)); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := engine.CreateAuthenticator(ctx, authenticator); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := engine.CreateUser(ctx, store.User{
		ID: demoUserID, Phone: demoPhone, Name: "张三", Enabled: true, Roles: []string{"admin"},
		Identities: []store.Identity{{CorpID: wecomsim.DemoCorpID, WeComUserID: demoMember, Authenticator: demoName, BoundAt: now}},
		CreatedAt:  now, UpdatedAt: now, Version: 1,
	}); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	session := store.Session{
		UserID: demoUserID, AuthenticatorName: demoName, AuthenticatorID: authenticator.ID,
		AuthenticatorGeneration: authenticator.Generation, CorpID: wecomsim.DemoCorpID, WeComUserID: demoMember,
		SignedInAt: now, ExpiresAt: now.Add(demoLife),
	}
	if err := engine.StartSession(ctx, store.AttemptResult{
		SessionKey: authflow.SessionKey(demoSession), Kind: store.ResultSession, Session: session, KeepUntil: session.ExpiresAt,
	}, false); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if err := engine.PutDomainFile(ctx, store.DomainFile{Filename: demoFile, CreatedAt: now}); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return rotate(ctx, engine, client, now)
}

// rotate makes the first signing keys, as the first rotation of a deployment does.
// Secrets Manager begins a rotation with a version that has no value, which nobody
// else can make; so this one begins with its value.
func rotate(ctx context.Context, engine *dynamo.Engine, client *secretsmanager.Client, now time.Time) error {
	set, err := keys.Generate(now)
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	text, err := set.Encode()
	if err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	name := physicalName(signingKeys)
	if _, err := client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &name, ClientRequestToken: aws.String(demoRotation), SecretString: &text, VersionStages: []string{"AWSPENDING"},
	}); err != nil {
		return fmt.Errorf("make signing keys: %w", err)
	}
	step := rotatekeys.New(rotatekeys.Config{
		SecretsManager: client, Publisher: engine, Secret: name,
		Logger: slog.New(slog.DiscardHandler),
	})
	for name := range strings.FieldsSeq("createSecret setSecret testSecret finishSecret") {
		event := events.SecretsManagerSecretRotationEvent{Step: name, SecretID: physicalName(signingKeys), ClientRequestToken: demoRotation}
		if err := step(ctx, event); err != nil {
			return err
		}
	}
	return nil
}
