package permissions

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// withoutKeys are the reads of a shared table that no leading key limits, by the end
// of their resource, with the reason.
var withoutKeys = map[string]string{
	"dynamodb:Query /index/attempts-of-authenticator": "the key is the random id of an authenticator, any of which an administrator may ask for",
	"dynamodb:Query /index/lineages-of-user":          "the key is the id of a user, who asks for it or all of whose sessions have ended",
	"dynamodb:Query /index/attempts-of-user":          "the key is the id of a user, who asks for it, or any of whom an administrator may ask for",
	"dynamodb:Query /index/lines-of-user":             "an administrator may ask for every line of the audit",
	"dynamodb:Query /index/lines-of-actor":            "an administrator may ask for every line of the audit",
	"dynamodb:Query /index/lines-of-application":      "an administrator may ask for every line of the audit",
	"dynamodb:Query /index/lines-of-authenticator":    "an administrator may ask for every line of the audit",
	"dynamodb:Query /index/lines-of-type":             "an administrator may ask for every line of the audit",
}

// Function is what Lambda shows of a function.
type Function struct {
	Role     string // its name
	LogGroup string
	// Connected: it is in a network.
	Connected bool
	// Queue is the ARN of the one whose messages Lambda hands to it; empty: none.
	Queue string
	// Invokers is the policy document of who may invoke it; empty with a Queue, or for nobody yet.
	Invokers string
}

// Deployed is what there is of permissions in an account with one stack.
type Deployed struct {
	Functions map[string]Function  // by logical id
	Roles     map[string]Documents // by name
	// Beside are users, groups and managed policies.
	Beside []string
	// Network: there is one, with functions in it or without.
	Network bool
}

// Read reads the role of every function, by the function's logical id, and returns what
// is wrong about them as far as that shows without calls: what a role cannot be read
// from, a role of several functions or of none, a permission that comes from elsewhere,
// a shared table without leading keys, and a network that is not asked for.
func (d Deployed) Read() (map[string]Role, []string) {
	roles, faults := map[string]Role{}, []string{}
	owners := map[string][]string{}
	connected := false
	for id, function := range d.Functions {
		owners[function.Role] = append(owners[function.Role], id)
		connected = connected || function.Connected
		if function.Invokers != "" && !invokersNamed(function.Invokers) {
			faults = append(faults, id+": who may invoke a function is named by service and ARN")
		}
		if _, ok := d.Roles[function.Role]; !ok {
			faults = append(faults, fmt.Sprintf("%s: its role %s is not in the account", id, function.Role))
		}
	}
	for _, name := range d.Beside {
		faults = append(faults, name+" gives permissions beside the roles")
	}
	for name, documents := range d.Roles {
		if isOfAnotherService(documents) {
			continue
		}
		if len(owners[name]) != 1 {
			faults = append(faults, fmt.Sprintf("%s: it is the role of %d functions", name, len(owners[name])))
		}
		role, err := documents.read()
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		faults = append(faults, unlimited(name, role)...)
		for _, id := range owners[name] {
			roles[id] = role
			// Lambda takes its interfaces out of a network that every function has left
			// later, with the functions' roles.
			leaving := d.Network && !connected && role.Network
			if has := d.Functions[id].Connected; has != role.Network && !leaving {
				faults = append(faults, fmt.Sprintf("%s: the network is allowed: %v, and %s has one: %v", name, role.Network, id, has))
			}
		}
	}
	return roles, faults
}

// isOfAnotherService reports whether a role belongs to another service than Lambda and
// allows only what that needs: CodeDeploy, by its principal in a region, or EventBridge,
// which calls the bot.
func isOfAnotherService(d Documents) bool {
	trust, err := decode(d.Trust)
	if err != nil || len(trust.Statement) != 1 || len(trust.Statement[0].Principal) != 1 || len(trust.Statement[0].Principal["Service"]) != 1 {
		return false
	}
	service := trust.Statement[0].Principal["Service"][0]
	if strings.HasPrefix(service, "codedeploy.") {
		return len(d.Inline) == 0 && len(d.Managed) == 1 && strings.HasSuffix(d.Managed[0], ":aws:policy/service-role/AWSCodeDeployRoleForLambda")
	}
	bot, err := decode(d.Inline["bot"])
	return err == nil && service == "events.amazonaws.com" && len(d.Inline) == 1 && len(d.Managed) == 0 && len(bot.Statement) == 1 &&
		bot.Statement[0].Effect == "Allow" && slices.Equal(bot.Statement[0].Action, texts{"events:InvokeApiDestination"}) &&
		len(bot.Statement[0].Resource) == 1 && strings.Contains(bot.Statement[0].Resource[0], ":api-destination/") && isExact(bot.Statement[0].Resource[0])
}

// invokersNamed reports whether a policy names whoever may invoke a function: a service
// of AWS, and what of this account it acts for.
func invokersNamed(policy string) bool {
	read, err := decode(policy)
	for _, s := range read.Statement {
		source := s.Condition["ArnLike"]["AWS:SourceArn"]
		if len(source) != 1 || len(s.Principal["Service"]) != 1 || len(s.Principal) != 1 || !slices.Equal(s.Action, texts{"lambda:InvokeFunction"}) {
			return false
		}
		if parts := strings.SplitN(source[0], ":", 6); len(parts) != 6 || len(strings.Trim(parts[4], "0123456789")) > 0 || parts[4] == "" {
			return false
		}
	}
	return err == nil
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
