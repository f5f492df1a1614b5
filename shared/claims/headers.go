package claims

import (
	"net/url"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// ForHeaders returns what a proxy hands to the software behind it, as request headers:
// all of them always, empty where nothing is known or the rules keep it back, so that a
// visitor cannot send one instead. Names, roles and groups are percent-encoded UTF-8, with a
// blank between two roles or groups; no value has a comma.
func ForHeaders(m Member, rules store.ClaimRules) List {
	s := source{m, rules, true}
	address, _ := email(s).(string)
	if !ascii.IsVisible(address) || strings.Contains(address, ",") {
		address = ""
	}
	number, _ := phoneNumber(s).(string)
	return List{
		{"X-Auth-User", s.User.ID, ScopeOpenID},
		{"X-Auth-Name", url.PathEscape(s.User.Name), ScopeProfile},
		{"X-Auth-Email", address, ScopeEmail},
		{"X-Auth-Phone", number, ScopePhone},
		{"X-Auth-Roles", escaped(cutRoles(s)), ScopeGroups},
		{"X-Auth-Groups", escaped(cutGroups(s)), ScopeGroups},
	}
}

func escaped(texts []string) string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = url.PathEscape(text)
	}
	return strings.Join(all, " ")
}
