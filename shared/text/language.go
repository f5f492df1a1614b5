package text

import (
	"net/http"

	"golang.org/x/text/language"
)

// Language is a BCP 47 tag of a language we have texts in. The zero value stands
// for DefaultLanguage.
type Language string

// The languages there are texts in. A new one is a folder in texts, a line here, one
// in Languages and one in Name.
const (
	Chinese    Language = "zh-CN"
	English    Language = "en"
	Ukrainian  Language = "uk"
	Portuguese Language = "pt"
	Swedish    Language = "sv"
	French     Language = "fr"
	Spanish    Language = "es"

	// DefaultLanguage is for whoever asks for none.
	DefaultLanguage = Chinese
	// strangersLanguage is for whoever asks for others.
	strangersLanguage = English
)

// Languages returns all, in the order they are offered.
func Languages() []Language {
	return []Language{Chinese, English, Ukrainian, Portuguese, Swedish, French, Spanish}
}

// Name returns what the language is called in itself. It is no text of the
// catalogue: whoever offers all languages need not read them all.
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

// ParseLanguage returns the language of a tag that the page itself gave out.
func ParseLanguage(tag string) (Language, bool) {
	for _, known := range Languages() {
		if string(known) == tag {
			return known, true
		}
	}
	return "", false
}

// longestAcceptLanguage bounds what is parsed: a browser's is below 200 bytes.
const longestAcceptLanguage = 1024

// Choose returns the language for a visitor: the first of chosen that is one of
// ours (what the visitor picked), else the best for an Accept-Language header.
func Choose(acceptLanguage string, chosen ...string) Language {
	for _, tag := range chosen {
		if known, ok := ParseLanguage(tag); ok {
			return known
		}
	}
	if len(acceptLanguage) > longestAcceptLanguage {
		return DefaultLanguage
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil || len(wanted) == 0 {
		return DefaultLanguage
	}
	for i, tag := range wanted {
		wanted[i] = readsChinese(tag)
	}
	var supported []language.Tag
	for _, known := range Languages() {
		supported = append(supported, language.MustParse(string(known)))
	}
	_, index, confidence := language.NewMatcher(supported).Match(wanted...)
	if confidence == language.No {
		if wanted[0] == language.Und || acceptLanguage == "*" {
			return DefaultLanguage
		}
		return strangersLanguage
	}
	return Languages()[index]
}

// readsChinese replaces every written Chinese by the one we have. The matcher takes
// traditional characters for so different that it would rather give the visitor the
// next language, which is mostly English.
func readsChinese(tag language.Tag) language.Tag {
	base, _ := tag.Base()
	switch base.String() {
	case "zh", "yue":
		return language.MustParse(string(Chinese))
	default:
		return tag
	}
}

// languageCookie keeps the language that a visitor chose, for the next visit and for
// when WeCom sends the browser back. Sign-in page and console share it.
const languageCookie = "__Host-wecom_language"

// languageKept is how long a choice is remembered, in seconds.
const languageKept = 365 * 24 * 60 * 60

// LanguageOf returns the language to answer a request in: what the visitor picks
// now (?lang=), else picked before, else what the browser asks for.
func LanguageOf(r *http.Request) Language {
	chosen := []string{r.URL.Query().Get("lang")}
	if cookie, err := r.Cookie(languageCookie); err == nil {
		chosen = append(chosen, cookie.Value)
	}
	return Choose(r.Header.Get("Accept-Language"), chosen...)
}

// RememberLanguage keeps a visitor's choice for a year. A tag that is none of ours,
// the empty one included, is not kept and changes nothing.
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
