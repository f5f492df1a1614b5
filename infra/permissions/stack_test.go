package permissions_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	moduleRoot  = "../.."
	stackName   = "signin-permissions"
	region      = emulator.Region
	account     = emulator.Account
	application = "http://localhost:3999"
)

// world is the deployed service, with every function's calls written down, beside a
// WeCom.
type world struct {
	*teststack.Stack
	t        *testing.T
	weCom    *wecomsim.Simulator
	weURL    string
	adminKey string
}

func deploy(t *testing.T, weCom *wecomsim.Simulator) *world {
	t.Helper()
	weURL := weCom.Start(t)
	stack := teststack.Deploy(t, teststack.Config{
		Root: moduleRoot, Name: stackName,
		Parameters: map[string]string{"WeComApiUrl": weURL, "WeComOAuthUrl": weURL, "WeComLoginUrl": weURL},
	})
	return &world{Stack: stack, t: t, weCom: weCom, weURL: weURL, adminKey: stack.Generated["AdminKey"]}
}

// evaluate works out template.yaml with the tables and secrets that there are.
func evaluate(t *testing.T, parameters, physical map[string]string) *cloudformation.Stack {
	t.Helper()
	stack, err := teststack.Evaluate(teststack.ReadFrom(moduleRoot), values(parameters, physical))
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func values(parameters, physical map[string]string) cloudformation.Values {
	return teststack.Values(stackName, parameters, physical)
}

func tableARN(name string) string { return teststack.TableARN(name) }

// visitor is a member with a browser.
type visitor struct {
	*teststack.Visitor
	*world
	userID string
	denies bool // what WeCom asks
}

func (w *world) visitor(userID, userAgent string) *visitor {
	return &visitor{Visitor: &teststack.Visitor{URL: w.URL, UserAgent: userAgent}, world: w, userID: userID}
}

// send makes a request to the service. The status must be the one that is wanted: a
// journey that went another way proves nothing.
func (v *visitor) send(status int, method, address, authorization string, body any) teststack.Answer {
	v.t.Helper()
	a := v.Send(v.t, method, address, authorization, body)
	if a.Status != status {
		v.t.Fatalf("%s %s: %d %s, want %d\n%s", method, address, a.Status, a.Body, status, v.Tail())
	}
	return a
}

// signIn opens an address and goes wherever it leads, through WeCom as well, until it
// ends at the application or at the sign-in page. It returns the callback opened last,
// and the cookies that it was opened with.
func (v *visitor) signIn(address, end string) (callback string, cookies map[string]string) {
	v.t.Helper()
	for range 5 {
		cookies, callback = maps.Clone(v.Cookies), address
		next := v.send(302, "GET", address, "", nil).Location()
		if !strings.HasPrefix(next, v.weURL) {
			if !strings.Contains(next, end) {
				v.t.Fatalf("the sign-in of %s ended at %s, want %s\n%s", v.userID, next, end, v.Tail())
			}
			return callback, cookies
		}
		var err error
		address, err = v.weCom.Follow(v.t.Context(), next, wecomsim.Browser{UserID: v.userID, UserAgent: v.UserAgent, Deny: v.denies})
		if err != nil {
			v.t.Fatal(err)
		}
	}
	v.t.Fatalf("the sign-in of %s goes round and round", v.userID)
	return "", nil
}
