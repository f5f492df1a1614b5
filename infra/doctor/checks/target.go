package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

const (
	// timeout bounds one answer. The gateway itself gives up after 30 seconds.
	timeout = 35 * time.Second
	// maxBody is more than any answer of the service has.
	maxBody = 4 << 20
)

// ErrAddress does not repeat the address, which may hold a password.
var ErrAddress = errors.New("the address must be https://HOST or https://HOST:PORT, or http on this machine")

// ParseAddress reads the address of a deployment, as browsers see it: scheme, host and
// port. It returns ErrAddress for anything else.
func ParseAddress(given string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(given, "/"))
	if err != nil || u.Hostname() == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return nil, ErrAddress
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return nil, ErrAddress
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// target asks a deployment.
type target struct {
	Config
	base   string
	client *http.Client
}

// response is an answer, read to its end.
type response struct {
	*http.Response
	path     string
	body     []byte
	received time.Time
}

func newTarget(cfg Config) *target {
	cfg.RotationDays = cmp.Or(cfg.RotationDays, DefaultRotationDays)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &target{cfg, cfg.Address.String(), &http.Client{
		Transport: cfg.Transport, Timeout: timeout,
		// A redirect is judged, not followed: it would carry the key away.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is a check that looks at one page.
func page(path string, examine func(context.Context, *target, *response) ([]Finding, error)) runFunc {
	return func(ctx context.Context, t *target) ([]Finding, error) {
		got, err := t.get(ctx, path)
		if err != nil {
			return nil, err
		}
		return examine(ctx, t, got)
	}
}

// answers is a check of a page's status and media type.
func answers(path string, status int, mediaType string) runFunc {
	return page(path, func(_ context.Context, _ *target, got *response) ([]Finding, error) {
		if err := got.expect(status, mediaType); err != nil {
			return report(Fail, "%v", err)
		}
		return report(OK, "%s answers %d (%s)", path, status, mediaType)
	})
}

func (t *target) get(ctx context.Context, path string) (*response, error) {
	return t.send(ctx, http.MethodGet, t.base+path, nil)
}

func (t *target) send(ctx context.Context, method, address string, header http.Header) (*response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(request.Header, header)
	request.Header.Set("User-Agent", "wecom-signin-doctor")
	answer, err := t.client.Do(request)
	if wrapped, is := errors.AsType[*url.Error](err); is {
		err = wrapped.Err // without method and address
	}
	if err != nil {
		return nil, fmt.Errorf("%s does not answer: %w", request.URL.Path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s does not answer to the end: %w", request.URL.Path, err)
	}
	return &response{answer, request.URL.Path, body, t.Now()}, nil
}

// expect returns an error for an answer of another status or media type.
func (r *response) expect(status int, mediaType string) error {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || r.StatusCode != status || got != mediaType {
		return fmt.Errorf("%s answers %d (%s), not %d (%s)", r.path, r.StatusCode, got, status, mediaType)
	}
	return nil
}

// decode reads an answer with JSON.
func (r *response) decode(into any) error {
	if err := r.expect(http.StatusOK, "application/json"); err != nil {
		return err
	}
	if json.Unmarshal(r.body, into) != nil {
		return fmt.Errorf("%s does not answer with the JSON of this service", r.path)
	}
	return nil
}
