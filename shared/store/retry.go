package store

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"
)

// changeAttempts is how often a change is tried while other writers are faster. One
// writer wins each round, so this many concurrent writers of one record all succeed.
const changeAttempts = 40

// RetryChanged runs change (read, decide and write) again while its write fails with
// ErrChanged.
func RetryChanged[T any](ctx context.Context, change func() (T, error)) (T, error) {
	var result T
	var err error
	for attempt := range changeAttempts {
		result, err = change()
		if !errors.Is(err, ErrChanged) {
			return result, err
		}
		if Pause(ctx, attempt) != nil {
			break
		}
	}
	return result, fmt.Errorf("give up after lost races: %w", err)
}

// Pause waits a random time, up to 5 ms after the first attempt and 160 ms later.
// The error is the context's.
func Pause(ctx context.Context, attempt int) error {
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
