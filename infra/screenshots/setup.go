package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// verifyFile is a domain file as WeCom gives them.
const verifyFile = "WW_verify_a1B2c3D4e5F6g7H8.txt"

// setUp goes through the guided set-up and keeps every step. It makes the
// authenticator of the other scenes.
func setUp(p *photographer) {
	w, leave := p.open(wide)
	defer leave()
	w.answerFileChecks()
	w.enterConsole()
	w.do("begin", click(`main a.main[href="#setup"]`), sees(`.setup`))
	onward := click(`.setup-foot button:last-child`)
	keep := func(step int) {
		w.do("step "+strconv.Itoa(step), sees(`.setup-progress li:nth-child(`+strconv.Itoa(step)+`) [aria-current=step]`), sees(`.setup-foot, .setup-form`),
			chromedp.WaitNotPresent(css(`main .waiting`)))
		p.keep("setup-"+strconv.Itoa(step), w.shootPart(`.setup-step`))
	}
	for step := 1; step <= 2; step++ {
		keep(step)
		w.do("go on", onward)
	}
	folder, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		p.err = fmt.Errorf("make folder: %w", err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	file := filepath.Join(folder, verifyFile)
	if err := os.WriteFile(file, []byte(verifyFile[len("WW_verify_"):len("WW_verify_")+16]), 0o600); err != nil {
		p.err = fmt.Errorf("write domain file: %w", err)
		return
	}
	w.do("bring the domain file", chromedp.SetUploadFiles(css(`.drop input[type=file]`), []string{file}), sees(`.setup-files .notice.good`))
	keep(3)
	w.do("go on", onward)
	keep(4)
	w.do("go on", onward, fill(`input[name=corpId]`, wecomsim.DemoCorpID), fill(`input[name=agentId]`, wecomsim.DemoAgentID), fill(`input[name=secret]`, wecomsim.DemoSecret),
		fill(`input[name=title]`, p.language.title), fill(`input[name=name]`, authenticator), fill(`input[name=origin]`, applicationURL),
		fill(`input[name=workbenchRedirectPath]`, "/admin"), click(`input[name=autoLogin]`))
	keep(5)
	w.do("create it", click(`.setup-form .setup-foot button:last-child`))
	keep(6)
	w.do("go on", onward, click(`.setup-words > .actions button.main`), sees(`.setup-results li`), sees(`.notice.good`), click(`.toast button`))
	keep(7)
	w.do("go on", onward, fill(`input[name=phone]`, "/m"))
	keep(8)
}

// fill types a text into a field, over what is there.
func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(sees(selector), chromedp.Focus(css(selector)), chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`), chromedp.KeyEvent(text))
}

// answerFileChecks answers in place of the service when it is to fetch a domain file
// back: its own address leads nowhere outside of this command. The file is fetched
// all the same, over the way that the browser has.
func (w *window) answerFileChecks() {
	if w.err != nil {
		return
	}
	w.err = chromedp.Listen(w.ctx, func(event any) {
		paused, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		go func() {
			answer, err := w.checkFile(w.ctx, path.Base(path.Dir(paused.Request.URL)))
			status := int64(http.StatusOK)
			if err != nil {
				fmt.Fprintln(os.Stderr, err) // the page goes on, and its step is never seen
				answer, status = []byte(`{"code":"internal"}`), http.StatusInternalServerError
			}
			// A window that was closed meanwhile needs no answer.
			_, _ = chromedp.Call(w.ctx, fetch.FulfillRequest, fetch.FulfillRequestParams{
				RequestID: paused.RequestID, ResponseCode: status, Body: answer,
				ResponseHeaders: []*fetch.HeaderEntry{{Name: "Content-Type", Value: "application/json"}},
			})
		}()
	})
	if w.err == nil {
		_, w.err = chromedp.Call(w.ctx, fetch.Enable, fetch.EnableParams{
			Patterns: []*fetch.RequestPattern{{URLPattern: serviceURL + "/api/admin/domain-files/*/check"}},
		})
	}
}

// checkFile fetches a domain file and writes what the service would answer.
func (w *window) checkFile(ctx context.Context, name string) ([]byte, error) {
	address := serviceURL + "/" + name
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("fetch domain file: %w", err)
	}
	answer, err := w.example.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("fetch domain file: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("fetch domain file: %w", err)
	}
	if answer.StatusCode != http.StatusOK || !strings.Contains(name, string(content)) || len(content) != 16 {
		return nil, fmt.Errorf("fetch domain file: %s with %d bytes", answer.Status, len(content))
	}
	texts, err := text.Read(text.Language(w.language.tag), text.CheckArea)
	if err != nil {
		return nil, fmt.Errorf("fetch domain file: %w", err)
	}
	return json.Marshal(map[string]any{"ok": true, "steps": []map[string]any{{
		"step": "domain-file", "ok": true, "wecomCode": 0, "title": texts.Text("check.domain-file.ok", "url", address, "host", serviceHost, "filename", name), "fix": "",
	}}})
}
