package permissions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// actions are those that a role may name, by service. A list, because a name that
// AWS does not know is a permission that nobody has.
var actions = []string{
	"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
	"dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
	"logs:CreateLogStream", "logs:PutLogEvents",
	"secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
	"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
}

// networkActions are what Lambda itself does with a function's role to connect the
// function to its subnets. They cannot be limited to resources that are known before.
var networkActions = []string{
	"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
	"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
}

// Role is what a function may do.
type Role struct {
	Statements []Statement
	// Network: Lambda may connect the function to a network, its own code may not.
	Network bool
}

// Statement allows some actions on some resources.
type Statement struct {
	Actions   []string
	Resources []string
	// Keys are the leading keys, exact or with * at the end; nil: any.
	Keys []string
}

// ReadRole reads an AWS::IAM::Role whose functions are resolved. All faults are
// reported together.
func ReadRole(resource cloudformation.Resource) (Role, error) {
	r := roleReader{}
	if resource.Type != "AWS::IAM::Role" {
		return Role{}, fmt.Errorf("read role: it is an %s", resource.Type)
	}
	for name, value := range resource.Properties {
		switch name {
		case "AssumeRolePolicyDocument":
			r.trust(value)
		case "Policies":
			for i, policy := range listOf(value) {
				r.policy(fmt.Sprintf("Policies[%d]", i), policy)
			}
		case "Description":
		default:
			r.fault(name, "roles here have inline policies and nothing else")
		}
	}
	if resource.Properties["AssumeRolePolicyDocument"] == nil {
		r.fault("AssumeRolePolicyDocument", "it is missing")
	}
	if r.networkAllowed != r.networkDenied {
		r.fault("Policies", "what Lambda may do with the network, the function's own code must be denied")
	}
	r.role.Network = r.networkAllowed
	if err := errors.Join(r.faults...); err != nil {
		return Role{}, fmt.Errorf("read role: %w", err)
	}
	return r.role, nil
}

type roleReader struct {
	role                          Role
	faults                        []error
	networkAllowed, networkDenied bool
}

func (r *roleReader) fault(place, format string, values ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s: %s", place, fmt.Sprintf(format, values...)))
}

const policyVersion = "2012-10-17"

// trust reads who may use the role: Lambda and nobody else.
func (r *roleReader) trust(value any) {
	const place = "AssumeRolePolicyDocument"
	document := objectOf(value)
	statements := listOf(document["Statement"])
	if document["Version"] != policyVersion || len(document) != 2 || len(statements) != 1 {
		r.fault(place, "it must have a Version and one Statement")
		return
	}
	statement := objectOf(statements[0])
	principal := objectOf(statement["Principal"])
	if len(statement) != 3 || statement["Effect"] != "Allow" || len(principal) != 1 ||
		!slices.Equal(textsOf(principal["Service"]), []string{"lambda.amazonaws.com"}) ||
		!slices.Equal(textsOf(statement["Action"]), []string{"sts:AssumeRole"}) {
		r.fault(place, "lambda.amazonaws.com may assume it, and nobody else")
	}
}

func (r *roleReader) policy(place string, value any) {
	policy := objectOf(value)
	document := objectOf(policy["PolicyDocument"])
	if len(policy) != 2 || policy["PolicyName"] == nil || len(document) != 2 || document["Version"] != policyVersion {
		r.fault(place, "it must have a PolicyName and a PolicyDocument with Version %s", policyVersion)
		return
	}
	statements := listOf(document["Statement"])
	if len(statements) == 0 {
		r.fault(place, "it has no statement")
	}
	for i, statement := range statements {
		r.statement(fmt.Sprintf("%s.Statement[%d]", place, i), objectOf(statement))
	}
}

func (r *roleReader) statement(place string, written map[string]any) {
	for name := range written {
		if !slices.Contains([]string{"Sid", "Effect", "Action", "Resource", "Condition"}, name) {
			r.fault(place, "%s is not understood", name)
			return
		}
	}
	s := Statement{Actions: textsOf(written["Action"]), Resources: textsOf(written["Resource"])}
	if len(s.Actions) == 0 || len(s.Resources) == 0 {
		r.fault(place, "it must have an Action and a Resource")
		return
	}
	if slices.Contains(networkActions, s.Actions[0]) {
		r.network(place, written, s)
		return
	}
	if written["Effect"] != "Allow" {
		r.fault(place, "effect %v is not understood here", written["Effect"])
		return
	}
	for _, action := range s.Actions {
		if !slices.Contains(actions, action) {
			r.fault(place, "unknown action %s", action)
		}
	}
	for _, resource := range s.Resources {
		parts := strings.SplitN(resource, ":", 6)
		if len(parts) != 6 || parts[0] != "arn" || strings.Contains(strings.Join(parts[:5], ":"), "*") || !isPattern(parts[5]) {
			r.fault(place, "resource %s is no ARN, or has a * elsewhere than at its end", resource)
		}
	}
	if condition, conditional := written["Condition"]; conditional {
		s.Keys = r.keys(place, condition)
	}
	r.role.Statements = append(r.role.Statements, s)
}

// network recognises the two statements about the network, which come as a pair.
func (r *roleReader) network(place string, written map[string]any, s Statement) {
	if !slices.Equal(slices.Sorted(slices.Values(s.Actions)), networkActions) || !slices.Equal(s.Resources, []string{"*"}) {
		r.fault(place, "it must have the actions of Lambda's connection to a network, on every resource")
		return
	}
	condition, conditional := written["Condition"]
	switch {
	case written["Effect"] == "Allow" && !conditional:
		r.networkAllowed = true
	case written["Effect"] == "Deny" && isNull(condition, "lambda:SourceFunctionArn") && len(objectOf(condition)) == 1:
		r.networkDenied = true
	default:
		r.fault(place, "the network is allowed without a condition, and denied to the function's own code")
	}
}

const leadingKeys = "dynamodb:LeadingKeys"

// keys reads the one condition that is understood. ForAllValues is true when there is
// no value at all, so Null has to demand one.
func (r *roleReader) keys(place string, condition any) []string {
	operators := objectOf(condition)
	compared := objectOf(operators["ForAllValues:StringLike"])
	keys := textsOf(compared[leadingKeys])
	if len(operators) != 2 || len(compared) != 1 || len(keys) == 0 || !isNull(condition, leadingKeys) {
		r.fault(place, "the condition must be ForAllValues:StringLike of %s together with Null: false of the same", leadingKeys)
	}
	for _, key := range keys {
		if !isPattern(key) {
			r.fault(place, "leading key %q has a * elsewhere than at its end", key)
		}
	}
	return keys
}

// isNull reports whether a condition demands that a key is there.
func isNull(condition any, key string) bool {
	null := objectOf(objectOf(condition)["Null"])
	return len(null) == 1 && fmt.Sprint(null[key]) == "false"
}

// isPattern reports whether a text is exact or begins something: a * at its end only,
// and not alone.
func isPattern(text string) bool {
	beginning := strings.TrimSuffix(text, "*")
	return beginning != "" && !strings.ContainsAny(beginning, "*?$")
}

func matches(pattern, text string) bool {
	if beginning, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(text, beginning)
	}
	return pattern == text
}

// Allows reports whether IAM would let the call through. Like IAM it wants all keys of
// a call in one statement.
func (r Role) Allows(c Call) bool {
	return slices.ContainsFunc(r.Statements, func(s Statement) bool {
		return slices.Contains(s.Actions, c.Action) &&
			slices.ContainsFunc(s.Resources, func(pattern string) bool { return matches(pattern, c.Resource) }) &&
			(s.Keys == nil || len(c.Keys) > 0 && !slices.ContainsFunc(c.Keys, func(key string) bool {
				return !slices.ContainsFunc(s.Keys, func(pattern string) bool { return matches(pattern, key) })
			}))
	})
}

// Grants takes the role apart.
func (r Role) Grants() []Grant {
	var grants []Grant
	for _, s := range r.Statements {
		keys := s.Keys
		if keys == nil {
			keys = []string{""}
		}
		for _, action := range s.Actions {
			for _, resource := range s.Resources {
				for _, key := range keys {
					grants = append(grants, Grant{action, resource, key})
				}
			}
		}
	}
	return grants
}

// objectOf, listOf and textsOf read a value of a policy; what is of another kind is
// empty, and so refused.
func objectOf(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

// listOf takes a list, or one element without a list around it.
func listOf(value any) []any {
	switch value := value.(type) {
	case []any:
		return value
	case nil:
		return nil
	}
	return []any{value}
}

func textsOf(value any) []string {
	list := listOf(value)
	texts := make([]string, len(list))
	for i, element := range list {
		text, ok := element.(string)
		if !ok {
			return nil
		}
		texts[i] = text
	}
	return texts
}
