package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// architectures are those that a function can be deployed for, as Lambda names them.
func architectures() []string { return []string{"arm64", "x86_64"} }

func run(ctx context.Context, arguments []string, out io.Writer) error {
	if len(arguments) == 1 {
		switch arguments[0] {
		case "reproducible":
			return reproducible(ctx, ".", architectures(), out)
		case "sbom":
			tool := filepath.Join(".tools", "bin", "cyclonedx-gomod")
			return writeSBOM(ctx, ".", tool, filepath.Join(".build", "sbom.json"), out)
		}
	}
	return errors.New("usage: release reproducible | sbom")
}
