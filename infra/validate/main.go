package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "validate:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// step is one check. It returns what it looked at and the faults.
type step struct {
	name  string
	check func(context.Context) (scope string, faults []string)
}

func run(ctx context.Context, arguments []string, out io.Writer) (bool, error) {
	flags := flag.NewFlagSet("validate", flag.ContinueOnError)
	path := flags.String("template", "template.yaml", "the template")
	if err := flags.Parse(arguments); err != nil {
		return false, err
	}
	if _, err := os.Stat(*path); err != nil {
		return false, fmt.Errorf("read template: %w", err)
	}
	passed := true
	for _, s := range steps(*path, ".", os.Getenv("SAM")) {
		scope, faults := s.check(ctx)
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if len(faults) == 0 {
			fmt.Fprintf(out, "ok    %s: %s\n", s.name, scope)
			continue
		}
		passed = false
		fmt.Fprintf(out, "FAIL  %s: %s\n", s.name, count(len(faults), "fault"))
		for _, fault := range faults {
			fmt.Fprintf(out, "      - %s\n", strings.ReplaceAll(fault, "\n", "\n        "))
		}
	}
	return passed, nil
}

// steps are in the order of what they cost. The root is the repository's; sam is
// the program, or empty for the one of `make tools`.
func steps(path, root, sam string) []step {
	tool := newSAM(path, root, sam)
	return []step{
		{"our own rules", func(context.Context) (string, []string) { return checkRules(path) }},
		{"sam validate --lint", tool.lint},
		{"SAM translation and cfn-lint", tool.translateAll},
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
