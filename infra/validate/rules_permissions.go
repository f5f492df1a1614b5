package main

import (
	"maps"
	"slices"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
)

// checkRoles reads every role under every choice. Whether a role allows more than its
// function calls is for the tests of package permissions, which make the calls.
func checkRoles(s stack) []string {
	var f faults
	template := s.main.evaluable
	if template == nil {
		return nil
	}
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
