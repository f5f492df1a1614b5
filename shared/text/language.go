package text

import (
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

// Language is the BCP 47 tag of a language of the catalogue. The zero value means
// DefaultLanguage.
type Language string

// The languages of the catalogue. A new one needs a folder in texts, a line here, one in
// Languages and one in Name.
const (
	Chinese    Language = "zh-CN"
	English    Language = "en"
	Ukrainian  Language = "uk"
	Portuguese Language = "pt"
	Swedish    Language = "sv"
	French     Language = "fr"
	Spanish    Language = "es"

	// DefaultLanguage answers requests that ask for no language.
	DefaultLanguage = Chinese
	// fallbackLanguage answers requests that ask for other languages only.
	fallbackLanguage = English
)

// Languages returns all, in the order they are offered.
func Languages() []Language {
	return []Language{Chinese, English, Ukrainian, Portuguese, Swedish, French, Spanish}
}

// Name returns the name of the language in that language. It is not in the catalogue,
// so that a list of languages need not read every one of them.
func (l Language) Name() string {
	switch l {
	case Chinese:
		return "简体中文"
	case English:
		return "English"
	case Ukrainian:
		return "Українська"
	case Portuguese:
		return "Português"
	case Swedish:
		return "Svenska"
	case French:
		return "Français"
	case Spanish:
		return "Español"
	default:
		return string(l)
	}
}

// ParseLanguage returns the language with exactly this tag.
func ParseLanguage(tag string) (Language, bool) {
	for _, known := range Languages() {
		if string(known) == tag {
			return known, true
		}
	}
	return "", false
}

// longestList bounds what is parsed: browsers and applications send less than 200 bytes.
const longestList = 1024

// Choose returns the first of chosen (what the person has picked) that is in the
// catalogue, else the best language for an Accept-Language header.
func Choose(acceptLanguage string, chosen ...string) Language {
	for _, tag := range chosen {
		if known, ok := ParseLanguage(tag); ok {
			return known
		}
	}
	if len(acceptLanguage) > longestList {
		return DefaultLanguage
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return DefaultLanguage
	}
	best, ok := match(wanted)
	switch {
	case ok:
		return best
	case wanted[0] == language.Und || acceptLanguage == "*":
		return DefaultLanguage
	}
	return fallbackLanguage
}

// Asked returns the best language for the ui_locales of an application: tags of BCP 47 in
// order of preference, separated by spaces (OpenID Connect Core 1.0 §3.1.2.1). ok is false
// if none of them is in the catalogue.
func Asked(uiLocales string) (best Language, ok bool) {
	if len(uiLocales) > longestList {
		return "", false
	}
	var wanted []language.Tag
	for _, field := range strings.Fields(uiLocales) {
		if tag, err := language.Parse(field); err == nil {
			wanted = append(wanted, tag)
		}
	}
	return match(wanted)
}

// match returns the language of the catalogue that suits best; ok is false if none does.
func match(wanted []language.Tag) (best Language, ok bool) {
	if len(wanted) == 0 {
		return "", false
	}
	for i, tag := range wanted {
		wanted[i] = readsChinese(tag)
	}
	var supported []language.Tag
	for _, known := range Languages() {
		supported = append(supported, language.MustParse(string(known)))
	}
	_, index, confidence := language.NewMatcher(supported).Match(wanted...)
	return Languages()[index], confidence != language.No
}

// readsChinese replaces every written Chinese by the one in the catalogue. The matcher
// thinks traditional characters so different that it prefers the next language in the
// header, which is mostly English.
func readsChinese(tag language.Tag) language.Tag {
	base, _ := tag.Base()
	switch base.String() {
	case "zh", "yue":
		return language.MustParse(string(Chinese))
	default:
		return tag
	}
}

// languageCookie remembers the chosen language, for later requests and for when WeCom
// redirects back. Sign-in page and console share it.
const languageCookie = "__Host-wecom_language"

// languageKept is how long the choice is remembered, in seconds.
const languageKept = 365 * 24 * 60 * 60

// LanguageOf returns the language of the answer to a request. This is the one rule:
//
//  1. what the member picks now (?lang=),
//  2. what the member has picked before and this browser remembers,
//  3. what the application asks for: asked, which are ui_locales of a request that is not in
//     the address, then ?ui_locales=, which the service's own addresses carry from page to
//     page and nothing remembers,
//  4. what the browser asks for (Accept-Language).
//
// A member's own choice comes first, because an application mostly sends the language of
// its own settings. Whatever is not in the catalogue leaves it to the next.
func LanguageOf(r *http.Request, asked ...string) Language {
	query := r.URL.Query()
	chosen := []string{query.Get("lang")}
	if cookie, err := r.Cookie(languageCookie); err == nil {
		chosen = append(chosen, cookie.Value)
	}
	for _, locales := range append(asked, query.Get("ui_locales")) {
		if best, ok := Asked(locales); ok {
			chosen = append(chosen, string(best))
		}
	}
	return Choose(r.Header.Get("Accept-Language"), chosen...)
}

// RememberLanguage remembers a choice for a year. Any tag that is not in the catalogue,
// the empty one included, changes nothing.
func RememberLanguage(w http.ResponseWriter, tag string) {
	chosen, ok := ParseLanguage(tag)
	if !ok {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: languageCookie, Value: string(chosen), Path: "/", MaxAge: languageKept,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
