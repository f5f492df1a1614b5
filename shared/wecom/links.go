package wecom

import (
	"net/url"
	"strings"
)

// Scope is what an in-client authorization asks for (91022).
type Scope string

// The scopes in use. snsapi_userinfo is obsolete and never asked for.
const (
	ScopeBase        Scope = "snsapi_base"        // silent; the userid only
	ScopePrivateInfo Scope = "snsapi_privateinfo" // the member consents; brings a user_ticket
)

// Links builds the addresses that start a sign-in.
type Links struct {
	OAuthURL string // https://open.weixin.qq.com, without a slash at the end
	LoginURL string // https://login.work.weixin.qq.com
}

// ClientLinkParams is an in-client authorization.
type ClientLinkParams struct {
	CorpID      string
	AgentID     string // without it WeCom silently turns snsapi_privateinfo into snsapi_base
	RedirectURI string // not yet encoded
	Scope       Scope
	State       string // letters and digits only, at most 128
}

// ClientLink is opened inside WeCom's client. The order of parameters is that of
// WeCom's own examples; the fragment tells the client to attach the identity.
func (l Links) ClientLink(p ClientLinkParams) string {
	return l.OAuthURL + "/connect/oauth2/authorize?appid=" + url.QueryEscape(p.CorpID) +
		"&redirect_uri=" + url.QueryEscape(p.RedirectURI) +
		"&response_type=code&scope=" + string(p.Scope) +
		"&state=" + url.QueryEscape(p.State) +
		"&agentid=" + url.QueryEscape(p.AgentID) + "#wechat_redirect"
}

// LoginLinkParams is a web login.
type LoginLinkParams struct {
	CorpID      string
	AgentID     string
	RedirectURI string // not yet encoded
	State       string
	Language    string // zh, en or empty: WeCom decides
}

// LoginLink is opened in any other browser: a QR code or a click in the desktop
// client. It knows no scope, and so never brings a phone number (98176).
func (l Links) LoginLink(p LoginLinkParams) string {
	link := l.LoginURL + "/wwlogin/sso/login?login_type=CorpApp&appid=" + url.QueryEscape(p.CorpID) +
		"&agentid=" + url.QueryEscape(p.AgentID) +
		"&redirect_uri=" + url.QueryEscape(p.RedirectURI) +
		"&state=" + url.QueryEscape(p.State)
	if p.Language != "" {
		link += "&lang=" + url.QueryEscape(p.Language)
	}
	return link
}

// IsClient reports whether a User-Agent is WeCom's own browser, on a phone or a
// computer. It is a hint for choosing the door; anybody can send it.
func IsClient(userAgent string) bool { return containsFold(userAgent, "wxwork") }

// IsPhone reports whether a User-Agent is a phone's or a tablet's.
func IsPhone(userAgent string) bool {
	for _, mark := range []string{"android", "iphone", "ipad", "mobile"} {
		if containsFold(userAgent, mark) {
			return true
		}
	}
	return false
}

// PageLanguage returns the language of WeCom's web-login page for an
// Accept-Language header: zh, en, or empty when the header prefers another one.
func PageLanguage(acceptLanguage string) string {
	first, _, _ := strings.Cut(acceptLanguage, ",")
	first, _, _ = strings.Cut(first, ";")
	primary, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(first)), "-")
	if primary == "zh" || primary == "en" {
		return primary
	}
	return ""
}

func containsFold(text, mark string) bool {
	return strings.Contains(strings.ToLower(text), mark)
}
