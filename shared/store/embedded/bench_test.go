package embedded

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// BenchmarkStartSession measures the commit of a sign-in, its sync included; the
// sync's share shows as time without CPU.
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
					o := store.Outcome{
						Key: fmt.Sprintf("%016x", uint64(count.Add(1))*0x9e3779b97f4a7c15), Kind: store.OutcomeSession, KeepUntil: now.Add(time.Hour),
						Session: store.Session{UserID: "u", SignedInAt: now, ExpiresAt: now.Add(time.Hour)},
					}
					if err := engine.StartSession(b.Context(), o, ""); err != nil {
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
