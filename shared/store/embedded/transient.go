package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// AttemptResult implements store.Transient.
func (e *Engine) AttemptResult(_ context.Context, sessionKey string) (result store.AttemptResult, err error) {
	err = e.read(func(tx transaction) error { return tx.result(sessionKey, e.now(), &result) })
	return result, err
}

// result reads a result that has not expired.
func (tx transaction) result(sessionKey string, now time.Time, result *store.AttemptResult) error {
	if err := tx.expiring(results, sessionKey, result); err != nil {
		return err
	}
	if !now.Before(result.KeepUntil) {
		return store.ErrNotFound
	}
	return nil
}

func (tx transaction) putResult(result store.AttemptResult) error {
	result.Event = nil // it has another table
	return tx.putExpiring(results, result.SessionKey, result, result.KeepUntil)
}

// keepUntilSize is the size of the bytes before an encoded record that expires: its end in
// milliseconds, so that cleaning, which looks at many, need not decode them.
const keepUntilSize = 8

// expiring decodes such a record, expired or not, or returns store.ErrNotFound.
func (tx transaction) expiring(from table, key string, value any) error {
	found := tx.Bucket([]byte(from)).Get([]byte(key))
	if len(found) < keepUntilSize {
		return store.ErrNotFound
	}
	return decode(from, found[keepUntilSize:], value)
}

func (tx transaction) putExpiring(into table, key string, value any, keepUntil time.Time) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", into, err)
	}
	record := binary.BigEndian.AppendUint64(make([]byte, 0, keepUntilSize+len(encoded)), uint64(keepUntil.UnixMilli()))
	return tx.Bucket([]byte(into)).Put([]byte(key), append(record, encoded...))
}

// RecordResult implements store.Transient.
func (e *Engine) RecordResult(_ context.Context, result store.AttemptResult) error {
	return e.writeAndClean(func(tx transaction) error { return tx.addResult(result, e.now()) })
}

func (tx transaction) addResult(result store.AttemptResult, now time.Time) error {
	var there store.AttemptResult
	err := tx.result(result.SessionKey, now, &there)
	if replaceable := err == nil && there.Tentative && !result.Tentative; !replaceable && !errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, store.ErrExists)
	}
	if result.Event != nil {
		if err := tx.addEvent(result.SessionKey, *result.Event); err != nil {
			return err
		}
	}
	return tx.putResult(result)
}

// ResultAndUser implements store.Transient.
func (e *Engine) ResultAndUser(_ context.Context, sessionKey, userID string) (result store.AttemptResult, u store.User, err error) {
	err = e.read(func(tx transaction) error {
		if err := tx.get(users, userID, &u); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.result(sessionKey, e.now(), &result)
	})
	return result, u, err
}

// StartSession implements store.Transient.
func (e *Engine) StartSession(_ context.Context, result store.AttemptResult, noteSignIn bool) error {
	return e.writeAndClean(func(tx transaction) error {
		if err := tx.addResult(result, e.now()); err != nil || !noteSignIn {
			return err
		}
		var user store.User
		err := tx.get(users, result.Session.UserID, &user)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		user.LastSignInAt = result.Session.SignedInAt
		return tx.put(users, user.ID, user)
	})
}

// EndSession implements store.Transient.
func (e *Engine) EndSession(_ context.Context, sessionKey string) (ended store.Session, err error) {
	err = e.write(func(tx transaction) (err error) {
		ended, err = tx.endSession(sessionKey, e.now())
		return err
	})
	return ended, err
}

func (tx transaction) endSession(sessionKey string, now time.Time) (store.Session, error) {
	var there store.AttemptResult
	err := tx.result(sessionKey, now, &there)
	if errors.Is(err, store.ErrNotFound) || err == nil && there.Kind != store.ResultSession {
		return store.Session{}, nil
	}
	if err != nil {
		return store.Session{}, err
	}
	return there.Session, tx.putResult(store.AttemptResult{SessionKey: sessionKey, Kind: store.ResultEnded, KeepUntil: there.KeepUntil})
}

// SessionsOfAuthenticator implements store.Transient. It looks at all results: there are few
// on one machine.
func (e *Engine) SessionsOfAuthenticator(_ context.Context, authenticatorID string, page store.Page) (sessions []store.AttemptResult, next string, err error) {
	after, err := store.DecodeCursor(authenticatorID, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	now := e.now()
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(results)).Cursor()
		for key, _ := cursor.Seek([]byte(after)); key != nil; key, _ = cursor.Next() {
			if string(key) == after {
				continue
			}
			var result store.AttemptResult
			if err := tx.result(string(key), now, &result); errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			if result.Kind != store.ResultSession || result.Session.AuthenticatorID != authenticatorID || !now.Before(result.Session.ExpiresAt) {
				continue
			}
			if len(sessions) == page.Limit {
				next = store.EncodeCursor(authenticatorID, sessions[len(sessions)-1].SessionKey)
				return nil
			}
			sessions = append(sessions, result)
		}
		return nil
	})
	return sessions, next, err
}

// Every so many new records that expire clean up a few of each kind, so that cleaning needs
// no goroutine and no separate sync, and no operation waits long.
const (
	cleanEvery  = 64
	cleanAtMost = 256
)

func (e *Engine) writeAndClean(change func(transaction) error) error {
	count := e.writes.Add(1)
	return e.write(func(tx transaction) error {
		if err := change(tx); err != nil || count%cleanEvery != 0 {
			return err
		}
		return tx.cleanAll(count/cleanEvery, e.now())
	})
}

// cleanAll cleans each kind at a place of its keys, which moves on with turn. Keys are
// hashes or random ids, so any place is as good as another.
func (tx transaction) cleanAll(turn uint32, now time.Time) error {
	hash, id := placeIn(lowerHex, turn), placeIn(idCharacters, turn)
	if err := tx.clean(results, hash, now, nil); err != nil {
		return err
	}
	if err := tx.cleanEvents(hash, now); err != nil {
		return err
	}
	if err := tx.cleanEvents(append([]byte(withoutResult), hash...), now); err != nil {
		return err
	}
	if err := tx.clean(firstSignIns, hash, now, nil); err != nil {
		return err
	}
	if err := tx.clean(grants, id, now, nil); err != nil {
		return err
	}
	if err := tx.cleanLineages(id, now); err != nil {
		return err
	}
	return tx.cleanApplicationEvents(id, now)
}

// clean looks at some records that expire, from a place on, and removes those that have
// expired. It tells removed of each.
func (tx transaction) clean(kind table, from []byte, now time.Time, removed func(encoded []byte) error) error {
	cursor := tx.Bucket([]byte(kind)).Cursor()
	key, record := cursor.Seek(from)
	gone := map[string][]byte{}
	for looked := 0; key != nil && looked < cleanAtMost; looked++ {
		if len(record) < keepUntilSize || now.UnixMilli() > int64(binary.BigEndian.Uint64(record)) { //nolint:gosec // see putExpiring
			gone[string(key)] = bytes.Clone(record)
		}
		key, record = cursor.Next()
	}
	for key, record := range gone {
		if removed != nil && len(record) >= keepUntilSize {
			if err := removed(record[keepUntilSize:]); err != nil {
				return err
			}
		}
		if err := tx.delete(kind, key); err != nil {
			return err
		}
	}
	return nil
}

// The characters of keys: of hashes, and of the ids of grants, lineages and applications.
const (
	lowerHex     = "0123456789abcdef"
	idCharacters = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)

// placeIn returns the pair of characters to start from at a turn.
func placeIn(characters string, turn uint32) []byte {
	n := uint32(len(characters)) //nolint:gosec // a constant
	return []byte{characters[turn/n%n], characters[turn%n]}
}

// Fetched implements store.Transient.
func (e *Engine) Fetched(_ context.Context, key string) (record store.Fetched, err error) {
	err = e.read(func(tx transaction) error { return tx.get(fetched, key, &record) })
	return record, err
}

// LeaseFetched implements store.Transient.
func (e *Engine) LeaseFetched(_ context.Context, key, owner string, until time.Time) (leased bool, err error) {
	err = e.write(func(tx transaction) error {
		var record store.Fetched
		if err := tx.get(fetched, key, &record); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		leased = record.LeaseOwner == "" || record.LeaseOwner == owner || !e.now().Before(record.LeaseUntil)
		if !leased {
			return nil
		}
		record.LeaseOwner, record.LeaseUntil = owner, until
		return tx.put(fetched, key, record)
	})
	return leased && err == nil, err
}

// SaveFetched implements store.Transient.
func (e *Engine) SaveFetched(_ context.Context, key, owner string, record store.Fetched) error {
	return e.write(func(tx transaction) error {
		var there store.Fetched
		err := tx.get(fetched, key, &there)
		if errors.Is(err, store.ErrNotFound) || err == nil && there.LeaseOwner != owner {
			return store.ErrChanged
		}
		if err != nil {
			return err
		}
		record := record
		record.LeaseOwner, record.LeaseUntil = "", time.Time{}
		return tx.put(fetched, key, record)
	})
}

// ForgetFetched implements store.Transient.
func (e *Engine) ForgetFetched(_ context.Context, key string) error {
	return e.write(func(tx transaction) error { return tx.delete(fetched, key) })
}
