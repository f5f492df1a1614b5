package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// isolated is set in the process that TestSAMLocal runs itself in.
const isolated = "SAM_LOCAL_TEST_ISOLATED"

// SAM's commands as docs/sam-local.md has them, with the emulators and a Docker engine.
// They run in namespaces that nobody else uses: these ports, this engine and the folder
// .aws-sam are the test's, and everything in them ends with it.
func TestSAMLocal(t *testing.T) {
	if os.Getenv(isolated) == "" {
		isolate(t)
		return
	}
	t.Chdir("../../..")
	t.Setenv("PATH", ".tools/sam/bin:"+os.Getenv("PATH"))
	t.Setenv("SAM_CLI_TELEMETRY", "0")
	t.Setenv("SAM_CLI_CONTAINER_CONNECTION_TIMEOUT", "600") // seconds, on a busy machine
	shell(t, startDocker)

	weCom := make(chan *wecomsim.Simulator)
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), "infra/events/env.json", "", func(_ map[settings.Name]string, s *wecomsim.Simulator) { weCom <- s })
	}()
	var simulator *wecomsim.Simulator
	select {
	case simulator = <-weCom:
	case err := <-ended:
		t.Fatalf("the emulators ended: %v", err)
	}
	checkAddresses(t)
	// A developer's account in the shell changes nothing.
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEOFSOMEBODY")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-somebody")
	t.Setenv("AWS_DEFAULT_REGION", "us-west-1")
	overrides := ""
	if strings.Contains(shell(t, "uname -m"), "x86_64") {
		t.Setenv("ARCH", "x86_64")
	} else {
		overrides = " --parameter-overrides Architecture=arm64"
	}
	shell(t, "sam build")
	t.Run("invoke", func(t *testing.T) {
		for name, function := range functionsOfEvents(t, "infra/events") {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				compareAnswer(t, name, shell(t, "sam local invoke "+function+" -e infra/events/"+name+".json -n infra/events/env.json"+overrides))
			})
		}
	})
	t.Run("start-api", func(t *testing.T) { signIn(t, simulator, overrides) })
}

// isolate runs TestSAMLocal in a process of its own.
func isolate(t *testing.T) {
	if testing.Short() {
		t.Skip("no containers in short mode")
	}
	missing := ""
	for _, name := range []string{"dockerd", "docker", "busybox", "ip", "make", "../../../.tools/sam/bin/sam", "../../../.tools/ministack/bin/python"} {
		if _, err := exec.LookPath(name); err != nil {
			missing += " " + name
		}
	}
	if os.Getuid() != 0 {
		missing += " root"
	}
	switch {
	case missing != "" && os.Getenv("CI") != "":
		t.Fatal("sam local needs" + missing)
	case missing != "":
		t.Skip("SKIP sam local: it needs" + missing)
	}
	shell(t, "go mod download") // there will be no network
	runtime.LockOSThread()      // Pdeathsig, with which the copy ends, is about the thread
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestSAMLocal$", "-test.v", "-test.timeout=0")
	cmd.Env = append(os.Environ(), isolated+"=1", "DOCKER_HOST=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

// startDocker starts an engine and gives it the smallest image that can take the place
// of Lambda's own, which is only in a registry: SAM copies its emulator into it by a
// shell, and the programs are static.
const startDocker = `
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p .aws-sam
mount -t tmpfs tmpfs .aws-sam
ip link set lo up
dockerd --data-root /run/data --iptables=false --ip-masq=false >/run/dockerd.log 2>&1 &
mkdir -p /run/image/bin /run/image/etc /run/image/tmp /run/image/var/task
cp "$(command -v busybox)" /run/image/bin/busybox
for name in sh mv chmod; do ln -s busybox /run/image/bin/$name; done
printf 'root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/bin/sh\n' >/run/image/etc/passwd
until docker info >/dev/null 2>&1; do kill -0 $! || { cat /run/dockerd.log; exit 1; }; sleep 0.1; done
architecture=$(uname -m | sed s/aarch64/arm64/)
tar -C /run/image -c . | docker import --change 'WORKDIR /var/task' --change 'ENV PATH=/bin LAMBDA_TASK_ROOT=/var/task' - \
	public.ecr.aws/lambda/provided:al2023-$architecture
`

// shell runs a script and returns its standard output.
func shell(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	var output, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &log
	cmd.WaitDelay = time.Second // dockerd stays and keeps its output open
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s: %v\n%s%s", script, err, output.String(), log.String())
	}
	return output.String()
}

// checkAddresses checks that nothing listens on more addresses than it must, and that a
// page of another site does not reach WeCom's pages by DNS rebinding.
func checkAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"172.17.0.1:4566": true, "172.17.0.1:3003": true, "127.0.0.1:3001": true, "127.0.0.1:3002": true,
		"127.0.0.1:4566": false, "127.0.0.1:3003": false, "172.17.0.1:3001": false, "172.17.0.1:3002": false,
	} {
		connection, err := net.Dial("tcp", address)
		if (err == nil) != want {
			t.Errorf("%s listens: %v, want %v", address, err == nil, want)
		}
		if err == nil {
			connection.Close()
		}
	}
	rebound := func(r *http.Request) { r.Host = "attacker.example" }
	testbrowser.New(testbrowser.Config{}).Expect(t, 421, "GET", "http://127.0.0.1:3001/wecomsim/", rebound)
}

// compareAnswer compares an answer with infra/events/answers, except for what is
// different every time. SAM's exit status does not tell whether the function failed.
func compareAnswer(t *testing.T, name, answer string) {
	t.Helper()
	var decoded any
	if err := json.Unmarshal([]byte(answer), &decoded); err != nil {
		t.Fatalf("%v in %q", err, answer)
	}
	var pretty bytes.Buffer
	encoder := json.NewEncoder(&pretty)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	must(t, encoder.Encode(decoded))
	got := pretty.String()
	for pattern, with := range map[string]string{
		`state=[A-Z0-9]{26}`:                                  `state=STATE`,
		`__Host-wecom_attempt_[0-9a-f]{16}=[\w-]{100,}`:       `__Host-wecom_attempt_NAME=SEALED`,
		`__Host-wecom_bounces=3\.[0-9]+\.[0-9a-f]+`:           `__Host-wecom_bounces=ONE`,
		`"eyJ[\w-]+\.[\w-]+\.[\w-]{342}\\"`:                   `"TOKEN\"`,
		`expires_in\\":(899|900)`:                             `expires_in\":ABOUT_900`,
		`\\"(n|kid)\\":\\"[\w-]+\\"`:                          `\"$1\":\"KEY\"`,
		`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`:                    `TIME`,
		`"last-modified": "[^"]+"`:                            `"last-modified": "TIME"`,
		`"wecom-signin-version": "[^"]+"`:                     `"wecom-signin-version": "VERSION"`,
		`'sha256-[^']+'`:                                      `'sha256-HASH'`,
		`<!doctype html>.*<title>([^<]+)</title>.*</html>\\n`: `PAGE: $1`,
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, with)
	}
	want, err := os.ReadFile("infra/events/answers/" + name + ".json")
	must(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// A first sign-in inside WeCom through SAM's own gateway, and what an application and an
// administrator do next.
func signIn(t *testing.T, weCom *wecomsim.Simulator, overrides string) {
	sam := exec.CommandContext(t.Context(), "sh", "-c", "exec sam local start-api -n infra/events/env.json"+overrides)
	sam.Cancel = func() error { return sam.Process.Signal(syscall.SIGTERM) }
	var log bytes.Buffer
	sam.Stdout, sam.Stderr = &log, &log
	must(t, sam.Start())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = sam.Wait() }()
	defer func() {
		_ = sam.Cancel()
		<-ended
		if t.Failed() {
			t.Logf("sam local start-api:\n%s", log.String())
		}
	}()
	const service = "http://localhost:3000"
	for {
		if response, err := http.Get(service + "/assets/none"); err == nil {
			response.Body.Close()
			break
		}
		select {
		case <-ended:
			t.Fatal("it ended")
		case <-time.After(100 * time.Millisecond):
		}
	}
	b := testbrowser.New(testbrowser.Config{
		URL: service, UserAgent: wecomsim.UserAgentWeComAndroid,
		WeCom: weCom, WeComURL: "http://localhost:3001", Member: wecomsim.Browser{UserID: "lisi"},
	})
	if end := b.Open(t, "/authorize/demo?redirect=%2Forders%3Fid%3D1%23%2F2"); end.Address != applicationURL+"/orders?id=1#/2" {
		t.Fatalf("the sign-in ended at %s: %s", end.Address, end.Page.Body)
	}
	b.Origin = applicationURL
	token := testbrowser.AccessToken(t, b.Expect(t, 200, "POST", "/api/token"))
	b.Origin = ""
	provider, err := oidc.NewProvider(t.Context(), service)
	must(t, err)
	verified, err := provider.Verifier(&oidc.Config{ClientID: applicationURL}).Verify(t.Context(), token)
	must(t, err)
	session := b.Expect(t, 200, "GET", "/api/session").Body
	if want := `"id":"` + verified.Subject + `","name":"李四","phone":"+8613800000002"`; !strings.Contains(session, want) {
		t.Errorf("signed in as %s, want %s", session, want)
	}
	// The gateway's $default, and its authorizer.
	if location := b.Expect(t, 302, "GET", "/orders/%E4%B8%AD?a=1&a=2").Location(); location != applicationURL+"/orders/%E4%B8%AD?a=1&a=2" {
		t.Errorf("an application link leads to %s", location)
	}
	b.Expect(t, 404, "GET", "/api/none")
	b.Expect(t, 200, "GET", "/console")
	b.Expect(t, 401, "GET", "/api/admin/authenticators")
	b.Expect(t, 403, "GET", "/api/admin/authenticators", testbrowser.Bearer("not-the-admin-key"))
	b.Expect(t, 200, "GET", "/api/admin/authenticators", testbrowser.Bearer(demoAdminKey))
	b.Expect(t, 204, "POST", "/api/signout")
	b.Expect(t, 401, "GET", "/api/session")
}
