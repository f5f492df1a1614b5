package dynamo

import (
	"context"
	"errors"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	authenticatorPartition = "authenticator"
	domainFilePartition    = "domain-file"
	usersPartition         = "users"
)

func autoLoginKey() item  { return directoryKey("auto-login", "auto-login") }
func publicKeysKey() item { return directoryKey("signing-keys", "public") }

// Authenticator implements store.Directory.
func (e *Engine) Authenticator(ctx context.Context, name string) (a store.Authenticator, err error) {
	if name == "" {
		return a, store.ErrNotFound // DynamoDB refuses empty keys
	}
	found, err := e.get(ctx, e.cfg.DirectoryTable, directoryKey(authenticatorPartition, name))
	if err != nil {
		return a, err
	}
	return a, decode(found, &a)
}

// Authenticators implements store.Directory.
func (e *Engine) Authenticators(ctx context.Context, page store.Page) ([]store.Authenticator, string, error) {
	return decodeList[store.Authenticator](e.list(ctx, authenticatorPartition, page))
}

func decodeList[T any](items []item, next string, err error) ([]T, string, error) {
	if err != nil {
		return nil, "", err
	}
	records := make([]T, len(items))
	for i := range items {
		if err := decode(items[i], &records[i]); err != nil {
			return nil, "", err
		}
	}
	return records, next, nil
}

// AutoLoginAuthenticator implements store.Directory.
func (e *Engine) AutoLoginAuthenticator(ctx context.Context) (store.Authenticator, error) {
	for range lookups {
		found, err := e.get(ctx, e.cfg.DirectoryTable, autoLoginKey())
		if err != nil {
			return store.Authenticator{}, err
		}
		a, err := e.Authenticator(ctx, textOf(found, "holder"))
		if err == nil && a.HoldsAutoLogin() {
			return a, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.Authenticator{}, err
		}
	}
	return store.Authenticator{}, store.ErrNotFound
}

// CreateAuthenticator implements store.Directory.
func (e *Engine) CreateAuthenticator(ctx context.Context, a store.Authenticator) error {
	write, err := e.putAuthenticator(a, "attribute_not_exists(pk)", nil, store.ErrExists)
	if err != nil {
		return err
	}
	// A transaction even for one item: by its request token a repeated request succeeds,
	// where a repeated put would find its own item and report the name as taken.
	return e.transact(ctx, append([]step{write}, e.moveAutoLogin(store.Authenticator{}, a)...))
}

// UpdateAuthenticator implements store.Directory.
func (e *Engine) UpdateAuthenticator(ctx context.Context, from, to store.Authenticator) error {
	write, err := e.putAuthenticator(to, unchangedAuthenticator, asRead(from), store.ErrChanged)
	if err != nil {
		return err
	}
	return e.run(ctx, append([]step{write}, e.moveAutoLogin(from, to)...))
}

// DeleteAuthenticator implements store.Directory.
func (e *Engine) DeleteAuthenticator(ctx context.Context, a store.Authenticator) error {
	write := remove(e.cfg.DirectoryTable, directoryKey(authenticatorPartition, a.Name), unchangedAuthenticator, asRead(a), failing(store.ErrChanged))
	return e.run(ctx, append([]step{write}, e.moveAutoLogin(a, store.Authenticator{})...))
}

// unchangedAuthenticator is the condition that an authenticator has not changed since it
// was read.
const unchangedAuthenticator = "id = :id AND version = :version"

func asRead(a store.Authenticator) item {
	return item{":id": text(a.ID), ":version": number(a.Version)}
}

func (e *Engine) putAuthenticator(a store.Authenticator, condition string, values item, failed error) (step, error) {
	data, err := encode(a)
	if err != nil {
		return step{}, err
	}
	i := directoryKey(authenticatorPartition, a.Name)
	i["id"], i["version"], i["data"] = text(a.ID), number(a.Version), data
	return put(e.cfg.DirectoryTable, i, condition, values, failing(failed)), nil
}

// moveAutoLogin takes automatic login for an authenticator, or frees it. It needs no read,
// because the condition decides.
func (e *Engine) moveAutoLogin(from, to store.Authenticator) []step {
	switch {
	case to.HoldsAutoLogin() && !from.HoldsAutoLogin():
		i := autoLoginKey()
		i["holder"] = text(to.Name)
		return []step{put(e.cfg.DirectoryTable, i, "attribute_not_exists(pk) OR holder = :name", item{":name": text(to.Name)}, func(there item) error {
			return &store.AutoLoginTakenError{Holder: textOf(there, "holder")}
		})}
	case from.HoldsAutoLogin() && !to.HoldsAutoLogin():
		return []step{remove(e.cfg.DirectoryTable, autoLoginKey(), "holder = :name", item{":name": text(from.Name)}, failing(store.ErrChanged))}
	}
	return nil
}

// DomainFile implements store.Directory.
func (e *Engine) DomainFile(ctx context.Context, filename string) (f store.DomainFile, err error) {
	if filename == "" {
		return f, store.ErrNotFound
	}
	found, err := e.get(ctx, e.cfg.DirectoryTable, directoryKey(domainFilePartition, filename))
	if err != nil {
		return f, err
	}
	return f, decode(found, &f)
}

// DomainFiles implements store.Directory.
func (e *Engine) DomainFiles(ctx context.Context, page store.Page) ([]store.DomainFile, string, error) {
	return decodeList[store.DomainFile](e.list(ctx, domainFilePartition, page))
}

// PutDomainFile implements store.Directory.
func (e *Engine) PutDomainFile(ctx context.Context, f store.DomainFile) error {
	data, err := encode(f)
	if err != nil {
		return err
	}
	i := directoryKey(domainFilePartition, f.Filename)
	i["data"] = data
	// An existing file is a success.
	return e.run(ctx, []step{put(e.cfg.DirectoryTable, i, "attribute_not_exists(pk)", nil, failing(nil))})
}

// DeleteDomainFile implements store.Directory.
func (e *Engine) DeleteDomainFile(ctx context.Context, filename string) error {
	key := directoryKey(domainFilePartition, filename)
	if !possible(key) {
		return store.ErrNotFound
	}
	return e.run(ctx, []step{remove(e.cfg.DirectoryTable, key, "attribute_exists(pk)", nil, failing(store.ErrNotFound))})
}

// PublicKeys implements store.Directory.
func (e *Engine) PublicKeys(ctx context.Context) (keys store.PublicKeys, err error) {
	found, err := e.get(ctx, e.cfg.DirectoryTable, publicKeysKey())
	if err != nil {
		return keys, err
	}
	return keys, decode(found, &keys)
}

// PutPublicKeys implements store.Directory.
func (e *Engine) PutPublicKeys(ctx context.Context, keys store.PublicKeys) error {
	data, err := encode(keys)
	if err != nil {
		return err
	}
	i := publicKeysKey()
	i["data"] = data
	return e.run(ctx, []step{put(e.cfg.DirectoryTable, i, "", nil, failing(nil))})
}
