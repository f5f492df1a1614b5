package embeddedtest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

// New returns an empty engine with a clock (nil: time.Now), which ends with the test.
func New(t testing.TB, now func() time.Time) *embedded.Engine {
	t.Helper()
	engine, err := embedded.Open(embedded.Config{Path: filepath.Join(t.TempDir(), "store.db"), NoSync: true, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}
