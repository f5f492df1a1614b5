package embedded

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// CreateGrant implements store.ProviderEngine.
func (e *Engine) CreateGrant(_ context.Context, g store.Grant, sessionEnd time.Time) error {
	return e.writeAndClean(func(tx transaction) error {
		if _, err := tx.grant(g.ID, e.now()); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, store.ErrExists)
		}
		var l store.Lineage
		err := tx.expiring(lineages, g.Lineage, &l)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if l.Ended {
			return store.ErrNotFound
		}
		l.ID, l.UserID = g.Lineage, g.UserID
		if !slices.Contains(l.Applications, g.ApplicationID) {
			l.Applications = append(l.Applications, g.ApplicationID)
			slices.Sort(l.Applications)
		}
		if sessionEnd.After(l.ExpiresAt) {
			l.ExpiresAt = sessionEnd
		}
		if err := tx.point(lineagesOfUser, lineageOfUserKey(l), l.ID); err != nil {
			return err
		}
		if err := tx.putExpiring(lineages, l.ID, l, l.ExpiresAt); err != nil {
			return err
		}
		return tx.putExpiring(grants, g.ID, g, g.KeepUntil)
	})
}

// grant reads a grant that has not expired.
func (tx transaction) grant(id string, now time.Time) (g store.Grant, err error) {
	err = tx.expiring(grants, id, &g)
	if err == nil && !now.Before(g.KeepUntil) {
		return store.Grant{}, store.ErrNotFound
	}
	return g, err
}

// lineage reads a lineage that has had a grant and has not expired.
func (tx transaction) lineage(id string, now time.Time) (l store.Lineage, err error) {
	err = tx.expiring(lineages, id, &l)
	if err == nil && (l.UserID == "" || !now.Before(l.ExpiresAt)) {
		return store.Lineage{}, store.ErrNotFound
	}
	return l, err
}

// Grant implements store.ProviderEngine.
func (e *Engine) Grant(_ context.Context, id string) (g store.Grant, err error) {
	err = e.read(func(tx transaction) error {
		g, err = tx.grant(id, e.now())
		return err
	})
	return g, err
}

// GrantState implements store.ProviderEngine.
func (e *Engine) GrantState(_ context.Context, id, userID, lineage string) (g store.Grant, u store.User, l store.Lineage, err error) {
	err = e.read(func(tx transaction) error {
		if g, err = tx.grant(id, e.now()); err != nil {
			return err
		}
		if err := tx.get(users, userID, &u); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if l, err = tx.lineage(lineage, e.now()); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
	return g, u, l, err
}

// RotateGrant implements store.ProviderEngine.
func (e *Engine) RotateGrant(_ context.Context, id string, refreshed int64, at, expiresAt, keepUntil time.Time) error {
	return e.write(func(tx transaction) error {
		g, err := tx.grant(id, e.now())
		if errors.Is(err, store.ErrNotFound) || err == nil && (g.Revoked || g.Refreshed != refreshed || refreshed == 0 && !at.Before(g.CodeExpiresAt)) {
			return store.ErrChanged
		}
		if err != nil {
			return err
		}
		g.Refreshed, g.RefreshedAt, g.ExpiresAt, g.KeepUntil = refreshed+1, at, expiresAt, keepUntil
		return tx.putExpiring(grants, id, g, g.KeepUntil)
	})
}

// RevokeGrant implements store.ProviderEngine.
func (e *Engine) RevokeGrant(_ context.Context, id string) error {
	return e.write(func(tx transaction) error {
		g, err := tx.grant(id, e.now())
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		g.Revoked = true
		return tx.putExpiring(grants, id, g, g.KeepUntil)
	})
}

// EndLineage implements store.ProviderEngine. A lineage without a grant leaves a record,
// too, for store.EndedLineageKept.
func (e *Engine) EndLineage(_ context.Context, id string) (ended store.Lineage, err error) {
	if id == "" || len(id) > bbolt.MaxKeySize {
		return ended, store.ErrNotFound
	}
	err = e.writeAndClean(func(tx transaction) error {
		ended = store.Lineage{}
		var l store.Lineage
		err := tx.expiring(lineages, id, &l)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		now := e.now()
		if l.ID = id; l.ExpiresAt.IsZero() {
			l.ExpiresAt = now.Add(store.EndedLineageKept)
		}
		again := l.Ended
		l.Ended = true
		if l.UserID != "" && now.Before(l.ExpiresAt) {
			ended = l
		}
		if again {
			return nil
		}
		return tx.putExpiring(lineages, id, l, l.ExpiresAt)
	})
	if err == nil && ended.ID == "" {
		err = store.ErrNotFound
	}
	return ended, err
}

// Lineage implements store.ProviderEngine.
func (e *Engine) Lineage(_ context.Context, id string) (l store.Lineage, err error) {
	err = e.read(func(tx transaction) error {
		l, err = tx.lineage(id, e.now())
		return err
	})
	return l, err
}

// lineageOfUserKey ends the user's id with a line break, which no id contains.
func lineageOfUserKey(l store.Lineage) string { return l.UserID + "\n" + l.ID }

// LineagesOfUser implements store.ProviderEngine.
func (e *Engine) LineagesOfUser(_ context.Context, userID string) (all []store.Lineage, err error) {
	of := []byte(lineageOfUserKey(store.Lineage{UserID: userID}))
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(lineagesOfUser)).Cursor()
		for key, id := cursor.Seek(of); bytes.HasPrefix(key, of); key, id = cursor.Next() {
			l, err := tx.lineage(string(id), e.now())
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			all = append(all, l)
		}
		return nil
	})
	return all, err
}

// cleanLineages removes lineages that have expired, with their places among those of the
// user.
func (tx transaction) cleanLineages(from []byte, now time.Time) error {
	return tx.clean(lineages, from, now, func(record []byte) error {
		var l store.Lineage
		if err := decode(lineages, record, &l); err != nil {
			return err
		}
		return tx.delete(lineagesOfUser, lineageOfUserKey(l))
	})
}
