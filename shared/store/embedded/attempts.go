package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// A record of an attempt lies once under its authenticator and once under its user,
// if there is one. The key is the owner, the time counted backwards, so that the
// newest comes first, and the attempt's own key.
const (
	ofAuthenticator = "authenticator\n"
	ofUser          = "user\n"
	attemptTime     = 8 // bytes
)

func attemptKey(owner string, at time.Time, key string) []byte {
	place := binary.BigEndian.AppendUint64([]byte(owner), math.MaxUint64-uint64(at.UnixMilli())) //nolint:gosec // after 1970
	return append(place, key...)
}

func owners(a store.AttemptRecord) []string {
	owners := []string{ofAuthenticator + a.AuthenticatorID + "\n"}
	if a.UserID != "" {
		owners = append(owners, ofUser+a.UserID+"\n")
	}
	return owners
}

// addAttempt writes a record and forgets the oldest beyond store.MostAttempts.
func (tx transaction) addAttempt(key string, a store.AttemptRecord) error {
	for _, owner := range owners(a) {
		if err := tx.put(attempts, string(attemptKey(owner, a.At, key)), a); err != nil {
			return err
		}
		err := tx.removeAttempts(owner, func(place int, _ string) bool { return place >= store.MostAttempts })
		if err != nil {
			return err
		}
	}
	return nil
}

// removeAttempts removes those of an owner's records that are named by their place,
// 0 for the newest, or by the attempt's key.
func (tx transaction) removeAttempts(owner string, gone func(place int, key string) bool) error {
	var remove [][]byte
	place := 0
	cursor := tx.Bucket([]byte(attempts)).Cursor()
	for found, _ := cursor.Seek([]byte(owner)); bytes.HasPrefix(found, []byte(owner)); found, _ = cursor.Next() {
		if gone(place, string(found[len(owner)+attemptTime:])) {
			remove = append(remove, bytes.Clone(found))
		}
		place++
	}
	for _, found := range remove {
		if err := tx.delete(attempts, string(found)); err != nil {
			return err
		}
	}
	return nil
}

// withoutOutcome tells notes of RecordAttempt from those of an outcome, which stay.
const withoutOutcome = "note\n"

// RecordAttempt implements store.Transient.
func (e *Engine) RecordAttempt(_ context.Context, key string, a store.AttemptRecord) error {
	key = withoutOutcome + key
	return e.write(func(tx transaction) error {
		for _, owner := range owners(a) {
			if err := tx.removeAttempts(owner, func(_ int, there string) bool { return there == key }); err != nil {
				return err
			}
		}
		return tx.addAttempt(key, a)
	})
}

// AttemptsOfAuthenticator implements store.Transient.
func (e *Engine) AttemptsOfAuthenticator(_ context.Context, authenticatorID string, limit int) ([]store.AttemptRecord, error) {
	return e.attemptsOf(ofAuthenticator+authenticatorID+"\n", limit)
}

// AttemptsOfUser implements store.Transient.
func (e *Engine) AttemptsOfUser(_ context.Context, userID string, limit int) ([]store.AttemptRecord, error) {
	return e.attemptsOf(ofUser+userID+"\n", limit)
}

func (e *Engine) attemptsOf(owner string, limit int) (items []store.AttemptRecord, err error) {
	oldest := e.now().Add(-store.AttemptRetention)
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(attempts)).Cursor()
		for key, value := cursor.Seek([]byte(owner)); strings.HasPrefix(string(key), owner) && len(items) < limit; key, value = cursor.Next() {
			var a store.AttemptRecord
			if err := decode(attempts, value, &a); err != nil {
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
