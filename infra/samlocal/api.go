package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// serveAPI runs the whole service by `sam local start-api` until ctx ends.
func (l *local) serveAPI(ctx context.Context) error {
	if _, err := findDocker(ctx, l.dockerHost); err != nil {
		return fmt.Errorf("make api needs Docker, make run does not: %w", err)
	}
	s, e, err := l.prepareAPI(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	failed := make(<-chan error)
	if e != nil {
		defer e.stop()
		failed = e.doors.failed
	}
	if s.Containers == (addresses{}) {
		return errors.New("the emulators were started without a Docker engine: start them again")
	}
	api, err := l.startAPI(ctx, s)
	if err != nil {
		return stopped(ctx, err)
	}
	defer api.stop()
	fmt.Fprintf(l.out, `WeCom Sign-in runs in containers, behind SAM's own gateway.

  service      %s
  console      %[1]s/console
  application  %s  (sign in here)
  WeCom        %s/wecomsim/  (simulated)
  admin key    %s

Stop it with Ctrl-C.
`, s.PublicURL, s.ApplicationURL, s.WeComURL, s.AdminKey)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case <-api.ended:
		return errors.Join(errors.New("sam local start-api ended"), api.err)
	}
}

// prepareAPI builds the functions for the emulators that run, or starts some, which
// are returned.
func (l *local) prepareAPI(ctx context.Context) (state, *emulators, error) {
	unlock, err := l.lock()
	if err != nil {
		return state{}, nil, err
	}
	defer unlock()
	s, found, err := l.running(ctx)
	if err != nil {
		return state{}, nil, err
	}
	if !found {
		fmt.Fprintln(l.log, "Building the functions and starting the emulators…")
		e, err := l.startEmulators(ctx)
		if err != nil {
			return state{}, nil, err
		}
		return e.state, e, nil
	}
	stack, err := l.readStack()
	if err != nil {
		return state{}, nil, err
	}
	return s, nil, l.build(ctx, stack, s)
}

// startAPI starts `sam local start-api` at the emulators' public URL and returns when
// it answers. It removes its containers when it is stopped.
func (l *local) startAPI(ctx context.Context, s state) (*service, error) {
	public, err := url.Parse(s.PublicURL)
	if err != nil {
		return nil, fmt.Errorf("read public URL: %w", err)
	}
	port, err := strconv.Atoi(public.Port())
	if err != nil {
		return nil, fmt.Errorf("read public URL: %w", err)
	}
	if answers(ctx, port) == nil {
		return nil, fmt.Errorf("port %d is taken (PORT chooses another one)", port)
	}
	ctx, cancel := context.WithCancel(ctx)
	cmd := program(ctx, l.samEnvironment(), l.log, l.sam, "local", "start-api", "--port", public.Port())
	cmd.Dir = l.folder
	api, err := startService("sam local start-api", cmd, cancel)
	if err != nil {
		return nil, err
	}
	if err := api.wait(ctx, startLimit+time.Minute, func(ctx context.Context) error { return answers(ctx, port) }); err != nil {
		api.stop()
		return nil, err
	}
	return api, nil
}
