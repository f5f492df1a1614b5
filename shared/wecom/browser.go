package wecom

import (
	"strconv"
	"strings"
)

// IsClient reports whether a User-Agent is that of WeCom's own browser, on a phone or a
// desktop. Anybody can send it: it chooses a page of WeCom's and grants nothing.
func IsClient(userAgent string) bool {
	return strings.Contains(strings.ToLower(userAgent), "wxwork")
}

// TakesClientPage reports whether a browser signs in by WeCom's in-client page: WeCom's
// own, and personal WeChat on a phone, where members use their corp's apps through the
// WeChat plug-in and a QR code could not be scanned. WeCom tells there who is a member.
func TakesClientPage(userAgent string) bool {
	if IsClient(userAgent) {
		return true
	}
	lower := strings.ToLower(userAgent)
	onDesktop := strings.Contains(lower, "windowswechat") || strings.Contains(lower, "macwechat")
	return strings.Contains(lower, "micromessenger") && IsPhone(userAgent) && !onDesktop
}

// IsPhone reports whether a User-Agent is that of a phone or a tablet.
func IsPhone(userAgent string) bool {
	userAgent = strings.ToLower(userAgent)
	for _, mark := range []string{"android", "iphone", "ipad", "mobile"} {
		if strings.Contains(userAgent, mark) {
			return true
		}
	}
	return false
}

// PageLanguage returns the language of WeCom's web-login page for an
// Accept-Language header: "zh", "en", or empty when the header asks for neither.
func PageLanguage(acceptLanguage string) string {
	best, bestWeight := "", 0.0
	for i := 0; acceptLanguage != "" && i < 32; i++ {
		var item string
		item, acceptLanguage, _ = strings.Cut(acceptLanguage, ",")
		tag, parameter, _ := strings.Cut(item, ";")
		weight := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			parsed, err := strconv.ParseFloat(text, 64)
			if err != nil {
				continue
			}
			weight = parsed
		}
		if language := pageLanguage(strings.TrimSpace(tag)); language != "" && weight > bestWeight && weight <= 1 {
			best, bestWeight = language, weight
		}
	}
	return best
}

func pageLanguage(tag string) string {
	primary, _, _ := strings.Cut(tag, "-")
	switch strings.ToLower(primary) {
	case "zh":
		return "zh"
	case "en":
		return "en"
	}
	return ""
}
