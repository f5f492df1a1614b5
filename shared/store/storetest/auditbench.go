package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// BenchmarkAudit measures an engine with so many audit lines: writing one, and pages of 50 by
// everything that lines are asked for by. fill writes lines in any way. The lines are of 180
// days, of 10,000 users by three authenticators; one in a thousand is a change by an
// administrator.
func BenchmarkAudit(b *testing.B, engine store.Engine, now time.Time, lines int, fill func(lines []store.AuditLine) error) {
	const days = 180
	step := days * 24 * time.Hour / time.Duration(lines+1)
	var batch []store.AuditLine
	for i := range lines {
		at := now.Add(-time.Duration(lines-i) * step).Truncate(time.Millisecond)
		line := store.AuditLine{
			ID: store.NewAuditID(at), At: at, Type: store.AuditSignedIn, User: fmt.Sprintf("user%022d", i%10_000),
			Authenticator: fmt.Sprint("authenticator-", i%3), RequestID: fmt.Sprintf("request-%08d", i),
		}
		if i%1000 == 0 {
			line.Type, line.Actor, line.Fields = "user_updated", "key", []string{"roles"}
		}
		if batch = append(batch, line); len(batch) == 5000 || i == lines-1 {
			if err := fill(batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			line := store.AuditLine{ID: store.NewAuditID(now), At: now, Type: store.AuditSignedIn, User: "somebody", Authenticator: "authenticator-0"}
			if err := engine.RecordAudit(b.Context(), line); err != nil {
				b.Fatal(err)
			}
		}
	})
	middle := now.Add(-days / 2 * 24 * time.Hour)
	for _, read := range []struct {
		name  string
		query store.AuditQuery
	}{
		{"newest", store.AuditQuery{}},
		{"in the middle", store.AuditQuery{To: middle}},
		{"of a user", store.AuditQuery{User: fmt.Sprintf("user%022d", 7)}},
		{"of an authenticator", store.AuditQuery{Authenticator: "authenticator-1"}},
		{"of an authenticator in the middle", store.AuditQuery{Authenticator: "authenticator-1", To: middle}},
		{"of an actor", store.AuditQuery{Actor: "key"}},
		{"of a rare type", store.AuditQuery{Type: "user_updated"}},
		{"of nobody", store.AuditQuery{User: "absent"}},
	} {
		b.Run("read/"+read.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := engine.AuditLines(b.Context(), read.query, store.Page{Limit: 50}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
