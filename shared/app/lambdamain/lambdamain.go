package lambdamain

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	secretsapi "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue/sqsqueue"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
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
	useOneProcessor(os.LookupEnv)
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

// Serve starts a function behind the HTTP API. maxBody is the largest request body
// in bytes, 0 for the usual.
func Serve(name string, maxBody int, names []settings.Name, assemble app.NewHandler) {
	Start(names, func(ctx context.Context, deps app.Deps, cfg aws.Config) error {
		connected := connect(ctx, cfg)
		handler, err := assemble(ctx, deps)
		if err != nil {
			return err
		}
		<-connected
		lambda.Start(apigw.New(apigw.Config{
			Handler: handler, PublicURL: deps.Settings.PublicURL, Name: name, Service: deps.Settings.ServiceName, MaxBody: maxBody,
			Version: lambdacontext.FunctionVersion,
		}))
		return nil
	})
}

// memoryOfOneProcessor is the memory, in MB, with which Lambda gives a function the time
// of one processor ("Configure Lambda function memory").
const memoryOfOneProcessor = 1769

// useOneProcessor keeps Go from spreading the fraction of a processor that a small
// function has over the two that it sees. GOMAXPROCS overrides it.
func useOneProcessor(lookup func(string) (string, bool)) {
	memory, _ := lookup("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
	if _, chosen := lookup("GOMAXPROCS"); chosen {
		return
	}
	if size, err := strconv.Atoi(memory); err == nil && size < memoryOfOneProcessor {
		runtime.GOMAXPROCS(1)
	}
}

// connectTime bounds the first connection, which is tried again when it is needed.
const connectTime = time.Second

// connect opens the first connection to DynamoDB while the function starts, so that the
// first visitor does not wait for it. The channel is closed when that is over.
func connect(ctx context.Context, cfg aws.Config) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, connectTime)
		defer cancel()
		endpoint, err := dynamodb.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, dynamodb.EndpointParameters{
			Region: aws.String(cfg.Region), Endpoint: dynamodb.NewFromConfig(cfg).Options().BaseEndpoint,
		})
		if err != nil {
			return
		}
		// Unsigned and answered with a greeting or an error; the connection stays.
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.URI.String(), http.NoBody)
		if err != nil {
			return
		}
		response, err := cfg.HTTPClient.Do(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 4<<10))
		_ = response.Body.Close()
	}()
	return done
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
		Client: dynamodb.NewFromConfig(cfg), DirectoryTable: read.DirectoryTable, TransientTable: read.TransientTable,
		AuditTable: read.AuditTable, AuditRetention: read.AuditRetention, Now: time.Now,
		AuditFailed: func(ctx context.Context) { apigw.Measure(ctx, metrics.AuditWritesFailed()) },
	})
	if err != nil {
		return app.Deps{}, aws.Config{}, err
	}
	deps := app.Deps{
		Settings:       read,
		Store:          engine,
		Authenticators: store.CacheAuthenticators(engine, configurationAge, time.Now),
		Applications:   store.CacheApplications(engine, configurationAge, time.Now),
		Secrets:        secretsmanager.New(secretsmanager.Config{Client: secretsapi.NewFromConfig(cfg), Description: "WeCom Sign-in: secret of an authenticator"}),
		Now:            time.Now,
	}
	if read.LogoutQueueURL != "" {
		deps.LogoutNotifier = logoutqueue.Notifier{Queue: sqsqueue.Queue{Client: sqs.NewFromConfig(cfg), URL: read.LogoutQueueURL}}
	}
	return deps, cfg, nil
}
