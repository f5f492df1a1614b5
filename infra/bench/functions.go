package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/local/lambdaruntime"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// build makes the functions for this machine and returns their folder.
func (b *bench) build(ctx context.Context) (string, error) {
	folder := filepath.Join(b.folder, "functions")
	_, err := command(ctx, "make", "-s", "build", "BUILD="+folder, "ARCH="+architecture())
	return folder, err
}

// measureSizes builds what is deployed and checks it against the budget.
func (b *bench) measureSizes(ctx context.Context) error {
	folder := filepath.Join(b.folder, "deployed")
	printed, err := command(ctx, "make", "-s", "size", "BUILD="+folder, "ARCH=arm64")
	if err != nil {
		return err
	}
	b.printf("## Sizes\n\nFor Lambda on arm64, in MB. `make size`, a part of `make test`, fails above what is allowed.\n\n")
	b.printf("| function | program | zipped | allowed |\n|---|---|---|---|\n")
	for line := range strings.Lines(printed) {
		// name 1.23 MB zipped, 4.0 allowed
		fields := strings.Fields(line)
		if len(fields) != 6 || fields[2] != "MB" {
			continue
		}
		info, err := os.Stat(filepath.Join(folder, fields[0], "bootstrap"))
		if err != nil {
			return fmt.Errorf("find program: %w", err)
		}
		b.printf("| %s | %.2f | %s | %s |\n", fields[0], float64(info.Size())/1e6, fields[1], fields[4])
	}
	b.printf("\n")
	return nil
}

// newFunction returns a built function and the processor time of its processes.
func (c *cloud) newFunction(folder, name string) (*lambdaruntime.Function, meter, error) {
	path := filepath.Join(folder, name, "bootstrap")
	f, err := lambdaruntime.New(lambdaruntime.Config{
		Path: path, Name: name, Environment: c.environment, Timeout: 20 * time.Second, Concurrency: 8, Log: io.Discard,
	})
	return f, meterOf(func() ([]int, error) { return childrenOf(os.Getpid(), path) }), err
}

// measureStarts starts each function anew and asks it once.
func (b *bench) measureStarts(ctx context.Context) error {
	folder, err := b.build(ctx)
	if err != nil {
		return err
	}
	c, stop, err := b.startCloud(ctx, 1)
	if err != nil {
		return err
	}
	defer stop()
	b.printf("## From the start of a function to its first answer\n\n")
	b.printf("The built program with its DynamoDB and Secrets Manager on loopback, %d starts, medians; `authorize` and `signin` read their authenticator for this answer.\n\n", starts)
	b.printf("| function | first request | CPU, ms | waiting included, ms |\n|---|---|---|---|\n")
	for _, asked := range []struct{ name, route, path string }{
		{"authorize", "GET /authorize/{authenticator}", "/authorize/" + authenticatorName},
		{"callback", "GET /callback/{authenticator}", "/callback/" + authenticatorName},
		{"signin", "GET /api/authenticators", "/api/authenticators"},
		{"issuer", "GET /.well-known/jwks.json", "/.well-known/jwks.json"},
	} {
		event := events.APIGatewayV2HTTPRequest{Version: "2.0", RouteKey: asked.route, RawPath: asked.path, PathParameters: map[string]string{}}
		if strings.Contains(asked.route, "{") {
			event.PathParameters["authenticator"] = authenticatorName
		}
		event.RequestContext.HTTP.Method = "GET"
		payload, err := json.Marshal(event)
		if err != nil {
			return fmt.Errorf("encode event: %w", err)
		}
		var cpu, wall []time.Duration
		for range starts {
			f, used, err := c.newFunction(folder, asked.name)
			if err != nil {
				return err
			}
			started := time.Now()
			answer, err := f.Invoke(ctx, payload)
			wall = append(wall, time.Since(started))
			spent, failed := used()
			f.Close()
			if err != nil || failed != nil || !strings.Contains(string(answer), `"statusCode":200`) && !strings.Contains(string(answer), `"statusCode":302`) {
				return fmt.Errorf("start %s: %w %w %s", asked.name, err, failed, answer)
			}
			cpu = append(cpu, spent)
		}
		slices.Sort(cpu)
		slices.Sort(wall)
		b.printf("| %s | %s | %.1f | %.1f |\n", asked.name, asked.path, float64(cpu[starts/2])/1e6, float64(wall[starts/2])/1e6)
	}
	b.printf("\n")
	return nil
}

// starts is how often a function is started.
const starts = 21

// measureFunctions signs in through the built functions.
func (b *bench) measureFunctions(ctx context.Context) error {
	folder, err := b.build(ctx)
	if err != nil {
		return err
	}
	const users = 1000
	c, stop, err := b.startCloud(ctx, users)
	if err != nil {
		return err
	}
	defer stop()
	b.printf("## A returning sign-in through the built functions\n\n")
	b.printf("The programs that are deployed, one request at a time in each process, DynamoDB over loopback. The CPU is that of the three functions alone. One round of %d sign-ins.\n\n", b.signIns/2)
	b.printf("| in flight | CPU of the functions, ms | sign-ins per CPU-second | authorize, ms | callback, ms | signin, ms |\n|---|---|---|---|---|---|\n")
	for _, inFlight := range []int{1, 8} {
		functions, meters := map[string]gateway.Function{}, []meter{}
		var built []*lambdaruntime.Function
		for _, m := range measuredFunctions {
			f, used, err := c.newFunction(folder, m.name)
			if err != nil {
				return err
			}
			defer f.Close()
			functions[m.id] = f.HTTP()
			built, meters = append(built, f), append(meters, used)
		}
		front, err := newGateway(functions)
		if err != nil {
			return err
		}
		s := &service{url: publicURL, transport: direct{front}, used: func() (total time.Duration, err error) {
			for _, used := range meters {
				spent, err := used()
				if err != nil {
					return 0, err
				}
				total += spent
			}
			return total, nil
		}}
		someone := func(i int) string { return member(i * 7919 % users) }
		if _, err := load(ctx, s, 200, inFlight, someone); err != nil {
			return err
		}
		var before, each [3]time.Duration
		for i, used := range meters {
			if before[i], err = used(); err != nil {
				return err
			}
		}
		count := b.signIns / 2
		f, err := load(ctx, s, count, inFlight, someone)
		if err != nil {
			return err
		}
		for i, used := range meters {
			after, err := used()
			if err != nil {
				return err
			}
			each[i] = (after - before[i]) / time.Duration(count)
		}
		b.printf("| %d | %s | %.0f | %s | %s | %s |\n", inFlight, milliseconds(f.cpu), f.perSecond(), milliseconds(each[0]), milliseconds(each[1]), milliseconds(each[2]))
		for _, f := range built {
			f.Close()
		}
	}
	b.printf("\n")
	return nil
}
