package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

const (
	// longestRouted is how many seconds a function may run behind the gateway, which
	// waits 30 s; longestAuthorizer an authorizer, for which it waits 10 s ("Quotas for
	// configuring and running an HTTP API" in the API Gateway developer guide).
	longestRouted     = 29
	longestAuthorizer = 10
	// shortestRun is what a function needs that starts, reads a secret and asks a table.
	shortestRun = 5
	// longestRun is how many seconds Lambda lets any function run.
	longestRun = 900
)

// checkFunctions wants the functions of the contract, each called by somebody, and
// none that the gateway would give up on.
func checkFunctions(s stack) []string {
	var f faults
	found := s.main.resources(functionType)
	routed := map[string]bool{}
	for _, there := range routes(s, &faults{}) {
		for _, route := range there {
			routed[route.function] = true
		}
	}
	sorted(contract.Functions(), func(id string, want contract.Function) {
		r, there := found[id]
		switch {
		case !there:
			f.add("%s is missing", id)
			return
		case routed[id] && want.Uncalled != "":
			f.add("%s has a route, but %s", id, want.Uncalled)
		case !routed[id] && want.Uncalled == "":
			f.add("%s has no route and no other caller", id)
		}
		longest := longestRun
		switch {
		case id == contract.Authorizer:
			longest = longestAuthorizer
		case routed[id]:
			longest = longestRouted
		}
		written, _ := s.main.functionProperty(r, "Timeout").(string)
		if seconds, err := strconv.Atoi(written); err != nil || seconds < shortestRun || seconds > longest {
			f.add("%s: Timeout is %q, but must be a number and at most %d s, because of its caller, and at least %d s", id, written, longest, shortestRun)
		}
	})
	sorted(found, func(id string, _ resource) {
		if _, known := contract.Functions()[id]; !known {
			f.add("%s is not in the contract: give it routes and settings there, or a reason to have none", id)
		}
	})
	return f
}

// checkCode wants each function to be its own program, built by our Makefile; all run
// alike.
func checkCode(s stack) []string {
	var f faults
	global := object(s.main.section("Globals")["Function"])
	sorted(map[string]string{"Runtime": "provided.al2023", "Handler": "bootstrap", "Architectures": "${Architecture}"}, func(name, want string) {
		values := list(global[name])
		if value, _ := text(append(values, nil)[0]); len(values) != 1 || value != want {
			f.add("Globals: %s must be %s", name, want)
		}
		sorted(s.main.resources(functionType), func(id string, r resource) {
			if r.properties[name] != nil {
				f.add("%s has a %s of its own; all functions are built alike", id, name)
			}
		})
	})
	sorted(s.main.resources(functionType), func(id string, r resource) {
		want := "functions/" + strings.ToLower(strings.TrimSuffix(id, "Function")) + "/lambda"
		if code := s.main.functionProperty(r, "CodeUri"); code != want {
			f.add("%s: CodeUri is %v, not %s", id, code, want)
		}
	})
	return f
}

// checkVariables compares what each function is given with what its code reads. One
// too many is clutter at best and a right too many at worst; one too few is a fault
// that only AWS would show.
func checkVariables(s stack) []string {
	var f faults
	found := s.main.resources(functionType)
	global := object(at(s.main.section("Globals"), "Function", "Environment", "Variables"))
	sorted(contract.Functions(), func(id string, want contract.Function) {
		r, there := found[id]
		if !there {
			return // said already
		}
		given := map[string]any{}
		for _, variables := range []map[string]any{global, object(at(r.properties, "Environment", "Variables"))} {
			for name, value := range variables {
				given[name] = value
			}
		}
		read := map[string]bool{}
		for _, name := range want.Settings {
			read[string(name)] = true
			if len(choices(given[string(name)])) == 0 {
				f.add("%s reads %s, which is not set", id, name)
			}
		}
		sorted(given, func(name string, value any) {
			if !read[name] && len(choices(value)) > 0 {
				f.add("%s is given %s, which it does not read", id, name)
			}
		})
	})
	return f
}

// checkLogGroups wants for each function a log group of its own, and an end for every
// log line.
func checkLogGroups(s stack) []string {
	var f faults
	groups := s.main.resources("AWS::Logs::LogGroup")
	owners := map[string]string{}
	sorted(s.main.resources(functionType), func(id string, r resource) {
		logging := object(s.main.functionProperty(r, "LoggingConfig"))
		name, _ := at(logging, "LogGroup", "Ref").(string)
		if _, there := groups[name]; !there {
			f.add("%s: LoggingConfig names no log group of this template; Lambda would make one without end", id)
		}
		if len(logging) != 2 {
			f.add("%s: LoggingConfig must be LogFormat and LogGroup alone; a level would hide lines, and the metrics in them", id)
		}
		if logging["LogFormat"] != "JSON" {
			f.add("%s: LogFormat must be JSON, in which metrics and request ids are found", id)
		}
		want := "/aws/lambda/${AWS::StackName}/" + strings.ToLower(strings.TrimSuffix(id, "Function"))
		if written, _ := text(groups[name].properties["LogGroupName"]); written != want {
			f.add("%s: the name of its log group is %q, not %q, where alarms and operators look", id, written, want)
		}
		if other, taken := owners[name]; taken {
			f.add("%s shares the log group %s with %s; each has its own", id, name, other)
		}
		owners[name] = id
	})
	for _, t := range s.templates() {
		sorted(t.resources("AWS::Logs::LogGroup"), func(id string, r resource) {
			retention := r.properties["RetentionInDays"]
			if name, ok := at(retention, "Ref").(string); ok {
				parameter := object(t.section("Parameters")[name])
				allowed := list(parameter["AllowedValues"])
				if len(allowed) == 0 || slices.Contains(allowed, any("0")) {
					f.add("%s: the parameter %s of its retention must have AllowedValues, none of them 0", id, name)
				}
				return
			}
			written, _ := retention.(string)
			if days, err := strconv.Atoi(written); err != nil || days < 1 {
				f.add("%s has no RetentionInDays: its lines would be kept and paid for ever", id)
			}
		})
	}
	return f
}
