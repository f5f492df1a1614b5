package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	root, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	os.Exit(run(context.Background(), invocation{
		arguments: os.Args[1:], root: root, lookup: os.LookupEnv, environment: os.Environ(),
		find: exec.LookPath, identify: callerIdentity, in: os.Stdin, out: os.Stdout, errors: os.Stderr,
	}))
}

// invocation is what a run is given.
type invocation struct {
	arguments   []string
	root        string
	lookup      func(string) (string, bool)
	environment []string
	// find looks for a program on PATH.
	find        func(string) (string, error)
	identify    func(ctx context.Context, region string) (identity, error)
	in          io.Reader
	out, errors io.Writer
}

// run returns the exit status: sam's, when sam fails.
func run(ctx context.Context, in invocation) int {
	flags := flag.NewFlagSet("deploy", flag.ContinueOnError)
	flags.SetOutput(in.errors)
	flags.Usage = func() {
		fmt.Fprintln(in.errors, "usage: make deploy\n       go run ./infra/deploy [-yes] [STACK]\n-yes asks nothing and uses deployments/STACK.toml.")
	}
	unattended := flags.Bool("yes", false, "")
	if err := flags.Parse(in.arguments); err != nil {
		return exitUsage
	}
	if flags.NArg() > 1 {
		flags.Usage()
		return exitUsage
	}
	err := deploy(ctx, in, *unattended, flags.Arg(0))
	if err == nil {
		return 0
	}
	if errors.Is(err, errStopped) {
		fmt.Fprintln(in.out, "\nNothing was deployed. The answers are kept.")
		return 0
	}
	fmt.Fprintln(in.errors, "\n"+err.Error())
	if ended, ok := errors.AsType[*exitError](err); ok && ended.status > 0 {
		return ended.status
	}
	return exitFailed
}

func deploy(ctx context.Context, in invocation, unattended bool, stack string) error {
	program, err := findSAM(in.lookup, in.find)
	if err != nil {
		return err
	}
	g, err := newGuide(guideConfig{
		root: in.root, lookup: in.lookup, in: in.in, out: in.out, identify: in.identify,
		sam:        sam{program: program, folder: in.root, environment: in.environment, in: in.in, out: in.out, errors: in.errors},
		unattended: unattended, stack: stack,
	})
	if err != nil {
		return err
	}
	return g.run(ctx)
}

// identityLimit is how long AWS may take; a profile may have to fetch credentials first.
const identityLimit = 30 * time.Second

// callerIdentity asks AWS with the credentials that sam will find, too: environment,
// profile, single sign-on.
func callerIdentity(ctx context.Context, region string) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, identityLimit)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(region))
	if err != nil {
		return identity{}, fmt.Errorf("find credentials: %w", err)
	}
	got, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return identity{}, fmt.Errorf("ask whose credentials they are: %w", err)
	}
	return identity{aws.ToString(got.Account), aws.ToString(got.Arn)}, nil
}
