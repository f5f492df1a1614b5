package main

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostBytes is how large a picture may be: pages are read over slow networks too.
const mostBytes = 150_000

// The pages show pictures that this command makes, and no others: what it does not
// make goes stale.
func TestPagesShowOnlyWhatIsMade(t *testing.T) {
	const root = "../.."
	made := map[string]string{} // to their language
	for _, language := range languages() {
		for _, name := range names() {
			made[fileName(name, language.tag)] = language.tag
		}
	}
	shown := regexp.MustCompile(`images/([^)"\s]+)`)
	check := func(path string) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		tag := "en"
		if strings.HasSuffix(path, ".zh-CN.md") {
			tag = "zh-CN"
		}
		for _, match := range shown.FindAllSubmatch(content, -1) {
			switch language, ok := made[string(match[1])]; {
			case !ok:
				t.Errorf("%s shows %s, which make screenshots does not make", path, match[1])
			case language != tag:
				t.Errorf("%s shows %s, which is in another language", path, match[1])
			}
		}
	}
	check(root + "/README.md")
	check(root + "/README.zh-CN.md")
	err := filepath.WalkDir(root+"/docs", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			check(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadDir(root + "/docs/images")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range kept {
		if made[file.Name()] == "" {
			t.Errorf("make screenshots does not make %s: remove it", file.Name())
		}
		if info, err := file.Info(); err != nil || info.Size() > mostBytes {
			t.Errorf("%s has %d bytes, more than %d (%v)", file.Name(), info.Size(), mostBytes, err)
		}
		delete(made, file.Name())
	}
	for name := range made {
		t.Errorf("%s is missing (make screenshots)", name)
	}
}

// A page of few colors keeps every one; of many it keeps the size.
func TestPack(t *testing.T) {
	size := image.Rect(0, 0, 64, 64)
	few, many := image.NewRGBA(size), image.NewRGBA(size)
	draw.Draw(few, size, image.NewUniform(color.RGBA{1, 2, 3, 0xff}), image.Point{}, draw.Src)
	few.Set(5, 6, color.RGBA{200, 100, 50, 0xff})
	for y := range 64 {
		for x := range 64 {
			many.Set(x, y, color.RGBA{uint8(x * 4), uint8(y * 4), 0xff, 0xff})
		}
	}
	for _, picture := range []image.Image{few, many} {
		var shot bytes.Buffer
		if err := png.Encode(&shot, picture); err != nil {
			t.Fatal(err)
		}
		packed, err := pack(shot.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		small, err := png.Decode(bytes.NewReader(packed))
		if err != nil || small.Bounds() != size {
			t.Fatal(err)
		}
		for y := range 64 {
			for x := range 64 {
				if was, is := colorAt(picture, x, y), colorAt(small, x, y); was != is && picture == image.Image(few) {
					t.Fatalf("%v became %v", was, is)
				}
			}
		}
	}
	if _, err := pack([]byte("no picture")); err == nil {
		t.Error("something else was packed")
	}
}
