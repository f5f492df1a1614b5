package authflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// LineageStore is what Lineages needs of the store.
type LineageStore interface {
	EndLineage(ctx context.Context, id string) (store.Lineage, error)
}

// LogoutNotifier tells applications that a session is over (OpenID Connect Back-Channel
// Logout). It only hands the message over: applications are told later, and how that goes
// does not concern whoever signs out.
type LogoutNotifier interface {
	// SessionEnded has the applications of a lineage told, at least once. A lineage may be
	// announced again.
	SessionEnded(ctx context.Context, lineage store.Lineage) error
}

// Lineages ends lineages: members' stays in one browser, on which applications' grants
// hang. A nil *Lineages does nothing.
type Lineages struct {
	Store LineageStore
	// Notifier is told of each lineage that ends. Nil: nobody is.
	Notifier LogoutNotifier
}

// End ends a lineage and has its applications told, also when it has ended before: an
// earlier try may have failed in between. So it comes before the session's own end, without
// which nobody would try again. A lineage that no application has seen is not an error.
func (l *Lineages) End(ctx context.Context, id string) error {
	if l == nil {
		return nil
	}
	lineage, err := l.Store.EndLineage(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("end lineage: %w", err)
	case l.Notifier == nil:
		return nil
	}
	if err := l.Notifier.SessionEnded(ctx, lineage); err != nil {
		return fmt.Errorf("announce the end of a session: %w", err)
	}
	return nil
}
