package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

const (
	// domainFileTime bounds a fetch. How long WeCom waits is not documented; a file of 16
	// characters that takes longer is a failure anyway.
	domainFileTime = 5 * time.Second
	// domainFileBody is how many bytes are read: enough to recognise a web page.
	domainFileBody = 4 << 10
)

// newFetcher returns the client that fetches domain files. It neither follows redirects
// nor keeps cookies, because WeCom needs neither.
func newFetcher(given *http.Client) *http.Client {
	fetcher := &http.Client{}
	if given != nil {
		*fetcher = *given
	} else {
		fetcher.Transport = &http.Transport{
			DialContext: (&net.Dialer{Timeout: domainFileTime}).DialContext,
			// Every check must test DNS, connection and TLS anew.
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 32 << 10,
		}
	}
	fetcher.Jar = nil
	fetcher.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return fetcher
}

// checkDomainFile fetches a stored file over the network, as WeCom does. Address and
// name are the service's own and a stored file's, so that a caller cannot make it fetch
// anything else, and the answer holds nothing of what it fetched.
func (h *handler) checkDomainFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	filename := r.PathValue("filename")
	content, ok := store.DomainFileContent(filename)
	if !ok {
		return noDomainFile()
	}
	apigw.LogField(ctx, "domainFile", filename)
	_, err := h.Directory.DomainFile(ctx, filename)
	if errors.Is(err, store.ErrNotFound) {
		return noDomainFile()
	}
	if err != nil {
		return fmt.Errorf("read domain file: %w", err)
	}
	address, err := url.Parse(apigw.PublicURL(ctx) + "/" + filename)
	if err != nil {
		return fmt.Errorf("parse public address: %w", err)
	}
	texts, err := text.Read(requestLanguage(r), text.CheckArea)
	if err != nil {
		return err
	}
	found, status := h.fetchDomainFile(ctx, address, content)
	pairs := []string{
		"url", address.String(), "host", address.Hostname(), "filename", filename, "status", strconv.Itoa(status),
	}
	if found == "" {
		return writeCheck(w, r, []checkStep{{Step: stepDomainFile, OK: true, Title: texts.Text("check.domain-file.ok", pairs...)}})
	}
	apigw.LogField(ctx, "found", strings.TrimPrefix(found, "check.domain-file."))
	return writeCheck(w, r, []checkStep{{
		Step: stepDomainFile, Title: texts.Text(found+".title", pairs...), Fix: texts.Text(found+".fix", pairs...),
	}})
}

// fetchDomainFile returns the key of the sentences for what is wrong, or nothing if the
// file is right, and the status of the answer.
func (h *handler) fetchDomainFile(ctx context.Context, address *url.URL, content string) (key string, status int) {
	ctx, cancel := context.WithTimeout(ctx, domainFileTime)
	defer cancel()
	request := (&http.Request{
		Method: http.MethodGet, URL: address, Host: address.Host, Header: http.Header{"User-Agent": {"wecom-signin"}},
	}).WithContext(ctx)
	response, err := h.fetcher.Do(request)
	if err != nil {
		return connectionKey(ctx, err), 0
	}
	defer response.Body.Close()
	status = response.StatusCode
	switch {
	case status >= 300 && status < 400:
		return "check.domain-file.redirect", status
	case status == http.StatusNotFound:
		return "check.domain-file.absent", status
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return "check.domain-file.refused", status
	case status != http.StatusOK:
		return "check.domain-file.status", status
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, domainFileBody+1))
	if err != nil {
		return connectionKey(ctx, err), status
	}
	return bodyKey(response.Header.Get("Content-Type"), string(body), content), status
}

// bodyKey returns the key for the body of an answer with status 200.
func bodyKey(contentType, body, content string) string {
	mediaType, _, err := mime.ParseMediaType(contentType)
	html := err == nil && (mediaType == "text/html" || mediaType == "application/xhtml+xml")
	switch {
	case body == content:
		return ""
	case strings.TrimSpace(strings.TrimPrefix(body, "\uFEFF")) == content:
		return "check.domain-file.longer"
	case html, strings.HasPrefix(strings.TrimSpace(body), "<"):
		return "check.domain-file.page"
	case strings.Contains(body, content):
		return "check.domain-file.longer"
	}
	return "check.domain-file.other"
}

// connectionKey returns the key for the reason why there is no answer.
func connectionKey(ctx context.Context, err error) string {
	name, isName := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, refused := errors.AsType[tls.AlertError](err)
	_, plain := errors.AsType[tls.RecordHeaderError](err)
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case isName && name.IsNotFound:
		return "check.domain-file.dns"
	case untrusted, refused, plain, errors.Is(err, http.ErrSchemeMismatch):
		return "check.domain-file.certificate"
	case ctx.Err() != nil, isNet && timeout.Timeout():
		return "check.domain-file.timeout"
	}
	return "check.domain-file.unreachable"
}
