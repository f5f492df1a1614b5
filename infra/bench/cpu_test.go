package main

import (
	"os"
	"testing"
)

func TestProcessorTime(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("SKIP processor time: this kernel does not tell it")
	}
	before, err := processorTime(os.Getpid())
	if err != nil || before <= 0 {
		t.Fatalf("got %s, %v", before, err)
	}
	for {
		after, err := processorTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if after > before {
			return // asking has used some
		}
	}
}

func TestChildrenOf(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	found, err := childrenOf(os.Getppid(), program)
	if err != nil || len(found) != 1 || found[0] != os.Getpid() {
		t.Errorf("got %v, %v, want this process alone", found, err)
	}
}

func TestUsersOfDifferentNumbersDiffer(t *testing.T) {
	a, b := member(1), member(1_000_000-1)
	if a == b || len(a) != len(b) {
		t.Errorf("%s and %s", a, b)
	}
}
