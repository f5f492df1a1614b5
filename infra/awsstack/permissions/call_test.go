package permissions

import (
	"slices"
	"strings"
)

// Families are beginnings of ARNs that stand for all that begin so, as far as a role
// can tell them: the secrets of authenticators are made at run time.
type Families []string

// Grants returns what a role must allow for this call and no more.
func (c Call) Grants(families Families) []Grant {
	resource := c.Resource
	for _, family := range families {
		if strings.HasPrefix(resource, family) {
			resource = family + "*"
		}
	}
	if !c.hasKeys() {
		return []Grant{{Action: c.Action, Resource: resource}}
	}
	var grants []Grant
	for _, key := range c.Keys {
		grant := Grant{Action: c.Action, Resource: resource, Key: kindOf(key)}
		if !slices.Contains(grants, grant) {
			grants = append(grants, grant)
		}
	}
	return grants
}

// hasKeys reports whether leading keys can limit the call. The keys of an index are
// ids, which tell nothing apart.
func (c Call) hasKeys() bool {
	return len(c.Keys) > 0 && !strings.Contains(c.Resource, "/index/")
}

// kindOf returns the kind of record that a partition key is of: what is in front of
// the first # is the kind, one without is a kind of its own (package dynamo). Lines of the
// audit are kept by hours, and no role knows which. A lease on telling applications is beside
// what was fetched, and its role may use nothing else there.
func kindOf(key string) string {
	if strings.HasPrefix(key, "2") {
		return "2*"
	}
	if strings.HasPrefix(key, "token#logout/") {
		return "token#logout/*"
	}
	if kind, _, ok := strings.Cut(key, "#"); ok {
		return kind + "#*"
	}
	return key
}
