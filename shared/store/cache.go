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
	age    time.Duration
	now    func() time.Time

	mu      sync.Mutex
	entries map[cacheKey]cacheEntry
}

// cacheKey is a query: for an authenticator by name, the automatic one, or a page.
type cacheKey struct {
	question string
	name     string
	page     Page
}

type cacheEntry struct {
	items  []Authenticator
	next   string
	readAt time.Time
}

// CacheAuthenticators returns a cache in front of a reader. age is at most 10 s, the
// longest that an administrator may wait for a change to take effect.
func CacheAuthenticators(reader AuthenticatorReader, age time.Duration, now func() time.Time) *CachedAuthenticators {
	return &CachedAuthenticators{
		reader: reader, age: min(age, 10*time.Second), now: now, entries: map[cacheKey]cacheEntry{},
	}
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
	entry, err := c.read(cacheKey{question: "page", page: page}, func() (cacheEntry, error) {
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
	entry, err := c.read(key, func() (cacheEntry, error) {
		a, err := read()
		return cacheEntry{items: []Authenticator{a}}, err
	})
	if err != nil {
		return Authenticator{}, err
	}
	return entry.items[0], nil
}

// read returns a cached entry or reads one. Its age counts from before the read.
func (c *CachedAuthenticators) read(key cacheKey, read func() (cacheEntry, error)) (cacheEntry, error) {
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
		return cacheEntry{}, err
	}
	if len(c.entries) >= cachedAtMost {
		clear(c.entries)
	}
	entry.readAt = now
	c.entries[key] = entry
	return entry, nil
}
