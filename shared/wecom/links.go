package wecom

import (
	"net/url"
	"strings"
)

// Scope is what WeCom is asked to tell of a member (path 91022).
type Scope string

// The scopes. snsapi_userinfo is obsolete and not offered.
const (
	// ScopeBase is silent and gives the userid.
	ScopeBase Scope = "snsapi_base"
	// ScopePrivateInfo may ask the member, and gives a user ticket besides.
	ScopePrivateInfo Scope = "snsapi_privateinfo"
)

// Links builds the addresses that send a browser to WeCom. A slash at the end of
// either address does not matter.
type Links struct {
	OAuthURL string // https://open.weixin.qq.com in the public cloud
	LoginURL string // https://login.work.weixin.qq.com in the public cloud
}

// ClientLinkParams are the parts of a link for WeCom's own browser.
type ClientLinkParams struct {
	CorpID      string
	AgentID     string
	RedirectURI string // not encoded
	Scope       Scope
	State       string // at most 128 letters and digits, nothing else (path 91022)
}

// ClientLink returns the address of authorization inside the WeCom client
// (path 91022). The order of the parameters is that of the documentation. The
// agentid is always there: without it snsapi_privateinfo silently becomes
// snsapi_base. The fragment is what makes the client attach the identity.
func (l Links) ClientLink(p ClientLinkParams) string {
	return strings.TrimRight(l.OAuthURL, "/") + "/connect/oauth2/authorize" +
		"?appid=" + url.QueryEscape(p.CorpID) +
		"&redirect_uri=" + url.QueryEscape(p.RedirectURI) +
		"&response_type=code" +
		"&scope=" + url.QueryEscape(string(p.Scope)) +
		"&state=" + url.QueryEscape(p.State) +
		"&agentid=" + url.QueryEscape(p.AgentID) +
		"#wechat_redirect"
}

// LoginLinkParams are the parts of a link for any other browser.
type LoginLinkParams struct {
	CorpID      string
	AgentID     string
	RedirectURI string // not encoded
	State       string
	Language    string // BCP 47; WeCom knows Chinese and English, others are left out
	// Panel asks for the page as a panel in a frame of another page (path 98152), which it
	// leaves for RedirectURI as a whole.
	Panel bool
}

// LoginLink returns the address of the web-login page, with its QR code
// (path 98152). It has no scope: this door never gives a user ticket.
func (l Links) LoginLink(p LoginLinkParams) string {
	link := strings.TrimRight(l.LoginURL, "/") + "/wwlogin/sso/login" +
		"?login_type=CorpApp" +
		"&appid=" + url.QueryEscape(p.CorpID) +
		"&agentid=" + url.QueryEscape(p.AgentID) +
		"&redirect_uri=" + url.QueryEscape(p.RedirectURI) +
		"&state=" + url.QueryEscape(p.State)
	if language := pageLanguage(p.Language); language != "" {
		link += "&lang=" + language
	}
	if p.Panel {
		link += "&redirect_type=top&panel_size=small&color_scheme=auto"
	}
	return link
}
