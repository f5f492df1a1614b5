// The domain file (WW_verify_….txt): what an app's is called, and how the
// console looks for it.

package console

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// domainFile returns the 16 letters and digits that prove a domain for an app:
// the body of the file, and a part of its name.
func domainFile(corpID, agentID string) string {
	sum := sha256.Sum256([]byte(corpID + "/" + agentID))
	letters := strings.NewReplacer("-", "", "_", "").Replace(base64.RawURLEncoding.EncodeToString(sum[:]))
	return letters[:16]
}

func fileName(body string) string { return "WW_verify_" + body + ".txt" }

// fetchDomainFile fetches the file from the root of the domain and compares the
// body byte for byte.
func (c *console) fetchDomainFile(ctx context.Context, domain, corpID, agentID string) *refusal {
	failed := func(chinese, english string) *refusal {
		return &refusal{"域名归属校验失败：" + chinese, "domain ownership check failed: " + english}
	}
	want := domainFile(corpID, agentID)
	scheme := "https"
	if host, _, _ := strings.Cut(domain, ":"); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		scheme = "http"
	}
	address := scheme + "://" + domain + "/" + fileName(want)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return failed("无法访问 "+address+"。", address+" cannot be opened.")
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return failed("无法访问 "+address+"，请确认域名可以从公网访问。", "nothing answers at "+address+".")
	}
	defer func() { _ = answer.Body.Close() }()
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return failed(fmt.Sprintf("%s 返回了跳转（HTTP %d），校验不跟随跳转。", address, answer.StatusCode),
			fmt.Sprintf("%s answers with a redirect (HTTP %d), which is not followed.", address, answer.StatusCode))
	case answer.StatusCode != http.StatusOK:
		return failed(fmt.Sprintf("%s 返回 HTTP %d，应为 200。请先把下载的文件放到该域名的根目录。", address, answer.StatusCode),
			fmt.Sprintf("%s answers HTTP %d, not 200. Put the downloaded file at the root of the domain first.", address, answer.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, int64(len(want))+1))
	if err != nil || string(body) != want {
		return failed(address+" 的内容不正确，应恰好为文件名中的 16 个字符，不含换行或 BOM。",
			"the body of "+address+" is not exactly the 16 characters of the file name.")
	}
	return nil
}
