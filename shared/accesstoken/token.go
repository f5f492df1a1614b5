package accesstoken

import (
	"encoding/binary"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// earlyBy is how much before its end a token is replaced, but never more than a fifth of
// its life: WeCom may give the same token again with what is left of its life, and must
// not be asked at every call then.
const earlyBy = 10 * time.Minute

// token is an access token and its times. The zero value is none.
type token struct {
	value     secret.Value
	refreshAt time.Time // from here on, try to replace it
	endsAt    time.Time // from here on, never use it
}

// newToken works out a token's times. The jitter differs from process to process, so
// that they do not all turn to the table in the same second.
func newToken(value secret.Value, askedAt, expiresAt time.Time) token {
	life := expiresAt.Sub(askedAt)
	return token{
		value:     value,
		refreshAt: expiresAt.Add(-jitter(min(earlyBy, life/5))),
		// A token must outlive the call that is about to use it.
		endsAt: expiresAt.Add(-min(10*time.Second, life/10)),
	}
}

func (t token) usable(now time.Time) bool { return !t.value.IsEmpty() && now.Before(t.endsAt) }
func (t token) fresh(now time.Time) bool  { return t.usable(now) && now.Before(t.refreshAt) }

// refreshLater returns the token with the next attempt to replace it put off: somebody
// else is at it, or WeCom does not answer.
func (t token) refreshLater(now time.Time) token {
	t.refreshAt = now.Add(jitter(retryAfter))
	return t
}

// jitter returns d, give or take a quarter.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return d*3/4 + mathrand.N(d/2+1) //nolint:gosec // spreads load, keeps no secret
}

// open returns the token in a record, which is none when it is over, was rejected, or does
// not open because the key has changed.
func (s *Source) open(o order, record store.Fetched) token {
	if len(record.Content) == 0 {
		return token{}
	}
	opened, err := s.cfg.Sealer.Open(record.Content, []byte(o.key))
	if err != nil || len(opened) <= 8 {
		return token{}
	}
	askedAt := time.UnixMilli(int64(binary.BigEndian.Uint64(opened))) //nolint:gosec // written by seal, from a positive int64
	value := secret.NewValue(string(opened[8:]))
	if value.Equal(o.rejected) {
		return token{}
	}
	return newToken(value, askedAt, record.ExpiresAt)
}

// seal encrypts a token with the time it was asked for, from which its life, and so the
// moment to replace it, is known.
func (s *Source) seal(key string, value secret.Value, askedAt time.Time) ([]byte, error) {
	plaintext := binary.BigEndian.AppendUint64(nil, uint64(askedAt.UnixMilli()))
	plaintext = append(plaintext, value.Reveal()...)
	sealed, err := s.cfg.Sealer.Seal(plaintext, []byte(key))
	if err != nil {
		return nil, fmt.Errorf("seal access token: %w", err)
	}
	return sealed, nil
}
