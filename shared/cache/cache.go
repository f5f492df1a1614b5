package cache

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Config is what New needs.
type Config[T any] struct {
	// Load reads the value. Its context ends after Timeout, not with the first caller's.
	Load func(context.Context) (T, error)
	// Keep is how long a loaded value is used without loading again.
	Keep time.Duration
	// Stale is how much longer it is used while loading fails. Zero: a failure is an error
	// at once.
	Stale time.Duration
	// Pause is the least time between two attempts while there is a value to serve:
	// after a failure, and between two calls of Reload.
	Pause time.Duration
	// Timeout bounds one load. Zero: 5 s.
	Timeout time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Value is a cached value. It is safe for concurrent use.
type Value[T any] struct {
	cfg    Config[T]
	flight singleflight.Group

	mu       sync.Mutex
	kept     T
	loadedAt time.Time // when the load of kept started; zero: none
	triedAt  time.Time // when the last attempt started
}

// New returns an empty Value: the first Get loads.
func New[T any](cfg Config[T]) *Value[T] {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Value[T]{cfg: cfg}
}

// Get returns the value, and loads it if there is none or it is older than Keep.
func (v *Value[T]) Get(ctx context.Context) (T, error) {
	return v.get(ctx, v.cfg.Keep)
}

// Reload returns a value loaded now, for a caller that has reason to think the cached one
// outdated. Within Pause of the last attempt it returns the cached one, so that many
// such callers do not cause many loads.
func (v *Value[T]) Reload(ctx context.Context) (T, error) {
	return v.get(ctx, 0)
}

func (v *Value[T]) get(ctx context.Context, keep time.Duration) (T, error) {
	now := v.cfg.Now()
	v.mu.Lock()
	kept, age, pausing := v.kept, now.Sub(v.loadedAt), now.Sub(v.triedAt) < v.cfg.Pause
	servable := !v.loadedAt.IsZero() && age < v.cfg.Keep+v.cfg.Stale
	v.mu.Unlock()
	if servable && (age < keep || pausing) {
		return kept, nil
	}
	loading := v.flight.DoChan("", func() (any, error) { return v.load(ctx) })
	select {
	case result := <-loading:
		if result.Err == nil {
			return result.Val.(T), nil
		}
		if servable {
			return kept, nil
		}
		return *new(T), result.Err
	case <-ctx.Done():
		return *new(T), context.Cause(ctx)
	}
}

func (v *Value[T]) load(ctx context.Context) (T, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.cfg.Timeout)
	defer cancel()
	began := v.cfg.Now()
	v.mu.Lock()
	v.triedAt = began
	v.mu.Unlock()
	loaded, err := v.cfg.Load(ctx)
	if err != nil {
		return loaded, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kept, v.loadedAt = loaded, began
	return loaded, nil
}
