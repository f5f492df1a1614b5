package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

// The file does not grow for ever: lines that are too old leave it, with their places in the
// index, as new ones come, and the room is used again.
func TestOldAuditLinesLeaveTheFile(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "store.db")
	engine, err := Open(Config{Path: path, AuditRetention: 24 * time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	fill := func() (size int64) {
		t.Helper()
		var lines []store.AuditLine
		for i := range 2000 {
			lines = append(lines, store.AuditLine{
				ID: store.NewAuditID(now), At: now, Type: "user_updated", User: fmt.Sprint("u", i%7), Authenticator: "demo", Actor: "key",
			})
		}
		if err := engine.write(func(tx transaction) error { return tx.addLines(lines, now.Add(-engine.keep)) }); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	first := fill()
	var last int64
	for range 20 {
		now = now.Add(25 * time.Hour)
		last = fill()
	}
	if last > 3*first {
		t.Errorf("the file has grown from %d to %d bytes", first, last)
	}
	_ = engine.read(func(tx transaction) error {
		for name, want := range map[table]int{auditLines: 2000, auditIndex: 8000} {
			if left := tx.Bucket([]byte(name)).Stats().KeyN; left != want {
				t.Errorf("%d records left in %s, want %d", left, name, want)
			}
		}
		return nil
	})
}

func BenchmarkAudit(b *testing.B) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, lines := range []int{1000, 1_000_000} {
		if testing.Short() && lines > 1000 {
			continue
		}
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			engine, err := Open(Config{Path: filepath.Join(b.TempDir(), "store.db"), Now: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = engine.Close() }()
			storetest.BenchmarkAudit(b, engine, now, lines, func(lines []store.AuditLine) error {
				return engine.write(func(tx transaction) error { return tx.addLines(lines, now.Add(-engine.keep)) })
			})
			if info, err := os.Stat(engine.db.Path()); err == nil {
				b.Logf("%d lines: %d MB", lines, info.Size()>>20)
			}
		})
	}
}
