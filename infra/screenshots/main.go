package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"github.com/chromedp/chromedp"
)

// timeLimit is for all pictures together; they take about half a minute.
const timeLimit = 4 * time.Minute

func main() {
	service := flag.String("service", ".build/local", "program of the local run")
	folder := flag.String("to", "docs/images", "folder of the pictures")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	err := run(ctx, *service, *folder)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, service, folder string) error {
	chromium, err := findChromium()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	for _, language := range languages() {
		if err := photograph(ctx, chromium, service, folder, language); err != nil {
			return fmt.Errorf("pictures in %s: %w", language.tag, err)
		}
	}
	return nil
}

// photograph makes the pictures of one language, with a service and a browser that
// have seen nobody before.
func photograph(ctx context.Context, chromium, service, folder string, language language) (err error) {
	example, err := startExample(ctx, service)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, example.stop()) }()
	profile, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		return fmt.Errorf("make profile: %w", err)
	}
	defer func() { _ = os.RemoveAll(profile) }()
	allocator, stop := chromedp.NewExecAllocator(ctx, slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP %s:443 %s, MAP %s:443 %[2]s", serviceHost, example.front, applicationHost)),
		chromedp.IgnoreCertErrors, // made for these pictures
		chromedp.Flag("lang", language.tag), chromedp.Flag("accept-lang", language.accept),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-prefers-reduced-motion", true),
		chromedp.Flag("allow-pre-commit-input", true),
	})...)
	defer stop()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()
	defer func() { _ = chromedp.Cancel(browser) }() // before its profile is removed
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		return fmt.Errorf("start browser: %w", err)
	}

	p := &photographer{browser: browser, language: language, example: example, pictures: map[string][]byte{}}
	for _, scene := range scenes() {
		if scene(p); p.err != nil {
			return p.err
		}
	}
	for _, name := range names() {
		if p.pictures[name] == nil {
			return fmt.Errorf("no scene took the picture %s", name)
		}
		path := filepath.Join(folder, fileName(name, language.tag))
		if err := os.WriteFile(path, p.pictures[name], 0o644); err != nil { //nolint:gosec // pictures for everybody
			return fmt.Errorf("write picture: %w", err)
		}
		fmt.Printf("%s %d kB\n", path, len(p.pictures[name])/1000)
	}
	return nil
}

func findChromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("find browser: neither chromium nor google-chrome is installed")
}
