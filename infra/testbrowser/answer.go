package testbrowser

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Option changes a request before it is sent.
type Option func(*http.Request)

// Header sets a header; an empty value removes it.
func Header(name, value string) Option {
	return func(r *http.Request) {
		r.Header.Set(name, value)
		if value == "" {
			r.Header.Del(name)
		}
	}
}

// Bearer sends a key or a token (RFC 6750).
func Bearer(token string) Option { return Header("Authorization", "Bearer "+token) }

// Body sends text of a media type.
func Body(mediaType, text string) Option {
	return func(r *http.Request) {
		r.Header.Set("Content-Type", mediaType)
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
		r.Body, _ = r.GetBody()
		r.ContentLength = int64(len(text))
	}
}

// JSON sends a value, which must have a form in JSON.
func JSON(value any) Option {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // a mistake of the test
	}
	return Body("application/json", string(encoded))
}

// Answer is an answer that has been read.
type Answer struct {
	URL    string // of the request
	Status int    // 0: none came, which has failed the test
	Header http.Header
	Body   string
}

// Location is the header as it came.
func (a Answer) Location() string { return a.Header.Get("Location") }

// Redirect is where the answer leads, or empty: an absolute address as it came, with
// the fragment of the request unless it has one itself, an empty one included
// (RFC 9110 §10.2.2).
func (a Answer) Redirect() string {
	from, errFrom := url.Parse(a.URL)
	to, errTo := url.Parse(a.Location())
	if a.Status < 300 || a.Status > 399 || a.Location() == "" || errFrom != nil || errTo != nil {
		return ""
	}
	if !to.IsAbs() {
		to = from.ResolveReference(to)
	}
	if !strings.Contains(a.Location(), "#") {
		to.Fragment = from.Fragment
	}
	return to.String()
}

// Cookie returns the first cookie that the answer sets whose name begins with
// prefix, or nil.
func (a Answer) Cookie(prefix string) *http.Cookie {
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if strings.HasPrefix(cookie.Name, prefix) {
			return cookie
		}
	}
	return nil
}

// Decode reads the JSON of an answer; anything else ends the test.
func Decode[T any](t testing.TB, a Answer) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &value); err != nil {
		t.Fatalf("%v in %d %.500s", err, a.Status, a.Body)
	}
	return value
}

// AccessToken reads the token of an answer of /api/token; anything else ends the test.
func AccessToken(t testing.TB, a Answer) string {
	t.Helper()
	return Decode[struct {
		AccessToken string `json:"access_token"`
	}](t, a).AccessToken
}
