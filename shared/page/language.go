package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/language"

	"github.com/wecom-signin/wecom-signin/shared/fault"
)

// Language is a BCP 47 tag of a language we have texts in. The zero value stands
// for DefaultLanguage.
type Language string

// The languages there are texts in. A new one is a file in texts, a line here and
// a line in Languages.
const (
	Chinese Language = "zh-CN"
	English Language = "en"

	// DefaultLanguage is for whoever asks for none.
	DefaultLanguage = Chinese
	// strangersLanguage is for whoever asks for others.
	strangersLanguage = English
)

// Languages returns all, in the order they are offered.
func Languages() []Language { return []Language{Chinese, English} }

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

//go:embed texts
var textFiles embed.FS

// Area is a part of the catalogue: one file for each language.
type Area string

// The areas of the catalogue.
const (
	SignInArea  Area = "signin"  // the sign-in page and what it says of failures
	ConsoleArea Area = "console" // the administrator's page
	SetupArea   Area = "setup"   // the guided set-up of a WeCom app in it
	CheckArea   Area = "check"   // what a check says that was tried against WeCom
)

// Texts is what an area says in one language, by key.
type Texts map[string]string

// ReadTexts returns an area of the catalogue in a language, or in DefaultLanguage
// for a language that is none of ours.
func ReadTexts(tag Language, area Area) (Texts, error) {
	if _, ok := ParseLanguage(string(tag)); !ok {
		tag = DefaultLanguage
	}
	file, err := textFiles.ReadFile("texts/" + string(tag) + "/" + string(area) + ".json")
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	texts := Texts{}
	if err := json.Unmarshal(file, &texts); err != nil {
		return nil, fmt.Errorf("read texts of %s in %s: %w", area, tag, err)
	}
	return texts, nil
}

// Text returns the text of a key. pairs are names and values for its {name} places.
// A missing text shows its key: the tests find it before a visitor does.
func (c Texts) Text(key string, pairs ...string) string {
	found, ok := c[key]
	if !ok {
		return key
	}
	places := make([]string, len(pairs))
	for i, part := range pairs {
		places[i] = part
		if i%2 == 0 {
			places[i] = "{" + part + "}"
		}
	}
	if len(places)%2 != 0 {
		return found
	}
	return strings.NewReplacer(places...).Replace(found)
}

// explained returns the codes the page has sentences for: those of the sign-in
// page in package fault.
func explained() []fault.Code {
	return []fault.Code{
		fault.StateInvalid, fault.StateExpired, fault.CookiesBlocked, fault.AccessDenied, fault.CodeInvalid,
		fault.NotAMember, fault.OtherCorp, fault.FirstSignInInWeCom, fault.PhoneNotShared, fault.PhoneInvalid,
		fault.PhoneInUse, fault.SignupClosed, fault.UserDisabled, fault.AuthenticatorUnknown,
		fault.AuthenticatorDisabled, fault.RedirectLoop, fault.WeComBusy, fault.WeComUnavailable,
		fault.WeComConfiguration, fault.Internal,
	}
}
