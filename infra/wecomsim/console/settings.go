// What an administrator can save: each section of an app's settings checks its
// form and says what changes, or why nothing does.

package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	// maxTrustedIPs is the real console's limit per app (HELP/21711).
	maxTrustedIPs = 120
	maxNameLength = 32
)

// refusal is why something is not saved, in both languages.
type refusal struct{ Chinese, English string }

func (v view) text(name string) string { return strings.TrimSpace(v.form.Get(name)) }

// section returns the change that the form of a view asks for, or why it is
// refused.
type section func(context.Context, view) (func(*wecomsim.App), *refusal)

// section returns a section by its name in addresses, or nil.
func (c *console) section(name string) section {
	return map[string]section{
		"secret": resetSecret,
		"state":  setState,
		"range":  setVisibleRange,
		"login":  setCallbackDomain,
		"web":    c.setTrustedDomain,
		"ips":    c.setTrustedIPs,
		"fields": setFields,
		"home":   setHomepages,
	}[name]
}

// newApp is 创建应用.
func newApp(v view) (wecomsim.App, *refusal) {
	name := v.text("name")
	switch length := utf8.RuneCountInString(name); {
	case length == 0:
		return wecomsim.App{}, &refusal{"请填写应用名称。", "Enter the name of the app."}
	case length > maxNameLength:
		return wecomsim.App{}, &refusal{fmt.Sprintf("应用名称最多 %d 个字。", maxNameLength), fmt.Sprintf("The name can have at most %d characters.", maxNameLength)}
	}
	app := wecomsim.App{Name: name, TrustedIPs: []string{}}
	change, refused := setVisibleRange(context.Background(), v)
	if refused == nil {
		change(&app)
	}
	return app, refused
}

func resetSecret(context.Context, view) (func(*wecomsim.App), *refusal) {
	secret := rand.Text() + rand.Text()[:17] // 43 characters, as in WeCom
	return func(a *wecomsim.App) { a.Secret = secret }, nil
}

func setState(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	disabled := v.form.Get("enabled") != "yes"
	return func(a *wecomsim.App) { a.Disabled = disabled }, nil
}

// visibleRange is 可见范围; the zero value is the whole company.
type visibleRange struct {
	users             []string
	departments, tags []int
}

func setVisibleRange(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	visible, refused := readVisibleRange(v)
	return func(a *wecomsim.App) {
		a.VisibleUserIDs, a.VisibleDepartments, a.VisibleTags = visible.users, visible.departments, visible.tags
	}, refused
}

func readVisibleRange(v view) (visibleRange, *refusal) {
	if v.form.Has("everyone") {
		return visibleRange{}, nil
	}
	visible := visibleRange{[]string{}, v.numbers("department"), v.numbers("tag")}
	for _, id := range v.form["member"] {
		i := slices.IndexFunc(v.Corp.Members, func(m wecomsim.Member) bool { return strings.EqualFold(m.UserID, id) })
		if i < 0 {
			return visibleRange{}, &refusal{"可见范围内有不存在的成员。", "The visible range contains an unknown member."}
		}
		visible.users = append(visible.users, v.Corp.Members[i].UserID)
	}
	for _, id := range visible.tags {
		if !slices.ContainsFunc(v.Corp.Tags, func(t wecomsim.Tag) bool { return t.ID == id }) {
			return visibleRange{}, &refusal{"没有这个标签。", "There is no such tag."}
		}
	}
	return visible, v.checkDepartments(visible.departments)
}

func setFields(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	var fields []wecomsim.Field
	for _, name := range v.form["field"] {
		if !slices.Contains(wecomsim.AllFields(), wecomsim.Field(name)) {
			return nil, &refusal{"没有这个字段。", "There is no such detail."}
		}
		fields = append(fields, wecomsim.Field(name))
	}
	return func(a *wecomsim.App) { a.Fields = fields }, nil
}

func setHomepages(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	phone, desktop := v.text("phone"), v.text("desktop")
	if phone == "" && desktop != "" {
		return nil, &refusal{"请先填写手机端主页。", "Set the homepage for phones first."}
	}
	for _, homepage := range []string{phone, desktop} {
		u, err := url.Parse(homepage)
		if homepage != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil) {
			return nil, &refusal{"主页必须是完整的网址，以 https:// 或 http:// 开头。", "A homepage must be a full address that begins with https:// or http://."}
		}
	}
	return func(a *wecomsim.App) { a.HomeURL, a.DesktopHomeURL = phone, desktop }, nil
}

func setCallbackDomain(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	domain := v.text("domain")
	if domain != "" {
		if refused := checkDomain(domain); refused != nil {
			return nil, refused
		}
	}
	return func(a *wecomsim.App) { a.CallbackDomain = domain }, nil
}

// setTrustedDomain is 申请校验: the domain must serve the app's domain file.
func (c *console) setTrustedDomain(ctx context.Context, v view) (func(*wecomsim.App), *refusal) {
	domain := v.text("domain")
	if refused := checkDomain(domain); refused != nil {
		return nil, refused
	}
	if refused := c.fetchDomainFile(ctx, domain, v.Corp.ID, v.App.AgentID); refused != nil {
		return nil, refused
	}
	return func(a *wecomsim.App) { a.TrustedDomain = domain }, nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// checkDomain applies the spelling rules of HELP/21316: no scheme, no path, no
// IP address, no underscore; a port belongs to the domain.
func checkDomain(domain string) *refusal {
	host, port, hasPort := strings.Cut(domain, ":")
	number, portErr := strconv.ParseUint(port, 10, 16)
	_, ipErr := netip.ParseAddr(host)
	switch {
	case domain == "":
		return &refusal{"请填写域名。", "Enter the domain."}
	case strings.Contains(domain, "/"):
		return &refusal{"只填写域名，不带 http:// 或 https://，也不带路径。", "Enter only the domain, without http:// or https:// and without a path."}
	case ipErr == nil, strings.HasPrefix(domain, "["):
		return &refusal{"域名不能是 IP 地址。", "An IP address is not a domain."}
	case !hostName.MatchString(host) || hasPort && (portErr != nil || number == 0):
		return &refusal{
			"域名格式不正确：只能包含字母、数字、“-”和“.”，非默认端口写在冒号后。",
			`This is not a domain: it consists of letters, digits, "-" and ".", and of a colon and the port if that is not the default.`,
		}
	}
	return nil
}

// setTrustedIPs saves addresses separated by ";", which work after a minute.
func (c *console) setTrustedIPs(_ context.Context, v view) (func(*wecomsim.App), *refusal) {
	if v.App.TrustedDomain == "" && v.App.Receiver.URL == "" {
		return nil, &refusal{"请先设置可信域名或接收消息服务器 URL，再设置企业可信 IP。", "Set the trusted domain or the message server URL first."}
	}
	ips := []string{}
	for part := range strings.SplitSeq(v.form.Get("ips"), ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if refused := checkTrustedIP(part, v.Choices.LoopbackTrustedIPs); refused != nil {
			return nil, refused
		}
		ips = append(ips, part)
	}
	if len(ips) > maxTrustedIPs {
		return nil, &refusal{
			fmt.Sprintf("最多 %d 个 IP，现有 %d 个。", maxTrustedIPs, len(ips)),
			fmt.Sprintf("There can be at most %d addresses, not %d.", maxTrustedIPs, len(ips)),
		}
	}
	delay := wecomsim.TrustedIPDelay
	if v.Choices.TrustedIPsAtOnce {
		delay = 0
	}
	change := &wecomsim.TrustedIPChange{IPs: ips, From: c.sim.Now().Add(delay)}
	return func(a *wecomsim.App) { a.NextTrustedIPs = change }, nil
}

func checkTrustedIP(text string, loopback bool) *refusal {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return &refusal{
			fmt.Sprintf("“%s”不是单个 IP 地址：不支持网段、通配符和域名，多个地址用英文分号“;”分隔。", text),
			fmt.Sprintf(`%q is not a single address. Ranges, wildcards and names are not supported; separate addresses with ";".`, text),
		}
	case ip.IsLoopback() && loopback:
		return nil
	case !ip.Is4():
		return &refusal{fmt.Sprintf("“%s”不是 IPv4 地址。", text), fmt.Sprintf("%q is not an IPv4 address.", text)}
	case ip.IsPrivate() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast():
		return &refusal{fmt.Sprintf("“%s”不是公网 IP。", text), fmt.Sprintf("%q is not a public address.", text)}
	}
	return nil
}
