package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/console"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

// startLimit is how long an emulator may take to start on a busy machine.
const startLimit = 30 * time.Second

// emulators run in this process and below it.
type emulators struct {
	state state
	stack *cloudformation.Stack
	weCom *wecomsim.Simulator
	doors *doors
	stops []func()
}

// stop ends everything, the last first.
func (e *emulators) stop() {
	for i := len(e.stops) - 1; i >= 0; i-- {
		e.stops[i]()
	}
}

// startEmulators starts and fills them and builds the functions. The folder of the
// state belongs to one at a time.
func (l *local) startEmulators(ctx context.Context) (_ *emulators, err error) {
	other, found, err := l.running(ctx)
	if err != nil {
		return nil, err
	}
	if found {
		return nil, fmt.Errorf("emulators run already (process %d)", other.PID)
	}
	e := &emulators{doors: newDoors()}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	if e.stack, err = l.readStack(); err != nil {
		return nil, err
	}
	bridge, inContainers := netip.Addr{}, false
	if docker, missing := findDocker(ctx, l.dockerHost); missing == nil {
		inContainers = true
		if bridge, err = docker.bridge(ctx); err != nil {
			return nil, err
		}
	}
	e.stops = append(e.stops, e.doors.close)
	e.state = state{PID: os.Getpid(), PublicURL: fmt.Sprintf("http://localhost:%d", l.port), AdminKey: demoAdminKey}
	if err := e.startAWS(ctx, l); err != nil {
		return nil, err
	}
	if err := e.startWeCom(l.port); err != nil {
		return nil, err
	}
	certificate, trusted, err := newCertificate(time.Now(), bridge)
	if err != nil {
		return nil, err
	}
	api := serverAPI(e.weCom)
	port, err := e.doors.openTLS("127.0.0.1", certificate, api)
	if err != nil {
		return nil, err
	}
	e.state.Here.WeComAPI = fmt.Sprintf("https://localhost:%d", port)
	if inContainers {
		if e.state.Containers, err = e.doors.containers(bridge, e.state.Here, certificate, api); err != nil {
			return nil, err
		}
	}
	if err := e.fill(ctx, demoAdminKey); err != nil {
		return nil, err
	}
	e.stops = append(e.stops, func() { _ = l.removeState() })
	if err := l.writeState(e.state, trusted); err != nil {
		return nil, err
	}
	if err := l.build(ctx, e.stack, e.state); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *emulators) startAWS(ctx context.Context, l *local) error {
	if _, err := os.Stat(l.dynoxide); err != nil {
		return errors.New("dynoxide is not installed (make tools)")
	}
	database, port, err := startServer(ctx, "dynoxide", func(ctx context.Context, port int) (*exec.Cmd, error) {
		return program(ctx, []string{"PATH=/usr/bin:/bin"}, l.log, l.dynoxide, "serve", "-p", strconv.Itoa(port), "--log", "quiet"), nil
	})
	if err != nil {
		return err
	}
	e.stops = append(e.stops, database.stop)
	secrets, err := emulator.Start(ctx, emulator.Config{Tools: l.tools, Services: "secretsmanager"})
	if err != nil {
		return err
	}
	e.stops = append(e.stops, func() { _ = secrets.Close() })
	e.state.Here.DynamoDB = fmt.Sprintf("http://127.0.0.1:%d", port)
	e.state.Here.SecretsManager = secrets.Endpoint
	return nil
}

// startWeCom starts the simulated WeCom and the demo application.
func (e *emulators) startWeCom(servicePort int) error {
	near := func(usual int) int {
		if servicePort == usualPort {
			return usual
		}
		return 0
	}
	homeURL := e.state.PublicURL + "/authorize/" + demoName
	service, err := url.Parse(e.state.PublicURL)
	if err != nil {
		return fmt.Errorf("read public URL: %w", err)
	}
	company := wecomsim.Demo(service.Host, homeURL, e.state.PublicURL)
	company.Console = console.New
	e.weCom = wecomsim.New(company)
	if e.state.WeComURL, err = e.doors.openBrowsers(near(weComPort), e.weCom); err != nil {
		return err
	}
	listener, err := listen("127.0.0.1", near(applicationPort))
	if err != nil {
		listener, err = listen("127.0.0.1", 0)
	}
	if err != nil {
		return err
	}
	e.state.ApplicationURL = "http://localhost:" + strconv.Itoa(portOf(listener))
	application, err := demo.New(demo.Config{ServiceURL: e.state.PublicURL, Origin: e.state.ApplicationURL})
	if err != nil {
		_ = listener.Close()
		return fmt.Errorf("make demo application: %w", err)
	}
	e.doors.serve(listener, application)
	return nil
}

// fill makes the template's tables and secrets, and the demo records.
func (e *emulators) fill(ctx context.Context, adminKey string) error {
	variables := e.state.Here.variables()
	config, err := awsconfig.FromEnvironment(func(name string) (string, bool) {
		value, ok := variables[name]
		return value, ok
	})
	if err != nil {
		return fmt.Errorf("fill the emulators: %w", err)
	}
	database, secrets := dynamodb.NewFromConfig(config), secretsmanager.NewFromConfig(config)
	if err := createTables(ctx, database, e.stack); err != nil {
		return err
	}
	if err := createSecrets(ctx, secrets, e.stack, adminKey); err != nil {
		return err
	}
	engine, err := dynamo.New(dynamo.Config{
		Client: database, DirectoryTable: physicalName(directoryTable), TransientTable: physicalName(transientTable),
	})
	if err != nil {
		return err
	}
	return seed(ctx, engine, secrets, stackName+"/authenticators/", e.state.ApplicationURL, time.Now().UTC().Truncate(time.Second))
}

// runEmulators keeps them until ctx ends.
func (l *local) runEmulators(ctx context.Context) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	fmt.Fprintln(l.log, "Building the functions and starting the emulators…")
	e, err := l.startEmulators(ctx)
	unlock()
	if err != nil {
		return stopped(ctx, err)
	}
	defer e.stop()
	fmt.Fprintf(l.out, `AWS and WeCom run on this machine.

  DynamoDB         %s
  Secrets Manager  %s
  WeCom            %s/wecomsim/
  application      %s
  admin key        %s

In another terminal:

  make invoke FUNCTION=authorize
  make invoke FUNCTION=signin EVENT=session
`, e.state.Here.DynamoDB, e.state.Here.SecretsManager, e.state.WeComURL, e.state.ApplicationURL, e.state.AdminKey)
	if e.state.Containers == (addresses{}) {
		fmt.Fprintf(l.out, "\n%s\n", withoutDocker)
	} else {
		fmt.Fprint(l.out, `  sam local invoke AuthorizeFunction -e infra/events/authorize.json
  make api
`)
	}
	fmt.Fprintln(l.out, "\nEverything is in memory. Stop it with Ctrl-C.")
	return e.wait(ctx)
}

// wait returns when ctx ends or a server fails.
func (e *emulators) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-e.doors.failed:
		return err
	}
}

// stopped says nothing of a failure that Ctrl-C is the reason of.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
