package rehearsal_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// The functions, as their log groups name them.
var functions = []string{"authorize", "callback", "signin", "admin", "authorizer", "issuer", "rotatekeys"}

// deployment is what the steps of one deployment's life share.
type deployment struct {
	*stack
	*world

	architecture string
	secrets      *secretsmanager.Client
	// before is what there was before the first deployment.
	before []string

	// What the steps learn.
	outputs   map[string]string
	adminKey  string
	person    string // the id of the first member as a user
	directory string

	anyone, phone, desktop *visitor
}

// otherCode is what every function prints from the second build on.
const otherCode = `{"msg":"code of the second build"}`

// newDeployment starts an emulator, and a world around it.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	sam, architecture := findSAM(t), processor(t)
	dependOnSources(t)
	w := newWorld(t)
	s := &stack{sam: sam, folder: t.TempDir()}
	log := &teststack.Log{}
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
	return &deployment{
		stack: s, world: w, architecture: architecture,
		secrets: secretsmanager.NewFromConfig(s.aws.SDK()), before: s.inventory(t),
		anyone: w.visitor("", wecomsim.UserAgentBrowser), phone: w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid),
		desktop: w.visitor("zhangsan", wecomsim.UserAgentBrowser),
	}
}

// The life of one deployment. Each step goes on where the one before has ended.
func TestDeployment(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"build", func(t *testing.T) { d.build(t, "first", "") }},
		{"deploy", d.isDeployed},
		{"without the key nobody is an administrator", d.refusesStrangers},
		{"an administrator connects a WeCom app and checks it", d.connects},
		{"a member signs in inside WeCom, then in a browser", d.signsIn},
		{"keys are rotated, and a token of the earlier key stays good", d.rotates},
		{"an interrupted rotation is taken up again", d.rotatesAfterInterruption},
		{"an update changes code and a parameter while people sign in", d.isUpdated},
		{"without a new build a changed parameter does not reach the callback", d.isUpdatedWithoutBuild},
		{"an update that fails is rolled back while people sign in", d.isRolledBack},
		{"a new build of the same code brings a changed parameter to the callback", d.isBuiltAgain},
		{"an action that a role does not allow is denied and nothing is given away", d.deniesWhatNoRoleAllows},
		{"it recovers, and calls WeCom from addresses of its own", d.entersNetwork},
		{"its functions leave the network, which stays until they have left", d.leavesNetwork},
		{"then the network goes", d.closesNetwork},
		{"deletion leaves the directory and nothing else", d.isDeleted},
		{"a new stack on the old directory knows its people", d.returns},
		{"deletion leaves a directory that it was given", d.delete},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			began := time.Now()
			step.do(t)
			t.Logf("%.1f s", time.Since(began).Seconds())
		}) {
			d.explain(t)
			t.FailNow()
		}
	}
}

// parameters are the template's, with changes as NAME=value.
func (d *deployment) parameters(changed ...string) []string {
	all := map[string]string{
		"Architecture": d.architecture, "PublicUrl": d.url, "CompanyName": "First", "AlarmEmail": "operator@example.com",
		"WeComApiUrl": d.weURL, "WeComOAuthUrl": d.weURL, "WeComLoginUrl": d.weURL,
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

// update deploys a build with changes of parameters, as NAME=value.
func (d *deployment) update(t *testing.T, build, template string, changed ...string) {
	t.Helper()
	if err := d.deploy(t, build, template, d.parameters(changed...)); err != nil {
		t.Fatal(err)
	}
	d.outputs = d.stack.outputs(t)
}

// buildAndUpdate does what the manual says: never deploy without a build. The code is
// that of the second one.
func (d *deployment) buildAndUpdate(t *testing.T, changed ...string) {
	t.Helper()
	d.build(t, "third", otherCode)
	d.update(t, "third", "template.yaml", append([]string{"CompanyName=Second"}, changed...)...)
}

// ready learns where a new stack is and who may administrate it.
func (d *deployment) ready(t *testing.T) {
	t.Helper()
	d.lead(t, d.aws, d.outputs["ApiUrl"])
	d.adminKey = d.current(t, d.secrets, d.outputs["AdminKeySecret"]).text
	// The first rotation begins with the stack and fills the keys.
	d.rotated(t, d.secrets, "")
}

func (d *deployment) authenticator() map[string]any {
	return map[string]any{
		"name": "main", "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret,
		"origin": application, "workbenchRedirectPath": "/home",
	}
}

func (d *deployment) isDeployed(t *testing.T) {
	d.update(t, "first", "template.yaml")
	d.ready(t)
	if d.outputs["ServiceUrl"] != d.url || d.outputs["ConsoleUrl"] != d.url+"/console" || "https://"+d.outputs["CallbackDomain"] != d.url || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the stack says %v", d.outputs)
	}
}

func (d *deployment) refusesStrangers(t *testing.T) {
	d.anyone.expect(t, 401, "GET", "/api/admin/authenticators", "", nil)
	d.anyone.expect(t, 403, "GET", "/api/admin/authenticators", "not-the-admin-key", nil)
	d.anyone.expect(t, 403, "POST", "/api/admin/authenticators", strings.Repeat("A", 48), d.authenticator())
}

func (d *deployment) connects(t *testing.T) {
	d.anyone.expect(t, 200, "GET", "/console", "", nil)
	d.anyone.expect(t, 201, "POST", "/api/admin/authenticators", d.adminKey, d.authenticator())
	check := decode[struct {
		OK    bool
		Steps []struct{ Title string }
	}](t, d.anyone.expect(t, 200, "POST", "/api/admin/authenticators/main/check", d.adminKey, nil))
	if !check.OK || len(check.Steps) < 2 {
		t.Errorf("the check says %+v", check)
	}
	d.anyone.expect(t, 204, "PUT", "/api/admin/domain-files/WW_verify_AbCdEf0123456789.txt", d.adminKey, nil)
	if file := d.anyone.expect(t, 200, "GET", "/WW_verify_AbCdEf0123456789.txt", "", nil); file.body != "AbCdEf0123456789" {
		t.Errorf("the domain file holds %q", file.body)
	}
}

func (d *deployment) signsIn(t *testing.T) {
	d.phone.signIn(t)
	d.desktop.signIn(t)
	d.person = d.phone.user(t)
	if d.desktop.user(t) != d.person || d.verify(t, d.desktop.token(t)) != d.person {
		t.Error("one member is two users")
	}
	d.anyone.expect(t, 403, "GET", "/api/admin/users", d.desktop.token(t), nil)
	d.desktop.expect(t, 204, "POST", "/api/signout", "", nil)
	d.desktop.expect(t, 401, "GET", "/api/session", "", nil)
	d.phone.expect(t, 200, "GET", "/api/session", "", nil)
	d.desktop.signIn(t)
}

func (d *deployment) rotates(t *testing.T) {
	old, version := d.phone.token(t), d.current(t, d.secrets, d.resources(t)["SigningKeys"]).version
	d.rotate(t, d.secrets)
	d.rotated(t, d.secrets, version)
	d.signsWithAnotherKey(t, d.phone, old)
}

func (d *deployment) rotatesAfterInterruption(t *testing.T) {
	resources := d.resources(t)
	version := d.current(t, d.secrets, resources["SigningKeys"]).version
	old := d.phone.token(t)
	// What could be a moment without Secrets Manager: the last step is refused.
	role := url.Values{"RoleName": {d.roleOf(t, "RotateKeysFunction")}, "PolicyName": {"fault"}}
	fault := maps.Clone(role)
	fault.Set("PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"secretsmanager:UpdateSecretVersionStage","Resource":"*"}]}`)
	d.query(t, "iam", "2010-05-08", "PutRolePolicy", fault)
	d.rotate(t, d.secrets)
	d.logged(t, "rotatekeys", `"finishSecret"`, `"ERROR"`)
	if now := d.current(t, d.secrets, resources["SigningKeys"]).version; now != version {
		t.Fatal("a rotation that did not end is in force")
	}
	d.verify(t, d.phone.token(t))
	d.query(t, "iam", "2010-05-08", "DeleteRolePolicy", role)
	_, err := d.secrets.RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String(resources["SigningKeys"])})
	if _, unfinished := errors.AsType[*types.InvalidRequestException](err); !unfinished {
		t.Errorf("AWS says that it takes the rotation up again; this is %v", err)
	}
	d.rotated(t, d.secrets, version)
	d.signsWithAnotherKey(t, d.phone, old)
}

func (d *deployment) isUpdated(t *testing.T) {
	d.build(t, "second", otherCode)
	published := d.published(t)
	people := d.gather(t, []*visitor{d.phone, d.desktop})
	d.update(t, "second", "template.yaml", "CompanyName=Second", "SessionLifetime=2h")
	people.ends(t)
	d.shows(t, d.anyone, "Second")
	if now := d.published(t); now == published {
		t.Errorf("the callback is version %s still", now)
	}
	d.lasts(t, 2*time.Hour)
	if d.phone.user(t) != d.person || d.desktop.user(t) != d.person {
		t.Error("somebody's session became another's")
	}
	d.anyone.expect(t, 200, "GET", "/api/admin/authenticators", d.adminKey, nil)
	d.anyone.expect(t, 200, "GET", "/.well-known/jwks.json", "", nil)
	d.rotate(t, d.secrets)
	for _, function := range functions {
		d.logged(t, function, "code of the second build")
	}
}

// SAM publishes a version for another package, not for another parameter.
func (d *deployment) isUpdatedWithoutBuild(t *testing.T) {
	published := d.published(t)
	d.update(t, "second", "template.yaml", "CompanyName=Second", "SessionLifetime=3h")
	if now := d.published(t); now != published {
		t.Errorf("the callback was version %s and is %s: the manual need not insist on a build", published, now)
	}
	d.lasts(t, 2*time.Hour)
}

func (d *deployment) isRolledBack(t *testing.T) {
	d.build(t, "third", otherCode)
	broken := d.edit(t, "third", "broken.yaml", func(template *yaml.Node) {
		resources := child(t, template, "Resources")
		// A table with an attribute that is no key, made after what the others changed.
		var table yaml.Node
		if err := yaml.Unmarshal([]byte(`{Type: 'AWS::DynamoDB::Table', DependsOn: [SigninFunction, CallbackFunctionAliaslive], Properties: {BillingMode: PAY_PER_REQUEST, KeySchema: [{AttributeName: pk, KeyType: HASH}], AttributeDefinitions: [{AttributeName: pk, AttributeType: S}, {AttributeName: other, AttributeType: S}]}}`), &table); err != nil {
			t.Fatal(err)
		}
		resources.Content = append(resources.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "Broken"}, table.Content[0])
	})
	published := d.published(t)
	people := d.gather(t, []*visitor{d.phone, d.desktop})
	err := d.deploy(t, "third", broken, d.parameters("CompanyName=Never", "SessionLifetime=4h"))
	people.ends(t)
	if status := d.status(t); err == nil || status != "UPDATE_ROLLBACK_COMPLETE" {
		t.Fatalf("the stack is %s (%v)", status, err)
	}
	d.shows(t, d.anyone, "Second")
	if now := d.published(t); now != published {
		t.Errorf("the callback is version %s; want %s again", now, published)
	}
	d.lasts(t, 2*time.Hour)
}

func (d *deployment) isBuiltAgain(t *testing.T) {
	published := d.published(t)
	d.update(t, "third", "template.yaml", "CompanyName=Second", "SessionLifetime=3h")
	if now := d.published(t); now == published {
		t.Errorf("the callback is version %s still", now)
	}
	d.lasts(t, 3*time.Hour)
}

func (d *deployment) deniesWhatNoRoleAllows(t *testing.T) {
	less := d.edit(t, "third", "less.yaml", func(template *yaml.Node) {
		child(t, template, "Resources", "Roles", "Properties", "TemplateURL").Value = "Roles/" + d.edit(t, "third/Roles", "less.yaml", func(roles *yaml.Node) {
			if n := replace(child(t, roles, "Resources", "CallbackRole"), "dynamodb:PutItem", "dynamodb:DescribeTable"); n == 0 {
				t.Fatal("the callback's role may not put items")
			}
		})
	})
	d.update(t, "third", less, "CompanyName=Second")
	v := d.visitor("lisi", wecomsim.UserAgentWeComAndroid)
	end, err := v.open(t.Context(), "/authorize/main")
	if err != nil || !strings.HasPrefix(end, d.url+"/signin?") || !strings.Contains(end, "error=internal") {
		t.Errorf("the sign-in ended at %s (%v)", withoutQuery(end), err)
	}
	v.expect(t, 401, "GET", "/api/session", "", nil)
	d.logged(t, "callback", "AccessDenied")
	if page := d.anyone.expect(t, 200, "GET", strings.TrimPrefix(end, d.url), "", nil); strings.Contains(page.body, "AccessDenied") || strings.Contains(page.body, "dynamodb") {
		t.Error("the page tells what the log is for")
	}
	if !d.alarmed(t, "CallbackInternalAlarm") {
		t.Error("nobody is told")
	}
}

// The alarm rings still, so that nothing but AllAtOnce would take over.
func (d *deployment) entersNetwork(t *testing.T) {
	d.buildAndUpdate(t, "CallbackDeployment=AllAtOnce", "EgressMode=nat", "NatGateways=2")
	if addresses := strings.Split(d.outputs["EgressAddresses"], ","); len(addresses) != 2 {
		t.Errorf("two gateways have the addresses %q", addresses)
	}
	egress := decode[struct {
		Addresses []string
		Source    string
	}](t, d.anyone.expect(t, 200, "GET", "/api/admin/egress", d.adminKey, nil))
	if strings.Join(egress.Addresses, ",") != d.outputs["EgressAddresses"] || egress.Source != "setting" {
		t.Errorf("the console shows %+v; the stack %s", egress, d.outputs["EgressAddresses"])
	}
	if inside := d.inNetwork(t); !slices.Equal(inside, []string{"AdminFunction $LATEST", "CallbackFunction $LATEST", "CallbackFunction " + d.published(t)}) {
		t.Errorf("in the network are %q", inside)
	}
	d.visitor("lisi", wecomsim.UserAgentWeComAndroid).signIn(t)
}

func (d *deployment) leavesNetwork(t *testing.T) {
	d.buildAndUpdate(t, "EgressMode=nat-closing", "NatGateways=2")
	if inside := d.inNetwork(t); len(inside) > 0 {
		t.Errorf("in the network are %q still", inside)
	}
	if d.resources(t)["Network"] == "" || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the network is %q; the addresses are %s", d.resources(t)["Network"], d.outputs["EgressAddresses"])
	}
	d.visitor("lisi", wecomsim.UserAgentWeComAndroid).signIn(t)
}

func (d *deployment) closesNetwork(t *testing.T) {
	d.buildAndUpdate(t, "EgressMode=none")
	if network := d.resources(t)["Network"]; network != "" || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the network is %q; the addresses are %s", network, d.outputs["EgressAddresses"])
	}
	for _, entry := range d.inventory(t) {
		kind, _, _ := strings.Cut(entry, " ")
		if slices.Contains([]string{"network", "address", "gateway"}, kind) && !slices.Contains(d.before, entry) {
			t.Errorf("%s is left", entry)
		}
	}
	d.visitor("lisi", wecomsim.UserAgentWeComAndroid).signIn(t)
}

func (d *deployment) isDeleted(t *testing.T) {
	d.directory = d.outputs["DirectoryTable"]
	d.delete(t)
}

func (d *deployment) returns(t *testing.T) {
	d.update(t, "third", "template.yaml", "DirectoryTableName="+d.directory, "EgressMode=nat")
	d.ready(t)
	if d.outputs["DirectoryTable"] != d.directory {
		t.Errorf("the stack's directory is %s", d.outputs["DirectoryTable"])
	}
	d.phone.expect(t, 401, "GET", "/api/session", "", nil)
	d.anyone.expect(t, 201, "POST", "/api/admin/authenticators", d.adminKey, d.authenticator())
	// Without a phone number a browser's sign-in works for people who are known.
	d.desktop.signIn(t)
	if d.desktop.user(t) != d.person || d.verify(t, d.desktop.token(t)) != d.person {
		t.Error("the member has become another user")
	}
}

// delete deletes the stack and looks at what stays: the people, and what SAM made for
// itself.
func (d *deployment) delete(t *testing.T) {
	// Their secrets are no resources of the stack: they go first, by the admin API.
	d.anyone.expect(t, 204, "DELETE", "/api/admin/authenticators/main", d.adminKey, nil)
	output, err := d.run(t, nil, "delete", "--stack-name", stackName, "--no-prompts", "--region", emulator.Region)
	if err != nil {
		t.Fatalf("sam delete: %v\n%s", err, output)
	}
	want := append(slices.Clone(d.before), "table "+d.directory)
	var left []string
	for _, entry := range d.inventory(t) {
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

// published returns the version behind the callback's alias, which has to be the only
// one.
func (d *deployment) published(t *testing.T) string {
	t.Helper()
	path := "/2015-03-31/functions/" + d.resources(t)["CallbackFunction"]
	versions := values(t, d.ask(t, "lambda", http.MethodGet, path+"/aliases/live", "", ""), "FunctionVersion")
	all := values(t, d.ask(t, "lambda", http.MethodGet, path+"/versions", "", ""), "Version")
	if len(versions) != 1 || versions[0] == "$LATEST" || !slices.Equal(all, []string{"$LATEST", versions[0]}) {
		t.Fatalf("the alias is of version %q; there are %q", versions, all)
	}
	return versions[0]
}

// lasts checks how long the session of somebody lasts who signs in now. The callback
// says so.
func (d *deployment) lasts(t *testing.T, want time.Duration) {
	t.Helper()
	v := d.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	v.signIn(t)
	ends := decode[struct{ ExpiresAt time.Time }](t, v.expect(t, 200, "GET", "/api/session", "", nil)).ExpiresAt
	if lasts := time.Until(ends); lasts > want || lasts < want-30*time.Minute {
		t.Errorf("a session lasts %s; want %s", lasts.Round(time.Second), want)
	}
}

// inNetwork lists the functions, with their versions, that are connected to subnets.
func (d *deployment) inNetwork(t *testing.T) (list []string) {
	t.Helper()
	for name, id := range d.resources(t) {
		if !strings.HasSuffix(name, "Function") {
			continue
		}
		answer := d.ask(t, "lambda", http.MethodGet, "/2015-03-31/functions/"+id+"/versions", "", "")
		var found struct {
			Versions []struct {
				Version   string
				VpcConfig struct{ SubnetIDs []string }
			}
		}
		if err := json.Unmarshal(answer, &found); err != nil {
			t.Fatal(err)
		}
		for _, version := range found.Versions {
			if len(version.VpcConfig.SubnetIDs) > 0 {
				list = append(list, name+" "+version.Version)
			}
		}
	}
	slices.Sort(list)
	return list
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
