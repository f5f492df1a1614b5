package rehearsal_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// The functions, as their log groups name them.
var functions = []string{"authorize", "callback", "signin", "admin", "events", "authorizer", "issuer", "memberchecks", "notify", "openid", "forwardauth", "sessionauthorizer", "rotatekeys"}

// deployment is what the steps of one deployment's life share.
type deployment struct {
	*awsstack.Stack
	*sam

	address   *awsstack.Address
	transport http.RoundTripper
	weCom     *wecomsim.Simulator
	weURL     string
	// before is what there was before the first deployment.
	before []string

	// What the steps learn.
	outputs   map[string]string
	adminKey  testbrowser.Option
	person    string // the id of the first member as a user
	directory string
	audits    []string // the tables of the stacks so far, which outlive them
	legacy    legacy
	// ledgerSecret is the secret of the application ledger, if it is there.
	ledgerSecret string

	anyone, phone, desktop *testbrowser.Browser
}

// otherCode is what every function prints from the second build on.
const otherCode = `{"msg":"code of the second build"}`

// newDeployment starts an account, and a WeCom beside it.
func newDeployment(t *testing.T) *deployment {
	t.Helper()
	program := findSAM(t)
	awsstack.Architecture(t)
	awsstack.DependOnSources(t, moduleRoot)
	account := awsstack.New(t, awsstack.Config{Root: moduleRoot, EnforceIAM: true})
	d := &deployment{
		Stack:   &awsstack.Stack{Account: account, Name: stackName},
		sam:     &sam{program: program, environment: account.Environment(), folder: t.TempDir(), source: moduleRoot},
		address: account.NewAddress(t), transport: account.Transport(),
	}
	d.weCom = newWeCom(d.address.URL)
	d.weURL = account.Serve(t, d.weCom)
	d.before = d.inventory(t)
	d.anyone = d.browser("", wecomsim.UserAgentBrowser)
	d.phone = d.browser("zhangsan", wecomsim.UserAgentWeComAndroid)
	d.desktop = d.browser("zhangsan", wecomsim.UserAgentBrowser)
	return d
}

// The life of one deployment. Each step goes on where the one before has ended.
func TestDeployment(t *testing.T) {
	t.Parallel()
	d := newDeployment(t)
	for _, step := range []struct {
		name string
		do   func(t *testing.T)
	}{
		{"build", d.buildFirst},
		{"deploy", d.isDeployed},
		{"without the key nobody is an administrator", d.refusesWithoutKey},
		{"an administrator connects a WeCom app and checks it", d.connects},
		{"a member signs in inside WeCom, then in a browser", d.signsIn},
		{"a sign-out is told to the applications of the session", d.tells},
		{"keys are rotated, and a token of the earlier key stays good", d.rotates},
		{"an interrupted rotation is taken up again", d.rotatesAfterInterruption},
		{"members and applications settle in under the former release", d.whenFormer(d.settles)},
		{"an update from the former release that fails is rolled back to it", d.whenFormer(d.isRolledBackToFormer)},
		{"an update changes code and a parameter while people sign in", d.isUpdated},
		{"what the former release wrote is read", d.whenFormer(d.inherits)},
		{"the stack goes back to the former release, and forward again", d.whenFormer(d.goesBack)},
		{"a member who leaves is out at once, and applications are told", d.dismisses},
		{"without a new build a changed parameter does not reach the callback", d.isUpdatedWithoutBuild},
		{"an update that fails is rolled back while people sign in", d.isRolledBack},
		{"a new build of the same code brings a changed parameter to the callback", d.isBuiltAgain},
		{"an action that a role does not allow is denied and nothing is given away", d.deniesWhatNoRoleAllows},
		{"it recovers, and calls WeCom from addresses of its own", d.entersNetwork},
		{"its functions leave the network, which stays until they have left", d.leavesNetwork},
		{"then the network goes", d.closesNetwork},
		{"what no application took in three tries is kept", d.keepsUndelivered},
		{"deletion leaves the directory and the audit, and nothing else", d.isDeleted},
		{"a new stack on the old directory knows its people", d.returns},
		{"deletion leaves a directory that it was given", d.delete},
	} {
		if step.do == nil {
			continue
		}
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
func (d *deployment) parameters(t *testing.T, changed ...string) []string {
	all := map[string]string{
		"Architecture": awsstack.Architecture(t), "PublicUrl": d.address.URL, "CompanyName": "First", "AlarmEmail": "operator@example.com",
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
func (d *deployment) update(t *testing.T, build string, changed ...string) {
	t.Helper()
	must(t, d.deploy(t, build, "template.yaml", d.parameters(t, changed...)))
	d.outputs = d.Outputs(t)
}

// change does the same without SAM, which takes longer, and with a new build.
func (d *deployment) change(t *testing.T, name, value string) {
	t.Helper()
	d.Update(t, map[string]string{name: value})
	d.outputs = d.Outputs(t)
}

// ready learns where a new stack is and who may administrate it.
func (d *deployment) ready(t *testing.T) {
	t.Helper()
	must(t, d.address.LeadTo(d.outputs["ApiUrl"]))
	_, key := d.Secret(t, d.outputs["AdminKeySecret"])
	d.adminKey = testbrowser.Bearer(key)
	// The first rotation begins with the stack and fills the keys.
	d.rotated(t, "")
}

func authenticator() testbrowser.Option {
	return testbrowser.JSON(map[string]any{
		"name": "main", "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret,
		"origin": application, "workbenchRedirectPath": "/home",
	})
}

const authenticators = "/api/admin/authenticators"

func (d *deployment) isDeployed(t *testing.T) {
	d.update(t, "first")
	d.ready(t)
	url := d.address.URL
	if d.outputs["ServiceUrl"] != url || d.outputs["ConsoleUrl"] != url+"/console" || "https://"+d.outputs["CallbackDomain"] != url || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the stack says %v", d.outputs)
	}
}

func (d *deployment) refusesWithoutKey(t *testing.T) {
	d.anyone.Expect(t, 401, "GET", authenticators)
	d.anyone.Expect(t, 403, "GET", authenticators, testbrowser.Bearer("not-the-admin-key"))
	d.anyone.Expect(t, 403, "POST", authenticators, testbrowser.Bearer(strings.Repeat("A", 48)), authenticator())
}

func (d *deployment) connects(t *testing.T) {
	d.anyone.Expect(t, 200, "GET", "/console")
	d.anyone.Expect(t, 201, "POST", authenticators, d.adminKey, authenticator())
	check := testbrowser.Decode[struct {
		OK    bool
		Steps []struct{ Title string }
	}](t, d.anyone.Expect(t, 200, "POST", authenticators+"/main/check", d.adminKey))
	if !check.OK || len(check.Steps) < 2 {
		t.Errorf("the check says %+v", check)
	}
	d.anyone.Expect(t, 204, "PUT", "/api/admin/domain-files/WW_verify_AbCdEf0123456789.txt", d.adminKey)
	if file := d.anyone.Expect(t, 200, "GET", "/WW_verify_AbCdEf0123456789.txt"); file.Body != "AbCdEf0123456789" {
		t.Errorf("the domain file holds %q", file.Body)
	}
}

func (d *deployment) signsIn(t *testing.T) {
	signIn(t, d.phone)
	signIn(t, d.desktop)
	d.person = sessionOf(t, d.phone).User.ID
	want := claims{Subject: d.person, UserID: "zhangsan", Phone: "+8613800000001"}
	if got := d.verify(t, token(t, d.desktop)); got != want {
		t.Errorf("the token says %+v, want %+v", got, want)
	}
	d.anyone.Expect(t, 403, "GET", "/api/admin/users", testbrowser.Bearer(tokenFor(t, d.address.URL, d.desktop)))
	d.desktop.Expect(t, 204, "POST", "/api/signout")
	d.desktop.Expect(t, 401, "GET", "/api/session")
	d.phone.Expect(t, 200, "GET", "/api/session")
	signIn(t, d.desktop)
}

const applications = "/api/admin/applications"

// An application on the public network, as any must be, at a name that stands for nothing:
// the function reaches no address of this machine.
func (d *deployment) tells(t *testing.T) {
	d.anyone.Expect(t, 201, "POST", applications, d.adminKey, testbrowser.JSON(map[string]any{
		"id": "mail", "kind": "web", "redirectUris": []string{application + "/callback"}, "backchannelLogoutUri": "https://mail.invalid/logout",
	}))
	d.signsOutOfMail(t)
}

// signsOutOfMail has a member sign in to the application, and then sign out of the service.
// It waits until the application is told, once more, which that fails to hear.
func (d *deployment) signsOutOfMail(t *testing.T) {
	t.Helper()
	before := d.unreachable(t, "mail")
	b := d.browser("zhangsan", wecomsim.UserAgentWeComAndroid)
	request := url.Values{"response_type": {"code"}, "client_id": {"mail"}, "redirect_uri": {application + "/callback"}, "scope": {"openid"}}
	if end := b.Open(t, "/oauth2/authorize?"+request.Encode()).Address; !strings.HasPrefix(end, application+"/callback?code=") {
		t.Fatalf("the sign-in to the application ended at %s", withoutQuery(end))
	}
	b.Expect(t, 204, "POST", "/api/signout")
	awsstack.Until(t, "the application is told", func() bool { return d.unreachable(t, "mail") > before })
}

// unreachable returns how often an application was told in vain.
func (d *deployment) unreachable(t *testing.T, id string) int {
	t.Helper()
	return strings.Count(d.anyone.Expect(t, 200, "GET", applications+"/"+id+"/attempts", d.adminKey).Body, `"backchannel_unreachable"`)
}

// Two sessions with the application mail have ended by now, the second one under a newer
// build, and one of a leaver with another application.
func (d *deployment) keepsUndelivered(t *testing.T) {
	awsstack.Until(t, "the messages are given up", func() bool { return d.messages(t, "UndeliveredLogouts") == 3 })
	if n, waiting := d.unreachable(t, "mail"), d.messages(t, "LogoutQueue"); n != 6 || waiting != 0 {
		t.Errorf("%d tries for two sessions, and %d messages wait", n, waiting)
	}
}

func (d *deployment) rotates(t *testing.T) {
	old := token(t, d.phone)
	version, _ := d.signingKeys(t)
	d.rotate(t)
	d.rotated(t, version)
	d.signsWithAnotherKey(t, d.phone, old)
}

func (d *deployment) rotatesAfterInterruption(t *testing.T) {
	version, _ := d.signingKeys(t)
	old := token(t, d.phone)
	// What could be a moment without Secrets Manager: the last step is refused.
	role := url.Values{"RoleName": {d.roleOf(t, "RotateKeysFunction")}, "PolicyName": {"fault"}}
	fault := maps.Clone(role)
	fault.Set("PolicyDocument", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"secretsmanager:UpdateSecretVersionStage","Resource":"*"}]}`)
	d.iam(t, "PutRolePolicy", fault)
	d.rotate(t)
	d.logged(t, "rotatekeys", `"finishSecret"`, `"ERROR"`)
	if now, _ := d.signingKeys(t); now != version {
		t.Fatal("a rotation that did not end is in force")
	}
	d.verify(t, token(t, d.phone))
	d.iam(t, "DeleteRolePolicy", role)
	_, err := d.secrets().RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String(d.Resources(t)["SigningKeys"])})
	if _, unfinished := errors.AsType[*types.InvalidRequestException](err); !unfinished {
		t.Errorf("AWS says that it takes the rotation up again; this is %v", err)
	}
	d.rotated(t, version)
	d.signsWithAnotherKey(t, d.phone, old)
}

func (d *deployment) isUpdated(t *testing.T) {
	d.build(t, "second", otherCode)
	published := d.published(t)
	people := d.gather(t, 0)
	d.update(t, "second", "CompanyName=Second", "SessionLifetime=2h")
	people.disperse(t)
	d.shows(t, "Second")
	if now := d.published(t); now == published {
		t.Errorf("the callback is version %s still", now)
	}
	d.lasts(t, 2*time.Hour)
	if sessionOf(t, d.phone).User.ID != d.person || sessionOf(t, d.desktop).User.ID != d.person {
		t.Error("somebody's session became another's")
	}
	d.anyone.Expect(t, 200, "GET", authenticators, d.adminKey)
	d.anyone.Expect(t, 200, "GET", "/.well-known/jwks.json")
	d.anyone.Expect(t, 400, "GET", "/oauth2/authorize")                         // no application asks
	d.anyone.Expect(t, 404, "GET", "/oauth2/forward-auth/nginx/no-application") // and no proxy
	d.anyone.Expect(t, 404, "GET", "/api/events/no-authenticator")              // nor WeCom
	// Nor an API of another stack, and no refresh token is used: those call these two.
	for _, function := range []string{"SessionAuthorizerFunction", "MemberChecksFunction"} {
		d.Call(t, "lambda", "POST", "/2015-03-31/functions/"+d.Resources(t)[function]+"/invocations", "", []byte(`{"version":"2.0"}`))
	}
	d.rotate(t)
	d.signsOutOfMail(t)
	for _, function := range functions {
		d.logged(t, function, "code of the second build")
	}
}

// SAM publishes a version for another package, not for another parameter.
func (d *deployment) isUpdatedWithoutBuild(t *testing.T) {
	published := d.published(t)
	d.update(t, "second", "CompanyName=Second", "SessionLifetime=3h")
	if now := d.published(t); now != published {
		t.Errorf("the callback was version %s and is %s: the manual need not insist on a build", published, now)
	}
	d.lasts(t, 2*time.Hour)
}

func (d *deployment) isRolledBack(t *testing.T) {
	d.failsToUpdate(t, "third", 0)
	d.shows(t, "Second")
	d.lasts(t, 2*time.Hour)
}

// failsToUpdate builds, and deploys the build in vain, while people sign in.
func (d *deployment) failsToUpdate(t *testing.T, build string, unlucky int64) {
	t.Helper()
	d.build(t, build, otherCode)
	// A rotation by a function that Secrets Manager may not call, after what the others
	// changed.
	broken := d.addResource(t, build, "Broken", `{Type: 'AWS::SecretsManager::RotationSchedule', DependsOn: [SigninFunction, CallbackFunctionAliaslive],
		Properties: {SecretId: {Ref: AdminKey}, RotationLambdaARN: {'Fn::GetAtt': [SigninFunction, Arn]}}}`)
	published := d.published(t)
	people := d.gather(t, unlucky)
	err := d.deploy(t, build, broken, d.parameters(t, "CompanyName=Never", "SessionLifetime=4h"))
	people.disperse(t)
	if status := d.Status(t); err == nil || status != "UPDATE_ROLLBACK_COMPLETE" {
		t.Fatalf("the stack is %s (%v)", status, err)
	}
	if now := d.published(t); now != published {
		t.Errorf("the callback is version %s; want %s again", now, published)
	}
}

func (d *deployment) isBuiltAgain(t *testing.T) {
	published := d.published(t)
	d.update(t, "third", "CompanyName=Second", "SessionLifetime=3h")
	if now := d.published(t); now == published {
		t.Errorf("the callback is version %s still", now)
	}
	d.lasts(t, 3*time.Hour)
}

func (d *deployment) deniesWhatNoRoleAllows(t *testing.T) {
	// Without dynamodb:PutItem in any statement.
	role := url.Values{"RoleName": {d.roleOf(t, "CallbackFunction")}, "PolicyName": {"callback"}}
	policy, err := url.QueryUnescape(d.iam(t, "GetRolePolicy", role).Values(t, "PolicyDocument")[0])
	if err != nil || !strings.Contains(policy, "dynamodb:PutItem") {
		t.Fatalf("the callback's role may not put items: %v", err)
	}
	put := func(policy string) {
		changed := maps.Clone(role)
		changed.Set("PolicyDocument", policy)
		d.iam(t, "PutRolePolicy", changed)
	}
	put(strings.ReplaceAll(policy, "dynamodb:PutItem", "dynamodb:DescribeTable"))
	b := d.browser("lisi", wecomsim.UserAgentWeComAndroid)
	end := b.Open(t, "/authorize/main")
	if !strings.HasPrefix(end.Address, d.address.URL+"/signin?") || !strings.Contains(end.Address, "error=internal") {
		t.Errorf("the sign-in ended at %s", withoutQuery(end.Address))
	}
	if strings.Contains(end.Page.Body, "AccessDenied") || strings.Contains(end.Page.Body, "dynamodb") {
		t.Error("the page tells what the log is for")
	}
	b.Expect(t, 401, "GET", "/api/session")
	d.logged(t, "callback", "AccessDenied")
	if !d.alarmed(t, "CallbackInternalAlarm", "callback") {
		t.Error("nobody is told")
	}
	put(policy)
	signIn(t, b)
}

// The alarm is still firing, so that nothing but AllAtOnce would take over.
func (d *deployment) entersNetwork(t *testing.T) {
	d.Update(t, map[string]string{"CallbackDeployment": "AllAtOnce", "NatGateways": "2"})
	d.change(t, "EgressMode", "nat")
	if addresses := strings.Split(d.outputs["EgressAddresses"], ","); len(addresses) != 2 {
		t.Errorf("two gateways have the addresses %q", addresses)
	}
	egress := testbrowser.Decode[struct {
		Addresses []string
		Source    string
	}](t, d.anyone.Expect(t, 200, "GET", "/api/admin/egress", d.adminKey))
	if strings.Join(egress.Addresses, ",") != d.outputs["EgressAddresses"] || egress.Source != "setting" {
		t.Errorf("the console shows %+v; the stack %s", egress, d.outputs["EgressAddresses"])
	}
	if inside := d.inNetwork(t); !slices.Equal(inside, []string{"AdminFunction $LATEST", "CallbackFunction $LATEST", "CallbackFunction " + d.published(t), "EventsFunction $LATEST", "MemberChecksFunction $LATEST"}) {
		t.Errorf("in the network are %q", inside)
	}
	signIn(t, d.browser("lisi", wecomsim.UserAgentWeComAndroid))
}

func (d *deployment) leavesNetwork(t *testing.T) {
	d.change(t, "EgressMode", "nat-closing")
	if inside := d.inNetwork(t); len(inside) > 0 {
		t.Errorf("in the network are %q still", inside)
	}
	if d.Resources(t)["Network"] == "" || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the network is %q; the addresses are %s", d.Resources(t)["Network"], d.outputs["EgressAddresses"])
	}
	signIn(t, d.browser("lisi", wecomsim.UserAgentWeComAndroid))
}

func (d *deployment) closesNetwork(t *testing.T) {
	d.change(t, "EgressMode", "none")
	if network := d.Resources(t)["Network"]; network != "" || d.outputs["EgressAddresses"] != "none" {
		t.Errorf("the network is %q; the addresses are %s", network, d.outputs["EgressAddresses"])
	}
	for _, entry := range d.inventory(t) {
		if strings.HasPrefix(entry, "network ") && !slices.Contains(d.before, entry) {
			t.Errorf("%s is left", entry)
		}
	}
	signIn(t, d.browser("lisi", wecomsim.UserAgentWeComAndroid))
}

func (d *deployment) isDeleted(t *testing.T) {
	d.directory = d.outputs["DirectoryTable"]
	d.delete(t)
}

func (d *deployment) returns(t *testing.T) {
	d.update(t, "third", "DirectoryTableName="+d.directory, "EgressMode=nat")
	d.ready(t)
	if d.outputs["DirectoryTable"] != d.directory {
		t.Errorf("the stack's directory is %s", d.outputs["DirectoryTable"])
	}
	d.phone.Expect(t, 401, "GET", "/api/session")
	d.anyone.Expect(t, 201, "POST", authenticators, d.adminKey, authenticator())
	// Without a phone number a browser's sign-in works for people who are known.
	signIn(t, d.desktop)
	if sessionOf(t, d.desktop).User.ID != d.person || d.verify(t, token(t, d.desktop)).Subject != d.person {
		t.Error("the member has become another user")
	}
}

// noteAudits remembers the tables that outlive what they were made for.
func (d *deployment) noteAudits(t *testing.T) {
	t.Helper()
	for _, entry := range d.inventory(t) {
		if strings.HasPrefix(entry, "table ") && strings.Contains(entry, "AuditTable") && !slices.Contains(d.audits, entry) {
			d.audits = append(d.audits, entry)
		}
	}
}

// delete deletes the stack and looks at what stays: the people, the audit, and what was made
// to deploy.
func (d *deployment) delete(t *testing.T) {
	// Their secrets are not resources of the stack: they go first, by the admin API.
	d.anyone.Expect(t, 204, "DELETE", authenticators+"/main", d.adminKey)
	d.noteAudits(t)
	must(t, d.run(t, nil, "delete", "--stack-name", stackName, "--no-prompts", "--region", awsstack.Region))
	want := slices.Concat(d.before, []string{"table " + d.directory}, d.audits)
	var left []string
	for _, entry := range d.inventory(t) {
		if i := slices.Index(want, entry); i >= 0 {
			want = slices.Delete(want, i, i+1)
			continue
		}
		if !strings.Contains(entry, "aws-sam-cli-managed-default") && entry != "bucket awsstack" {
			left = append(left, entry)
		}
	}
	if len(left) > 0 || len(want) > 0 {
		t.Errorf("left over: %q; gone: %q", left, want)
	}
}
