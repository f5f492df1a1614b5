package admin

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// changeAttempts bounds how often a change is decided anew because somebody else
// was faster. In every round somebody wins, so this many writers of one record at
// the same moment all get through.
const changeAttempts = 40

// retryChanged runs read, decide and write again while the write says that what was
// read has changed.
func retryChanged[T any](ctx context.Context, change func() (T, error)) (T, error) {
	var result T
	var err error
	for attempt := range changeAttempts {
		result, err = change()
		if !errors.Is(err, store.ErrChanged) {
			return result, err
		}
		if pause(ctx, attempt) != nil {
			break
		}
	}
	return result, fmt.Errorf("give up after lost races: %w", err)
}

// pause waits a random time, up to 5 ms after the first attempt and 160 ms later.
// The error is the context's.
func pause(ctx context.Context, attempt int) error {
	longest := 5 * time.Millisecond << min(attempt, 5)
	timer := time.NewTimer(mathrand.N(longest)) //nolint:gosec // spreads competing writers, guards nothing
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
