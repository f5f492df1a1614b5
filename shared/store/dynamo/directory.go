package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	authenticatorPartition = "authenticator"
	domainFilePartition    = "domain-file"
	usersPartition         = "users"
)

func authenticatorKey(name string) item { return directoryKey(authenticatorPartition, name) }

func autoLoginKey() item  { return directoryKey("auto-login", "auto-login") }
func publicKeysKey() item { return directoryKey("signing-keys", "public") }

// Authenticator implements store.Directory.
func (e *Engine) Authenticator(ctx context.Context, name string) (a store.Authenticator, err error) {
	if name == "" {
		return a, store.ErrNotFound // DynamoDB refuses empty keys
	}
	found, err := e.get(ctx, e.cfg.DirectoryTable, authenticatorKey(name))
	if err != nil {
		return a, err
	}
	a.LastEventAt = momentOf(found, lastEvent)
	return a, decode(found, &a)
}

// lastEvent is an attribute beside the record, as lastUse of an application is.
const lastEvent = "lastEventAt"

// encodeAuthenticator returns the record without its last event.
func encodeAuthenticator(a store.Authenticator) (types.AttributeValue, error) {
	a.LastEventAt = time.Time{}
	return encode(a)
}

// Authenticators implements store.Directory.
func (e *Engine) Authenticators(ctx context.Context, page store.Page) ([]store.Authenticator, string, error) {
	found, next, err := e.list(ctx, authenticatorPartition, page)
	authenticators, next, err := decodeList[store.Authenticator](found, next, err)
	for n := range authenticators {
		authenticators[n].LastEventAt = momentOf(found[n], lastEvent)
	}
	return authenticators, next, err
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
	data, err := encodeAuthenticator(a)
	if err != nil {
		return err
	}
	i := authenticatorKey(a.Name)
	i["id"], i["version"], i["data"] = text(a.ID), number(a.Version), data
	if !a.LastEventAt.IsZero() {
		i[lastEvent] = moment(a.LastEventAt)
	}
	write := put(e.cfg.DirectoryTable, i, "attribute_not_exists(pk)", nil, failing(store.ErrExists))
	// A transaction even for one item: by its request token a repeated request succeeds,
	// where a repeated put would find its own item and report the name as taken.
	return e.transact(ctx, append([]step{write}, e.moveAutoLogin(store.Authenticator{}, a)...))
}

// UpdateAuthenticator implements store.Directory.
func (e *Engine) UpdateAuthenticator(ctx context.Context, from, to store.Authenticator) error {
	data, err := encodeAuthenticator(to)
	if err != nil {
		return err
	}
	values := asRead(from)
	values[":data"], values[":next"] = data, number(to.Version)
	write := update(e.cfg.DirectoryTable, authenticatorKey(from.Name), "SET #data = :data, version = :next", unchangedAuthenticator,
		map[string]string{"#data": "data"}, values, failing(store.ErrChanged))
	return e.run(ctx, append([]step{write}, e.moveAutoLogin(from, to)...))
}

// DeleteAuthenticator implements store.Directory.
func (e *Engine) DeleteAuthenticator(ctx context.Context, a store.Authenticator) error {
	write := remove(e.cfg.DirectoryTable, authenticatorKey(a.Name), unchangedAuthenticator, asRead(a), failing(store.ErrChanged))
	return e.run(ctx, append([]step{write}, e.moveAutoLogin(a, store.Authenticator{})...))
}

// unchangedAuthenticator is the condition that an authenticator has not changed since it
// was read.
const unchangedAuthenticator = "id = :id AND version = :version"

func asRead(a store.Authenticator) item {
	return item{":id": text(a.ID), ":version": number(a.Version)}
}

// NoteEvent implements store.Directory.
func (e *Engine) NoteEvent(ctx context.Context, a store.Authenticator, at time.Time) error {
	return e.run(ctx, []step{update(e.cfg.DirectoryTable, authenticatorKey(a.Name), "SET "+lastEvent+" = :at",
		"id = :id AND (attribute_not_exists("+lastEvent+") OR "+lastEvent+" <= :before)", nil,
		item{":id": text(a.ID), ":at": moment(at), ":before": moment(at.Add(-store.EventNotePause))}, failing(nil))})
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
