package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// The real sam, the real template, and an AWS on this machine: what the guide keeps is
// what SAM deploys, and the steps it names have the stack's values.
func TestGuideDeploysIntoAnEmulatedAccount(t *testing.T) {
	named := os.Getenv("SAM")
	if named == "" {
		named = filepath.Join(repository, ".tools", "sam", "bin", "sam")
	}
	program, err := filepath.Abs(named)
	if err != nil {
		t.Fatal(err)
	}
	processor := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if _, err := os.Stat(program); err != nil {
		missing(t, "guided deployment", "SAM's command line is not installed (make tools)")
	}
	if _, err := exec.LookPath("make"); err != nil || processor == "" || runtime.GOOS != "linux" {
		missing(t, "guided deployment", "the functions are built by make and run on Linux")
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "emulator.log"))
	if err != nil {
		t.Fatal(err)
	}
	account, err := emulator.Start(t.Context(), emulator.Config{Tools: filepath.Join(repository, ".tools"), Log: log, EnforceIAM: true})
	if errors.Is(err, emulator.ErrMissing) {
		missing(t, "guided deployment", err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = account.Close()
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("what the emulator said last:\n%s", said[max(0, len(said)-8000):])
		}
	})

	// A repository beside this one: what is built and kept stays out of it.
	root := t.TempDir()
	for _, name := range []string{"Makefile", "functions", "go.mod", "go.sum", "infra", "samconfig.toml", "shared", "template.yaml"} {
		target, err := filepath.Abs(filepath.Join(repository, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing of the tester's own account.
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			_ = os.Unsetenv(name)
		}
	}
	for _, variable := range append(account.Environment(), "SAM="+program, "SAM_CLI_POLL_DELAY=0.3") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	deploy := func(typed string, arguments ...string) string {
		var out strings.Builder
		status := run(t.Context(), invocation{
			arguments: arguments, root: root, lookup: os.LookupEnv, environment: os.Environ(), find: exec.LookPath,
			identify: callerIdentity, in: strings.NewReader(typed), out: &out, errors: &out,
		})
		if status != 0 {
			t.Fatalf("exit %d\n%s", status, &out)
		}
		return out.String()
	}
	// Stack, region, processor, address, egress, company, session, alarms, logs, rotation,
	// go on; the last one answers sam.
	printed := deploy(lines("guided", "", processor, "", "", `示例 "Example" Company, Ltd.`, "1h30m", "", "7", "", "y", "y"))
	for _, want := range []string{
		"AWS answers: account " + emulator.Account + ", region " + emulator.Region + ", partition aws,",
		"It is deployed.", "make doctor URL=https://", "there is no fixed address yet", "--secret-id arn:aws:secretsmanager:" + emulator.Region,
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("no %q in\n%s", want, printed)
		}
	}
	_, after, _ := strings.Cut(printed, "--secret-id ")
	id, _, _ := strings.Cut(after, " ")
	key, err := secretsmanager.NewFromConfig(account.SDK()).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(printed, aws.ToString(key.SecretString)) {
		t.Error("the admin key is printed")
	}
	// Once more without a person: nothing has changed, and that is no failure.
	if again := deploy("", "-yes", "guided"); !strings.Contains(again, "It is deployed.") {
		t.Errorf("again:\n%s", again)
	}
}
