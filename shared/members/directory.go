package members

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/fetchonce"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// directoryAge is how long departments and tags are used before WeCom is asked again.
	directoryAge = 10 * time.Minute
	// failedTime is how long nobody asks again after a failure, so that many sign-ins do not
	// wait for a WeCom that does not answer, one after the other.
	failedTime = 10 * time.Second
	// loadTime bounds a fetch, by this caller or another one.
	loadTime = 12 * time.Second
	// namesTime bounds the call for the names, which a sign-in can do without.
	namesTime = 3 * time.Second
	// maxRecord is how large a record may be, in bytes, below DynamoDB's 400 KB. Whatever is
	// larger is fetched by every process for itself.
	maxRecord = 380_000
	// maxDepth bounds the way up from a department. WeCom has 15 levels.
	maxDepth = 50
)

// DirectoryConfig is what NewEvaluator needs.
type DirectoryConfig struct {
	// Store shares what was fetched among all functions; store.Transient is one.
	Store fetchonce.Store
	// WeCom is asked for departments and tags; *wecom.Client is one.
	WeCom interface {
		DepartmentTree(ctx context.Context, token secret.Value) ([]wecom.Department, error)
		DepartmentNames(ctx context.Context, token secret.Value) ([]wecom.Department, error)
		Tag(ctx context.Context, token secret.Value, id int64) (wecom.Tag, error)
	}
	Tokens accesstoken.Tokens
	// SecretName returns the name of an authenticator's secret.
	SecretName func(authenticatorID string) string
	Now        func() time.Time // nil: time.Now
}

// directory is WeCom's, as the apps of authenticators see it: from memory, from the table,
// or fetched by the one caller that holds the lease.
type directory struct {
	cfg    DirectoryConfig
	flight singleflight.Group

	mu     sync.Mutex // never held over a slow call
	memory map[string]remembered
}

type remembered struct {
	value any // never changed
	until time.Time
}

// tree has the departments that an app may see, by number.
type tree map[int64]wecom.Department

// above returns the departments that one is below, from the topmost.
func (t tree) above(id int64) (ids []int64, names []string) {
	for range maxDepth { // a circle must not go on for ever
		parent, visible := t[t[id].ParentID]
		if !visible {
			break
		}
		ids, names = append(ids, parent.ID), append(names, parent.Name)
		id = parent.ID
	}
	slices.Reverse(ids)
	slices.Reverse(names)
	return ids, names
}

// tagged is who has a tag.
type tagged struct {
	Members     map[string]struct{} // by folded userid
	Departments []int64
	AskedAt     time.Time
}

// has reports whether a member is named. A list that was asked for while the member had
// another userid may name that one.
func (t tagged) has(userID string, former []store.FormerUserID) bool {
	_, named := t.Members[store.FoldUserID(userID)]
	return named || slices.ContainsFunc(former, func(f store.FormerUserID) bool {
		_, named := t.Members[store.FoldUserID(f.WeComUserID)]
		return named && !t.AskedAt.After(f.Until)
	})
}

// tree returns the departments. When WeCom does not tell their names, they have those that
// it told before, or none.
func (d *directory) tree(ctx context.Context, a store.Authenticator) (tree, error) {
	return load(ctx, d, a, "departments", func(ctx context.Context, earlier tree) (tree, error) {
		naming, cancel := context.WithTimeout(ctx, namesTime)
		defer cancel()
		named := make(chan tree, 1)
		go func() {
			names, err := d.departments(naming, a, d.cfg.WeCom.DepartmentNames)
			if err != nil {
				names = earlier
			}
			named <- names
		}()
		departments, err := d.departments(ctx, a, d.cfg.WeCom.DepartmentTree)
		if err != nil {
			cancel()
		}
		names := <-named
		if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.Code == wecom.OutOfScope {
			return tree{}, nil // the visible range has no department
		}
		if err != nil {
			return nil, err
		}
		for id, department := range departments {
			department.Name = names[id].Name
			departments[id] = department
		}
		return departments, nil
	})
}

// departments makes one of the two calls.
func (d *directory) departments(ctx context.Context, a store.Authenticator, call func(context.Context, secret.Value) ([]wecom.Department, error)) (tree, error) {
	var list []wecom.Department
	err := d.use(ctx, a, func(token secret.Value) (err error) {
		list, err = call(ctx, token)
		return err
	})
	if err != nil {
		return nil, err
	}
	departments := make(tree, len(list))
	for _, department := range list {
		departments[department.ID] = department
	}
	return departments, nil
}

// tag returns who has a tag. One that was deleted, or that the app may not see, has nobody.
func (d *directory) tag(ctx context.Context, a store.Authenticator, id int64) (tagged, error) {
	return load(ctx, d, a, "tag."+strconv.FormatInt(id, 10), func(ctx context.Context, _ tagged) (tagged, error) {
		asked := d.cfg.Now()
		var tag wecom.Tag
		err := d.use(ctx, a, func(token secret.Value) (err error) {
			tag, err = d.cfg.WeCom.Tag(ctx, token, id)
			return err
		})
		if answered, ok := errors.AsType[*wecom.Error](err); ok && (answered.Code == wecom.TagNotFound || answered.Code == wecom.ForeignTag) {
			return tagged{}, nil
		}
		members := make(map[string]struct{}, len(tag.UserIDs))
		for _, userID := range tag.UserIDs {
			members[store.FoldUserID(userID)] = struct{}{}
		}
		return tagged{members, tag.Departments, asked}, err
	})
}

func (d *directory) use(ctx context.Context, a store.Authenticator, call func(secret.Value) error) error {
	return accesstoken.Use(ctx, d.cfg.Tokens, accesstoken.AppOf(a, d.cfg.SecretName(a.ID)), call)
}

// load returns what of an authenticator's app, from memory or as shared returns it. Callers
// of this process wait for one of them, which goes on when the first one gives up.
func load[T any](ctx context.Context, d *directory, a store.Authenticator, what string, fetch func(ctx context.Context, earlier T) (T, error)) (T, error) {
	key := accesstoken.AppOf(a, "").Key() + "." + what
	d.mu.Lock()
	known, found := d.memory[key]
	d.mu.Unlock()
	if found && d.cfg.Now().Before(known.until) {
		return known.value.(T), nil
	}
	loading := d.flight.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
		defer cancel()
		got, err := shared(ctx, d, key, fetch)
		if err != nil {
			return *new(T), err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.memory[key] = got
		return got.value, nil
	})
	select {
	case result := <-loading:
		return result.Val.(T), result.Err
	case <-ctx.Done():
		return *new(T), fmt.Errorf("wait for WeCom's directory: %w", context.Cause(ctx))
	}
}

// shared returns what the table has, or fetches it as the only one to do so.
func shared[T any](ctx context.Context, d *directory, key string, fetch func(context.Context, T) (T, error)) (remembered, error) {
	var known T // of the record
	return fetchonce.Fetch[remembered]{
		Store: d.cfg.Store, Now: d.cfg.Now, Key: key, Op: "directory",
		Answer: func(record store.Fetched, now time.Time, _ bool) (remembered, bool, error) {
			var readable bool
			known, readable = decode[T](record.Content)
			switch {
			case readable && now.Before(record.ExpiresAt):
				return remembered{known, record.ExpiresAt}, true, nil
			case now.Before(record.RefusedUntil):
				return remembered{}, true, failureOf(record)
			}
			return remembered{}, false, nil
		},
		Fetch: func(ctx context.Context, record store.Fetched) (remembered, store.Fetched, error) {
			asked := d.cfg.Now()
			value, err := fetch(ctx, known)
			if err != nil {
				record.RefusedUntil, record.RefusedCode = d.cfg.Now().Add(failedTime), 0
				if answered, ok := errors.AsType[*wecom.Error](err); ok {
					record.RefusedCode = answered.Code
				}
				return remembered{}, record, err
			}
			until := asked.Add(directoryAge)
			content, err := encode(value)
			if err != nil {
				return remembered{}, record, err
			}
			if len(content) > maxRecord {
				return remembered{value, until}, store.Fetched{}, nil
			}
			return remembered{value, until}, store.Fetched{Content: content, ExpiresAt: until}, nil
		},
	}.Get(ctx)
}

// failureOf returns the failure that a record remembers.
func failureOf(record store.Fetched) error {
	if record.RefusedCode != 0 {
		return &wecom.Error{Op: "directory", Code: record.RefusedCode}
	}
	return &wecom.UnavailableError{Op: "directory", Reason: "the last call failed a moment ago", Unsent: true}
}

// encode compresses: a thousand departments would be 60 kB.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	packed := gzip.NewWriter(&buffer)
	if err := errors.Join(json.NewEncoder(packed).Encode(value), packed.Close()); err != nil {
		return nil, fmt.Errorf("encode WeCom's directory: %w", err)
	}
	return buffer.Bytes(), nil
}

// decode reads what encode wrote; ok is false for anything else.
func decode[T any](content []byte) (value T, ok bool) {
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return value, false
	}
	text, err := io.ReadAll(unpacked)
	if err != nil || json.Unmarshal(text, &value) != nil {
		return *new(T), false
	}
	return value, true
}
