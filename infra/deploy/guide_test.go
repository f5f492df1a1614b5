package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// update writes the dialogues anew: go test ./infra/deploy -update.
var update = flag.Bool("update", false, "write testdata/*.txt anew")

// fakeSAM records how it is called and plays a deployment.
const fakeSAM = `#!/bin/sh
{ echo "sam $*"; echo "  ARCH=$ARCH MAKEFLAGS=$MAKEFLAGS in $(pwd)"; } >>"$SAM_LOG"
case "$1" in
build) echo "Build Succeeded" ;;
deploy)
	echo "Deploy this changeset? [y/N]: "
	case " $* " in *" --no-confirm-changeset "*) ;; *) read answer; echo "  answered $answer" >>"$SAM_LOG" ;; esac ;;
list) cat "$SAM_OUTPUTS" ;;
esac
if [ "$1" = "$SAM_FAILS" ]; then echo "Error: as sam says it" >&2; exit 7; fi
`

const outputsJSON = `[
  {"OutputKey": "ServiceUrl", "OutputValue": "https://signin.example.com", "Description": "x"},
  {"OutputKey": "ConsoleUrl", "OutputValue": "https://signin.example.com/console"},
  {"OutputKey": "CallbackDomain", "OutputValue": "signin.example.com"},
  {"OutputKey": "EgressAddresses", "OutputValue": "EGRESS"},
  {"OutputKey": "AdminKeySecret", "OutputValue": "arn:aws:secretsmanager:ap-southeast-1:111122223333:secret:AdminKey-AbCdEf"},
  {"OutputKey": "ApiUrl", "OutputValue": "https://abc.execute-api.ap-southeast-1.amazonaws.com"},
  {"OutputKey": "DomainTarget", "OutputValue": "d-abc.execute-api.ap-southeast-1.amazonaws.com"},
  {"OutputKey": "Dashboard", "OutputValue": "wecom-signin"}
]`

// operator sits before a guide in a repository of their own.
type operator struct {
	t           *testing.T
	root        string
	environment map[string]string
	who         identity
	refused     error
	regions     []string // that AWS was asked in
}

func newOperator(t *testing.T, egress string) *operator {
	t.Helper()
	o := &operator{t: t, root: t.TempDir(), who: identity{"111122223333", "arn:aws:sts::111122223333:assumed-role/Operator/li"}}
	for _, name := range []string{"template.yaml", "samconfig.toml"} {
		content, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		o.write(name, string(content))
	}
	o.write("bin/sam", fakeSAM)
	if err := os.Chmod(filepath.Join(o.root, "bin/sam"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.write("outputs.json", strings.Replace(outputsJSON, "EGRESS", egress, 1))
	o.environment = map[string]string{
		"SAM": filepath.Join(o.root, "bin/sam"), "SAM_LOG": filepath.Join(o.root, "sam.log"), "SAM_OUTPUTS": filepath.Join(o.root, "outputs.json"),
		"PATH": os.Getenv("PATH"), "MAKEFLAGS": "--jobserver-auth=3,4", "ARCH": "wrong", "AWS_REGION": "ap-southeast-1",
	}
	return o
}

func (o *operator) write(name, content string) {
	o.t.Helper()
	path := filepath.Join(o.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		o.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) read(name string) string {
	content, err := os.ReadFile(filepath.Join(o.root, name))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return string(content)
}

// terminal shows what is typed among what is printed. What sam reads it shows itself.
type terminal struct {
	typed io.Reader
	out   *strings.Builder
}

func (t terminal) Read(p []byte) (int, error) {
	n, err := t.typed.Read(p)
	if len(p) == 1 {
		t.out.Write(p[:n])
	}
	return n, err
}

// run is the command; what is typed is shown in what is printed, as on a terminal.
func (o *operator) run(typed string, arguments ...string) (status int, printed string) {
	o.t.Helper()
	var out strings.Builder
	var environment []string
	for name, value := range o.environment {
		environment = append(environment, name+"="+value)
	}
	status = run(o.t.Context(), invocation{
		arguments: arguments, root: o.root, environment: environment,
		lookup: func(name string) (string, bool) { v, ok := o.environment[name]; return v, ok },
		find:   func(string) (string, error) { return "", errors.New("not on PATH") },
		identify: func(_ context.Context, region string) (identity, error) {
			o.regions = append(o.regions, region)
			return o.who, o.refused
		},
		in: terminal{strings.NewReader(typed), &out}, out: &out, errors: &out,
	})
	return status, strings.ReplaceAll(out.String(), o.root, "ROOT")
}

func lines(answers ...string) string { return strings.Join(answers, "\n") + "\n" }

// plain is the shortest way: everything as usual.
func plain() string {
	return lines("", "", "", "", "", "", "", "", "", "", "", "y")
}

const zonePath = "zone"

func natAnswers() []string {
	return []string{
		"?", "staff-signin", "ap-southeast-1", "arm64", "?", zonePath, "signin.example.com", "Z0123456789ABC",
		"?", "nat", "2", "", `示例 "Example" Company, Ltd.`, "12h", "ops@example.com", "90", "30", "y", "changes-are-fine",
	}
}

// Whole conversations, as on the operator's terminal.
func TestDialogues(t *testing.T) {
	for _, test := range []struct {
		name, egress string
		typed        []string
		who          identity
		log          []string
	}{
		{name: "first-look", egress: "none", typed: strings.Split(plain(), "\n")},
		{name: "domain-and-nat", egress: "203.0.113.7, 203.0.113.8", typed: natAnswers()},
		{name: "certificate-and-relay", egress: "203.0.113.7", typed: []string{
			"", "", "x86_64", "certificate", "signin.example.com", "arn:aws:acm:ap-southeast-1:111122223333:certificate/0123-abcd",
			"relay", "https://relay.example.com", "8.8.8.8", "", "", "", "", "", "y", "y",
		}},
		{name: "proxy-in-china", egress: "none", who: identity{"111122223333", "arn:aws-cn:iam::111122223333:user/li"}, typed: []string{
			"", "cn-north-1", "", "proxy", "https://signin.example.com", "none", "示例公司", "", "", "", "90", "y", "y",
		}},
		{name: "second-thoughts", egress: "none", typed: []string{
			"", "", "", "", "", "", "", "", "", "", "n",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOperator(t, test.egress)
			if test.who != (identity{}) {
				o.who = test.who
			}
			status, printed := o.run(lines(test.typed...))
			stack := "wecom-signin"
			if test.name == "domain-and-nat" {
				stack = "staff-signin"
			}
			got := printed + "\n--- exit status ---\n" + strconv.Itoa(status) +
				"\n--- what sam was asked ---\n" + strings.ReplaceAll(o.read("sam.log"), o.root, "ROOT") +
				"\n--- " + fileOf(stack) + " ---\n" + o.read(fileOf(stack))
			golden := filepath.Join("testdata", test.name+".txt")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWrongAnswersAreAskedAgain(t *testing.T) {
	untilAddress := []string{"", "", ""}
	untilEgress := append(untilAddress[:3:3], "")
	untilCompany := append(untilEgress[:4:4], "")
	join := func(first []string, then ...string) []string { return append(first[:len(first):len(first)], then...) }
	zone := join(untilAddress, "zone")
	for name, test := range map[string]struct {
		before []string
		wrong  string
		says   string
	}{
		"stack with a digit first":     {nil, "1st", "a name begins with a letter"},
		"stack that leaves the folder": {nil, "../x", "a name begins with a letter"},
		"empty stack":                  {nil, "-", "a name begins with a letter"},
		"region":                       {[]string{""}, "Frankfurt", "a region is written like ap-southeast-1"},
		"processor":                    {[]string{"", ""}, "amd64", "answer with one of the words above"},
		"address":                      {untilAddress, "mine", "answer with one of the words above"},
		"domain with a scheme":         {zone, "https://signin.example.com", "what is wanted is a domain"},
		"domain of AWS":                {zone, "abc.execute-api.eu-central-1.amazonaws.com", "this is a domain of AWS"},
		"no domain":                    {zone, "", "an answer is needed here"},
		"hosted zone with its path":    {join(zone, "signin.example.com"), "/hostedzone/Z0123", "what is wanted is an id that begins with Z"},
		"certificate of IAM":           {join(untilAddress, "certificate", "signin.example.com"), "arn:aws:iam::111122223333:server-certificate/x", "what is wanted is arn:aws:acm:"},
		"proxy in clear":               {join(untilAddress, "proxy"), "http://signin.example.com", "what is wanted is https:// and a host"},
		"proxy with a path":            {join(untilAddress, "proxy"), "https://example.com/signin", "what is wanted is https:// and a host"},
		"egress":                       {untilEgress, "nat-gateway", "answer with one of the words above"},
		"three gateways":               {join(untilEgress, "nat"), "3", "answer with one of the words above"},
		"Elastic IP by address":        {join(untilEgress, "nat", "1"), "203.0.113.7", "what is wanted is eipalloc-"},
		"one Elastic IP for two":       {join(untilEgress, "nat", "2"), "eipalloc-0123", "there are 1 for 2 NAT gateways"},
		"one address for two":          {join(untilEgress, "nat", "2", "eipalloc-0123,eipalloc-4567"), "8.8.8.8", "there are 1 for 2 Elastic IPs"},
		"relay in clear":               {join(untilEgress, "relay"), "http://relay.example.com", "what is wanted is an address with https://"},
		"certificate elsewhere":        {join(untilAddress, "certificate", "signin.example.com"), "arn:aws:acm:eu-west-1:111122223333:certificate/0123-abcd", "it is not in ap-southeast-1"},
		"e-mail without a dot":         {join(untilCompany, "", ""), "ops@example", "what is wanted is"},
		"relay with a password":        {join(untilEgress, "relay"), "https://user:word@relay.example.com", "would be no secret any more"},
		"relay that is none":           {join(untilEgress, "relay"), "https://qyapi.weixin.qq.com", "this is WeCom itself"},
		"relay without its address":    {join(untilEgress, "relay", "https://relay.example.com"), "", "an answer is needed here"},
		"private address":              {join(untilEgress, "relay", "https://relay.example.com"), "10.0.0.1", "10.0.0.1 is no public address"},
		"address with five parts":      {join(untilEgress, "relay", "https://relay.example.com"), "1.2.3.4.5", "is no IPv4 address"},
		"company of 61 characters":     {untilCompany, strings.Repeat("司", 61), "what is wanted is at most 60 characters"},
		"company with a backslash":     {untilCompany, `A\B`, "would not reach AWS as it is"},
		"company in SAM's other form":  {untilCompany, "ParameterKey=EgressMode,ParameterValue=none", "would not reach AWS as it is"},
		"session of a month and more":  {join(untilCompany, ""), "721h", "it is no time from 1s to 720h"},
		"session in days":              {join(untilCompany, ""), "7d", "what is wanted is a time from 1s to 720h"},
		"two e-mail addresses":         {join(untilCompany, "", ""), "a@example.com b@example.com", "what is wanted is one e-mail address"},
		"retention that AWS lacks":     {join(untilCompany, "", "", ""), "31", "what is wanted is 1, 3, 5"},
		"rotation every day":           {join(untilCompany, "", "", "", ""), "1", "what is wanted is a number of days from 7 to 365"},
		"neither yes nor no":           {join(untilCompany, "", "", "", "", ""), "maybe", "answer y or n"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, "none")
			status, printed := o.run(lines(append(test.before[:len(test.before):len(test.before)], test.wrong)...))
			if refusal := "  That is not possible: "; status != 1 || !strings.Contains(printed, refusal) || !strings.Contains(printed, test.says) || strings.Count(printed, refusal) != 1 {
				t.Errorf("exit %d\n%s", status, printed)
			}
			if o.read("sam.log") != "" {
				t.Errorf("sam was called:\n%s", o.read("sam.log"))
			}
		})
	}
}

// Nobody is there any more: after each question in turn.
func TestInputThatEndsIsAnErrorAndNeverAHang(t *testing.T) {
	all := natAnswers()
	for i := range len(all) - 1 {
		o := newOperator(t, "none")
		typed := strings.Join(all[:i], "\n")
		if i > 0 {
			typed += "\n"
		}
		status, printed := o.run(typed)
		if status != 1 || !strings.Contains(printed, "the input ended before this question was answered") || o.read("sam.log") != "" {
			t.Errorf("after %q: exit %d\n%s", all[:i], status, printed)
		}
	}
}

func TestSecondRunOffersWhatWasKept(t *testing.T) {
	o := newOperator(t, "203.0.113.7")
	if status, printed := o.run(lines(natAnswers()...)); status != 0 {
		t.Fatal(printed)
	}
	first := o.read("deployments/staff-signin.toml")

	status, printed := o.run(lines("", "y", "y", "y"))
	if status != 0 || !strings.Contains(printed, "[staff-signin] > \n") || !strings.Contains(printed, "Use them as they are?") || !strings.Contains(printed, "HostedZoneId             Z0123456789ABC") {
		t.Errorf("exit %d\n%s", status, printed)
	}
	if diff := cmp.Diff(first, o.read("deployments/staff-signin.toml")); diff != "" {
		t.Errorf("the same answers are kept otherwise: %s", diff)
	}

	// Again from the start, with other ways out and in: what belonged to the old ones goes.
	status, printed = o.run(lines("", "n", "", "", "none", "none", "-", "", "", "", "", "y", "y"))
	kept, _, err := kept(o.root, "staff-signin")
	if status != 0 || err != nil {
		t.Fatalf("exit %d %v\n%s", status, err, printed)
	}
	for name, want := range map[string]string{
		"DomainName": "", "HostedZoneId": "", "EgressMode": "none", "NatGateways": "1", "CompanyName": "", "SessionLifetime": "12h", "AlarmEmail": "ops@example.com",
	} {
		if got := kept.parameters[name]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// Parameters that the guide does not ask for are an operator's own and stay.
func TestWhatIsNotAskedStays(t *testing.T) {
	o := newOperator(t, "none")
	if status, printed := o.run(plain()); status != 0 {
		t.Fatal(printed)
	}
	own := strings.NewReplacer(`WeComApiUrl=\"\"`, `WeComApiUrl=\"https://wecom.example.com\"`, `SessionCookieDomain=\"\"`, `SessionCookieDomain=\"example.com\"`,
		`CompanyLogo=\"\"`, `CompanyLogo=\"https://example.com/logo.png\"`)
	o.write("deployments/wecom-signin.toml", own.Replace(o.read("deployments/wecom-signin.toml")))
	status, printed := o.run(lines("", "n", "", "", "", "nat", "", "", "", "", "", "", "", "y", "y"))
	kept, _, err := kept(o.root, "wecom-signin")
	if status != 0 || err != nil || kept.parameters["WeComApiUrl"] != "https://wecom.example.com" || kept.parameters["SessionCookieDomain"] != "example.com" ||
		kept.parameters["CompanyLogo"] != "https://example.com/logo.png" || kept.parameters["EgressMode"] != "nat" {
		t.Errorf("exit %d %v %v\n%s", status, err, kept, printed)
	}
}

func TestElasticIPsOfOnesOwn(t *testing.T) {
	o := newOperator(t, "8.8.8.8, 8.8.4.4")
	status, printed := o.run(lines("", "", "", "", "nat", "2", "eipalloc-0123,eipalloc-4567", "8.8.8.8, 8.8.4.4", "", "", "", "", "", "y", "y"))
	kept, _, err := kept(o.root, "wecom-signin")
	if status != 0 || err != nil || kept.parameters["ElasticIpAllocationIds"] != "eipalloc-0123,eipalloc-4567" || kept.parameters["EgressAddresses"] != "8.8.8.8, 8.8.4.4" {
		t.Errorf("exit %d %v %v\n%s", status, err, kept, printed)
	}
}

// A relay that is no longer used must not be called any longer.
func TestRelayGoesWithItsMode(t *testing.T) {
	o := newOperator(t, "203.0.113.7")
	if status, printed := o.run(lines("", "", "", "", "relay", "https://relay.example.com", "8.8.8.8", "", "", "", "", "", "y", "y")); status != 0 {
		t.Fatal(printed)
	}
	status, printed := o.run(lines("", "n", "", "", "", "nat", "", "", "", "", "", "", "", "y", "y"))
	kept, _, err := kept(o.root, "wecom-signin")
	if status != 0 || err != nil || kept.parameters["WeComApiUrl"] != "" || kept.parameters["EgressAddresses"] != "" {
		t.Errorf("exit %d %v %v\n%s", status, err, kept, printed)
	}
}

func TestUnattended(t *testing.T) {
	prepare := func(t *testing.T) *operator {
		o := newOperator(t, "none")
		if status, printed := o.run(plain()); status != 0 {
			t.Fatal(printed)
		}
		o.write("sam.log", "")
		return o
	}
	const file = "deployments/wecom-signin.toml"
	change := func(old, changed string) func(*operator) {
		return func(o *operator) { o.write(file, strings.Replace(o.read(file), old, changed, 1)) }
	}
	for name, test := range map[string]struct {
		change    func(*operator)
		arguments []string
		status    int
		says      string
	}{
		"the only stack":  {nil, nil, 0, "make doctor URL=https://signin.example.com"},
		"a named stack":   {nil, []string{"wecom-signin"}, 0, "It is deployed."},
		"another stack":   {nil, []string{"other"}, 1, "there is no deployments/other.toml"},
		"stack as a path": {nil, []string{"../../etc/x"}, 1, "is no name of a stack"},
		"two stacks":      {func(o *operator) { o.write("deployments/other.toml", "") }, nil, 1, "-yes needs the name of a stack: there are answers for 2 (other, wecom-signin)"},
		"value that the template refuses": {
			change(`LogRetentionDays=\"30\"`, `LogRetentionDays=\"31\"`), nil, 1, `template.yaml refuses these answers: evaluate template: Parameters.LogRetentionDays: "31" is none of 1, 3,`,
		},
		"values that contradict each other": {
			change(`EgressMode=\"none\"`, `EgressMode=\"relay\"`), nil, 1, "EgressMode relay needs WeComApiUrl, the relay, and EgressAddresses",
		},
		"parameter that is missing": {change(`RotationDays=\"30\" `, ``), nil, 1, "does not have the parameters of this template.yaml"},
		"parameter that is unknown": {change(`RotationDays=`, `Rotation=`), nil, 1, "does not have the parameters of this template.yaml"},
		"parameter twice":           {change(`RotationDays=`, `Architecture=`), nil, 1, "parameter_overrides has Architecture twice"},
		"other stack's file":        {change(`"wecom-signin"`, `"other"`), nil, 1, "it is for the stack other"},
		"broken quotes":             {change(`RotationDays=\"30\"`, `RotationDays=30`), nil, 1, "parameter_overrides is not as this program writes it"},
		"broken file":               {change(`region = `, `region `), nil, 1, "line 8 is not KEY = VALUE"},
		"other TOML":                {change(`region = "ap-southeast-1"`, `region = 'ap-southeast-1'`), nil, 1, "region is no string in double quotes"},
		"no region":                 {change(`region = "ap-southeast-1"`, ``), nil, 1, "stack_name, region or parameter_overrides is missing"},
		"credentials that AWS refuses": {
			func(o *operator) { o.refused = errors.New("ExpiredToken") }, nil, 1, "AWS does not accept the credentials in ap-southeast-1 (aws configure, aws sso login, AWS_PROFILE): ExpiredToken",
		},
		"account of another partition": {
			change(`"ap-southeast-1"`, `"cn-north-1"`), nil, 1, "these credentials are of partition aws, and cn-north-1 is a region of aws-cn",
		},
		"flag that is unknown": {nil, []string{"-y"}, 2, "usage: make deploy"},
		"two names":            {nil, []string{"a", "b"}, 2, "usage: make deploy"},
	} {
		t.Run(name, func(t *testing.T) {
			o := prepare(t)
			if test.change != nil {
				test.change(o)
			}
			status, printed := o.run("", append([]string{"-yes"}, test.arguments...)...)
			if status != test.status || !strings.Contains(printed, test.says) || strings.Contains(printed, "> ") {
				t.Errorf("exit %d\n%s", status, printed)
			}
			called := o.read("sam.log")
			want := "sam deploy --config-file deployments/wecom-signin.toml --no-fail-on-empty-changeset --no-confirm-changeset"
			if status == 0 && !strings.Contains(called, want) || status != 0 && called != "" {
				t.Errorf("sam was asked\n%s", called)
			}
		})
	}
}

// What sam says is shown as it is, nothing is tried after it, and its status is kept.
func TestFailureOfSAMIsKept(t *testing.T) {
	for step, want := range map[string]struct {
		says  string
		calls int
	}{
		"build":  {"sam build ended with status 7", 1},
		"deploy": {"sam deploy ended with status 7", 2},
		"list":   {"it is deployed, but its outputs could not be read: sam list ended with status 7", 3},
	} {
		t.Run(step, func(t *testing.T) {
			o := newOperator(t, "none")
			o.environment["SAM_FAILS"] = step
			status, printed := o.run(plain())
			if status != 7 || !strings.Contains(printed, "\nError: as sam says it\n") || !strings.HasSuffix(printed, "\n"+want.says+"\n") {
				t.Errorf("exit %d\n%s", status, printed)
			}
			if calls := strings.Count(o.read("sam.log"), "sam "); calls != want.calls {
				t.Errorf("sam was asked\n%s", o.read("sam.log"))
			}
		})
	}
}

func TestCredentialsAreCheckedBeforeTheQuestions(t *testing.T) {
	o := newOperator(t, "none")
	o.refused = errors.New("no credentials")
	status, printed := o.run(lines("", "eu-central-1"))
	if status != 1 || !strings.Contains(printed, "AWS does not accept the credentials in eu-central-1") || strings.Contains(printed, "Processor") {
		t.Errorf("exit %d\n%s", status, printed)
	}
	if diff := cmp.Diff([]string{"eu-central-1"}, o.regions); diff != "" {
		t.Error(diff)
	}
}

func TestSAMIsTheNamedOneOrTheInstalledOne(t *testing.T) {
	there := filepath.Join(t.TempDir(), "sam")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	installed := func(string) (string, error) { return "/usr/bin/sam", nil }
	absent := func(string) (string, error) { return "", errors.New("not found") }
	for name, test := range map[string]struct {
		named string
		find  func(string) (string, error)
		want  string
	}{
		"named":               {there, installed, there},
		"named but not there": {there + "-not", installed, "/usr/bin/sam"},
		"installed":           {"", installed, "/usr/bin/sam"},
		"neither":             {"", absent, ""},
	} {
		got, err := findSAM(func(string) (string, bool) { return test.named, test.named != "" }, test.find)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}
