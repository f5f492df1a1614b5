package embedded

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

func open(t *testing.T, path string, now func() time.Time) *Engine {
	t.Helper()
	engine, err := Open(Config{Path: path, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	return engine
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Engine {
		return open(t, filepath.Join(t.TempDir(), "store.db"), now)
	})
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "store.db")
	open(t, path, nil)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func TestSecondProcessIsToldSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	open(t, path, nil)
	if _, err := Open(Config{Path: path}); !errors.Is(err, ErrInUse) {
		t.Fatalf("err = %v", err)
	}
}

// TestAnsweredWritesSurviveKill writes in a child process, kills it in the middle and
// looks for everything that it reported as written.
func TestAnsweredWritesSurviveKill(t *testing.T) {
	path := os.Getenv("STORE_TO_WRITE")
	if path != "" {
		writeUntilKilled(t, path)
	}
	path = filepath.Join(t.TempDir(), "store.db")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAnsweredWritesSurviveKill$")
	child.Env = append(os.Environ(), "STORE_TO_WRITE="+path)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var answered []string
	for lines := bufio.NewScanner(output); lines.Scan(); {
		answered = append(answered, lines.Text())
		if len(answered) == 200 {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	if len(answered) < 200 {
		t.Fatalf("the child answered only %d writes", len(answered))
	}
	engine := open(t, path, nil)
	for _, phone := range answered {
		u, err := engine.UserByPhone(t.Context(), phone)
		if err != nil {
			t.Fatalf("%s was answered and is lost: %v", phone, err)
		}
		if o, err := engine.AttemptResult(t.Context(), "session of "+phone); err != nil || o.Session.UserID != u.ID {
			t.Fatalf("the session of %s was answered and is lost: %v", phone, err)
		}
	}
}

func writeUntilKilled(t *testing.T, path string) {
	engine := open(t, path, nil)
	for i := range 100_000 {
		now := time.Now()
		u := store.User{ID: store.NewUserID(now), Phone: fmt.Sprintf("+86138%08d", i), Enabled: true, Version: 1}
		if err := engine.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		o := store.AttemptResult{
			SessionKey: "session of " + u.Phone, Kind: store.ResultSession, KeepUntil: now.Add(time.Hour),
			Session: store.Session{UserID: u.ID, SignedInAt: now, ExpiresAt: now.Add(time.Hour)},
		}
		if err := engine.StartSession(t.Context(), o, true); err != nil {
			t.Fatal(err)
		}
		fmt.Println(u.Phone)
	}
}

func TestExpiredOutcomesAreCleanedUp(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine := open(t, filepath.Join(t.TempDir(), "store.db"), func() time.Time { return now })
	record := func(prefix string, count int) {
		for i := range count {
			key := fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, prefix, i)))
			if err := engine.RecordResult(t.Context(), store.AttemptResult{SessionKey: key, Kind: store.ResultContinued, KeepUntil: now.Add(time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	record("old", 50)
	now = now.Add(time.Hour)
	record("new", 50)
	for place := range uint32(256) { // as many as results in some time
		if err := engine.write(func(tx transaction) error { return tx.clean(results, placeIn(lowerHex, place), now, nil) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.read(func(tx transaction) error {
		if left := tx.Bucket([]byte(results)).Stats().KeyN; left != 50 {
			t.Errorf("%d records left, want the 50 that are not expired", left)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// A file that is older than the search by name gets its names when it is opened.
func TestOlderFileGetsNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	engine := open(t, path, nil)
	u := store.User{ID: "u", Phone: "+8613800000001", Name: "张三", Version: 1}
	if err := engine.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	err := engine.db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(userNames)) })
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	found, _, err := open(t, path, nil).UsersByName(t.Context(), "张", store.Page{Limit: 10})
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
}

// Old events are removed from the file, also those of people who never sign in again.
func TestOldAttemptsLeaveTheFile(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine := open(t, filepath.Join(t.TempDir(), "store.db"), func() time.Time { return now })
	result := func(i int, a *store.SignInEvent) store.AttemptResult {
		key := fmt.Sprintf("%016x", uint64(i+1)*0x9e3779b97f4a7c15)
		return store.AttemptResult{SessionKey: key, Kind: store.ResultRefused, KeepUntil: now.Add(time.Minute), Event: a}
	}
	for i := range 50 {
		a := store.SignInEvent{At: now, AuthenticatorID: "a", UserID: fmt.Sprint("user", i)}
		err := errors.Join(
			engine.RecordResult(t.Context(), result(i, &a)),
			engine.RecordEvent(t.Context(), result(i+100, nil).SessionKey, a),
		)
		if err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(store.EventRetention + time.Hour)
	engine.writes.Store(0)
	for i := range 256 { // all places
		engine.writes.Add(cleanEvery - 1) // every write cleans
		if err := engine.RecordResult(t.Context(), result(i+1000, nil)); err != nil {
			t.Fatal(err)
		}
	}
	_ = engine.read(func(tx transaction) error {
		for _, name := range []table{events, eventKeys} {
			if left := tx.Bucket([]byte(name)).Stats().KeyN; left != 0 {
				t.Errorf("%d records left in %s", left, name)
			}
		}
		return nil
	})
}

// What the provider keeps for a time is removed from the file after it, and nothing else.
func TestExpiredGrantsLeaveTheFile(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine := open(t, filepath.Join(t.TempDir(), "store.db"), func() time.Time { return now })
	fill := func(prefix string, count int) {
		for i := range count {
			hash := sha256.Sum256(fmt.Append(nil, prefix, i))
			g := store.Grant{
				ID: base64.RawURLEncoding.EncodeToString(hash[:16]), ApplicationID: "app", UserID: fmt.Sprint("u", i%7), Lineage: store.NewID(),
				KeepUntil: now.Add(time.Hour),
			}
			err := errors.Join(
				engine.CreateGrant(t.Context(), g, now.Add(time.Hour)),
				engine.RecordApplicationEvent(t.Context(), store.ApplicationEvent{At: now, ApplicationID: fmt.Sprint("app", i%30)}),
			)
			if _, endErr := engine.EndLineage(t.Context(), store.NewID()); err != nil || !errors.Is(endErr, store.ErrNotFound) {
				t.Fatal(err, endErr)
			}
		}
	}
	if err := engine.CreateApplication(t.Context(), store.Application{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	if err := engine.PutConsent(t.Context(), store.Consent{UserID: "u", ApplicationID: "app"}); err != nil {
		t.Fatal(err)
	}
	fill("old", 60)
	now = now.Add(store.EventRetention + time.Hour)
	fill("new", 40)
	if err := engine.write(func(tx transaction) error {
		for turn := range uint32(len(idCharacters) * len(idCharacters)) {
			if err := tx.cleanAll(turn, now); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_ = engine.read(func(tx transaction) error {
		for name, want := range map[table]int{grants: 40, lineages: 80, lineagesOfUser: 40, applicationEvents: 40, applications: 1, consents: 1} {
			if left := tx.Bucket([]byte(name)).Stats().KeyN; left != want {
				t.Errorf("%d records left in %s, want %d", left, name, want)
			}
		}
		return nil
	})
	// No application has more events than are shown, however many there were.
	for range store.MaxEvents + 20 {
		if err := engine.RecordApplicationEvent(t.Context(), store.ApplicationEvent{At: now, ApplicationID: "busy"}); err != nil {
			t.Fatal(err)
		}
	}
	_ = engine.read(func(tx transaction) error {
		if left := tx.Bucket([]byte(applicationEvents)).Stats().KeyN; left != 40+store.MaxEvents {
			t.Errorf("%d events left", left)
		}
		return nil
	})
	// Writing cleans by itself.
	now = now.Add(2 * time.Hour)
	for range cleanEvery {
		if _, err := engine.EndLineage(t.Context(), store.NewID()); !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	_ = engine.read(func(tx transaction) error {
		if left := tx.Bucket([]byte(grants)).Stats().KeyN; left != 0 {
			t.Errorf("%d grants left", left)
		}
		return nil
	})
}

// A file from before the provider gets its tables when it is opened.
func TestOlderFileGetsTheProvidersTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	engine := open(t, path, nil)
	err := engine.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []table{applications, consents, grants, lineages, lineagesOfUser, applicationEvents} {
			if err := tx.DeleteBucket([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	engine = open(t, path, nil)
	if _, err := engine.Application(t.Context(), "demo"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if err := engine.CreateGrant(t.Context(), store.Grant{ID: "g", UserID: "u", Lineage: "l"}, time.Now()); err != nil {
		t.Fatal(err)
	}
}
