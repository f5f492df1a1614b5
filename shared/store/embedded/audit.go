package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Audited implements store.Audit.
func (e *Engine) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return &Engine{e.file, lines}
}

// RecordAudit implements store.Audit.
func (e *Engine) RecordAudit(_ context.Context, line store.AuditLine) error {
	return (&Engine{e.file, []store.AuditLine{line}}).write(func(transaction) error { return nil })
}

// owners returns what a line has in common with others, each as the beginning of its keys
// in the index. No id and no name contains a line break.
func owners(l store.AuditLine) (prefixes []string) {
	for _, of := range [][2]string{
		{"user", l.User}, {"actor", l.Actor}, {"application", l.Application}, {"authenticator", l.Authenticator}, {"type", l.Type},
	} {
		if of[1] != "" {
			prefixes = append(prefixes, of[0]+"\n"+of[1]+"\n")
		}
	}
	return prefixes
}

// removedPerLine is how many lines that are too old each new one removes, so that the file
// holds the lines of the retention and few others.
const removedPerLine = 2

// addLines writes lines, and removes some that are older than the oldest to keep.
func (tx transaction) addLines(lines []store.AuditLine, oldest time.Time) error {
	for _, line := range lines {
		if err := store.CheckAuditLine(line); err != nil {
			return err
		}
		var there store.AuditLine
		if err := tx.get(auditLines, line.ID, &there); !errors.Is(err, store.ErrNotFound) {
			if err == nil && !there.Equal(line) {
				err = store.ErrExists
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := tx.put(auditLines, line.ID, line); err != nil {
			return err
		}
		for _, owner := range owners(line) {
			if err := tx.point(auditIndex, owner+line.ID, ""); err != nil {
				return err
			}
		}
		for range removedPerLine {
			if err := tx.removeLineBefore(store.AuditPositionAt(oldest)); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeLineBefore removes the oldest line, if it is before a position.
func (tx transaction) removeLineBefore(oldest store.AuditPosition) error {
	id, encoded := tx.Bucket([]byte(auditLines)).Cursor().First()
	if id == nil || store.AuditPosition(id) >= oldest {
		return nil
	}
	var line store.AuditLine
	if err := decode(auditLines, encoded, &line); err != nil {
		return err
	}
	for _, owner := range owners(line) {
		if err := tx.delete(auditIndex, owner+line.ID); err != nil {
			return err
		}
	}
	return tx.delete(auditLines, line.ID)
}

// auditLooked is how many lines one page looks at, at most.
const auditLooked = 10000

// AuditLines implements store.Audit.
func (e *Engine) AuditLines(_ context.Context, query store.AuditQuery, page store.Page) (lines []store.AuditLine, next string, err error) {
	position, oldest, err := store.AuditRange(query, page.Cursor, e.now(), e.keep)
	if err != nil {
		return nil, "", err
	}
	// Those of the first owner are the fewest; without one, all lines are looked at.
	kind, owner := auditLines, ""
	if of := owners(store.AuditLine{Type: query.Type, User: query.User, Authenticator: query.Authenticator, Application: query.Application, Actor: query.Actor}); len(of) > 0 {
		kind, owner = auditIndex, of[0]
	}
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(kind)).Cursor()
		key, _ := cursor.Seek([]byte(owner + string(position)))
		if key == nil {
			key, _ = cursor.Last()
		} else {
			key, _ = cursor.Prev()
		}
		for looked := 0; bytes.HasPrefix(key, []byte(owner)) && key != nil; key, _ = cursor.Prev() {
			id := string(key[len(owner):])
			if store.AuditPosition(id) < oldest {
				return nil
			}
			if len(lines) == page.Limit || looked == auditLooked {
				next = store.AuditCursor(position)
				return nil
			}
			var line store.AuditLine
			if err := tx.get(auditLines, id, &line); err != nil {
				return err
			}
			if looked++; query.Matches(line) {
				lines = append(lines, line)
			}
			position = store.AuditPosition(id)
		}
		return nil
	})
	return lines, next, err
}
