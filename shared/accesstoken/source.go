package accesstoken

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// leaseTime is how long a caller may take to fetch; a holder that died keeps
	// the others waiting no longer. fetchTime leaves it time to write the token down.
	leaseTime = 10 * time.Second
	fetchTime = 8 * time.Second
	// earlyTime bounds a fetch while the token at hand is still good: the visitor
	// whose call found it old does not wait long for others' sake.
	earlyTime = 3 * time.Second
	// waitTime bounds the wait for somebody else's fetch: one dead holder, and a
	// fetch after it.
	waitTime = 16 * time.Second
	// writeTime bounds giving back a lease after the caller's own time is over.
	writeTime = 2 * time.Second
	// refusedTime is how long a refused secret is not sent again.
	refusedTime = time.Minute
	// again is when to look again after an early refresh that did not happen.
	again = 15 * time.Second
	// earlyBy is how much before its end a token is replaced, but never more than
	// a fifth of its life: WeCom may give the same token again with what is left
	// of its life, and must not be asked at every call then.
	earlyBy = 10 * time.Minute
	// rejections is how many rejected tokens a process has replaced within
	// refusedTime before it lets WeCom be.
	rejections = 5
)

// App says whose token is meant.
type App struct {
	CorpID          string
	AgentID         string
	AuthenticatorID string
	SecretName      string
	SecretVersion   string
}

// key names the app's record. Hashed, so that no part can reach into another.
func (a App) key() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{a.CorpID, a.AgentID, a.AuthenticatorID, a.SecretVersion}, "\x00")))
	return hex.EncodeToString(sum[:])
}

// Store is what Source needs of store.Transient.
type Store interface {
	AccessToken(ctx context.Context, key string) (store.AccessToken, error)
	LeaseAccessToken(ctx context.Context, key, owner string, until time.Time) (bool, error)
	SaveAccessToken(ctx context.Context, key, owner string, token store.AccessToken) error
	ForgetAccessToken(ctx context.Context, key string) error
}

// Sealer encrypts what the table keeps; a *seal.Box of purpose seal.AccessToken does.
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

// entry is what this process knows of an app's token. Source.mu guards it.
type entry struct {
	held     held
	rejected wecom.AccessToken // WeCom does not take this one any more
	// refusal is kept here only when the table could not keep it.
	refusal      *wecom.Error
	refusedUntil time.Time
	// flight is closed when the caller at work is done; nil when nobody is. failure
	// is what the last one came to.
	flight  chan struct{}
	failure error
	// replaced counts fetches because of a rejection since replacedSince.
	replaced      int
	replacedSince time.Time
}

// held is a token and its times.
type held struct {
	token     wecom.AccessToken
	refreshAt time.Time // from here on, try to replace it
	endsAt    time.Time // from here on, never use it
}

func (h held) usable(now time.Time) bool { return !h.token.IsEmpty() && now.Before(h.endsAt) }
func (h held) fresh(now time.Time) bool  { return h.usable(now) && now.Before(h.refreshAt) }

// New returns a Source with nothing in memory.
func New(cfg Config) *Source {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Source{cfg: cfg, entries: map[App]*entry{}}
}

// Token returns a token of the app. Errors: *wecom.Error when WeCom refused the
// secret, now or within the last minute; *wecom.UnavailableError; a system fault
// of the store or the secrets; the context's error.
func (s *Source) Token(ctx context.Context, app App) (wecom.AccessToken, error) {
	for {
		s.mu.Lock()
		e, now := s.entry(app), s.cfg.Now()
		switch {
		case e.held.fresh(now), e.flight != nil && e.held.usable(now):
			token := e.held.token
			s.mu.Unlock()
			return token, nil
		case e.flight != nil:
			flight := e.flight
			s.mu.Unlock()
			select {
			case <-ctx.Done():
				return wecom.AccessToken{}, fmt.Errorf("wait for access token: %w", ctx.Err())
			case <-flight:
			}
			if err := s.failureOf(app, e); err != nil {
				return wecom.AccessToken{}, err
			}
			continue
		}
		e.flight, e.failure = make(chan struct{}), nil
		s.mu.Unlock()
		return s.lead(ctx, app, e)
	}
}

// failureOf returns why the flight that just ended brought nothing, if it says
// something to the callers that waited.
func (s *Source) failureOf(app App, e *entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[app] != e || e.flight != nil {
		return nil
	}
	return e.failure
}

// lead obtains a token for all callers of this process.
func (s *Source) lead(ctx context.Context, app App, e *entry) (token wecom.AccessToken, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		if ctx.Err() == nil {
			// A leader whose own time was over says nothing about the others: one of
			// them goes on.
			e.failure = err
		}
		close(e.flight)
		e.flight = nil
	}()
	var obtained held
	for {
		before := *e
		func() {
			s.mu.Unlock()
			defer s.mu.Lock()
			obtained, err = s.obtain(ctx, app, e, before)
		}()
		// It may have been rejected while it was on its way; obtain looks past it then.
		if err != nil || !obtained.token.Equal(e.rejected) {
			break
		}
	}
	now := s.cfg.Now()
	switch {
	case err == nil:
		e.held = obtained
		return obtained.token, nil
	case e.held.usable(now):
		// Refreshing failed, the token at hand is good: nobody need notice.
		e.held.refreshAt = now.Add(jitter(again))
		return e.held.token, nil
	}
	return wecom.AccessToken{}, err
}

// Reject says that WeCom did not take a token (40014, 42001): the next Token gives
// another one, if this is still the one it would have given. It costs nothing.
func (s *Source) Reject(_ context.Context, app App, token wecom.AccessToken) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entry(app); e.held.token.Equal(token) && !token.IsEmpty() {
		e.held, e.rejected = held{}, token
	}
	return nil
}

// Forget drops what is known of the app's token, here and in the table: token,
// lease and refusal. An administrator who checks an authenticator wants WeCom's
// answer of this moment.
func (s *Source) Forget(ctx context.Context, app App) error {
	s.mu.Lock()
	// A caller at work keeps its entry and finishes with it.
	delete(s.entries, app)
	s.mu.Unlock()
	if err := s.cfg.Store.ForgetAccessToken(ctx, app.key()); err != nil {
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
	e := &entry{}
	s.entries[app] = e
	return e
}

// obtain gets a token from the table or, as the only one to do so, from WeCom.
func (s *Source) obtain(ctx context.Context, app App, e *entry, before entry) (held, error) {
	key, started, pause := app.key(), s.cfg.Now(), 25*time.Millisecond
	if before.refusal != nil && started.Before(before.refusedUntil) {
		return held{}, before.refusal
	}
	for {
		record, known, err := s.read(ctx, key, before.rejected)
		if err != nil {
			return held{}, err
		}
		now := s.cfg.Now()
		if known.fresh(now) {
			return known, nil
		}
		if now.Before(record.RefusedUntil) {
			if known.usable(now) {
				known.refreshAt = now.Add(jitter(again))
				return known, nil
			}
			return held{}, &wecom.Error{Op: "gettoken", Code: record.RefusedCode}
		}
		if !now.Before(record.LeaseUntil) {
			owner := rand.Text()
			leased, err := s.cfg.Store.LeaseAccessToken(ctx, key, owner, now.Add(leaseTime))
			if err != nil {
				return held{}, fmt.Errorf("lease access token: %w", err)
			}
			if leased {
				return s.replace(ctx, app, e, before, owner, now)
			}
		}
		// Somebody else is fetching.
		if known.usable(now) {
			known.refreshAt = now.Add(jitter(again))
			return known, nil
		}
		if now.Sub(started) >= waitTime {
			return held{}, &wecom.UnavailableError{Op: "gettoken", Reason: "another function has been fetching for too long", Unsent: true}
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return held{}, fmt.Errorf("wait for access token: %w", ctx.Err())
		case <-timer.C:
		}
		pause = min(2*pause, 400*time.Millisecond)
	}
}

// replace fetches a token, holding the lease, and gives the lease back whatever
// happens.
func (s *Source) replace(ctx context.Context, app App, e *entry, before entry, owner string, leasedAt time.Time) (held, error) {
	key := app.key()
	give := func(record store.AccessToken) error {
		record.LeaseOwner, record.LeaseUntil = "", time.Time{}
		// The lease goes back although the caller has gone.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
		defer cancel()
		return s.cfg.Store.SaveAccessToken(ctx, key, owner, record)
	}
	// Between reading and leasing, another holder may have been here.
	record, known, err := s.read(ctx, key, before.rejected)
	if err != nil {
		// What the record says is not known, so it is not written over: the lease
		// ends by time.
		return held{}, err
	}
	now := s.cfg.Now()
	if known.fresh(now) {
		// The token is good whether or not the lease could be given back.
		_ = give(record)
		return known, nil
	}
	if now.Before(record.RefusedUntil) && !known.usable(now) {
		_ = give(record)
		return held{}, &wecom.Error{Op: "gettoken", Code: record.RefusedCode}
	}
	if !before.rejected.IsEmpty() && !known.usable(now) && !s.mayReplace(e, now) {
		_ = give(record)
		return held{}, &wecom.Error{Op: "gettoken", Code: wecom.InvalidToken}
	}
	// The fetch ends before the lease does, or it would not be the only one.
	until := leasedAt.Add(fetchTime)
	if known.usable(now) || before.held.usable(now) {
		until = now.Add(earlyTime)
	}
	fetching, cancel := context.WithTimeout(ctx, until.Sub(now))
	defer cancel()
	value, err := s.cfg.Secrets.Get(fetching, app.SecretName, app.SecretVersion)
	if err != nil {
		_ = give(record)
		return held{}, fmt.Errorf("read app secret: %w", err)
	}
	askedAt := s.cfg.Now()
	fetched, err := s.cfg.Fetcher.FetchToken(fetching, app.CorpID, value.Reveal())
	if err != nil {
		refusal, refused := errors.AsType[*wecom.Error](err)
		refused = refused && refusal.SecretRefused()
		if refused {
			record.RefusedUntil, record.RefusedCode = s.cfg.Now().Add(refusedTime), refusal.Code
		}
		if failed := give(record); failed != nil && refused {
			s.mu.Lock()
			e.refusal, e.refusedUntil = refusal, record.RefusedUntil
			s.mu.Unlock()
		}
		return held{}, err
	}
	replacement := store.AccessToken{ExpiresAt: askedAt.Add(fetched.ExpiresIn)}
	if !before.rejected.IsEmpty() && fetched.Value.Equal(before.rejected) {
		// WeCom gives what it does not take. Asking again at once changes nothing.
		replacement = store.AccessToken{RefusedUntil: askedAt.Add(refusedTime), RefusedCode: wecom.InvalidToken}
		_ = give(replacement)
		return held{}, &wecom.Error{Op: "gettoken", Code: wecom.InvalidToken}
	}
	if replacement.Sealed, err = s.seal(key, fetched.Value, askedAt); err != nil {
		_ = give(record)
		return held{}, err
	}
	// A token that could not be written down is good all the same; the next process
	// fetches its own.
	_ = give(replacement)
	return newHeld(fetched.Value, askedAt, replacement.ExpiresAt), nil
}

// mayReplace counts the fetches that rejections cause: when WeCom rejects every
// token it gives, sign-ins must not turn into as many calls of gettoken.
func (s *Source) mayReplace(e *entry, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(e.replacedSince) >= refusedTime {
		e.replaced, e.replacedSince = 0, now
	}
	e.replaced++
	return e.replaced <= rejections
}

// read returns the record and the token in it, empty when there is none that can
// be used: it is over, was rejected, or does not open because the key has changed.
func (s *Source) read(ctx context.Context, key string, rejected wecom.AccessToken) (store.AccessToken, held, error) {
	record, err := s.cfg.Store.AccessToken(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return store.AccessToken{}, held{}, nil
	}
	if err != nil {
		return store.AccessToken{}, held{}, fmt.Errorf("read access token: %w", err)
	}
	if len(record.Sealed) == 0 {
		return record, held{}, nil
	}
	opened, err := s.cfg.Sealer.Open(record.Sealed, []byte(key))
	if err != nil || len(opened) <= 8 {
		return record, held{}, nil
	}
	askedAt := time.UnixMilli(int64(binary.BigEndian.Uint64(opened))) //nolint:gosec // written by seal, from a positive int64
	token := wecom.NewAccessToken(string(opened[8:]))
	if token.Equal(rejected) {
		return record, held{}, nil
	}
	return record, newHeld(token, askedAt, record.ExpiresAt), nil
}

// seal encrypts a token with the time it was asked for, from which its life, and
// so the moment to replace it, is known.
func (s *Source) seal(key string, token wecom.AccessToken, askedAt time.Time) ([]byte, error) {
	plaintext := binary.BigEndian.AppendUint64(nil, uint64(askedAt.UnixMilli()))
	plaintext = append(plaintext, token.Reveal()...)
	sealed, err := s.cfg.Sealer.Seal(plaintext, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("seal access token: %w", err)
	}
	return sealed, nil
}

// newHeld works out a token's times. The jitter is each process's own, so that
// they do not all turn to the table in the same second.
func newHeld(token wecom.AccessToken, askedAt, expiresAt time.Time) held {
	life := expiresAt.Sub(askedAt)
	return held{
		token:     token,
		refreshAt: expiresAt.Add(-jitter(min(earlyBy, life/5))),
		// A token must outlive the call that is about to use it.
		endsAt: expiresAt.Add(-min(10*time.Second, life/10)),
	}
}

// jitter returns d, give or take a quarter.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*3/4 + mathrand.N(d/2+1) //nolint:gosec // spreads load, keeps no secret
}
