package authflow

import (
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestSessionsAreNamedInAFewWords(t *testing.T) {
	for agent, want := range map[string]store.Client{
		"":           {},
		"curl/8.5.0": {Browser: store.BrowserOther, System: store.SystemOther},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                                             {Browser: store.BrowserChrome, System: store.SystemWindows},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":                                               {Browser: store.BrowserEdge, System: store.SystemWindows},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                                                       {Browser: store.BrowserSafari, System: store.SystemMacOS},
		"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0":                                                                                                      {Browser: store.BrowserFirefox, System: store.SystemLinux},
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                                              {Browser: store.BrowserChrome, System: store.SystemLinux},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1":                                  {Browser: store.BrowserChrome, System: store.SystemIOS},
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/143.0 Mobile/15E148 Safari/605.1.15":                                            {Browser: store.BrowserFirefox, System: store.SystemIOS},
		"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36 EdgA/140.0.0.0":                                        {Browser: store.BrowserEdge, System: store.SystemAndroid},
		"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":                                  {Browser: store.BrowserOther, System: store.SystemAndroid},
		"Mozilla/5.0 (Linux; Android 14; wv) AppleWebKit/537.36 Chrome/134.0 Mobile Safari/537.36 wxwork/4.1.38 MicroMessenger/7.0.1":                                                 {Browser: store.BrowserWeCom, System: store.SystemAndroid},
		"Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0 Safari/537.36 MicroMessenger/7.0.1 WindowsWechat WXWork/4.1.38 wxworklocal/NaN":     {Browser: store.BrowserWeCom, System: store.SystemWindows},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.50(0x18003233) NetType/WIFI Language/zh_CN": {Browser: store.BrowserWeChat, System: store.SystemIOS},
		"Mozilla/5.0 (Phone; OpenHarmony 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36 ArkWeb/6.0 Mobile HuaweiBrowser/5.1":                              {Browser: store.BrowserOther, System: store.SystemOther},
		"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 <script>alert(1)</script> Chrome/140.0.0.0 Mobile Safari/537.36":                                                          {Browser: store.BrowserChrome, System: store.SystemAndroid},
	} {
		if got := ClientOf(agent); got != want {
			t.Errorf("%s: %+v, want %+v", agent, got, want)
		}
	}
}

func TestAddressIsTheGateways(t *testing.T) {
	for remote, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "2001:DB8::7": "2001:db8::7", "fe80::1%eth0": "fe80::1",
		"": "", "203.0.113.7:80": "", "203.0.113.7, 198.51.100.1": "", "<b>": "",
	} {
		if got := AddressOf(remote); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
}
