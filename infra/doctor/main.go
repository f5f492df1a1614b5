package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

// Days between rotations of the signing keys: what the template takes for RotationDays.
const (
	usualRotation    = 30
	shortestRotation = 7
	longestRotation  = 365
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, invocation{
		arguments: os.Args[1:], lookup: os.LookupEnv, out: os.Stdout, errors: os.Stderr,
		prompt:    func(ctx context.Context, question string) (string, error) { return prompt(ctx, os.Stdin, question) },
		transport: http.DefaultTransport, now: time.Now,
	})
	stop()
	os.Exit(status)
}

// invocation is what a run is given.
type invocation struct {
	arguments   []string
	lookup      func(string) (string, bool)
	out, errors io.Writer
	// prompt asks a person; it returns empty when nobody is there.
	prompt    func(ctx context.Context, question string) (string, error)
	transport http.RoundTripper
	now       func() time.Time
}

// run returns the exit status.
func run(ctx context.Context, in invocation) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(in.errors)
	flags.Usage = func() {
		fmt.Fprintln(in.errors, "usage: make doctor URL=https://signin.example.com\n       go run ./infra/doctor [-key-file FILE] [-lang en|zh] [-rotation-days 30] URL\nThe admin key is read from FILE, from ADMIN_KEY, or asked for. -rotation-days is the parameter RotationDays.")
	}
	keyFile := flags.String("key-file", "", "")
	wanted := flags.String("lang", "", "")
	rotation := flags.Int("rotation-days", usualRotation, "")
	if err := flags.Parse(in.arguments); err != nil {
		return exitUsage
	}
	if *rotation < shortestRotation || *rotation > longestRotation {
		fmt.Fprintf(in.errors, "-rotation-days is a number from %d to %d\n", shortestRotation, longestRotation)
		return exitUsage
	}
	language, err := chooseLanguage(*wanted, in.lookup)
	if err != nil || flags.NArg() != 1 {
		if err != nil {
			fmt.Fprintln(in.errors, err)
		}
		flags.Usage()
		return exitUsage
	}
	report := report{out: in.out, texts: texts(), language: language}
	address, fault := parseAddress(flags.Arg(0))
	if fault != nil {
		report.add(finding{check: "address", status: failed, seen: *fault, fix: say("address.form.fix")})
		return report.end()
	}
	key, err := readKey(ctx, in, *keyFile, report.text(say("key.question")))
	if err != nil {
		fmt.Fprintln(in.errors, err)
		return exitUsage
	}
	report.secret = key
	examine(ctx, report.add, newVisit(visitConfig{
		Address: address, Key: key, Language: language, Transport: in.transport, Now: in.now,
		RotationDays: *rotation,
	}))
	return report.end()
}

// chooseLanguage takes the flag, or else what the environment asks of programs.
func chooseLanguage(wanted string, lookup func(string) (string, bool)) (language, error) {
	switch wanted {
	case "en":
		return english, nil
	case "zh":
		return chinese, nil
	case "":
	default:
		return english, errors.New("-lang is en or zh")
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value, _ := lookup(name); value != "" {
			if strings.HasPrefix(value, "zh") {
				return chinese, nil
			}
			return english, nil
		}
	}
	return english, nil
}

// maxKey is more than any admin key has.
const maxKey = 4096

// readKey returns the admin key, or empty when there is none.
func readKey(ctx context.Context, in invocation, file, question string) (string, error) {
	if file != "" {
		opened, err := os.Open(file) //nolint:gosec // the operator names it
		if err != nil {
			return "", fmt.Errorf("read admin key: %w", err)
		}
		defer func() { _ = opened.Close() }()
		content, err := io.ReadAll(io.LimitReader(opened, maxKey))
		if err != nil {
			return "", fmt.Errorf("read admin key: %w", err)
		}
		return checkKey(string(content), "the file")
	}
	if key, _ := in.lookup("ADMIN_KEY"); key != "" {
		return checkKey(key, "ADMIN_KEY")
	}
	key, err := in.prompt(ctx, question)
	if err != nil {
		return "", fmt.Errorf("read admin key: %w", err)
	}
	if key = strings.TrimSpace(key); key == "" {
		return "", nil
	}
	return checkKey(key, "what was typed")
}

// checkKey refuses what no header could carry, without showing it.
func checkKey(key, source string) (string, error) {
	key = strings.TrimSpace(key)
	if key == "" || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("read admin key: %s holds no key, or more than one line", source)
	}
	return key, nil
}

// prompt reads a line without echo. golang.org/x/term does it on every system that Go
// runs on; stty would be another program, and absent on some of them.
func prompt(ctx context.Context, terminal *os.File, question string) (string, error) {
	descriptor := int(terminal.Fd())
	if !term.IsTerminal(descriptor) {
		return "", nil
	}
	before, err := term.GetState(descriptor)
	if err != nil {
		return "", fmt.Errorf("ask terminal: %w", err)
	}
	fmt.Fprint(os.Stderr, question)
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(descriptor)
		typed <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		// Ctrl-C: the terminal must show again what is typed.
		_ = term.Restore(descriptor, before)
		fmt.Fprintln(os.Stderr)
		return "", context.Cause(ctx)
	case got := <-typed:
		fmt.Fprintln(os.Stderr)
		if errors.Is(got.err, io.EOF) {
			return "", nil
		}
		return string(got.text), got.err
	}
}
