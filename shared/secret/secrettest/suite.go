package secrettest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Versions for the suite: 32 characters at least.
var (
	v1 = strings.Repeat("1", 32)
	v2 = strings.Repeat("a-Z2", 16)
	v3 = "01890a5d-ac96-774b-bcce-b302099a8057"
)

// Run tests every promise of secret.Store on the stores that open returns. Each test uses
// its own names, so that they may share one store.
func Run(t *testing.T, open func(t *testing.T) secret.Store) {
	promises := []struct {
		name string
		try  func(t *testing.T, s secret.Store, name string)
	}{
		{"create and get", createAndGet},
		{"the first version has the name it was given", firstVersion},
		{"create twice", createTwice},
		{"put", put},
		{"put a version twice", putTwice},
		{"delete", del},
		{"a deleted name is used again", reuse},
		{"absent", absent},
		{"bad versions", badVersions},
		{"values", values},
		{"names", names},
		{"racing creates", racingCreates},
		{"racing writers lose nothing", racingWriters},
	}
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			name := "suite/" + strings.ReplaceAll(promise.name, " ", "-")
			promise.try(t, open(t), name)
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v; want %v", what, err, want)
	}
}

func wantValue(t *testing.T, s secret.Store, name, version, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), name, version)
	if err != nil || got.Reveal() != want {
		t.Errorf("get version %q: got %d bytes, %v; want %q", version, len(got.Reveal()), err, want)
	}
}

func createAndGet(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	wantValue(t, s, name, secret.Current, "one")
}

func firstVersion(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	wantValue(t, s, name, v1, "one")
	must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
	wantValue(t, s, name, v1, "one")
}

func createTwice(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	// A request that is repeated because its answer was lost.
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	wantErr(t, "same version, other value", s.Create(t.Context(), name, v1, secret.NewValue("two")), secret.ErrExists)
	wantErr(t, "other version", s.Create(t.Context(), name, v2, secret.NewValue("two")), secret.ErrExists)
	wantErr(t, "other version, same value", s.Create(t.Context(), name, v2, secret.NewValue("one")), secret.ErrExists)
	wantValue(t, s, name, secret.Current, "one")
	_, err := s.Get(t.Context(), name, v2)
	wantErr(t, "the refused version", err, secret.ErrNotFound)
}

func put(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
	wantValue(t, s, name, secret.Current, "two")
	wantValue(t, s, name, v2, "two")
	must(t, s.Put(t.Context(), name, v3, secret.NewValue("three")))
	wantValue(t, s, name, secret.Current, "three")
	wantValue(t, s, name, v2, "two")
	wantValue(t, s, name, v3, "three")
}

func putTwice(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
	must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
	wantErr(t, "a used version", s.Put(t.Context(), name, v2, secret.NewValue("three")), secret.ErrExists)
	wantErr(t, "the first version", s.Put(t.Context(), name, v1, secret.NewValue("three")), secret.ErrExists)
	wantValue(t, s, name, v1, "one")
	wantValue(t, s, name, secret.Current, "two")
}

func del(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	must(t, s.Create(t.Context(), name+"-other", v1, secret.NewValue("other")))
	must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
	must(t, s.Delete(t.Context(), name))
	for _, version := range []string{secret.Current, v1, v2} {
		_, err := s.Get(t.Context(), name, version)
		wantErr(t, "get "+version, err, secret.ErrNotFound)
	}
	wantErr(t, "put", s.Put(t.Context(), name, v3, secret.NewValue("three")), secret.ErrNotFound)
	must(t, s.Delete(t.Context(), name))
	wantValue(t, s, name+"-other", secret.Current, "other")
}

func reuse(t *testing.T, s secret.Store, name string) {
	for range 3 {
		must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
		must(t, s.Put(t.Context(), name, v2, secret.NewValue("two")))
		must(t, s.Delete(t.Context(), name))
	}
	// No version or value of the earlier secret comes back.
	must(t, s.Create(t.Context(), name, v2, secret.NewValue("new")))
	wantValue(t, s, name, secret.Current, "new")
	_, err := s.Get(t.Context(), name, v1)
	wantErr(t, "a version from before", err, secret.ErrNotFound)
}

func absent(t *testing.T, s secret.Store, name string) {
	_, err := s.Get(t.Context(), name, secret.Current)
	wantErr(t, "get", err, secret.ErrNotFound)
	_, err = s.Get(t.Context(), name, v1)
	wantErr(t, "get a version", err, secret.ErrNotFound)
	wantErr(t, "put", s.Put(t.Context(), name, v1, secret.NewValue("one")), secret.ErrNotFound)
	_, err = s.Get(t.Context(), name, secret.Current)
	wantErr(t, "get after put", err, secret.ErrNotFound)
	must(t, s.Delete(t.Context(), name))
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	_, err = s.Get(t.Context(), name, v2)
	wantErr(t, "get another version", err, secret.ErrNotFound)
}

func badVersions(t *testing.T, s secret.Store, name string) {
	must(t, s.Create(t.Context(), name, v1, secret.NewValue("one")))
	for _, version := range []string{"x", strings.Repeat("1", 31), strings.Repeat("1", 65), strings.Repeat("_", 32), strings.Repeat("é", 20)} {
		if err := s.Create(t.Context(), name+"-new", version, secret.NewValue("two")); err == nil {
			t.Errorf("create with version %q", version)
		}
		if err := s.Put(t.Context(), name, version, secret.NewValue("two")); err == nil {
			t.Errorf("put with version %q", version)
		}
		_, err := s.Get(t.Context(), name, version)
		wantErr(t, fmt.Sprintf("get version %q", version), err, secret.ErrNotFound)
	}
	// Current is for reading: a writer that chose no version must not get one.
	if err := s.Put(t.Context(), name, "", secret.NewValue("two")); err == nil {
		t.Error("put without a version")
	}
	if err := s.Create(t.Context(), name+"-new", "", secret.NewValue("two")); err == nil {
		t.Error("create without a version")
	}
	_, err := s.Get(t.Context(), name+"-new", secret.Current)
	wantErr(t, "get what was refused", err, secret.ErrNotFound)
	wantValue(t, s, name, secret.Current, "one")
}

func values(t *testing.T, s secret.Store, name string) {
	for i, value := range []string{"密钥 \"'<>&\\\n\r\t", "{\"json\": 1}", strings.Repeat("k", 60<<10)} {
		each := fmt.Sprintf("%s-%d", name, i)
		must(t, s.Create(t.Context(), each, v1, secret.NewValue(value)))
		wantValue(t, s, each, secret.Current, value)
	}
	if err := s.Create(t.Context(), name+"-empty", v1, secret.Value{}); err == nil {
		t.Error("an empty secret was created")
	}
	if err := s.Put(t.Context(), name+"-0", v2, secret.Value{}); err == nil {
		t.Error("an empty secret was put")
	}
	for _, value := range []string{strings.Repeat("k", 64<<10+1), "not \xff UTF-8"} {
		if err := s.Put(t.Context(), name+"-0", v3, secret.NewValue(value)); err == nil {
			t.Errorf("a value of %d bytes was put that not every engine keeps", len(value))
		}
	}
}

func names(t *testing.T, s secret.Store, name string) {
	list := []string{name, name + "/a", name + "/A", name + "-abcdef", name + "_+=.@-"}
	for _, each := range list {
		must(t, s.Create(t.Context(), each, v1, secret.NewValue("of "+each)))
	}
	for _, each := range list {
		wantValue(t, s, each, secret.Current, "of "+each)
	}
	for _, bad := range []string{"", name + " b", name + "密", name + "\x00", strings.Repeat("n", 513)} {
		if err := s.Create(t.Context(), bad, v1, secret.NewValue("one")); err == nil {
			t.Errorf("the name %q was taken", bad)
		}
	}
}

func racingCreates(t *testing.T, s secret.Store, name string) {
	var group sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		group.Go(func() {
			results[i] = s.Create(t.Context(), name, version(i), secret.NewValue(fmt.Sprint("value ", i)))
		})
	}
	group.Wait()
	winner := -1
	for i, err := range results {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("both %d and %d created it", winner, i)
		default:
			wantErr(t, fmt.Sprint("creator ", i), err, secret.ErrExists)
		}
	}
	if winner < 0 {
		t.Fatal("nobody created it")
	}
	wantValue(t, s, name, secret.Current, fmt.Sprint("value ", winner))
}

func racingWriters(t *testing.T, s secret.Store, name string) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			own := fmt.Sprintf("%s-%d", name, i)
			if err := s.Create(t.Context(), own, v1, secret.NewValue("one")); err != nil {
				t.Error(err)
			}
			if err := s.Put(t.Context(), own, v2, secret.NewValue("two")); err != nil {
				t.Error(err)
			}
			if err := s.Put(t.Context(), own, v3, secret.NewValue("three")); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 8 {
		own := fmt.Sprintf("%s-%d", name, i)
		wantValue(t, s, own, v2, "two")
		wantValue(t, s, own, secret.Current, "three")
	}
}

func version(i int) string { return fmt.Sprintf("%032d", i) }
