package admin_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

// largestImport is a file of 5,000 rows with other phones for each n.
func largestImport(n int) string {
	var file strings.Builder
	file.WriteString("phone,name,roles\n")
	for i := range 5000 {
		fmt.Fprintf(&file, "13%d%08d,张三丰 %d,staff editor\n", 1+n%9, i, i)
	}
	return file.String()
}

// BenchmarkLargestImport imports 5,000 new users as Lambda has it done: from the event's
// JSON to that of the answer, with one processor. processor-s tells how long 5,000 rows
// take with a part of one: Lambda gives 512 MB 0.29 of a processor, and an import ends by
// itself after 24 s, so that a loaded machine writes fewer rows. MB is the most memory
// that Go held.
func BenchmarkLargestImport(b *testing.B) {
	b.Run("embedded", func(b *testing.B) {
		engine, err := embedded.Open(embedded.Config{Path: filepath.Join(b.TempDir(), "store")})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = engine.Close() }()
		benchmarkImport(b, engine)
	})
	b.Run("dynamodb", func(b *testing.B) {
		server := dynamotest.Start(b)
		tables := server.CreateTables(b)
		cfg, err := awsconfig.FromEnvironment(func(name string) (string, bool) {
			value, there := map[string]string{
				"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL": server.Endpoint,
			}[name]
			return value, there
		})
		if err != nil {
			b.Fatal(err)
		}
		engine, err := dynamo.New(dynamo.Config{Client: dynamodb.NewFromConfig(cfg), DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: time.Now})
		if err != nil {
			b.Fatal(err)
		}
		benchmarkImport(b, engine)
	})
}

func benchmarkImport(b *testing.B, engine interface {
	store.Engine
	admin.Directory
	admin.SignInEvents
},
) {
	o := newOffice(b)
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.Directory, cfg.SignInEvents = engine, engine })
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	most, processor := uint64(0), time.Duration(0)
	n, rows := 0, 0
	for b.Loop() {
		event := events.APIGatewayV2HTTPRequest{RawPath: "/api/admin/users/import", Headers: map[string]string{"content-type": "text/csv"}, Body: largestImport(n)}
		event.RequestContext.HTTP.Method = "POST"
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"caller": "admin-key"}}
		request, err := json.Marshal(event)
		if err != nil {
			b.Fatal(err)
		}
		n++
		o.log.text.Reset()
		stop, peak := make(chan struct{}), make(chan uint64)
		go func() { peak <- mostMemory(stop) }()
		before := processorTime(b)
		var decoded events.APIGatewayV2HTTPRequest
		if err := json.Unmarshal(request, &decoded); err != nil {
			b.Fatal(err)
		}
		response, _ := o.function(b.Context(), decoded)
		if _, err := json.Marshal(response); err != nil {
			b.Fatal(err)
		}
		processor += processorTime(b) - before
		close(stop)
		most = max(most, <-peak)
		var result struct{ Created int }
		if err := json.Unmarshal([]byte(response.Body), &result); err != nil || result.Created == 0 {
			b.Fatalf("%v %.300s", err, response.Body)
		}
		rows += result.Created
	}
	b.ReportMetric(float64(rows)/float64(n), "rows/op")
	b.ReportMetric(processor.Seconds()/float64(rows)*5000, "processor-s")
	b.ReportMetric(float64(most)/1e6, "MB")
}

// mostMemory returns the most bytes that Go held from the system until stop is closed.
func mostMemory(stop <-chan struct{}) uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	most := uint64(0)
	for {
		metrics.Read(samples)
		most = max(most, samples[0].Value.Uint64()-samples[1].Value.Uint64())
		select {
		case <-stop:
			return most
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// processorTime returns the time that this process has used.
func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
