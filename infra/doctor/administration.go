package main

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// authenticator is what the admin API tells of one.
type authenticator struct {
	Name           string `json:"name"`
	Enabled        bool   `json:"enabled"`
	CorpID         string `json:"corpId"`
	AgentID        string `json:"agentId"`
	CallbackDomain string `json:"callbackDomain"`
}

// maxPages bounds lists: of 200 entries each.
const maxPages = 25

// list reads all entries of an admin list. The answer is the last one.
func list[T any](ctx context.Context, v *visit, path string) (items []T, got *answer, err error) {
	for cursor, page := "", 0; page < maxPages; page++ {
		var part struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"nextCursor"`
		}
		address := path + "?limit=200"
		if cursor != "" {
			address += "&cursor=" + url.QueryEscape(cursor)
		}
		got, err = v.administrate(ctx, http.MethodGet, address, requestLimit, &part)
		if err != nil || got.status != http.StatusOK {
			return nil, got, err
		}
		items = append(items, part.Items...)
		if cursor = part.NextCursor; cursor == "" {
			break
		}
	}
	return items, got, nil
}

const (
	authenticatorsPath = "/api/admin/authenticators"
	domainFilesPath    = "/api/admin/domain-files"
	egressPath         = "/api/admin/egress"
)

func checkAdminKey(ctx context.Context, v *visit) []finding {
	if v.Key == "" {
		return skip("admin-key.none")
	}
	_, got, err := list[authenticator](ctx, v, authenticatorsPath)
	if err != nil {
		return unanswered(authenticatorsPath, err)
	}
	switch got.status {
	case http.StatusOK:
		return ok("admin-key.ok")
	case http.StatusUnauthorized, http.StatusForbidden:
		return fail("admin-key.refused", "status", strconv.Itoa(got.status))
	}
	return unexpected(authenticatorsPath, got)
}

func unexpected(path string, got *answer) []finding {
	return fail("unexpected", "path", path, "status", strconv.Itoa(got.status))
}

// checkWeCom has the service try each authenticator against WeCom.
func checkWeCom(ctx context.Context, v *visit) []finding {
	items, got, err := list[authenticator](ctx, v, authenticatorsPath)
	if err != nil {
		return unanswered(authenticatorsPath, err)
	}
	if got.status != http.StatusOK {
		return unexpected(authenticatorsPath, got)
	}
	if len(items) == 0 {
		return warn("wecom.none", "address", v.base)
	}
	var findings []finding
	for _, a := range items {
		if !a.Enabled {
			findings = append(findings, skip("wecom.disabled", "name", a.Name)...)
			continue
		}
		findings = append(findings, tryAuthenticator(ctx, v, a)...)
	}
	return findings
}

func tryAuthenticator(ctx context.Context, v *visit, a authenticator) []finding {
	path := authenticatorsPath + "/" + url.PathEscape(a.Name) + "/check"
	var result struct {
		OK    bool `json:"ok"`
		Steps []struct {
			Step      string `json:"step"`
			OK        bool   `json:"ok"`
			WeComCode int    `json:"wecomCode"`
			Title     string `json:"title"`
			Fix       string `json:"fix"`
		} `json:"steps"`
	}
	got, err := v.administrate(ctx, http.MethodPost, path, checkLimit, &result)
	if err != nil {
		return unanswered(path, err)
	}
	if got.status != http.StatusOK {
		return unexpected(path, got)
	}
	var findings []finding
	var passed []string
	for _, step := range result.Steps {
		if step.OK {
			passed = append(passed, step.Step)
			continue
		}
		name := step.Step
		if step.WeComCode != 0 {
			name += " " + strconv.Itoa(step.WeComCode)
		}
		findings = append(findings, fail("wecom.failed", "name", a.Name, "step", name, "title", step.Title, "remedy", step.Fix)...)
	}
	if !result.OK && len(findings) == 0 {
		return unexpected(path, got)
	}
	if len(findings) == 0 {
		return ok("wecom.ok", "name", a.Name, "steps", strings.Join(passed, ", "))
	}
	return findings
}

// checkEgress sees whether WeCom will know the service's address tomorrow, too.
func checkEgress(ctx context.Context, v *visit) []finding {
	var view struct {
		Addresses []string `json:"addresses"`
		Source    string   `json:"source"`
	}
	got, err := v.administrate(ctx, http.MethodGet, egressPath, checkLimit, &view)
	if err != nil {
		return unanswered(egressPath, err)
	}
	if got.status != http.StatusOK {
		return unexpected(egressPath, got)
	}
	addresses := strings.Join(view.Addresses, ", ")
	switch view.Source {
	case "setting":
		return ok("egress.ok", "addresses", addresses)
	case "wecom":
		return warn("egress.seen", "addresses", addresses)
	}
	return warn("egress.unknown")
}

var domainFileName = regexp.MustCompile(`^WW_verify_([A-Za-z0-9]{16})\.txt$`)

// checkDomainFiles fetches each file as WeCom does.
func checkDomainFiles(ctx context.Context, v *visit) []finding {
	type domainFile struct {
		Filename string `json:"filename"`
	}
	items, got, err := list[domainFile](ctx, v, domainFilesPath)
	if err != nil {
		return unanswered(domainFilesPath, err)
	}
	if got.status != http.StatusOK {
		return unexpected(domainFilesPath, got)
	}
	if len(items) == 0 {
		return warn("domain-files.none", "address", v.base)
	}
	var names []string
	for _, file := range items {
		name := domainFileName.FindStringSubmatch(file.Filename)
		if name == nil {
			return fail("domain-files.wrong", "file", file.Filename)
		}
		got, err := v.get(ctx, "/"+file.Filename)
		if err != nil {
			return unanswered("/"+file.Filename, err)
		}
		kind, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
		if got.status != http.StatusOK || err != nil || kind != "text/plain" || string(got.body) != name[1] {
			return fail("domain-files.wrong", "file", file.Filename)
		}
		names = append(names, file.Filename)
	}
	return ok("domain-files.ok", "files", sorted(names))
}

// checkSharedDomain looks for several apps of a corp behind one domain: of two, WeCom
// may let only the later one in.
func checkSharedDomain(ctx context.Context, v *visit) []finding {
	items, got, err := list[authenticator](ctx, v, authenticatorsPath)
	if err != nil {
		return unanswered(authenticatorsPath, err)
	}
	if got.status != http.StatusOK {
		return unexpected(authenticatorsPath, got)
	}
	type place struct{ corpID, domain string }
	apps := map[place][]string{}
	for _, a := range items {
		at := place{a.CorpID, a.CallbackDomain}
		if a.Enabled && !slices.Contains(apps[at], a.AgentID) {
			apps[at] = append(apps[at], a.AgentID)
		}
	}
	var findings []finding
	for at, agents := range apps {
		if len(agents) > 1 {
			findings = append(findings, warn("shared-domain.several", "corp", at.corpID, "domain", at.domain, "agents", sorted(agents))...)
		}
	}
	if len(findings) == 0 {
		return ok("shared-domain.ok")
	}
	slices.SortFunc(findings, func(a, b finding) int { return slices.Compare(a.seen.pairs, b.seen.pairs) })
	return findings
}
