package teststack

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Visitor is somebody with a browser in front of a service. Only one goroutine may use
// it at a time.
type Visitor struct {
	// URL is the service's.
	URL       string
	UserAgent string
	Origin    string // of the page that asks
	// Cookies by name, as the browser keeps them.
	Cookies map[string]string
}

// Answer is what came back.
type Answer struct {
	Status int // 0: nothing came, which has failed the test
	Header http.Header
	Body   []byte
}

// Location is where a redirect leads.
func (a Answer) Location() string { return a.Header.Get("Location") }

// Decode reads the JSON of an answer.
func Decode[T any](t testing.TB, a Answer) (value T) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &value); err != nil {
		t.Fatalf("%v in %d %s", err, a.Status, a.Body)
	}
	return value
}

// Send makes a request, follows no redirect, and keeps the cookies of the answer. An
// address without a host is the service's. A text is sent as CSV, everything else as
// JSON; authorization is a bearer's.
func (v *Visitor) Send(t testing.TB, method, address, authorization string, body any) Answer {
	t.Helper()
	r, err := v.request(t, method, address, body)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	if authorization != "" {
		r.Header.Set("Authorization", "Bearer "+authorization)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	for _, cookie := range response.Cookies() {
		if v.Cookies == nil {
			v.Cookies = map[string]string{}
		}
		v.Cookies[cookie.Name] = cookie.Value
		if cookie.MaxAge < 0 {
			delete(v.Cookies, cookie.Name)
		}
	}
	return Answer{response.StatusCode, response.Header, read}
}

func (v *Visitor) request(t testing.TB, method, address string, body any) (*http.Request, error) {
	var content []byte
	kind := "application/json"
	if text, ok := body.(string); ok {
		content, kind = []byte(text), "text/csv"
	} else if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(address, "/") {
		address = v.URL + address
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", v.UserAgent)
	if v.Origin != "" {
		r.Header.Set("Origin", v.Origin)
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	for name, value := range v.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // of a request: it has no attributes
	}
	return r, nil
}
