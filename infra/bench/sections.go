package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// milliseconds prints a time as the tables show it.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.3f", float64(d)/float64(time.Millisecond))
}

// measureSignIns is the server of `make run`.
func (b *bench) measureSignIns(ctx context.Context) error {
	if err := b.buildLocal(ctx); err != nil {
		return err
	}
	b.printf("## A returning sign-in through `make run`\n\n")
	b.printf("Authorize, callback and one session check over HTTP, the embedded store with its disk writes included. The middle of %d rounds of %d sign-ins.\n\n", b.rounds, b.signIns)
	b.printf("| in flight | CPU of the service, ms | sign-ins per CPU-second | whole sign-in, median ms | callback, median ms |\n|---|---|---|---|---|\n")
	const users = 1000
	for _, inFlight := range []int{1, 8} {
		if err := b.withLocal(ctx, users, func(s *service) error {
			f, err := rounds(ctx, s, b.rounds, b.signIns, inFlight, func(i int) string { return member(i * 7919 % users) })
			if err != nil {
				return err
			}
			b.printf("| %d | %s | %.0f | %s | %s |\n", inFlight, milliseconds(f.cpu), f.perSecond(), milliseconds(f.whole), milliseconds(f.callback))
			return nil
		}); err != nil {
			return err
		}
	}
	b.printf("\n")
	return nil
}

// withLocal runs measure against a local run with so many users.
func (b *bench) withLocal(ctx context.Context, users int, measure func(*service) error) (err error) {
	folder, err := os.MkdirTemp(b.folder, "data")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := prepare(ctx, folder, users); err != nil {
		return err
	}
	s, stop, err := b.startLocal(folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return measure(s)
}

// measureUsers compares few users with many.
func (b *bench) measureUsers(ctx context.Context) error {
	if err := b.buildLocal(ctx); err != nil {
		return err
	}
	b.printf("## Many users\n\n")
	b.printf("The same, 1 in flight, with few and with many users in the embedded store; each sign-in is another user's.\n\n")
	b.printf("| users | store file, MB | CPU of the service, ms | callback, median ms | callback, 99th percentile ms |\n|---|---|---|---|---|\n")
	for _, users := range []int{1000, b.users} {
		if err := b.withLocal(ctx, users, func(s *service) error {
			files, err := filepath.Glob(filepath.Join(b.folder, "data*", "store.db"))
			if err != nil || len(files) != 1 {
				return errors.New("find the store file")
			}
			info, err := os.Stat(files[0])
			if err != nil {
				return fmt.Errorf("find the store file: %w", err)
			}
			f, err := rounds(ctx, s, b.rounds, b.signIns, 1, func(i int) string { return member(i * 7919 % users) })
			if err != nil {
				return err
			}
			b.printf("| %d | %.0f | %s | %s | %s |\n", users, float64(info.Size())/1e6, milliseconds(f.cpu), milliseconds(f.callback), milliseconds(f.callbackSlow))
			return nil
		}); err != nil {
			return err
		}
	}
	b.printf("\n")
	return nil
}
