package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/phone"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	mostRows = 5000
	// importWorkers write rows concurrently: one after the other, 5,000 rows would take
	// longer than the gateway's 30 s.
	importWorkers = 16
	// importTime is when no further row is started, so that the answer is in time.
	importTime = 24 * time.Second
	// importReserve is the time kept for the answer before the function's own deadline.
	importReserve = 2 * time.Second
	// importErrors is after how many errors of the store no further row is tried.
	importErrors = importWorkers
)

// rowResult is what became of one row.
type rowResult struct {
	Row    int         `json:"row"`
	Phone  string      `json:"phone"`
	Result rowOutcome  `json:"result"`
	ID     string      `json:"id,omitempty"`
	Code   apierr.Code `json:"code,omitempty"`
	// Field is the wrong column, or "cells", or empty.
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail,omitempty"`
}

type rowOutcome string

const (
	rowCreated   rowOutcome = "created"
	rowUpdated   rowOutcome = "updated"
	rowUnchanged rowOutcome = "unchanged"
	rowFailed    rowOutcome = "failed"
)

type importResult struct {
	Rows      []rowResult `json:"rows"`
	Created   int         `json:"created"`
	Updated   int         `json:"updated"`
	Unchanged int         `json:"unchanged"`
	Failed    int         `json:"failed"`
}

// importUsers creates and updates users by phone. A file that cannot be read as a whole
// changes nothing; otherwise each row succeeds or fails alone.
func (h *handler) importUsers(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	lines, columns, err := readImport(r)
	if err != nil {
		return err
	}
	result := importResult{Rows: h.importLines(ctx, lines, columns)}
	for _, row := range result.Rows {
		switch row.Result {
		case rowCreated:
			result.Created++
		case rowUpdated:
			result.Updated++
		case rowUnchanged:
			result.Unchanged++
		case rowFailed:
			result.Failed++
		}
	}
	apigw.LogField(ctx, "created", result.Created)
	apigw.LogField(ctx, "updated", result.Updated)
	apigw.LogField(ctx, "failed", result.Failed)
	return apigw.WriteJSON(w, http.StatusOK, result)
}

// importLines imports every line and returns the results in the order of the file.
func (h *handler) importLines(ctx context.Context, lines []line, columns int) []rowResult {
	results := make([]rowResult, len(lines))
	var todo []int
	seen := map[string]int{} // row by normalized phone
	for i := range lines {
		l := &lines[i]
		results[i] = rowResult{Row: l.row, Phone: shorten(l.phone), Result: rowFailed}
		if l.cells > columns {
			results[i].Code, results[i].Field = apierr.InvalidRequest, "cells"
			results[i].Detail = fmt.Sprintf("The row has %d cells, the header %d.", l.cells, columns)
			continue
		}
		number, valid := phone.Normalize(l.phone)
		if !valid {
			results[i].Code, results[i].Field, results[i].Detail = apierr.PhoneInvalid, "phone", phoneWrong
			continue
		}
		l.phone, results[i].Phone = number, number
		if first, twice := seen[number]; twice {
			results[i].Code, results[i].Field = apierr.DuplicatePhone, "phone"
			results[i].Detail = fmt.Sprintf("Row %d has this phone already.", first)
			continue
		}
		seen[number] = l.row
		todo = append(todo, i)
	}

	// The remaining rows have different phones, so they concern different users.
	progress := &importProgress{until: importDeadline(ctx)}
	queue := make(chan int)
	var workers sync.WaitGroup
	for range min(importWorkers, len(todo)) {
		workers.Go(func() {
			for i := range queue {
				h.importLine(ctx, lines[i], &results[i], progress)
			}
		})
	}
	for _, i := range todo {
		queue <- i
	}
	close(queue)
	workers.Wait()
	return results
}

// importProgress ends an import when time is up or the store keeps failing.
type importProgress struct {
	until time.Time

	mu     sync.Mutex
	errors int
	first  error
}

func (p *importProgress) failed(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors++
	if p.first == nil {
		p.first = err
		apigw.LogError(ctx, apierr.New(apierr.Internal, fmt.Errorf("import: %w", err)))
	}
}

func (p *importProgress) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors >= importErrors || !time.Now().Before(p.until)
}

// importDeadline uses the machine's clock, as deadlines of contexts do.
func importDeadline(ctx context.Context) time.Time {
	until := time.Now().Add(importTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-importReserve).Before(until) {
		return deadline.Add(-importReserve)
	}
	return until
}

func (h *handler) importLine(ctx context.Context, l line, result *rowResult, progress *importProgress) {
	if progress.over() {
		result.Code, result.Detail = apierr.Internal, "The row was not tried; import the file again."
		return
	}
	u, outcome, err := h.importUser(ctx, l)
	if err != nil {
		failure := apierr.From(err)
		result.Code, result.Field, result.Detail = failure.Code, failure.Field, failure.Detail
		if failure.Code == apierr.Internal {
			result.Detail = "The row could not be written; import the file again."
			progress.failed(ctx, err)
		}
		return
	}
	result.Result, result.ID = outcome, u.ID
}

// importUser creates the user of a line, or changes the one that has its phone.
func (h *handler) importUser(ctx context.Context, l line) (store.User, rowOutcome, error) {
	blank := h.emptyUser()
	blank.Phone = l.phone
	if _, err := fill(blank, l); err != nil {
		return store.User{}, rowFailed, err
	}
	outcome := rowFailed
	u, err := store.RetryChanged(ctx, func() (store.User, error) {
		from, err := h.Directory.UserByPhone(ctx, l.phone)
		if errors.Is(err, store.ErrNotFound) {
			created, err := fill(blank, l)
			if err != nil {
				return created, err
			}
			outcome = rowCreated
			err = h.insertUser(ctx, created)
			if errors.Is(err, store.ErrPhoneTaken) {
				return created, store.ErrChanged // somebody was faster: change that user now
			}
			return created, err
		}
		if err != nil {
			return from, fmt.Errorf("find user by phone: %w", err)
		}
		to, err := fill(from, l)
		if err != nil {
			return from, err
		}
		if outcome = rowUpdated; sameUser(from, to) {
			outcome = rowUnchanged
		}
		written, err := h.writeUser(ctx, from, to)
		if apierr.Is(err, apierr.PhoneTaken) {
			return written, store.ErrChanged
		}
		return written, err
	})
	return u, outcome, err
}

// fill sets what the cells of a line say. An empty cell changes nothing.
func fill(u store.User, l line) (store.User, error) {
	if l.name != "" && !setName(&u, l.name) {
		return u, apierr.Invalid("name", nameWrong)
	}
	if l.roles == "" {
		return u, nil
	}
	roles, err := checkRoles(strings.Fields(l.roles))
	if err != nil {
		return u, err
	}
	if !sameRoles(u.Roles, roles) {
		u.Roles = roles
	}
	return u, nil
}

// sameRoles ignores the order, so that importing an exported file, whose roles are
// sorted, changes nobody.
func sameRoles(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
