package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

// An administrator registers an application on this very computer and makes it a secret,
// which is on no disk and in no log afterwards; the registration outlives a crash.
func TestJourneyRegistersAnApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.signedIn("zhangsan")
	f.mustAdmin(201, http.MethodPost, "/applications", map[string]any{
		"id": "wiki", "kind": "web", "redirectUris": []string{application + "/callback"}, "backchannelLogoutUri": "http://127.0.0.1:8080/logout",
	})
	secret := testbrowser.Decode[struct{ Secret string }](t, f.mustAdmin(201, http.MethodPost, "/applications/wiki/secrets", nil)).Secret
	preview := f.mustAdmin(200, http.MethodPost, "/applications/wiki/preview", map[string]any{"userId": f.users()[0].ID})
	if !strings.Contains(preview.Body, `"name":{"value":"张三","scope":"profile"}`) {
		t.Error(preview.Body)
	}
	f.crash()
	kept := f.mustAdmin(200, http.MethodGet, "/applications/wiki", nil)
	if !strings.Contains(kept.Body, `"prefix":"`+secret[:4]+`"`) || strings.Contains(kept.Body, secret) {
		t.Error(kept.Body)
	}
	f.stop()
	files, err := readFolder(f.dataDir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for name, content := range files {
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("the file %s has the secret", name)
		}
	}
	if strings.Contains(f.log.String(), secret) {
		t.Error("the log has the secret")
	}
}
