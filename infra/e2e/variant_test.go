package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// variant is a way to sign in through functions, and what was measured of it. The variants
// of a benchmark are interleaved so that load affects them equally; the median is reported.
type variant struct {
	*cloud
	name      string
	programs  map[string]string        // by the path that each answers
	signIn    func(userID string)      // a whole sign-in of a member who has signed in before
	processes map[string]*e2e.Function // by the name of the program
	measured  map[string][]float64     // by unit
}

// startVariants starts the programs that are deployed; with OLD_FUNCTIONS, those in that
// folder; with OPENAUTH, that program (testdata/openauth).
func startVariants(b *testing.B, users int) (all []*variant) {
	b.Helper()
	add := func(name, folder string) *variant {
		c := startCloud(b, users)
		maps.Copy(c.environment, map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_FORMAT": "JSON"}) // as the template's
		c.meter.Delay = 5 * time.Millisecond
		c.browser.WeCom.Inject(wecomsim.Slow(30 * time.Millisecond))
		all = append(all, &variant{
			cloud: c, name: name, measured: map[string][]float64{},
			programs: map[string]string{"/authorize/": folder + "/authorize", "/callback/": folder + "/callback", "/": folder + "/signin"},
			signIn:   func(userID string) { signInAgain(b, c.browser, userID) },
		})
		return all[len(all)-1]
	}
	folder, err := builtFunctions()
	must(b, err)
	add("new", folder)
	if folder := os.Getenv("OLD_FUNCTIONS"); folder != "" {
		add("old", folder)
	}
	if program := os.Getenv("OPENAUTH"); program != "" {
		v := add("openauth", "")
		v.programs = map[string]string{"/": program}
		v.signIn = func(userID string) { signInByOpenAuth(b, v.browser, userID) }
		maps.Copy(v.environment, map[string]string{
			"PATH": os.Getenv("PATH"), "DYNAMODB_ENDPOINT": v.environment["AWS_ENDPOINT_URL_DYNAMODB"], "OPENAUTH_TABLE": "openauth",
			"CORP_ID": corpID, "AGENT_ID": agentID, "APP_SECRET": appSecret,
		})
		cfg, err := awsconfig.FromEnvironment(func(name string) (string, bool) { value, found := v.environment[name]; return value, found })
		must(b, err)
		_, err = dynamodb.NewFromConfig(cfg).CreateTable(b.Context(), dynamotest.Describe("openauth", "pk", "sk"))
		must(b, err)
	}
	for _, v := range all {
		v.start(b)
		v.signIn(nthMember(0, users)) // so that nothing is cold
	}
	return all
}

// start ends the processes, if they run, and starts the programs anew.
func (v *variant) start(b *testing.B) {
	b.Helper()
	for _, f := range v.processes {
		f.Stop()
	}
	v.processes = map[string]*e2e.Function{}
	mux := http.NewServeMux()
	for path, program := range v.programs {
		f := startProgram(b, program, v.environment)
		v.processes[filepath.Base(program)] = f
		mux.Handle(path, f)
	}
	v.browser.Transport = testbrowser.Handler(mux)
}

// measure measures so many sign-ins of the members that member names.
func (v *variant) measure(b *testing.B, signIns int, member func(int) string) {
	b.Helper()
	before := map[string]time.Duration{}
	for name, f := range v.processes {
		before[name] = processorTime(b, f.Pid())
	}
	v.meter.Take()
	v.browser.WeCom.ResetCalls()
	for i := range signIns {
		v.signIn(member(i))
	}
	each := float64(signIns)
	total := 0.0
	for name, f := range v.processes {
		used := milliseconds(processorTime(b, f.Pid())-before[name]) / each
		total += used
		v.add(name+"-cpu-ms", used)
	}
	u := v.meter.Take()
	v.add("cpu-ms", total)
	v.add("wecom-calls", float64(v.browser.WeCom.Calls())/each)
	v.add("dynamodb-calls", float64(u.DynamoDB)/each)
	v.add("read-units", u.ReadUnits/each)
	v.add("write-units", u.WriteUnits/each)
}

// measureCold measures one sign-in in new processes, and their start, one after another.
func (v *variant) measureCold(b *testing.B, userID string) {
	b.Helper()
	started := time.Now()
	v.start(b)
	v.signIn(userID)
	v.add("cold-ms", milliseconds(time.Since(started)))
	total := 0.0
	for _, f := range v.processes {
		total += milliseconds(processorTime(b, f.Pid()))
	}
	v.add("cold-cpu-ms", total)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (v *variant) add(unit string, value float64) { v.measured[unit] = append(v.measured[unit], value) }

// report reports the median of everything measured.
func report(b *testing.B, variants []*variant) {
	b.Helper()
	for _, v := range variants {
		for unit, values := range v.measured {
			slices.Sort(values)
			b.ReportMetric(values[len(values)/2], v.name+"-"+unit)
		}
	}
}

// signInByOpenAuth signs in by testdata/openauth. OpenAuth's session is the application's,
// which exchanges a code for tokens and checks a signature by itself from then on.
func signInByOpenAuth(b *testing.B, browser *testbrowser.Browser, userID string) {
	b.Helper()
	browser.Forget("")
	browser.Member.UserID = userID
	form := url.Values{"client_id": {"bench"}, "redirect_uri": {application + "/"}, "response_type": {"code"}, "grant_type": {"authorization_code"}}
	a := browser.Expect(b, http.StatusFound, http.MethodGet, "/authorize?"+form.Encode())
	a = browser.Expect(b, http.StatusFound, http.MethodGet, browser.Callback(b, a.Redirect()))
	_, code, found := strings.Cut(a.Location(), "code=")
	if !found {
		b.Fatalf("the callback leads to %s", a.Location())
	}
	browser.Expect(b, http.StatusOK, http.MethodPost, "/token", testbrowser.Body("application/x-www-form-urlencoded", form.Encode()+"&code="+code))
}

// processorTime is the user and system time that a process has used, to the microsecond:
// /proc/PID/stat counts in hundredths of a second. Threads that ended are not in it; Go
// keeps its threads.
func processorTime(b *testing.B, pid int) (total time.Duration) {
	b.Helper()
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if len(threads) == 0 {
		b.Skip("SKIP processor time: this kernel does not tell it, or the process has ended")
	}
	for _, thread := range threads {
		content, _ := os.ReadFile(thread) // nothing, of a thread that has just ended
		used, _, _ := strings.Cut(string(content), " ")
		nanoseconds, _ := strconv.ParseInt(used, 10, 64)
		total += time.Duration(nanoseconds)
	}
	return total
}
