package awsstack

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// bucket holds what the stacks are made from.
const bucket = "awsstack"

// Architecture is Lambda's name of this machine's processor. Where functions cannot be
// built and run, the test is skipped, and fails where CI is set.
func Architecture(t testing.TB) string {
	t.Helper()
	name := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if _, err := exec.LookPath("make"); err != nil || name == "" || runtime.GOOS != "linux" {
		Missing(t, "built functions", "they are built by make and run on Linux")
	}
	return name
}

// packageTemplate does what `sam package` does: it uploads template.yaml with the
// functions' programs and the templates that it nests, and returns its address. Each
// call gives the programs new addresses, so that new versions are published.
func (a *Account) packageTemplate(t testing.TB) string {
	t.Helper()
	a.build(t)
	if a.deployed == 0 {
		a.Call(t, "s3", http.MethodPut, "/"+bucket, "", []byte("<CreateBucketConfiguration><LocationConstraint>"+Region+"</LocationConstraint></CreateBucketConfiguration>"))
	}
	a.deployed++
	return a.packageFile(t, filepath.Join(a.root, "template.yaml"))
}

func (a *Account) packageFile(t testing.TB, file string) (address string) {
	t.Helper()
	content, err := os.ReadFile(file) //nolint:gosec // of the module
	if err != nil {
		t.Fatal(err)
	}
	var template yaml.Node
	if err := yaml.Unmarshal(content, &template); err != nil {
		t.Fatal(err)
	}
	a.upload(t, &template, filepath.Dir(file))
	packaged, err := yaml.Marshal(&template)
	if err != nil {
		t.Fatal(err)
	}
	return a.Endpoint + "/" + bucket + "/" + a.put(t, filepath.Base(file), packaged)
}

// upload uploads what a part of a template names by a path.
func (a *Account) upload(t testing.TB, node *yaml.Node, folder string) {
	t.Helper()
	for i, value := range node.Content {
		a.upload(t, value, folder)
		if node.Kind != yaml.MappingNode || i%2 == 0 || strings.Contains(value.Value, "://") {
			continue
		}
		switch node.Content[i-1].Value {
		case "CodeUri":
			function := path.Base(path.Dir(value.Value))
			value.Value = "s3://" + bucket + "/" + a.put(t, function+".zip", a.programs[function])
		case "TemplateURL":
			value.Value = a.packageFile(t, filepath.Join(folder, value.Value))
		}
	}
}

func (a *Account) put(t testing.TB, name string, content []byte) (key string) {
	t.Helper()
	key = fmt.Sprintf("%d/%s", a.deployed, name)
	a.Call(t, "s3", http.MethodPut, "/"+bucket+"/"+key, "", content)
	return key
}

// build makes the programs of all functions, once for an account, with the Makefile's
// own command, for this machine.
func (a *Account) build(t testing.TB) {
	t.Helper()
	if a.programs != nil {
		return
	}
	DependOnSources(t, a.root)
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "make", "--silent", "build", "ARCH="+Architecture(t), "BUILD="+folder) //nolint:gosec // both are ours
	command.Dir = a.root
	command.Env = OutsideMake()
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, output)
	}
	programs, err := filepath.Glob(filepath.Join(folder, "*", "bootstrap"))
	if err != nil || len(programs) == 0 {
		t.Fatal("make build made no function", err)
	}
	a.programs = map[string][]byte{}
	for _, program := range programs {
		content, err := os.ReadFile(program) //nolint:gosec // just built
		if err != nil {
			t.Fatal(err)
		}
		a.programs[path.Base(path.Dir(program))] = archive(t, content)
	}
}

// DependOnSources makes a test's result depend on everything that is deployed from the
// module's folder: it looks at each file. Where other programs read them `go test` sees
// nothing, and would take a kept result for the present one after a change.
func DependOnSources(t testing.TB, root string) {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(root, "infra", "*.yaml"))
	for _, name := range []string{"functions", "shared", "template.yaml", "samconfig.toml", "Makefile", "go.mod", "go.sum"} {
		sources = append(sources, filepath.Join(root, name))
	}
	for _, source := range sources {
		err = errors.Join(err, filepath.WalkDir(source, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		}))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// archive makes the zip of a function.
func archive(t testing.TB, program []byte) []byte {
	t.Helper()
	var archive bytes.Buffer
	files := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap"} // stored: nobody downloads it
	header.SetMode(0o755)
	file, err := files.CreateHeader(header)
	if err == nil {
		_, err = file.Write(program)
	}
	if err == nil {
		err = files.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// OutsideMake is this process's environment for a command that runs make: below another
// make it would wait for its job server. The tester's own account at AWS is no business
// of a test's.
func OutsideMake() (environment []string) {
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") && !strings.HasPrefix(variable, "AWS_") {
			environment = append(environment, variable)
		}
	}
	return environment
}
