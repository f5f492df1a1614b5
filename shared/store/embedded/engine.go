package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Config is what Open needs.
type Config struct {
	// Path is the file. Open creates its folder.
	Path string
	// NoSync lets a commit return before it is on the disk: a machine that stops may lose
	// it or spoil the file. For tests.
	NoSync bool
	// AuditRetention is how long audit lines are kept. Zero: store.DefaultAuditRetention.
	AuditRetention time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Engine is a store.Engine in one file. It is safe for concurrent use.
type Engine struct {
	*file
	lines []store.AuditLine // that each write carries, see Audited
}

// file is what all engines of one file share.
type file struct {
	db      *bbolt.DB
	now     func() time.Time
	keep    time.Duration // of audit lines
	writers atomic.Int32  // running writes
	writes  atomic.Uint32 // that clean, see writeAndClean
	// recent caches decoded authenticators by name, see Authenticator.
	recent sync.Map // string -> decodedAuthenticator
}

var _ store.Engine = (*Engine)(nil)

// table is a bucket of records of one kind.
type table string

const (
	authenticators table = "authenticators" // by name
	autoLogin      table = "auto-login"     // holder -> name
	users          table = "users"          // by id
	phones         table = "phones"         // E.164 -> user id
	identities     table = "identities"     // corp and folded userid -> user id
	domainFiles    table = "domain-files"   // by file name
	signingKeys    table = "signing-keys"   // public -> document
	results        table = "outcomes"       // by session key, in the form of putExpiring
	fetched        table = "access-tokens"  // by key
	events         table = "attempts"       // by owner, newest first, see events.go
	eventKeys      table = "attempt-keys"   // by session key -> the latest event
	userNames      table = "user-names"     // folded name and user id -> user id
	firstSignIns   table = "first-sign-ins" // by firstSignInKey, in the form of putExpiring

	applications      table = "applications"       // by id
	consents          table = "consents"           // by user and application
	grants            table = "grants"             // by id, in the form of putExpiring
	lineages          table = "lineages"           // by id, in the form of putExpiring
	lineagesOfUser    table = "lineages-of-user"   // user and lineage -> lineage
	applicationEvents table = "application-events" // by application, newest first

	auditLines table = "audit"       // by id
	auditIndex table = "audit-index" // by what lines have in common and their ids, see audit.go
)

func tables() []table {
	return []table{
		authenticators, autoLogin, users, phones, identities, domainFiles, signingKeys, results, fetched, events, eventKeys, userNames, firstSignIns,
		applications, consents, grants, lineages, lineagesOfUser, applicationEvents,
		auditLines, auditIndex,
	}
}

// holder is the one key of autoLogin, public the one of signingKeys.
const (
	holder = "holder"
	public = "public"
)

// ErrInUse: another process has the file open.
var ErrInUse = errors.New("the store file is in use by another process")

// lockTime is how long Open waits for a process that is just ending.
const lockTime = 3 * time.Second

// Open opens or creates the file, which only its owner can read.
func Open(cfg Config) (*Engine, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AuditRetention == 0 {
		cfg.AuditRetention = store.DefaultAuditRetention
	}
	if err := os.MkdirAll(filepath.Dir(cfg.Path), 0o700); err != nil {
		return nil, fmt.Errorf("make the store's folder: %w", err)
	}
	db, err := bbolt.Open(cfg.Path, 0o600, &bbolt.Options{
		Timeout: lockTime, NoSync: cfg.NoSync,
		// The free list is rebuilt at start instead of being written at each commit.
		NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open store file: %w", err)
	}
	// Writers that start during a sync share the next one. A single writer does not wait
	// for others; see write.
	db.MaxBatchDelay = time.Millisecond
	err = db.Update(func(tx *bbolt.Tx) error {
		named := tx.Bucket([]byte(userNames)) != nil
		for _, name := range tables() {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if named {
			return nil
		}
		return transaction{tx}.nameUsers() // a file from before names could be searched
	})
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("prepare store file: %w", err)
	}
	return &Engine{file: &file{db: db, now: cfg.Now, keep: cfg.AuditRetention}}, nil
}

// Close waits for running transactions and closes the file.
func (e *Engine) Close() error { return e.db.Close() }

// transaction is a consistent view of the file.
type transaction struct{ *bbolt.Tx }

func (e *Engine) read(view func(transaction) error) error {
	return e.db.View(func(tx *bbolt.Tx) error { return view(transaction{tx}) })
}

// write runs change in a transaction. change may run more than once, so it must decide
// everything by what it reads there. errUnchanged from it writes nothing, and is no error.
func (e *Engine) write(change func(transaction) error) error {
	run := func(tx *bbolt.Tx) error {
		if err := change(transaction{tx}); err != nil {
			return err
		}
		return transaction{tx}.addLines(e.lines, e.now().Add(-e.keep))
	}
	defer e.writers.Add(-1)
	begin := e.db.Batch
	if e.writers.Add(1) == 1 {
		begin = e.db.Update
	}
	err := begin(run)
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// errUnchanged: there is nothing to change, and so nothing to tell in the audit.
var errUnchanged = errors.New("nothing to change")

// get decodes a record into value, or returns store.ErrNotFound.
func (tx transaction) get(from table, key string, value any) error {
	found := tx.Bucket([]byte(from)).Get([]byte(key))
	if found == nil {
		return store.ErrNotFound
	}
	return decode(from, found, value)
}

func decode(from table, encoded []byte, value any) error {
	if err := json.Unmarshal(encoded, value); err != nil {
		return fmt.Errorf("decode record of %s: %w", from, err)
	}
	return nil
}

func (tx transaction) put(into table, key string, value any) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", into, err)
	}
	return tx.Bucket([]byte(into)).Put([]byte(key), encoded)
}

func (tx transaction) delete(from table, key string) error {
	return tx.Bucket([]byte(from)).Delete([]byte(key))
}

// pointer returns the text under a key, or nothing.
func (tx transaction) pointer(from table, key string) string {
	return string(tx.Bucket([]byte(from)).Get([]byte(key)))
}

func (tx transaction) point(from table, key, to string) error {
	return tx.Bucket([]byte(from)).Put([]byte(key), []byte(to))
}

// list reads a page of a table in the order of its keys.
func list[T any](e *Engine, from table, page store.Page) (items []T, next string, err error) {
	after, err := store.DecodeCursor(string(from), page.Cursor)
	if err != nil {
		return nil, "", err
	}
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(from)).Cursor()
		key, value := cursor.Seek([]byte(after))
		if after != "" && string(key) == after {
			key, value = cursor.Next()
		}
		last := ""
		for ; key != nil; key, value = cursor.Next() {
			if len(items) == page.Limit {
				next = store.EncodeCursor(string(from), last)
				return nil
			}
			var item T
			if err := decode(from, value, &item); err != nil {
				return err
			}
			items, last = append(items, item), string(key)
		}
		return nil
	})
	return items, next, err
}
