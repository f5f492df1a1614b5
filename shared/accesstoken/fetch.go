package accesstoken

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// leaseTime is how long a caller may take to fetch; a holder that died keeps the
	// others waiting no longer. fetchTime leaves it time to write the token down.
	leaseTime = 10 * time.Second
	fetchTime = 8 * time.Second
	// earlyFetchTime bounds a fetch while the token at hand is still good: the visitor
	// whose call found it old does not wait long for others' sake.
	earlyFetchTime = 3 * time.Second
	// waitTime bounds the wait for another process: one dead holder, and a fetch after it.
	waitTime = 16 * time.Second
	// releaseTime bounds giving back a lease after the caller's own time is over.
	releaseTime = 2 * time.Second
	// refusedTime is how long a refused secret is not sent again.
	refusedTime = time.Minute
	// retryAfter is when to look again after an early refresh that did not happen.
	retryAfter = 15 * time.Second
	// firstReplacePause is how long a process waits before it replaces a second rejected
	// token; each further wait is twice as long, up to refusedTime. So a passing failure
	// of WeCom's is over when it is over, and a lasting one costs a call a minute.
	firstReplacePause = 2 * time.Second
)

// order is one turn to obtain a token.
type order struct {
	app      App
	key      string
	entry    *entry
	rejected secret.Value // not to be given again
	early    bool         // the token at hand is still good
}

// obtain gets a token from the table or, as the only one to do so, from WeCom.
func (s *Source) obtain(ctx context.Context, app App, e *entry) (token, error) {
	for {
		s.mu.Lock()
		now := s.cfg.Now()
		o := order{app: app, key: app.Key(), entry: e, rejected: e.rejected, early: e.token.usable(now)}
		refusal, refusedUntil := e.refusal, e.refusedUntil
		s.mu.Unlock()
		if refusal != nil && now.Before(refusedUntil) {
			return token{}, refusal
		}
		obtained, err := s.wait(ctx, o)
		s.mu.Lock()
		rejected := e.rejected
		s.mu.Unlock()
		// It may have been rejected while it was on its way; the next round looks past it.
		if err != nil || !obtained.value.Equal(rejected) {
			return obtained, err
		}
	}
}

// wait looks at the table until there is a token, an answer that holds for all, or a
// lease to fetch one.
func (s *Source) wait(ctx context.Context, o order) (token, error) {
	started := s.cfg.Now()
	for pause := 25 * time.Millisecond; ; pause = min(2*pause, 400*time.Millisecond) {
		record, known, err := s.read(ctx, o.key, o.rejected)
		if err != nil {
			return token{}, err
		}
		now := s.cfg.Now()
		refused, leased := now.Before(record.RefusedUntil), now.Before(record.LeaseUntil)
		switch {
		case known.fresh(now):
			return known, nil
		case refused && known.usable(now):
			return known.refreshLater(now), nil
		case refused:
			return token{}, refusalOf(record)
		case !leased:
			owner := rand.Text()
			leased, err := s.cfg.Store.LeaseFetched(ctx, o.key, owner, now.Add(leaseTime))
			if err != nil {
				return token{}, fmt.Errorf("lease access token: %w", err)
			}
			if leased {
				return s.fetchAndRelease(ctx, o, owner, now.Add(fetchTime))
			}
		}
		// Another process is fetching.
		if known.usable(now) {
			return known.refreshLater(now), nil
		}
		if now.Sub(started) >= waitTime {
			return token{}, &wecom.UnavailableError{Op: "gettoken", Reason: "another function has been fetching for too long", Unsent: true}
		}
		timer := time.NewTimer(jitter(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return token{}, fmt.Errorf("wait for access token: %w", ctx.Err())
		case <-timer.C:
		}
	}
}

// fetchAndRelease fetches a token, holding owner's lease, and gives the lease back
// whatever happens, together with what is known now.
func (s *Source) fetchAndRelease(ctx context.Context, o order, owner string, until time.Time) (token, error) {
	// Between reading and leasing, another holder may have been here.
	record, known, err := s.read(ctx, o.key, o.rejected)
	if err != nil {
		// The record is not known, so it is not written over: the lease ends by time.
		return token{}, err
	}
	record, fetched, err := s.fetch(ctx, o, record, known, until)
	record.LeaseOwner, record.LeaseUntil = "", time.Time{}
	// The lease goes back although the caller may have hung up.
	releasing, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
	defer cancel()
	// A token is good whether or not it could be written down: the next process fetches
	// another. A refusal must be kept somewhere.
	if s.cfg.Store.SaveFetched(releasing, o.key, owner, record) != nil && s.cfg.Now().Before(record.RefusedUntil) {
		s.mu.Lock()
		o.entry.refusal, o.entry.refusedUntil = refusalOf(record), record.RefusedUntil
		s.mu.Unlock()
	}
	return fetched, err
}

// fetch asks WeCom, unless the record answers already. It returns the record to write
// down beside the token or the error.
func (s *Source) fetch(ctx context.Context, o order, record store.Fetched, known token, until time.Time) (store.Fetched, token, error) {
	now := s.cfg.Now()
	switch usable := known.usable(now); {
	case known.fresh(now):
		return record, known, nil
	case !usable && now.Before(record.RefusedUntil):
		return record, token{}, refusalOf(record)
	case !usable && !o.rejected.IsEmpty() && !s.mayReplace(o.entry, now):
		return record, token{}, errRejected()
	case usable || o.early:
		until = now.Add(earlyFetchTime)
	}
	// The fetch ends before the lease does, or it would not be the only one.
	ctx, cancel := context.WithTimeout(ctx, until.Sub(now))
	defer cancel()
	stored, err := s.cfg.Secrets.Get(ctx, o.app.SecretName, o.app.SecretVersion)
	if err != nil {
		return record, token{}, fmt.Errorf("read app secret: %w", err)
	}
	parts, err := appsecret.Parse(stored)
	if err != nil {
		return record, token{}, err
	}
	askedAt := s.cfg.Now()
	fetched, err := s.cfg.Fetcher.FetchToken(ctx, o.app.CorpID, parts.App.Reveal())
	if err != nil {
		if refusal, ok := errors.AsType[*wecom.Error](err); ok && refusal.SecretRefused() {
			record.RefusedUntil, record.RefusedCode = s.cfg.Now().Add(refusedTime), refusal.Code
		}
		return record, token{}, err
	}
	if !o.rejected.IsEmpty() && fetched.Value.Equal(o.rejected) {
		// WeCom gives a token that it does not take. Asking again at once changes nothing.
		return store.Fetched{RefusedUntil: s.replaceAt(o.entry), RefusedCode: wecom.InvalidToken}, token{}, errRejected()
	}
	sealed, err := s.seal(o.key, fetched.Value, askedAt)
	if err != nil {
		return record, token{}, err
	}
	expiresAt := askedAt.Add(fetched.ExpiresIn)
	return store.Fetched{Content: sealed, ExpiresAt: expiresAt}, newToken(fetched.Value, askedAt, expiresAt), nil
}

// mayReplace paces the fetches that rejections cause: when WeCom rejects every token it
// gives, sign-ins must not turn into as many calls of gettoken.
func (s *Source) mayReplace(e *entry, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(e.replacedAt) >= 2*refusedTime {
		e.replaced = 0
	}
	if e.replaced > 0 && now.Before(e.replacedAt.Add(e.replacePause())) {
		return false
	}
	e.replaced, e.replacedAt = e.replaced+1, now
	return true
}

// replaceAt is when a rejected token may be replaced again.
func (s *Source) replaceAt(e *entry) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.replacedAt.Add(e.replacePause())
}

// replacePause is how long to wait after the last replacement. Source.mu must be held.
func (e *entry) replacePause() time.Duration {
	return min(firstReplacePause<<min(max(e.replaced-1, 0), 10), refusedTime)
}

// refusalOf returns WeCom's refusal that a record remembers.
func refusalOf(record store.Fetched) *wecom.Error {
	return &wecom.Error{Op: "gettoken", Code: record.RefusedCode}
}

// errRejected is the answer while WeCom takes none of the tokens that it gives.
func errRejected() error { return &wecom.Error{Op: "gettoken", Code: wecom.InvalidToken} }
