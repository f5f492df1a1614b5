package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// decodedAuthenticator is a record in both forms.
type decodedAuthenticator struct {
	encoded []byte
	value   store.Authenticator
}

// Authenticator implements store.Directory. Each step of a sign-in reads one, and they
// hardly ever change: a record that is still the same, byte for byte, is not decoded
// again. Only existing names are cached.
func (e *Engine) Authenticator(_ context.Context, name string) (a store.Authenticator, err error) {
	err = e.read(func(tx transaction) error {
		found := tx.Bucket([]byte(authenticators)).Get([]byte(name))
		if found == nil {
			return store.ErrNotFound
		}
		if kept, ok := e.recent.Load(name); ok {
			if kept := kept.(decodedAuthenticator); bytes.Equal(kept.encoded, found) {
				a = kept.value
				return nil
			}
		}
		if err := decode(authenticators, found, &a); err != nil {
			return err
		}
		e.recent.Store(name, decodedAuthenticator{bytes.Clone(found), a})
		return nil
	})
	return a, err
}

// Authenticators implements store.Directory.
func (e *Engine) Authenticators(_ context.Context, page store.Page) ([]store.Authenticator, string, error) {
	return list[store.Authenticator](e, authenticators, page)
}

// AutoLoginAuthenticator implements store.Directory.
func (e *Engine) AutoLoginAuthenticator(context.Context) (a store.Authenticator, err error) {
	err = e.read(func(tx transaction) error {
		return tx.get(authenticators, tx.pointer(autoLogin, holder), &a)
	})
	return a, err
}

// CreateAuthenticator implements store.Directory.
func (e *Engine) CreateAuthenticator(_ context.Context, a store.Authenticator) error {
	return e.write(func(tx transaction) error {
		var there store.Authenticator
		if err := tx.get(authenticators, a.Name, &there); !errors.Is(err, store.ErrNotFound) {
			return errors.Join(err, store.ErrExists)
		}
		return tx.putAuthenticator(a)
	})
}

// UpdateAuthenticator implements store.Directory.
func (e *Engine) UpdateAuthenticator(_ context.Context, from, to store.Authenticator) error {
	return e.write(func(tx transaction) error {
		there, err := tx.unchangedAuthenticator(from)
		if err != nil {
			return err
		}
		to := to
		to.LastEventAt = there.LastEventAt
		return tx.putAuthenticator(to)
	})
}

// DeleteAuthenticator implements store.Directory.
func (e *Engine) DeleteAuthenticator(_ context.Context, a store.Authenticator) error {
	return e.write(func(tx transaction) error {
		if _, err := tx.unchangedAuthenticator(a); err != nil {
			return err
		}
		if err := tx.releaseAutoLogin(a.Name); err != nil {
			return err
		}
		return tx.delete(authenticators, a.Name)
	})
}

// NoteEvent implements store.Directory.
func (e *Engine) NoteEvent(_ context.Context, a store.Authenticator, at time.Time) error {
	return e.write(func(tx transaction) error {
		var there store.Authenticator
		err := tx.get(authenticators, a.Name, &there)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil
		case err != nil:
			return err
		case there.ID != a.ID || at.Sub(there.LastEventAt) < store.EventNotePause:
			return nil
		}
		there.LastEventAt = at
		return tx.put(authenticators, a.Name, there)
	})
}

// unchangedAuthenticator returns the authenticator if it has not changed since it was read.
func (tx transaction) unchangedAuthenticator(read store.Authenticator) (there store.Authenticator, err error) {
	err = tx.get(authenticators, read.Name, &there)
	if errors.Is(err, store.ErrNotFound) || err == nil && (there.ID != read.ID || there.Version != read.Version) {
		return there, store.ErrChanged
	}
	return there, err
}

// putAuthenticator writes a, and takes or frees automatic login.
func (tx transaction) putAuthenticator(a store.Authenticator) error {
	if a.HoldsAutoLogin() {
		if other := tx.pointer(autoLogin, holder); other != "" && other != a.Name {
			return &store.AutoLoginTakenError{Holder: other}
		}
		if err := tx.point(autoLogin, holder, a.Name); err != nil {
			return err
		}
	} else if err := tx.releaseAutoLogin(a.Name); err != nil {
		return err
	}
	return tx.put(authenticators, a.Name, a)
}

func (tx transaction) releaseAutoLogin(name string) error {
	if tx.pointer(autoLogin, holder) != name {
		return nil
	}
	return tx.delete(autoLogin, holder)
}

// DomainFile implements store.Directory.
func (e *Engine) DomainFile(_ context.Context, filename string) (f store.DomainFile, err error) {
	err = e.read(func(tx transaction) error { return tx.get(domainFiles, filename, &f) })
	return f, err
}

// DomainFiles implements store.Directory.
func (e *Engine) DomainFiles(_ context.Context, page store.Page) ([]store.DomainFile, string, error) {
	return list[store.DomainFile](e, domainFiles, page)
}

// PutDomainFile implements store.Directory.
func (e *Engine) PutDomainFile(_ context.Context, f store.DomainFile) error {
	return e.write(func(tx transaction) error {
		var there store.DomainFile
		switch err := tx.get(domainFiles, f.Filename, &there); {
		case err == nil:
			return errUnchanged
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		return tx.put(domainFiles, f.Filename, f)
	})
}

// DeleteDomainFile implements store.Directory.
func (e *Engine) DeleteDomainFile(_ context.Context, filename string) error {
	return e.write(func(tx transaction) error {
		var there store.DomainFile
		if err := tx.get(domainFiles, filename, &there); err != nil {
			return err
		}
		return tx.delete(domainFiles, filename)
	})
}

// PublicKeys implements store.Directory.
func (e *Engine) PublicKeys(context.Context) (keys store.PublicKeys, err error) {
	err = e.read(func(tx transaction) error { return tx.get(signingKeys, public, &keys) })
	return keys, err
}

// PutPublicKeys implements store.Directory.
func (e *Engine) PutPublicKeys(_ context.Context, keys store.PublicKeys) error {
	return e.write(func(tx transaction) error { return tx.put(signingKeys, public, keys) })
}
