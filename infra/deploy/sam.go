package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// sam is AWS SAM's command line.
type sam struct {
	program     string
	folder      string // where it runs: the repository
	environment []string
	in          io.Reader
	out, errors io.Writer
}

// findSAM returns the program that SAM names, if it is there, or else the installed
// one.
func findSAM(lookup func(string) (string, bool), find func(string) (string, error)) (string, error) {
	if named, _ := lookup("SAM"); named != "" {
		if _, err := os.Stat(named); err == nil {
			return named, nil
		}
	}
	program, err := find("sam")
	if err != nil {
		return "", errors.New("AWS SAM's command line is missing: `make tools` fetches it, or install it and have `sam` on PATH")
	}
	return program, nil
}

// command is a call of sam.
type command struct {
	variables []string // NAME=value, in front
	program   string   // as it is shown
	arguments []string
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// String is the command as a person would type it in the repository.
func (c command) String() string {
	words := append([]string{}, c.variables...)
	for _, word := range append([]string{c.program}, c.arguments...) {
		if !plainWord.MatchString(word) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// shown is the program as seen from the repository.
func (s sam) shown() string {
	if relative, err := filepath.Rel(s.folder, s.program); err == nil && filepath.IsAbs(s.program) && !strings.HasPrefix(relative, "..") {
		return relative
	}
	if filepath.Base(s.program) == "sam" {
		if onPath, err := exec.LookPath("sam"); err == nil && onPath == s.program {
			return "sam"
		}
	}
	return s.program
}

// build says the processor twice: to the Makefile, and by way of the file to SAM,
// which does not tell make.
func (s sam) build(a answers) command {
	return command{
		variables: []string{"ARCH=" + a.parameters["Architecture"]},
		program:   s.shown(), arguments: []string{"build", "--config-file", fileOf(a.stack)},
	}
}

func (s sam) deploy(a answers, unattended bool) command {
	c := command{program: s.shown(), arguments: []string{"deploy", "--config-file", fileOf(a.stack), "--no-fail-on-empty-changeset"}}
	if unattended {
		c.arguments = append(c.arguments, "--no-confirm-changeset")
	}
	return c
}

// exitError is how a program ended; what it had to say it has said.
type exitError struct {
	what   string
	status int
}

func (e *exitError) Error() string { return fmt.Sprintf("%s ended with status %d", e.what, e.status) }

// run shows everything that sam prints, and lets it ask.
func (s sam) run(ctx context.Context, c command) error {
	var in io.Reader
	if c.arguments[0] == "deploy" {
		in = s.in
	}
	return s.start(ctx, c, in, s.out)
}

func (s sam) start(ctx context.Context, c command, in io.Reader, out io.Writer) error {
	process := exec.CommandContext(ctx, s.program, c.arguments...) //nolint:gosec // the operator's own sam
	process.Dir, process.Stdin, process.Stdout, process.Stderr = s.folder, in, out, s.errors
	for _, variable := range s.environment {
		// Below `make deploy` the make of `sam build` would wait for its job server, and
		// take its settings.
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") && !strings.HasPrefix(variable, "ARCH=") {
			process.Env = append(process.Env, variable)
		}
	}
	process.Env = append(process.Env, c.variables...)
	err := process.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return &exitError{"sam " + c.arguments[0], ended.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("run sam %s: %w", c.arguments[0], err)
	}
	return nil
}

// outputs returns the stack's outputs.
func (s sam) outputs(ctx context.Context, a answers) (map[string]string, error) {
	var printed strings.Builder
	if err := s.start(ctx, command{arguments: []string{
		"list", "stack-outputs", "--stack-name", a.stack, "--region", a.region, "--output", "json",
	}}, nil, &printed); err != nil {
		return nil, err
	}
	var list []struct{ OutputKey, OutputValue string }
	if err := json.Unmarshal([]byte(printed.String()), &list); err != nil {
		return nil, fmt.Errorf("read outputs: %w", err)
	}
	outputs := map[string]string{}
	for _, output := range list {
		outputs[output.OutputKey] = output.OutputValue
	}
	return outputs, nil
}
