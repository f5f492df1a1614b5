package admin

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
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

// auditFilters are the parameters that select lines.
var auditFilters = []string{"from", "to", "type", "user", "authenticator", "application", "actor"}

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

// readAuditQuery reads the filters. A parameter that is misspelt or repeated would show more
// than was asked for, so it is refused.
func readAuditQuery(values url.Values) (q store.AuditQuery, err error) {
	for name, all := range values {
		switch {
		case !slices.Contains(append([]string{"cursor", "limit"}, auditFilters...), name):
			return q, apierr.Invalid(shorten(name), "There is no such parameter.")
		case len(all) > 1:
			return q, apierr.Invalid(name, "The parameter was sent more than once.")
		}
	}
	for _, filter := range []struct {
		name  string
		into  *string
		valid func(string) bool
		wrong string
	}{
		{"type", &q.Type, func(v string) bool { return slices.Contains(audit.Types(), v) }, "type must be one of the types of lines."},
		{"user", &q.User, userID.MatchString, "user must be the id of a user."},
		{"authenticator", &q.Authenticator, store.IsAuthenticatorName, "authenticator must be the name of an authenticator."},
		{"application", &q.Application, store.IsAuthenticatorName, "application must be the id of an application."},
		{"actor", &q.Actor, userID.MatchString, `actor must be "key" or the id of a user.`},
	} {
		if !values.Has(filter.name) {
			continue
		}
		if *filter.into = values.Get(filter.name); !filter.valid(*filter.into) {
			return q, apierr.Invalid(filter.name, filter.wrong)
		}
	}
	if q.From, err = readTime(values, "from"); err != nil {
		return q, err
	}
	q.To, err = readTime(values, "to")
	return q, err
}

// readTime reads a time; in a query the plus sign of a time zone is often left as it is.
func readTime(values url.Values, name string) (time.Time, error) {
	if !values.Has(name) {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, strings.ReplaceAll(values.Get(name), " ", "+"))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return at, apierr.Invalid(name, name+" must be a time such as 2026-11-29T08:00:00Z.")
	}
	return at, nil
}

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
