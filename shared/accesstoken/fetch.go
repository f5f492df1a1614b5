package accesstoken

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/fetchonce"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// earlyFetchTime bounds a fetch while the token at hand is still good: the visitor
	// whose call found it old does not wait long for others' sake.
	earlyFetchTime = 3 * time.Second
	// waitTime bounds the wait for another process: one dead holder, and a fetch after it.
	waitTime = 16 * time.Second
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
		obtained, err := s.turn(ctx, o)
		s.mu.Lock()
		rejected := e.rejected
		s.mu.Unlock()
		// It may have been rejected while it was on its way; the next round looks past it.
		if err != nil || !obtained.value.Equal(rejected) {
			return obtained, err
		}
	}
}

// turn takes one turn: a token, or an answer that holds for all.
func (s *Source) turn(ctx context.Context, o order) (token, error) {
	var known token // of the record
	return fetchonce.Fetch[token]{
		Store: s.cfg.Store, Now: s.cfg.Now, Key: o.key, Op: "gettoken", Wait: waitTime,
		Answer: func(record store.Fetched, now time.Time, busy bool) (token, bool, error) {
			known = s.open(o, record)
			refused := now.Before(record.RefusedUntil)
			switch {
			case known.fresh(now):
				return known, true, nil
			case (refused || busy) && known.usable(now):
				return known.refreshLater(now), true, nil
			case refused:
				return token{}, true, refusalOf(record)
			}
			return token{}, false, nil
		},
		Fetch: func(ctx context.Context, record store.Fetched) (token, store.Fetched, error) {
			return s.fetch(ctx, o, record, known)
		},
		// A refusal must be kept somewhere.
		NotSaved: func(record store.Fetched) {
			if s.cfg.Now().Before(record.RefusedUntil) {
				s.mu.Lock()
				o.entry.refusal, o.entry.refusedUntil = refusalOf(record), record.RefusedUntil
				s.mu.Unlock()
			}
		},
	}.Get(ctx)
}

// fetch asks WeCom. known is the token of the record, which is not fresh.
func (s *Source) fetch(ctx context.Context, o order, record store.Fetched, known token) (token, store.Fetched, error) {
	now := s.cfg.Now()
	switch usable := known.usable(now); {
	case !usable && !o.rejected.IsEmpty() && !s.mayReplace(o.entry, now):
		return token{}, record, errRejected()
	case usable || o.early:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, earlyFetchTime)
		defer cancel()
	}
	stored, err := s.cfg.Secrets.Get(ctx, o.app.SecretName, o.app.SecretVersion)
	if err != nil {
		return token{}, record, fmt.Errorf("read app secret: %w", err)
	}
	parts, err := appsecret.Parse(stored)
	if err != nil {
		return token{}, record, err
	}
	askedAt := s.cfg.Now()
	fetched, err := s.cfg.Fetcher.FetchToken(ctx, o.app.CorpID, parts.App.Reveal())
	if err != nil {
		if refusal, ok := errors.AsType[*wecom.Error](err); ok && refusal.SecretRefused() {
			record.RefusedUntil, record.RefusedCode = s.cfg.Now().Add(refusedTime), refusal.Code
		}
		return token{}, record, err
	}
	if !o.rejected.IsEmpty() && fetched.Value.Equal(o.rejected) {
		// WeCom gives a token that it does not take. Asking again at once changes nothing.
		return token{}, store.Fetched{RefusedUntil: s.replaceAt(o.entry), RefusedCode: wecom.InvalidToken}, errRejected()
	}
	sealed, err := s.seal(o.key, fetched.Value, askedAt)
	if err != nil {
		return token{}, record, err
	}
	expiresAt := askedAt.Add(fetched.ExpiresIn)
	return newToken(fetched.Value, askedAt, expiresAt), store.Fetched{Content: sealed, ExpiresAt: expiresAt}, nil
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
