package permissions_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack/permissions"
)

// The built functions make every call that they ever make, and each one's role allows
// these and nothing else, in every way that the template may be deployed.
func TestRolesAllowWhatFunctionsDo(t *testing.T) {
	w := deploy(t)
	t.Run("journeys", func(t *testing.T) {
		w.t = t
		journeys(t, w)
	})
	w.t = t
	deployed := w.Permissions(t)
	r := recorded{
		calls:    map[string][]permissions.Call{},
		families: permissions.Families{"arn:aws:secretsmanager:eu-central-1:111122223333:secret:" + stackName + "/authenticators/"},
	}
	calls := w.Calls(t)
	for id, function := range deployed.Functions {
		r.calls[id] = calls[function.Role]
	}
	// The signing keys were read while proxies got tokens, which is not so by default.
	const asked = "ForwardAuthFunction"
	signing, whole := w.Resources(t)["SigningKeys"], r.calls[asked]
	r.calls[asked] = slices.DeleteFunc(slices.Clone(whole), func(c permissions.Call) bool { return c.Resource == signing })
	if len(r.calls[asked]) == len(whole) {
		t.Error("no token was made for a proxy")
	}
	compare := func(t *testing.T, deployed permissions.Deployed) {
		for _, fault := range r.judge(deployed) {
			t.Error(fault)
		}
	}
	t.Run("as it is deployed by default", func(t *testing.T) { compare(t, deployed) })
	t.Run("mistakes are found", func(t *testing.T) { find(t, mistakes, w, r, deployed) })
	t.Run("with fixed addresses and a bot", func(t *testing.T) {
		w.Update(t, map[string]string{"EgressMode": "nat", "AlarmBotSecret": "bot"})
		connected := w.Permissions(t)
		compare(t, connected)
		find(t, networkMistakes, w, r, connected)
	})
	t.Run("on the way out of the network, with tokens for proxies", func(t *testing.T) {
		w.Update(t, map[string]string{"EgressMode": "nat-closing", "ForwardAuthTokens": "on"})
		r.calls[asked] = whole
		compare(t, w.Permissions(t))
	})
	t.Run("without an address of its own", func(t *testing.T) {
		w.Update(t, map[string]string{"PublicUrl": ""})
		w.t = t
		w.hasNoAddress()
	})
	t.Run("with a restored directory", func(t *testing.T) {
		table := func(name string) string { return "arn:aws:dynamodb:eu-central-1:111122223333:table/" + name }
		own := table(w.Outputs(t)["DirectoryTable"])
		w.Update(t, map[string]string{"EgressMode": "none", "DirectoryTableName": "restored-directory"})
		for _, calls := range r.calls {
			for i := range calls {
				if calls[i].Resource == own {
					calls[i].Resource = table("restored-directory")
				}
			}
		}
		compare(t, w.Permissions(t))
	})
	t.Run("logs", w.checkLogs)
}

// recorded is what the functions did, by their logical ids.
type recorded struct {
	calls    map[string][]permissions.Call
	families permissions.Families
}

// judge returns everything that is wrong about the roles of the functions.
func (r recorded) judge(deployed permissions.Deployed) []string {
	roles, faults := deployed.Read()
	for _, id := range slices.Sorted(maps.Keys(deployed.Functions)) {
		for _, fault := range permissions.Compare(roles[id], r.calls[id], r.families, deployed.Functions[id]) {
			faults = append(faults, id+": "+fault)
		}
	}
	return faults
}
