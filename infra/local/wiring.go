package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/functions/events"
	"github.com/wecom-signin/wecom-signin/functions/forwardauth"
	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/functions/memberchecks"
	"github.com/wecom-signin/wecom-signin/functions/notify"
	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/functions/signin"
	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

// The logical ids of the functions that are behind no route.
const (
	authorizerID   = "AuthorizerFunction"
	notifyID       = "NotifyFunction"
	memberChecksID = "MemberChecksFunction"
)

// httpFunction is a function behind a route.
type httpFunction struct {
	name     string
	settings []settings.Name
	assemble app.NewHandler
	maxBody  int // bytes; 0 means the usual limit
}

// httpFunctions returns the functions behind routes by logical id.
func httpFunctions() map[string]httpFunction {
	return map[string]httpFunction{
		"AuthorizeFunction":   {"authorize", authorize.Settings(), authorize.NewHandler, 0},
		"CallbackFunction":    {"callback", callback.Settings(), callback.NewHandler, 0},
		"SigninFunction":      {"signin", signin.Settings(), signin.NewHandler, 0},
		"EventsFunction":      {"events", events.Settings(), events.NewHandler, events.MaxBody},
		"AdminFunction":       {"admin", admin.Settings(), admin.NewHandler, admin.MaxBody},
		"IssuerFunction":      {"issuer", issuer.Settings(), issuer.NewHandler, 0},
		"OpenIDFunction":      {"openid", openid.Settings(), openid.NewHandler, openid.MaxBody},
		"ForwardAuthFunction": {"forwardauth", forwardauth.Settings(), forwardauth.NewHandler, 0},
	}
}

// assemble puts the functions behind the gateway. Each gets only the variables that
// its entry in the template declares.
func assemble(ctx context.Context, template *samtemplate.Template, s *service, values func(string) (string, bool), logger *slog.Logger) (*gateway.Gateway, error) {
	deps := func(id string, names []settings.Name) (app.Deps, error) {
		environment := gateway.NewEnvironment(template, id, values)
		read, err := settings.FromEnvironment(environment.Lookup, names...)
		if err := errors.Join(environment.Err(), err); err != nil {
			return app.Deps{}, fmt.Errorf("settings of %s: %w", id, err)
		}
		return app.Deps{
			Settings: read, Store: s.store, Authenticators: s.store, Applications: s.store, Secrets: s.secrets,
			LogoutNotifier: logoutqueue.Notifier{Queue: s.logouts}, Local: true, Now: s.now, Logger: logger,
		}, nil
	}
	toCheck, err := deps(memberChecksID, memberchecks.Settings())
	if err != nil {
		return nil, err
	}
	check, err := memberchecks.NewHandler(ctx, toCheck)
	if err != nil {
		return nil, fmt.Errorf("assemble memberchecks: %w", err)
	}
	functions := map[string]gateway.Function{}
	var faults []error
	for id, f := range httpFunctions() {
		p, err := deps(id, f.settings)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		p.MemberChecks = memberChecks(check)
		handler, err := f.assemble(ctx, p)
		if err != nil {
			faults = append(faults, fmt.Errorf("assemble %s: %w", f.name, err))
			continue
		}
		functions[id] = apigw.New(apigw.Config{
			Handler: handler, PublicURL: p.Settings.PublicURL, Name: f.name, Service: p.Settings.ServiceName,
			Logger: logger, MaxBody: f.maxBody,
		})
	}
	toNotify, err := deps(notifyID, notify.Settings())
	if err == nil {
		s.logouts.function, err = notify.NewHandler(toNotify, s.logouts)
	}
	faults = append(faults, err)
	p, err := deps(authorizerID, authorizer.Settings())
	if err := errors.Join(append(faults, err)...); err != nil {
		return nil, err
	}
	return gateway.New(gateway.Config{
		Template:    template,
		Functions:   functions,
		Authorizers: map[string]gateway.Authorizer{authorizerID: authorizer.NewHandler(p).Decide},
		Logger:      logger,
	})
}

// memberChecks is the function memberchecks in this process.
type memberChecks memberchecks.Function

// CheckMember implements oauth.MemberChecks. As in Lambda, the check goes on when its caller
// does not wait any more.
func (f memberChecks) CheckMember(ctx context.Context, authenticator, wecomUserID string) (members.Verdict, error) {
	type outcome struct {
		invoke.Answer
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		answer, err := f(context.WithoutCancel(ctx), invoke.Request{Authenticator: authenticator, WeComUserID: wecomUserID})
		done <- outcome{answer, err}
	}()
	select {
	case o := <-done:
		return o.Verdict, o.err
	case <-ctx.Done():
		return "", fmt.Errorf("wait for memberchecks: %w", ctx.Err())
	}
}

// openStore opens the store of DATA_DIR.
func openStore(dataDir string, auditRetention time.Duration, now func() time.Time) (store.Engine, func() error, error) {
	engine, err := embedded.Open(embedded.Config{Path: filepath.Join(dataDir, "store.db"), AuditRetention: auditRetention, Now: now})
	if err != nil {
		return nil, nil, fmt.Errorf("open store (DATA_DIR chooses another folder): %w", err)
	}
	return engine, engine.Close, nil
}
