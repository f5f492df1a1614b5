package wecomsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// mostTrustedIPs is the console's limit per app (HELP/21711).
const mostTrustedIPs = 120

var domainFilePath = regexp.MustCompile(`^/WW_verify_([A-Za-z0-9]{16})\.txt$`)

// ErrDomainOwnership is the console's answer when the domain file is not right.
var ErrDomainOwnership = errors.New("domain ownership check failed")

// FetchDomainFile does what the console does before it accepts a domain: it
// fetches https://host/WW_verify_xxxxxxxxxxxxxxxx.txt (http for a service on
// loopback) and compares the body with the 16 characters of the name, byte for
// byte. It follows no redirect. Every failure wraps ErrDomainOwnership. A nil
// client means one with a timeout of 5 s.
func (s *Simulator) FetchDomainFile(ctx context.Context, fileURL string, client *http.Client) error {
	u, err := url.Parse(fileURL)
	if err != nil || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("%w: %q is no address of a domain file", ErrDomainOwnership, fileURL)
	}
	name := domainFilePath.FindStringSubmatch(u.Path)
	if name == nil {
		return fmt.Errorf("%w: the file must be /WW_verify_ and 16 letters or digits and .txt at the root", ErrDomainOwnership)
	}
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Second}
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fileURL, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDomainOwnership, err)
	}
	answer, err := direct.Do(request)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDomainOwnership, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: HTTP %d", ErrDomainOwnership, answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, 17))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDomainOwnership, err)
	}
	if string(body) != name[1] {
		return fmt.Errorf("%w: the body is not exactly the 16 characters of the file's name", ErrDomainOwnership)
	}
	return nil
}

// SetTrustedDomain saves 可信域名 as the console does: after the domain file was
// checked, and only for a host that is no IP address. Fixtures may say
// otherwise in App.TrustedDomain, since a laptop has no domain.
func (s *Simulator) SetTrustedDomain(ctx context.Context, corpID, agentID, domain, fileURL string, client *http.Client) error {
	host, _, _ := strings.Cut(domain, ":")
	if domain == "" || strings.ContainsAny(domain, "/*?_ ") {
		return errors.New("a trusted domain is a host, with a port if it is not the usual one")
	}
	if _, err := netip.ParseAddr(host); err == nil || strings.HasPrefix(domain, "[") {
		return errors.New("a trusted domain is no IP address")
	}
	if u, err := url.Parse(fileURL); err != nil || !sameDomain(u.Host, domain) {
		return fmt.Errorf("%w: the file is on another host", ErrDomainOwnership)
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
// The list works after TrustedIPDelay.
func (s *Simulator) SetTrustedIPs(corpID, agentID, list string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findApp(corpID, agentID)
	if err != nil {
		return err
	}
	if a.TrustedDomain == "" && a.MessageURL == "" {
		return errors.New("set the trusted domain or the message server URL first")
	}
	ips := []string{}
	for part := range strings.SplitSeq(list, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if err := checkTrustedIP(part); err != nil {
			return err
		}
		ips = append(ips, part)
	}
	if len(ips) > mostTrustedIPs {
		return fmt.Errorf("at most %d trusted IPs, not %d", mostTrustedIPs, len(ips))
	}
	a.settleIPs(s.now())
	a.nextIPs = &ipChange{ips: ips, from: s.now().Add(TrustedIPDelay)}
	return nil
}

func checkTrustedIP(text string) error {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return fmt.Errorf("trusted IP %q is no single address", text)
	case !ip.Is4():
		return fmt.Errorf("trusted IP %q is no IPv4 address", text)
	case ip.IsPrivate() || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLinkLocalUnicast():
		return fmt.Errorf("trusted IP %q is not public", text)
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
