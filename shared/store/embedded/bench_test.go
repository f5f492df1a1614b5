package embedded

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// BenchmarkStartSession measures the commit of a sign-in with its sync, which shows as
// time without CPU.
func BenchmarkStartSession(b *testing.B) {
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, nosync := range []bool{false, true} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("nosync=%v/writers=%d", nosync, writers), func(b *testing.B) {
				engine, err := Open(Config{Path: filepath.Join(b.TempDir(), "store.db"), Now: func() time.Time { return now }})
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = engine.Close() }()
				engine.db.NoSync = nosync // only the processor's share
				u := store.User{ID: "u", Phone: "+8613800000001", Enabled: true, Version: 1}
				if err := engine.CreateUser(b.Context(), u); err != nil {
					b.Fatal(err)
				}
				var count atomic.Int64
				b.SetParallelism(max(1, writers/2))
				start := func() {
					o := store.AttemptResult{
						SessionKey: fmt.Sprintf("%016x", uint64(count.Add(1))*0x9e3779b97f4a7c15), Kind: store.ResultSession, KeepUntil: now.Add(time.Hour),
						Session: store.Session{UserID: "u", SignedInAt: now, ExpiresAt: now.Add(time.Hour)},
					}
					if err := engine.StartSession(b.Context(), o, true); err != nil {
						b.Error(err)
					}
				}
				if writers == 1 {
					for b.Loop() {
						start()
					}
					return
				}
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						start()
					}
				})
			})
		}
	}
}

// BenchmarkUsers measures the first page of the users, and of those of a name, with few
// users and with many: it must not grow with them.
func BenchmarkUsers(b *testing.B) {
	for _, count := range []int{100, 100_000} {
		engine, err := Open(Config{Path: filepath.Join(b.TempDir(), "store.db")})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = engine.Close() })
		err = engine.write(func(tx transaction) error {
			for i := range count {
				u := store.User{ID: fmt.Sprintf("u%06d", i), Phone: fmt.Sprintf("+86139%08d", i), Name: fmt.Sprintf("王%06d", i), Enabled: true, Version: 1}
				if err := tx.replaceUser(store.User{}, u); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		first := store.Page{Limit: 50}
		b.Run(fmt.Sprintf("users=%d/list", count), func(b *testing.B) {
			for b.Loop() {
				if page, _, err := engine.Users(b.Context(), first); err != nil || len(page) != 50 {
					b.Fatal(len(page), err)
				}
			}
		})
		b.Run(fmt.Sprintf("users=%d/name", count), func(b *testing.B) {
			for b.Loop() {
				if page, _, err := engine.UsersByName(b.Context(), "王0000", first); err != nil || len(page) != 50 {
					b.Fatal(len(page), err)
				}
			}
		})
	}
}
