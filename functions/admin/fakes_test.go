package admin_test

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// directory is the embedded engine. before, if set, runs before every write, to race
// against it or to fail it; after turns a write that happened into an error.
type directory struct {
	*embedded.Engine
	before, after func(operation string) error
	// audit, if set, fails what writes a line of the audit.
	audit func() error
}

func (d *directory) write(operation string, do func() error) error {
	if d.before != nil {
		if err := d.before(operation); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && d.after != nil {
		err = d.after(operation)
	}
	return err
}

func (d *directory) DeleteConsent(ctx context.Context, userID, applicationID string) error {
	return d.write("DeleteConsent", func() error { return d.Engine.DeleteConsent(ctx, userID, applicationID) })
}

// Audited returns the writes, each with its lines.
func (d *directory) Audited(lines ...store.AuditLine) store.AuditedWrites {
	if d.audit != nil && d.audit() != nil {
		for i := range lines {
			lines[i].ID = "" // which no engine writes
		}
	}
	return audited{d.Engine.Audited(lines...), d}
}

// RecordAudit writes a line by itself.
func (d *directory) RecordAudit(ctx context.Context, line store.AuditLine) error {
	if d.audit != nil {
		if err := d.audit(); err != nil {
			return err
		}
	}
	return d.Engine.RecordAudit(ctx, line)
}

type audited struct {
	store.AuditedWrites
	of *directory
}

func (w audited) CreateAuthenticator(ctx context.Context, a store.Authenticator) error {
	return w.of.write("CreateAuthenticator", func() error { return w.AuditedWrites.CreateAuthenticator(ctx, a) })
}

func (w audited) UpdateAuthenticator(ctx context.Context, from, to store.Authenticator) error {
	return w.of.write("UpdateAuthenticator", func() error { return w.AuditedWrites.UpdateAuthenticator(ctx, from, to) })
}

func (w audited) DeleteAuthenticator(ctx context.Context, a store.Authenticator) error {
	return w.of.write("DeleteAuthenticator", func() error { return w.AuditedWrites.DeleteAuthenticator(ctx, a) })
}

func (w audited) CreateUser(ctx context.Context, u store.User) error {
	return w.of.write("CreateUser", func() error { return w.AuditedWrites.CreateUser(ctx, u) })
}

func (w audited) UpdateUser(ctx context.Context, from, to store.User) error {
	return w.of.write("UpdateUser", func() error { return w.AuditedWrites.UpdateUser(ctx, from, to) })
}

func (w audited) DeleteUser(ctx context.Context, u store.User) error {
	return w.of.write("DeleteUser", func() error { return w.AuditedWrites.DeleteUser(ctx, u) })
}

func (w audited) CreateApplication(ctx context.Context, a store.Application) error {
	return w.of.write("CreateApplication", func() error { return w.AuditedWrites.CreateApplication(ctx, a) })
}

func (w audited) UpdateApplication(ctx context.Context, from, to store.Application) error {
	return w.of.write("UpdateApplication", func() error { return w.AuditedWrites.UpdateApplication(ctx, from, to) })
}

func (w audited) DeleteApplication(ctx context.Context, a store.Application) error {
	return w.of.write("DeleteApplication", func() error { return w.AuditedWrites.DeleteApplication(ctx, a) })
}

func (w audited) PutDomainFile(ctx context.Context, f store.DomainFile) error {
	return w.of.write("PutDomainFile", func() error { return w.AuditedWrites.PutDomainFile(ctx, f) })
}

func (w audited) DeleteDomainFile(ctx context.Context, filename string) error {
	return w.of.write("DeleteDomainFile", func() error { return w.AuditedWrites.DeleteDomainFile(ctx, filename) })
}

// vault is a secret store in memory. fail, if set, may refuse an operation.
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

func (v *vault) Get(_ context.Context, name, version string) (secret.Value, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	content, there := v.versions[name][version]
	if !there {
		return secret.Value{}, secret.ErrNotFound
	}
	return secret.NewValue(content), nil
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

// tokens returns a token or an error, and records for which app.
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

func (f *tokens) Reject(_ context.Context, app accesstoken.App, _ secret.Value) error {
	f.note("reject", app)
	return nil
}

func (f *tokens) Token(_ context.Context, app accesstoken.App) (secret.Value, error) {
	f.note("token", app)
	return secret.Value{}, f.err
}

// wecomFake answers every code with err, and calls like a WeCom without agent/get
// unless agent or agentErr is set.
type wecomFake struct {
	mu       sync.Mutex
	err      error
	agent    wecom.Agent
	agentErr error
	caller   string // the address it sees; empty: it does not answer
	members  map[string]wecom.Member
	// departments and tags are the corp's, unless directoryErr is set.
	departments  []wecom.Department
	tags         map[int64]wecom.Tag
	directoryErr error
	// phones are the members who are found by theirs; lookedUp may refuse a lookup.
	phones   map[string]wecom.Member
	lookedUp func(phone string) error
	// memberErr may refuse a member.
	memberErr func(userID string) error
	calls     []string
}

func (f *wecomFake) Member(_ context.Context, _ secret.Value, userID string) (wecom.Member, error) {
	f.calls = append(f.calls, "user/get "+userID)
	if f.memberErr != nil {
		if err := f.memberErr(userID); err != nil {
			return wecom.Member{}, err
		}
	}
	for _, m := range f.phones {
		if m.UserID == userID {
			return m, nil
		}
	}
	m, found := f.members[userID]
	if !found {
		return m, &wecom.Error{Op: "user/get", Code: wecom.UserNotFound}
	}
	return m, nil
}

func (f *wecomFake) UserIDByPhone(_ context.Context, _ secret.Value, phone string) (string, error) {
	f.mu.Lock()
	f.calls = append(f.calls, "getuserid "+phone)
	f.mu.Unlock()
	if f.lookedUp != nil {
		if err := f.lookedUp(phone); err != nil {
			return "", err
		}
	}
	member, found := f.phones[phone]
	if !found {
		return "", &wecom.Error{Op: "user/getuserid", Code: wecom.PhoneNotFound}
	}
	return member.UserID, nil
}

func (f *wecomFake) DepartmentTree(context.Context, secret.Value) ([]wecom.Department, error) {
	return f.departments, f.directoryErr
}

func (f *wecomFake) DepartmentNames(context.Context, secret.Value) ([]wecom.Department, error) {
	return f.departments, f.directoryErr
}

func (f *wecomFake) Tag(_ context.Context, _ secret.Value, id int64) (wecom.Tag, error) {
	return f.tags[id], f.directoryErr
}

func (f *wecomFake) Identify(context.Context, secret.Value, string) (wecom.Identity, error) {
	f.calls = append(f.calls, "getuserinfo")
	return wecom.Identity{}, f.err
}

func (f *wecomFake) Agent(_ context.Context, _ secret.Value, agentID string) (wecom.Agent, error) {
	f.calls = append(f.calls, "agent/get "+agentID)
	if f.agentErr == nil && f.agent == (wecom.Agent{}) {
		return wecom.Agent{}, &wecom.UnavailableError{Op: "agent/get", Reason: "HTTP status 404"}
	}
	return f.agent, f.agentErr
}

func (f *wecomFake) CallerAddress(context.Context) (netip.Addr, error) {
	f.calls = append(f.calls, "gettoken")
	address, err := netip.ParseAddr(f.caller)
	if err != nil {
		return netip.Addr{}, &wecom.UnavailableError{Op: "gettoken", Reason: "time-out"}
	}
	return address, nil
}

// notifier records whose applications are told.
type notifier struct {
	mu   sync.Mutex
	err  error
	told []string
}

func (n *notifier) UserEnded(_ context.Context, userID string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.told = append(n.told, userID)
	return n.err
}

func (n *notifier) AuthenticatorEnded(_ context.Context, was store.Authenticator) error {
	return n.UserEnded(context.Background(), was.Name+" "+was.Generation)
}
