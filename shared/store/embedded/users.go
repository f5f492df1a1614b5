package embedded

import (
	"context"
	"errors"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func identityKey(corpID, wecomUserID string) string {
	return corpID + "\n" + store.FoldUserID(wecomUserID)
}

// goneKey is that of the user who was a member, and is gone.
func goneKey(corpID, wecomUserID string) string {
	return identityKey(corpID, wecomUserID) + "\ngone"
}

// User implements store.Directory.
func (e *Engine) User(_ context.Context, id string) (u store.User, err error) {
	err = e.read(func(tx transaction) error { return tx.get(users, id, &u) })
	return u, err
}

// UserByPhone implements store.Directory.
func (e *Engine) UserByPhone(_ context.Context, phone string) (u store.User, err error) {
	err = e.read(func(tx transaction) error { return tx.get(users, tx.pointer(phones, phone), &u) })
	return u, err
}

// OwnerOfIdentity implements store.Directory.
func (e *Engine) OwnerOfIdentity(_ context.Context, corpID, wecomUserID string) (store.IdentityOwner, error) {
	var u store.User
	err := e.read(func(tx transaction) error {
		return tx.get(users, tx.pointer(identities, identityKey(corpID, wecomUserID)), &u)
	})
	return u.Owner(corpID), err
}

// FormerOwnerOfIdentity implements store.Directory.
func (e *Engine) FormerOwnerOfIdentity(_ context.Context, corpID, wecomUserID string) (store.IdentityOwner, error) {
	var u store.User
	err := e.read(func(tx transaction) error {
		return tx.get(users, tx.pointer(identities, goneKey(corpID, wecomUserID)), &u)
	})
	return u.Owner(corpID), err
}

// Users implements store.Directory.
func (e *Engine) Users(_ context.Context, page store.Page) ([]store.User, string, error) {
	return list[store.User](e, users, page)
}

// CreateUser implements store.Directory.
func (e *Engine) CreateUser(_ context.Context, u store.User) error {
	return e.write(func(tx transaction) error {
		var there store.User
		if err := tx.get(users, u.ID, &there); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, store.ErrExists)
		}
		return tx.replaceUser(store.User{}, u)
	})
}

// UpdateUser implements store.Directory.
func (e *Engine) UpdateUser(_ context.Context, from, to store.User) error {
	return e.write(func(tx transaction) error {
		there, err := tx.unchangedUser(from)
		if err != nil {
			return err
		}
		to := to
		to.LastSignInAt = there.LastSignInAt
		return tx.replaceUser(there, to)
	})
}

// DeleteUser implements store.Directory.
func (e *Engine) DeleteUser(_ context.Context, u store.User) error {
	return e.write(func(tx transaction) error {
		there, err := tx.unchangedUser(u)
		if err != nil {
			return err
		}
		if err := tx.free(there, store.User{}); err != nil {
			return err
		}
		if err := tx.moveName(there, store.User{}); err != nil {
			return err
		}
		return tx.delete(users, u.ID)
	})
}

func (tx transaction) unchangedUser(read store.User) (there store.User, err error) {
	err = tx.get(users, read.ID, &there)
	if errors.Is(err, store.ErrNotFound) || err == nil && there.Version != read.Version {
		return there, store.ErrChanged
	}
	return there, err
}

// replaceUser frees the phone and identities that only old has, takes those of its
// replacement, and writes the replacement.
func (tx transaction) replaceUser(old, replacement store.User) error {
	if err := tx.free(old, replacement); err != nil {
		return err
	}
	if owner := tx.pointer(phones, replacement.Phone); owner != "" && owner != replacement.ID {
		return store.ErrPhoneTaken
	}
	if err := tx.point(phones, replacement.Phone, replacement.ID); err != nil {
		return err
	}
	for _, key := range identityKeys(replacement) {
		if owner := tx.pointer(identities, key); owner != "" && owner != replacement.ID {
			return store.ErrIdentityTaken
		}
		if err := tx.point(identities, key, replacement.ID); err != nil {
			return err
		}
	}
	for _, key := range goneKeys(replacement) {
		if slices.Contains(goneKeys(old), key) {
			continue
		}
		if err := tx.point(identities, key, replacement.ID); err != nil {
			return err
		}
	}
	if err := tx.moveName(old, replacement); err != nil {
		return err
	}
	return tx.put(users, replacement.ID, replacement)
}

func (tx transaction) free(old, replacement store.User) error {
	if old.Phone != "" && old.Phone != replacement.Phone {
		if err := tx.delete(phones, old.Phone); err != nil {
			return err
		}
	}
	kept := append(identityKeys(replacement), goneKeys(replacement)...)
	for _, key := range append(identityKeys(old), goneKeys(old)...) {
		if !slices.Contains(kept, key) {
			if err := tx.delete(identities, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// goneKeys returns the keys by which a user is found who was a member, and is gone.
func goneKeys(u store.User) (keys []string) {
	for _, identity := range u.Identities {
		if identity.IsGone() {
			keys = append(keys, goneKey(identity.CorpID, identity.WeComUserID))
		}
	}
	return keys
}

// identityKeys returns the keys of a user's identities. A gone one has none, so that another
// user may take the userid.
func identityKeys(u store.User) []string {
	keys := make([]string, 0, len(u.Identities))
	for _, identity := range u.Identities {
		if !identity.IsGone() {
			keys = append(keys, identityKey(identity.CorpID, identity.WeComUserID))
		}
	}
	return keys
}
