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

// timeLimit is for all pictures together; they take about ten seconds.
const timeLimit = 2 * time.Minute

// language is one language of the README.
type language struct {
	tag    string // in the names of the pictures
	accept string // what the browser asks for
	steps  []string
}

// languages returns the languages with the captions of a sign-in's steps.
func languages() []language {
	return []language{
		{"en", "en-US,en", []string{
			"1. The sign-in page", "2. WeCom (simulated): who are you?", "3. First time only: consent", "4. The application knows you",
		}},
		{"zh-CN", "zh-CN,zh", []string{
			"1. 登录页", "2. 企业微信（模拟）：选择成员", "3. 仅首次：授权手机号", "4. 应用认出了登录者",
		}},
	}
}

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
	local, err := startRun(ctx, service)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, local.stop()) }()
	profile, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		return fmt.Errorf("make profile: %w", err)
	}
	defer func() { _ = os.RemoveAll(profile) }()
	allocator, stop := chromedp.NewExecAllocator(ctx, slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("lang", language.tag), chromedp.Flag("accept-lang", language.accept),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-prefers-reduced-motion", true),
	})...)
	defer stop()
	browser, cancel := chromedp.NewContext(allocator)
	defer cancel()

	phones, err := signIn(browser, local)
	if err != nil {
		return err
	}
	strip, err := sideBySide(browser, phones, language)
	if err != nil {
		return err
	}
	console, err := openConsole(browser, local)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{"sign-in": strip, "console": console} {
		path := filepath.Join(folder, name+"."+language.tag+".png")
		if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // pictures for everybody
			return fmt.Errorf("write picture: %w", err)
		}
		fmt.Println(path)
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
