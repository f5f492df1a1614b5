package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// withoutDocker is said wherever something else takes the place of a container.
const withoutDocker = "There is no Docker engine: events go through SAM's runtime interface emulator, without a container."

// invoke calls one function with one event and writes its answer.
func (l *local) invoke(ctx context.Context, name, event string) error {
	stack, err := l.readStack()
	if err != nil {
		return err
	}
	id, err := l.choose(stack.Resources, name)
	if err != nil {
		return err
	}
	path, err := l.findEvent(id, event)
	if err != nil {
		return err
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	s, found, err := l.running(ctx)
	if err != nil {
		return err
	}
	if found {
		// The code may have changed since.
		err = l.build(ctx, stack, s)
	} else {
		var e *emulators
		fmt.Fprintln(l.log, "No emulators run (make emulators): starting some for this call…")
		if e, err = l.startEmulators(ctx); err == nil {
			defer e.stop()
			s = e.state
		}
	}
	if err != nil {
		return stopped(ctx, err)
	}
	answer, err := l.call(ctx, stack, s, id, path)
	if err != nil {
		return stopped(ctx, err)
	}
	return l.show(answer)
}

// call runs a function in a container, or without Docker as a process.
func (l *local) call(ctx context.Context, stack *cloudformation.Stack, s state, id, event string) ([]byte, error) {
	if _, err := findDocker(ctx, l.dockerHost); err == nil && s.Containers != (addresses{}) {
		return l.callBySAM(ctx, id, event)
	}
	fmt.Fprintln(l.log, withoutDocker)
	return l.callByRIE(ctx, stack, s, id, event)
}

func (l *local) callBySAM(ctx context.Context, id, event string) ([]byte, error) {
	var answer bytes.Buffer
	cmd := program(ctx, l.samEnvironment(), l.log, l.sam, "local", "invoke", id, "-e", event)
	cmd.Dir = l.folder
	cmd.Stdout = &answer
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("sam local invoke: %w", err)
	}
	return answer.Bytes(), nil
}

// show writes an answer, and returns an error when the function failed: the exit
// status of `sam local invoke` does not tell.
func (l *local) show(answer []byte) error {
	answer = bytes.TrimSpace(answer)
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, answer, "", "  "); err != nil {
		return fmt.Errorf("the function gave no answer in JSON (its time limit?): %s", answer)
	}
	fmt.Fprintln(l.out, pretty.String())
	var failure struct{ ErrorType, ErrorMessage *string }
	if json.Unmarshal(answer, &failure) == nil && (failure.ErrorType != nil || failure.ErrorMessage != nil) {
		return errors.New("the function failed")
	}
	return nil
}

// choose returns the logical id of a function by its name, such as authorize or
// AuthorizeFunction.
func (l *local) choose(resources map[string]cloudformation.Resource, name string) (string, error) {
	var names []string
	for id, resource := range resources {
		if resource.Type != functionType {
			continue
		}
		short := shortName(id)
		if name == short || name == id {
			return id, nil
		}
		names = append(names, short)
	}
	slices.Sort(names)
	return "", fmt.Errorf("FUNCTION must be one of: %s", strings.Join(names, ", "))
}

// shortName is the folder of a function's code.
func shortName(id string) string { return strings.ToLower(strings.TrimSuffix(id, "Function")) }

// findEvent returns the path of an event: a file, or one of infra/events by its name.
// Without one it is that of the function's name.
func (l *local) findEvent(id, event string) (string, error) {
	if event == "" {
		event = shortName(id)
	}
	for _, path := range []string{filepath.Join(l.eventsFolder(), event+".json"), event} {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() { //nolint:gosec // the caller's own file
			return filepath.Abs(path)
		}
	}
	files, err := filepath.Glob(filepath.Join(l.eventsFolder(), "*.json"))
	if err != nil {
		return "", fmt.Errorf("list events: %w", err)
	}
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	slices.Sort(names)
	return "", fmt.Errorf("EVENT must be a file, or one of: %s", strings.Join(names, ", "))
}
