package admin_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/functions/admin"
)

const (
	fileName    = "WW_verify_AbCdEfGh12345678.txt"
	fileContent = "AbCdEfGh12345678"
	fileCheck   = "/api/admin/domain-files/" + fileName + "/check"
)

// network is the network: it answers every request alike and records the addresses.
type network struct {
	answer func(*http.Request) (*http.Response, error)
	asked  []string
}

func (w *network) RoundTrip(r *http.Request) (*http.Response, error) {
	w.asked = append(w.asked, r.Method+" "+r.URL.String()+" "+r.Host+" "+r.Header.Get("Authorization")+r.Header.Get("Cookie"))
	return w.answer(r)
}

func comes(status int, contentType, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Body: io.NopCloser(strings.NewReader(body)),
			Header: http.Header{"Content-Type": {contentType}, "Location": {"http://169.254.169.254/latest/meta-data/"}},
		}, nil
	}
}

// newOfficeOn returns an office whose own address leads to w, with the file stored.
func newOfficeOn(t *testing.T, w *network) *office {
	t.Helper()
	o := newOffice(t)
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.HTTP = &http.Client{Transport: w} })
	o.expect(204, request{method: "PUT", path: "/api/admin/domain-files/" + fileName})
	return o
}

// checkFile returns the result and the title of the check.
func checkFile(t *testing.T, o *office, language string) (bool, string) {
	t.Helper()
	var result struct {
		OK    bool
		Steps []struct {
			Step, Title, Fix string
			OK               bool
			WeComCode        int
		}
	}
	got := o.expect(200, request{method: "POST", path: fileCheck, header: map[string]string{"Accept-Language": language}})
	got.decode(t, &result)
	if len(result.Steps) != 1 {
		t.Fatal(got.body)
	}
	step := result.Steps[0]
	if step.Step != "domain-file" || step.OK != result.OK || step.OK != (step.Fix == "") || step.WeComCode != 0 ||
		strings.ContainsAny(step.Title+step.Fix, "{}") || strings.Contains(step.Title+step.Fix, "check.") || step.Title == "" {
		t.Errorf("%s", got.body)
	}
	return step.OK, step.Title
}

func TestCheckDomainFile(t *testing.T) {
	failing := func(err error) func(*http.Request) (*http.Response, error) {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	const address = publicURL + "/" + fileName
	tests := []struct {
		name   string
		answer func(*http.Request) (*http.Response, error)
		ok     bool
		title  string
	}{
		{"as it must be", comes(200, "text/plain; charset=utf-8", fileContent), true, "The file can be fetched at " + address},
		{"another type", comes(200, "application/octet-stream", fileContent), true, "The file can be fetched at " + address},
		{"no such name", failing(&net.DNSError{IsNotFound: true}), false, "Nobody on the internet can resolve the name signin.example.com"},
		{"name server down", failing(&net.DNSError{IsTemporary: true}), false, address + " could not be reached"},
		{"refused", failing(&net.OpError{Op: "dial", Err: errors.New("connection refused")}), false, address + " could not be reached"},
		{"slow", failing(&net.DNSError{IsTimeout: true}), false, address + " gave no answer within 5 seconds"},
		{"certificate", failing(fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: errors.New("expired")})), false, "The certificate of signin.example.com is not valid"},
		{"no certificate", failing(tls.AlertError(112)), false, "The certificate of signin.example.com is not valid"},
		{"redirect", comes(301, "text/html", ""), false, address + " redirects to another address"},
		{"redirect to the same", comes(308, "text/plain", fileContent), false, address + " redirects to another address"},
		{"absent", comes(404, "text/html", "<h1>"), false, "There is no file at " + address + " (404)"},
		{"sign-in", comes(401, "text/html", "<h1>"), false, address + " asks for a sign-in (401)"},
		{"firewall", comes(403, "text/html", "<h1>"), false, address + " asks for a sign-in (403)"},
		{"down", comes(502, "text/html", "<h1>"), false, address + " answers with status 502"},
		{"another success", comes(206, "text/plain", fileContent), false, address + " answers with status 206"},
		{"sign-in page", comes(200, "text/html; charset=utf-8", "Sign in"), false, "A web page comes instead of the file"},
		{"page without a type", comes(200, "", "\n<!doctype html><p>"+fileContent), false, "A web page comes instead of the file"},
		{"endless page", comes(200, "text/html", strings.Repeat("<p>", 1<<20)), false, "A web page comes instead of the file"},
		{"line break", comes(200, "text/plain", fileContent+"\n"), false, "The answer is longer than the 16 characters of the file"},
		{"byte order mark", comes(200, "text/plain", "\uFEFF"+fileContent), false, "The answer is longer than the 16 characters of the file"},
		{"endless", comes(200, "text/plain", strings.Repeat(fileContent, 1<<16)), false, "The answer is longer than the 16 characters of the file"},
		{"another file", comes(200, "text/plain", "hgfEDCBA12345678"), false, "The answer is not the 16 characters of the file"},
		{"other case", comes(200, "text/plain", strings.ToLower(fileContent)), false, "The answer is not the 16 characters of the file"},
		{"nothing", comes(200, "text/plain", ""), false, "The answer is not the 16 characters of the file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := &network{answer: test.answer}
			o := newOfficeOn(t, w)
			if ok, title := checkFile(t, o, "en"); ok != test.ok || title != test.title {
				t.Errorf("got %v %q", ok, title)
			}
			if len(w.asked) != 1 || w.asked[0] != "GET "+address+" signin.example.com " {
				t.Errorf("asked %q", w.asked)
			}
			if _, title := checkFile(t, o, "zh-CN"); title == test.title {
				t.Errorf("not in Chinese: %s", title)
			}
		})
	}
}

// The same over real connections.
func TestCheckDomainFileOverTheNetwork(t *testing.T) {
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/"+fileName {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = io.WriteString(w, fileContent)
	})
	plain, secure := httptest.NewServer(serve), httptest.NewUnstartedServer(serve)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer plain.Close()
	defer secure.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "http://" + listener.Addr().String()
	_ = listener.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	o := newOffice(t)
	o.expect(204, request{method: "PUT", path: "/api/admin/domain-files/" + fileName})
	for address, want := range map[string]string{
		plain.URL:  "The file can be fetched at " + plain.URL + "/" + fileName,
		secure.URL: "The certificate of 127.0.0.1 is not valid",
		strings.Replace(plain.URL, "http:", "https:", 1): "The certificate of 127.0.0.1 is not valid",
		gone: gone + "/" + fileName + " could not be reached",
	} {
		o.assemble(address, func(*admin.Config) {})
		if _, title := checkFile(t, o, "en"); title != want {
			t.Errorf("%s: %q", address, title)
		}
	}
	// The time is bounded: here by the client given, as five seconds are long for a test.
	o.assemble(slow.URL, func(cfg *admin.Config) { cfg.HTTP = &http.Client{Timeout: 20 * time.Millisecond} })
	if _, title := checkFile(t, o, "en"); title != slow.URL+"/"+fileName+" gave no answer within 5 seconds" {
		t.Errorf("slow: %q", title)
	}
}

// Attack: use the service to reach what only it can reach (server-side request
// forgery): by the name of the file, by a header, by a redirect. And read what is there.
func TestCheckDomainFileReachesNothingElse(t *testing.T) {
	w := &network{answer: comes(200, "text/plain", "the network's own secret")}
	o := newOfficeOn(t, w)
	for _, name := range []string{
		"WW_verify_aaaaaaaaaaaaaaaa.txt", // not stored
		"index.html", "@evil.example", ".evil.example", "WW_verify_AbCdEfGh12345678.txt@evil.example", "WW_verify_AbCdEfGh12345678.txt%0d%0aHost:evil",
		"..%2f..%2flatest%2fmeta-data", "http:%2f%2f169.254.169.254%2f", "%2f%2fevil.example", "WW_verify_..%2f..%2fapi%2fadmin1.txt", "WW_verify_AbCdEfGh12345678.txt%00", fileName + "%2f..%2fapi",
	} {
		o.expect(404, request{method: "POST", path: "/api/admin/domain-files/" + name + "/check"})
	}
	if len(w.asked) != 0 {
		t.Fatalf("asked %q", w.asked)
	}
	got := o.expect(200, request{method: "POST", path: fileCheck + "?url=http://169.254.169.254/&host=evil.example", body: `{"url":"http://169.254.169.254/"}`, header: map[string]string{
		"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example", "Authorization": "Bearer key", "Cookie": "a=b",
	}})
	if strings.Contains(got.body, "secret") || strings.Contains(got.body, "evil") {
		t.Errorf("shown: %s", got.body)
	}
	w.answer = comes(302, "text/plain", "the network's own secret")
	if got := o.expect(200, request{method: "POST", path: fileCheck}); strings.Contains(got.body+o.log.String(), "169.254") || strings.Contains(got.body, "secret") {
		t.Errorf("shown: %s", got.body)
	}
	for _, asked := range w.asked {
		if asked != "GET "+publicURL+"/"+fileName+" signin.example.com " {
			t.Errorf("asked %q", asked)
		}
	}
	if len(w.asked) != 2 {
		t.Errorf("asked %q", w.asked)
	}
	o.expect(405, request{method: "GET", path: fileCheck})
}
