package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// countingReader is a directory of at most one authenticator and one application.
type countingReader struct {
	a     *Authenticator
	reads int
}

func (r *countingReader) Authenticator(context.Context, string) (Authenticator, error) {
	r.reads++
	if r.a == nil {
		return Authenticator{}, ErrNotFound
	}
	return *r.a, nil
}

func (r *countingReader) AutoLoginAuthenticator(ctx context.Context) (Authenticator, error) {
	return r.Authenticator(ctx, "")
}

func (r *countingReader) Authenticators(context.Context, Page) ([]Authenticator, string, error) {
	r.reads++
	if r.a == nil {
		return nil, "", nil
	}
	return []Authenticator{*r.a}, "", nil
}

func (r *countingReader) Application(ctx context.Context, id string) (Application, error) {
	a, err := r.Authenticator(ctx, id)
	return Application{ID: id, Enabled: a.Enabled}, err
}

func (r *countingReader) Applications(ctx context.Context, _ Page) ([]Application, string, error) {
	a, err := r.Application(ctx, "demo")
	if err != nil {
		return nil, "", nil
	}
	return []Application{a}, "", nil
}

func TestFoundIsKeptTenSecondsAndAbsentNotAtAll(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	reader := &countingReader{}
	cache := CacheAuthenticators(reader, time.Hour, func() time.Time { return now })
	applications := CacheApplications(reader, time.Hour, func() time.Time { return now })
	for name, ask := range map[string]func() (bool, error){
		"by name":   func() (bool, error) { a, err := cache.Authenticator(t.Context(), "demo"); return a.Enabled, err },
		"automatic": func() (bool, error) { a, err := cache.AutoLoginAuthenticator(t.Context()); return a.Enabled, err },
		"a page": func() (bool, error) {
			items, _, err := cache.Authenticators(t.Context(), Page{Limit: 50})
			if len(items) == 0 {
				return false, errors.Join(err, ErrNotFound)
			}
			return items[0].Enabled, err
		},
		"a page of applications": func() (bool, error) {
			items, _, err := applications.Applications(t.Context(), Page{Limit: 200})
			if len(items) == 0 {
				return false, errors.Join(err, ErrNotFound)
			}
			return items[0].Enabled, err
		},
		"an application": func() (bool, error) { a, err := applications.Application(t.Context(), "demo"); return a.Enabled, err },
	} {
		t.Run(name, func(t *testing.T) {
			expect := func(enabled bool, reads int) {
				t.Helper()
				reader.reads = 0
				got, err := ask()
				if err != nil || got != enabled || reader.reads != reads {
					t.Fatalf("%v, %v after %d reads; want %v after %d", got, err, reader.reads, enabled, reads)
				}
			}
			reader.a = nil
			for range 2 {
				if _, err := ask(); !errors.Is(err, ErrNotFound) {
					t.Fatal(err)
				}
			}
			reader.a = &Authenticator{Name: "demo", Enabled: true}
			expect(true, 1) // the absence was not kept
			reader.a = &Authenticator{Name: "demo"}
			now = now.Add(10*time.Second - time.Millisecond)
			expect(true, 0)
			now = now.Add(time.Millisecond)
			expect(false, 1)
		})
	}
}
