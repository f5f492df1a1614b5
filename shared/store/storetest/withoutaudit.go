package storetest

import (
	"context"
	"errors"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// WithoutAudit is an engine that cannot write lines of the audit, for tests of its callers.
type WithoutAudit struct{ store.Engine }

// Audited returns writes that fail.
func (w WithoutAudit) Audited(lines ...store.AuditLine) store.AuditedWrites {
	for i := range lines {
		lines[i].ID = "" // which no engine writes
	}
	return w.Engine.Audited(lines...)
}

// RecordAudit fails.
func (WithoutAudit) RecordAudit(context.Context, store.AuditLine) error {
	return errors.New("the table is gone")
}
