package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// configuration is what the console shows for a software, with the values of the
// application. What an administrator makes up is made up.
func (a application) configuration(t *testing.T, id string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "functions/admin/console/snippets.json"))
	must(t, err)
	var all []struct {
		ID    string
		Lines []string
	}
	must(t, json.Unmarshal(content, &all))
	for _, snippet := range all {
		if snippet.ID == id {
			return strings.NewReplacer(
				"{{issuer}}", a.service.url, "{{id}}", a.id, "{{secret}}", a.secret, "{{redirect}}", a.callback, "{{base}}", a.url, "{{groups}}", "groups",
				"{{service}}", "localhost", "{{host}}", "127.0.0.1", "{{variable}}", strings.ReplaceAll(a.id, "-", "_"),
				"…", "0123456789abcdef0123456789abcdef",
			).Replace(strings.Join(snippet.Lines, "\n") + "\n")
		}
	}
	t.Fatalf("the console does not know %s", id)
	return ""
}

// configurationFile returns the path of a file with the configuration.
func (a application) configurationFile(t *testing.T, id, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(file, []byte(a.configuration(t, id)), 0o600))
	return file
}
