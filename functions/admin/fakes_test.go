package admin_test

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// memory is a directory in memory that keeps the promises of package store. before,
// when set, runs ahead of a write, outside the lock: the moment of a race.
type memory struct {
	before func(operation string) error
	after  func(operation string) error // an error although the write happened

	mu             sync.Mutex
	authenticators map[string]store.Authenticator
	users          map[string]store.User
	files          map[string]store.DomainFile
}

func newMemory() *memory {
	return &memory{
		authenticators: map[string]store.Authenticator{}, users: map[string]store.User{}, files: map[string]store.DomainFile{},
	}
}

func (m *memory) write(operation string, do func() error) error {
	if m.before != nil {
		if err := m.before(operation); err != nil {
			return err
		}
	}
	m.mu.Lock()
	err := do()
	m.mu.Unlock()
	if err == nil && m.after != nil {
		err = m.after(operation)
	}
	return err
}

func read[T any](m *memory, from map[string]T, key string) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := from[key]
	if !ok {
		return found, store.ErrNotFound
	}
	return found, nil
}

func list[T any](m *memory, from map[string]T, page store.Page) ([]T, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if page.Cursor == "bad" {
		return nil, "", store.ErrBadCursor
	}
	var items []T
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if key <= page.Cursor {
			continue
		}
		if len(items) == page.Limit {
			return items, last(from, items), nil
		}
		items = append(items, from[key])
	}
	return items, "", nil
}

func last[T any](from map[string]T, items []T) string {
	keys := slices.Sorted(maps.Keys(from))
	for i, key := range keys {
		if i+1 < len(keys) && len(items) > 0 && sameKey(from[key], items[len(items)-1]) {
			return key
		}
	}
	return ""
}

func sameKey(a, b any) bool {
	switch a := a.(type) {
	case store.Authenticator:
		return a.Name == b.(store.Authenticator).Name
	case store.User:
		return a.ID == b.(store.User).ID
	case store.DomainFile:
		return a.Filename == b.(store.DomainFile).Filename
	}
	return false
}

func (m *memory) Authenticator(_ context.Context, name string) (store.Authenticator, error) {
	return read(m, m.authenticators, name)
}

func (m *memory) Authenticators(_ context.Context, page store.Page) ([]store.Authenticator, string, error) {
	return list(m, m.authenticators, page)
}

func (m *memory) AutoLoginAuthenticator(context.Context) (store.Authenticator, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.authenticators {
		if a.HoldsAutoLogin() {
			return a, nil
		}
	}
	return store.Authenticator{}, store.ErrNotFound
}

func (m *memory) autoLoginFree(a store.Authenticator) error {
	for _, other := range m.authenticators {
		if a.HoldsAutoLogin() && other.HoldsAutoLogin() && other.Name != a.Name {
			return &store.AutoLoginTakenError{Holder: other.Name}
		}
	}
	return nil
}

func (m *memory) CreateAuthenticator(_ context.Context, a store.Authenticator) error {
	return m.write("CreateAuthenticator", func() error {
		if _, there := m.authenticators[a.Name]; there {
			return store.ErrExists
		}
		if err := m.autoLoginFree(a); err != nil {
			return err
		}
		m.authenticators[a.Name] = a
		return nil
	})
}

func (m *memory) UpdateAuthenticator(_ context.Context, from, to store.Authenticator) error {
	return m.write("UpdateAuthenticator", func() error {
		if m.authenticators[from.Name] != from || to.Version != from.Version+1 {
			return store.ErrChanged
		}
		if err := m.autoLoginFree(to); err != nil {
			return err
		}
		m.authenticators[from.Name] = to
		return nil
	})
}

func (m *memory) DeleteAuthenticator(_ context.Context, a store.Authenticator) error {
	return m.write("DeleteAuthenticator", func() error {
		if m.authenticators[a.Name] != a {
			return store.ErrChanged
		}
		delete(m.authenticators, a.Name)
		return nil
	})
}

func (m *memory) User(_ context.Context, id string) (store.User, error) { return read(m, m.users, id) }

func (m *memory) UserByPhone(_ context.Context, phone string) (store.User, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.users {
		if u.Phone == phone {
			return u, nil
		}
	}
	return store.User{}, store.ErrNotFound
}

func (m *memory) Users(_ context.Context, page store.Page) ([]store.User, string, error) {
	return list(m, m.users, page)
}

func (m *memory) phoneFree(u store.User) error {
	for _, other := range m.users {
		if other.ID != u.ID && other.Phone == u.Phone {
			return store.ErrPhoneTaken
		}
	}
	return nil
}

func (m *memory) CreateUser(_ context.Context, u store.User) error {
	return m.write("CreateUser", func() error {
		if _, there := m.users[u.ID]; there {
			return store.ErrExists
		}
		if err := m.phoneFree(u); err != nil {
			return err
		}
		m.users[u.ID] = u
		return nil
	})
}

func (m *memory) UpdateUser(_ context.Context, from, to store.User) error {
	return m.write("UpdateUser", func() error {
		present, there := m.users[from.ID]
		if !there || present.Version != from.Version || to.Version != from.Version+1 {
			return store.ErrChanged
		}
		if err := m.phoneFree(to); err != nil {
			return err
		}
		to.LastSignInAt = present.LastSignInAt
		m.users[from.ID] = to
		return nil
	})
}

func (m *memory) DeleteUser(_ context.Context, u store.User) error {
	return m.write("DeleteUser", func() error {
		if present, there := m.users[u.ID]; !there || present.Version != u.Version {
			return store.ErrChanged
		}
		delete(m.users, u.ID)
		return nil
	})
}

func (m *memory) DomainFiles(_ context.Context, page store.Page) ([]store.DomainFile, string, error) {
	return list(m, m.files, page)
}

func (m *memory) PutDomainFile(_ context.Context, f store.DomainFile) error {
	return m.write("PutDomainFile", func() error {
		if present, there := m.files[f.Filename]; there {
			f.CreatedAt = present.CreatedAt
		}
		m.files[f.Filename] = f
		return nil
	})
}

func (m *memory) DeleteDomainFile(_ context.Context, filename string) error {
	return m.write("DeleteDomainFile", func() error {
		if _, there := m.files[filename]; !there {
			return store.ErrNotFound
		}
		delete(m.files, filename)
		return nil
	})
}

// vault is a secret store in memory. fail, when set, may refuse an operation.
type vault struct {
	fail func(operation string) error

	mu       sync.Mutex
	versions map[string]map[string]string // by name and version
}

func newVault() *vault { return &vault{versions: map[string]map[string]string{}} }

func (v *vault) do(operation string, work func() error) error {
	if v.fail != nil {
		if err := v.fail(operation); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return work()
}

func (v *vault) Create(_ context.Context, name, version string, value secret.Value) error {
	return v.do("Create", func() error {
		if err := secret.CheckWrite(name, version, value); err != nil {
			return err
		}
		if _, there := v.versions[name]; there {
			return secret.ErrExists
		}
		v.versions[name] = map[string]string{version: value.Reveal()}
		return nil
	})
}

func (v *vault) Put(_ context.Context, name, version string, value secret.Value) error {
	return v.do("Put", func() error {
		if err := secret.CheckWrite(name, version, value); err != nil {
			return err
		}
		if _, there := v.versions[name]; !there {
			return secret.ErrNotFound
		}
		v.versions[name][version] = value.Reveal()
		return nil
	})
}

func (v *vault) Delete(_ context.Context, name string) error {
	return v.do("Delete", func() error {
		delete(v.versions, name)
		return nil
	})
}

func (v *vault) names() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(maps.Keys(v.versions))
}

// secretOf returns the secret that an authenticator's record refers to.
func (v *vault) secretOf(a store.Authenticator) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.versions[secretName(a.ID)][a.SecretVersion]
}

func secretName(authenticatorID string) string { return "test/authenticators/" + authenticatorID }

// tokens gives a token, or an error, and remembers for which app.
type tokens struct {
	mu     sync.Mutex
	err    error
	calls  []string
	lastID string
}

func (f *tokens) note(call string, app accesstoken.App) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.lastID = append(f.calls, call), app.AuthenticatorID
}

func (f *tokens) Forget(_ context.Context, app accesstoken.App) error {
	f.note("forget", app)
	return nil
}

func (f *tokens) Token(_ context.Context, app accesstoken.App) (wecom.AccessToken, error) {
	f.note("token", app)
	return wecom.AccessToken{}, f.err
}

// wecomFake answers every code with err.
type wecomFake struct{ err error }

func (f *wecomFake) Identify(context.Context, wecom.AccessToken, string) (wecom.Visitor, error) {
	return wecom.Visitor{}, f.err
}
