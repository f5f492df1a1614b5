package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
)

const usage = `usage: samlocal emulators
       samlocal invoke FUNCTION [EVENT]
       samlocal api`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string, lookup func(string) (string, bool), out, log io.Writer) error {
	l, err := newLocal(lookup, out, log)
	if err != nil {
		return err
	}
	command := ""
	if len(arguments) > 0 {
		command = arguments[0]
	}
	switch {
	case command == "emulators" && len(arguments) == 1:
		return l.runEmulators(ctx)
	case command == "invoke" && len(arguments) <= 3:
		name, event := "", ""
		if len(arguments) > 1 {
			name = arguments[1]
		}
		if len(arguments) > 2 {
			event = arguments[2]
		}
		return l.invoke(ctx, name, event)
	case command == "api" && len(arguments) == 1:
		return l.serveAPI(ctx)
	}
	return errors.New(usage)
}

// The ports that browsers see. Only the service's can be chosen: the others are
// taken if they are free, and any free ones otherwise.
const (
	usualPort       = 3000
	weComPort       = 3001
	applicationPort = 3002
)

// local is where things are and how to speak to people.
type local struct {
	// source is the folder of template.yaml.
	source string
	// folder is the one of samconfig.toml and .aws-sam: the same, except in tests.
	folder string
	// tools is the folder that the Makefile fetches tools into; sam and dynoxide may be
	// installed elsewhere.
	tools, sam, dynoxide string
	port                 int // of the service
	dockerHost           string
	out, log             io.Writer
}

func newLocal(lookup func(string) (string, bool), out, log io.Writer) (*local, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	or := func(name, absent string) string {
		if value, _ := lookup(name); value != "" {
			return value
		}
		return absent
	}
	port, err := strconv.ParseUint(or("PORT", strconv.Itoa(usualPort)), 10, 16)
	if err != nil || port == 0 {
		return nil, errors.New("PORT must be a number from 1 to 65535")
	}
	tools := filepath.Join(root, ".tools")
	return &local{
		source: root, folder: root, tools: tools,
		sam:        or("SAM", filepath.Join(tools, "sam", "bin", "sam")),
		dynoxide:   or("DYNOXIDE", filepath.Join(tools, "bin", "dynoxide")),
		port:       int(port),
		dockerHost: or("DOCKER_HOST", "unix:///var/run/docker.sock"),
		out:        out, log: log,
	}, nil
}

// moduleRoot finds the folder of template.yaml, here or above.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find template.yaml: %w", err)
	}
	for {
		_, err := os.Stat(filepath.Join(folder, "template.yaml"))
		if err == nil {
			return folder, nil
		}
		above := filepath.Dir(folder)
		if !errors.Is(err, fs.ErrNotExist) || above == folder {
			return "", fmt.Errorf("find template.yaml: %w", err)
		}
		folder = above
	}
}

// Places below folder. `sam build` empties its own folder each time, so what must
// last lies beside it.
func (l *local) buildFolder() string  { return filepath.Join(l.folder, ".aws-sam", "local") }
func (l *local) stateFolder() string  { return filepath.Join(l.folder, ".aws-sam", "emulators") }
func (l *local) eventsFolder() string { return filepath.Join(l.source, "infra", "events") }
