package audit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// recorder keeps the lines that it is given, or fails.
type recorder struct {
	lines []store.AuditLine
	err   error
}

func (r *recorder) RecordAudit(ctx context.Context, line store.AuditLine) error {
	if err := errors.Join(ctx.Err(), r.err, store.CheckAuditLine(line)); err != nil {
		return err
	}
	r.lines = append(r.lines, line)
	return nil
}

var at = time.Date(2026, 11, 29, 16, 0, 0, 123_456_789, time.FixedZone("", 8*3600))

func TestLinesAreComplete(t *testing.T) {
	kept := &recorder{}
	log := &audit.Log{Store: kept, Now: func() time.Time { return at }, RequestID: func(context.Context) string { return "request" }}
	if err := log.Write(t.Context(), store.AuditLine{Type: audit.UsersListed, Actor: audit.ActorKey}); err != nil {
		t.Fatal(err)
	}
	hungUp, cancel := context.WithCancel(t.Context())
	cancel()
	log.Note(hungUp, store.AuditLine{Type: audit.SignedOut, User: "u", Authenticator: "demo"})
	want := []store.AuditLine{
		{Type: "users_listed", Actor: "key", At: time.Date(2026, 11, 29, 8, 0, 0, 123e6, time.UTC), RequestID: "request"},
		{Type: "signed_out", User: "u", Authenticator: "demo", At: time.Date(2026, 11, 29, 8, 0, 0, 123e6, time.UTC), RequestID: "request"},
	}
	for i := range kept.lines {
		kept.lines[i].ID = ""
	}
	if diff := cmp.Diff(want, kept.lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A line that is lost is the operator's business, not that of whoever signs out.
func TestLostLineIsLogged(t *testing.T) {
	logged := ""
	log := &audit.Log{
		Store: &recorder{err: errors.New("the table is gone")}, Now: func() time.Time { return at }, RequestID: func(context.Context) string { return "" },
		LogField: func(_ context.Context, key string, value any) { logged = key + " " + value.(string) },
	}
	log.Note(t.Context(), store.AuditLine{Type: audit.SignedOut})
	if !strings.HasPrefix(logged, "auditNotWritten ") || !strings.Contains(logged, "the table is gone") {
		t.Errorf("logged %q", logged)
	}
	(*audit.Log)(nil).Note(t.Context(), store.AuditLine{Type: audit.SignedOut}) // a function that tells nothing
}

func TestTypesAreThereOnce(t *testing.T) {
	types := audit.Types()
	if unique := slices.Compact(slices.Sorted(slices.Values(types))); len(unique) != len(types) {
		t.Errorf("a type is there twice: %q", types)
	}
}

func TestKindsOfLines(t *testing.T) {
	demo := store.Authenticator{Name: "demo", CorpID: "ww", Origin: "https://app.example.com"}
	for want, line := range map[string]store.AuditLine{
		"signed_in u demo ":                       audit.OfSignIn(store.SignInEvent{At: at, UserID: "u", AuthenticatorName: "demo", WeComUserID: "13800000001"}),
		"sign_in_refused  demo user_disabled":     audit.OfSignIn(store.SignInEvent{At: at, AuthenticatorName: "demo", Code: "user_disabled"}),
		"event_received u demo update_user":       audit.OfEvent("update_user", "u", demo),
		"app_inactive  demo inactive_alert":       audit.OfEvent("inactive_alert", "", demo),
		"app_inactive  demo close_inactive_agent": audit.OfEvent("close_inactive_agent", "", demo),
	} {
		if got := strings.Join([]string{line.Type, line.User, line.Authenticator, line.Code}, " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
