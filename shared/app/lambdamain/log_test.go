package lambdamain

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

// inLambda is set in the process that writes as a function in Lambda does.
const inLambda = "TEST_WRITES_AS_IN_LAMBDA"

// Lambda takes standard output line by line, and CloudWatch takes metrics from a line
// only when they stand at its root. The handler reads its format from the environment
// before a test could set it, so another process writes.
func TestLineInLambdaIsAMetric(t *testing.T) {
	if os.Getenv(inLambda) != "" {
		writeLine(t)
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run", "^"+t.Name()+"$")
	// LoggingConfig: {LogFormat: JSON} of the template sets the format.
	command.Env = append(os.Environ(), inLambda+"=1", "AWS_LAMBDA_LOG_FORMAT=JSON")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	line, rest, _ := bytes.Cut(output, []byte("\n"))
	if bytes.Contains(rest, []byte("{")) {
		t.Errorf("more than one line: %s", rest)
	}
	got, err := metricstest.Read(line)
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if diff := cmp.Diff([]string{"WeComSignIn SignIns{Service=wecom-signin,Outcome=signed_in} 1 Count"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Lambda keeps a line of level INFO only if it knows the members by these names.
	for _, member := range []string{`{"timestamp":"`, `"level":"INFO"`, `"message":"request"`, `"requestId":"gateway-1"`} {
		if !strings.Contains(string(line), member) {
			t.Errorf("no %s in %s", member, line)
		}
	}
}

func writeLine(t *testing.T) {
	function := apigw.New(apigw.Config{
		Name: "callback", Service: "wecom-signin", Logger: slog.New(lambdacontext.NewLogHandler()),
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			apigw.Measure(r.Context(), metrics.SignIns("signed_in"))
		}),
	})
	ctx := lambdacontext.NewContext(context.Background(), &lambdacontext.LambdaContext{AwsRequestID: "lambda-1"})
	event := events.APIGatewayV2HTTPRequest{RequestContext: events.APIGatewayV2HTTPRequestContext{RequestID: "gateway-1"}}
	if _, err := function(ctx, event); err != nil {
		t.Error(err)
	}
}
