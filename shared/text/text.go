package text

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

//go:embed texts
var textFiles embed.FS

// Area is a part of the catalogue, with one file per language.
type Area string

// The areas of the catalogue.
const (
	SignInArea  Area = "signin"  // the sign-in page and what it says of failures
	ConsoleArea Area = "console" // the administrator's page
	// ApplicationsArea has the texts of its pages about applications.
	ApplicationsArea Area = "applications"
	// RulesArea has those about roles and access by WeCom's directory.
	RulesArea  Area = "rules"
	OpenIDArea Area = "openid" // the pages of the OpenID provider
	// LookupArea has those about finding imported users in WeCom.
	LookupArea Area = "lookup"
	MemberArea Area = "member" // the member's page
	AuditArea  Area = "audit"  // its page about the audit
	SetupArea  Area = "setup"  // its guided set-up of a WeCom app
	CheckArea  Area = "check"  // the results of checks
)

// Texts are the texts of an area in one language, by key.
type Texts map[string]string

// Read returns the texts of an area in a language, or in DefaultLanguage if the catalogue
// does not have it. Each call reads and parses an embedded file.
func Read(tag Language, area Area) (Texts, error) {
	if _, ok := ParseLanguage(string(tag)); !ok {
		tag = DefaultLanguage
	}
	file, err := textFiles.ReadFile(textFile(tag, area))
	if err != nil {
		return nil, fmt.Errorf("read texts: %w", err)
	}
	texts := Texts{}
	if err := json.Unmarshal(file, &texts); err != nil {
		return nil, fmt.Errorf("read texts of %s in %s: %w", area, tag, err)
	}
	return texts, nil
}

// textFile returns the path of an area in a language.
func textFile(tag Language, area Area) string {
	return "texts/" + string(tag) + "/" + string(area) + ".json"
}

// Text returns the text of a key. pairs are names and values for its {name} places. A
// missing text shows as its key, and fails the tests.
func (t Texts) Text(key string, pairs ...string) string {
	found, ok := t[key]
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

// Catalogue reads the languages of one area on demand and keeps them, because most
// processes of a function need only one. It is safe for concurrent use.
type Catalogue struct {
	area Area
	mu   sync.Mutex
	read map[Language]Texts
}

// NewCatalogue returns the catalogue of an area. It reads nothing yet.
func NewCatalogue(area Area) *Catalogue { return &Catalogue{area: area, read: map[Language]Texts{}} }

// In returns the texts in a language, or in DefaultLanguage if the catalogue does not have
// it.
func (c *Catalogue) In(tag Language) (Texts, error) {
	if _, ok := ParseLanguage(string(tag)); !ok {
		tag = DefaultLanguage
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if texts, ok := c.read[tag]; ok {
		return texts, nil
	}
	texts, err := Read(tag, c.area)
	if err != nil {
		return nil, err
	}
	c.read[tag] = texts
	return texts, nil
}
