package main

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// A phone in CSS pixels. Pictures have twice as many, to be made smaller well.
const (
	phoneWidth, phoneHeight     = 390, 720
	desktopWidth, desktopHeight = 860, 470
)

// stepLimit is how long one page may take to show what it must.
const stepLimit = 20 * time.Second

// photographer works through pages; after the first failure it does nothing more.
type photographer struct {
	browser context.Context //nolint:containedctx // a browser is a context in chromedp
	err     error
}

func (p *photographer) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	if p.err != nil {
		return
	}
	// The first call starts the browser, which must not end with a step.
	step, cancel := context.WithTimeout(p.browser, stepLimit)
	defer cancel()
	if err := chromedp.Do(step, actions...); err != nil {
		p.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (p *photographer) shoot() []byte {
	if p.err != nil {
		return nil
	}
	// Fonts and avatars may arrive after the page.
	p.do("wait for the page", chromedp.Sleep(300*time.Millisecond))
	picture, err := chromedp.Run(p.browser, chromedp.CaptureScreenshot())
	if err != nil {
		p.err = fmt.Errorf("take picture: %w", err)
	}
	return picture
}

// open starts the browser.
func (p *photographer) open() {
	if p.err == nil {
		p.err = chromedp.Do(p.browser, chromedp.Navigate("about:blank"))
	}
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

// signIn signs in as a new member and returns what a phone shows on the way.
func signIn(browser context.Context, local *localRun) ([][]byte, error) {
	p := &photographer{browser: browser}
	p.open()
	var pictures [][]byte
	shoot := func() { pictures = append(pictures, p.shoot()) }

	p.do("open the application", chromedp.EmulateViewport(phoneWidth, phoneHeight, chromedp.EmulateScale(2)),
		chromedp.Navigate(local.printed["application"]), chromedp.WaitVisible(css(`#signin`)))
	p.do("go to the sign-in page", chromedp.Click(css(`#signin`)), chromedp.WaitVisible(css(`a[href*="/authorize/demo"]`)))
	shoot()
	p.do("go to WeCom", chromedp.Click(css(`a[href*="/authorize/demo"]`)), chromedp.WaitVisible(css(`button[value$="zhangsan"]`)))
	shoot()
	p.do("be a member", chromedp.Click(css(`button[value$="zhangsan"]`)), chromedp.WaitVisible(css(`input[value=mobile]`)))
	shoot()
	p.do("consent", chromedp.Click(css(`button[value=agree]`)), chromedp.WaitVisible(css(`#signout`)))
	shoot()
	return pictures, p.err
}

// openConsole returns the administrator's page with the demo authenticator.
func openConsole(browser context.Context, local *localRun) ([]byte, error) {
	p := &photographer{browser: browser}
	p.do("open the console", chromedp.EmulateViewport(desktopWidth, desktopHeight, chromedp.EmulateScale(1)),
		chromedp.Navigate(local.printed["console"]), chromedp.WaitVisible(css(`input[name=key]`)))
	p.do("enter the key", chromedp.SendKeys(css(`input[name=key]`), local.printed["admin key"]+"\r"), chromedp.WaitVisible(css(`.cards .card`)))
	picture := p.shoot()
	return picture, p.err
}

//go:embed strip.html
var files embed.FS

// phone is one picture of a strip, with what it shows.
type phone struct {
	Caption string
	Picture template.URL
}

// sideBySide puts the steps of a sign-in into one picture.
func sideBySide(browser context.Context, pictures [][]byte, language language) ([]byte, error) {
	layout, err := template.ParseFS(files, "strip.html")
	if err != nil {
		return nil, fmt.Errorf("read layout: %w", err)
	}
	phones := make([]phone, len(pictures))
	for i, picture := range pictures {
		address := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
		phones[i] = phone{language.steps[i], template.URL(address)} //nolint:gosec // made here
	}
	var page strings.Builder
	if err := layout.Execute(&page, map[string]any{"Language": language.tag, "Phones": phones}); err != nil {
		return nil, fmt.Errorf("write layout: %w", err)
	}
	p := &photographer{browser: browser}
	p.do("show the strip", chromedp.EmulateViewport(1600, 860, chromedp.EmulateScale(1)),
		chromedp.Navigate("data:text/html;base64,"+base64.StdEncoding.EncodeToString([]byte(page.String()))),
		chromedp.WaitVisible(css(`main`)))
	if p.err != nil {
		return nil, p.err
	}
	strip, err := chromedp.Run(browser, chromedp.Screenshot(css(`main`)))
	if err != nil {
		return nil, fmt.Errorf("take picture: %w", err)
	}
	return strip, nil
}
