package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	secretsapi "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/functions/signin"
	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

// measuredFunctions are the three of a sign-in, by their id in the template.
var measuredFunctions = []struct {
	id, name string
	settings []settings.Name
	assemble app.NewHandler
}{
	{"AuthorizeFunction", "authorize", authorize.Settings(), authorize.NewHandler},
	{"CallbackFunction", "callback", callback.Settings(), callback.NewHandler},
	{"SigninFunction", "signin", signin.Settings(), signin.NewHandler},
}

// measureCalls counts remote calls with the functions in this process, wired as in
// Lambda.
func (b *bench) measureCalls(ctx context.Context) error {
	c, stop, err := b.startCloud(ctx, 10)
	if err != nil {
		return err
	}
	defer stop()
	table := &counting{client: dynamodb.NewFromConfig(c.aws)}
	functions := map[string]gateway.Function{}
	for _, f := range measuredFunctions {
		// Each function is a process of its own: its caches are not shared.
		engine, err := dynamo.New(dynamo.Config{Client: table, DirectoryTable: directoryTable, TransientTable: transientTable})
		if err != nil {
			return err
		}
		read, err := c.settingsOf(f.settings)
		if err != nil {
			return err
		}
		handler, err := f.assemble(ctx, app.Deps{
			Settings: read, Store: engine, Authenticators: store.CacheAuthenticators(engine, 10*time.Second, time.Now),
			Secrets: secretsmanager.New(secretsmanager.Config{Client: secretsapi.NewFromConfig(c.aws)}), Now: time.Now,
		})
		if err != nil {
			return err
		}
		functions[f.id] = apigw.New(apigw.Config{Handler: handler, PublicURL: read.PublicURL, Name: f.name, Logger: quiet()})
	}
	front, err := newGateway(functions)
	if err != nil {
		return err
	}
	s := &service{url: publicURL, transport: direct{front}}
	b.printf("## Remote calls\n\n")
	b.printf("Capacity units as DynamoDB's emulator counts them. Cold: the first in new processes, the access token included; at their starts the three processes read the sealing keys once each.\n\n")
	b.printf("| operation | WeCom | Secrets Manager | DynamoDB calls | read units | write units |\n|---|---|---|---|---|---|\n")
	row := func(name string, operation func() error) error {
		c.secrets.calls.Store(0)
		b.weCom.calls.Store(0)
		table.calls, table.read, table.writes = 0, 0, 0
		if err := operation(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		b.printf("| %s | %d | %d | %d | %.1f | %.1f |\n", name, b.weCom.calls.Load(), c.secrets.calls.Load(), table.calls, table.read, table.writes)
		return nil
	}
	visitor := &browser{service: s, cookies: map[string]string{}}
	steps := []struct {
		name string
		do   func() error
	}{
		{"first sign-in ever, cold", func() error { return (&browser{service: s, cookies: map[string]string{}}).register("newcomer1") }},
		{"first sign-in ever", func() error { return (&browser{service: s, cookies: map[string]string{}}).register("newcomer2") }},
		{"returning sign-in: authorize", func() error { return visitor.keep(visitor.leave()) }},
		{"returning sign-in: callback", func() error { return visitor.comeBack(member(1)) }},
		{"session check, cold", func() error { return visitor.expect(http.MethodGet, "/api/session", http.StatusOK) }},
		{"session check", func() error { return visitor.expect(http.MethodGet, "/api/session", http.StatusOK) }},
		{"token, cold", func() error { return visitor.expect(http.MethodPost, "/api/token", http.StatusOK) }},
		{"token", func() error { return visitor.expect(http.MethodPost, "/api/token", http.StatusOK) }},
		{"sign-out", func() error { return visitor.expect(http.MethodPost, "/api/signout", http.StatusSeeOther) }},
	}
	for _, step := range steps {
		if err := row(step.name, step.do); err != nil {
			return err
		}
	}
	b.printf("\n")
	return nil
}
