package embedded

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// AttemptResult implements store.Transient.
func (e *Engine) AttemptResult(_ context.Context, key string) (o store.AttemptResult, err error) {
	err = e.read(func(tx transaction) error { return tx.outcome(key, e.now(), &o) })
	return o, err
}

// outcome reads one that need not be forgotten yet.
func (tx transaction) outcome(key string, now time.Time, o *store.AttemptResult) error {
	found := tx.Bucket([]byte(outcomes)).Get([]byte(key))
	if len(found) < keepUntilSize {
		return store.ErrNotFound
	}
	if err := decode(outcomes, found[keepUntilSize:], o); err != nil {
		return err
	}
	if !now.Before(o.KeepUntil) {
		return store.ErrNotFound
	}
	return nil
}

// keepUntilSize is how many bytes stand before the encoded outcome: its KeepUntil in
// milliseconds, so that cleaning, which looks at many, need not decode them.
const keepUntilSize = 8

func (tx transaction) putOutcome(o store.AttemptResult) error {
	o.Attempt = nil // has a table of its own
	encoded, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", outcomes, err)
	}
	record := binary.BigEndian.AppendUint64(make([]byte, 0, keepUntilSize+len(encoded)), uint64(o.KeepUntil.UnixMilli()))
	return tx.Bucket([]byte(outcomes)).Put([]byte(o.SessionKey), append(record, encoded...))
}

// RecordResult implements store.Transient.
func (e *Engine) RecordResult(_ context.Context, o store.AttemptResult) error {
	return e.writeOutcome(func(tx transaction) error { return tx.addOutcome(o, e.now()) })
}

func (tx transaction) addOutcome(o store.AttemptResult, now time.Time) error {
	var there store.AttemptResult
	if err := tx.outcome(o.SessionKey, now, &there); !errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, store.ErrExists)
	}
	if o.Attempt != nil {
		if err := tx.addAttempt(o.SessionKey, *o.Attempt); err != nil {
			return err
		}
	}
	return tx.putOutcome(o)
}

// StartSession implements store.Transient.
func (e *Engine) StartSession(_ context.Context, o store.AttemptResult, earlier string) error {
	return e.writeOutcome(func(tx transaction) error {
		if err := tx.addOutcome(o, e.now()); err != nil {
			return err
		}
		var user store.User
		err := tx.get(users, o.Session.UserID, &user)
		if errors.Is(err, store.ErrNotFound) || err == nil && (!user.Enabled || user.SessionGeneration != o.Session.UserGeneration) {
			return store.ErrChanged
		}
		if err != nil {
			return err
		}
		user.LastSignInAt = o.Session.SignedInAt
		if err := tx.put(users, user.ID, user); err != nil {
			return err
		}
		if earlier == o.SessionKey { // the attempt's own key is no earlier session
			return nil
		}
		return tx.endSession(earlier, e.now())
	})
}

// EndSession implements store.Transient.
func (e *Engine) EndSession(_ context.Context, key string) error {
	return e.write(func(tx transaction) error { return tx.endSession(key, e.now()) })
}

func (tx transaction) endSession(key string, now time.Time) error {
	var there store.AttemptResult
	err := tx.outcome(key, now, &there)
	if errors.Is(err, store.ErrNotFound) || err == nil && there.Kind != store.ResultSession {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.putOutcome(store.AttemptResult{SessionKey: key, Kind: store.ResultEnded, KeepUntil: there.KeepUntil})
}

// Cleaning happens within every so many new outcomes, a few records at a time, so
// that it needs no goroutine and no sync of its own, and no operation waits long.
const (
	cleanEvery  = 64
	cleanAtMost = 256
)

func (e *Engine) writeOutcome(change func(transaction) error) error {
	count := e.writes.Add(1)
	return e.write(func(tx transaction) error {
		if err := change(tx); err != nil || count%cleanEvery != 0 {
			return err
		}
		if err := tx.clean(cleanFrom(count), e.now()); err != nil {
			return err
		}
		if err := tx.cleanAttempts(cleanFrom(count), e.now()); err != nil {
			return err
		}
		return tx.cleanAttempts(append([]byte(withoutOutcome), cleanFrom(count)...), e.now())
	})
}

// clean looks at some records, from a place that moves on, and removes what may be
// forgotten. Keys are hashes, so that any place is as good as another.
func (tx transaction) clean(from []byte, now time.Time) error {
	cursor := tx.Bucket([]byte(outcomes)).Cursor()
	key, record := cursor.Seek(from)
	var gone []string
	for looked := 0; key != nil && looked < cleanAtMost; looked++ {
		if len(record) < keepUntilSize || now.UnixMilli() > int64(binary.BigEndian.Uint64(record)) { //nolint:gosec // see putOutcome
			gone = append(gone, string(key))
		}
		key, record = cursor.Next()
	}
	for _, key := range gone {
		if err := tx.delete(outcomes, key); err != nil {
			return err
		}
	}
	return nil
}

const lowerHex = "0123456789abcdef"

// cleanFrom walks through all beginnings of two hexadecimal digits.
func cleanFrom(writes uint32) []byte {
	place := writes / cleanEvery
	return []byte{lowerHex[place>>4&15], lowerHex[place&15]}
}

// AccessToken implements store.Transient.
func (e *Engine) AccessToken(_ context.Context, key string) (token store.AccessToken, err error) {
	err = e.read(func(tx transaction) error { return tx.get(accessTokens, key, &token) })
	return token, err
}

// LeaseAccessToken implements store.Transient.
func (e *Engine) LeaseAccessToken(_ context.Context, key, owner string, until time.Time) (leased bool, err error) {
	err = e.write(func(tx transaction) error {
		var token store.AccessToken
		if err := tx.get(accessTokens, key, &token); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		leased = token.LeaseOwner == "" || token.LeaseOwner == owner || !e.now().Before(token.LeaseUntil)
		if !leased {
			return nil
		}
		token.LeaseOwner, token.LeaseUntil = owner, until
		return tx.put(accessTokens, key, token)
	})
	return leased && err == nil, err
}

// SaveAccessToken implements store.Transient.
func (e *Engine) SaveAccessToken(_ context.Context, key, owner string, token store.AccessToken) error {
	return e.write(func(tx transaction) error {
		var there store.AccessToken
		err := tx.get(accessTokens, key, &there)
		if errors.Is(err, store.ErrNotFound) || err == nil && there.LeaseOwner != owner {
			return store.ErrChanged
		}
		if err != nil {
			return err
		}
		token := token
		token.LeaseOwner, token.LeaseUntil = "", time.Time{}
		return tx.put(accessTokens, key, token)
	})
}

// ForgetAccessToken implements store.Transient.
func (e *Engine) ForgetAccessToken(_ context.Context, key string) error {
	return e.write(func(tx transaction) error { return tx.delete(accessTokens, key) })
}
