package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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

// newSecretVersion returns 128 random bits in the form of a UUID, which is what
// Secrets Manager suggests for a ClientRequestToken.
func newSecretVersion() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails: it ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
