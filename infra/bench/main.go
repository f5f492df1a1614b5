package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// timeLimit ends a run that hangs.
const timeLimit = 30 * time.Minute

// bench is one run.
type bench struct {
	out      io.Writer
	folder   string // temporary
	local    string // the program of `make run`
	weCom    *weCom
	weComURL string
	signIns  int // in a round
	rounds   int
	users    int // many
}

func run(ctx context.Context, arguments []string, out io.Writer) (err error) {
	b := &bench{out: out, weCom: &weCom{}}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "one section: sizes, calls, starts, signin, functions or users")
	flags.IntVar(&b.signIns, "count", 3000, "sign-ins in a round")
	flags.IntVar(&b.rounds, "rounds", 5, "rounds, of which the middle one is reported")
	flags.IntVar(&b.users, "users", 1_000_000, "how many users are many")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if b.folder, err = os.MkdirTemp("", "bench"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.folder)) }()
	// Programs are told from others by their path, which the kernel gives without links.
	if b.folder, err = filepath.EvalSymlinks(b.folder); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	address, stopWeCom, err := listenAndServe(b.weCom)
	if err != nil {
		return err
	}
	defer stopWeCom()
	b.weComURL = address
	sections := []struct {
		name    string
		measure func(context.Context) error
	}{
		{"sizes", b.measureSizes},
		{"calls", b.measureCalls},
		{"starts", b.measureStarts},
		{"signin", b.measureSignIns},
		{"functions", b.measureFunctions},
		{"users", b.measureUsers},
	}
	if *only == "" {
		b.printf(introduction, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	}
	for _, section := range sections {
		if *only != "" && *only != section.name {
			continue
		}
		if err := section.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", section.name, err)
		}
	}
	return nil
}

const introduction = "# Benchmarks\n\n" +
	"Written by `make bench` on %d cores, %s/%s. Figures are as measured, in one run; other work on\n" +
	"the machine can move them by half. No test depends on a time; the sizes alone are a limit that\n" +
	"fails the build. The processor time is that of the service's own processes: browsers, WeCom and\n" +
	"the stand-ins for AWS share the machine and are left out.\n\n" +
	"Budgets: a whole returning sign-in (authorize, callback, one session check, store included)\n" +
	"0.3 ms of one core; a function's first answer 10 ms of CPU; the zips of authorize and callback\n" +
	"4 MB; a callback with a million users as fast as with a thousand.\n\n"

func (b *bench) printf(format string, values ...any) { fmt.Fprintf(b.out, format, values...) }

// command runs a tool of the repository and returns what it printed.
func command(ctx context.Context, name string, arguments ...string) (string, error) {
	output, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput() //nolint:gosec // the arguments are ours
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return string(output), nil
}

// architecture is Lambda's name of this machine's processor.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

func (b *bench) buildLocal(ctx context.Context) error {
	b.local = filepath.Join(b.folder, "local")
	_, err := command(ctx, "go", "build", "-o", b.local, "./infra/local")
	return err
}
