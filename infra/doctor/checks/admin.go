package checks

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	authenticatorsPath = "/api/admin/authenticators"
	domainFilesPath    = "/api/admin/domain-files"
	egressPath         = "/api/admin/egress"

	// wrongKey is too short to be an admin key.
	wrongKey = "doctor"
)

// adminAPI sees that the admin API is closed to everybody else.
func adminAPI(ctx context.Context, t *target) ([]Finding, error) {
	for _, attempt := range []struct {
		with   string
		header http.Header
		want   int
	}{
		{"without a key", nil, http.StatusUnauthorized},
		{"with a wrong key", bearer(wrongKey), http.StatusForbidden},
	} {
		got, err := t.send(ctx, http.MethodGet, t.base+authenticatorsPath, attempt.header)
		switch {
		case err != nil:
			return nil, err
		case got.StatusCode < 400:
			return report(Fail, "OPEN: answers %d %s", got.StatusCode, attempt.with)
		case got.StatusCode != attempt.want:
			return nil, fmt.Errorf("%s answers %d %s, not %d", got.path, got.StatusCode, attempt.with, attempt.want)
		}
	}
	return report(OK, "closed without a key (401) and with a wrong one (403)")
}

// bearer also asks for the texts of the service's own check in English.
func bearer(key string) http.Header {
	return http.Header{"Authorization": {"Bearer " + key}, "Accept-Language": {"en"}}
}

func adminKey(ctx context.Context, t *target) ([]Finding, error) {
	if t.AdminKey == "" {
		return report(Skip, "none was given")
	}
	got, err := t.send(ctx, http.MethodGet, t.base+authenticatorsPath, bearer(t.AdminKey))
	if err != nil {
		return nil, err
	}
	if got.StatusCode == http.StatusUnauthorized || got.StatusCode == http.StatusForbidden {
		return report(Fail, "refused (%d)", got.StatusCode)
	}
	if err := got.expect(http.StatusOK, "application/json"); err != nil {
		return nil, err
	}
	return report(OK, "accepted")
}

// admin reads an answer of the admin API.
func admin[T any](ctx context.Context, t *target, method, path string) (T, error) {
	var result T
	got, err := t.send(ctx, method, t.base+path, bearer(t.AdminKey))
	if err == nil {
		err = got.decode(&result)
	}
	return result, err
}

// list is the first page of a list, which is all of it but in the largest deployments.
type list[T any] struct {
	Items []T `json:"items"`
}

type authenticator struct {
	Name           string `json:"name"`
	Enabled        bool   `json:"enabled"`
	CorpID         string `json:"corpId"`
	AgentID        string `json:"agentId"`
	CallbackDomain string `json:"callbackDomain"`
}

// weCom has the service try each authenticator against WeCom.
func weCom(ctx context.Context, t *target) ([]Finding, error) {
	all, err := admin[list[authenticator]](ctx, t, http.MethodGet, authenticatorsPath+"?limit=200")
	if err != nil {
		return nil, err
	}
	if len(all.Items) == 0 {
		return report(Warn, "there is no authenticator")
	}
	return each(all.Items, func(a authenticator) ([]Finding, error) {
		if !a.Enabled {
			return report(Skip, "%s is disabled", a.Name)
		}
		return tryAuthenticator(ctx, t, a.Name)
	})
}

func tryAuthenticator(ctx context.Context, t *target, name string) ([]Finding, error) {
	path := authenticatorsPath + "/" + url.PathEscape(name) + "/check"
	result, err := admin[struct {
		OK    bool `json:"ok"`
		Steps []struct {
			Step      string `json:"step"`
			OK        bool   `json:"ok"`
			WeComCode int    `json:"wecomCode"`
			Title     string `json:"title"`
			Fix       string `json:"fix"`
		} `json:"steps"`
	}](ctx, t, http.MethodPost, path)
	if err != nil {
		return nil, err
	}
	var failed []Finding
	var passed []string
	for _, step := range result.Steps {
		if step.OK {
			passed = append(passed, step.Step)
			continue
		}
		if step.WeComCode != 0 {
			step.Step += fmt.Sprintf(" %d", step.WeComCode)
		}
		failed = append(failed, Finding{Status: Fail, Seen: fmt.Sprintf("%s, %s: %s", name, step.Step, step.Title), Fix: step.Fix})
	}
	if len(failed) > 0 {
		return failed, nil
	}
	if !result.OK {
		return nil, fmt.Errorf("%s says that %s fails, and not why", path, name)
	}
	return report(OK, "%s: %s", name, strings.Join(passed, ", "))
}

// egress sees whether WeCom will know the service's address tomorrow, too.
func egress(ctx context.Context, t *target) ([]Finding, error) {
	view, err := admin[struct {
		Addresses []string `json:"addresses"`
		Source    string   `json:"source"`
	}](ctx, t, http.MethodGet, egressPath)
	if err != nil {
		return nil, err
	}
	switch addresses := strings.Join(view.Addresses, ", "); view.Source {
	case "setting":
		return report(OK, "WeCom is called from %s, as set", addresses)
	case "wecom":
		return report(Warn, "WeCom sees %s now, and may see another address tomorrow", addresses)
	}
	return report(Warn, "the address from which WeCom is called is unknown")
}

// domainFiles fetches each file as WeCom does: its content is part of its name.
func domainFiles(ctx context.Context, t *target) ([]Finding, error) {
	type domainFile struct {
		Filename string `json:"filename"`
	}
	all, err := admin[list[domainFile]](ctx, t, http.MethodGet, domainFilesPath+"?limit=200")
	if err != nil {
		return nil, err
	}
	if len(all.Items) == 0 {
		return report(Warn, "none; WeCom asks for one when it verifies the trusted domain")
	}
	return each(all.Items, func(file domainFile) ([]Finding, error) {
		content := strings.TrimSuffix(strings.TrimPrefix(file.Filename, "WW_verify_"), ".txt")
		got, err := t.get(ctx, "/"+url.PathEscape(file.Filename))
		if err != nil {
			return nil, err
		}
		if got.expect(http.StatusOK, "text/plain") != nil || string(got.body) != content {
			return report(Fail, "%s does not come back as its 16 characters", file.Filename)
		}
		return report(OK, "%s is at the root, as WeCom wants it", file.Filename)
	})
}

// sharedDomain looks for several apps of a corp behind one domain: of two, WeCom may
// let only the later one in.
func sharedDomain(ctx context.Context, t *target) ([]Finding, error) {
	all, err := admin[list[authenticator]](ctx, t, http.MethodGet, authenticatorsPath+"?limit=200")
	if err != nil {
		return nil, err
	}
	apps := map[string][]string{}
	for _, a := range all.Items {
		at := fmt.Sprintf("corp %s have the domain %s", a.CorpID, a.CallbackDomain)
		if a.Enabled && !slices.Contains(apps[at], a.AgentID) {
			apps[at] = append(apps[at], a.AgentID)
		}
	}
	maps.DeleteFunc(apps, func(_ string, agents []string) bool { return len(agents) < 2 })
	if len(apps) == 0 {
		return report(OK, "one WeCom app for each corp and domain")
	}
	return each(slices.Sorted(maps.Keys(apps)), func(at string) ([]Finding, error) {
		return report(Warn, "the apps %s of %s in common; WeCom may let only the later one in", strings.Join(apps[at], ", "), at)
	})
}
