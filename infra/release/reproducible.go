package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// reproducible builds everything twice, compares, and prints the hashes as sha256sum
// does.
func reproducible(ctx context.Context, root string, architectures []string, out io.Writer) (err error) {
	folder, err := os.MkdirTemp("", "reproducible")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	builds := []struct {
		source      string
		environment []string
	}{
		{filepath.Join(folder, "a"), []string{"TZ=UTC"}},
		{filepath.Join(folder, "another", "place"), []string{"TZ=Asia/Shanghai", "GOCACHE=" + filepath.Join(folder, "cache")}},
	}
	// The second source is copied from the first: somebody may be editing the original.
	from := root
	for _, b := range builds {
		if err := os.MkdirAll(b.source, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := copySource(from, b.source); err != nil {
			return err
		}
		from = b.source
	}
	for _, b := range builds {
		for _, architecture := range architectures {
			if err := build(ctx, b.source, architecture, filepath.Join(b.source, ".build", architecture), b.environment...); err != nil {
				return err
			}
		}
	}
	return compare(builds[0].source, builds[1].source, architectures, out)
}

// compare compares the programs of two builds.
func compare(first, second string, architectures []string, out io.Writer) error {
	names, err := functions(first)
	if err != nil {
		return err
	}
	var faults []error
	for _, architecture := range architectures {
		for _, name := range names {
			program := filepath.Join(".build", architecture, name, "bootstrap")
			one, err := hash(filepath.Join(first, program))
			if err != nil {
				return err
			}
			two, err := hash(filepath.Join(second, program))
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s  %s/%s/bootstrap\n", one, architecture, name)
			if one != two {
				faults = append(faults, fmt.Errorf("%s for %s differs: %s and %s", name, architecture, one, two))
			}
		}
	}
	if len(faults) == 0 {
		fmt.Fprintf(out, "The same bytes twice: %d programs.\n", len(names)*len(architectures))
	}
	return errors.Join(faults...)
}

func hash(path string) (string, error) {
	content, err := os.ReadFile(path) //nolint:gosec // a program that was just built
	if err != nil {
		return "", fmt.Errorf("read program: %w", err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
