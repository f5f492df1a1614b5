package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

const (
	// gatewayWait is how many seconds an HTTP API waits for a function, and
	// authorizerWait for an authorizer ("Quotas for configuring and running an HTTP
	// API" in the API Gateway developer guide).
	gatewayWait    = 30
	authorizerWait = 10
	// longestRun is how many seconds Lambda lets a function run.
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
		wait := map[bool]int{true: gatewayWait, false: longestRun + 1}[routed[id]]
		if id == contract.Authorizer {
			wait = authorizerWait + 1
		}
		written, _ := s.main.functionProperty(r, "Timeout").(string)
		if seconds, err := strconv.Atoi(written); err != nil || seconds < 1 || seconds >= wait {
			f.add("%s: Timeout is %q, but must be a number below the %d s that its caller waits", id, written, wait)
		}
	})
	sorted(found, func(id string, _ resource) {
		if _, known := contract.Functions()[id]; !known {
			f.add("%s is not in the contract: give it routes and settings there, or a reason to have none", id)
		}
	})
	sorted(s.main.resources("AWS::Lambda::Function"), func(id string, _ resource) {
		f.add("%s is an AWS::Lambda::Function: a function of this service is an %s", id, functionType)
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
		sorted(given, func(name string, _ any) {
			if !read[name] {
				f.add("%s is given %s, which it does not read", id, name)
			}
		})
	})
	return f
}

// checkLogGroups wants for each function a log group and a role that are its own,
// and an end for every log line.
func checkLogGroups(s stack) []string {
	var f faults
	groups := s.main.resources("AWS::Logs::LogGroup")
	roles := s.main.resources("AWS::IAM::Role")
	group, role := owners{}, owners{}
	sorted(s.main.resources(functionType), func(id string, r resource) {
		logging := object(s.main.functionProperty(r, "LoggingConfig"))
		name, _ := at(logging, "LogGroup", "Ref").(string)
		if _, there := groups[name]; !there {
			f.add("%s: LoggingConfig names no log group of this template; Lambda would make one without end", id)
		}
		if logging["LogFormat"] != "JSON" {
			f.add("%s: LogFormat must be JSON, in which metrics and request ids are found", id)
		}
		group.claim(id, "log group", name, &f)
		arn, _ := text(s.main.functionProperty(r, "Role"))
		name = strings.TrimSuffix(strings.TrimPrefix(arn, "${"), ".Arn}")
		if _, there := roles[name]; !there {
			f.add("%s: Role is no role of this template", id)
			return
		}
		role.claim(id, "role", name, &f)
		if !assumable(roles[name]) {
			f.add("%s: Lambda may not assume it, and nobody else should; %s could not start", name, id)
		}
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

// owners says which function has what.
type owners map[string]string

func (o owners) claim(id, what, name string, f *faults) {
	if other, taken := o[name]; taken && name != "" {
		f.add("%s shares the %s %s with %s; each has its own", id, what, name, other)
	}
	o[name] = id
}

// assumable is whether Lambda and nobody else takes on a role.
func assumable(role resource) bool {
	statements := list(at(role.properties, "AssumeRolePolicyDocument", "Statement"))
	if len(statements) != 1 {
		return false
	}
	statement := object(statements[0])
	principal := object(statement["Principal"])
	return statement["Effect"] == "Allow" && slices.Equal(list(statement["Action"]), []any{"sts:AssumeRole"}) &&
		len(principal) == 1 && slices.Equal(list(principal["Service"]), []any{"lambda.amazonaws.com"})
}
