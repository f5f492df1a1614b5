package wecomsim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// What the console does when an administrator saves something. The pages of
// Config.Console are made of these, and tests call them.

// mostTrustedIPs is the console's limit per app (HELP/21711).
const mostTrustedIPs = 120

// firstAgentID is the first self-built app of a corp, as real ones have it.
const firstAgentID = 1000002

// longestAppName is ours: the real limit is not documented.
const longestAppName = 32

var (
	domainFilePath = regexp.MustCompile(`^/WW_verify_([A-Za-z0-9]{16})\.txt$`)
	hostName       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

// ErrDomainOwnership is the console's answer when the domain file is not right.
var ErrDomainOwnership = errors.New("domain ownership check failed")

// Refusal is the console's answer to what it does not save, for people.
type Refusal struct {
	// Chinese and English say the same: what is wrong and what is asked for.
	Chinese, English string

	causes []error
}

func (r *Refusal) Error() string { return r.English }

// Unwrap returns ErrDomainOwnership and the failure of the network, if any.
func (r *Refusal) Unwrap() []error { return r.causes }

func refuse(chinese, english string, causes ...error) error {
	return &Refusal{Chinese: chinese, English: english, causes: causes}
}

// CreateApp makes a self-built app as the console does: with the next AgentID, a
// secret, and nothing set. No field is selected, and no IP is trusted, so that
// every call but gettoken is 60020. The visible range has the members of
// visible; nil means the whole company.
func (s *Simulator) CreateApp(corpID, name string, visible []string) (App, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	if c == nil {
		return App{}, fmt.Errorf("find corp %q: no such corp", corpID)
	}
	name = strings.TrimSpace(name)
	switch length := utf8.RuneCountInString(name); {
	case length == 0:
		return App{}, refuse("请填写应用名称。", "Enter the name of the app.")
	case length > longestAppName:
		return App{}, refuse(fmt.Sprintf("应用名称最多 %d 个字。", longestAppName), fmt.Sprintf("The name has at most %d characters.", longestAppName))
	}
	visible, err := c.checkRange(visible)
	if err != nil {
		return App{}, err
	}
	next := firstAgentID
	for _, a := range c.apps {
		if number, err := strconv.Atoi(a.AgentID); err == nil {
			next = max(next, number+1)
		}
	}
	made := &app{corp: c, App: App{
		AgentID: strconv.Itoa(next), Secret: s.random(), Name: name, VisibleUserIDs: visible, TrustedIPs: []string{},
	}}
	c.apps = append(c.apps, made)
	return made.App, nil
}

// SetVisibleRange saves 可见范围: the members who may use the app; nil means the
// whole company.
func (s *Simulator) SetVisibleRange(corpID, agentID string, userIDs []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return err
	}
	userIDs, err = a.corp.checkRange(userIDs)
	if err != nil {
		return err
	}
	a.VisibleUserIDs = userIDs
	return nil
}

func (c *corp) checkRange(userIDs []string) ([]string, error) {
	if userIDs == nil {
		return nil, nil
	}
	checked := []string{}
	for _, id := range userIDs {
		m := c.member(id)
		if m == nil {
			return nil, refuse("可见范围内有不存在的成员。", "The visible range names somebody who is no member.")
		}
		checked = append(checked, m.UserID)
	}
	return checked, nil
}

// SetEnabled is 启用 and 停用.
func (s *Simulator) SetEnabled(corpID, agentID string, enabled bool) error {
	return s.ChangeApp(corpID, agentID, func(a *App) { a.Disabled = !enabled })
}

// NewSecret is 重置 of the Secret: it makes a new one, which it returns. See
// ResetSecret for what becomes of the old one.
func (s *Simulator) NewSecret(corpID, agentID string) (string, error) {
	s.mu.Lock()
	secret := s.random()
	s.mu.Unlock()
	return secret, s.ResetSecret(corpID, agentID, secret)
}

// SetFields saves which personal details the app may ask its members for.
func (s *Simulator) SetFields(corpID, agentID string, chosen []Field) error {
	for _, f := range chosen {
		if !slices.Contains(AllFields(), f) {
			return refuse("没有这个字段。", "There is no such detail.")
		}
	}
	return s.ChangeApp(corpID, agentID, func(a *App) { a.Fields = slices.Clone(chosen) })
}

// SetCallbackDomain saves 授权回调域 of 企业微信授权登录 → Web 网页; empty takes it
// away. No file is asked for.
func (s *Simulator) SetCallbackDomain(corpID, agentID, domain string) error {
	if domain != "" {
		if err := checkDomain(domain); err != nil {
			return err
		}
	}
	return s.ChangeApp(corpID, agentID, func(a *App) { a.CallbackDomain = domain })
}

// SetHomepages saves 工作台应用主页 for phones and for desktops. An empty desktop
// means the same page as on a phone; both empty take the homepage away.
func (s *Simulator) SetHomepages(corpID, agentID, phone, desktop string) error {
	if phone == "" && desktop != "" {
		return refuse("请先填写手机端主页。", "Set the homepage for phones first.")
	}
	for _, page := range []string{phone, desktop} {
		if page == "" {
			continue
		}
		u, err := url.Parse(page)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return refuse("主页必须是完整的网址，以 https:// 或 http:// 开头。", "A homepage is a whole address that begins with https:// or http://.")
		}
	}
	return s.ChangeApp(corpID, agentID, func(a *App) { a.HomeURL, a.DesktopHomeURL = phone, desktop })
}

// DomainFile returns the file that the console offers to prove a domain for this
// app, the same each time: its name and its body, which is the name's 16
// characters.
func (s *Simulator) DomainFile(corpID, agentID string) (name, body string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return "", "", err
	}
	if a.file == "" {
		a.file = s.letters(16)
	}
	return "WW_verify_" + a.file + ".txt", a.file, nil
}

// letters returns a fresh word of letters and digits.
func (s *Simulator) letters(length int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, length)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		_, _ = rand.Read(b)
	}
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// DomainFileURL is where the console looks for a domain file: https, or http for
// a service on loopback.
func DomainFileURL(domain, name string) string {
	host, _, _ := strings.Cut(domain, ":")
	scheme := "https"
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		scheme = "http"
	}
	return scheme + "://" + domain + "/" + name
}

// FetchDomainFile does what the console does before it accepts a domain: it
// fetches https://host/WW_verify_xxxxxxxxxxxxxxxx.txt (http for a service on
// loopback) and compares the body with the 16 characters of the name, byte for
// byte. It follows no redirect. Every failure is a *Refusal that wraps
// ErrDomainOwnership. A nil client means one with a timeout of 5 s.
func (s *Simulator) FetchDomainFile(ctx context.Context, fileURL string, client *http.Client) error {
	failed := func(chinese, english string, causes ...error) error {
		return refuse("域名归属校验失败："+chinese, fmt.Sprintf("%v: %s", ErrDomainOwnership, english), append(causes, ErrDomainOwnership)...)
	}
	u, err := url.Parse(fileURL)
	if err != nil || u.Host == "" || u.RawQuery != "" {
		return failed("校验文件的地址不正确。", "this is no address of a domain file.")
	}
	name := domainFilePath.FindStringSubmatch(u.Path)
	if name == nil {
		return failed("文件必须位于域名根目录，名称为 WW_verify_ 加 16 位字母或数字，扩展名 .txt。",
			"the file must be /WW_verify_ and 16 letters or digits and .txt at the root.")
	}
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Second}
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL, nil) //nolint:gosec // To ask the domain that was typed is what this is for.
	if err != nil {
		return failed("校验文件的地址不正确。", "this is no address of a domain file.", err)
	}
	answer, err := direct.Do(request) //nolint:gosec // See above.
	if err != nil {
		return failed("无法访问 "+fileURL+"，请确认域名可以从公网访问。", "nothing answers at "+fileURL+".", err)
	}
	defer func() { _ = answer.Body.Close() }()
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return failed(fmt.Sprintf("%s 返回了跳转（HTTP %d），校验不跟随跳转。", fileURL, answer.StatusCode),
			fmt.Sprintf("%s answers with a redirect (HTTP %d); none is followed.", fileURL, answer.StatusCode))
	case answer.StatusCode != http.StatusOK:
		return failed(fmt.Sprintf("%s 返回 HTTP %d，应为 200。请先把下载的文件放到该域名的根目录。", fileURL, answer.StatusCode),
			fmt.Sprintf("%s answers HTTP %d, not 200. Put the downloaded file at the root of the domain first.", fileURL, answer.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 17))
	if err != nil {
		return failed("读取 "+fileURL+" 时连接中断。", fileURL+" broke off.", err)
	}
	if string(body) != name[1] {
		return failed(fileURL+" 的内容不正确，应恰好为文件名中的 16 个字符，不含换行或 BOM。",
			"the body of "+fileURL+" is not exactly the 16 characters of the file's name.")
	}
	return nil
}

// checkDomain applies the spelling rules of HELP/21316: no scheme, no path, no
// IP address, no underscore; the port belongs to it.
func checkDomain(domain string) error {
	host, port, hasPort := strings.Cut(domain, ":")
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case domain == "":
		return refuse("请填写域名。", "Enter the domain.")
	case strings.Contains(domain, "/"):
		return refuse("只填写域名，不带 http:// 或 https://，也不带路径。", "Enter the domain alone, without http:// or https:// and without a path.")
	}
	if _, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(domain, "[") {
		return refuse("域名不能是 IP 地址。", "A domain is no IP address.")
	}
	if !hostName.MatchString(host) || hasPort && (err != nil || number == 0) {
		return refuse("域名格式不正确：只能包含字母、数字、“-”和“.”，非默认端口写在冒号后。",
			"This is no domain: letters, digits, \"-\" and \".\", and a colon with the port if it is not the usual one.")
	}
	return nil
}

// SetTrustedDomain saves 可信域名 as the console does: after the domain file was
// checked, and only for a host that is no IP address. Fixtures may say
// otherwise in App.TrustedDomain, since a laptop has no domain.
func (s *Simulator) SetTrustedDomain(ctx context.Context, corpID, agentID, domain, fileURL string, client *http.Client) error {
	if err := checkDomain(domain); err != nil {
		return err
	}
	if u, err := url.Parse(fileURL); err != nil || !sameDomain(u.Host, domain) {
		return refuse("域名归属校验失败：校验文件在另一个域名上。", ErrDomainOwnership.Error()+": the file is on another host.", ErrDomainOwnership)
	}
	if err := s.FetchDomainFile(ctx, fileURL, client); err != nil {
		return err
	}
	return s.ChangeApp(corpID, agentID, func(a *App) { a.TrustedDomain = domain })
}

// ipChange is a saved list of trusted IPs that does not work yet.
type ipChange struct {
	ips  []string
	from time.Time
}

// SetTrustedIPs saves 企业可信IP as the console does, from text separated by ";".
// The list works after TrustedIPDelay (at once by Choices.TrustedIPsAtOnce).
func (s *Simulator) SetTrustedIPs(corpID, agentID, list string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return err
	}
	if a.TrustedDomain == "" && a.MessageURL == "" {
		return refuse("请先设置可信域名或接收消息服务器 URL，再设置企业可信 IP。", "Set the trusted domain or the message server URL first.")
	}
	ips := []string{}
	for part := range strings.SplitSeq(list, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := checkTrustedIP(part, s.choices.LoopbackTrustedIPs); err != nil {
			return err
		}
		ips = append(ips, part)
	}
	if len(ips) > mostTrustedIPs {
		return refuse(fmt.Sprintf("最多 %d 个 IP，现有 %d 个。", mostTrustedIPs, len(ips)),
			fmt.Sprintf("At most %d trusted IPs, not %d.", mostTrustedIPs, len(ips)))
	}
	a.settleIPs(s.now())
	delay := TrustedIPDelay
	if s.choices.TrustedIPsAtOnce {
		delay = 0
	}
	a.nextIPs = &ipChange{ips: ips, from: s.now().Add(delay)}
	a.settleIPs(s.now())
	return nil
}

func checkTrustedIP(text string, loopback bool) error {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return refuse(fmt.Sprintf("“%s”不是单个 IP 地址：不支持网段、通配符和域名，多个地址用英文分号“;”分隔。", text),
			fmt.Sprintf("%q is no single address: no range, wildcard or name; several are separated by \";\".", text))
	case ip.IsLoopback() && loopback:
		return nil
	case !ip.Is4():
		return refuse(fmt.Sprintf("“%s”不是 IPv4 地址。", text), fmt.Sprintf("%q is no IPv4 address.", text))
	case ip.IsPrivate() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast():
		return refuse(fmt.Sprintf("“%s”不是公网 IP。", text), fmt.Sprintf("%q is not public.", text))
	}
	return nil
}

// settleIPs makes a saved list work when its time has come.
func (a *app) settleIPs(now time.Time) {
	if a.nextIPs != nil && !now.Before(a.nextIPs.from) {
		a.TrustedIPs, a.nextIPs = a.nextIPs.ips, nil
	}
}

func (s *Simulator) trusts(a *app, ip string) bool {
	a.settleIPs(s.now())
	return a.TrustedIPs == nil || slices.Contains(a.TrustedIPs, ip)
}
