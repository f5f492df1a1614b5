package sealedfile_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/secret/secrettest"
)

var version = strings.Repeat("1", 32)

func in(dir string) sealedfile.Config {
	return sealedfile.Config{Path: filepath.Join(dir, "secrets"), KeyPath: filepath.Join(dir, "key", "secrets.key")}
}

func open(t *testing.T, cfg sealedfile.Config) *sealedfile.Store {
	t.Helper()
	s, err := sealedfile.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuite(t *testing.T) {
	secrettest.Run(t, func(t *testing.T) secret.Store { return open(t, in(t.TempDir())) })
}

func TestFilesOpenAgainAndShowNothing(t *testing.T) {
	cfg := in(t.TempDir())
	s := open(t, cfg)
	const content = "the-secret-of-the-app"
	for _, name := range []string{"first", "second"} {
		if err := s.Create(t.Context(), name, version, secret.NewValue(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), "first", strings.Repeat("2", 32), secret.NewValue(content+"-2")); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	again := open(t, cfg)
	for wanted, of := range map[string]string{content: version, content + "-2": secret.Current} {
		if got, err := again.Get(t.Context(), "first", of); err != nil || got.Reveal() != wanted {
			t.Errorf("version %q: %v", of, err)
		}
	}
	if _, err := again.Get(t.Context(), "second", secret.Current); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("deleted: got %v", err)
	}
	err := filepath.WalkDir(filepath.Dir(cfg.Path), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("secret-of")) || bytes.Contains(text, []byte("first")) {
			t.Errorf("%s holds a secret or its name in clear", path)
		}
		if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v", again, again); strings.Contains(shown, "secret-of") {
		t.Error("a printer shows a secret")
	}
}

func TestOpenRefusesWhatItCannotOpen(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, cfg sealedfile.Config)
		want  string // part of the error
	}{
		{"key file missing", func(t *testing.T, cfg sealedfile.Config) {
			remove(t, cfg.KeyPath)
		}, "is missing"},
		{"another key", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.KeyPath, strings.Repeat("ab", 32))
		}, "does not fit"},
		{"key cut short", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.KeyPath, strings.Repeat("ab", 31))
		}, "32 bytes"},
		{"key not in hex", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.KeyPath, strings.Repeat("xy", 32))
		}, "32 bytes"},
		{"key file empty", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.KeyPath, "")
		}, "32 bytes"},
		{"key file for everybody", func(t *testing.T, cfg sealedfile.Config) {
			if err := os.Chmod(cfg.KeyPath, 0o644); err != nil {
				t.Fatal(err)
			}
		}, "chmod 600"},
		{"sealed file damaged", func(t *testing.T, cfg sealedfile.Config) {
			text, err := os.ReadFile(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)-20] ^= 1
			write(t, cfg.Path, string(text))
		}, "damaged"},
		{"sealed file cut short", func(t *testing.T, cfg sealedfile.Config) {
			if err := os.Truncate(cfg.Path, 40); err != nil {
				t.Fatal(err)
			}
		}, "not a file of sealed secrets"},
		{"sealed file empty", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.Path, "")
		}, "not a file of sealed secrets"},
		{"something else", func(t *testing.T, cfg sealedfile.Config) {
			write(t, cfg.Path, `{"first":{}}`)
		}, "not a file of sealed secrets"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := in(t.TempDir())
			if err := open(t, cfg).Create(t.Context(), "first", version, secret.NewValue("one")); err != nil {
				t.Fatal(err)
			}
			key, _ := os.ReadFile(cfg.KeyPath)
			test.spoil(t, cfg)
			sealed, _ := os.ReadFile(cfg.Path)
			_, err := sealedfile.Open(cfg)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v; want %q in it", err, test.want)
			}
			if strings.Contains(err.Error(), string(key[:8])) {
				t.Errorf("the error shows the key: %v", err)
			}
			if after, _ := os.ReadFile(cfg.Path); !bytes.Equal(sealed, after) {
				t.Error("the sealed file was touched")
			}
			if _, err := os.Stat(cfg.KeyPath); test.want == "is missing" && !errors.Is(err, fs.ErrNotExist) {
				t.Error("a new key was made")
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	cfg := in(t.TempDir())
	s := open(t, cfg)
	if err := s.Create(t.Context(), "first", version, secret.NewValue("one")); err != nil {
		t.Fatal(err)
	}
	// A folder in the way of the next file.
	if err := os.MkdirAll(filepath.Join(cfg.Path+".new", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "second", version, secret.NewValue("two")); err == nil {
		t.Fatal("written")
	}
	if _, err := s.Get(t.Context(), "second", version); !errors.Is(err, secret.ErrNotFound) {
		t.Errorf("a refused secret is there: %v", err)
	}
	if got, err := open(t, cfg).Get(t.Context(), "first", version); err != nil || got.Reveal() != "one" {
		t.Errorf("the secret before: %v", err)
	}
}

const writerDir = "SEALEDFILE_TEST_WRITER_DIR"

// TestMain lets the test binary be the process that TestSurvivesKill kills.
func TestMain(m *testing.M) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	s, err := sealedfile.Open(in(dir))
	for i := 0; err == nil; i++ {
		name := fmt.Sprint("secret-", i)
		if err = s.Create(context.Background(), name, version, secret.NewValue(name)); err == nil {
			fmt.Println(name) // unbuffered: answered
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestAnAnsweredWriteSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		cfg := filepath.Join(dir, fmt.Sprint(round))
		writer := exec.CommandContext(t.Context(), self)
		writer.Env = append(os.Environ(), writerDir+"="+cfg)
		writer.Stderr = t.Output()
		answers, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		var answered []string
		lines := bufio.NewScanner(answers)
		for lines.Scan() {
			answered = append(answered, lines.Text())
			if len(answered) == 10+7*round {
				_ = writer.Process.Kill() // SIGKILL; what was answered meanwhile is read to the end
			}
		}
		_ = writer.Wait()
		s := open(t, in(cfg))
		for _, name := range answered {
			if got, err := s.Get(t.Context(), name, version); err != nil || got.Reveal() != name {
				t.Errorf("round %d: %s was answered and is lost: %v", round, name, err)
			}
		}
		if err := s.Create(t.Context(), "after", version, secret.NewValue("x")); err != nil {
			t.Errorf("round %d: writing goes on: %v", round, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	cfg := in(dir)
	s, err := sealedfile.Open(cfg)
	if err != nil {
		f.Fatal(err)
	}
	if err := s.Create(f.Context(), "first", version, secret.NewValue("one")); err != nil {
		f.Fatal(err)
	}
	sealed, err := os.ReadFile(cfg.Path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("wecom-signin sealed secrets 1\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(cfg.Path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sealedfile.Open(cfg); err == nil && !bytes.Equal(content, sealed) {
			t.Error("opened what was not sealed here")
		}
	})
}
