package rehearsal_test

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// The functions, as their log groups name them.
var functions = []string{"authorize", "callback", "signin", "admin", "authorizer", "issuer", "rotatekeys"}

// The life of one deployment. Each step goes on where the one before has ended.
func TestDeployment(t *testing.T) {
	t.Parallel()
	sam, architecture := findSAM(t), processor(t)
	read(t)
	w := newWorld(t)
	s := &stack{sam: sam, folder: t.TempDir()}
	log := &lockedBuffer{}
	var err error
	s.aws, err = emulator.Start(t.Context(), emulator.Config{
		Tools: filepath.Join(moduleRoot, ".tools"), Log: log, EnforceIAM: true,
		Environment: []string{"SSL_CERT_FILE=" + w.authority},
	})
	if errors.Is(err, emulator.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for line := range strings.Lines(log.String()) {
				if strings.Contains(line, "ERROR") || strings.Contains(line, "Traceback") {
					t.Log("emulator:", strings.TrimSpace(line))
				}
			}
		}
		if err := s.aws.Close(); err != nil {
			t.Error(err)
		}
	})
	step := func(name string, do func(t *testing.T)) {
		t.Helper()
		if !t.Run(name, func(t *testing.T) {
			began := time.Now()
			do(t)
			t.Logf("%.1f s", time.Since(began).Seconds())
		}) {
			s.explain(t)
			t.FailNow()
		}
	}
	parameters := func(changed ...string) []string {
		all := map[string]string{
			"Architecture": architecture, "PublicUrl": w.url, "CompanyName": "First", "AlarmEmail": "operator@example.com",
			"WeComApiUrl": w.weURL, "WeComOAuthUrl": w.weURL, "WeComLoginUrl": w.weURL,
		}
		for _, parameter := range changed {
			name, value, _ := strings.Cut(parameter, "=")
			all[name] = value
		}
		var list []string
		for _, name := range slices.Sorted(maps.Keys(all)) {
			list = append(list, name+"="+all[name])
		}
		return list
	}
	deploy := func(t *testing.T, build, template string, changed ...string) {
		t.Helper()
		if err := s.deploy(t, build, template, parameters(changed...)); err != nil {
			t.Fatal(err)
		}
	}
	secrets := secretsmanager.NewFromConfig(s.aws.SDK())
	before := s.inventory(t)
	var (
		outputs  map[string]string
		adminKey string
		person   string // the id of the first member as a user
	)
	anyone := w.visitor("", wecomsim.UserAgentBrowser)
	phone := w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	desktop := w.visitor("zhangsan", wecomsim.UserAgentBrowser)
	authenticator := map[string]any{
		"name": "main", "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret,
		"origin": application, "workbenchRedirectPath": "/home",
	}
	// ready learns from a stack's outputs where it is and who may administrate it.
	ready := func(t *testing.T) {
		t.Helper()
		outputs = s.outputs(t)
		w.lead(t, s.aws, outputs["ApiUrl"])
		adminKey = s.current(t, secrets, outputs["AdminKeySecret"]).text
		// The first rotation begins with the stack and fills the keys.
		s.rotated(t, secrets, "")
	}

	step("build", func(t *testing.T) { s.build(t, "first", "") })
	step("deploy", func(t *testing.T) {
		deploy(t, "first", "template.yaml")
		ready(t)
		if outputs["ServiceUrl"] != w.url || outputs["ConsoleUrl"] != w.url+"/console" || "https://"+outputs["CallbackDomain"] != w.url || outputs["EgressAddresses"] != "none" {
			t.Errorf("the stack says %v", outputs)
		}
	})
	step("without the key nobody is an administrator", func(t *testing.T) {
		anyone.expect(t, 401, "GET", "/api/admin/authenticators", "", nil)
		anyone.expect(t, 403, "GET", "/api/admin/authenticators", "not-the-admin-key", nil)
		anyone.expect(t, 403, "POST", "/api/admin/authenticators", strings.Repeat("A", 48), authenticator)
	})
	step("an administrator connects a WeCom app and checks it", func(t *testing.T) {
		anyone.expect(t, 200, "GET", "/console", "", nil)
		anyone.expect(t, 201, "POST", "/api/admin/authenticators", adminKey, authenticator)
		check := decode[struct {
			OK    bool
			Steps []struct{ Title string }
		}](t, anyone.expect(t, 200, "POST", "/api/admin/authenticators/main/check", adminKey, nil))
		if !check.OK || len(check.Steps) < 2 {
			t.Errorf("the check says %+v", check)
		}
		anyone.expect(t, 204, "PUT", "/api/admin/domain-files/WW_verify_AbCdEf0123456789.txt", adminKey, nil)
		if file := anyone.expect(t, 200, "GET", "/WW_verify_AbCdEf0123456789.txt", "", nil); file.body != "AbCdEf0123456789" {
			t.Errorf("the domain file holds %q", file.body)
		}
	})
	step("a member signs in inside WeCom, then in a browser", func(t *testing.T) {
		phone.signIn(t)
		desktop.signIn(t)
		person = phone.user(t)
		if desktop.user(t) != person || w.verify(t, desktop.token(t)) != person {
			t.Error("one member is two users")
		}
		anyone.expect(t, 403, "GET", "/api/admin/users", desktop.token(t), nil)
		desktop.expect(t, 204, "POST", "/api/signout", "", nil)
		desktop.expect(t, 401, "GET", "/api/session", "", nil)
		phone.expect(t, 200, "GET", "/api/session", "", nil)
		desktop.signIn(t)
	})
	step("keys are rotated, and a token of the earlier key stays good", func(t *testing.T) {
		old, version := phone.token(t), s.current(t, secrets, s.resources(t)["SigningKeys"]).version
		s.rotate(t, secrets)
		s.rotated(t, secrets, version)
		s.signsWithAnotherKey(t, phone, old)
	})
	step("an interrupted rotation is taken up again", func(t *testing.T) {
		resources := s.resources(t)
		version := s.current(t, secrets, resources["SigningKeys"]).version
		old := phone.token(t)
		// What could be a moment without Secrets Manager: the last step is refused.
		role := url.Values{"RoleName": {resources["RotateKeysRole"]}, "PolicyName": {"fault"}}
		fault := maps.Clone(role)
		fault.Set("PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"secretsmanager:UpdateSecretVersionStage","Resource":"*"}]}`)
		s.query(t, "iam", "2010-05-08", "PutRolePolicy", fault)
		s.rotate(t, secrets)
		s.logged(t, "rotatekeys", `"finishSecret"`, `"ERROR"`)
		if now := s.current(t, secrets, resources["SigningKeys"]).version; now != version {
			t.Fatal("a rotation that did not end is in force")
		}
		w.verify(t, phone.token(t))
		s.query(t, "iam", "2010-05-08", "DeleteRolePolicy", role)
		_, err := secrets.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String(resources["SigningKeys"])})
		if _, unfinished := errors.AsType[*types.InvalidRequestException](err); !unfinished {
			t.Errorf("AWS says that it takes the rotation up again; this is %v", err)
		}
		s.rotated(t, secrets, version)
		s.signsWithAnotherKey(t, phone, old)
	})
	step("an update changes code and a parameter while people sign in", func(t *testing.T) {
		s.build(t, "second", `{"msg":"code of the second build"}`)
		people := w.gather(t, []*visitor{phone, desktop})
		deploy(t, "second", "template.yaml", "CompanyName=Second")
		people.ends(t)
		w.shows(t, anyone, "Second")
		if phone.user(t) != person || desktop.user(t) != person {
			t.Error("somebody's session became another's")
		}
		anyone.expect(t, 200, "GET", "/api/admin/authenticators", adminKey, nil)
		anyone.expect(t, 200, "GET", "/.well-known/jwks.json", "", nil)
		s.rotate(t, secrets)
		for _, function := range functions {
			s.logged(t, function, "code of the second build")
		}
	})
	step("an update that fails is rolled back while people sign in", func(t *testing.T) {
		broken := s.edit(t, "second", "broken.yaml", func(template *yaml.Node) {
			resources := child(t, template, "Resources")
			// A table with an attribute that is no key, made after what the others changed.
			var table yaml.Node
			if err := yaml.Unmarshal([]byte(`{Type: 'AWS::DynamoDB::Table', DependsOn: [SigninFunction, CallbackFunction], Properties: {BillingMode: PAY_PER_REQUEST, KeySchema: [{AttributeName: pk, KeyType: HASH}], AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: other, AttributeType: S}]}}`), &table); err != nil {
				t.Fatal(err)
			}
			resources.Content = append(resources.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "Broken"}, table.Content[0])
		})
		people := w.gather(t, []*visitor{phone, desktop})
		err := s.deploy(t, "second", broken, parameters("CompanyName=Never"))
		people.ends(t)
		if status := s.status(t); err == nil || status != "UPDATE_ROLLBACK_COMPLETE" {
			t.Fatalf("the stack is %s (%v)", status, err)
		}
		w.shows(t, anyone, "Second")
	})
	step("an action that a role does not allow is denied and nothing is given away", func(t *testing.T) {
		less := s.edit(t, "second", "less.yaml", func(template *yaml.Node) {
			if n := replace(child(t, template, "Resources", "CallbackRole"), "dynamodb:PutItem", "dynamodb:DescribeTable"); n == 0 {
				t.Fatal("the callback's role may not put items")
			}
		})
		deploy(t, "second", less, "CompanyName=Second")
		v := w.visitor("lisi", wecomsim.UserAgentWeComAndroid)
		end, err := v.open(t.Context(), "/authorize/main")
		if err != nil || !strings.HasPrefix(end, w.url+"/signin?") || !strings.Contains(end, "error=internal") {
			t.Errorf("the sign-in ended at %s (%v)", withoutQuery(end), err)
		}
		v.expect(t, 401, "GET", "/api/session", "", nil)
		s.logged(t, "callback", "AccessDenied")
		if page := anyone.expect(t, 200, "GET", strings.TrimPrefix(end, w.url), "", nil); strings.Contains(page.body, "AccessDenied") || strings.Contains(page.body, "dynamodb") {
			t.Error("the page tells what the log is for")
		}
		if !s.alarmed(t, "CallbackInternalAlarm") {
			t.Error("nobody is told")
		}
	})
	step("it recovers, and calls WeCom from addresses of its own", func(t *testing.T) {
		deploy(t, "second", "template.yaml", "CompanyName=Second", "EgressMode=nat", "NatGateways=2")
		outputs = s.outputs(t)
		if addresses := strings.Split(outputs["EgressAddresses"], ","); len(addresses) != 2 {
			t.Errorf("two gateways have the addresses %q", addresses)
		}
		egress := decode[struct {
			Addresses []string
			Source    string
		}](t, anyone.expect(t, 200, "GET", "/api/admin/egress", adminKey, nil))
		if strings.Join(egress.Addresses, ",") != outputs["EgressAddresses"] || egress.Source != "setting" {
			t.Errorf("the console shows %+v; the stack %s", egress, outputs["EgressAddresses"])
		}
		w.visitor("lisi", wecomsim.UserAgentWeComAndroid).signIn(t)
	})
	// What stays of a stack: the people, and what SAM made for itself.
	var directory string
	stays := func(t *testing.T) {
		t.Helper()
		want := append(slices.Clone(before), "table "+directory)
		var left []string
		for _, entry := range s.inventory(t) {
			if i := slices.Index(want, entry); i >= 0 {
				want = slices.Delete(want, i, i+1)
				continue
			}
			if !strings.Contains(entry, "aws-sam-cli-managed-default") {
				left = append(left, entry)
			}
		}
		if len(left) > 0 || len(want) > 0 {
			t.Errorf("left over: %q; gone: %q", left, want)
		}
	}
	remove := func(t *testing.T) {
		t.Helper()
		// Their secrets are no resources of the stack: they go first, by the admin API.
		anyone.expect(t, 204, "DELETE", "/api/admin/authenticators/main", adminKey, nil)
		output, err := s.run(t, nil, "delete", "--stack-name", stackName, "--no-prompts", "--region", emulator.Region)
		if err != nil {
			t.Fatalf("sam delete: %v\n%s", err, output)
		}
		stays(t)
	}
	step("deletion leaves the directory and nothing else", func(t *testing.T) {
		directory = outputs["DirectoryTable"]
		remove(t)
	})
	step("a new stack on the old directory knows its people", func(t *testing.T) {
		deploy(t, "second", "template.yaml", "DirectoryTableName="+directory)
		ready(t)
		if outputs["DirectoryTable"] != directory {
			t.Errorf("the stack's directory is %s", outputs["DirectoryTable"])
		}
		phone.expect(t, 401, "GET", "/api/session", "", nil)
		anyone.expect(t, 201, "POST", "/api/admin/authenticators", adminKey, authenticator)
		// Without a phone number a browser's sign-in works for people who are known.
		desktop.signIn(t)
		if desktop.user(t) != person || w.verify(t, desktop.token(t)) != person {
			t.Error("the member has become another user")
		}
	})
	step("deletion leaves a directory that it was given", remove)
}

// replace changes scalars below a node and returns how many.
func replace(node *yaml.Node, old, with string) (n int) {
	if node.Kind == yaml.ScalarNode && node.Value == old {
		node.Value = with
		n++
	}
	for _, inner := range node.Content {
		n += replace(inner, old, with)
	}
	return n
}

// shows waits until the sign-in page names a company: with processes still running
// what was deployed may take a moment.
func (w *world) shows(t *testing.T, v *visitor, company string) {
	t.Helper()
	until(t, "the sign-in page shows "+company, func() bool {
		return strings.Contains(v.expect(t, http.StatusOK, "GET", "/signin?lang=en", "", nil).body, company)
	})
}

// until waits until something has happened.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !happened(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// logged waits until a function has printed a line with all of the texts.
func (s *stack) logged(t *testing.T, function string, texts ...string) {
	t.Helper()
	until(t, function+" logs "+strings.Join(texts, " and "), func() bool {
		return slices.ContainsFunc(s.logs(t, function), func(line string) bool {
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) })
		})
	})
}

type secretVersion struct{ version, text string }

func (s *stack) current(t *testing.T, secrets *secretsmanager.Client, id string) secretVersion {
	t.Helper()
	output, err := secrets.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		t.Fatal(err)
	}
	return secretVersion{aws.ToString(output.VersionId), aws.ToString(output.SecretString)}
}

// rotate begins a rotation of the signing keys.
func (s *stack) rotate(t *testing.T, secrets *secretsmanager.Client) {
	t.Helper()
	if _, err := secrets.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String(s.resources(t)["SigningKeys"])}); err != nil {
		t.Fatal(err)
	}
}

// rotated waits until keys are in force that replace a version.
func (s *stack) rotated(t *testing.T, secrets *secretsmanager.Client, old string) {
	t.Helper()
	id := s.resources(t)["SigningKeys"]
	until(t, "the signing keys are rotated", func() bool {
		now := s.current(t, secrets, id)
		return now.version != old && strings.Contains(now.text, `"kid"`)
	})
}

// signsWithAnotherKey checks that tokens have another key than an earlier one, which
// is good still.
func (s *stack) signsWithAnotherKey(t *testing.T, v *visitor, earlier string) {
	t.Helper()
	v.verify(t, earlier)
	// Functions remember keys for minutes, and rotations are days apart: new processes
	// stand for the time in between.
	for _, function := range []string{"SigninFunction", "IssuerFunction"} {
		s.ask(t, "lambda", http.MethodPut, "/2015-03-31/functions/"+s.resources(t)[function]+"/configuration", "", `{"Timeout":10}`)
	}
	token := v.token(t)
	v.verify(t, token)
	if keyOf(t, token) == keyOf(t, earlier) {
		t.Error("tokens are signed with the earlier key")
	}
	v.verify(t, earlier)
}

// lockedBuffer takes what several processes write at once.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
