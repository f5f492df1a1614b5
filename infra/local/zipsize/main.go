// Command zipsize checks how large programs are when they are zipped for Lambda:
//
//	zipsize PATH=MEGABYTES...
//
// A start gets slower with every megabyte, and one stray import can add several.
package main

import (
	"compress/flate"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "zipsize:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out io.Writer) error {
	var tooLarge []string
	for _, argument := range arguments {
		path, limit, ok := strings.Cut(argument, "=")
		budget, err := strconv.ParseFloat(limit, 64)
		if !ok || err != nil {
			return fmt.Errorf("%q is not PATH=MEGABYTES", argument)
		}
		size, err := zipped(path)
		if err != nil {
			return err
		}
		name := filepath.Base(filepath.Dir(path))
		megabytes := float64(size) / 1e6
		fmt.Fprintf(out, "%-12s %5.2f MB zipped, %.1f allowed\n", name, megabytes, budget)
		if megabytes > budget {
			tooLarge = append(tooLarge, name)
		}
	}
	if len(tooLarge) > 0 {
		return fmt.Errorf("too large: %s", strings.Join(tooLarge, ", "))
	}
	return nil
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// zipped returns the compressed size of a file; the frame of a zip around it is
// some hundred bytes.
func zipped(path string) (int64, error) {
	file, err := os.Open(path) //nolint:gosec // the path is this command's argument
	if err != nil {
		return 0, fmt.Errorf("read program: %w", err)
	}
	defer func() { _ = file.Close() }()
	var size counter
	compressor, err := flate.NewWriter(&size, flate.DefaultCompression)
	if err != nil {
		return 0, fmt.Errorf("compress: %w", err)
	}
	if _, err := io.Copy(compressor, file); err != nil {
		return 0, fmt.Errorf("compress %s: %w", path, err)
	}
	if err := compressor.Close(); err != nil {
		return 0, fmt.Errorf("compress %s: %w", path, err)
	}
	return int64(size), nil
}
