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

// Read returns an area in a language, or in DefaultLanguage for a language we do not
// have. It reads and parses one embedded file at each call.
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

// textFile is the place of an area in a language.
func textFile(tag Language, area Area) string {
	return "texts/" + string(tag) + "/" + string(area) + ".json"
}

// Text returns the text of a key. pairs are names and values for its {name} places.
// A missing text shows its key: the tests find it before a visitor does.
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

// Catalogue reads the languages of one area when they are asked for, and keeps them: a
// function that starts for one visitor reads one. It is safe for concurrent use.
type Catalogue struct {
	area Area
	mu   sync.Mutex
	read map[Language]Texts
}

// NewCatalogue returns the catalogue of an area; nothing is read yet.
func NewCatalogue(area Area) *Catalogue { return &Catalogue{area: area, read: map[Language]Texts{}} }

// In returns the texts in a language, or in DefaultLanguage for a language we do not have.
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
