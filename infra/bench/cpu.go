package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processorTime returns the user and system time a process has used, to the
// microsecond: the kernel's /proc/PID/stat counts in hundredths of a second, too
// coarse for the start of a program. Threads that ended are not in it; Go keeps its
// threads.
func processorTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("read processor time of process %d: it has no threads", pid)
	}
	var total time.Duration
	for _, thread := range threads {
		content, err := os.ReadFile(thread) //nolint:gosec // a file of the kernel
		if err != nil {
			continue // a thread that has just ended
		}
		used, _, _ := strings.Cut(string(content), " ")
		nanoseconds, err := strconv.ParseInt(used, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read processor time of process %d: %w", pid, err)
		}
		total += time.Duration(nanoseconds)
	}
	return total, nil
}

// childrenOf returns the processes this one has started from a program.
func childrenOf(parent int, program string) ([]int, error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []int
	for _, link := range links {
		if running, err := os.Readlink(link); err != nil || running != program {
			continue
		}
		folder := filepath.Dir(link)
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		if status, err := os.ReadFile(filepath.Join(folder, "status")); err == nil && //nolint:gosec // a file of the kernel
			strings.Contains(string(status), fmt.Sprintf("\nPPid:\t%d\n", parent)) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// meter adds up the processor time of processes.
type meter func() (time.Duration, error)

func meterOf(pids func() ([]int, error)) meter {
	return func() (time.Duration, error) {
		all, err := pids()
		if err != nil {
			return 0, err
		}
		var total time.Duration
		for _, pid := range all {
			used, err := processorTime(pid)
			if err != nil {
				return 0, err
			}
			total += used
		}
		return total, nil
	}
}
