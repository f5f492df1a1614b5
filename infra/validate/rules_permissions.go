package main

import (
	"slices"
	"strings"
)

// madeAtRunTime are resources that no template can name exactly.
func madeAtRunTime() []string {
	return []string{
		// The secrets of authenticators, which administrators add; Secrets Manager puts
		// six characters behind every name.
		"arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${AWS::StackName}/authenticators/*",
	}
}

// networkActions are what Lambda itself does with a function's role to reach a VPC.
// EC2 takes no resource for them, or one that Lambda makes later ("Giving Lambda
// functions access to resources in an Amazon VPC" in the Lambda developer guide).
func networkActions() []string {
	return []string{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
		"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	}
}

// checkStatements reads every statement of every policy, wherever it stands.
func checkStatements(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.section("Resources"), func(id string, value any) {
			walk(value, nil, func(_ []string, value any) {
				statement := object(value)
				if _, isStatement := statement["Effect"]; isStatement {
					checkStatement(id, statement, &f)
				}
			})
		})
	}
	return f
}

func checkStatement(id string, statement map[string]any, f *faults) {
	if statement["Effect"] == "Deny" {
		return // it gives nothing
	}
	if statement["Effect"] != "Allow" {
		f.add("%s: a statement's Effect is neither Allow nor Deny", id)
	}
	for _, name := range []string{"NotAction", "NotResource", "NotPrincipal"} {
		if statement[name] != nil {
			f.add("%s: a statement has %s, which allows what nobody has listed", id, name)
		}
	}
	var actions []string
	for _, action := range list(statement["Action"]) {
		all, ok := texts(action)
		if !ok {
			f.add("%s: an action is not written as text", id)
		}
		actions = append(actions, all...)
	}
	for _, action := range actions {
		switch {
		case strings.ContainsAny(action, "*?$"):
			f.add("%s: action %s has a wildcard; name each action", id, action)
		case action == "dynamodb:Scan":
			f.add("%s: dynamodb:Scan reads a whole table, which nothing here does", id)
		}
	}
	for _, resource := range list(statement["Resource"]) {
		all, ok := texts(resource)
		if !ok {
			f.add("%s: a resource is not written as text, !Ref, !GetAtt, !Sub or !If of these", id)
		}
		for _, text := range all {
			switch {
			case !strings.ContainsAny(text, "*?") || slices.Contains(madeAtRunTime(), text):
			case text == "*" && len(actions) > 0 && !slices.ContainsFunc(actions, func(a string) bool { return !slices.Contains(networkActions(), a) }):
			default:
				f.add("%s: resource %s has a wildcard (actions %s); name the resource", id, text, strings.Join(actions, ", "))
			}
		}
	}
	for _, principal := range list(statement["Principal"]) {
		walk(principal, nil, func(_ []string, value any) {
			if value == "*" {
				f.add("%s: a statement is for everybody (Principal *)", id)
			}
		})
	}
}

// checkManagedPolicies refuses permissions that are written elsewhere.
func checkManagedPolicies(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.resources(), func(id string, r resource) {
			if r.properties["ManagedPolicyArns"] != nil || r.kind == "AWS::IAM::ManagedPolicy" {
				f.add("%s: a managed policy allows more than one function needs; write the statements", id)
			}
			if r.kind == functionType && r.properties["Policies"] != nil {
				f.add("%s: Policies are SAM's own words; write them into the function's role", id)
			}
		})
	}
	return f
}
