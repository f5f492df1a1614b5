package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

const repository = "../.."

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t *testing.T, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

// awkward are values that quoting could get wrong.
func awkward() map[string]string {
	return map[string]string{
		"Empty": "", "Plain": "arm64", "Spaces": "  two  words ", "Commas": "8.8.8.8, 8.8.4.4", "Quotes": `The "Example" Company`,
		"OnlyQuotes": `""`, "OneQuote": `"`, "Apostrophe": "O'Reilly & Söhne", "Apostrophes": "'wrapped'", "Chinese": "示例（上海）有限公司", "Emoji": "🦊",
		"Pair": `a Other="b" More=c`, "Equals": "a=b", "Brackets": "[x] {y} <z>", "Dollar": "$HOME `id` ${x}", "Hash": "a # b", "Percent": "100%25 %s",
		"File": "file://etc/passwd", "Ends": `quote at the end"`,
	}
}

// samReads is how SAM reads a configuration file: its own classes, in its own order.
const samReads = `
import json, sys
from pathlib import Path
import click
from samcli.cli.cli_config_file import ConfigProvider
from samcli.cli.types import CfnParameterOverridesType
def read(command):
    with click.Context(click.Command("deploy")):
        return ConfigProvider(section="parameters")(Path(sys.argv[1]), "default", command)
deploy = read(["deploy"])
print(json.dumps({
    "parameters": CfnParameterOverridesType().convert(deploy["parameter_overrides"], None, None),
    "stack": deploy["stack_name"], "region": deploy["region"], "prefix": deploy["s3_prefix"], "confirm": deploy["confirm_changeset"],
    "build": read(["build"])["build_in_source"],
}))
`

// SAM's own reader finds the values that were given.
func TestSAMReadsWhatWasAnswered(t *testing.T) {
	python := filepath.Join(repository, ".tools", "sam", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		missing(t, "sam", "it is not installed (make tools)")
	}
	given := answers{stack: "wecom-signin", region: "cn-north-1", parameters: awkward()}
	root := t.TempDir()
	samconfig, err := os.ReadFile(filepath.Join(repository, "samconfig.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := given.keep(root, string(samconfig)); err != nil {
		t.Fatal(err)
	}
	python, err = filepath.Abs(python)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "-c", samReads, fileOf(given.stack))
	command.Dir = root
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + root, "LANG=C.UTF-8"}
	output, err := command.Output()
	if err != nil {
		if ended, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("%v\n%s", err, ended.Stderr)
		}
		t.Fatal(err)
	}
	type result struct {
		Parameters            map[string]string
		Stack, Region, Prefix string
		Confirm, Build        bool
	}
	var got result
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	want := result{given.parameters, "wecom-signin", "cn-north-1", "wecom-signin", true, true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestValuesThatSAMWouldReadOtherwiseAreRefused(t *testing.T) {
	for name, value := range map[string]string{
		"backslash at the end":     `a\`,
		"backslash before a quote": `a\"`,
		"backslash before a space": `a\ b`,
		"line break":               "a\nb",
		"tab":                      "a\tb",
		"SAM's older form":         "x ParameterKey=EgressMode,ParameterValue=none",
	} {
		a := answers{stack: "wecom-signin", region: "eu-central-1", parameters: map[string]string{"CompanyName": value}}
		root := t.TempDir()
		if err := a.keep(root, ""); !errors.Is(err, errDifferent) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(root, fileOf(a.stack))); err == nil {
			t.Errorf("%s: it is kept", name)
		}
	}
}

func TestKeptAnswersAreForTheOwnerAlone(t *testing.T) {
	a := answers{stack: "wecom-signin", region: "eu-central-1", parameters: awkward()}
	root := t.TempDir()
	if err := a.keep(root, ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(root, fileOf(a.stack)))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	back, found, err := kept(root, a.stack)
	if diff := cmp.Diff(a.parameters, back.parameters); err != nil || !found || diff != "" {
		t.Errorf("%v %v %s", found, err, diff)
	}
}

func FuzzUnquote(f *testing.F) {
	for name, value := range awkward() {
		quoted, err := quote(name, value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(quoted)
	}
	f.Add(`A="b" A="c"`)
	f.Add(`A="b`)
	f.Fuzz(func(t *testing.T, overrides string) {
		parameters, err := unquote(overrides)
		if err != nil || !utf8.ValidString(overrides) {
			return
		}
		var again []string
		for _, name := range slices.Sorted(maps.Keys(parameters)) {
			quoted, err := quote(name, parameters[name])
			if err != nil {
				return
			}
			again = append(again, quoted)
		}
		back, err := unquote(strings.Join(again, " "))
		if diff := cmp.Diff(parameters, back); err != nil || diff != "" {
			t.Errorf("%q: %v %s", overrides, err, diff)
		}
	})
}

// The guide asks for what this very template has, and knows what it leaves out.
func TestTemplateOfTheRepository(t *testing.T) {
	template, err := cloudformation.ReadFile(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	parameters, err := usual(template)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{
		// For private deployments, for sharing a session, for a logo, for a restored table
		// and for an emergency: an operator writes them into the kept file.
		"CallbackDeployment": true, "WeComOAuthUrl": true, "WeComLoginUrl": true, "SessionCookieDomain": true, "CompanyLogo": true, "DirectoryTableName": true,
	}
	for _, q := range slices.Concat([]asked{architectureQuestion(), egressQuestion()}, addressQuestions(), otherQuestions()) {
		known[q.parameter] = true
		for _, c := range q.choices {
			if !accepts(template, q.parameter, c.value) {
				t.Errorf("the template refuses %s=%s", q.parameter, c.value)
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(parameters)), slices.Sorted(maps.Keys(known))); diff != "" {
		t.Errorf("parameters of the template and of the guide: %s", diff)
	}
	for name, test := range map[string]struct {
		region  string
		changed map[string]string
		refused bool
	}{
		"usual":           {region: "ap-southeast-1"},
		"China":           {region: "cn-north-1"},
		"zone":            {changed: map[string]string{"DomainName": "signin.example.com", "HostedZoneId": "Z0123"}},
		"certificate":     {changed: map[string]string{"DomainName": "signin.example.com", "CertificateArn": "arn:aws:acm:eu-central-1:111122223333:certificate/0123-abcd"}},
		"proxy":           {changed: map[string]string{"PublicUrl": "https://signin.example.com"}},
		"nat":             {changed: map[string]string{"EgressMode": "nat", "NatGateways": "2"}},
		"own addresses":   {changed: map[string]string{"EgressMode": "nat", "ElasticIpAllocationIds": "eipalloc-0123", "EgressAddresses": "8.8.8.8"}},
		"relay":           {changed: map[string]string{"EgressMode": "relay", "WeComApiUrl": "https://relay.example.com", "EgressAddresses": "8.8.8.8"}},
		"relay to nobody": {changed: map[string]string{"EgressMode": "relay"}, refused: true},
		"domain alone":    {changed: map[string]string{"DomainName": "signin.example.com"}, refused: true},
	} {
		a := answers{stack: "wecom-signin", region: test.region, parameters: maps.Clone(parameters)}
		if a.region == "" {
			a.region = "eu-central-1"
		}
		maps.Copy(a.parameters, test.changed)
		if err := a.judge(template); (err != nil) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCommandsAreWrittenAsTheyAreTyped(t *testing.T) {
	c := command{variables: []string{"ARCH=arm64"}, program: "/opt/my tools/sam", arguments: []string{"build", "--x", "it's", ""}}
	if got, want := c.String(), `ARCH=arm64 '/opt/my tools/sam' build --x 'it'\''s' ''`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
