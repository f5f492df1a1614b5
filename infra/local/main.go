package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/console"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// stopLimit is how long an end may take: requests in progress are finished, what
// hangs is cut off.
const stopLimit = 4 * time.Second

// The ports beside the service's. They are fixed, because the demo applications' origins
// are registered.
const (
	usualPort     = 3000
	simulatorPort = 3001
	demoPort      = 3002
	demoPagePort  = 3003
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, lookup func(string) (string, bool), out, log io.Writer) (err error) {
	s, err := settings.FromEnvironment(lookup, localSettings()...)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	var servers servers
	defer func() { err = errors.Join(err, servers.stop()) }()

	listener, err := listen(s.Port)
	if err != nil {
		return err
	}
	servers.own(listener)
	if s.PublicURL == "" {
		s.PublicURL = localURL(listener)
	}
	var demonstrated *demonstration // nil with a WeCom of one's own
	if value, _ := lookup(string(settings.WeComAPIURL)); value == "" {
		if demonstrated, err = listenForDemo(&servers, s.PublicURL, s.Port); err != nil {
			return err
		}
		s.WeComAPIURL, s.WeComOAuthURL, s.WeComLoginURL = demonstrated.weComURL, demonstrated.weComURL, demonstrated.weComURL
	}
	service, err := newService(ctx, s, time.Now, logger)
	if err != nil {
		return err
	}
	servers.onStop(service.stop)
	var front http.Handler = service.gateway
	if demonstrated != nil {
		if err := demonstrated.start(ctx, &servers, service, s.PublicURL); err != nil {
			return err
		}
		front = wecomsim.ActAsClient(front)
	}
	servers.serve(listener, front)
	if demonstrated != nil {
		if err := demonstrated.receiveEvents(ctx, service, localURL(listener)); err != nil {
			logger.Warn("the simulated WeCom tells the service nothing of who leaves", "cause", err.Error())
		}
	}

	fmt.Fprintf(out, "WeCom Sign-in runs on this machine.\n\n  service      %s\n  console      %[1]s/console\n", s.PublicURL)
	if demonstrated != nil {
		fmt.Fprintf(out, "  application  %s  (sign in here)\n  WeCom        %s/wecomsim/  (simulated: choose who you are, and whether your browser is its client)\n", demonstrated.appURL, demonstrated.weComURL)
	}
	if service.generatedAdminKey != "" {
		fmt.Fprintf(out, "  admin key    %s\n", service.generatedAdminKey)
	}
	fmt.Fprintln(out, "\nStop it with Ctrl-C.")
	return servers.wait(ctx)
}

// localSettings are the names of what the local run reads.
func localSettings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.SessionLifetime, settings.MemberCheckInterval, settings.SessionCookieDomain, settings.AuditRetention,
		settings.CompanyName, settings.CompanyLogo, settings.SignInPanel, settings.EgressAddresses, settings.LookupMissesPerDay,
		settings.Port, settings.DataDir, settings.AdminKey,
	}
}

// demonstration is the simulated WeCom, the demo application, and the one without a
// backend.
type demonstration struct {
	app, page                 net.Listener
	appURL, pageURL, weComURL string
	weCom                     *wecomsim.Simulator
}

// listenForDemo takes the ports and starts the simulated WeCom. Beside a service on
// another port than the usual one they take any free ports, so that several can run at
// once.
func listenForDemo(servers *servers, serviceURL string, servicePort int) (*demonstration, error) {
	var listeners []net.Listener
	for _, usual := range []int{simulatorPort, demoPort, demoPagePort} {
		listener, err := listenNear(servicePort, usual)
		if err != nil {
			return nil, err
		}
		servers.own(listener)
		listeners = append(listeners, listener)
	}
	// In the simulated client the app's home page signs in without a question.
	weCom := wecomsim.Demo(hostOf(serviceURL), serviceURL+"/authorize/"+demoName, serviceURL)
	weCom.Console = console.New
	simulator := wecomsim.New(weCom)
	servers.serve(listeners[0], wecomsim.OnlyLoopback(simulator))
	return &demonstration{
		weCom: simulator,
		app:   listeners[1], page: listeners[2],
		appURL: localURL(listeners[1]), pageURL: localURL(listeners[2]), weComURL: localURL(listeners[0]),
	}, nil
}

// start registers the demo applications at the service and starts them.
func (d *demonstration) start(ctx context.Context, servers *servers, service *service, serviceURL string) error {
	clientSecret, err := service.seed(ctx, d.appURL, d.pageURL)
	if err != nil {
		return err
	}
	app, err := demo.New(demo.Config{
		ServiceURL: serviceURL, Origin: d.appURL, ClientID: demoWebID, ClientSecret: clientSecret.Reveal(), PageURL: d.pageURL,
	})
	if err != nil {
		return fmt.Errorf("make demo application: %w", err)
	}
	page, err := demo.NewPage(serviceURL, demoPageID)
	if err != nil {
		return fmt.Errorf("make demo application: %w", err)
	}
	servers.serve(d.app, app)
	servers.serve(d.page, page)
	return nil
}

// receiveEvents does by program what an administrator does by hand: makes a receiver for
// the demo authenticator, and enters it in WeCom's console.
func (d *demonstration) receiveEvents(ctx context.Context, service *service, address string) error {
	key, err := service.secrets.Get(ctx, adminKeySecret, secret.Current)
	if err != nil {
		return fmt.Errorf("read admin key: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/api/admin/authenticators/"+demoName+"/events", nil)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+key.Reveal())
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("make a receiver: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("make a receiver: HTTP %d", answer.StatusCode)
	}
	var receiver wecomsim.Receiver
	if err := json.NewDecoder(answer.Body).Decode(&receiver); err != nil {
		return fmt.Errorf("read receiver: %w", err)
	}
	return d.weCom.SetReceiver(ctx, wecomsim.DemoCorpID, wecomsim.DemoAgentID, receiver)
}

// listen takes a loopback port; 0 means any.
func listen(port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen (PORT chooses another port): %w", err)
	}
	return listener, nil
}

func listenNear(servicePort, usual int) (net.Listener, error) {
	if servicePort == usualPort {
		if listener, err := listen(usual); err == nil {
			return listener, nil
		}
	}
	return listen(0)
}

func localURL(listener net.Listener) string {
	_, port, _ := net.SplitHostPort(listener.Addr().String()) // it is host:port
	return "http://localhost:" + port
}

// servers are the HTTP servers of this process.
type servers struct {
	all       []*http.Server
	listeners []net.Listener
	stops     []func(context.Context) error
	failed    chan error
}

// own closes the listener at the end, also when it never came to serve.
func (s *servers) own(listener net.Listener) { s.listeners = append(s.listeners, listener) }

func (s *servers) onStop(stop func(context.Context) error) { s.stops = append(s.stops, stop) }

func (s *servers) serve(listener net.Listener, handler http.Handler) {
	if s.failed == nil {
		s.failed = make(chan error, 4)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	s.all = append(s.all, server)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve: %w", err)
		}
	}()
}

// wait returns when ctx ends or a server fails.
func (s *servers) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.failed:
		return err
	}
}

// stop ends everything within stopLimit.
func (s *servers) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	done := make(chan struct{}, len(s.all))
	for _, server := range s.all {
		go func() {
			if server.Shutdown(ctx) != nil {
				_ = server.Close()
			}
			done <- struct{}{}
		}()
	}
	for range s.all {
		<-done
	}
	for _, listener := range s.listeners {
		_ = listener.Close() // mostly closed by its server
	}
	var faults []error
	for _, stop := range s.stops {
		faults = append(faults, stop(ctx))
	}
	return errors.Join(faults...)
}
