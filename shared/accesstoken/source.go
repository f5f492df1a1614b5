package accesstoken

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/fetchonce"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// App says whose token is meant.
type App struct {
	CorpID          string
	AgentID         string
	AuthenticatorID string
	SecretName      string
	SecretVersion   string
}

// AppOf returns the app of an authenticator, whose secret is kept under secretName.
func AppOf(a store.Authenticator, secretName string) App {
	return App{
		CorpID: a.CorpID, AgentID: a.AgentID, AuthenticatorID: a.ID,
		SecretName: secretName, SecretVersion: a.SecretVersion,
	}
}

// Key names the app's record, whatever its SecretName. Hashed, so that no part can reach
// into another.
func (a App) Key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{a.CorpID, a.AgentID, a.AuthenticatorID, a.SecretVersion}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Store is what Source needs of store.Transient.
type Store interface {
	fetchonce.Store
	ForgetFetched(ctx context.Context, key string) error
}

// Sealer encrypts what the table keeps; a *aead.Box of purpose aead.AccessToken does.
type Sealer interface {
	Seal(plaintext, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
}

// Fetcher asks WeCom; *wecom.Client does.
type Fetcher interface {
	FetchToken(ctx context.Context, corpID, corpSecret string) (wecom.Token, error)
}

// Secrets reads an app's secret; secret.Store does.
type Secrets interface {
	Get(ctx context.Context, name, version string) (secret.Value, error)
}

// Config is what New needs.
type Config struct {
	Store   Store
	Sealer  Sealer
	Fetcher Fetcher
	Secrets Secrets
	Now     func() time.Time // nil: time.Now
}

// Source gives access tokens. It is safe for concurrent use.
type Source struct {
	cfg Config

	mu      sync.Mutex // never held over a slow call
	entries map[App]*entry
}

// entry is what this process knows of an app's token. Source.mu guards all but turn.
type entry struct {
	// turn is held by the one caller that obtains a token for all; the others wait to
	// put something in. Unlike a mutex, it can be waited for together with a context.
	turn chan struct{}

	token    token
	rejected secret.Value // WeCom no longer takes this one
	// failure is what the last turn came to, the failures-th of all that failed.
	failure  error
	failures int
	// refusal is kept here only when the table could not keep it.
	refusal      *wecom.Error
	refusedUntil time.Time
	// replaced counts fetches because of a rejection, the last at replacedAt, until none
	// was needed for a while.
	replaced   int
	replacedAt time.Time
}

// New returns a Source with nothing in memory.
func New(cfg Config) *Source {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Source{cfg: cfg, entries: map[App]*entry{}}
}

// Token returns a token of the app. Errors: *wecom.Error when WeCom refused the secret,
// now or within the last minute; *wecom.UnavailableError; an error of the store or of
// the secrets; the context's error.
func (s *Source) Token(ctx context.Context, app App) (secret.Value, error) {
	for {
		s.mu.Lock()
		e, now := s.entry(app), s.cfg.Now()
		atWork := len(e.turn) > 0
		if e.token.fresh(now) || atWork && e.token.usable(now) {
			defer s.mu.Unlock()
			return e.token.value, nil
		}
		failures := e.failures
		s.mu.Unlock()
		select {
		case e.turn <- struct{}{}:
		case <-ctx.Done():
			return secret.Value{}, fmt.Errorf("wait for access token: %w", ctx.Err())
		}
		value, err, done := s.takeTurn(ctx, app, e, failures)
		<-e.turn
		if done {
			return value, err
		}
	}
}

// takeTurn answers the caller whose turn it is: by what the caller before it obtained
// or failed with since the failures that were counted when it began to wait, or by a
// token that it obtains itself. done is false when the entry was dropped meanwhile.
//
//nolint:revive // the error is not last: done says whether the other two mean anything
func (s *Source) takeTurn(ctx context.Context, app App, e *entry, failures int) (value secret.Value, err error, done bool) {
	s.mu.Lock()
	dropped, current, failure := s.entries[app] != e, e.token, e.failure
	failed := e.failures > failures
	s.mu.Unlock()
	switch {
	case dropped:
		return secret.Value{}, nil, false
	case current.fresh(s.cfg.Now()):
		return current.value, nil, true
	case failed:
		return secret.Value{}, failure, true
	}
	obtained, err := s.obtain(ctx, app, e)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	switch {
	case err == nil:
		e.token = obtained
	case e.token.usable(now):
		// Refreshing failed, the token at hand is good: nobody need notice.
		e.token = e.token.refreshLater(now)
	case ctx.Err() != nil:
		// A caller whose own time was over says nothing to the others: the next goes on.
		return secret.Value{}, err, true
	default:
		e.failure = err
		e.failures++
		return secret.Value{}, err, true
	}
	return e.token.value, nil, true
}

// Reject says that WeCom did not take a token (40014, 42001): the next Token gives
// another one, if this is still the one it would have given. It costs nothing.
func (s *Source) Reject(_ context.Context, app App, value secret.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entry(app); e.token.value.Equal(value) && !value.IsEmpty() {
		e.token, e.rejected = token{}, value
	}
	return nil
}

// Forget drops what is known of the app's token, here and in the table: token, lease and
// refusal. An administrator who checks an authenticator wants WeCom's answer of this
// moment.
func (s *Source) Forget(ctx context.Context, app App) error {
	s.mu.Lock()
	// A caller at work keeps its entry and finishes with it.
	delete(s.entries, app)
	s.mu.Unlock()
	if err := s.cfg.Store.ForgetFetched(ctx, app.Key()); err != nil {
		return fmt.Errorf("forget access token: %w", err)
	}
	return nil
}

// entry returns the app's entry. Source.mu must be held.
func (s *Source) entry(app App) *entry {
	if e, ok := s.entries[app]; ok {
		return e
	}
	// Another version of the secret, or another app under the same authenticator,
	// takes the place of what was there.
	for other := range s.entries {
		if other.AuthenticatorID == app.AuthenticatorID {
			delete(s.entries, other)
		}
	}
	e := &entry{turn: make(chan struct{}, 1)}
	s.entries[app] = e
	return e
}
