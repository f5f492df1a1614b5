package page

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// The catalogue: what the pages say, by language and area.

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
// for a language that is none of ours. It reads the one file, each time.
func ReadTexts(tag Language, area Area) (Texts, error) {
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

// shelf keeps the languages of one area that were asked for: a function that starts
// for one visitor reads one.
type shelf struct {
	area Area
	mu   sync.Mutex
	read map[Language]Texts
}

// in returns the area in a language.
func (s *shelf) in(tag Language) (Texts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if texts, ok := s.read[tag]; ok {
		return texts, nil
	}
	texts, err := ReadTexts(tag, s.area)
	if err != nil {
		return nil, err
	}
	if s.read == nil {
		s.read = map[Language]Texts{}
	}
	s.read[tag] = texts
	return texts, nil
}
