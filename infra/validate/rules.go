package main

import (
	"fmt"
	"maps"
	"slices"

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
		checkKinds, checkRoutes, checkAuthorizer, checkThrottles, checkAccessLog,
		checkFunctions, checkCode, checkVariables, checkLogGroups, checkChoices, checkRoles,
		checkStateful, checkTables, checkSecrets, checkRotation, checkPlaces,
		checkNetwork, checkAlarms, checkAlarmLimits, checkDashboard,
		checkParameters, checkOutputs, checkNested,
		// Last, because its words are about CloudFormation and not about this service.
		checkReferences,
	}
	for _, check := range rules {
		for _, fault := range check(s) {
			if !slices.Contains(faults, fault) {
				faults = append(faults, fault)
			}
		}
	}
	return fmt.Sprintf("%s, %s, %s", count(len(contract.Routes()), "route"),
		count(len(contract.Functions()), "function"), count(len(s.templates()), "template")), faults
}

// checkReferences finds what refers to nothing.
func checkReferences(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		if t.unreadable != nil {
			f.add("%v", t.unreadable)
		}
	}
	return f
}

// faults collects what a rule finds.
type faults []string

func (f *faults) add(format string, values ...any) { *f = append(*f, fmt.Sprintf(format, values...)) }

// addOnce adds what is not there yet.
func (f *faults) addOnce(format string, values ...any) {
	if fault := fmt.Sprintf(format, values...); !slices.Contains(*f, fault) {
		*f = append(*f, fault)
	}
}

// sorted calls a function for every member, in the order of their names.
func sorted[V any](members map[string]V, each func(string, V)) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		each(name, members[name])
	}
}
