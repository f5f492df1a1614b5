package settings

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/publicsuffix"

	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Name is the name of an environment variable.
type Name string

// The settings of the service. A program that names a required one does not start without it.
const (
	PublicURL                 Name = "PUBLIC_URL"                  // default: the API's own address
	WeComAPIURL               Name = "WECOM_API_URL"               // default: https://qyapi.weixin.qq.com
	WeComOAuthURL             Name = "WECOM_OAUTH_URL"             // default: https://open.weixin.qq.com
	WeComLoginURL             Name = "WECOM_LOGIN_URL"             // default: https://login.work.weixin.qq.com
	DirectoryTable            Name = "DIRECTORY_TABLE"             // required
	TransientTable            Name = "TRANSIENT_TABLE"             // required
	AuditTable                Name = "AUDIT_TABLE"                 // no default, see reader.later
	AuditRetention            Name = "AUDIT_RETENTION"             // default: 4320h, 180 days
	SigningKeysSecret         Name = "SIGNING_KEYS_SECRET"         // required
	ForwardAuthKeysSecret     Name = "FORWARD_AUTH_KEYS_SECRET"    // default: none
	SealingKeysSecret         Name = "SEALING_KEYS_SECRET"         // no default, see reader.later
	AdminKeySecret            Name = "ADMIN_KEY_SECRET"            // required
	AuthenticatorSecretPrefix Name = "AUTHENTICATOR_SECRET_PREFIX" // required
	LogoutQueueURL            Name = "LOGOUT_QUEUE_URL"            // required
	SessionLifetime           Name = "SESSION_LIFETIME"            // default: 8h
	MemberCheckInterval       Name = "MEMBER_CHECK_INTERVAL"       // default: 24h
	MemberChecksFunction      Name = "MEMBER_CHECKS_FUNCTION"      // no default, see reader.later
	SessionCookieDomain       Name = "SESSION_COOKIE_DOMAIN"       // default: the service's host alone
	CompanyName               Name = "COMPANY_NAME"                // default: none
	CompanyLogo               Name = "COMPANY_LOGO"                // default: the service's own mark
	SignInPanel               Name = "SIGNIN_PANEL"                // default: on
	EgressAddresses           Name = "EGRESS_ADDRESSES"            // default: what WeCom saw
	LookupMissesPerDay        Name = "LOOKUP_MISSES_PER_DAY"       // default: 10
	ServiceName               Name = "SERVICE_NAME"                // default: no metrics
	Port                      Name = "PORT"                        // local run only; default: 3000
	DataDir                   Name = "DATA_DIR"                    // local run only; default: .local
	AdminKey                  Name = "ADMIN_KEY"                   // local run only; default: a generated one
)

// Settings is what FromEnvironment has read. A setting that was not named is zero.
type Settings struct {
	// PublicURL is scheme, host and port that browsers see; empty means the API's own
	// address, which only a request tells.
	PublicURL string
	// WeComAPIURL, WeComOAuthURL and WeComLoginURL are the addresses of WeCom's three
	// hosts. They may have a path, which precedes WeCom's own paths, and have no slash at
	// the end.
	WeComAPIURL, WeComOAuthURL, WeComLoginURL string
	// DirectoryTable, TransientTable and AuditTable are names of DynamoDB tables.
	DirectoryTable, TransientTable, AuditTable string
	// AuditRetention is how long lines of the audit are kept, 1 to 3,650 days.
	AuditRetention time.Duration
	// SigningKeysSecret, SealingKeysSecret and AdminKeySecret are names or ARNs in
	// Secrets Manager.
	SigningKeysSecret, SealingKeysSecret, AdminKeySecret string
	// ForwardAuthKeysSecret is SigningKeysSecret for the function forwardauth, or empty:
	// then it makes no tokens.
	ForwardAuthKeysSecret string
	// AuthenticatorSecretPrefix is the beginning of the name of every authenticator's
	// secret. It ends with a slash.
	AuthenticatorSecretPrefix string
	// LogoutQueueURL is the address of the SQS queue of sessions that have ended.
	LogoutQueueURL string
	// SessionLifetime is how long a session lasts, 1 second to 30 days.
	SessionLifetime time.Duration
	// MemberCheckInterval is how old the last check of a member who returns may be, 0 to
	// 30 days; 0: each sign-in checks.
	MemberCheckInterval time.Duration
	// MemberChecksFunction is the name of the function memberchecks.
	MemberChecksFunction string
	// SessionCookieDomain is the parent domain that shares the session cookie, or
	// empty for the service's own host.
	SessionCookieDomain string
	// CompanyName is shown on the sign-in page, or empty.
	CompanyName string
	// CompanyLogo is the address of a picture for the sign-in page: https, or a data
	// URL of an image. Empty: the service's own mark.
	CompanyLogo string
	// SignInPanel says whether the sign-in page shows WeCom's login page in a frame.
	SignInPanel bool
	// EgressAddresses are the fixed IPv4 addresses from which the service calls WeCom, for
	// the console to show. Empty: they are unknown or not fixed.
	EgressAddresses []netip.Addr
	// LookupMissesPerDay is how many phones of a corp may be looked up in WeCom in vain
	// within 24 hours, up to MaxLookupMisses; 0 looks up none.
	LookupMissesPerDay int
	// ServiceName is the name of this deployment in metrics, or empty for none.
	ServiceName string
	// Port is where the local run listens; 0 means any free port.
	Port int
	// DataDir is the folder of the local run.
	DataDir string
	// AdminKey is the administrator's key of the local run; empty: generate one.
	AdminKey secret.Value
}

const defaultSessionLifetime = 8 * time.Hour

// Limits of SessionLifetime.
const (
	MinSessionLifetime = time.Second
	MaxSessionLifetime = 30 * 24 * time.Hour
)

// Limits of AuditRetention.
const (
	MinAuditRetention = 24 * time.Hour
	MaxAuditRetention = 3650 * 24 * time.Hour
)

// MaxLookupMisses is the largest LookupMissesPerDay: a fifth of the members of a company of
// 5,000, which WeCom would allow.
const MaxLookupMisses = 1000

// A member who has left must not go on for longer than MaxMemberCheckInterval, however
// seldom the administrator wants checks.
const (
	defaultMemberCheckInterval = 24 * time.Hour
	MaxMemberCheckInterval     = 30 * 24 * time.Hour
)

// FromEnvironment reads the named settings, and no others, through lookup (os.LookupEnv
// or a fake). An empty variable counts as absent, because a template cannot leave one
// out. The error joins all errors, one line each.
func FromEnvironment(lookup func(string) (string, bool), names ...Name) (Settings, error) {
	r := reader{lookup: lookup}
	var s Settings
	for _, name := range names {
		r.read(&s, name)
	}
	r.checkCookieDomain(s, slices.Contains(names, PublicURL))
	if err := errors.Join(r.errs...); err != nil {
		return Settings{}, err
	}
	return s, nil
}

type reader struct {
	lookup func(string) (string, bool)
	errs   []error
}

func (r *reader) read(s *Settings, name Name) {
	switch name {
	case PublicURL:
		s.PublicURL = r.address(name, "", false)
	case WeComAPIURL:
		s.WeComAPIURL = r.address(name, "https://qyapi.weixin.qq.com", true)
	case WeComOAuthURL:
		s.WeComOAuthURL = r.address(name, "https://open.weixin.qq.com", true)
	case WeComLoginURL:
		s.WeComLoginURL = r.address(name, "https://login.work.weixin.qq.com", true)
	case DirectoryTable:
		s.DirectoryTable = r.required(name)
	case TransientTable:
		s.TransientTable = r.required(name)
	case AuditTable:
		s.AuditTable = r.later(name)
	case AuditRetention:
		s.AuditRetention = r.duration(name, store.DefaultAuditRetention, MinAuditRetention, MaxAuditRetention)
	case SigningKeysSecret:
		s.SigningKeysSecret = r.required(name)
	case ForwardAuthKeysSecret:
		s.ForwardAuthKeysSecret = r.later(name)
	case SealingKeysSecret:
		s.SealingKeysSecret = r.later(name)
	case AdminKeySecret:
		s.AdminKeySecret = r.required(name)
	case AuthenticatorSecretPrefix:
		s.AuthenticatorSecretPrefix = r.required(name)
		if p := s.AuthenticatorSecretPrefix; p != "" && (!strings.HasSuffix(p, "/") || p == "/") {
			// Without the slash the prefix of one stack could match another's secrets.
			r.reject(name, "must be a path that ends with a slash")
		}
	case LogoutQueueURL:
		s.LogoutQueueURL = r.required(name)
	case SessionLifetime:
		s.SessionLifetime = r.duration(name, defaultSessionLifetime, MinSessionLifetime, MaxSessionLifetime)
	case MemberCheckInterval:
		s.MemberCheckInterval = r.duration(name, defaultMemberCheckInterval, 0, MaxMemberCheckInterval)
	case MemberChecksFunction:
		s.MemberChecksFunction = r.later(name)
	case SessionCookieDomain:
		s.SessionCookieDomain = r.cookieDomain()
	case CompanyName:
		s.CompanyName = r.companyName()
	case CompanyLogo:
		s.CompanyLogo = r.companyLogo()
	case SignInPanel:
		s.SignInPanel = r.onOff(name, true)
	case EgressAddresses:
		s.EgressAddresses = r.egressAddresses()
	case LookupMissesPerDay:
		s.LookupMissesPerDay = r.lookupMisses()
	case ServiceName:
		s.ServiceName = r.serviceName()
	case Port:
		s.Port = r.port()
	case DataDir:
		s.DataDir = r.text(name, ".local")
	case AdminKey:
		s.AdminKey = r.adminKey()
	default:
		r.reject(name, "is not a setting of this service")
	}
}

func (r *reader) reject(name Name, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...)))
}

func (r *reader) text(name Name, absent string) string {
	if value, _ := r.lookup(string(name)); value != "" {
		return value
	}
	return absent
}

func (r *reader) required(name Name) string {
	value := r.text(name, "")
	switch {
	case value == "":
		r.reject(name, "is not set")
	case !ascii.IsVisible(value):
		r.reject(name, "must not hold spaces, control or non-ASCII characters")
	}
	return value
}

// later reads a setting that a function got after it was first deployed. An update changes
// the code of a function and its settings one after the other: a process that starts in
// between answers what needs no such setting, such as whether a session is good, and fails
// at the rest.
func (r *reader) later(name Name) string {
	if r.text(name, "") == "" {
		return ""
	}
	return r.required(name)
}

func (r *reader) address(name Name, absent string, allowPath bool) string {
	value := r.text(name, "")
	if value == "" {
		return absent
	}
	address, err := ParseAddress(value, allowPath)
	if err != nil {
		r.reject(name, "%v", err)
	}
	return address
}

func (r *reader) duration(name Name, absent, shortest, longest time.Duration) time.Duration {
	value := r.text(name, "")
	if value == "" {
		return absent
	}
	duration, err := time.ParseDuration(value)
	if err != nil || duration < shortest || duration > longest {
		r.reject(name, "must be a duration such as 8h or 90m, from %s to %s", shortest, longest)
	}
	return duration
}

func (r *reader) onOff(name Name, absent bool) bool {
	switch r.text(name, "") {
	case "":
		return absent
	case "on":
		return true
	case "off":
	default:
		r.reject(name, "must be on or off")
	}
	return false
}

func (r *reader) port() int {
	value := r.text(Port, "3000")
	port, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		r.reject(Port, "must be a number from 0 to %d", math.MaxUint16)
	}
	return int(port)
}

func (r *reader) lookupMisses() int {
	value := r.text(LookupMissesPerDay, "10")
	misses, err := strconv.ParseUint(value, 10, 16)
	if err != nil || misses > MaxLookupMisses {
		r.reject(LookupMissesPerDay, "must be a number from 0 to %d", MaxLookupMisses)
	}
	return int(misses)
}

func (r *reader) adminKey() secret.Value {
	value := r.text(AdminKey, "")
	if !ascii.IsVisible(value) {
		r.reject(AdminKey, "must be visible ASCII characters without spaces")
	}
	return secret.NewValue(value)
}

// longestCompanyName is in characters: a line on a phone.
const longestCompanyName = 60

func (r *reader) companyName() string {
	value := strings.TrimSpace(r.text(CompanyName, ""))
	if utf8.RuneCountInString(value) > longestCompanyName || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
		r.reject(CompanyName, "must be one line of at most %d characters", longestCompanyName)
	}
	return value
}

// dataImage is a picture in the setting itself. It excludes SVG, which can hold scripts,
// although browsers run none in an image.
var dataImage = regexp.MustCompile(`^data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$`)

func (r *reader) companyLogo() string {
	value := r.text(CompanyLogo, "")
	if value == "" || dataImage.MatchString(value) {
		return value
	}
	u, err := url.Parse(value)
	if err == nil {
		_, err = ParseAddress("https://"+u.Host, false)
	}
	if err != nil || u.Scheme != "https" || u.User != nil || !isHostname(strings.ToLower(u.Hostname())) ||
		!ascii.IsVisible(value) || strings.ContainsAny(value, `"'<>\`+"`"+`;,`) {
		r.reject(CompanyLogo, "must be the https address of a picture, or a data URL of a PNG, JPEG, WebP or GIF")
	}
	return value
}

// egressAddresses reads public IPv4 addresses: WeCom trusts no others.
func (r *reader) egressAddresses() []netip.Addr {
	var addresses []netip.Addr
	for part := range strings.FieldsFuncSeq(r.text(EgressAddresses, ""), func(c rune) bool { return c == ',' || c == ';' || c == ' ' }) {
		address, err := netip.ParseAddr(part)
		if err != nil || !address.Is4() || !address.IsGlobalUnicast() || address.IsPrivate() {
			r.reject(EgressAddresses, "must be public IPv4 addresses with commas in between")
			return nil
		}
		addresses = append(addresses, address)
	}
	return addresses
}

// longestServiceName is the longest name of a CloudFormation stack.
const longestServiceName = 128

// serviceName reads a name that is valid as the value of a metric's dimension.
func (r *reader) serviceName() string {
	value := r.text(ServiceName, "")
	if len(value) > longestServiceName || !ascii.IsVisible(value) {
		r.reject(ServiceName, "must be at most %d visible ASCII characters without spaces", longestServiceName)
	}
	return value
}

func (r *reader) cookieDomain() string {
	value := strings.ToLower(r.text(SessionCookieDomain, ""))
	if value == "" {
		return ""
	}
	_, isAddress := netip.ParseAddr(value)
	shared, _ := publicsuffix.PublicSuffix(value)
	switch {
	case strings.HasPrefix(value, "."):
		r.reject(SessionCookieDomain, "begins with a dot: write example.com, which includes everything below it")
	case isAddress == nil, !isHostname(value), !strings.Contains(value, "."):
		r.reject(SessionCookieDomain, "must be a domain of at least two labels, such as example.com")
	case shared == value, value == "amazonaws.com", value == "amazonaws.com.cn":
		// Browsers refuse such a cookie, or would send it to others.
		r.reject(SessionCookieDomain, "must be a domain of your own: that one is a public suffix")
	}
	return value
}

// checkCookieDomain fails closed: browsers would at best refuse a cookie for a domain
// that is not the service's, and at worst send it to others.
func (r *reader) checkCookieDomain(s Settings, knowsPublicURL bool) {
	if s.SessionCookieDomain == "" || len(r.errs) > 0 {
		return
	}
	if !knowsPublicURL || s.PublicURL == "" {
		r.reject(SessionCookieDomain, "needs %s, which must be inside that domain", PublicURL)
		return
	}
	public, err := url.Parse(s.PublicURL)
	if err != nil {
		r.reject(PublicURL, "is not an address")
		return
	}
	if host := public.Hostname(); host != s.SessionCookieDomain && !strings.HasSuffix(host, "."+s.SessionCookieDomain) {
		r.reject(SessionCookieDomain, "must be the host of %s or a parent domain of it", PublicURL)
	}
}

// ParseAddress returns an address in canonical form: scheme, lower-case host, port
// unless it is the scheme's own, and, where allowed, a path. It accepts plain http for
// loopback only. The error says what an address must be and does not repeat the value.
func ParseAddress(value string, allowPath bool) (string, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return "", errors.New("must be an address such as https://signin.example.com")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.Opaque != "":
		return "", errors.New("must begin with https://")
	case u.User != nil:
		return "", errors.New("must not hold a user name or password")
	case u.RawQuery != "", u.ForceQuery, strings.Contains(value, "#"):
		return "", errors.New("must not have a query or fragment")
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	switch {
	case path != "" && !allowPath:
		return "", errors.New("must be scheme, host and port only, without a path")
	case strings.Contains(path, "//"), strings.Contains(path, "\\"),
		slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." }):
		return "", errors.New("must have a plain path")
	}
	host := strings.ToLower(u.Hostname())
	ip, ipErr := netip.ParseAddr(host)
	if ipErr == nil && ip.Zone() != "" || ipErr != nil && !isHostname(host) {
		return "", errors.New("must have a host name of letters, digits, hyphens and dots")
	}
	if ipErr == nil {
		host = ip.String()
	}
	if u.Scheme == "http" && !isLoopback(host) {
		return "", errors.New("must be https (http is for loopback only)")
	}
	port := u.Port()
	if port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return "", errors.New("must have a port from 1 to 65535")
		}
		port = strconv.FormatUint(number, 10)
	}
	if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		port = ""
	}
	switch {
	case port != "":
		host = net.JoinHostPort(host, port)
	case ipErr == nil && ip.Is6():
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host + path, nil
}

func isLoopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isHostname reports whether host is a lower-case DNS name (RFC 1123). A name in another
// script must be in its xn-- form, as browsers send it.
func isHostname(host string) bool {
	if len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
		}) {
			return false
		}
	}
	// Digits in the last place make browsers read the whole as an IPv4 address.
	last := labels[len(labels)-1]
	return strings.ContainsFunc(last, func(c rune) bool { return c < '0' || c > '9' })
}
