package text

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every area of the catalogue says the same things in every language, with the same
// places; English is what the others are compared with.
func TestTranslationsHaveTheSameKeysAndPlaces(t *testing.T) {
	places := regexp.MustCompile(`\{[A-Za-z]+\}`)
	in := func(text string) []string {
		found := places.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, area := range []Area{SignInArea, OpenIDArea, MemberArea, ConsoleArea, ApplicationsArea, LookupArea, RulesArea, SetupArea, AuditArea, CheckArea} {
		reference, err := Read(English, area)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range Languages() {
			texts, err := Read(tag, area)
			if err != nil {
				t.Fatal(err)
			}
			for key, text := range texts {
				original, ok := reference[key]
				if !ok {
					t.Errorf("%s, %s: %s is not in English", area, tag, key)
				} else if !slices.Equal(in(text), in(original)) {
					t.Errorf("%s, %s: %s has the places %q, in English %q", area, tag, key, in(text), in(original))
				}
				if text != strings.TrimSpace(text) {
					t.Errorf("%s, %s: %s begins or ends with a blank", area, tag, key)
				}
			}
			for key := range reference {
				if strings.TrimSpace(texts[key]) == "" {
					t.Errorf("%s, %s: %s is missing", area, tag, key)
				}
			}
		}
	}
}

// A file that no language or area claims is never shown, and easily forgotten.
func TestNoTextFileIsForgotten(t *testing.T) {
	areas := []string{string(SignInArea), string(OpenIDArea), string(MemberArea), string(ConsoleArea), string(ApplicationsArea), string(LookupArea), string(RulesArea), string(SetupArea), string(AuditArea), string(CheckArea)}
	err := fs.WalkDir(textFiles, "texts", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		area, isText := strings.CutSuffix(path.Base(name), ".json")
		if _, known := ParseLanguage(path.Base(path.Dir(name))); !known || !isText || !slices.Contains(areas, area) {
			t.Errorf("%s belongs to no language or no area", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnknownLanguageReadsChinese(t *testing.T) {
	english, err := Read(English, SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	chinese, err := Read(Chinese, SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := Read("tlh", SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	if got := unknown.Text("signin.title"); got != chinese["signin.title"] || got == english["signin.title"] {
		t.Errorf("an unknown language gets %q", got)
	}
	if _, err := Read(English, "cellar"); err == nil {
		t.Error("an area that does not exist has texts")
	}
}

func TestText(t *testing.T) {
	texts := Texts{"a": "Hello {name}, {name} of {corp}", "b": "plain"}
	for _, test := range []struct {
		key   string
		pairs []string
		want  string
	}{
		{"a", []string{"name", "张三", "corp", "{name}"}, "Hello 张三, 张三 of {name}"},
		{"a", nil, "Hello {name}, {name} of {corp}"},
		{"a", []string{"name"}, "Hello {name}, {name} of {corp}"},
		{"b", []string{"name", "x"}, "plain"},
		{"c", nil, "c"},
	} {
		if got := texts.Text(test.key, test.pairs...); got != test.want {
			t.Errorf("%s %q: %q, want %q", test.key, test.pairs, got, test.want)
		}
	}
}

func TestOnlyTheLanguageAskedForIsRead(t *testing.T) {
	catalogue := NewCatalogue(SignInArea)
	for range 2 {
		if _, err := catalogue.In(Swedish); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := catalogue.read[Swedish]; !ok || len(catalogue.read) != 1 {
		t.Errorf("%d languages were read for one request", len(catalogue.read))
	}
}
