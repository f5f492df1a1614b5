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

// An event is stored under its authenticator and, if there is one, under its user. The
// key is the owner, the time counted backwards, so that the newest comes first, and the
// session key. A third copy under the session key alone helps to replace or remove it.
const (
	ofAuthenticator = "authenticator\n"
	ofUser          = "user\n"
	// withoutResult distinguishes the events of RecordEvent from those of results.
	withoutResult = "note\n"
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

// addEvent writes an event in place of the one under its key. About every sixteenth write
// removes its owners' oldest events beyond store.MaxEvents, so that a sign-in need not
// look at a hundred of them.
func (tx transaction) addEvent(key string, a store.SignInEvent) error {
	var earlier store.SignInEvent
	err := tx.get(eventKeys, key, &earlier)
	if err == nil {
		err = tx.removeEvent(key, earlier)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	encoded, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", events, err)
	}
	for _, place := range places(a, key) {
		if err := tx.Bucket([]byte(events)).Put([]byte(place), encoded); err != nil {
			return err
		}
		if !strings.HasSuffix(key, "0") { // keys are hexadecimal hashes
			continue
		}
		if err := tx.trim(events, place[:len(place)-len(key)-8]); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(eventKeys)).Put([]byte(key), encoded)
}

func (tx transaction) removeEvent(key string, a store.SignInEvent) error {
	for _, place := range places(a, key) {
		if err := tx.delete(events, place); err != nil {
			return err
		}
	}
	return tx.delete(eventKeys, key)
}

// trim removes an owner's oldest events beyond store.MaxEvents.
func (tx transaction) trim(kind table, owner string) error {
	var gone [][]byte
	count := 0
	cursor := tx.Bucket([]byte(kind)).Cursor()
	for place, _ := cursor.Seek([]byte(owner)); bytes.HasPrefix(place, []byte(owner)); place, _ = cursor.Next() {
		if count++; count > store.MaxEvents {
			gone = append(gone, bytes.Clone(place))
		}
	}
	for _, place := range gone {
		if err := tx.delete(kind, string(place)); err != nil {
			return err
		}
	}
	return nil
}

// cleanEvents looks at some events, from a place that moves on, and removes those that are
// too old. Keys are hashes, so any place is as good as another.
func (tx transaction) cleanEvents(from []byte, now time.Time) error {
	oldest := now.Add(-store.EventRetention)
	cursor := tx.Bucket([]byte(eventKeys)).Cursor()
	gone := map[string]store.SignInEvent{}
	key, record := cursor.Seek(from)
	for looked := 0; key != nil && looked < cleanAtMost; looked++ {
		var a store.SignInEvent
		if err := decode(eventKeys, record, &a); err != nil {
			return err
		}
		if a.At.Before(oldest) {
			gone[string(key)] = a
		}
		key, record = cursor.Next()
	}
	for key, a := range gone {
		if err := tx.removeEvent(key, a); err != nil {
			return err
		}
	}
	return nil
}

// RecordEvent implements store.Transient.
func (e *Engine) RecordEvent(_ context.Context, sessionKey string, event store.SignInEvent) error {
	return e.write(func(tx transaction) error { return tx.addEvent(withoutResult+sessionKey, event) })
}

// EventsOfAuthenticator implements store.Transient.
func (e *Engine) EventsOfAuthenticator(_ context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error) {
	return eventsIn(e, events, ofAuthenticator+authenticatorID+"\n", limit, func(a store.SignInEvent) time.Time { return a.At })
}

// EventsOfUser implements store.Transient.
func (e *Engine) EventsOfUser(_ context.Context, userID string, limit int) ([]store.SignInEvent, error) {
	return eventsIn(e, events, ofUser+userID+"\n", limit, func(a store.SignInEvent) time.Time { return a.At })
}

// SessionsOfUser implements store.Transient.
func (e *Engine) SessionsOfUser(_ context.Context, userID string, limit int) (live []store.AttemptResult, err error) {
	owner, now := []byte(ofUser+userID+"\n"), e.now()
	err = e.read(func(tx transaction) error {
		cursor, looked := tx.Bucket([]byte(events)).Cursor(), 0
		for place, _ := cursor.Seek(owner); bytes.HasPrefix(place, owner) && len(live) < limit && looked < store.MaxEvents; place, _ = cursor.Next() {
			looked++
			key := string(place[len(owner)+8:])
			var result store.AttemptResult
			err := tx.result(key, now, &result) // an event without a result has another key
			switch {
			case errors.Is(err, store.ErrNotFound):
			case err != nil:
				return err
			case result.Kind == store.ResultSession && result.Session.UserID == userID && now.Before(result.Session.ExpiresAt):
				live = append(live, result)
			}
		}
		return nil
	})
	return live, err
}

// eventsIn reads an owner's events, newest first.
func eventsIn[T any](e *Engine, kind table, owner string, limit int, at func(T) time.Time) (items []T, err error) {
	oldest := e.now().Add(-store.EventRetention)
	limit = min(limit, store.MaxEvents)
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(kind)).Cursor()
		for place, record := cursor.Seek([]byte(owner)); bytes.HasPrefix(place, []byte(owner)) && len(items) < limit; place, record = cursor.Next() {
			var a T
			if err := decode(kind, record, &a); err != nil {
				return err
			}
			if at(a).Before(oldest) {
				return nil
			}
			items = append(items, a)
		}
		return nil
	})
	return items, err
}
