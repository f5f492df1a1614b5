package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	// mostExported is how many lines one export has.
	mostExported = 10_000
	// exportBytes is where an export ends before that, below the 6 MB that Lambda takes.
	exportBytes = 5 << 20
	// exportTime is when it ends at the latest, before the gateway's 30 s are over.
	exportTime = 20 * time.Second
	// exportPage is how many lines it reads at once.
	exportPage = 1000
)

// auditFormat is a format of exports.
type auditFormat struct {
	name, mediaType string
	head            []string // the first row, or none
	encode          func(lineView) []byte
}

var auditFormats = []auditFormat{
	{"ndjson", "application/x-ndjson", nil, func(v lineView) []byte {
		encoded, _ := json.Marshal(v) // of strings only
		return append(encoded, '\n')
	}},
	{"csv", "text/csv", []string{
		"id", "at", "type", "user", "authenticator", "application", "actor", "requestId", "code", "fields", "rolesBefore", "rolesAfter",
	}, func(v lineView) []byte {
		return csvRow(v.ID, v.At, v.Type, v.User, v.Authenticator, v.Application, v.Actor, v.RequestID, v.Code,
			strings.Join(v.Fields, " "), strings.Join(v.RolesBefore, " "), strings.Join(v.RolesAfter, " "))
	}},
}

// auditFormatOf returns the format that a request accepts, or nil for a page of JSON.
func auditFormatOf(accept []string) *auditFormat {
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		mediaType, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if mediaType == "application/json" {
			return nil
		}
		for n := range auditFormats {
			if auditFormats[n].mediaType == mediaType {
				return &auditFormats[n]
			}
		}
	}
	return nil
}

// csvRow returns a row that a spreadsheet takes for text: a cell that would begin a formula
// gets an apostrophe in front.
func csvRow(cells ...string) []byte {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	var row bytes.Buffer
	writer := csv.NewWriter(&row)
	_ = writer.Write(cells) // into memory
	writer.Flush()
	return row.Bytes()
}

// exportAudit answers with many lines at once. If there are more, the header Link says where.
func (h *handler) exportAudit(w http.ResponseWriter, r *http.Request, format auditFormat, q store.AuditQuery, page store.Page) error {
	body, next, err := h.collectLines(r.Context(), format, q, page)
	if err != nil {
		return listError(fmt.Errorf("export audit: %w", err))
	}
	if err := h.auditRead(r, store.AuditLine{Type: audit.Exported, Code: format.name, Fields: filtersOf(r, slices.Clone(auditFilters)...)}); err != nil {
		return err
	}
	if next != "" {
		query := r.URL.Query()
		query.Set("cursor", next)
		w.Header().Set("Link", `<`+apigw.PublicURL(r.Context())+r.URL.Path+"?"+query.Encode()+`>; rel="next"`)
	}
	w.Header().Set("Content-Type", format.mediaType+"; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="audit.`+format.name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, err = w.Write(body) //nolint:gosec // a file of text, never a page
	return err
}

// collectLines reads and encodes lines until there are as many as wanted, they fill an
// answer, or time is up. next is where to go on, and empty at the end.
func (h *handler) collectLines(ctx context.Context, format auditFormat, q store.AuditQuery, page store.Page) (body []byte, next string, err error) {
	if format.head != nil {
		body = csvRow(format.head...)
	}
	until := time.Now().Add(exportTime)
	for left, cursor := page.Limit, page.Cursor; ; cursor = next {
		var lines []store.AuditLine
		lines, next, err = h.Directory.AuditLines(ctx, q, store.Page{Cursor: cursor, Limit: min(left, exportPage)})
		if err != nil {
			return nil, "", err
		}
		for _, line := range lines {
			body = append(body, format.encode(viewLine(line))...)
		}
		if left -= len(lines); left <= 0 || next == "" || len(body) > exportBytes || !time.Now().Before(until) {
			return body, next, nil
		}
	}
}
