package text

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		accept string
		chosen []string
		want   Language
	}{
		{"", nil, Chinese},
		{"*", nil, Chinese},
		{"zh", nil, Chinese},
		{"zh-CN,zh;q=0.9", nil, Chinese},
		{"zh-Hans-SG", nil, Chinese},
		{"zh-TW", nil, Chinese},
		{"zh-Hant", nil, Chinese},
		{"zh-TW,zh;q=0.9,en-US;q=0.8,en;q=0.7", nil, Chinese},
		{"zh-Hant-HK,en;q=0.8", nil, Chinese},
		{"zh-MO,pt;q=0.8", nil, Chinese},
		{"yue-HK,en;q=0.5", nil, Chinese},
		{"en-GB,en;q=0.8,zh;q=0.5", nil, English},
		{"en-IN", nil, English},
		{"zh;q=0.2,en;q=0.9", nil, English},
		{"uk", nil, Ukrainian},
		{"uk-UA,uk;q=0.9,ru;q=0.8,en-US;q=0.7,en;q=0.6", nil, Ukrainian},
		{"ru-UA,uk;q=0.8,en;q=0.5", nil, Ukrainian},
		{"pt-BR", nil, Portuguese},
		{"pt-PT,en;q=0.9", nil, Portuguese},
		{"sv-FI", nil, Swedish},
		{"sv-SE,sv;q=0.9,en;q=0.8", nil, Swedish},
		{"fr-FR,fr;q=0.9", nil, French},
		{"fr-CH,de;q=0.9", nil, French},
		{"fr-CA,en;q=0.9", nil, French},
		{"fr, zh;q=0.5", nil, French},
		{"es-MX", nil, Spanish},
		{"es-419,es;q=0.9", nil, Spanish},
		{"ES-ar", nil, Spanish},
		{"de-AT,de;q=0.9,fr;q=0.5", nil, French},
		{"de", nil, English},
		{"ru,en;q=0.5", nil, English},
		{"ru", nil, English},
		{"nb-NO,nb;q=0.9", nil, English},
		{"ja,ko;q=0.5", nil, English},
		{"x-klingon", nil, English},
		{"en", []string{"zh-CN"}, Chinese},
		{"en", []string{"uk"}, Ukrainian},
		{"zh", []string{"", "en"}, English},
		{"en", []string{"pt-BR"}, English},
		{"en", []string{"<script>", "xx"}, English},
		{";;;,=q", nil, Chinese},
		{strings.Repeat("en,", 1000), nil, Chinese},
	} {
		if got := Choose(test.accept, test.chosen...); got != test.want {
			t.Errorf("Choose(%.30q, %q) = %s, want %s", test.accept, test.chosen, got, test.want)
		}
	}
}

func TestLanguageOfARequest(t *testing.T) {
	for _, test := range []struct {
		name, query, cookie, accept string
		want                        Language
	}{
		{"nothing asked for", "", "", "", Chinese},
		{"the browser's", "", "", "en-GB,en;q=0.9", English},
		{"picked before", "", "zh-CN", "en", Chinese},
		{"picked now", "?lang=en", "zh-CN", "zh-CN", English},
		{"an unknown pick leaves the earlier one", "?lang=xx", "fr", "zh-CN", French},
		{"an unknown cookie leaves the browser's", "", "tlh", "en", English},
		{"the first of several picks", "?lang=sv&lang=en", "", "en", Swedish},
		{"a broken query", "?lang=%zz", "", "en", English},
		{"asked for by an application", "?ui_locales=sv", "", "en", Swedish},
		{"in its order", "?ui_locales=ja+pt-BR+sv", "", "en", Portuguese},
		{"the member's choice before it", "?ui_locales=sv", "fr", "en", French},
		{"and what is picked now before both", "?ui_locales=sv&lang=es", "fr", "en", Spanish},
		{"languages that are not in the catalogue", "?ui_locales=ja+de+%3Cscript%3E", "", "fr", French},
		{"a list that is too long", "?ui_locales=" + strings.Repeat("sv+", 400), "", "en", English},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "https://signin.example.com/signin"+test.query, nil)
			if test.cookie != "" {
				r.AddCookie(&http.Cookie{Name: languageCookie, Value: test.cookie})
			}
			if test.accept != "" {
				r.Header.Set("Accept-Language", test.accept)
			}
			if got := LanguageOf(r); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// What an application asks for may be in a request that is not in the address.
func TestLanguageOfAKeptRequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://signin.example.com/oauth2/authorize?ui_locales=sv", nil)
	r.Header.Set("Accept-Language", "en")
	for asked, want := range map[string]Language{"uk-UA en": Ukrainian, "ja": Swedish, "": Swedish} {
		if got := LanguageOf(r, asked); got != want {
			t.Errorf("%q: %s, want %s", asked, got, want)
		}
	}
	r.AddCookie(&http.Cookie{Name: languageCookie, Value: "fr"})
	if got := LanguageOf(r, "uk"); got != French {
		t.Errorf("with a remembered choice: %s", got)
	}
}

func TestRememberLanguage(t *testing.T) {
	tests := map[string]string{"": "", "xx": "", "EN": "", "en\r\nSet-Cookie: a=b": ""}
	for _, tag := range Languages() {
		tests[string(tag)] = "__Host-wecom_language=" + string(tag) + "; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax"
	}
	for tag, want := range tests {
		w := httptest.NewRecorder()
		RememberLanguage(w, tag)
		if got := w.Header().Get("Set-Cookie"); got != want {
			t.Errorf("%q sets %q, want %q", tag, got, want)
		}
	}
}
