package oauth_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
)

// TestCausesListsThemAll: what the list lacks would be shown unexplained.
func TestCausesListsThemAll(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []oauth.Cause
	for _, match := range regexp.MustCompile(`(?m)^\tCause\w+ +Cause = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, oauth.Cause(match[1]))
	}
	if got := oauth.Causes(); len(declared) < 30 || !slices.Equal(got, declared) {
		t.Errorf("declared %v, listed %v", declared, got)
	}
}
