package page

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// signInKeys are the keys that the pages of this package show: those in templates
// (T "key"), those in the source, and those made of codes.
func signInKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for _, code := range explained() {
		keys["error."+string(code)+".cause"] = true
		for _, visitor := range []Visitor{InWeCom, OnPhone, OnDesktop} {
			keys[todoKey(code, visitor)] = true
		}
	}
	used := regexp.MustCompile(`T "([a-z]+\.[a-z._]+)"|"((?:signin|signedin|carry|notfound)\.[a-z.]*[a-z])"`)
	sources := []string{"assets/shell.html", "assets/signin.html", "assets/notfound.html", "page.go", "signin.go"}
	for _, name := range sources {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(source), -1) {
			if key := match[1] + match[2]; !strings.HasSuffix(key, ".html") {
				keys[key] = true
			}
		}
	}
	return keys
}

func TestEveryLanguageHasEveryTextOfThePageAndNoOther(t *testing.T) {
	keys := signInKeys(t)
	if len(keys) < 60 {
		t.Fatalf("found only %d keys: the search is broken", len(keys))
	}
	for _, tag := range Languages() {
		texts, err := ReadTexts(tag, SignInArea)
		if err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			if strings.TrimSpace(texts[key]) == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
		}
		for key := range texts {
			if !keys[key] {
				t.Errorf("%s has %s, which nothing shows", tag, key)
			}
		}
	}
}

// Every area of the catalogue says the same things in every language, with the same
// places; English is what the others are compared with.
func TestTranslationsHaveTheSameKeysAndPlaces(t *testing.T) {
	places := regexp.MustCompile(`\{[A-Za-z]+\}`)
	in := func(text string) []string {
		found := places.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, area := range []Area{SignInArea, ConsoleArea, SetupArea, CheckArea} {
		reference, err := ReadTexts(English, area)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range Languages() {
			texts, err := ReadTexts(tag, area)
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
	areas := []string{string(SignInArea), string(ConsoleArea), string(SetupArea), string(CheckArea)}
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
	english, err := ReadTexts(English, SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	chinese, err := ReadTexts(Chinese, SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	unknown, err := ReadTexts("tlh", SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	if got := unknown.Text("signin.title"); got != chinese["signin.title"] || got == english["signin.title"] {
		t.Errorf("a language that is none of ours gets %q", got)
	}
	if _, err := ReadTexts(English, "cellar"); err == nil {
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
	pages, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages.texts.read) != 0 {
		t.Errorf("%d languages were read for nobody", len(pages.texts.read))
	}
	for range 2 {
		if _, err := pages.shell(Swedish, self); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := pages.texts.read[Swedish]; !ok || len(pages.texts.read) != 1 {
		t.Errorf("%d languages were read for one visitor", len(pages.texts.read))
	}
}
