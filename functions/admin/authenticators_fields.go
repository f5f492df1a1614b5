package admin

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

var (
	corpID  = regexp.MustCompile(`^[A-Za-z0-9_-]{4,64}$`)
	agentID = regexp.MustCompile(`^[0-9]{1,16}$`)
)

const (
	longestName   = 200 // characters of a title or of a person's name
	longestSecret = 512 // WeCom's have 43 characters today
)

// authenticatorView is an authenticator as the API shows it, without its secret.
type authenticatorView struct {
	Name                  string `json:"name"`
	Title                 string `json:"title"`
	Enabled               bool   `json:"enabled"`
	CorpID                string `json:"corpId"`
	AgentID               string `json:"agentId"`
	Origin                string `json:"origin"`
	WorkbenchRedirectPath string `json:"workbenchRedirectPath"`
	AutoSignup            bool   `json:"autoSignup"`
	AutoLogin             bool   `json:"autoLogin"`
	// LinkByPhone lets members of the corp become existing users by their phone.
	LinkByPhone bool           `json:"linkByPhone"`
	RoleRules   []roleRuleView `json:"roleRules"`
	Allow       allowView      `json:"allow"`
	// The administrator copies WorkbenchHomepageLink, CallbackURL and CallbackDomain into
	// WeCom's console.
	WorkbenchHomepageLink string `json:"workbenchHomepageLink"`
	CallbackURL           string `json:"callbackUrl"`
	CallbackDomain        string `json:"callbackDomain"`
	// Events is the receiver of what WeCom pushes, see POST …/events.
	Events    eventsView `json:"events"`
	CreatedAt string     `json:"createdAt"`
	UpdatedAt string     `json:"updatedAt"`
	Version   int64      `json:"version"`
}

func viewAuthenticator(a store.Authenticator, publicURL string) authenticatorView {
	return authenticatorView{
		Name: a.Name, Title: a.Title, Enabled: a.Enabled, CorpID: a.CorpID, AgentID: a.AgentID, Origin: a.Origin,
		WorkbenchRedirectPath: a.WorkbenchRedirectPath, AutoSignup: a.AutoSignup, AutoLogin: a.AutoLogin, LinkByPhone: !a.LinkByPhoneOff,
		RoleRules: viewRules(a.RoleRules), Allow: viewAllow(a.Allow),
		WorkbenchHomepageLink: workbenchLink(a, publicURL),
		CallbackURL:           authflow.CallbackURL(publicURL, a.Name),
		CallbackDomain:        callbackDomain(publicURL),
		Events:                eventsView{eventsURL(a, publicURL), a.EventsEnabled, optionalTimestamp(a.LastEventAt)},
		CreatedAt:             timestamp(a.CreatedAt), UpdatedAt: timestamp(a.UpdatedAt), Version: a.Version,
	}
}

// workbenchLink is the homepage of the app in WeCom's workbench. With automatic
// login an application link is enough, because it finds the authenticator itself; but no
// browser sends a fragment, and a link with a code and a state is taken for WeCom's answer.
func workbenchLink(a store.Authenticator, publicURL string) string {
	if a.AutoLogin && !strings.Contains(a.WorkbenchRedirectPath, "#") && !authflow.IsOAuthAnswer(a.WorkbenchRedirectPath) {
		return publicURL + a.WorkbenchRedirectPath
	}
	path, _ := authflow.ParseReturnPath(a.WorkbenchRedirectPath)
	return authflow.AuthorizeURL(publicURL, a.Name, authflow.Destination{Path: path})
}

// callbackDomain returns host and port of the public URL, the port only if it is not the
// scheme's own: WeCom compares them exactly.
func callbackDomain(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return strings.TrimSuffix(u.Host, ":"+port)
	}
	return u.Host
}

func authenticatorWritable() []string {
	return []string{"title", "enabled", "corpId", "agentId", "secret", "origin", "workbenchRedirectPath", "autoSignup", "autoLogin", "linkByPhone", "roleRules", "allow"}
}

func authenticatorReadOnly() []string {
	return []string{"workbenchHomepageLink", "callbackUrl", "callbackDomain", "events", "createdAt", "updatedAt", "version"}
}

// newAuthenticator parses the body of a creation. ID, versions and times are still
// empty.
func newAuthenticator(body *object) (store.Authenticator, secret.Value, error) {
	none := secret.Value{}
	if err := body.require("name", "corpId", "agentId", "secret", "origin"); err != nil {
		return store.Authenticator{}, none, err
	}
	name, _, err := body.text("name")
	if err != nil {
		return store.Authenticator{}, none, err
	}
	if !store.IsAuthenticatorName(name) {
		return store.Authenticator{}, none, apierr.Invalid("name", "name must be 1 to 64 lower-case letters, digits and hyphens, without a hyphen at either end.")
	}
	return changeAuthenticator(store.Authenticator{
		Name: name, Title: name, Enabled: true, WorkbenchRedirectPath: "/", AutoSignup: true,
	}, body)
}

// changeAuthenticator returns a with the fields of the body, and the new secret if the
// body has one.
func changeAuthenticator(a store.Authenticator, body *object) (store.Authenticator, secret.Value, error) {
	err := body.setTexts([]textField{
		{"title", func(text string) string {
			if a.Title = strings.TrimSpace(text); a.Title == "" || !isName(a.Title) {
				return "title must be 1 to 200 characters, without control characters."
			}
			return ""
		}},
		{"corpId", func(text string) string {
			if a.CorpID = text; !corpID.MatchString(text) {
				return "corpId must be 4 to 64 letters, digits, hyphens and underscores."
			}
			return ""
		}},
		{"agentId", func(text string) string {
			if a.AgentID = text; !agentID.MatchString(text) {
				return "agentId must be a string of 1 to 16 digits."
			}
			return ""
		}},
		{"origin", func(text string) string {
			var valid bool
			if a.Origin, valid = parseOrigin(text); !valid {
				return "origin must be scheme, host and port only, such as https://app.example.com; http is for loopback only."
			}
			return ""
		}},
		{"workbenchRedirectPath", func(text string) string {
			path, valid := authflow.ParseReturnPath(text)
			if a.WorkbenchRedirectPath = path.String(); !valid {
				return "workbenchRedirectPath must be a path on the application, such as /admin, of at most 2,048 bytes."
			}
			return ""
		}},
	})
	if err != nil {
		return a, secret.Value{}, err
	}
	linkByPhone := !a.LinkByPhoneOff
	if err := body.setFlags([]flagField{{"enabled", &a.Enabled}, {"autoSignup", &a.AutoSignup}, {"autoLogin", &a.AutoLogin}, {"linkByPhone", &linkByPhone}}); err != nil {
		return a, secret.Value{}, err
	}
	a.LinkByPhoneOff = !linkByPhone
	if err := setRules(&a.RoleRules, body); err != nil {
		return a, secret.Value{}, err
	}
	if err := setAllow(&a.Allow, body); err != nil {
		return a, secret.Value{}, err
	}
	value, err := newSecret(body)
	return a, value, err
}

func newSecret(body *object) (secret.Value, error) {
	text, there, err := body.text("secret")
	if err != nil || !there {
		return secret.Value{}, err
	}
	// Copying often adds a space, a line break or half a sentence.
	if text == "" || len(text) > longestSecret || !ascii.IsVisible(text) {
		return secret.Value{}, apierr.Invalid("secret", "secret must be the app's secret: visible ASCII characters, without spaces.")
	}
	return secret.NewValue(text), nil
}

// parseOrigin returns an origin as browsers write it: in lower case, without the
// scheme's own port. A slash at the end would be a path, which an origin does not have.
func parseOrigin(text string) (string, bool) {
	if strings.HasSuffix(text, "/") {
		return "", false
	}
	origin, err := settings.ParseAddress(text, false)
	return origin, err == nil
}

// isName reports whether text fits on one line as a name.
func isName(text string) bool {
	return utf8.RuneCountInString(text) <= longestName && !strings.ContainsFunc(text, unicode.IsControl)
}
