package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

// Contender is a way to sign in through functions, and what was measured of it.
// Contenders of one benchmark take turns, so that a busy machine troubles all alike, and
// of the turns the middle one counts.
type Contender struct {
	Name string
	// Programs are those of its functions, by the path that each of them answers.
	Programs    map[string]string
	Environment map[string]string
	// Authenticator is the path parameter of every event.
	Authenticator string
	Browser       *testbrowser.Browser
	Meter         *Meter
	// SignIn is a whole sign-in of a member of WeCom who has signed in before.
	SignIn func(userID string)

	functions []*Function
	measured  map[string][]float64
}

// Start ends the functions, if they run, and starts the programs anew.
func (c *Contender) Start(b *testing.B) {
	b.Helper()
	for _, f := range c.functions {
		f.Stop()
	}
	c.functions = nil
	mux := http.NewServeMux()
	for path, program := range c.Programs {
		f, err := StartFunction(b.Context(), program, c.Environment)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(f.Stop)
		f.PathParameters = map[string]string{"authenticator": c.Authenticator}
		c.functions = append(c.functions, f)
		mux.Handle(path, f)
	}
	c.Browser.Transport = testbrowser.Handler(mux)
}

// Measure measures one turn: so many sign-ins of the members that member names.
func (c *Contender) Measure(b *testing.B, signIns int, member func(int) string) {
	b.Helper()
	before := map[*Function]time.Duration{}
	for _, f := range c.functions {
		before[f] = ProcessorTime(b, f.Pid())
	}
	c.Meter.Take()
	c.Browser.WeCom.ResetCalls()
	for i := range signIns {
		c.SignIn(member(i))
	}
	total := 0.0
	each := float64(signIns)
	for _, f := range c.functions {
		used := milliseconds(ProcessorTime(b, f.Pid())-before[f]) / each
		total += used
		c.add(filepath.Base(f.process.Path)+"-cpu-ms", used)
	}
	u := c.Meter.Take()
	c.add("cpu-ms", total)
	c.add("wecom-calls", float64(c.Browser.WeCom.Calls())/each)
	c.add("dynamodb-calls", float64(u.DynamoDB)/each)
	c.add("read-units", u.ReadUnits/each)
	c.add("write-units", u.WriteUnits/each)
}

// MeasureCold measures one sign-in in new processes, and their start, one after another.
func (c *Contender) MeasureCold(b *testing.B, userID string) {
	b.Helper()
	started := time.Now()
	c.Start(b)
	c.SignIn(userID)
	c.add("cold-ms", milliseconds(time.Since(started)))
	total := 0.0
	for _, f := range c.functions {
		total += milliseconds(ProcessorTime(b, f.Pid()))
	}
	c.add("cold-cpu-ms", total)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (c *Contender) add(unit string, value float64) {
	if c.measured == nil {
		c.measured = map[string][]float64{}
	}
	c.measured[unit] = append(c.measured[unit], value)
}

// Report reports the middle turn of each.
func Report(b *testing.B, contenders []*Contender) {
	b.Helper()
	for _, c := range contenders {
		for unit, values := range c.measured {
			slices.Sort(values)
			b.ReportMetric(values[len(values)/2], c.Name+"-"+unit)
		}
	}
}

// SignInByOpenAuth signs in by testdata/openauth. OpenAuth's session is the application's,
// which exchanges a code for tokens and checks a signature by itself from then on.
func SignInByOpenAuth(b *testing.B, browser *testbrowser.Browser, userID, redirectURI string) {
	b.Helper()
	browser.Forget("")
	browser.Member.UserID = userID
	form := url.Values{"client_id": {"bench"}, "redirect_uri": {redirectURI}, "response_type": {"code"}, "grant_type": {"authorization_code"}}
	a := browser.Expect(b, http.StatusFound, http.MethodGet, "/authorize?"+form.Encode())
	a = browser.Expect(b, http.StatusFound, http.MethodGet, browser.Callback(b, a.Redirect()))
	_, code, found := strings.Cut(a.Location(), "code=")
	if !found {
		b.Fatalf("the callback leads to %s", a.Location())
	}
	browser.Expect(b, http.StatusOK, http.MethodPost, "/token", testbrowser.Body("application/x-www-form-urlencoded", form.Encode()+"&code="+code))
}

// ProcessorTime is the user and system time that processes have used, to the
// microsecond: /proc/PID/stat counts in hundredths of a second. Threads that ended are
// not in it; Go keeps its threads.
func ProcessorTime(t testing.TB, pids ...int) (total time.Duration) {
	t.Helper()
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if len(threads) == 0 {
			t.Skip("SKIP processor time: this kernel does not tell it, or the process has ended")
		}
		for _, thread := range threads {
			content, _ := os.ReadFile(thread) //nolint:gosec // found above; of a thread that has just ended, nothing
			used, _, _ := strings.Cut(string(content), " ")
			nanoseconds, _ := strconv.ParseInt(used, 10, 64)
			total += time.Duration(nanoseconds)
		}
	}
	return total
}
