package permissions

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// withoutKeys are the reads of a shared table that no leading key limits, by the end
// of their resource, with the reason.
var withoutKeys = map[string]string{
	"dynamodb:Query /index/attempts-of-authenticator": "the key is the random id of an authenticator, any of which an administrator may ask for",
	"dynamodb:Query /index/attempts-of-user":          "the key is the id of a user, any of whom an administrator may ask for",
}

// Roles reads the role of every function of a stack, by the function's logical id, and
// returns what is wrong about them as far as that shows without calls: what a role
// cannot be read from, a function without a role of its own, a role without a
// function, a permission that comes from elsewhere, a shared table without leading
// keys, and a network that is not asked for.
func Roles(stack *cloudformation.Stack) (map[string]Role, []string) {
	roles, faults := map[string]Role{}, []string{}
	leaving := networkStandsEmpty(stack)
	owners := map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(stack.Resources)) {
		resource := stack.Resources[id]
		switch {
		case resource.Type == "AWS::Serverless::Function":
			owner, fault := roleOf(id, resource)
			if fault != "" {
				faults = append(faults, fault)
				continue
			}
			owners[owner] = append(owners[owner], id)
		case strings.HasPrefix(resource.Type, "AWS::IAM::") && resource.Type != "AWS::IAM::Role",
			strings.HasSuffix(resource.Type, "Policy"):
			faults = append(faults, fmt.Sprintf("%s: an %s gives permissions beside the roles", id, resource.Type))
		case resource.Type == "AWS::Lambda::Function":
			faults = append(faults, id+": functions here are AWS::Serverless::Function")
		case resource.Type == "AWS::Lambda::Permission":
			if p := resource.Properties; p["Action"] != "lambda:InvokeFunction" || p["SourceArn"] == nil || p["SourceAccount"] == nil || p["Principal"] == "*" {
				faults = append(faults, id+": whoever may invoke a function is named by service, account and ARN")
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(stack.Resources)) {
		resource := stack.Resources[id]
		if resource.Type != "AWS::IAM::Role" {
			continue
		}
		functions := owners[id]
		delete(owners, id)
		if len(functions) != 1 {
			faults = append(faults, fmt.Sprintf("%s: it is the role of %d functions", id, len(functions)))
		}
		role, err := ReadRole(resource)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", id, err))
			continue
		}
		faults = append(faults, unlimited(id, role)...)
		for _, function := range functions {
			roles[function] = role
			if connected := hasNetwork(stack.Resources[function]); connected != role.Network && (!leaving || !role.Network) {
				faults = append(faults, fmt.Sprintf("%s: the network is allowed: %v, and %s has one: %v", id, role.Network, function, connected))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(owners)) {
		faults = append(faults, fmt.Sprintf("%s is the role of %s and is not in the template", id, strings.Join(owners[id], ", ")))
	}
	return roles, faults
}

func hasNetwork(function cloudformation.Resource) bool {
	_, connected := function.Properties["VpcConfig"]
	return connected
}

// networkStandsEmpty reports whether there is a network that every function has left.
// Lambda takes its interfaces out of it later, with the functions' roles.
func networkStandsEmpty(stack *cloudformation.Stack) bool {
	for _, resource := range stack.Resources {
		if resource.Type == "AWS::Serverless::Function" && hasNetwork(resource) {
			return false
		}
	}
	return stack.Resources["Network"].Type == "AWS::CloudFormation::Stack"
}

// roleOf returns the logical id of a function's role, which ends the name that
// CloudFormation gives it.
func roleOf(id string, function cloudformation.Resource) (role, fault string) {
	for _, name := range []string{"Policies", "PermissionsBoundary", "AssumeRolePolicyDocument", "Connectors"} {
		if _, there := function.Properties[name]; there {
			return "", fmt.Sprintf("%s: %s is there, the role alone should say what it may do", id, name)
		}
	}
	arn, _ := function.Properties["Role"].(string)
	_, name, ok := strings.Cut(arn, ":role/")
	if !ok {
		return "", id + ": it has no role of its own"
	}
	return name[strings.LastIndex(name, "-")+1:], ""
}

// manifold are resources that stand for more than one: the streams of a log group,
// and the secrets that are made at run time.
var manifold = regexp.MustCompile(`:log-group:[^:*]+:\*$|:secret:[^:*]+/authenticators/\*$`)

// unlimited returns what a role may do with every record of a table, and with
// resources that nobody has listed.
func unlimited(id string, role Role) []string {
	var faults []string
	for _, grant := range role.Grants() {
		if strings.HasSuffix(grant.Resource, "*") && !manifold.MatchString(grant.Resource) {
			faults = append(faults, fmt.Sprintf("%s: %s: name the resource", id, grant))
		}
		if !strings.HasPrefix(grant.Action, "dynamodb:") || grant.Key != "" {
			continue
		}
		excepted := false
		for exception := range withoutKeys {
			action, end, _ := strings.Cut(exception, " ")
			excepted = excepted || action == grant.Action && strings.HasSuffix(grant.Resource, end)
		}
		if !excepted {
			faults = append(faults, fmt.Sprintf("%s: %s without leading keys", id, grant))
		}
	}
	return faults
}
