package admin

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	maxJSON      = 256 << 10
	defaultLimit = 50
	maxLimit     = 200
)

// readJSON returns the JSON object of a request. It fails if there is a field that the
// caller may not set.
func readJSON(r *http.Request, writable, readOnly []string) (*object, error) {
	if err := requireJSON(r); err != nil {
		return nil, err
	}
	body, err := readBody(r, maxJSON)
	if err != nil {
		return nil, err
	}
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return o, o.only(writable, readOnly)
}

// requireJSON fails unless the body is JSON, in UTF-8.
func requireJSON(r *http.Request) error {
	got, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || got != "application/json" || charset != "" && charset != "utf-8" {
		return unsupportedMedia("Content-Type must be application/json in UTF-8.")
	}
	return nil
}

func unsupportedMedia(detail string) error {
	return &apierr.Error{Code: apierr.UnsupportedMedia, Field: "Content-Type", Detail: detail}
}

// readBody returns the body, of at most most bytes.
func readBody(r *http.Request, most int) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(most)+1))
	if err != nil {
		return nil, &apierr.Error{Code: apierr.InvalidRequest, Detail: "The body could not be read.", Err: err}
	}
	if len(body) > most {
		return nil, &apierr.Error{Code: apierr.PayloadTooLarge, Detail: "The body must not exceed " + strconv.Itoa(most>>10) + " kB."}
	}
	return body, nil
}

// readPage parses ?cursor=&limit=, where limit is at most most. It also returns the
// whole query.
func readPage(r *http.Request, most uint64) (store.Page, url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		// Half a query could ask for something else, such as all users.
		return store.Page{}, nil, apierr.Invalid("query", "The query is not correctly encoded.")
	}
	page := store.Page{Cursor: query.Get("cursor"), Limit: defaultLimit}
	if query.Has("limit") {
		limit, err := strconv.ParseUint(query.Get("limit"), 10, 16)
		if err != nil || limit < 1 || limit > most {
			return store.Page{}, nil, apierr.Invalid("limit", "limit must be a number from 1 to "+strconv.FormatUint(most, 10)+".")
		}
		page.Limit = int(limit)
	}
	return page, query, nil
}

// listError translates an error of one of the store's lists.
func listError(err error) error {
	if errors.Is(err, store.ErrBadCursor) {
		return apierr.Invalid("cursor", "cursor must be the nextCursor of an earlier answer.")
	}
	return err
}
