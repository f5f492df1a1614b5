package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// audited returns the writes that carry the line of a change: without the line nothing
// changes.
func (h *handler) audited(ctx context.Context, c change) store.AuditedWrites {
	line := store.AuditLine{Type: c.line, Actor: actor(ctx), Fields: strings.Fields(c.Fields)}
	switch c.Object {
	case userObject:
		line.User = c.ObjectID
		if c.RolesBefore != c.RolesAfter {
			line.RolesBefore, line.RolesAfter = strings.Fields(c.RolesBefore), strings.Fields(c.RolesAfter)
		}
		if c.Fields == "sessions" {
			line.Type, line.Fields = audit.SessionsEnded, nil
		}
	case authenticatorObject:
		line.Authenticator = c.name
	case applicationObject:
		line.Application = c.ObjectID
	case domainFileObject:
		line.Fields = []string{c.ObjectID}
	}
	return h.Directory.Audited(h.Audit.Line(ctx, line))
}

// auditRead writes the line of an answer that shows users or the audit, before it is given.
func (h *handler) auditRead(r *http.Request, line store.AuditLine) error {
	line.Actor = actor(r.Context())
	return h.Audit.Write(r.Context(), line)
}

// actor returns who makes a request, in the words of the audit. administratorsOnly has let
// nobody else in.
func actor(ctx context.Context) string {
	caller, err := apigw.CallerOf(ctx)
	switch {
	case err != nil:
		return ""
	case caller.UserID() != "":
		return caller.UserID()
	default:
		return audit.ActorKey
	}
}

// filtersOf returns which parameters a request has, in order: their names, not their values.
func filtersOf(r *http.Request, names ...string) []string {
	query := r.URL.Query()
	return slices.DeleteFunc(names, func(name string) bool { return !query.Has(name) })
}
