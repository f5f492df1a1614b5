package permissions

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// actions are those that a role may name. A list, because a name that AWS does not know
// is a permission that nobody has.
var actions = []string{
	"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:GetItem",
	"dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
	"lambda:InvokeFunction",
	"logs:CreateLogStream", "logs:PutLogEvents",
	"secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
	"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
	"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
}

// networkActions are what Lambda itself does with a function's role to connect the
// function to its subnets. They cannot be limited to resources that are known before.
var networkActions = []string{
	"ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
	"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
}

// Documents are what IAM shows of a role.
type Documents struct {
	// Trust is who may use it: a policy document.
	Trust string
	// Inline are its own policy documents, by name.
	Inline map[string]string
	// Managed are the ARNs of managed policies, and of a permissions boundary.
	Managed []string
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

// document is a policy of IAM, as far as it is understood.
type document struct {
	Version, ID string
	Statement   []statement
}

type statement struct {
	Sid, Effect      string
	Principal        map[string]texts
	Action, Resource texts
	// Condition leads from operators to keys to values.
	Condition map[string]map[string]texts
}

// texts are one text or several.
type texts []string

// UnmarshalJSON implements json.Unmarshaler.
func (t *texts) UnmarshalJSON(content []byte) error {
	if err := json.Unmarshal(content, (*[]string)(t)); err == nil {
		return nil
	}
	*t = texts{""}
	return json.Unmarshal(content, &(*t)[0])
}

func decode(policy string) (document, error) {
	decoder := json.NewDecoder(strings.NewReader(policy))
	decoder.DisallowUnknownFields()
	var d document
	err := decoder.Decode(&d)
	if err == nil && (d.Version != "2012-10-17" || len(d.Statement) == 0) {
		err = errors.New("it must have the version of 2012 and a statement")
	}
	return d, err
}

// read reads a role. All faults are reported together.
func (d Documents) read() (Role, error) {
	var role Role
	var faults []error
	if !trustsLambda(d.Trust) {
		faults = append(faults, errors.New("lambda.amazonaws.com may assume it, and nobody else"))
	}
	if len(d.Managed) > 0 {
		faults = append(faults, fmt.Errorf("roles here have inline policies and nothing else: %v", d.Managed))
	}
	denied := false
	for _, policy := range d.Inline {
		read, err := decode(policy)
		faults = append(faults, err)
		for _, s := range read.Statement {
			switch {
			case !slices.ContainsFunc(s.Action, func(action string) bool { return slices.Contains(networkActions, action) }):
				role.Statements = append(role.Statements, Statement{s.Action, s.Resource, s.Condition[forAllValues][leadingKeys]})
				faults = append(faults, s.check())
			case s.isNetwork("Allow") && s.Condition == nil:
				role.Network = true
			case s.isNetwork("Deny") && len(s.Condition) == 1 && s.demands("lambda:SourceFunctionArn"):
				denied = true
			default:
				faults = append(faults, errors.New("what Lambda needs to connect to a network must be allowed on every resource, and denied to the function's own code"))
			}
		}
	}
	if role.Network != denied {
		faults = append(faults, errors.New("what Lambda may do with the network, the function's own code must be denied"))
	}
	return role, errors.Join(append(faults, role.inexact()...)...)
}

func trustsLambda(policy string) bool {
	trust, err := decode(policy)
	if err != nil || len(trust.Statement) != 1 {
		return false
	}
	s := trust.Statement[0]
	return s.Effect == "Allow" && slices.Equal(s.Action, texts{"sts:AssumeRole"}) && s.Condition == nil &&
		len(s.Principal) == 1 && slices.Equal(s.Principal["Service"], texts{"lambda.amazonaws.com"})
}

// isNetwork reports whether a statement is about all of the network and nothing else.
func (s statement) isNetwork(effect string) bool {
	return s.Effect == effect && slices.Equal(slices.Sorted(slices.Values(s.Action)), networkActions) && slices.Equal(s.Resource, texts{"*"})
}

const (
	forAllValues = "ForAllValues:StringLike"
	leadingKeys  = "dynamodb:LeadingKeys"
)

// check refuses effects and conditions that are not understood. ForAllValues is true when
// there is no value at all, so Null has to demand one.
func (s statement) check() error {
	if s.Effect != "Allow" || s.Principal != nil {
		return fmt.Errorf("effect %s is not understood here", s.Effect)
	}
	limited := len(s.Condition) == 2 && len(s.Condition[forAllValues]) == 1 && len(s.Condition[forAllValues][leadingKeys]) > 0 && s.demands(leadingKeys)
	if s.Condition != nil && !limited {
		return fmt.Errorf("the condition must be %s of %s together with Null: false of the same", forAllValues, leadingKeys)
	}
	return nil
}

// demands reports whether a condition demands that a key is there.
func (s statement) demands(key string) bool {
	return len(s.Condition["Null"]) == 1 && slices.Equal(s.Condition["Null"][key], texts{"false"})
}

// inexact returns what a role does not say exactly.
func (r Role) inexact() (faults []error) {
	for _, s := range r.Statements {
		for _, action := range s.Actions {
			if !slices.Contains(actions, action) {
				faults = append(faults, fmt.Errorf("unknown action %s", action))
			}
		}
		for _, resource := range s.Resources {
			parts := strings.SplitN(resource, ":", 6)
			if len(parts) != 6 || parts[0] != "arn" || strings.Contains(strings.Join(parts[:5], ":"), "*") || !isPattern(parts[5]) {
				faults = append(faults, fmt.Errorf("resource %s is not an ARN, or has a * elsewhere than at its end", resource))
			}
		}
		for _, key := range s.Keys {
			if !isPattern(key) {
				faults = append(faults, fmt.Errorf("leading key %q has a * elsewhere than at its end", key))
			}
		}
	}
	return faults
}

// isPattern reports whether a text is exact or begins something: a * at its end only,
// and not alone.
func isPattern(text string) bool { return isExact(strings.TrimSuffix(text, "*")) }

func isExact(text string) bool { return text != "" && !strings.ContainsAny(text, "*?$") }

func matches(pattern, text string) bool {
	if beginning, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(text, beginning)
	}
	return pattern == text
}

// Grant is the smallest thing that a role allows: an action on a resource, of a table
// with the kind of record.
type Grant struct {
	Action   string
	Resource string // an ARN, or the beginning of some with * at the end
	Key      string // of records: a key, or the beginning of some with * at the end
}

func (g Grant) String() string { return strings.TrimRight(g.Action+" "+g.Resource+" "+g.Key, " ") }

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

// Call is one permission that a function needed. A transaction needs the permission
// of the underlying action for each item; the items of one action and table are one
// call here, because nobody promises that AWS does not judge their keys together.
type Call struct {
	Action   string // such as dynamodb:GetItem
	Resource string // an ARN
	// Keys are the values of the partition key, each once; nil where there is none.
	Keys []string
}
