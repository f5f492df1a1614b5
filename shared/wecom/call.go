package wecom

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// tries is how often a call is made at most: what WeCom advises for -1.
const tries = 3

// request is one call.
type request struct {
	op, path, query string
	body            []byte // nil: GET
	repeatable      bool   // a lost answer does no harm
	maxBody         int64  // 0: Client.maxBody
}

// newTransport is made for a function that makes few, quick calls to one host.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 15 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:         dialer.DialContext,
		Protocols:           protocols,
		TLSHandshakeTimeout: 3 * time.Second,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		// Short, because a connection may die unseen while a function is frozen, and
		// getuserinfo is not sent again over another one. The transport measures this
		// by the wall clock when it takes a connection up again.
		IdleConnTimeout:    20 * time.Second,
		DisableCompression: true, // answers are a few hundred bytes
		// An answer's header could otherwise be a megabyte.
		MaxResponseHeaderBytes: 32 << 10,
	}
}

// call makes a call, again where the rules of Client allow it.
func (c *Client) call(ctx context.Context, r request) (answer, error) {
	lostBefore := false
	for try := 1; ; try++ {
		a, err := c.once(ctx, r)
		if err == nil || try == tries {
			return a, err
		}
		if answered, ok := errors.AsType[*Error](err); ok {
			if !answered.Retryable() {
				return a, err
			}
		} else {
			if !r.repeatable || lostBefore || !c.leavesTime(ctx, c.timeout) {
				return a, err
			}
			lostBefore = true
		}
		// 100-200 ms, then 300-600 ms: a browser is waiting.
		pause := time.Duration(1+2*(try-1)) * 100 * time.Millisecond
		pause += rand.N(pause) //nolint:gosec // spreads load, keeps no secret
		// The failure at hand says more than "no time left" would.
		if !c.leavesTime(ctx, pause) || c.sleep(ctx, pause) != nil {
			return a, err
		}
	}
}

func (c *Client) leavesTime(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	deadline, bounded := ctx.Deadline()
	return !bounded || deadline.Sub(c.now()) >= d
}

// once makes one try and tells the observer.
func (c *Client) once(ctx context.Context, r request) (answer, error) {
	started := c.now()
	a, err := c.send(ctx, r)
	answered, refused := errors.AsType[*Error](err)
	call := Call{Operation: r.op, Answered: err == nil || refused, Duration: c.now().Sub(started)}
	if refused {
		call.Code = answered.Code
	}
	c.observe(ctx, call)
	return a, err
}

func (c *Client) send(ctx context.Context, r request) (answer, error) {
	if c.api == nil {
		return answer{}, &UnavailableError{Op: r.op, Reason: "its address cannot be read", Unsent: true}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var asked, connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	address := *c.api
	address.Path += r.path
	address.RawQuery = r.query
	call := (&http.Request{
		Method: http.MethodGet, URL: &address, Host: address.Host,
		Header: http.Header{"User-Agent": {"wecom-signin"}},
	}).WithContext(traced)
	switch {
	case r.body != nil:
		call.Method = http.MethodPost
		call.Header.Set("Content-Type", "application/json")
		call.Body = io.NopCloser(bytes.NewReader(r.body))
		call.ContentLength = int64(len(r.body))
	case !r.repeatable:
		// net/http by itself sends a GET again when a reused connection breaks, which
		// would spend a code twice. A body that it cannot rewind, though empty, is
		// what keeps it from that; none goes out.
		call.Body = io.NopCloser(bytes.NewReader(nil))
	}
	response, err := c.http.Do(call)
	if err != nil {
		// A transport that tells nothing of its connections may have sent it.
		return answer{}, lost(ctx, r.op, err, connected.Load() || !asked.Load())
	}
	defer response.Body.Close()
	switch status := response.StatusCode; {
	case status >= 300 && status < 400:
		return answer{}, &UnavailableError{Op: r.op, Reason: "a redirect, which is not followed"}
	case status != http.StatusOK:
		return answer{}, &UnavailableError{Op: r.op, Reason: "HTTP status " + strconv.Itoa(status)}
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer func() {
		// Answers hold tickets and phone numbers.
		clear(buffer.Bytes())
		buffer.Reset()
		if buffer.Cap() <= 64<<10 {
			buffers.Put(buffer)
		}
	}()
	maxBody := cmp.Or(r.maxBody, c.maxBody)
	size, err := buffer.ReadFrom(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return answer{}, lost(ctx, r.op, err, true)
	case size > maxBody:
		return answer{}, &UnavailableError{Op: r.op, Reason: "the answer is too large"}
	case size == 0:
		return answer{}, &UnavailableError{Op: r.op, Reason: "the answer is empty"}
	}
	return parse(r.op, buffer.Bytes())
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// lost describes a failure of the connection without its text, which holds the
// address and so the secrets in its query.
func lost(ctx context.Context, op string, err error, sent bool) error {
	failure := &UnavailableError{Op: op, Reason: "the connection failed", Unsent: !sent}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, context.Canceled):
		failure.Reason, failure.cause = "the caller gave up", context.Canceled
	case ctx.Err() != nil || isNet && timeout.Timeout():
		failure.Reason, failure.cause = "time-out", context.DeadlineExceeded
	case !sent:
		failure.Reason = "no connection"
	}
	return failure
}

// answer is a success. Its fields are taken out one by one; broken collects the
// first that is not what it must be.
type answer struct {
	op     string
	fields map[string]json.RawMessage
	broken string
}

// parse reads an answer: a JSON object, and a success only when errcode is absent
// or 0. It keeps nothing of body, and may write in it.
func parse(op string, body []byte) (answer, error) {
	a := answer{op: op}
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	// WeCom passes on what people pasted into its directory: a raw line break or another
	// control character in a string, which JSON does not allow.
	for i, c := range body {
		if c < ' ' {
			body[i] = ' '
		}
	}
	// A map, because a struct's fields would be matched without case.
	if err := json.Unmarshal(body, &a.fields); err != nil || a.fields == nil {
		return answer{}, &UnavailableError{Op: op, Reason: "the answer is no JSON object"}
	}
	if _, present := a.fields["errcode"]; !present {
		return a, nil
	}
	code := a.number("errcode")
	if a.broken != "" || string(a.fields["errcode"]) == "null" {
		return answer{}, a.unusable("errcode")
	}
	if code != 0 {
		return answer{}, &Error{Op: op, Code: code, CallerIP: callerIP(a.text("errmsg"))}
	}
	return a, nil
}

// unusable says that an answer lacks what it must have.
func (a *answer) unusable(missing string) error {
	if a.broken != "" {
		missing = a.broken
	}
	return &UnavailableError{Op: a.op, Reason: "the answer has no usable " + missing}
}

func (a *answer) text(name string) (value string) { a.read(name, &value); return value }

// digits is text that relays and private editions may write as a number, such as a phone.
func (a *answer) digits(name string) string {
	if raw := a.fields[name]; isDigits(raw) {
		return string(raw)
	}
	return a.text(name)
}

// number returns a number, or 0. Relays and private editions may put it in quotes.
func (a *answer) number(name string) (value int) {
	if raw := bytes.Trim(a.fields[name], `"`); isDigits(bytes.TrimPrefix(raw, []byte("-"))) {
		a.fields[name] = raw
	}
	a.read(name, &value)
	return value
}

// isDigits reports whether text is digits and nothing else.
func isDigits(text []byte) bool {
	return len(text) > 0 && !bytes.ContainsFunc(text, func(c rune) bool { return c < '0' || c > '9' })
}

// textOf returns the string of the first name that the answer has.
func (a *answer) textOf(names ...string) string {
	for _, name := range names {
		if a.tells(name) {
			return a.text(name)
		}
	}
	return ""
}

func (a *answer) read(name string, value any) {
	raw, present := a.fields[name]
	if present && json.Unmarshal(raw, value) != nil && a.broken == "" {
		a.broken = name
	}
}

// tells reports whether the answer has a field, which may be empty.
func (a *answer) tells(name string) bool {
	raw, present := a.fields[name]
	return present && string(raw) != "null"
}

func encodeTicket(userTicket string) []byte {
	body, err := json.Marshal(map[string]string{"user_ticket": userTicket})
	if err != nil {
		// A string always encodes.
		return []byte("{}")
	}
	return body
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
