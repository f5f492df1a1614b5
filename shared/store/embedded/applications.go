package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Application implements store.ProviderEngine.
func (e *Engine) Application(_ context.Context, id string) (a store.Application, err error) {
	err = e.read(func(tx transaction) error { return tx.get(applications, id, &a) })
	return a, err
}

// Applications implements store.ProviderEngine.
func (e *Engine) Applications(_ context.Context, page store.Page) ([]store.Application, string, error) {
	return list[store.Application](e, applications, page)
}

// CreateApplication implements store.ProviderEngine.
func (e *Engine) CreateApplication(_ context.Context, a store.Application) error {
	return e.write(func(tx transaction) error {
		var there store.Application
		if err := tx.get(applications, a.ID, &there); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, store.ErrExists)
		}
		return tx.put(applications, a.ID, a)
	})
}

// UpdateApplication implements store.ProviderEngine.
func (e *Engine) UpdateApplication(_ context.Context, from, to store.Application) error {
	return e.write(func(tx transaction) error {
		there, err := tx.unchangedApplication(from)
		if err != nil {
			return err
		}
		lastUse := make(map[string]time.Time, len(there.Secrets))
		for _, secret := range there.Secrets {
			lastUse[secret.ID] = secret.LastUsedAt
		}
		to := to
		to.LastUsedAt = there.LastUsedAt
		to.Secrets = append([]store.ClientSecret(nil), to.Secrets...)
		for n := range to.Secrets {
			to.Secrets[n].LastUsedAt = lastUse[to.Secrets[n].ID]
		}
		return tx.put(applications, to.ID, to)
	})
}

// DeleteApplication implements store.ProviderEngine.
func (e *Engine) DeleteApplication(_ context.Context, a store.Application) error {
	return e.write(func(tx transaction) error {
		if _, err := tx.unchangedApplication(a); err != nil {
			return err
		}
		return tx.delete(applications, a.ID)
	})
}

// unchangedApplication returns the application if it has not changed since it was read. A
// new one of the same id has another generation.
func (tx transaction) unchangedApplication(read store.Application) (there store.Application, err error) {
	err = tx.get(applications, read.ID, &there)
	if errors.Is(err, store.ErrNotFound) || err == nil && (there.Generation != read.Generation || there.Version != read.Version) {
		return there, store.ErrChanged
	}
	return there, err
}

// NoteApplicationUse implements store.ProviderEngine.
func (e *Engine) NoteApplicationUse(_ context.Context, id, secretID string, at time.Time) error {
	return e.write(func(tx transaction) error {
		var a store.Application
		err := tx.get(applications, id, &a)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		a.LastUsedAt = at
		for n := range a.Secrets {
			if a.Secrets[n].ID == secretID {
				a.Secrets[n].LastUsedAt = at
			}
		}
		return tx.put(applications, id, a)
	})
}

// consentKey ends the user's id with a line break, which no id contains.
func consentKey(userID, applicationID string) string { return userID + "\n" + applicationID }

// Consent implements store.ProviderEngine.
func (e *Engine) Consent(_ context.Context, userID, applicationID string) (c store.Consent, err error) {
	err = e.read(func(tx transaction) error { return tx.get(consents, consentKey(userID, applicationID), &c) })
	return c, err
}

// Consents implements store.ProviderEngine.
func (e *Engine) Consents(_ context.Context, userID string) (all []store.Consent, err error) {
	of := []byte(consentKey(userID, ""))
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(consents)).Cursor()
		for key, record := cursor.Seek(of); bytes.HasPrefix(key, of); key, record = cursor.Next() {
			var c store.Consent
			if err := decode(consents, record, &c); err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	})
	return all, err
}

// PutConsent implements store.ProviderEngine.
func (e *Engine) PutConsent(_ context.Context, c store.Consent) error {
	return e.write(func(tx transaction) error { return tx.put(consents, consentKey(c.UserID, c.ApplicationID), c) })
}

// DeleteConsent implements store.ProviderEngine.
func (e *Engine) DeleteConsent(_ context.Context, userID, applicationID string) error {
	return e.write(func(tx transaction) error { return tx.delete(consents, consentKey(userID, applicationID)) })
}

// An application's event is stored under the application, the time counted backwards, so
// that the newest comes first, and a random id.
func applicationEventKey(owner []byte, at time.Time) []byte {
	return binary.BigEndian.AppendUint64(bytes.Clone(owner), math.MaxUint64-uint64(at.UnixMilli()))
}

// eventOwner ends the application's id with a line break, which no id contains.
func eventOwner(applicationID string) []byte { return []byte(applicationID + "\n") }

// RecordApplicationEvent implements store.ProviderEngine.
func (e *Engine) RecordApplicationEvent(_ context.Context, event store.ApplicationEvent) error {
	owner := eventOwner(event.ApplicationID)
	key := append(applicationEventKey(owner, event.At), store.NewID()...)
	encoded, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", applicationEvents, err)
	}
	return e.writeAndClean(func(tx transaction) error {
		if err := tx.Bucket([]byte(applicationEvents)).Put(key, encoded); err != nil {
			return err
		}
		return tx.trim(applicationEvents, string(owner))
	})
}

// EventsOfApplication implements store.ProviderEngine.
func (e *Engine) EventsOfApplication(_ context.Context, applicationID string, limit int) ([]store.ApplicationEvent, error) {
	return eventsIn(e, applicationEvents, string(eventOwner(applicationID)), limit, func(a store.ApplicationEvent) time.Time { return a.At })
}

// cleanApplicationEvents removes events that are too old, of some applications from a place
// that moves on. Of each it looks at the oldest only.
func (tx transaction) cleanApplicationEvents(from []byte, now time.Time) error {
	oldest := now.Add(-store.EventRetention - time.Millisecond)
	cursor := tx.Bucket([]byte(applicationEvents)).Cursor()
	var gone [][]byte
	key, _ := cursor.Seek(from)
	for looked := 0; key != nil && looked < cleanAtMost; looked++ {
		end := bytes.IndexByte(key, '\n') + 1
		owner := bytes.Clone(key[:end])
		for key, _ = cursor.Seek(applicationEventKey(owner, oldest)); bytes.HasPrefix(key, owner); key, _ = cursor.Next() {
			gone = append(gone, bytes.Clone(key))
		}
	}
	for _, key := range gone {
		if err := tx.delete(applicationEvents, string(key)); err != nil {
			return err
		}
	}
	return nil
}
