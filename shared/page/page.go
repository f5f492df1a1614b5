package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// What all pages share: the embedded files, the policy and the frame of the content.

//go:embed assets
var assets embed.FS

// Mark returns the service's mark, an SVG document.
func Mark() ([]byte, error) { return assets.ReadFile("assets/mark.svg") }

// Pages writes pages. It is safe for concurrent use.
type Pages struct {
	templates *template.Template
	texts     *text.Catalogue
	// openIDTexts are those of the OpenID provider's pages.
	openIDTexts *text.Catalogue
	memberTexts *text.Catalogue
	company     string
	logo        *logo
	style       template.HTML
	script      template.HTML
	mark        template.HTML
	icon        template.URL
	policy      string
	// scriptSource is the part of policy that names the script.
	scriptSource string
	// waitingScript and panelScript are for the sign-in page that needs them.
	waitingScript, panelScript script
}

// script is an element of a page, and its name in the policy.
type script struct {
	element template.HTML
	source  string
}

// newScript makes the element once and here, because a template could change bytes between
// the tags, whose hash the policy names.
func newScript(content string) script {
	return script{template.HTML("<script>" + content + "</script>"), hashSource(content)} //nolint:gosec // embedded, not input
}

// New reads the embedded files, but texts only when a page needs them. It fails for a
// malformed logo.
func New(cfg Config) (*Pages, error) {
	files := map[string]string{}
	for _, name := range []string{"style.css", "script.js", "waiting.js", "panel.js", "mark.svg"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read embedded file: %w", err)
		}
		files[name] = string(content)
	}
	logo, err := readLogo(cfg.CompanyLogo)
	if err != nil {
		return nil, err
	}
	pictures := "img-src data:"
	if logo != nil && logo.Source != "" {
		pictures += " " + logo.Source
	}
	templates, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	style, common, mark := files["style.css"], newScript(files["script.js"]), files["mark.svg"]
	scriptSource := "script-src " + common.source
	return &Pages{
		templates: templates,
		texts:     text.NewCatalogue(text.SignInArea),

		openIDTexts: text.NewCatalogue(text.OpenIDArea),
		memberTexts: text.NewCatalogue(text.MemberArea),

		company: cfg.CompanyName,
		logo:    logo,
		style:   template.HTML("<style>" + style + "</style>"), //nolint:gosec // embedded, not input; see newScript
		script:  common.element,
		mark:    template.HTML(mark), //nolint:gosec // embedded, not input

		waitingScript: newScript(files["waiting.js"]),
		panelScript:   newScript(files["panel.js"]),
		icon: template.URL("data:image/svg+xml;base64," + //nolint:gosec // embedded, not input
			base64.StdEncoding.EncodeToString([]byte(mark))),
		scriptSource: scriptSource,
		policy: strings.Join([]string{
			"default-src 'none'",
			"style-src " + hashSource(style),
			scriptSource,
			pictures,
			formAction,
			"base-uri 'none'",
			"frame-ancestors 'none'",
		}, "; "),
	}, nil
}

// formAction lets forms post to the service alone.
const formAction = "form-action 'self'"

func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// shell is the part that all pages have.
type shell struct {
	Language  text.Language
	Heading   string
	Title     string // of the document
	Wide      bool   // two columns
	Version   string // of the service, or empty
	Company   string
	Logo      *logo
	Style     template.HTML
	Script    template.HTML
	Mark      template.HTML
	Icon      template.URL
	Languages []languageLink
	texts     text.Texts
}

// T returns a text.
func (s shell) T(key string, pairs ...string) string { return s.texts.Text(key, pairs...) }

// setHeading sets the heading and the title.
func (s *shell) setHeading(key string, pairs ...string) {
	s.Heading = s.T(key, pairs...)
	s.Title = s.Heading
	if s.Company != "" {
		s.Title += " · " + s.Company
	}
}

type languageLink struct {
	Tag     text.Language
	Name    string // in that language
	URL     string
	Current bool
}

// shell makes the part that all pages have. Without the page's own address it offers no
// languages.
func (p *Pages) shell(tag text.Language, self string) (shell, error) {
	return p.shellIn(p.texts, tag, self)
}

func (p *Pages) shellIn(catalogue *text.Catalogue, tag text.Language, self string) (shell, error) {
	tag, ok := text.ParseLanguage(string(tag))
	if !ok {
		tag = text.DefaultLanguage
	}
	texts, err := catalogue.In(tag)
	if err != nil {
		return shell{}, err
	}
	s := shell{
		Language: tag, Company: p.company, Logo: p.logo,
		Style: p.style, Script: p.script, Mark: p.mark, Icon: p.icon, texts: texts,
	}
	address, err := url.Parse(self)
	if self == "" || err != nil {
		return s, nil //nolint:nilerr // a page without the choice is better than none
	}
	for _, other := range text.Languages() {
		query := address.Query()
		query.Set("lang", string(other))
		link := *address
		link.RawQuery = query.Encode()
		s.Languages = append(s.Languages, languageLink{Tag: other, Name: other.Name(), URL: link.String(), Current: other == tag})
	}
	return s, nil
}

// write renders the whole page before it answers, so that no page breaks off.
func (p *Pages) write(w http.ResponseWriter, status int, name string, view any) error {
	return p.writeWith(w, status, name, view, p.policy)
}

func (p *Pages) writeWith(w http.ResponseWriter, status int, name string, view any, policy string) error {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, view); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", policy)
	// With the stricter "no-referrer" browsers post the form that signs out with
	// "Origin: null" (Fetch standard, "append a request Origin header").
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}

// NotFound is the content of the page of a path that does not exist.
type NotFound struct {
	Language text.Language
	SignIn   string // address of the sign-in page
}

// NotFound writes the page with status 404.
func (p *Pages) NotFound(w http.ResponseWriter, page NotFound) error {
	shared, err := p.shell(page.Language, "")
	if err != nil {
		return err
	}
	shared.setHeading("notfound.title")
	return p.write(w, http.StatusNotFound, "notfound.html", struct {
		shell
		SignIn string
	}{shared, page.SignIn})
}
