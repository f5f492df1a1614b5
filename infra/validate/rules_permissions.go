package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

// checkRoles reads every role under every choice. Whether a role allows more than its
// function calls is for the tests of package permissions, which make the calls.
func checkRoles(s stack) []string {
	var f faults
	template := s.main.evaluable
	if template == nil {
		return nil
	}
	checkRoleChoices(s, &f)
	connected := map[string][]string{}
	for _, c := range allChoices() {
		made, err := template.Evaluate(cloudformation.Values{Parameters: c.parameters})
		if err != nil {
			f.addOnce("with %s: %v", c.name, err)
			continue
		}
		roles, faults := permissions.Roles(made)
		for _, fault := range faults {
			f.addOnce("%s", fault)
		}
		for _, id := range slices.Sorted(maps.Keys(roles)) {
			if mode := c.parameters["EgressMode"]; roles[id].Network && !slices.Contains(connected[mode], id) {
				connected[mode] = append(connected[mode], id)
			}
		}
	}
	if !slices.Equal(connected["nat"], connected["nat-closing"]) {
		f.add("roles may use the network of %v with EgressMode nat, but of %v with nat-closing; Lambda takes its interfaces away with the role", connected["nat"], connected["nat-closing"])
	}
	return f
}

// checkRoleChoices wants roles to depend on nothing but those choices under which the
// tests of package permissions compare them with the calls. Any other could hide a
// right.
func checkRoleChoices(s stack, f *faults) {
	sorted(s.main.resources("AWS::IAM::Role"), func(id string, r resource) {
		if _, known := contract.Functions()[strings.TrimSuffix(id, "Role")+"Function"]; !known {
			f.add("%s is the role of no function", id)
		}
		if r.attributes["Condition"] != nil {
			f.add("%s: no choice may end a role", id)
		}
		walk(r.properties, nil, func(path []string, value any) {
			function := object(value)
			if function["Fn::FindInMap"] != nil {
				f.add("%s: %s depends on a map", id, strings.Join(path, "."))
			}
			if condition := list(function["Fn::If"]); len(condition) > 0 && condition[0] != "NewDirectory" && condition[0] != "NetworkStands" {
				f.add("%s: %s depends on %v; roles depend on NewDirectory and NetworkStands alone", id, strings.Join(path, "."), condition[0])
			}
		})
	})
}
