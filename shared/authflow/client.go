package authflow

import (
	"net/netip"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// What a member is later shown of the session: where it began, in a few words. A
// User-Agent is anybody's text and names a person's device more closely than anybody needs,
// so it is not kept.

// ClientOf names browser and system of a User-Agent.
func ClientOf(userAgent string) store.Client {
	if userAgent == "" {
		return store.Client{}
	}
	text := strings.ToLower(userAgent)
	return store.Client{Browser: firstMark(text, browserMarks(), store.BrowserOther), System: firstMark(text, systemMarks(), store.SystemOther)}
}

// mark is a part of a User-Agent in lower case and what it stands for.
type mark[T any] struct {
	text string
	is   T
}

func firstMark[T any](text string, marks []mark[T], other T) T {
	for _, m := range marks {
		if strings.Contains(text, m.text) {
			return m.is
		}
	}
	return other
}

// browserMarks returns them in the order in which they count: nearly every browser claims to be
// Chrome or Safari, too. Those of makers that have no name here are others.
func browserMarks() []mark[store.Browser] {
	return []mark[store.Browser]{
		{"wxwork", store.BrowserWeCom},
		{"micromessenger", store.BrowserWeChat},
		{"dingtalk", store.BrowserOther},
		{"browser/", store.BrowserOther}, // of Huawei, MIUI, QQ, Samsung, UC, Vivo
		{"quark/", store.BrowserOther},
		{"opr/", store.BrowserOther},
		{"edg/", store.BrowserEdge},
		{"edga/", store.BrowserEdge},
		{"edgios/", store.BrowserEdge},
		{"firefox/", store.BrowserFirefox},
		{"fxios/", store.BrowserFirefox},
		{"crios/", store.BrowserChrome},
		{"chrome/", store.BrowserChrome},
		{"safari/", store.BrowserSafari},
	}
}

// systemMarks returns them in the order in which they count: Android is a Linux, and an iPhone says
// that it is like Mac OS X.
func systemMarks() []mark[store.System] {
	return []mark[store.System]{
		{"openharmony", store.SystemOther},
		{"windows", store.SystemWindows},
		{"android", store.SystemAndroid},
		{"iphone", store.SystemIOS},
		{"ipad", store.SystemIOS},
		{"mac os x", store.SystemMacOS},
		{"linux", store.SystemLinux},
		{"cros ", store.SystemLinux},
	}
}

// AddressOf returns the address from which a request comes, as the gateway says, or
// nothing. A header that names another one is anybody's word.
func AddressOf(remote string) string {
	address, err := netip.ParseAddr(remote)
	if err != nil {
		return ""
	}
	return address.Unmap().WithZone("").String()
}
