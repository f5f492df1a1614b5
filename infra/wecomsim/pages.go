package wecomsim

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/xml"
	"hash/fnv"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rsc.io/qr"
)

//go:embed pages
var pageFiles embed.FS

// Page names a page of the simulator. It is written into the page, so that a
// test can tell pages apart without reading their texts.
type Page string

// The pages where a visit can stop.
const (
	PageStart         Page = "start"
	PageChooseMember  Page = "choose-member"
	PageConsent       Page = "consent"
	PageWebLogin      Page = "web-login"
	PageOpenInClient  Page = "open-in-client"
	PageBadRedirect   Page = "bad-redirect-uri"
	PageBadDomain     Page = "bad-domain"
	PageBadCallback   Page = "bad-callback-domain"
	PageBadLink       Page = "bad-link"
	PageOldLinkFailed Page = "old-link-failed"
	PageNoPermission  Page = "no-permission"
	PageAppDisabled   Page = "app-disabled"
	PageRefused       Page = "refused"
	PageExpired       Page = "expired"
	PageScanned       Page = "scanned"
	// The pages of the admin console, and what it says to an address that it
	// does not have.
	PageConsole        Page = "console"
	PageConsoleApps    Page = "console-apps"
	PageConsoleNewApp  Page = "console-new-app"
	PageConsoleApp     Page = "console-app"
	PageConsoleCompany Page = "console-company"
	PageConsoleUnknown Page = "console-unknown"
	// PageNoFragment is no page a server can show: the client of Follow stops at
	// an in-client link without #wechat_redirect.
	PageNoFragment Page = "no-fragment"
)

// words are the heading of a page in both languages, WeCom's sentence, and what
// the simulator advises: where to go from here.
type words struct{ title, english, lead, advice, adviceEnglish string }

func (p Page) words() words {
	switch p {
	case PageStart:
		return words{title: "企业微信模拟器", english: "WeCom simulator"}
	case PageChooseMember:
		return words{title: "选择成员", english: "Who are you in the WeCom client?", lead: "真实的企业微信客户端里总有一位已登录的成员。请选择您要扮演的成员。"}
	case PageConsent:
		return words{title: "授权个人信息", english: "Share personal details"}
	case PageWebLogin:
		return words{title: "企业微信登录", english: "Sign in with WeCom"}
	case PageOpenInClient:
		return words{
			"请在企业微信客户端打开链接", "Open this link in the WeCom client", "此链接只能在企业微信或微信客户端内使用。",
			"换一位成员也打不开。首页说明了如何用普通浏览器扮演客户端。", "It opens for no member here. The start page says how a normal browser acts as the client.",
		}
	case PageBadRedirect:
		return words{
			"redirect_uri参数错误", "The redirect_uri parameter is wrong", "请联系应用的开发者检查回调地址。",
			"换一位成员也一样：链接本身需要修正。", "It is the same for every member: the link itself must be repaired.",
		}
	case PageBadDomain:
		return words{
			"redirect_uri需使用应用可信域名", "redirect_uri must be on the app's trusted domain", "请管理员在应用详情页核对可信域名（含端口）。",
			"换一位成员也一样：请在管理后台该应用的“网页授权及 JS-SDK”中设置可信域名。", "It is the same for every member: set the trusted domain in the admin console, under Web authorization and JS-SDK of the app.",
		}
	case PageBadCallback:
		return words{
			"redirect_uri 与配置的授权完成回调域名不一致", "redirect_uri is not on the app's callback domain", "请管理员在“企业微信授权登录”中核对授权回调域（含端口）。",
			"换一位成员也一样：请在管理后台该应用的“企业微信授权登录”中设置授权回调域。", "It is the same for every member: set the callback domain in the admin console, under WeCom authorized login of the app.",
		}
	case PageBadLink:
		return words{
			"链接参数错误", "A parameter of the link is wrong", "请联系应用的开发者。",
			"换一位成员也一样：请在登录服务中核对企业 ID 和 AgentId。", "It is the same for every member: compare Company ID and AgentId in the sign-in service.",
		}
	case PageOldLinkFailed:
		return words{
			"该链接无法访问", "This link cannot be opened", "请联系应用的开发者检查链接参数与授权回调域。",
			"换一位成员也一样：链接本身需要修正。", "It is the same for every member: the link itself must be repaired.",
		}
	case PageNoPermission:
		return words{title: "无权限", english: "No permission", lead: "您不在该应用的可见范围内，请联系管理员。"}
	case PageAppDisabled:
		return words{
			"应用已停用", "The app is disabled", "请联系管理员启用该应用。",
			"换一位成员也一样：请在管理后台启用该应用。", "It is the same for every member: enable the app in the admin console.",
		}
	case PageRefused:
		return words{
			"已取消授权", "You refused", "您可以关闭此页面。",
			"要再试一次，请回到应用重新登录。在首页可以换一位成员，或让授权页再次询问。", "To try again, sign in at the application once more. On the start page you can be somebody else or have consent asked for again.",
		}
	case PageExpired:
		return words{
			"页面已失效", "This page is no longer valid", "请返回应用重新登录。",
			"若在此期间换了成员，请在首页换回，或以新成员重新登录。", "If you became another member meanwhile, change back on the start page, or sign in anew as the new one.",
		}
	case PageScanned:
		return words{title: "已完成", english: "Done", lead: "请回到电脑上的页面。"}
	case PageConsole:
		return words{title: "管理后台", english: "Admin console", lead: "请选择要管理的企业。"}
	case PageConsoleApps:
		return words{title: "应用管理", english: "Apps"}
	case PageConsoleNewApp:
		return words{title: "创建应用", english: "Create an app"}
	case PageConsoleApp:
		return words{title: "应用详情", english: "App"}
	case PageConsoleCompany:
		return words{title: "我的企业", english: "My company"}
	case PageConsoleUnknown:
		return words{title: "没有这个页面", english: "There is no such page", lead: "企业或应用不存在。模拟器重新启动后，新建的应用不再保留。"}
	default:
		return words{title: string(p)}
	}
}

func label(f Field) (chinese, english string) {
	switch f {
	case FieldMobile:
		return "手机号", "Mobile"
	case FieldAvatar:
		return "头像", "Avatar"
	case FieldGender:
		return "性别", "Gender"
	case FieldEmail:
		return "邮箱", "E-mail"
	case FieldBizMail:
		return "企业邮箱", "Business e-mail"
	case FieldQRCode:
		return "个人二维码", "Personal QR code"
	case FieldAddress:
		return "地址", "Address"
	default:
		return string(f), ""
	}
}

// view is what every template gets.
type view struct {
	Page Page
	// Status is the HTTP status; 0 means 200.
	Status         int
	Code           int
	Title, English string
	Lead, Detail   string
	AnyBrowser     bool
	Inside         bool
	Return         string
	Groups         []group
	App, Corp      string
	// AppLatin and CorpLatin are the same for those who read no Chinese.
	AppLatin, CorpLatin string
	Asking              string
	Fields              []fieldView
	Key                 string
	QR                  template.HTML
	Phone               bool
	Who                 *personView
	Apps                []appView
	ServiceURL          string
	Calls               []Request
	ClientUserAgent     string
	// HasConsole says that there is an admin console to link to.
	HasConsole bool
	Console    consoleView
	// Advice is where to go from a page that ends a visit; Instead are the
	// people who would get further, through the form Retry.
	Advice, AdviceEnglish string
	Instead               []personView
	Retry                 retry
	// Repair is the page of the admin console that would help.
	Repair string
}

// retry is a form that repeats a visit as somebody else.
type retry struct {
	Action string
	Fields map[string]string
}

type group struct {
	Name   string
	Latin  string
	People []personView
}

type personView struct {
	Key, Name, Latin, Note, Avatar string
	// Marks say what sets a person apart for signing in.
	Marks []mark
}

type mark struct{ Chinese, English string }

type fieldView struct {
	Name, Label, English, Value string
}

type appView struct {
	Key, Name, Latin, Avatar, HomeURL, Corp, AgentID, Domain string
	Disabled                                                 bool
}

func (s *Simulator) pageRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathAuthorize, s.authorize)
	mux.HandleFunc("POST "+pathConsent, s.consent)
	mux.HandleFunc("GET "+pathDomainErr, s.domainError)
	mux.HandleFunc("GET "+pathWebLogin, s.webLogin)
	mux.HandleFunc("GET "+pathWebLoginOld, s.webLoginOld)
	mux.HandleFunc("POST "+pathWebConfirm, s.webConfirm)
	mux.HandleFunc("GET "+pathWebScan, s.webScan)
	mux.HandleFunc("GET "+pathWebStatus, s.webStatus)
	mux.HandleFunc("GET /wecomsim/{$}", s.start)
	mux.HandleFunc("POST "+pathClient, s.chooseClient)
	mux.HandleFunc("POST /wecomsim/inside", s.inside)
	mux.HandleFunc("POST /wecomsim/consents/forget", s.forgetConsents)
	mux.HandleFunc("GET /wecomsim/avatar", avatar)
	mux.HandleFunc("GET /wecomsim/assets/{file}", asset)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if s.console {
		s.consoleRoutes(mux)
	}
	mux.Handle("GET /{$}", http.RedirectHandler("/wecomsim/", http.StatusFound))
	// Another site must not sign a visitor's client in or answer for a member.
	protected := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: https:; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		protected.ServeHTTP(w, r)
	})
}

// parsePages parses the embedded templates. They are part of the program: one
// that does not parse is found by the first test.
func parsePages() map[string]*template.Template {
	parsed := map[string]*template.Template{}
	for _, file := range []string{"message.html", "choose.html", "consent.html", "weblogin.html", "start.html", "console.html"} {
		parsed[file] = template.Must(template.ParseFS(pageFiles, "pages/layout.html", "pages/"+file))
	}
	return parsed
}

// render writes a page. It is called with s.mu held.
func (s *Simulator) render(w http.ResponseWriter, file string, v view) {
	text := v.Page.words()
	v.Title, v.English, v.AnyBrowser = text.title, text.english, s.choices.AnyBrowserIsClient
	v.HasConsole = s.console
	if v.Lead == "" {
		v.Lead = text.lead
	}
	if v.Advice == "" {
		v.Advice, v.AdviceEnglish = text.advice, text.adviceEnglish
	}
	var out bytes.Buffer
	if err := s.templates[file].ExecuteTemplate(&out, "layout.html", v); err != nil {
		http.Error(w, "the simulator's page is broken: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(cmp.Or(v.Status, http.StatusOK))
	_, _ = w.Write(out.Bytes())
}

// fail ends a visit on one of WeCom's pages. WeCom's own error pages are HTTP
// 200 too.
func (s *Simulator) fail(w http.ResponseWriter, p Page, code int, detail string) {
	v := view{Page: p, Code: code, Detail: detail}
	if p == PageBadDomain || p == PageBadCallback || p == PageBadLink || p == PageOldLinkFailed {
		v.Repair = consolePath
	}
	s.render(w, "message.html", v)
}

// failApp is fail with the settings of an app that would repair it.
func (s *Simulator) failApp(w http.ResponseWriter, p Page, code int, detail string, a *app, section string) {
	s.render(w, "message.html", view{Page: p, Code: code, Detail: detail, Repair: a.consolePath() + "#" + section})
}

// noPermission ends a visit of somebody whom the app does not see, and offers
// the members whom it does.
func (s *Simulator) noPermission(w http.ResponseWriter, detail string, a *app, again retry) {
	v := view{Page: PageNoPermission, Detail: detail, Repair: a.consolePath() + "#range", Retry: again}
	for _, m := range a.corp.members {
		if a.sees(m.UserID) && m.status() == StatusActive && m.Mobile != "" && len(v.Instead) < 6 {
			v.Instead = append(v.Instead, memberView(a.corp, m))
		}
	}
	if v.Instead == nil {
		v.Advice, v.AdviceEnglish = "目前没有合适的成员：请在管理后台把成员加入该应用的可见范围。", "Nobody fits at present: add members to the app's visible range in the admin console."
	}
	s.render(w, "message.html", v)
}

// chooseMember asks who is signed in at this client. a is the app of the link,
// or nil if it names none.
func (s *Simulator) chooseMember(w http.ResponseWriter, r *http.Request, a *app) {
	s.render(w, "choose.html", view{Page: PageChooseMember, Return: r.URL.RequestURI(), Groups: s.everybody(nil, a)})
}

func (s *Simulator) showConsent(w http.ResponseWriter, id string) {
	q := s.asking[id]
	m := q.app.corp.member(q.identity.userID)
	v := view{Page: PageConsent, Asking: id, App: q.app.name(), AppLatin: q.app.LatinName, Corp: q.app.corp.name(), CorpLatin: q.app.corp.LatinName}
	who := memberView(q.app.corp, m)
	who.Marks = nil
	v.Who = &who
	for _, f := range q.app.Fields {
		chinese, english := label(f)
		v.Fields = append(v.Fields, fieldView{Name: string(f), Label: chinese, English: english, Value: shownValue(f, m.details()[f])})
	}
	s.render(w, "consent.html", v)
}

// shownValue is what the member sees beside a field.
func shownValue(f Field, value string) string {
	switch {
	case f == FieldGender && value == "1":
		return "男"
	case f == FieldGender && value == "2":
		return "女"
	case f == FieldGender:
		return "未设置"
	case f == FieldAvatar || f == FieldQRCode:
		return ""
	case value == "":
		return "未设置"
	}
	return value
}

func (s *Simulator) showWebLogin(w http.ResponseWriter, r *http.Request, waiting *scanning) {
	key := s.random()
	s.scanning[key] = waiting
	s.renderWebLogin(w, r, key, waiting, false)
}

func (s *Simulator) renderWebLogin(w http.ResponseWriter, r *http.Request, key string, waiting *scanning, phone bool) {
	a := waiting.app
	v := view{
		Page: PageWebLogin, Key: key, App: a.name(), AppLatin: a.LatinName, Corp: a.corp.name(), CorpLatin: a.corp.LatinName,
		Phone: phone, Groups: s.everybody(a.corp, a),
	}
	if !phone {
		v.QR = drawQR(baseOf(r) + pathWebScan + "?key=" + url.QueryEscape(key))
	}
	s.render(w, "weblogin.html", v)
}

// start is the simulator's own page: the client, its workbench, and how to use
// them.
func (s *Simulator) start(w http.ResponseWriter, r *http.Request) {
	calls := s.Requests()
	s.mu.Lock()
	defer s.mu.Unlock()
	v := view{Page: PageStart, Groups: s.everybody(nil, nil), ServiceURL: s.serviceURL, ClientUserAgent: UserAgentWeComAndroid}
	if who, ok := s.client(r); ok {
		v.Who = s.describe(who)
	}
	_, err := r.Cookie(outsideCookie)
	v.Inside = err != nil
	for _, c := range s.corps {
		for _, a := range c.apps {
			v.Apps = append(v.Apps, appView{
				Key: c.ID + "/" + a.AgentID, Name: a.name(), Latin: a.LatinName, Avatar: avatarOf(a.name()), HomeURL: a.homeURL(isPhone(r.UserAgent())),
				Corp: c.name(), AgentID: a.AgentID, Domain: a.TrustedDomain, Disabled: a.Disabled,
			})
		}
	}
	for i := len(calls) - 1; i >= 0 && len(v.Calls) < 12; i-- {
		if isAPI(calls[i].Path) {
			v.Calls = append(v.Calls, calls[i])
		}
	}
	s.render(w, "start.html", v)
}

func (s *Simulator) describe(who person) *personView {
	for _, g := range s.everybody(nil, nil) {
		for _, p := range g.People {
			if p.Key == who.key() {
				return &p
			}
		}
	}
	return &personView{Key: who.key(), Name: who.key(), Note: "已删除 · removed", Avatar: "/wecomsim/avatar"}
}

// everybody lists the people to choose from, of all corps or of one corp with
// its neighbors, with marks for app a; without an app for all of a corp's apps.
func (s *Simulator) everybody(only *corp, a *app) []group {
	var groups []group
	for _, c := range s.corps {
		if only != nil && only != c {
			continue
		}
		g := group{Name: c.name(), Latin: c.LatinName}
		for _, m := range c.members {
			p := memberView(c, m)
			switch {
			case a != nil && a.corp != c:
				p.Marks = append(p.Marks, mark{"其他企业的成员", "of another company"})
			case a != nil && !a.sees(m.UserID):
				p.Marks = append(p.Marks, mark{"不在可见范围", "outside the visible range"})
			case a == nil && !slices.ContainsFunc(c.apps, func(x *app) bool { return x.sees(m.UserID) }):
				p.Marks = append(p.Marks, mark{"不在任何应用的可见范围", "outside every app's visible range"})
			}
			g.People = append(g.People, p)
		}
		groups = append(groups, g)
		others := group{Name: c.name() + " · 企业外", Latin: strings.TrimPrefix(c.LatinName+" · outside the company", " · ")}
		for _, i := range c.Interconnected {
			others.People = append(others.People, otherView(i.CorpID+"/"+i.UserID, cmp.Or(i.Name, i.UserID), i.LatinName, mark{"互联企业成员", "interconnected company"}))
		}
		for _, o := range c.Outsiders {
			others.People = append(others.People, otherView(o.OpenID, cmp.Or(o.Name, o.OpenID), o.LatinName, mark{"非企业成员", "not a member"}))
		}
		if len(others.People) > 0 {
			groups = append(groups, others)
		}
	}
	return groups
}

// memberView shows a member with what matters for signing in.
func memberView(c *corp, m *Member) personView {
	p := personView{Key: c.ID + "/" + m.UserID, Name: m.displayName(), Latin: m.LatinName, Note: m.UserID, Avatar: m.avatarURL("")}
	if m.Mobile != "" {
		p.Note += " · " + m.Mobile
	} else {
		p.Marks = append(p.Marks, mark{"无手机号", "no phone"})
	}
	switch m.status() {
	case StatusDisabled:
		p.Marks = append(p.Marks, mark{"已禁用", "disabled"})
	case StatusNotActivated:
		p.Marks = append(p.Marks, mark{"未激活", "not activated"})
	case StatusLeft:
		p.Marks = append(p.Marks, mark{"已退出", "left"})
	}
	return p
}

func otherView(key, name, latin string, m mark) personView {
	return personView{Key: key, Name: name, Latin: latin, Avatar: avatarOf(name), Marks: []mark{m}}
}

func avatarOf(name string) string { return "/wecomsim/avatar?name=" + url.QueryEscape(name) }

// isPhone tells a phone's browser from a desktop's.
func isPhone(userAgent string) bool {
	return strings.Contains(userAgent, "Mobile") || strings.Contains(userAgent, "Android")
}

// drawQR draws text as an inline picture. A text that does not fit gives none.
func drawQR(text string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				path.WriteString("M" + strconv.Itoa(x+4) + " " + strconv.Itoa(y+4) + "h1v1h-1z")
			}
		}
	}
	side := strconv.Itoa(code.Size + 8)
	// Numbers and fixed letters only: nothing of text is in the markup.
	return template.HTML(`<svg class="qr" role="img" aria-label="QR" viewBox="0 0 ` + side + ` ` + side + //nolint:gosec // See above.
		`" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h` + side + `v` + side + `H0z"/><path d="` + path.String() + `"/></svg>`)
}

// avatar draws a picture with the last letters of a name; without a name it is
// WeCom's default picture.
func avatar(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.URL.Query().Get("name"))
	letters, color := "", "#b9c1cc"
	if name != "" {
		palette := []string{"#2f7cf6", "#12a67c", "#e2762b", "#8a5cf0", "#d9487d", "#0f8fae"}
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(name))
		color = palette[hash.Sum32()%6]
		letters = initials(name)
	}
	var text bytes.Buffer
	if err := xml.EscapeText(&text, []byte(letters)); err != nil {
		text.Reset()
	}
	body := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96"><rect width="96" height="96" rx="16" fill="` + color + `"/>`
	if letters == "" {
		body += `<g fill="#fff"><circle cx="48" cy="38" r="16"/><path d="M16 84c4-20 18-26 32-26s28 6 32 26z"/></g>`
	} else {
		body += `<text x="48" y="60" font-family="sans-serif" font-size="34" text-anchor="middle" fill="#fff">` + text.String() + `</text>`
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = io.WriteString(w, body+`</svg>`)
}

// initials are the last two letters of a Chinese name, or the first one of
// every other.
func initials(name string) string {
	letters := []rune(name)
	if !utf8.ValidString(name) || len(letters) == 0 {
		return ""
	}
	if unicode.Is(unicode.Han, letters[len(letters)-1]) {
		return string(letters[max(0, len(letters)-2):])
	}
	return string(unicode.ToUpper(letters[0]))
}

func asset(w http.ResponseWriter, r *http.Request) {
	switch r.PathValue("file") {
	case "style.css":
		http.ServeFileFS(w, r, pageFiles, "pages/style.css")
	case "weblogin.js":
		http.ServeFileFS(w, r, pageFiles, "pages/weblogin.js")
	default:
		http.NotFound(w, r)
	}
}

// sentence makes a sentence of an error's text.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
