package lambdamain

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	secretsapi "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

// configurationAge is how old a cached authenticator may be: long enough that a busy
// function does not read it for every request, short enough that an administrator sees a
// change take effect.
const configurationAge = 10 * time.Second

// startTime bounds the start. Lambda allows 10 s.
const startTime = 8 * time.Second

// Start reads the named settings and passes the dependencies to run, which starts the
// function and only returns with an error. Start exits the process on an error.
func Start(names []settings.Name, run func(ctx context.Context, deps app.Deps, cfg aws.Config) error) {
	slog.SetDefault(slog.New(lambdacontext.NewLogHandler()))
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	deps, cfg, err := deps(names)
	if err == nil {
		err = run(ctx, deps, cfg)
	}
	if err != nil {
		slog.Error("the function does not start", "cause", err.Error())
		os.Exit(1)
	}
}

// Serve starts a function behind the HTTP API. maxBody is the largest request body in
// bytes, 0 for the default of package apigw.
func Serve(name string, maxBody int, names []settings.Name, newHandler app.NewHandler) {
	Start(names, func(ctx context.Context, deps app.Deps, _ aws.Config) error {
		handler, err := newHandler(ctx, deps)
		if err != nil {
			return err
		}
		lambda.Start(apigw.New(apigw.Config{
			Handler: handler, PublicURL: deps.Settings.PublicURL, Name: name, Service: deps.Settings.ServiceName, MaxBody: maxBody,
		}))
		return nil
	})
}

func deps(names []settings.Name) (app.Deps, aws.Config, error) {
	read, err := settings.FromEnvironment(os.LookupEnv, names...)
	if err != nil {
		return app.Deps{}, aws.Config{}, fmt.Errorf("read settings: %w", err)
	}
	cfg, err := awsconfig.FromEnvironment(os.LookupEnv)
	if err != nil {
		return app.Deps{}, aws.Config{}, fmt.Errorf("read AWS settings: %w", err)
	}
	engine, err := dynamo.New(dynamo.Config{
		Client: dynamodb.NewFromConfig(cfg), DirectoryTable: read.DirectoryTable, TransientTable: read.TransientTable, Now: time.Now,
	})
	if err != nil {
		return app.Deps{}, aws.Config{}, err
	}
	return app.Deps{
		Settings:       read,
		Store:          engine,
		Authenticators: store.CacheAuthenticators(engine, configurationAge, time.Now),
		Secrets:        secretsmanager.New(secretsmanager.Config{Client: secretsapi.NewFromConfig(cfg), Description: "WeCom Sign-in: secret of an authenticator"}),
		Now:            time.Now,
	}, cfg, nil
}
