package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// processor is Lambda's name of this machine's: its packages are in the build cache
// already.
func processor() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

func TestBuildsAreReproducible(t *testing.T) {
	need(t, "make")
	var out bytes.Buffer
	if err := reproducible(t.Context(), repository, []string{processor()}, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	names, err := functions(repository)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != len(names)+1 {
		t.Fatalf("printed\n%s", out.String())
	}
	for i, name := range names {
		if !regexp.MustCompile(`^[0-9a-f]{64}  ` + processor() + "/" + name + `/bootstrap$`).MatchString(lines[i]) {
			t.Errorf("line %d is %q", i+1, lines[i])
		}
	}
}

// A comparison that compares a file with itself would pass for ever.
func TestOneOtherByteIsNoticed(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir()}
	for i, folder := range folders {
		for _, name := range []string{"authorize", "callback"} {
			if err := os.MkdirAll(filepath.Join(folder, "functions", name, "lambda"), 0o700); err != nil {
				t.Fatal(err)
			}
			content := []byte(name)
			if name == "callback" {
				content = append(content, byte(i))
			}
			path := filepath.Join(folder, ".build", "arm64", name, "bootstrap")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	err := compare(folders[0], folders[1], []string{"arm64"}, &out)
	if err == nil || !strings.HasPrefix(err.Error(), "callback for arm64 differs: ") || strings.Contains(err.Error(), "authorize") {
		t.Errorf("error is %v", err)
	}
	if strings.Contains(out.String(), "same bytes") {
		t.Errorf("printed\n%s", out.String())
	}
}

// The list is held against the programs themselves: the linker writes into each what
// it was linked from.
func TestListHoldsWhatTheProgramsHold(t *testing.T) {
	need(t, "make", "git")
	tool := filepath.Join(repository, ".tools", "bin", "cyclonedx-gomod")
	need(t, tool)
	folder := t.TempDir()
	path := filepath.Join(folder, "sbom.json")
	var out bytes.Buffer
	if err := writeSBOM(t.Context(), repository, tool, path, &out); err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list bom
	if err := json.Unmarshal(document, &list); err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for _, c := range list.Components {
		listed[c.Name] = c.Version
	}
	if err := build(t.Context(), repository, processor(), folder); err != nil {
		t.Fatal(err)
	}
	names, err := functions(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := buildinfo.ReadFile(filepath.Join(folder, name, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if len(info.Deps) == 0 {
			t.Errorf("%s was linked from nothing", name)
		}
		for _, module := range info.Deps {
			if module.Replace != nil || listed[module.Path] != module.Version {
				t.Errorf("%s has %s %s, the list has %q", name, module.Path, module.Version, listed[module.Path])
			}
		}
		if listed["std"] != info.GoVersion {
			t.Errorf("%s was built with %s, the list has %q", name, info.GoVersion, listed["std"])
		}
	}
}

// The list is made for the programs as they are built, which only the Makefile knows.
func TestBuildEnvironmentIsTheMakefiles(t *testing.T) {
	need(t, "make")
	for architecture, goarch := range map[string]string{"arm64": "arm64", "x86_64": "amd64"} {
		got, err := buildEnvironment(t.Context(), repository, architecture)
		want := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + goarch, "GOFLAGS=-buildvcs=false -tags=lambda.norpc"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", architecture, got, err)
		}
	}
	for name, recipe := range map[string]struct {
		line string
		want []string
	}{
		"another tag":    {"CGO_ENABLED=1 GOARCH=$(ARCH) go build -trimpath -tags=one,two -o x", []string{"CGO_ENABLED=1", "GOARCH=arm64", "GOFLAGS=-buildvcs=false -tags=one,two"}},
		"no tags":        {"CGO_ENABLED=0 GOOS=linux go build -trimpath -o x", nil},
		"no environment": {"go build -tags lambda.norpc -o x", nil},
	} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "Makefile"), []byte("build:\n\t"+recipe.line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := buildEnvironment(t.Context(), folder, "arm64"); !slices.Equal(got, recipe.want) || (err != nil) != (recipe.want == nil) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestListIsChecked(t *testing.T) {
	linked := []string{"example.com/a@v1.0.0"}
	good := `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[
		{"name":"example.com/a","version":"v1.0.0","evidence":{"licenses":[{"license":{"id":"MIT"}}]}},
		{"name":"std","version":"go1.26.8"}]}`
	if err := check([]byte(good), linked); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"a licence nobody agreed to": {`"id":"MIT"`, `"id":"AGPL-3.0-only"`, `example.com/a@v1.0.0 has the licence "AGPL-3.0-only", which is not among the allowed ones`},
		"a licence without an id":    {`"id":"MIT"`, `"name":"Beer"`, `example.com/a@v1.0.0 has the licence "Beer", which is not among the allowed ones`},
		"no licence":                 {`[{"license":{"id":"MIT"}}]`, `[]`, "example.com/a@v1.0.0 has no licence that the tool knows"},
		"another version":            {`"version":"v1.0.0"`, `"version":"v1.0.1"`, "example.com/a@v1.0.1 is in the list, but not in the programs\nexample.com/a@v1.0.0 is in the programs, but not in the list"},
		"another format":             {`"1.6"`, `"1.5"`, "the list is CycloneDX 1.5, not CycloneDX 1.6"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check([]byte(strings.Replace(good, c.old, c.new, 1)), linked)
			if err == nil || err.Error() != c.want {
				t.Errorf("error is\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

// need skips a test when a program is missing; where CI is set that is a failure.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("release: %s is missing", program)
		}
		t.Skipf("SKIP release: %s is missing", program)
	}
}
