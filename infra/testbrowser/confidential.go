package testbrowser

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Confidential is what must not be found where it does not belong: values, each with its
// kind. The zero value knows none. It is for concurrent use.
type Confidential struct {
	mu    sync.Mutex
	kinds map[string]string // by value
}

// Add adds a value. One of less than eight bytes is left out: it is found everywhere.
func (c *Confidential) Add(kind, value string) {
	if len(value) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kinds == nil {
		c.kinds = map[string]string{}
	}
	c.kinds[value] = kind
}

// AddCookies adds the cookies that an answer sets. A session's id is confidential without
// the user's behind it, too.
func (c *Confidential) AddCookies(a Answer) {
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		id, _, _ := strings.Cut(cookie.Value, ".")
		c.Add("cookie", id)
	}
}

// Listen adds what WeCom gives the service: access tokens, tickets and phones.
func (c *Confidential) Listen(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tee := &teeWriter{ResponseWriter: w}
		weCom.ServeHTTP(tee, r)
		var said struct {
			Token  string `json:"access_token"`
			Ticket string `json:"user_ticket"`
			Mobile string
		}
		if json.Unmarshal(tee.body.Bytes(), &said) == nil {
			c.Add("access token", said.Token)
			c.Add("user ticket", said.Ticket)
			c.Add("phone", said.Mobile)
		}
	})
}

// In returns the kind of each value that a text holds.
func (c *Confidential) In(text string) (kinds []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for value, kind := range c.kinds {
		if strings.Contains(text, value) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Kinds returns the kinds of all values, each once.
func (c *Confidential) Kinds() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Compact(slices.Sorted(maps.Values(c.kinds)))
}

// teeWriter keeps the beginning of what passes.
type teeWriter struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (w *teeWriter) Write(p []byte) (int, error) {
	if w.body.Len() < 64<<10 {
		w.body.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController, by which WeCom cuts connections off.
func (w *teeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
