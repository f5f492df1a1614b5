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

// ApplicationReader reads applications; ProviderEngine implements it.
type ApplicationReader interface {
	Application(ctx context.Context, id string) (Application, error)
	Applications(ctx context.Context, page Page) (items []Application, next string, err error)
}

// cachedAtMost bounds the memory of a cache. Names come from requests, but only existing
// ones are cached.
const cachedAtMost = 1000

// CachedAuthenticators caches authenticators for a short time, so that a busy function does
// not read them for every request. It does not cache their absence: a new authenticator
// works at once.
type CachedAuthenticators struct {
	reader AuthenticatorReader
	cache  *readCache[Authenticator]
}

// CacheAuthenticators returns a cache in front of a reader. age is at most 10 s, the
// longest that an administrator may wait for a change to take effect.
func CacheAuthenticators(reader AuthenticatorReader, age time.Duration, now func() time.Time) *CachedAuthenticators {
	return &CachedAuthenticators{reader, newReadCache[Authenticator](age, now)}
}

// Authenticator implements AuthenticatorReader.
func (c *CachedAuthenticators) Authenticator(ctx context.Context, name string) (Authenticator, error) {
	return c.cache.one(cacheKey{question: "name", name: name}, func() (Authenticator, error) {
		return c.reader.Authenticator(ctx, name)
	})
}

// AutoLoginAuthenticator implements AuthenticatorReader.
func (c *CachedAuthenticators) AutoLoginAuthenticator(ctx context.Context) (Authenticator, error) {
	return c.cache.one(cacheKey{question: "auto-login"}, func() (Authenticator, error) {
		return c.reader.AutoLoginAuthenticator(ctx)
	})
}

// Authenticators implements AuthenticatorReader.
func (c *CachedAuthenticators) Authenticators(ctx context.Context, page Page) ([]Authenticator, string, error) {
	return c.cache.page(page, func() ([]Authenticator, string, error) { return c.reader.Authenticators(ctx, page) })
}

// errNothing: an empty page, which is an absence and not cached.
var errNothing = errors.New("nothing")

// CachedApplications caches applications as CachedAuthenticators does authenticators. Its
// answers share their lists: they are read only.
type CachedApplications struct {
	reader ApplicationReader
	cache  *readCache[Application]
}

// CacheApplications returns a cache in front of a reader, with an age of at most 10 s.
func CacheApplications(reader ApplicationReader, age time.Duration, now func() time.Time) *CachedApplications {
	return &CachedApplications{reader, newReadCache[Application](age, now)}
}

// Application implements ApplicationReader.
func (c *CachedApplications) Application(ctx context.Context, id string) (Application, error) {
	return c.cache.one(cacheKey{question: "id", name: id}, func() (Application, error) {
		return c.reader.Application(ctx, id)
	})
}

// Applications implements ApplicationReader.
func (c *CachedApplications) Applications(ctx context.Context, page Page) ([]Application, string, error) {
	return c.cache.page(page, func() ([]Application, string, error) { return c.reader.Applications(ctx, page) })
}

// readCache keeps answers to queries for records.
type readCache[T any] struct {
	age time.Duration
	now func() time.Time

	mu      sync.Mutex
	entries map[cacheKey]cacheEntry[T]
}

// cacheKey is a query: for a record by name, the automatic authenticator, or a page.
type cacheKey struct {
	question string
	name     string
	page     Page
}

type cacheEntry[T any] struct {
	items  []T
	next   string
	readAt time.Time
}

func newReadCache[T any](age time.Duration, now func() time.Time) *readCache[T] {
	return &readCache[T]{age: min(age, 10*time.Second), now: now, entries: map[cacheKey]cacheEntry[T]{}}
}

func (c *readCache[T]) one(key cacheKey, read func() (T, error)) (record T, err error) {
	entry, err := c.read(key, func() (cacheEntry[T], error) {
		record, err := read()
		return cacheEntry[T]{items: []T{record}}, err
	})
	if err != nil {
		return record, err
	}
	return entry.items[0], nil
}

func (c *readCache[T]) page(page Page, read func() ([]T, string, error)) ([]T, string, error) {
	entry, err := c.read(cacheKey{question: "page", page: page}, func() (cacheEntry[T], error) {
		items, next, err := read()
		if err == nil && len(items) == 0 {
			return cacheEntry[T]{}, errNothing
		}
		return cacheEntry[T]{items: items, next: next}, err
	})
	if errors.Is(err, errNothing) {
		return nil, "", nil
	}
	return append([]T(nil), entry.items...), entry.next, err
}

// read returns a cached entry or reads one. Its age counts from before the read.
func (c *readCache[T]) read(key cacheKey, read func() (cacheEntry[T], error)) (cacheEntry[T], error) {
	now := c.now()
	c.mu.Lock()
	entry, kept := c.entries[key]
	c.mu.Unlock()
	if kept && now.Sub(entry.readAt) < c.age {
		return entry, nil
	}
	entry, err := read()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		delete(c.entries, key)
		return cacheEntry[T]{}, err
	}
	if len(c.entries) >= cachedAtMost {
		clear(c.entries)
	}
	entry.readAt = now
	c.entries[key] = entry
	return entry, nil
}
