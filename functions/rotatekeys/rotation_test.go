package rotatekeys_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
	release "github.com/wecom-signin/wecom-signin/shared/version"
)

const (
	secretName = "signing-keys"
	secretARN  = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:signing-keys-a1B2c3"
)

var (
	start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	quiet = apigw.WorkLog{Logger: slog.New(slog.DiscardHandler), Now: time.Now}
	steps = []string{"createSecret", "setSecret", "testSecret", "finishSecret"}
)

// world is Secrets Manager with one secret, and the directory. It fails the call of
// a given number, before or after doing it, and checks after every change that no
// function can read a key that is not published.
type world struct {
	t        *testing.T
	versions map[string]*version

	published []byte
	calls     int
	failCall  int  // 1 for the first; 0 never
	after     bool // it fails after its work was done: the answer is lost
}

type version struct {
	value  *string
	labels []string
}

var errLost = errors.New("connection lost")

func newWorld(t *testing.T, value string) *world {
	return &world{t: t, versions: map[string]*version{"v0": {aws.String(value), []string{"AWSCURRENT"}}}}
}

// do runs one call, perhaps failing, and checks the world afterwards.
func (w *world) do(work func() error) error {
	w.calls++
	fails := w.calls == w.failCall
	if fails && !w.after {
		return errLost
	}
	err := work()
	if fails {
		err = errLost
	}
	w.checkPublished()
	return err
}

func (w *world) current() *version {
	for _, v := range w.versions {
		if slices.Contains(v.labels, "AWSCURRENT") {
			return v
		}
	}
	w.t.Fatal("no version is current")
	return nil
}

func (w *world) set() (keys.Set, bool) {
	set, err := keys.Decode(*w.current().value)
	return set, err == nil
}

func (w *world) checkPublished() {
	w.t.Helper()
	set, ok := w.set()
	if !ok {
		return
	}
	known := kids(w.t, w.published)
	for _, key := range []keys.Key{set.Current, set.Next, set.Previous} {
		if !key.IsZero() && !slices.Contains(known, key.ID()) {
			w.t.Errorf("after call %d: %v is readable and not published", w.calls, key)
		}
	}
}

func kids(t *testing.T, document []byte) []string {
	t.Helper()
	var parsed struct {
		Keys []struct {
			ID string `json:"kid"`
		}
	}
	if document != nil {
		if err := json.Unmarshal(document, &parsed); err != nil {
			t.Fatal(err)
		}
	}
	var list []string
	for _, key := range parsed.Keys {
		list = append(list, key.ID)
	}
	return list
}

func (w *world) begin(token string) { w.versions[token] = &version{labels: []string{"AWSPENDING"}} }

func (w *world) DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error) {
	output := &secretsmanager.DescribeSecretOutput{
		ARN: aws.String(secretARN), Name: aws.String(secretName), VersionIdsToStages: make(map[string][]string),
	}
	return output, w.do(func() error {
		for id, v := range w.versions {
			output.VersionIdsToStages[id] = v.labels
		}
		return nil
	})
}

func (w *world) GetSecretValue(_ context.Context, input *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	output := &secretsmanager.GetSecretValueOutput{}
	return output, w.do(func() error {
		v, ok := w.versions[*input.VersionId]
		if !ok || v.value == nil {
			return &types.ResourceNotFoundException{}
		}
		output.SecretString = v.value
		return nil
	})
}

func (w *world) PutSecretValue(_ context.Context, input *secretsmanager.PutSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error) {
	return &secretsmanager.PutSecretValueOutput{}, w.do(func() error {
		v := w.versions[*input.ClientRequestToken]
		if v.value != nil {
			return &types.ResourceExistsException{}
		}
		if !slices.Equal(input.VersionStages, []string{"AWSPENDING"}) {
			w.t.Errorf("put with labels %v", input.VersionStages)
		}
		v.value = input.SecretString
		return nil
	})
}

func (w *world) UpdateSecretVersionStage(_ context.Context, input *secretsmanager.UpdateSecretVersionStageInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.UpdateSecretVersionStageOutput, error) {
	return &secretsmanager.UpdateSecretVersionStageOutput{}, w.do(func() error {
		from, to := w.versions[*input.RemoveFromVersionId], w.versions[*input.MoveToVersionId]
		if from != w.current() || *input.VersionStage != "AWSCURRENT" {
			return &types.InvalidParameterException{}
		}
		from.labels = []string{"AWSPREVIOUS"}
		to.labels = append(to.labels, "AWSCURRENT")
		return nil
	})
}

func (w *world) PutPublicKeys(_ context.Context, published store.PublicKeys) error {
	return w.do(func() error {
		w.published = published.Document
		return nil
	})
}

func (w *world) function() rotatekeys.Function {
	return rotatekeys.New(rotatekeys.Config{
		SecretsManager: w, Publisher: w, Secret: secretARN, Log: quiet, Now: func() time.Time { return start },
	})
}

// rotate runs the steps as Secrets Manager does: it stops at the first error.
func (w *world) rotate(token string) error {
	for _, step := range steps {
		err := w.function()(w.t.Context(), events.SecretsManagerSecretRotationEvent{
			Step: step, SecretID: secretARN, ClientRequestToken: token,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// firstSet is made once: making keys is the slow part of the tests.
var firstSet = sync.OnceValue(func() keys.Set {
	set, err := keys.Generate(start)
	if err != nil {
		panic(err)
	}
	return set
})

func kept(t *testing.T) *world {
	t.Helper()
	text, err := firstSet().Encode()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, text)
	if w.published, err = keys.Public(firstSet()); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRotation(t *testing.T) {
	w := kept(t)
	old := firstSet()
	w.begin("v1")
	if err := w.rotate("v1"); err != nil {
		t.Fatal(err)
	}
	set, ok := w.set()
	if !ok || set.Current.ID() != old.Next.ID() || set.Previous.ID() != old.Current.ID() || set.Next.ID() == old.Next.ID() {
		t.Errorf("got %v after %v", set, old)
	}
	want := []string{set.Current.ID(), set.Next.ID(), set.Previous.ID()}
	if diff := cmp.Diff(want, kids(t, w.published)); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if len(w.current().labels) != 2 || !slices.Contains(w.versions["v0"].labels, "AWSPREVIOUS") {
		t.Errorf("labels are %v and %v", w.current().labels, w.versions["v0"].labels)
	}
}

func TestFirstRotationMakesAWholeSet(t *testing.T) {
	for _, placeholder := range []string{"{}", "k9f3Lx5pQ0zR", `{"password":"x"}`} {
		w := newWorld(t, placeholder)
		w.begin("v1")
		if err := w.rotate("v1"); err != nil {
			t.Fatalf("%q: %v", placeholder, err)
		}
		set, ok := w.set()
		if !ok || set.Current.IsZero() || set.Next.IsZero() || !set.Previous.IsZero() || len(kids(t, w.published)) != 2 {
			t.Errorf("%q: got %v, published %s", placeholder, set, w.published)
		}
	}
}

// Every call is lost once, before and after its work; Secrets Manager tries again
// from the first step with the same token.
func TestAnInterruptedRotationIsRepeatedWithoutHarm(t *testing.T) {
	for _, after := range []bool{false, true} {
		for call := 1; ; call++ {
			w := kept(t)
			w.begin("v1")
			w.failCall, w.after = call, after
			err := w.rotate("v1")
			if w.calls < call {
				break // a rotation has no more calls than this
			}
			// Only the last step may tell by itself that a lost answer was a yes.
			if done := after && w.current() == w.versions["v1"]; !errors.Is(err, errLost) && (err != nil || !done) {
				t.Fatalf("call %d lost (after: %v): got %v", call, after, err)
			}
			if err := w.rotate("v1"); err != nil {
				t.Fatalf("call %d lost (after: %v): the repetition fails: %v", call, after, err)
			}
			old := firstSet()
			set, ok := w.set()
			if !ok || set.Current.ID() != old.Next.ID() || set.Previous.ID() != old.Current.ID() {
				t.Errorf("call %d lost (after: %v): got %v after %v", call, after, set, old)
			}
			want := []string{set.Current.ID(), set.Next.ID(), set.Previous.ID()}
			if diff := cmp.Diff(want, kids(t, w.published)); diff != "" {
				t.Errorf("call %d lost (after: %v): published (-want +got):\n%s", call, after, diff)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	damaged := func(t *testing.T) *world {
		w := kept(t)
		text := strings.Replace(*w.versions["v0"].value, "MII", "XII", 1)
		w.versions["v0"].value = &text
		return w
	}
	tests := []struct {
		name  string
		world func(*testing.T) *world
		event events.SecretsManagerSecretRotationEvent
		want  string
	}{
		{"a version that is not pending", kept, events.SecretsManagerSecretRotationEvent{
			Step: "createSecret", SecretID: secretARN, ClientRequestToken: "v9",
		}, "not one that is being rotated to"},
		{"no version", kept, events.SecretsManagerSecretRotationEvent{
			Step: "createSecret", SecretID: secretARN,
		}, "not one that is being rotated to"},
		{"an unknown step", kept, events.SecretsManagerSecretRotationEvent{
			Step: "dropSecret", SecretID: secretARN, ClientRequestToken: "v1",
		}, "unknown step"},
		{"finish before create", kept, events.SecretsManagerSecretRotationEvent{
			Step: "finishSecret", SecretID: secretARN, ClientRequestToken: "v1",
		}, "no keys"},
		{"publish before create", kept, events.SecretsManagerSecretRotationEvent{
			Step: "setSecret", SecretID: secretARN, ClientRequestToken: "v1",
		}, "no keys"},
		// Keys in force are never replaced because they could not be read.
		{"a damaged set", damaged, events.SecretsManagerSecretRotationEvent{
			Step: "createSecret", SecretID: secretARN, ClientRequestToken: "v1",
		}, "decode"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := test.world(t)
			w.begin("v1")
			before := string(w.published)
			err := w.function()(t.Context(), test.event)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v; want %q in it", err, test.want)
			}
			if w.versions["v1"].value != nil || string(w.published) != before || len(w.versions["v0"].labels) != 1 {
				t.Error("something was changed")
			}
		})
	}
}

// Attack, or a slip: the function is called for a secret of something else.
func TestAnotherSecretIsNotTouched(t *testing.T) {
	w := kept(t)
	w.begin("v1")
	for _, configured := range []string{"", "another", secretARN[:len(secretARN)-7]} {
		function := rotatekeys.New(rotatekeys.Config{SecretsManager: w, Publisher: w, Secret: configured, Log: quiet})
		err := function(t.Context(), events.SecretsManagerSecretRotationEvent{
			Step: "createSecret", SecretID: secretARN, ClientRequestToken: "v1",
		})
		if err == nil || w.versions["v1"].value != nil {
			t.Errorf("configured for %q: got %v", configured, err)
		}
	}
}

// withoutTime is a log whose lines a test can name whole.
func withoutTime(log io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// Each step is one line, with nothing of a key in it.
func TestLog(t *testing.T) {
	var log strings.Builder
	w := kept(t)
	w.begin("v1")
	now := func() time.Time { return start }
	function := rotatekeys.New(rotatekeys.Config{
		SecretsManager: w, Publisher: w, Secret: secretName, Now: now,
		Log: apigw.WorkLog{Function: "rotatekeys", Service: "wecom-signin", Logger: withoutTime(&log), Now: now},
	})
	for _, step := range append([]string{"no such step"}, append(steps, "finishSecret")...) {
		_ = function(t.Context(), events.SecretsManagerSecretRotationEvent{Step: step, SecretID: secretARN, ClientRequestToken: "v1"})
	}
	about := `"version":"` + release.Version + `","service":"wecom-signin"`
	want := `{"level":"ERROR","msg":"rotation","function":"rotatekeys",` + about + `,"step":"no such step","secretVersion":"v1","outcome":"failed","milliseconds":0,"cause":"unknown step"}
{"level":"INFO","msg":"rotation","function":"rotatekeys",` + about + `,"step":"createSecret","secretVersion":"v1","outcome":"done","milliseconds":0}
{"level":"INFO","msg":"rotation","function":"rotatekeys",` + about + `,"step":"setSecret","secretVersion":"v1","outcome":"done","milliseconds":0}
{"level":"INFO","msg":"rotation","function":"rotatekeys",` + about + `,"step":"testSecret","secretVersion":"v1","outcome":"done","milliseconds":0}
{"level":"INFO","msg":"rotation","function":"rotatekeys",` + about + `,"step":"finishSecret","secretVersion":"v1","outcome":"done","milliseconds":0}
{"level":"INFO","msg":"rotation","function":"rotatekeys",` + about + `,"step":"finishSecret","secretVersion":"v1","outcome":"tidied","milliseconds":0}
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRotationOnAnEmulator(t *testing.T) {
	account := awsstack.New(t, awsstack.Config{Root: "../.."})
	client := secretsmanager.NewFromConfig(account.SDK())
	w := &world{t: t}
	ctx := t.Context()
	_, err := client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: aws.String(secretName), SecretString: aws.String("{}")})
	if err != nil {
		t.Fatal(err)
	}
	function := rotatekeys.New(rotatekeys.Config{SecretsManager: client, Publisher: publisher{w}, Secret: secretName, Log: quiet})
	var sets []keys.Set
	for _, token := range []string{strings.Repeat("1", 32), strings.Repeat("2", 32), strings.Repeat("3", 32)} {
		account.BeginRotation(t, secretName, token)
		for _, step := range steps {
			for range 2 { // each of them twice
				err := function(ctx, events.SecretsManagerSecretRotationEvent{Step: step, SecretID: secretName, ClientRequestToken: token})
				if err != nil {
					t.Fatalf("%s: %v", step, err)
				}
			}
		}
		value, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(secretName)})
		if err != nil {
			t.Fatal(err)
		}
		set, err := keys.Decode(*value.SecretString)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, set)
	}
	for i := 1; i < len(sets); i++ {
		if sets[i].Current.ID() != sets[i-1].Next.ID() || sets[i].Previous.ID() != sets[i-1].Current.ID() {
			t.Errorf("%v follows %v", sets[i], sets[i-1])
		}
	}
	last := sets[len(sets)-1]
	if diff := cmp.Diff([]string{last.Current.ID(), last.Next.ID(), last.Previous.ID()}, kids(t, w.published)); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// publisher only notes what is published.
type publisher struct{ *world }

func (p publisher) PutPublicKeys(_ context.Context, published store.PublicKeys) error {
	p.published = published.Document
	return nil
}
