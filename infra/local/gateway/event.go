package gateway

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Limits of an HTTP API.
const (
	maxBody       = 10 << 20
	maxHeaders    = 10_240 // the request line and all header values together
	maxAnswerBody = 6 << 20
)

var (
	errHeadersTooLarge = errors.New("headers too large")
	errBodyTooLarge    = errors.New("body too large")
)

// hopByHop are headers of one connection (RFC 9110, 7.6.1); they end at the gateway.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// newEvent builds the event of a request, payload format 2.0.
func newEvent(r *http.Request, route *boundRoute, parameters map[string]string, now time.Time, requestID string) (events.APIGatewayV2HTTPRequest, error) {
	var none events.APIGatewayV2HTTPRequest
	size := len(r.Method) + len(r.RequestURI)
	for _, values := range r.Header {
		for _, value := range values {
			size += len(value)
		}
	}
	if size > maxHeaders {
		return none, errHeadersTooLarge
	}
	body, encoded, err := readBody(r)
	if err != nil {
		return none, err
	}
	domain := r.Host
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		domain = host
	}
	sourceIP := r.RemoteAddr
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		sourceIP = host
	}
	prefix, _, _ := strings.Cut(domain, ".")
	// An event is JSON: what is no UTF-8 does not survive it. The HTTP API decodes the path
	// first and takes what follows a question mark for a query, which it then drops.
	path, _, _ := strings.Cut(validUTF8(r.URL.Path), "?")
	for name, value := range parameters {
		parameters[name] = validUTF8(value)
	}
	headers, cookies := eventHeaders(r, sourceIP)
	return events.APIGatewayV2HTTPRequest{
		Version:               "2.0",
		RouteKey:              route.key,
		RawPath:               path,
		RawQueryString:        validUTF8(r.URL.RawQuery),
		Cookies:               cookies,
		Headers:               headers,
		QueryStringParameters: eventQuery(r.URL.RawQuery),
		PathParameters:        parameters,
		Body:                  body,
		IsBase64Encoded:       encoded,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey:     route.key,
			AccountID:    "000000000000",
			Stage:        "$default",
			RequestID:    requestID,
			APIID:        "local",
			DomainName:   domain,
			DomainPrefix: prefix,
			Time:         now.UTC().Format("02/Jan/2006:15:04:05 -0700"),
			TimeEpoch:    now.UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method:    r.Method,
				Path:      path,
				Protocol:  r.Proto,
				SourceIP:  sourceIP,
				UserAgent: validUTF8(r.UserAgent()),
			},
		},
	}, nil
}

func eventHeaders(r *http.Request, sourceIP string) (headers map[string]string, cookies []string) {
	headers = make(map[string]string, len(r.Header)+4)
	for name, values := range r.Header {
		switch {
		case hopByHop(name):
		case name == "Cookie":
			for _, line := range values {
				for cookie := range strings.SplitSeq(line, ";") {
					if cookie = strings.TrimSpace(cookie); cookie != "" {
						cookies = append(cookies, validUTF8(cookie))
					}
				}
			}
		default:
			headers[strings.ToLower(name)] = validUTF8(strings.Join(values, ","))
		}
	}
	headers["host"] = r.Host
	if before := headers["x-forwarded-for"]; before != "" {
		headers["x-forwarded-for"] = before + ", " + sourceIP
	} else {
		headers["x-forwarded-for"] = sourceIP
	}
	headers["x-forwarded-proto"] = "http"
	headers["x-forwarded-port"] = "80"
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		headers["x-forwarded-port"] = port
	}
	return headers, cookies
}

func eventQuery(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	// What cannot be read is left out here; rawQueryString has it all.
	values, _ := url.ParseQuery(raw)
	query := make(map[string]string, len(values))
	for name, all := range values {
		query[validUTF8(name)] = validUTF8(strings.Join(all, ","))
	}
	return query
}

// readBody returns the body as the event carries it: text as it is, all else base64.
func readBody(r *http.Request) (body string, encoded bool, err error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return "", false, nil
	}
	if r.ContentLength > maxBody {
		return "", false, errBodyTooLarge
	}
	content, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return "", false, err
	case len(content) > maxBody:
		return "", false, errBodyTooLarge
	case len(content) == 0:
		return "", false, nil
	case isText(r.Header.Get("Content-Type")) && utf8.Valid(content):
		return string(content), false, nil
	}
	return base64.StdEncoding.EncodeToString(content), true, nil
}

func isText(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch media {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}

func validUTF8(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// newRequestID returns an id in the form of the gateway's own.
func newRequestID() string {
	var id [11]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails: it ends the process instead
	return base64.URLEncoding.EncodeToString(id[:])
}

// writeAnswer writes what the function answered. It reports false, having written
// nothing, when that is no HTTP answer.
func writeAnswer(w http.ResponseWriter, r *http.Request, answer *events.APIGatewayV2HTTPResponse) bool {
	if answer.StatusCode < 200 || answer.StatusCode > 599 {
		return false
	}
	body := []byte(answer.Body)
	if answer.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(answer.Body)
		if err != nil {
			return false
		}
		body = decoded
	}
	if len(body) > maxAnswerBody {
		return false
	}
	header := make(http.Header, len(answer.Headers)+2)
	add := func(name, value string) bool {
		name = http.CanonicalHeaderKey(name)
		if hopByHop(name) || name == "Content-Length" {
			return true // the gateway writes its own
		}
		header.Add(name, value)
		return !strings.ContainsAny(value, "\r\n\x00")
	}
	sound := true
	for name, value := range answer.Headers {
		sound = add(name, value) && sound
	}
	for name, values := range answer.MultiValueHeaders {
		for _, value := range values {
			sound = add(name, value) && sound
		}
	}
	for _, cookie := range answer.Cookies {
		sound = add("Set-Cookie", cookie) && sound
	}
	if !sound {
		return false
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	hasBody := answer.StatusCode != http.StatusNoContent && answer.StatusCode != http.StatusNotModified
	if hasBody && header.Get("Content-Type") == "" && len(body) > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	if hasBody && r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.StatusCode)
	if hasBody && r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that hung up misses nothing
	}
	return true
}
