package version_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/version"
)

// https://semver.org, without build metadata: that would tell builds of one source
// apart.
var semantic = regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func TestVersionIsSemantic(t *testing.T) {
	if !semantic.MatchString(version.Version) {
		t.Errorf("%q is not a semantic version", version.Version)
	}
}

// Mistake: a release whose changelog is that of the one before.
func TestChangelogBeginsWithThisVersion(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := regexp.MustCompile(`(?m)^## \[(\d[^\]]*)\] - \d{4}-\d{2}-\d{2}$`).FindSubmatch(changelog)
	if newest == nil {
		t.Fatal("CHANGELOG.md has no heading such as ## [0.5.0] - 2026-11-21")
	}
	if got := string(newest[1]); got != version.Version {
		t.Errorf("the newest version in CHANGELOG.md is %s, the code is %s", got, version.Version)
	}
}
