package apigw

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// Function is a Lambda function behind an HTTP API. The error is always nil.
type Function func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Config is what New needs.
type Config struct {
	// Handler answers the requests; Router, JSON and Browser make one of functions that
	// return errors.
	Handler http.Handler
	// PublicURL is the setting PUBLIC_URL, or empty for the API's own address.
	PublicURL string
	// Name is the name of the function, for the log.
	Name string
	// Service is the setting SERVICE_NAME: the name of this deployment in metrics.
	// Empty: log events carry no metrics.
	Service string
	// Version is the function's version as Lambda names it, for metrics. Empty: none.
	Version string
	// Logger receives one record per request. Nil: slog.Default().
	Logger *slog.Logger
	// MaxBody is the largest request body in bytes. Zero: 256 kB.
	MaxBody int
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

const defaultMaxBody = 256 << 10

// New returns the Lambda function of a handler.
func New(cfg Config) Function {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		info := &requestInfo{
			requestID: event.RequestContext.RequestID,
			publicURL: ResolvePublicURL(cfg.PublicURL, event.RequestContext.DomainName),
			function:  cfg.Name,
			version:   cfg.Version,
			started:   cfg.Now(),
		}
		if event.RequestContext.Authorizer != nil {
			info.authorizer = event.RequestContext.Authorizer.Lambda
		}
		ctx = context.WithValue(ctx, infoKey{}, info)
		w := &recorder{header: make(http.Header), status: http.StatusOK}
		r, err := request(ctx, &event, cfg.MaxBody)
		if err != nil {
			JSON(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
		} else {
			cfg.Handler.ServeHTTP(w, r)
		}
		info.log(cfg, &event, w.status)
		return w.response(info.publicURL, r.Method), nil
	}
}

// ResolvePublicURL returns the setting, or the API's own address when it is empty.
// domain is the one that the gateway matched, not a header that the caller chose.
func ResolvePublicURL(setting, domain string) string {
	if setting != "" {
		return setting
	}
	return "https://" + domain
}

// request builds the http.Request of an event. It returns one even with an error, which
// the answer to that request explains.
func request(ctx context.Context, event *events.APIGatewayV2HTTPRequest, maxBody int) (*http.Request, error) {
	header := make(http.Header, len(event.Headers)+1)
	for name, value := range event.Headers {
		header.Set(name, value)
	}
	// The gateway moves cookies out of the headers; an emulator may keep them there, too.
	if len(event.Cookies) > 0 {
		header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	r := (&http.Request{
		Method:     event.RequestContext.HTTP.Method,
		URL:        &url.URL{Path: event.RawPath, RawQuery: event.RawQueryString},
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     header,
		Host:       event.RequestContext.DomainName,
		RemoteAddr: event.RequestContext.HTTP.SourceIP,
		Body:       http.NoBody,
	}).WithContext(ctx)
	for name, value := range event.PathParameters {
		r.SetPathValue(name, value)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		// A body has no meaning here (RFC 9110 §9.3.1), so it cannot be wrong.
		return r, nil
	}
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(event.Body)
		if err != nil {
			return r, &apierr.Error{Code: apierr.InvalidRequest, Detail: "The body is not readable.", Err: err}
		}
		body = decoded
	}
	if len(body) > maxBody {
		return r, &apierr.Error{Code: apierr.PayloadTooLarge, Detail: "The body is too large."}
	}
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength = int64(len(body))
	}
	return r, nil
}

// recorder is the http.ResponseWriter of one invocation.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *recorder) response(publicURL, method string) events.APIGatewayV2HTTPResponse {
	secureHeaders(w.header, publicURL)
	response := events.APIGatewayV2HTTPResponse{
		StatusCode: w.status,
		Headers:    make(map[string]string, len(w.header)),
		Cookies:    w.header.Values("Set-Cookie"),
	}
	for name, values := range w.header {
		if name != "Set-Cookie" {
			response.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
		}
	}
	if method == http.MethodHead {
		return response
	}
	if body := w.body.Bytes(); utf8.Valid(body) {
		response.Body = string(body)
	} else {
		response.Body = base64.StdEncoding.EncodeToString(body)
		response.IsBase64Encoded = true
	}
	return response
}

// secureHeaders adds the headers of every answer that the handler did not set.
func secureHeaders(header http.Header, publicURL string) {
	set := func(name, value string) {
		if header.Get(name) == "" {
			header.Set(name, value)
		}
	}
	set("Cache-Control", "no-store")
	set("X-Content-Type-Options", "nosniff")
	set("Referrer-Policy", "no-referrer")
	set("X-Frame-Options", "DENY")
	set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if strings.HasPrefix(publicURL, "https://") {
		set("Strict-Transport-Security", "max-age=31536000")
	}
}
