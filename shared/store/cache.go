package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// AuthenticatorReader reads authenticators; Directory implements it.
type AuthenticatorReader interface {
	Authenticator(ctx context.Context, name string) (Authenticator, error)
	AutoLoginAuthenticator(ctx context.Context) (Authenticator, error)
	Authenticators(ctx context.Context, page Page) (items []Authenticator, next string, err error)
}

// cachedAtMost bounds the memory of a cache. Names come from requests, but only existing
// ones are cached.
const cachedAtMost = 1000

// CachedAuthenticators caches authenticators for a short time, so that a busy function does
// not read them for every request. It does not cache their absence: a new authenticator
// works at once.
type CachedAuthenticators struct {
	reader AuthenticatorReader
	recent recent[cacheKey, cacheEntry]
}

// cacheKey is a query: for an authenticator by name, the automatic one, or a page.
type cacheKey struct {
	question string
	name     string
	page     Page
}

type cacheEntry struct {
	items []Authenticator
	next  string
}

// CacheAuthenticators returns a cache in front of a reader. age is at most 10 s, the
// longest that an administrator may wait for a change to take effect.
func CacheAuthenticators(reader AuthenticatorReader, age time.Duration, now func() time.Time) *CachedAuthenticators {
	return &CachedAuthenticators{reader: reader, recent: newRecent[cacheKey, cacheEntry](age, now)}
}

// Authenticator implements AuthenticatorReader.
func (c *CachedAuthenticators) Authenticator(ctx context.Context, name string) (Authenticator, error) {
	return c.one(cacheKey{question: "name", name: name}, func() (Authenticator, error) {
		return c.reader.Authenticator(ctx, name)
	})
}

// AutoLoginAuthenticator implements AuthenticatorReader.
func (c *CachedAuthenticators) AutoLoginAuthenticator(ctx context.Context) (Authenticator, error) {
	return c.one(cacheKey{question: "auto-login"}, func() (Authenticator, error) {
		return c.reader.AutoLoginAuthenticator(ctx)
	})
}

// Authenticators implements AuthenticatorReader.
func (c *CachedAuthenticators) Authenticators(ctx context.Context, page Page) ([]Authenticator, string, error) {
	entry, err := c.recent.read(cacheKey{question: "page", page: page}, func() (cacheEntry, error) {
		items, next, err := c.reader.Authenticators(ctx, page)
		if err == nil && len(items) == 0 {
			return cacheEntry{}, errNothing
		}
		return cacheEntry{items: items, next: next}, err
	})
	if errors.Is(err, errNothing) {
		return nil, "", nil
	}
	return append([]Authenticator(nil), entry.items...), entry.next, err
}

// errNothing: an empty page, which is an absence and not cached.
var errNothing = errors.New("nothing")

func (c *CachedAuthenticators) one(key cacheKey, read func() (Authenticator, error)) (Authenticator, error) {
	entry, err := c.recent.read(key, func() (cacheEntry, error) {
		a, err := read()
		return cacheEntry{items: []Authenticator{a}}, err
	})
	if err != nil {
		return Authenticator{}, err
	}
	return entry.items[0], nil
}

// ApplicationReader reads applications; ProviderEngine implements it.
type ApplicationReader interface {
	Application(ctx context.Context, id string) (Application, error)
}

// CachedApplications caches applications as CachedAuthenticators does authenticators.
type CachedApplications struct {
	reader ApplicationReader
	recent recent[string, Application]
}

// CacheApplications returns a cache in front of a reader. age is at most 10 s.
func CacheApplications(reader ApplicationReader, age time.Duration, now func() time.Time) *CachedApplications {
	return &CachedApplications{reader: reader, recent: newRecent[string, Application](age, now)}
}

// Application implements ApplicationReader.
func (c *CachedApplications) Application(ctx context.Context, id string) (Application, error) {
	return c.recent.read(id, func() (Application, error) { return c.reader.Application(ctx, id) })
}

// recent keeps what was read a short time ago, and no failure.
type recent[K comparable, V any] struct {
	age time.Duration
	now func() time.Time

	mu      sync.Mutex
	entries map[K]dated[V]
}

type dated[V any] struct {
	value  V
	readAt time.Time
}

func newRecent[K comparable, V any](age time.Duration, now func() time.Time) recent[K, V] {
	return recent[K, V]{age: min(age, 10*time.Second), now: now, entries: map[K]dated[V]{}}
}

// read returns a kept value or reads one. Its age counts from before the read.
func (r *recent[K, V]) read(key K, read func() (V, error)) (V, error) {
	now := r.now()
	r.mu.Lock()
	entry, kept := r.entries[key]
	r.mu.Unlock()
	if kept && now.Sub(entry.readAt) < r.age {
		return entry.value, nil
	}
	value, err := read()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		delete(r.entries, key)
		return *new(V), err
	}
	if len(r.entries) >= cachedAtMost {
		clear(r.entries)
	}
	r.entries[key] = dated[V]{value, now}
	return value, nil
}
