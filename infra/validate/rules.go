package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

// rule is one of ours. It returns its faults.
type rule func(stack) []string

// checkRules reads the templates and applies every rule.
func checkRules(path string) (scope string, faults []string) {
	s, err := readStack(path)
	if err != nil {
		return "", []string{err.Error()}
	}
	rules := []rule{
		checkRoutes, checkAuthorizer, checkThrottles, checkAccessLog,
		checkFunctions, checkVariables, checkLogGroups,
		checkStatements, checkManagedPolicies,
		checkStateful, checkSecrets, checkPlaces,
		checkParameters, checkOutputs, checkNested,
	}
	for _, check := range rules {
		faults = append(faults, check(s)...)
	}
	// Last, because its words are about CloudFormation and not about this service.
	for _, t := range s.files(path) {
		if _, err := cloudformation.ReadFile(t); err != nil {
			faults = append(faults, err.Error())
		}
	}
	return fmt.Sprintf("%s, %s, %s", count(len(contract.Routes()), "route"),
		count(len(contract.Functions()), "function"), count(len(s.templates()), "template")), faults
}

// faults collects what a rule finds.
type faults []string

func (f *faults) add(format string, values ...any) { *f = append(*f, fmt.Sprintf(format, values...)) }

// sorted calls a function for every member, in the order of their names.
func sorted[V any](members map[string]V, each func(string, V)) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		each(name, members[name])
	}
}
