package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// A record of an attempt lies once under its authenticator and once under its user,
// if there is one. The key is the owner, the time counted backwards, so that the
// newest comes first, and the attempt's own key. Under that key alone it lies once
// more, to be found when it is replaced or has become too old.
const (
	ofAuthenticator = "authenticator\n"
	ofUser          = "user\n"
	// withoutOutcome tells notes of RecordEvent from those of an outcome, which stay.
	withoutOutcome = "note\n"
)

func places(a store.SignInEvent, key string) []string {
	place := func(owner string) string {
		at := binary.BigEndian.AppendUint64([]byte(owner+"\n"), math.MaxUint64-uint64(a.At.UnixMilli()))
		return string(append(at, key...))
	}
	places := []string{place(ofAuthenticator + a.AuthenticatorID)}
	if a.UserID != "" {
		places = append(places, place(ofUser+a.UserID))
	}
	return places
}

// addAttempt writes a record in place of the one under its key. About every sixteenth
// forgets the oldest of its owners beyond store.MaxEvents, so that a sign-in need
// not look at a hundred of them.
func (tx transaction) addAttempt(key string, a store.SignInEvent) error {
	var earlier store.SignInEvent
	err := tx.get(attemptKeys, key, &earlier)
	if err == nil {
		err = tx.removeAttempt(key, earlier)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	encoded, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", attempts, err)
	}
	for _, place := range places(a, key) {
		if err := tx.Bucket([]byte(attempts)).Put([]byte(place), encoded); err != nil {
			return err
		}
		if !strings.HasSuffix(key, "0") { // keys are hexadecimal hashes
			continue
		}
		if err := tx.trimAttempts(place[:len(place)-len(key)-8]); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(attemptKeys)).Put([]byte(key), encoded)
}

func (tx transaction) removeAttempt(key string, a store.SignInEvent) error {
	for _, place := range places(a, key) {
		if err := tx.delete(attempts, place); err != nil {
			return err
		}
	}
	return tx.delete(attemptKeys, key)
}

func (tx transaction) trimAttempts(owner string) error {
	var gone [][]byte
	count := 0
	cursor := tx.Bucket([]byte(attempts)).Cursor()
	for place, _ := cursor.Seek([]byte(owner)); bytes.HasPrefix(place, []byte(owner)); place, _ = cursor.Next() {
		if count++; count > store.MaxEvents {
			gone = append(gone, bytes.Clone(place))
		}
	}
	for _, place := range gone {
		if err := tx.delete(attempts, string(place)); err != nil {
			return err
		}
	}
	return nil
}

// cleanAttempts looks at some records, from a place that moves on, and removes what
// is no longer shown. Keys are hashes, so that any place is as good as another.
func (tx transaction) cleanAttempts(from []byte, now time.Time) error {
	oldest := now.Add(-store.EventRetention)
	cursor := tx.Bucket([]byte(attemptKeys)).Cursor()
	gone := map[string]store.SignInEvent{}
	key, record := cursor.Seek(from)
	for looked := 0; key != nil && looked < cleanAtMost; looked++ {
		var a store.SignInEvent
		if err := decode(attemptKeys, record, &a); err != nil {
			return err
		}
		if a.At.Before(oldest) {
			gone[string(key)] = a
		}
		key, record = cursor.Next()
	}
	for key, a := range gone {
		if err := tx.removeAttempt(key, a); err != nil {
			return err
		}
	}
	return nil
}

// RecordEvent implements store.Transient.
func (e *Engine) RecordEvent(_ context.Context, key string, a store.SignInEvent) error {
	return e.write(func(tx transaction) error { return tx.addAttempt(withoutOutcome+key, a) })
}

// EventsOfAuthenticator implements store.Transient.
func (e *Engine) EventsOfAuthenticator(_ context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error) {
	return e.attemptsOf(ofAuthenticator+authenticatorID+"\n", limit)
}

// EventsOfUser implements store.Transient.
func (e *Engine) EventsOfUser(_ context.Context, userID string, limit int) ([]store.SignInEvent, error) {
	return e.attemptsOf(ofUser+userID+"\n", limit)
}

func (e *Engine) attemptsOf(owner string, limit int) (items []store.SignInEvent, err error) {
	oldest := e.now().Add(-store.EventRetention)
	limit = min(limit, store.MaxEvents)
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(attempts)).Cursor()
		for place, record := cursor.Seek([]byte(owner)); bytes.HasPrefix(place, []byte(owner)) && len(items) < limit; place, record = cursor.Next() {
			var a store.SignInEvent
			if err := decode(attempts, record, &a); err != nil {
				return err
			}
			if a.At.Before(oldest) {
				return nil
			}
			items = append(items, a)
		}
		return nil
	})
	return items, err
}
