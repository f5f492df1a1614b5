package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// requestLimit is how long an answer may take; a cold start takes two seconds.
	requestLimit = 15 * time.Second
	// checkLimit is for the check of an authenticator, during which the service asks
	// WeCom; the gateway gives up after 30 seconds.
	checkLimit = 35 * time.Second
	// maxBody is more than any answer of the service has.
	maxBody = 4 << 20
)

// parseAddress reads the address of a deployment: scheme, host, port and nothing else.
func parseAddress(given string) (*url.URL, *message) {
	u, err := url.Parse(strings.TrimSuffix(given, "/"))
	wrong := func(key string) (*url.URL, *message) {
		m := say(key, "address", given)
		if err == nil && u.User != nil {
			m = say(key, "address", u.Redacted())
		}
		return nil, &m
	}
	if err != nil || u.Host == "" || u.Hostname() == "" {
		return wrong("address.form")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return wrong("address.plain")
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return wrong("address.more")
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

type visitConfig struct {
	Address   *url.URL
	Key       string
	Language  language
	Transport http.RoundTripper
	Now       func() time.Time
	// RotationDays is every how many days the signing keys should be rotated.
	RotationDays int
}

// visit asks a deployment. Answers to plain GETs are kept: several checks look at the
// same page.
type visit struct {
	visitConfig
	base   string
	client *http.Client
	kept   map[string]kept
}

type kept struct {
	answer *answer
	err    error
}

// answer is a response, read to its end.
type answer struct {
	status   int
	header   http.Header
	body     []byte
	tls      *tls.ConnectionState
	received time.Time
}

func newVisit(cfg visitConfig) *visit {
	return &visit{
		visitConfig: cfg,
		base:        cfg.Address.String(),
		client: &http.Client{
			Transport: cfg.Transport,
			// What comes is judged, not followed: and the key goes nowhere else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		kept: map[string]kept{},
	}
}

// get asks as anybody.
func (v *visit) get(ctx context.Context, path string) (*answer, error) {
	if known, ok := v.kept[path]; ok {
		return known.answer, known.err
	}
	got, err := v.ask(ctx, http.MethodGet, v.base+path, nil, requestLimit)
	v.kept[path] = kept{got, err}
	return got, err
}

func (v *visit) ask(ctx context.Context, method, address string, header http.Header, limit time.Duration) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("User-Agent", "wecom-signin-doctor")
	response, err := v.client.Do(request)
	if err != nil {
		return nil, withoutAddress(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &answer{response.StatusCode, response.Header, body, response.TLS, v.Now()}, nil
}

// withoutAddress takes method and address from an error of the client: the line says
// what was asked.
func withoutAddress(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// administrate asks with the admin key and reads JSON into result.
func (v *visit) administrate(ctx context.Context, method, path string, limit time.Duration, result any) (*answer, error) {
	header := http.Header{"Authorization": {"Bearer " + v.Key}, "Accept-Language": {v.Language.tag()}}
	got, err := v.ask(ctx, method, v.base+path, header, limit)
	if err != nil || got.status != http.StatusOK {
		return got, err
	}
	if err := json.Unmarshal(got.body, result); err != nil {
		return got, fmt.Errorf("read answer: %w", err)
	}
	return got, nil
}
