package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// copySource copies what the programs are built from.
func copySource(root, to string) error {
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "template.yaml", "LICENSE", "functions", "shared"} {
		source, target := filepath.Join(root, name), filepath.Join(to, name)
		info, err := os.Stat(source)
		if err != nil {
			return fmt.Errorf("copy source: %w", err)
		}
		if info.IsDir() {
			err = os.CopyFS(target, os.DirFS(source))
		} else {
			err = copyFile(source, target)
		}
		if err != nil {
			return fmt.Errorf("copy source: %w", err)
		}
	}
	return nil
}

func copyFile(source, target string) error {
	content, err := os.ReadFile(source) //nolint:gosec // a file of this repository
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o600) //nolint:gosec // below the folder that was made for it
}

// functions returns the names of the functions in a source tree.
func functions(root string) ([]string, error) {
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "lambda"))
	if err != nil || len(mains) == 0 {
		return nil, fmt.Errorf("no functions in %s", root)
	}
	var names []string
	for _, path := range mains {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	return names, nil
}

// build runs `make build`; the programs are NAME/bootstrap below to.
func build(ctx context.Context, source, architecture, to string, environment ...string) error {
	_, err := command(ctx, source, environment, "make", "--silent", "build", "ARCH="+architecture, "BUILD="+to)
	return err
}

// command runs a tool in a folder and returns its standard output.
func command(ctx context.Context, folder string, environment []string, name string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // the tools are ours
	c.Dir = folder
	for _, variable := range os.Environ() {
		// Below another make this one would wait for its job server. What is set here
		// must not be there twice.
		name, _, _ := strings.Cut(variable, "=")
		replaced := slices.ContainsFunc(environment, func(own string) bool { return strings.HasPrefix(own, name+"=") })
		if !strings.HasPrefix(name, "MAKE") && name != "MFLAGS" && !replaced {
			c.Env = append(c.Env, variable)
		}
	}
	c.Env = append(c.Env, environment...)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, strings.TrimSpace(said.String()+out.String()))
	}
	return out.Bytes(), nil
}
