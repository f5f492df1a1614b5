package permissions_test

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// ordersTemplate returns the template that docs/forward-auth.md shows for an HTTP API of
// somebody else.
func (w *world) ordersTemplate() string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("../../../docs", "forward-auth.md"))
	must(w.t, err)
	_, after, _ := strings.Cut(string(content), "\n## API Gateway\n")
	_, block, found := strings.Cut(after, "\n```yaml\n")
	block, _, _ = strings.Cut(block, "\n```\n")
	if !found {
		w.t.Fatal("the template is not in the document")
	}
	return block + "\n"
}

// deployOrders deploys it beside the service's stack, and returns the id of its API and an
// address that leads there.
func (w *world) deployOrders(stack, application string) (api string, address *awsstack.Address) {
	w.t.Helper()
	outputs := w.Outputs(w.t)
	fields := url.Values{"StackName": {stack}, "TemplateBody": {w.ordersTemplate()}, "Capabilities.member.1": {"CAPABILITY_IAM"}}
	for i, pair := range [][2]string{{"Application", application}, {"ServiceUrl", outputs["ServiceUrl"]}, {"SessionAuthorizer", outputs["SessionAuthorizer"]}} {
		member := "Parameters.member." + string(rune('1'+i))
		fields.Set(member+".ParameterKey", pair[0])
		fields.Set(member+".ParameterValue", pair[1])
	}
	w.Query(w.t, "cloudformation", "2010-05-15", "CreateStack", fields)
	orders := &awsstack.Stack{Account: w.Account, Name: stack}
	awsstack.Until(w.t, stack+" is deployed", func() bool { return !strings.HasSuffix(orders.Status(w.t), "_IN_PROGRESS") })
	if orders.Status(w.t) != "CREATE_COMPLETE" {
		w.t.Fatal(orders.Status(w.t), orders.Reasons(w.t))
	}
	homepage, err := url.Parse(orders.Outputs(w.t)["Homepage"])
	must(w.t, err)
	api, _, _ = strings.Cut(homepage.Hostname(), ".")
	address = w.NewAddress(w.t)
	must(w.t, address.LeadTo(homepage.String()))
	return api, address
}

// gatewayAsks has the HTTP API of another stack ask about its visitors. Members sign in at
// the service, as the API's integration does it for them.
func (w *world) gatewayAsks(engine store.Engine) {
	w.t.Helper()
	api, address := w.deployOrders("orders", "orders")
	origin := "https://" + api + ".execute-api.localhost" // as the emulator names domains
	now := time.Now()
	for id, homepage := range map[string]string{"orders": origin, "invoices": "https://invoices.example.org"} {
		must(w.t, engine.CreateApplication(w.t.Context(), store.Application{
			ID: id, Enabled: true, Kind: store.KindProxy, Homepage: homepage + "/", Claims: claims.DefaultRules(),
			RefreshTokenLifetime: 720 * time.Hour, Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
		}))
	}
	const name = "__Host-wecom_auth_orders"
	member := w.visitor("sunqi", wecomsim.UserAgentWeComAndroid)
	w.signsInBehind(member, "orders", origin)
	w.signsInBehind(member, "invoices", "https://invoices.example.org")
	own, others := member.Cookies(name)[name], member.Cookies("__Host-wecom_auth_invoices")["__Host-wecom_auth_invoices"]
	if own == "" || others == "" {
		w.t.Fatal("the member is not signed in")
	}
	session := member.Cookies("__Host-wecom_session")["__Host-wecom_session"]
	ask := func(address, cookie string) testbrowser.Answer {
		options := []testbrowser.Option{testbrowser.Header("X-Auth-User", "forged"), testbrowser.Header("Host", "invoices.example.org")}
		if cookie != "" {
			options = append(options, testbrowser.Header("Cookie", cookie))
		}
		return testbrowser.New(testbrowser.Config{URL: address, Transport: w.Transport()}).Send(w.t, "GET", "/orders", options...)
	}
	_, foreign := w.deployOrders("orders-of-somebody-else", "orders")
	_, neighbour := w.deployOrders("invoices-of-somebody-else", "invoices")
	for what, asked := range map[string]struct {
		address, cookie string
		want            int
	}{
		"no cookie":                                 {address.URL, "", 401},
		"somebody else's cookie alone":              {address.URL, "theme=dark", 403},
		"a made-up cookie":                          {address.URL, name + "=a.b.c.d", 403},
		"a cookie with another end":                 {address.URL, name + "=" + own[:len(own)-1], 403},
		"the cookie of another application":         {address.URL, "__Host-wecom_auth_invoices=" + others, 403},
		"that cookie under the application's name":  {address.URL, name + "=" + others, 403},
		"the service's session":                     {address.URL, "__Host-wecom_session=" + session, 403},
		"an API that takes the application's name":  {foreign.URL, name + "=" + own, 403},
		"an API that takes another application's":   {neighbour.URL, "__Host-wecom_auth_invoices=" + others, 403},
		"the member":                                {address.URL, "theme=dark; " + name + "=" + own, 200},
		"the member, once more, by the kept answer": {address.URL, "theme=dark; " + name + "=" + own, 200},
	} {
		got := ask(asked.address, asked.cookie)
		if got.Status != asked.want {
			w.t.Errorf("%s: %d, want %d: %s", what, got.Status, asked.want, got.Body)
		}
		if got.Status == 200 {
			var answer struct{ Of string }
			if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || answer.Of == "" || answer.Of == "forged" || !strings.Contains(own, answer.Of) {
				w.t.Errorf("%s: %s", what, got.Body)
			}
		}
	}
	// After a sign-out, and the seconds for which the API keeps an answer.
	member.Expect(w.t, 302, "GET", "/.wecom-signin/orders/signout")
	awsstack.Until(w.t, "the API knows that the member has signed out", func() bool {
		return ask(address.URL, "theme=dark; "+name+"="+own).Status == 403
	})
	for _, stack := range []string{"orders", "orders-of-somebody-else", "invoices-of-somebody-else"} {
		w.Query(w.t, "cloudformation", "2010-05-15", "DeleteStack", url.Values{"StackName": {stack}})
		awsstack.Until(w.t, stack+" is deleted", func() bool {
			answer, err := w.TryQuery(w.t, "cloudformation", "2010-05-15", "DescribeStacks", url.Values{"StackName": {stack}})
			return err != nil || !strings.Contains(string(answer), "_IN_PROGRESS")
		})
	}
}

// gatewayAsksBelowAParentDomain asks the function about an application that shares the
// session: in the emulator no API has a domain of its own. Without the id of an API the
// emulator leaves the event as it is.
func (w *world) gatewayAsksBelowAParentDomain(cookie string) {
	w.t.Helper()
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "type": "REQUEST", "routeKey": "GET /orders", "rawPath": "/orders", "cookies": []string{cookie},
		"stageVariables": map[string]string{"wecomApplication": "shared"},
		"requestContext": map[string]any{"domainName": "shared.corp.example", "http": map[string]any{"method": "GET", "sourceIp": "198.51.100.7"}, "requestId": "r"},
		"headers":        map[string]string{},
	})
	must(w.t, err)
	answer := w.Call(w.t, "lambda", "POST", "/2015-03-31/functions/"+w.Resources(w.t)["SessionAuthorizerFunction"]+"/invocations", "", event)
	var said struct {
		IsAuthorized bool
		Context      map[string]string
	}
	must(w.t, json.Unmarshal(answer, &said))
	w.known.Add("token", said.Context["token"])
	if !said.IsAuthorized || said.Context["user"] == "" || strings.Count(said.Context["token"], ".") != 2 {
		w.t.Errorf("the session does not authorize: %s", answer)
	}
}
