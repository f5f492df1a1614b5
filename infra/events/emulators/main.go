package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// applicationURL is the origin of the demo application, which the events name too.
const applicationURL = "http://localhost:3002"

func main() {
	file := flag.String("n", "infra/events/env.json", "`file` of variables for sam local")
	bridge := flag.String("bridge", "", "`address` of this machine in Docker's network (default: as Docker says)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *file, *bridge, func(variables map[settings.Name]string, _ *wecomsim.Simulator) {
		printCommands(os.Stdout, *file, variables)
	})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "emulators:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It calls ready when everything answers.
func run(ctx context.Context, file, bridge string, ready func(map[settings.Name]string, *wecomsim.Simulator)) (err error) {
	variables, err := readVariables(file)
	if err != nil {
		return err
	}
	if bridge == "" {
		if bridge, err = dockerBridge(ctx); err != nil {
			return err
		}
	}
	account, err := awsstack.Start(ctx, awsstack.Config{Root: ".", Services: "dynamodb,secretsmanager"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, account.Close()) }()
	if err := seed(ctx, account.SDK(), variables); err != nil {
		return fmt.Errorf("make demo records: %w", err)
	}
	publicURL := variables[settings.PublicURL]
	weCom := wecomsim.New(wecomsim.Demo(strings.TrimPrefix(publicURL, "http://"), publicURL+"/authorize/"+demoName, publicURL))
	application, err := demo.New(demo.Config{ServiceURL: publicURL, Origin: applicationURL})
	if err != nil {
		return err
	}
	failed := make(chan error, 4)
	for _, s := range []struct {
		host, address string
		handler       http.Handler
	}{
		{bridge, variables[endpointURL], awsCalls(account.Endpoint)},
		{bridge, variables[settings.WeComAPIURL], weComAPI(weCom)},
		{"127.0.0.1", variables[settings.WeComOAuthURL], wecomsim.OnlyLoopback(weCom)},
		{"127.0.0.1", applicationURL, application},
	} {
		u, err := url.Parse(s.address)
		if err != nil {
			return fmt.Errorf("read address: %w", err)
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(s.host, u.Port()))
		if err != nil {
			return fmt.Errorf("listen for %s: %w", s.address, err)
		}
		defer func() { _ = listener.Close() }()
		server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute}
		go func() { failed <- server.Serve(listener) }()
	}
	ready(variables, weCom)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// endpointURL is the variable by which the AWS SDK finds every service.
const endpointURL settings.Name = "AWS_ENDPOINT_URL"

// readVariables reads what a file of variables gives to all functions.
func readVariables(file string) (map[settings.Name]string, error) {
	content, err := os.ReadFile(file) //nolint:gosec // the caller's own choice
	if err != nil {
		return nil, fmt.Errorf("read variables: %w", err)
	}
	var variables struct{ Parameters map[settings.Name]string }
	if err := json.Unmarshal(content, &variables); err != nil {
		return nil, fmt.Errorf("read variables of %s: %w", file, err)
	}
	return variables.Parameters, nil
}

// dockerBridge returns the address of this machine in the network of containers. Where
// Docker runs in a virtual machine (Docker Desktop) that network is there, and containers
// reach loopback here.
func dockerBridge(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}").Output()
	if err != nil {
		return "", fmt.Errorf("ask Docker for its network (sam local needs a Docker engine): %w", err)
	}
	subnet, err := netip.ParsePrefix(strings.TrimSpace(string(output)))
	if err != nil {
		return "", fmt.Errorf("read Docker's network: %w", err)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "", fmt.Errorf("read this machine's addresses: %w", err)
	}
	for _, address := range addresses {
		if own, err := netip.ParsePrefix(address.String()); err == nil && subnet.Contains(own.Addr()) {
			return own.Addr().String(), nil
		}
	}
	return "127.0.0.1", nil
}

// awsCalls passes on the SDK's calls of two services and nothing else: more than the
// functions' containers may reach the bridge, and a browser may show a page that tries.
func awsCalls(endpoint string) http.Handler {
	target, err := url.Parse(endpoint)
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		known := service == "DynamoDB_20120810" || service == "secretsmanager"
		if err != nil || !known || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Origin") != "" {
			http.Error(w, "This address is for functions that call DynamoDB and Secrets Manager.", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// weComAPI is the part of WeCom that functions call; its pages are for browsers. It
// sees the calls of containers come from loopback, which the demo app trusts.
func weComAPI(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
			http.NotFound(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.RemoteAddr = "127.0.0.1:1"
		weCom.ServeHTTP(w, r)
	})
}

func printCommands(out io.Writer, file string, variables map[settings.Name]string) {
	build, overrides := "ARCH=x86_64 sam build", ""
	if runtime.GOARCH == "arm64" {
		build, overrides = "sam build", " --parameter-overrides Architecture=arm64"
	}
	fmt.Fprintf(out, `AWS and WeCom run on this machine. In another terminal (sam is in .tools/sam/bin, too):

  %[1]s
  sam local invoke AuthorizeFunction -e infra/events/authorize.json -n %[2]s%[3]s
  sam local start-api -n %[2]s%[3]s

Then:

  console      %[4]s/console
  application  %[5]s  (sign in here)
  WeCom        %[6]s/wecomsim/  (simulated)
  admin key    %[7]s

Everything is in memory. Stop it with Ctrl-C.
`, build, file, overrides, variables[settings.PublicURL], applicationURL, variables[settings.WeComOAuthURL], demoAdminKey)
}
