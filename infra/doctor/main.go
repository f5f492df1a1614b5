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

	"github.com/wecom-signin/wecom-signin/infra/doctor/checks"
)

// Exit statuses besides 0, which says that nothing failed.
const (
	exitFailed = 1
	exitUsage  = 2
)

const usage = `usage: make doctor URL=https://signin.example.com [ARGS="-rotation-days 30"]
ADMIN_KEY is the admin key; without it, what needs one is skipped.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], checks.Config{AdminKey: os.Getenv("ADMIN_KEY")}, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// run returns the exit status.
func run(ctx context.Context, arguments []string, cfg checks.Config, out, errs io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.Usage = func() { fmt.Fprint(errs, usage); flags.PrintDefaults() }
	flags.IntVar(&cfg.RotationDays, "rotation-days", checks.DefaultRotationDays, "the deployment's parameter RotationDays")
	if flags.Parse(arguments) != nil {
		return exitUsage // it has said why
	}
	if flags.NArg() != 1 || cfg.RotationDays < 1 {
		flags.Usage()
		return exitUsage
	}
	var err error
	if cfg.Address, err = checks.ParseAddress(flags.Arg(0)); err != nil {
		fmt.Fprintln(errs, err)
		return exitUsage
	}
	// A header could not carry anything else.
	cfg.AdminKey = strings.TrimSpace(cfg.AdminKey)
	if strings.ContainsFunc(cfg.AdminKey, func(r rune) bool { return r <= ' ' || r > '~' }) {
		fmt.Fprintln(errs, "ADMIN_KEY holds no key, or more than one line")
		return exitUsage
	}
	counts := map[checks.Status]int{}
	for f := range checks.Run(ctx, cfg) {
		counts[f.Status]++
		fmt.Fprintf(out, "%-4s  %-14s  %s\n", f.Status, f.Check, f.Seen)
		if f.Fix != "" {
			fmt.Fprintf(out, "      → %s (docs/%s)\n", f.Fix, f.Manual)
		}
	}
	fmt.Fprintf(out, "%d ok, %d to look at, %d failed, %d skipped\n", counts[checks.OK], counts[checks.Warn], counts[checks.Fail], counts[checks.Skip])
	if counts[checks.Warn]+counts[checks.Fail] > 0 {
		fmt.Fprintln(out, "Each check explained: docs/operations.md#make-doctor · 中文：docs/operations.zh-CN.md#make-doctor")
	}
	if counts[checks.Fail] > 0 || ctx.Err() != nil {
		return exitFailed
	}
	return 0
}
