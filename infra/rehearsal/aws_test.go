package rehearsal_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

func (d *deployment) iam(t *testing.T, action string, fields url.Values) awsstack.Answer {
	t.Helper()
	return d.Query(t, "iam", "2010-05-08", action, fields)
}

func (d *deployment) secrets() *secretsmanager.Client { return secretsmanager.NewFromConfig(d.SDK()) }

// function asks Lambda about a function.
func (d *deployment) function(t *testing.T, id, what string) awsstack.Answer {
	t.Helper()
	return d.Call(t, "lambda", http.MethodGet, "/2015-03-31/functions/"+d.Resources(t)[id]+what, "", nil)
}

// roleOf returns the name of a function's role.
func (d *deployment) roleOf(t *testing.T, id string) string {
	t.Helper()
	_, role, _ := strings.Cut(d.function(t, id, "/configuration").Values(t, "Role")[0], ":role/")
	return role
}

// published returns the version behind the callback's alias, which has to be the only
// one.
func (d *deployment) published(t *testing.T) string {
	t.Helper()
	versions := d.function(t, "CallbackFunction", "/aliases/live").Values(t, "FunctionVersion")
	all := d.function(t, "CallbackFunction", "/versions").Values(t, "Version")
	if len(versions) != 1 || versions[0] == "$LATEST" || !slices.Equal(all, []string{"$LATEST", versions[0]}) {
		t.Fatalf("the alias is of version %q; there are %q", versions, all)
	}
	return versions[0]
}

// inNetwork lists the functions, with their versions, that are connected to subnets.
func (d *deployment) inNetwork(t *testing.T) (list []string) {
	t.Helper()
	for id := range d.Resources(t) {
		if !strings.HasSuffix(id, "Function") {
			continue
		}
		var found struct {
			Versions []struct {
				Version   string
				VpcConfig struct{ SubnetIDs []string }
			}
		}
		d.function(t, id, "/versions").Decode(t, &found)
		for _, version := range found.Versions {
			if len(version.VpcConfig.SubnetIDs) > 0 {
				list = append(list, id+" "+version.Version)
			}
		}
	}
	slices.Sort(list)
	return list
}

func (d *deployment) signingKeys(t *testing.T) (version, value string) {
	t.Helper()
	return d.Secret(t, d.Resources(t)["SigningKeys"])
}

// rotate begins a rotation of the signing keys.
func (d *deployment) rotate(t *testing.T) {
	t.Helper()
	_, err := d.secrets().RotateSecret(t.Context(), &secretsmanager.RotateSecretInput{SecretId: aws.String(d.Resources(t)["SigningKeys"])})
	must(t, err)
}

// rotated waits until keys are in force that replace a version.
func (d *deployment) rotated(t *testing.T, old string) {
	t.Helper()
	awsstack.Until(t, "the signing keys are rotated", func() bool {
		version, keys := d.signingKeys(t)
		return version != old && strings.Contains(keys, `"kid"`)
	})
}

// signsWithAnotherKey checks that tokens have another key than an earlier one, which is
// good still.
func (d *deployment) signsWithAnotherKey(t *testing.T, b *testbrowser.Browser, earlier string) {
	t.Helper()
	d.verify(t, earlier)
	// Functions remember keys for minutes, and rotations are days apart: new processes
	// stand for the time in between.
	for _, id := range []string{"SigninFunction", "IssuerFunction"} {
		d.Call(t, "lambda", http.MethodPut, "/2015-03-31/functions/"+d.Resources(t)[id]+"/configuration", "", []byte(`{"Timeout":10}`))
	}
	now := token(t, b)
	d.verify(t, now)
	if keyOf(t, now) == keyOf(t, earlier) {
		t.Error("tokens are signed with the earlier key")
	}
	d.verify(t, earlier)
}

// lasts checks how long the session of somebody lasts who signs in now. The callback
// says so.
func (d *deployment) lasts(t *testing.T, want time.Duration) {
	t.Helper()
	b := d.browser("zhangsan", wecomsim.UserAgentWeComAndroid)
	signIn(t, b)
	if lasts := time.Until(sessionOf(t, b).ExpiresAt); lasts > want || lasts < want-30*time.Minute {
		t.Errorf("a session lasts %s; want %s", lasts.Round(time.Second), want)
	}
}

// shows waits until the sign-in page names a company: with processes still running what
// was deployed may take a moment.
func (d *deployment) shows(t *testing.T, company string) {
	t.Helper()
	awsstack.Until(t, "the sign-in page shows "+company, func() bool {
		return strings.Contains(d.anyone.Expect(t, http.StatusOK, "GET", "/signin?lang=en").Body, company)
	})
}

// logged waits until a function has printed a line with all of the texts.
func (d *deployment) logged(t *testing.T, function string, texts ...string) {
	t.Helper()
	awsstack.Until(t, function+" logs "+strings.Join(texts, " and "), func() bool {
		return slices.ContainsFunc(d.Logs(t, function), func(line string) bool {
			return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) })
		})
	})
}

// alarmed reports whether a function has measured what an alarm watches, so that it
// goes off: the emulator itself takes no metrics out of lines.
func (d *deployment) alarmed(t *testing.T, alarm, function string) bool {
	t.Helper()
	body, err := json.Marshal(map[string]any{"AlarmNames": []string{d.Resources(t)[alarm]}})
	must(t, err)
	var found struct {
		MetricAlarms []struct {
			Namespace, MetricName, ComparisonOperator string
			Threshold                                 float64
			Dimensions                                []struct{ Name, Value string }
		}
	}
	d.Call(t, "monitoring", http.MethodPost, "/", "GraniteServiceVersion20100801.DescribeAlarms", body).Decode(t, &found)
	if len(found.MetricAlarms) != 1 || found.MetricAlarms[0].ComparisonOperator != "GreaterThanOrEqualToThreshold" || found.MetricAlarms[0].Threshold != 1 {
		t.Fatalf("%s is %+v", alarm, found)
	}
	watched := found.MetricAlarms[0]
	var dimensions []string
	for _, dimension := range watched.Dimensions {
		dimensions = append(dimensions, dimension.Name+"="+dimension.Value)
	}
	want := fmt.Sprintf("%s %s{%s} 1 Count", watched.Namespace, watched.MetricName, strings.Join(dimensions, ","))
	return slices.ContainsFunc(d.Logs(t, function), func(line string) bool {
		measured, err := metricstest.Read([]byte(line))
		return err == nil && slices.Contains(measured, want)
	})
}

// messages returns how many messages are in a queue, those that are being tried among them.
func (d *deployment) messages(t *testing.T, id string) (n int) {
	t.Helper()
	names := []types.QueueAttributeName{types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible}
	got, err := sqs.NewFromConfig(d.SDK()).GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: aws.String(d.Resources(t)[id]), AttributeNames: names,
	})
	must(t, err)
	for _, name := range names {
		count, err := strconv.Atoi(got.Attributes[string(name)])
		must(t, err)
		n += count
	}
	return n
}

// inventory lists everything that can cost money or let somebody in, each as KIND NAME.
func (d *deployment) inventory(t *testing.T) []string {
	t.Helper()
	get := func(service, path string) awsstack.Answer { return d.Call(t, service, "GET", path, "", nil) }
	list := func(service, target, body string) awsstack.Answer {
		return d.Call(t, service, "POST", "/", target, []byte(body))
	}
	query := func(service, version, action string) awsstack.Answer {
		return d.Query(t, service, version, action, nil)
	}
	all := map[string][]string{
		"function":  get("lambda", "/2015-03-31/functions/").Values(t, "FunctionName"),
		"api":       get("apigateway", "/v2/apis").Values(t, "apiId"),
		"role":      query("iam", "2010-05-08", "ListRoles").Values(t, "RoleName"),
		"log group": list("logs", "Logs_20140328.DescribeLogGroups", "{}").Values(t, "logGroupName"),
		"alarm":     query("monitoring", "2010-08-01", "DescribeAlarms").Values(t, "AlarmName"),
		"dashboard": query("monitoring", "2010-08-01", "ListDashboards").Values(t, "DashboardName"),
		"topic":     query("sns", "2010-03-31", "ListTopics").Values(t, "TopicArn"),
		"secret":    list("secretsmanager", "secretsmanager.ListSecrets", `{"IncludePlannedDeletion":true}`).Values(t, "Name"),
		"stack":     query("cloudformation", "2010-05-15", "DescribeStacks").Values(t, "StackName"),
		"bucket":    get("s3", "/").Values(t, "Name"),
		"network":   query("ec2", "2016-11-15", "DescribeVpcs").Values(t, "vpcId"),
	}
	var tables struct{ TableNames []string }
	list("dynamodb", "DynamoDB_20120810.ListTables", "{}").Decode(t, &tables)
	all["table"] = tables.TableNames
	queues, err := sqs.NewFromConfig(d.SDK()).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	must(t, err)
	all["queue"] = queues.QueueUrls
	var entries []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		for _, name := range all[kind] {
			entries = append(entries, kind+" "+name)
		}
	}
	return entries
}

// explain prints what an operator would look at after a failure.
func (d *deployment) explain(t *testing.T) {
	t.Helper()
	for _, reason := range d.Reasons(t) {
		t.Log("stack:", reason)
	}
	for _, group := range d.LogGroups(t) {
		name := group[strings.LastIndex(group, "/")+1:]
		for _, line := range d.Logs(t, name) {
			if strings.Contains(line, `"ERROR"`) || strings.Contains(line, `"WARN"`) || strings.HasPrefix(line, "panic:") {
				t.Log(name+":", strings.TrimSpace(line))
			}
		}
	}
}
