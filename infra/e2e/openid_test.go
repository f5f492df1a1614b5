package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// Applications that know the service by OpenID Connect alone, used by people with a browser.

// registered is a demo application that is registered at a workplace.
type registered struct {
	place     *workplace
	id, title string
	address   string // its origin
}

// register registers a demo application and starts it. fields are added to those of the
// registration.
func (p *workplace) register(t *testing.T, id string, fields map[string]any) registered {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	a := registered{place: p, id: id, title: "Wiki " + id, address: "http://" + strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)}
	registration := map[string]any{
		"id": id, "title": a.title, "kind": "web", "homepage": a.address + "/", "redirectUris": []string{demo.RedirectURI(a.address)},
		"postLogoutRedirectUris": []string{a.address + "/"},
	}
	for name, value := range fields {
		registration[name] = value
	}
	p.administrate(t, http.MethodPost, "/applications", registration)
	var made struct{ Secret string }
	must(t, json.Unmarshal([]byte(p.administrate(t, http.MethodPost, "/applications/"+id+"/secrets", map[string]any{}).Body), &made))
	var err error
	server.Config.Handler, err = demo.New(demo.Config{ServiceURL: p.Service, Origin: a.address, ClientID: id, ClientSecret: made.Secret})
	must(t, err)
	server.Start()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return a
}

// administrate makes a record.
func (p *workplace) administrate(t *testing.T, method, path string, fields map[string]any) testbrowser.Answer {
	t.Helper()
	a := testbrowser.New(testbrowser.Config{URL: p.Service}).Send(t, method, "/api/admin"+path, testbrowser.Bearer(p.AdminKey), testbrowser.JSON(fields))
	if a.Status != http.StatusCreated {
		t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
	return a
}

// member hires a member who has signed in before, in WeCom's client.
func (p *workplace) member(t *testing.T, m wecomsim.Member) {
	t.Helper()
	p.hire(t, m)
	testbrowser.New(testbrowser.Config{
		URL: p.Service, WeCom: p.simulator, WeComURL: p.WeCom, UserAgent: wecomsim.UserAgentWeComAndroid, Member: wecomsim.Browser{UserID: m.UserID},
	}).Open(t, "/authorize/"+portal)
}

// openForApplications opens a window in which two things are no fault: the provider's
// refusals have the status of one, and the demo application asks by cookie as well, from
// an origin that no authenticator has.
func openForApplications(t *testing.T, d chromium.Device) *window {
	t.Helper()
	return &window{chromium.Shared(t).Open(t, d, func(c chromium.Complaint) bool {
		return expected(c) || strings.Contains(c.Text+c.URL, "/api/session") ||
			chromium.Network(c) && strings.Contains(c.URL, "/oauth2/") && (strings.Contains(c.Text, "400") || strings.Contains(c.Text, "403"))
	}), t}
}

// greets waits until the application greets by what it was told.
func (a registered) greets(d chromium.Device, name string) chromium.Action {
	return seesText("h1", wordsFor(d).hello+name)
}

// named waits for the sign-in page whose heading names the application.
func (a registered) named(t *testing.T, d chromium.Device, key string) chromium.Action {
	t.Helper()
	return seesText("h1", textsFor(t, d, text.SignInArea).Text(key, "application", a.title))
}

// A member presses "sign in" in the application: signed in without a page of the service in
// WeCom's client, where the first sign-in is included, and by one button elsewhere.
func TestApplicationByOpenIDConnect(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	for i, d := range browsers() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			app := place.register(t, fmt.Sprint("wiki-", i), nil)
			other := place.register(t, fmt.Sprint("board-", i), nil)
			m := wecomsim.Member{UserID: fmt.Sprint("openid.", i), Name: fmt.Sprint("周维基", i), Mobile: fmt.Sprint("1380000170", i)}
			w := openForApplications(t, d)
			w.Do("open the application", visit(app.address), sees(`#oidc-signin`))
			// At the application's own address, without what WeCom's addresses end with.
			landed := func(app registered) {
				t.Helper()
				w.expectLocation(app.address + "/")
			}
			if inWeCom(d) {
				place.hire(t, m)
				w.Do("sign in", click(`#oidc-signin`), seesWeCom("choose-member"), click(person("/"+m.UserID)), seesWeCom("consent"), click(`button[value=agree]`), app.greets(d, m.Name))
			} else {
				place.member(t, m)
				w.Do("press sign in", click(`#oidc-signin`), app.named(t, d, "application.title"))
				w.Accessible("the sign-in page that names the application")
				w.Do("sign in", follow(authorizeTo(portal)), seesWeCom("web-login"), click(person("/"+m.UserID)), app.greets(d, m.Name))
			}
			landed(app)
			w.Do("refresh", click(`#oidc-refresh`), seesPart(`pre`, "userinfo"))
			if told := w.Text(`#oidc-text`); !strings.Contains(told, `"wecom_userid": "`+m.UserID+`"`) {
				t.Errorf("the application was told %s", told)
			}
			// With a session nothing is asked, and no page is in between.
			w.Do("open another application", visit(other.address), sees(`#oidc-signin`))
			before := chromium.Evaluate[int](w.Window, `history.length`)
			w.Do("press sign in there", click(`#oidc-signin`), other.greets(d, m.Name))
			landed(other)
			if pages := chromium.Evaluate[int](w.Window, `history.length`) - before; pages != 1 {
				t.Errorf("%d pages instead of one", pages)
			}
			w.Do("sign out", click(`#oidc-signout`), sees(`#oidc-signin`))
			landed(other)
			w.Do("be signed out at the service, too", visit(place.Service+"/signin"), sees(authorizeTo(portal)), gone(`.account`))
		})
	}
}

// seesPart waits for an element with a text in it.
func seesPart(element, text string) chromium.Action {
	return chromedp.WaitVisible(chromedp.Search("//" + element + `[contains(., "` + text + `")]`))
}

func authorizeTo(name string) string { return `a[href*="/authorize/` + name + `"]` }

// Two tabs wait at the sign-in page. Each gets the answer to its own request.
func TestTwoTabsToAnApplication(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	app := place.register(t, "tabs", nil)
	place.member(t, wecomsim.Member{UserID: "two.tabs", Name: "双标签", Mobile: "13800001721"})
	d := browsers()[5]
	w := openForApplications(t, d)
	w.Do("press sign in", visit(app.address+"/oidc/signin"), app.named(t, d, "application.title"))
	first := w.Location()
	w.Do("press it in the second tab", visit(app.address+"/oidc/signin"), app.named(t, d, "application.title"))
	if w.Location() == first {
		t.Error("both tabs have one request")
	}
	w.Do("sign in there", follow(authorizeTo(portal)), seesWeCom("web-login"), click(person("/two.tabs")), app.greets(d, "双标签"))
	w.Do("go on in the first tab", visit(first), sees(`main`), click(`main .ways a.first, main a.first`), app.greets(d, "双标签"))
	w.expectLocation(app.address + "/")
}

// A first sign-in outside WeCom's client is explained on a page that names the application.
func TestFirstSignInToAnApplicationOutside(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	app := place.register(t, "first", nil)
	place.hire(t, wecomsim.Member{UserID: "first.outside", Name: "初次", Mobile: "13800001731"})
	d := browsers()[5]
	w := openForApplications(t, d)
	w.Do("press sign in", visit(app.address), click(`#oidc-signin`), app.named(t, d, "application.title"))
	w.Do("sign in", follow(authorizeTo(portal)), seesWeCom("web-login"), click(person("/first.outside")), seesFailure("first_sign_in_in_wecom"), app.named(t, d, "application.first"))
	w.Accessible("the first sign-in to an application")
}

// Every page of the provider, in the sizes, languages and colors that people have.
func TestProviderPages(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	app := place.register(t, "pages", nil)
	restricted := place.register(t, "restricted", map[string]any{"allow": map[string]any{"roles": []string{"editor"}}})
	off := place.register(t, "off", map[string]any{"enabled": false})
	theirs := place.register(t, "theirs", map[string]any{"firstParty": false})
	ask := func(a registered, changes url.Values) string {
		query := url.Values{"client_id": {a.id}, "redirect_uri": {demo.RedirectURI(a.address)}, "response_type": {"code"}, "scope": {"openid profile phone email groups offline_access"}, "state": {"s"}}
		for name, values := range changes {
			query[name] = values
		}
		return place.Service + "/oauth2/authorize?" + query.Encode()
	}
	for i, d := range browsers()[2:] {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			texts := textsFor(t, d, text.OpenIDArea)
			reader := wecomsim.Member{UserID: fmt.Sprint("page.reader", i), Name: "阅读者", Mobile: fmt.Sprint("1380000174", i)}
			administrator := wecomsim.Member{UserID: fmt.Sprint("page.admin", i), Name: "管理者", Mobile: fmt.Sprint("1380000175", i)}
			place.administrate(t, http.MethodPost, "/users", map[string]any{"phone": administrator.Mobile, "roles": []string{"admin"}})
			place.member(t, reader)
			place.member(t, administrator)
			nobody, member, admin := openForApplications(t, d), openForApplications(t, d), openForApplications(t, d)
			for w, userID := range map[*window]string{member: reader.UserID, admin: administrator.UserID} {
				w.Do("sign in", visit(place.Service+"/authorize/"+portal), seesWeCom("web-login"), click(person("/"+userID)), seesText("h1", "home"))
			}
			page := func(name string, w *window, key, title string, actions ...chromium.Action) {
				t.Helper()
				w.Do(name, append(actions, seesText("h1", texts.Text(key, "application", title)))...)
				w.Accessible(name)
				if at := w.Location(); strings.Contains(at, "#wechat_redirect") {
					t.Errorf("%s is at %s", name, at)
				}
				if seen := w.shown(); seen.Language != string(tag(d)) {
					t.Errorf("%s is in %s", name, seen.Language)
				}
			}
			wrong := url.Values{"redirect_uri": {app.address + "/elsewhere"}}
			page("unknown application", nobody, "refused.title", "", visit(ask(registered{id: "nothing"}, nil)))
			page("disabled application", nobody, "refused.application", off.title, visit(ask(off, nil)))
			page("address that is not registered", nobody, "refused.application", app.title, visit(ask(app, wrong)))
			page("what administrators see", admin, "refused.application", app.title, visit(ask(app, wrong)), sees(`dl.details`))
			page("request that is too long", nobody, "refused.application", app.title, visit(ask(app, url.Values{"padding": {strings.Repeat("n", 3000)}})))
			lost := place.Service + "/oauth2/authorize?client_id=" + app.id + "&continue=" + strings.Repeat("A", 26)
			page("lost request", nobody, "lost.application", app.title, visit(lost), visit(lost))
			page("not allowed", member, "notallowed.title", restricted.title, visit(ask(restricted, nil)))
			page("consent", member, "consent.title", theirs.title, visit(ask(theirs, nil)))
			page("question to sign out", member, "signout.title", "", visit(place.Service+"/oauth2/logout?client_id="+app.id))
			page("signed out", member, "signedout.title", "", click(`main button.first`))

			// A refusal goes to the application only after a click.
			w := admin
			w.Do("be refused", visit(restricted.address+"/oidc/signin"), seesText("h1", texts.Text("notallowed.title", "application", restricted.title)))
			w.Do("go back", click(`main a.first`), seesPart(`p`, "access_denied"))
			w.Do("refuse consent", visit(theirs.address+"/oidc/signin"), click(`button[value=refuse]`), seesPart(`p`, "access_denied"))
			w.Do("agree", visit(theirs.address+"/oidc/signin"), click(`button[value=agree]`), theirs.greets(d, administrator.Name))
		})
	}
}

// has reports whether a path of the application that is shown answers with something else
// than null.
func (w *window) has(path string) bool {
	w.t.Helper()
	return chromium.Evaluate[bool](w.Window, `(() => {
		const request = new XMLHttpRequest();
		request.open("GET", "`+path+`", false);
		request.send();
		return JSON.parse(request.responseText) !== null;
	})()`)
}

// What `make run` starts offers both ways to sign in, and the one without a backend.
func TestNewcomerByOpenIDConnect(t *testing.T) {
	t.Parallel()
	for _, d := range []chromium.Device{browsers()[2], browsers()[5]} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			local := startLocal(t)
			w := open(t, d)
			say, texts := wordsFor(d), textsFor(t, d, text.OpenIDArea)
			signedOut := seesText("h1", say.signedOut)
			w.Do("open the application", visit(local.Application), signedOut, sees(`#signin`), sees(`#oidc-signin`), sees(`#page`))
			w.Accessible("the demo application")
			w.Do("sign in by OpenID Connect", click(`#oidc-signin`), seesWeCom("choose-member"), click(person("/zhangsan")), seesWeCom("consent"), click(`button[value=agree]`),
				seesText("h1", say.hello+"张三"), sees(`#oidc-signout`), sees(`#signout`))
			w.Accessible("a member of the demo application")

			// The application has a session of its own, which ends by back-channel logout: nothing
			// else tells it, and it asks for no tokens meanwhile.
			w.Do("sign out at the service", visit(local.Service+"/signin"), click(`.account form button`), gone(`.account`), sees(authorizeLink))
			w.Do("come back to the application", visit(local.Application), sees(`#oidc .actions > :not([hidden])`))
			for began := time.Now(); w.has("/oidc/session"); time.Sleep(100 * time.Millisecond) {
				if time.Since(began) > time.Minute {
					t.Fatal("the application's own session goes on")
				}
			}
			w.Do("be signed out there, too", visit(local.Application), sees(`#oidc-signin`))
			w.Do("sign in again", click(`#oidc-signin`), seesText("h1", say.hello+"张三"), sees(`#oidc-signout`))

			w.Do("open the page without a backend", click(`#page`), signedOut)
			page := w.Location()
			w.Accessible("the demo page")
			w.Do("sign in there", click(`#signin`), seesText("h1", texts.Text("consent.title", "application", "示例页面 Demo page")), click(`button[value=agree]`), seesText("h1", say.hello+"张三"))
			w.expectLocation(page)
			w.Do("refresh", click(`#refresh`), seesPart("pre", "userinfo"))
			w.Do("sign out", click(`#signout`), signedOut)
			w.expectLocation(page)
			w.Do("be signed out at the service, too", visit(local.Service+"/signin"), sees(authorizeLink), gone(`.account`))
			// The application's own session ends by back-channel logout, or when it asks again.
			w.Do("come back to the application", visit(local.Application), sees(`#oidc .actions > :not([hidden])`))
			w.Do("refresh in the application", chromium.Script(`document.getElementById("oidc-refresh").click()`), sees(`#oidc-signin`))
		})
	}
}
