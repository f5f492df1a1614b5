package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

const (
	apiType      = "AWS::Serverless::HttpApi"
	functionType = "AWS::Serverless::Function"
	// administrator is the authorizer of /api/admin.
	administrator = "Administrator"
)

// foundRoute is a route that the template makes.
type foundRoute struct{ function, event, authorizer string }

// routes returns the routes by key; a key with two routes is there twice on AWS's
// side too, and is refused there half-way through a deployment.
func routes(s stack, f *faults) map[string][]foundRoute {
	found := map[string][]foundRoute{}
	sorted(s.main.resources(functionType), func(id string, r resource) {
		sorted(object(r.properties["Events"]), func(name string, value any) {
			if kind := at(value, "Type"); kind != "HttpApi" {
				f.add("%s: event %s is of type %v; routes of the HTTP API are all that calls a function of this service", id, name, kind)
				return
			}
			properties := object(at(value, "Properties"))
			sorted(properties, func(property string, _ any) {
				if !slices.Contains([]string{"ApiId", "Auth", "Method", "Path"}, property) {
					f.add("%s: event %s has the property %s, which these rules do not know", id, name, property)
				}
			})
			sorted(object(properties["Auth"]), func(property string, _ any) {
				if property != "Authorizer" {
					f.add("%s: the Auth of event %s has %s, which these rules do not know", id, name, property)
				}
			})
			if at(properties, "ApiId", "Ref") == nil {
				f.add("%s: event %s names no ApiId; SAM would make a second API for it, without limits and log", id, name)
			}
			method, _ := properties["Method"].(string)
			path, _ := properties["Path"].(string)
			key := strings.ToUpper(method) + " " + path
			if method == "" && path == "" {
				key = "$default"
			}
			authorizer, _ := at(properties, "Auth", "Authorizer").(string)
			found[key] = append(found[key], foundRoute{id, name, authorizer})
		})
	})
	return found
}

// checkRoutes compares the routes with the contract.
func checkRoutes(s stack) []string {
	var f faults
	found := routes(s, &f)
	wanted := map[string]bool{}
	for _, want := range contract.Routes() {
		wanted[want.Key] = true
		there := found[want.Key]
		switch {
		case len(there) == 0:
			f.add("route %s is missing: %s", want.Key, want.Why)
		case len(there) > 1:
			f.add("route %s is there twice: %s of %s and %s of %s", want.Key, there[0].event, there[0].function, there[1].event, there[1].function)
		case there[0].function != want.Function:
			f.add("route %s leads to %s, not to %s: %s", want.Key, there[0].function, want.Function, want.Why)
		}
		for _, route := range there {
			switch open := route.authorizer == "" || route.authorizer == "NONE"; {
			case want.Guarded && open:
				f.add("route %s has no authorizer: anybody could call %s", want.Key, route.function)
			case want.Guarded && route.authorizer != administrator:
				f.add("route %s has the authorizer %s, not %s", want.Key, route.authorizer, administrator)
			case !want.Guarded && !open:
				f.add("route %s has an authorizer, but is for everybody", want.Key)
			}
		}
	}
	sorted(found, func(key string, there []foundRoute) {
		if !wanted[key] {
			f.add("route %s (%s of %s) is not in the contract", key, there[0].event, there[0].function)
		}
	})
	return f
}

// checkAuthorizer holds the gateway to asking the function authorizer every time.
func checkAuthorizer(s stack) []string {
	var f faults
	apis := s.main.resources(apiType)
	if len(apis) != 1 {
		f.add("there are %d HTTP APIs, not one", len(apis))
	}
	sorted(apis, func(id string, api resource) {
		p := api.properties
		// What SAM drops without it is seen in the translation (checkTranslatedRoutes).
		if p["FailOnWarnings"] != nil {
			f.add("%s: FailOnWarnings must not be set; API Gateway warns of the server without a url that SAM writes, and would make no API", id)
		}
		if p["StageName"] != "$default" {
			f.add("%s: StageName must be $default; another one is put in front of every path", id)
		}
		authorizers := object(at(p, "Auth", "Authorizers"))
		if at(p, "Auth", "DefaultAuthorizer") != nil {
			f.add("%s: a DefaultAuthorizer would close public routes", id)
		}
		if names := slices.Sorted(maps.Keys(authorizers)); len(names) != 1 || names[0] != administrator {
			f.add("%s: authorizers are %v, not %s alone", id, names, administrator)
			return
		}
		a := object(authorizers[administrator])
		if function, _ := text(a["FunctionArn"]); function != "${"+contract.Authorizer+".Arn}" {
			f.add("%s: authorizer %s asks %s, not %s", id, administrator, function, contract.Authorizer)
		}
		if at(a, "Identity", "ReauthorizeEvery") != "0" {
			f.add("%s: authorizer %s must have ReauthorizeEvery 0; otherwise a rotated key or an ended session opens the admin API until the cache forgets it", id, administrator)
		}
		// IAM beside it, a role or another place to look for the key: what is not here
		// would change who is asked, or with what.
		for _, part := range []struct {
			value any
			names []string
		}{
			{p["Auth"], []string{"Authorizers"}},
			{a, []string{"AuthorizerPayloadFormatVersion", "EnableFunctionDefaultPermissions", "EnableSimpleResponses", "FunctionArn", "Identity"}},
			{a["Identity"], []string{"Headers", "ReauthorizeEvery"}},
		} {
			sorted(object(part.value), func(name string, _ any) {
				if !slices.Contains(part.names, name) {
					f.add("%s: Auth has %s, which these rules do not know", id, name)
				}
			})
		}
		if headers := list(at(a, "Identity", "Headers")); len(headers) != 1 || headers[0] != "Authorization" {
			f.add("%s: authorizer %s must be asked for the header Authorization alone", id, administrator)
		}
		if a["EnableFunctionDefaultPermissions"] != "true" {
			f.add("%s: authorizer %s must have EnableFunctionDefaultPermissions; without it the gateway may not ask it", id, administrator)
		}
		if a["AuthorizerPayloadFormatVersion"] != "2.0" || a["EnableSimpleResponses"] != "true" {
			f.add("%s: authorizer %s must have payload 2.0 with simple responses, which its function speaks", id, administrator)
		}
	})
	return f
}

// The highest bounds of a route. More would use up an account's concurrency before
// the gateway turns anything away.
const (
	highestRate  = 1000
	highestBurst = 2000
)

// checkThrottles wants a bound for every route: its own, or the default one.
func checkThrottles(s stack) []string {
	var f faults
	keys := routes(s, &faults{})
	bounded := func(settings any) bool {
		for name, highest := range map[string]float64{"ThrottlingRateLimit": highestRate, "ThrottlingBurstLimit": highestBurst} {
			written, _ := at(settings, name).(string)
			if n, err := strconv.ParseFloat(written, 64); err != nil || n <= 0 || n > highest {
				return false
			}
		}
		return len(object(settings)) == 2
	}
	sorted(s.main.resources(apiType), func(id string, api resource) {
		own := object(api.properties["RouteSettings"])
		standard := api.properties["DefaultRouteSettings"]
		byDefault := bounded(standard)
		if standard != nil && !byDefault {
			f.add("%s: DefaultRouteSettings must have ThrottlingRateLimit and ThrottlingBurstLimit above 0, at most %d and %d, and nothing else", id, highestRate, highestBurst)
		}
		sorted(keys, func(key string, _ []foundRoute) {
			settings, there := own[key]
			switch {
			case there && !bounded(settings):
				f.add("%s: RouteSettings of %s must have ThrottlingRateLimit and ThrottlingBurstLimit above 0, at most %d and %d, and nothing else", id, key, highestRate, highestBurst)
			case !there && !byDefault:
				f.add("%s: route %s has no throttle: no RouteSettings and no DefaultRouteSettings with rate and burst", id, key)
			}
		})
		sorted(own, func(key string, _ any) {
			if _, there := keys[key]; !there {
				f.add("%s: RouteSettings name %s, which is no route; the deployment would fail", id, key)
			}
		})
	})
	return f
}

// loggable are the values that the access log may hold. Paths and queries hold
// codes, states and what people look at; addresses and user agents are about people.
func loggable() []string {
	return []string{
		"$context.requestId", "$context.requestTime", "$context.requestTimeEpoch", "$context.routeKey", "$context.status",
		"$context.responseLatency", "$context.responseLength", "$context.integrationLatency", "$context.integrationStatus",
		"$context.integrationErrorMessage", "$context.authorizer.error", "$context.authorizer.latency", "$context.authorizer.status",
		"$context.error.responseType",
	}
}

var variable = regexp.MustCompile(`\$[A-Za-z{][A-Za-z0-9_.{}-]*`)

// checkAccessLog wants an access log of harmless fields.
func checkAccessLog(s stack) []string {
	var f faults
	sorted(s.main.resources(apiType), func(id string, api resource) {
		format, ok := at(api.properties, "AccessLogSettings", "Format").(string)
		if !ok {
			f.add("%s: there is no access log with a format as plain text", id)
			return
		}
		var fields map[string]string
		if err := json.Unmarshal([]byte(format), &fields); err != nil {
			f.add("%s: the format of the access log is no JSON object of texts: %v", id, err)
			return
		}
		sorted(fields, func(name, value string) {
			for _, used := range variable.FindAllString(value, -1) {
				if !slices.Contains(loggable(), used) {
					f.add("%s: the access log's field %s holds %s, which may carry a path, a query or a person", id, name, used)
				}
			}
		})
		destination, _ := text(at(api.properties, "AccessLogSettings", "DestinationArn"))
		group := strings.TrimSuffix(strings.TrimPrefix(destination, "${"), ".Arn}")
		if _, there := s.main.resources("AWS::Logs::LogGroup")[group]; !there || group != "ApiLogGroup" {
			f.add("%s: the access log goes to %q, not to the log group ApiLogGroup of this template", id, destination)
		}
	})
	return f
}
