package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/console"
)

// What the tests in a browser share, because starting it is the slow part: one
// browser, in which every window has cookies of its own, and one service with a
// strict WeCom beside it, where every test brings members of its own.

func TestMain(m *testing.M) {
	code := chromium.Main(m)
	ends.Lock()
	for _, end := range slices.Backward(ends.all) {
		end()
	}
	ends.Unlock()
	if folder, err := programFolder(); err == nil {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ends ends what outlives single tests.
var ends struct {
	sync.Mutex
	all []func()
}

// atTheEnd is t.Cleanup for all tests together.
func atTheEnd(end func()) {
	ends.Lock()
	defer ends.Unlock()
	ends.all = append(ends.all, end)
}

// workplace is a service with a strict WeCom beside it, which takes only its own
// client for the client, and an application on an origin of its own.
type workplace struct {
	*e2e.Local
	simulator *wecomsim.Simulator
}

const (
	// portal is the authenticator of the workplace, and portalTitle its title.
	portal      = "portal"
	portalTitle = "Staff portal"
)

// startWorkplace starts a service with nothing configured beside a WeCom that is as
// strict as the real one. ends takes what ends it, to be called the last first.
func startWorkplace(folder string, company wecomsim.Corp, ends func(func())) (*workplace, error) {
	place := &workplace{simulator: wecomsim.New(wecomsim.Config{
		Console: console.New,
		// A company on one machine: its addresses are no public ones.
		Choices: wecomsim.Choices{AskAgainAfterRefusal: true, LoopbackTrustedIPs: true, TrustedIPsAtOnce: true},
		Corps:   []wecomsim.Corp{company},
	})}
	weCom := httptest.NewServer(place.simulator)
	ends(func() { weCom.CloseClientConnections(); weCom.Close() })
	weComURL := strings.Replace(weCom.URL, "127.0.0.1", "localhost", 1)
	const adminKey = "admin-key-of-a-workplace-0123456789"
	var err error
	place.Local, err = launch(folder,
		"WECOM_API_URL="+weComURL, "WECOM_OAUTH_URL="+weComURL, "WECOM_LOGIN_URL="+weComURL, "ADMIN_KEY="+adminKey)
	if err != nil {
		return nil, err
	}
	ends(func() { _ = place.Stop() })
	place.WeCom, place.AdminKey = weComURL, adminKey
	line, err := automaticLoginLine("docs/reference.md", place.Service)
	if err != nil {
		return nil, err
	}
	app := httptest.NewServer(pagesOfAnApplication(place.Service, line))
	ends(func() { app.CloseClientConnections(); app.Close() })
	place.Application = strings.Replace(app.URL, "127.0.0.1", "localhost", 1)
	return place, nil
}

// openWorkplace starts one for a test alone.
func openWorkplace(t *testing.T, company wecomsim.Corp) *workplace {
	t.Helper()
	place, err := startWorkplace(t.TempDir(), company, t.Cleanup)
	must(t, err)
	return place
}

// companyWithPortal has an app that is set up for a service, but for its address.
func companyWithPortal() wecomsim.Corp {
	return wecomsim.Corp{
		ID: corpID, Name: "山海示例科技", LatinName: "Shanhai Example Technology",
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Name: "员工门户", LatinName: "Staff portal",
			Fields: []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar},
		}},
		// Everybody else comes with a test.
		Members: []wecomsim.Member{{UserID: "lisi", Name: "李四", Mobile: "13800000002"}},
	}
}

// connectPortal makes WeCom's app and the service know each other.
func (p *workplace) connectPortal() error {
	host := strings.TrimPrefix(p.Service, "http://")
	err := p.simulator.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.TrustedDomain, a.CallbackDomain = host, host })
	if err != nil {
		return err
	}
	return p.connect(map[string]any{
		"name": portal, "title": portalTitle, "corpId": corpID, "agentId": agentID, "secret": appSecret,
		"origin": p.Application, "workbenchRedirectPath": "/home", "autoLogin": true,
	})
}

var oneWorkplace = sync.OnceValues(func() (*workplace, error) {
	folder, err := programFolder()
	if err != nil {
		return nil, err
	}
	place, err := startWorkplace(filepath.Join(folder, "data"), companyWithPortal(), atTheEnd)
	if err != nil {
		return nil, err
	}
	return place, place.connectPortal()
})

// connect makes an authenticator.
func (p *workplace) connect(authenticator map[string]any) error {
	body, err := json.Marshal(authenticator)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, p.Service+"/api/admin/authenticators", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+p.AdminKey)
	r.Header.Set("Content-Type", "application/json")
	a, err := testbrowser.New(testbrowser.Config{}).Do(r)
	if err == nil && a.Status != http.StatusCreated {
		err = fmt.Errorf("make authenticator: %d %s", a.Status, a.Body)
	}
	return err
}

// sharedWorkplace returns the service of all tests that leave its configuration alone.
func sharedWorkplace(t *testing.T) *workplace {
	t.Helper()
	place, err := oneWorkplace()
	must(t, err)
	return place
}

// hire adds a member whom the service has never seen.
func (p *workplace) hire(t *testing.T, m wecomsim.Member) {
	t.Helper()
	must(t, p.simulator.AddMember(corpID, m))
}

const applicationPage = `<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Application</title>
<link rel="icon" href="data:,">
<h1>%s</h1>
%s
</html>
`

// pagesOfAnApplication are pages that know nothing of the service but a line in
// their markup.
func pagesOfAnApplication(service, line string) http.Handler {
	page := func(w http.ResponseWriter, r *http.Request, markup string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, applicationPage, cmp.Or(strings.Trim(r.URL.Path, "/"), "start"), markup)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { page(w, r, "") })
	mux.HandleFunc("GET /automatic/", func(w http.ResponseWriter, r *http.Request) { page(w, r, line) })
	// It never sees the session, and sends everybody back, in one way or the other.
	mux.HandleFunc("GET /lost/", func(w http.ResponseWriter, r *http.Request) {
		times, _ := strconv.Atoi(r.URL.Query().Get("times"))
		back := fmt.Sprintf("%s%s?times=%d", service, r.URL.Path, times+1)
		if r.URL.Path == "/lost/redirect" {
			http.Redirect(w, r, back, http.StatusFound)
			return
		}
		page(w, r, `<script>location.replace("`+back+`")</script>`)
	})
	return mux
}

var scriptLine = regexp.MustCompile(`(?m)^<script src="(https://[^/"]+)/auto-login\.js"[^>]*></script>$`)

// automaticLoginLine returns the line that the reference tells applications to use, with
// a service of ours in place of the example.
func automaticLoginLine(page, service string) (string, error) {
	content, err := os.ReadFile(filepath.Join(moduleRoot, page))
	if err != nil {
		return "", err
	}
	found := scriptLine.FindAllSubmatch(content, -1)
	if len(found) != 1 {
		return "", fmt.Errorf("%s has %d lines for automatic login, not one", page, len(found))
	}
	return strings.Replace(string(found[0][0]), string(found[0][1]), service, 1), nil
}
