package admin

import (
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// lineView is a line as the API shows it; what is not known is empty.
type lineView struct {
	ID            string   `json:"id"`
	At            string   `json:"at"`
	Type          string   `json:"type"`
	User          string   `json:"user"`
	Authenticator string   `json:"authenticator"`
	Application   string   `json:"application"`
	Actor         string   `json:"actor"` // "key", or the id of a user
	RequestID     string   `json:"requestId"`
	Code          string   `json:"code"`
	Fields        []string `json:"fields"`
	RolesBefore   []string `json:"rolesBefore"`
	RolesAfter    []string `json:"rolesAfter"`
}

func viewLine(l store.AuditLine) lineView {
	list := func(items []string) []string { return append([]string{}, items...) }
	return lineView{
		l.ID, l.At.UTC().Format("2006-01-02T15:04:05.000Z"), l.Type, l.User, l.Authenticator, l.Application, l.Actor, l.RequestID, l.Code,
		list(l.Fields), list(l.RolesBefore), list(l.RolesAfter),
	}
}

// listAudit answers with a page of lines, newest first, or with an export of many.
func (h *handler) listAudit(w http.ResponseWriter, r *http.Request) error {
	format := auditFormatOf(r.Header.Values("Accept"))
	most := uint64(maxLimit)
	if format != nil {
		most = mostExported
	}
	page, values, err := readPage(r, most)
	if err != nil {
		return err
	}
	query, err := readAuditQuery(values)
	if err != nil {
		return err
	}
	w.Header().Set("Vary", "Accept")
	if format != nil {
		if !values.Has("limit") {
			page.Limit = mostExported
		}
		return h.exportAudit(w, r, *format, query, page)
	}
	lines, next, err := h.Directory.AuditLines(r.Context(), query, page)
	if err != nil {
		return listError(fmt.Errorf("list audit: %w", err))
	}
	return writeList(w, lines, next, viewLine)
}
