package members

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// tagsAtOnce is how many tags are looked up at the same time.
const tagsAtOnce = 4

// Evaluator works out what the rules of an authenticator make of a member. Departments and
// tags come from WeCom once in ten minutes for the whole service. It is safe for concurrent
// use.
type Evaluator struct{ directory *directory }

// NewEvaluator returns an Evaluator with nothing in memory.
func NewEvaluator(cfg DirectoryConfig) *Evaluator {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Evaluator{&directory{cfg: cfg, memory: map[string]remembered{}}}
}

// Evaluate works out what an authenticator makes of a member of its corp, who had other
// userids before. An error says that departments or tags could not be read, and nothing about
// the member: *wecom.Error, *wecom.UnavailableError, an error of the store or of the secrets,
// the context's error.
func (e *Evaluator) Evaluate(ctx context.Context, a store.Authenticator, m wecom.Member, former []store.FormerUserID) (Evaluation, error) {
	departments, err := e.place(ctx, a, m)
	if err != nil {
		return Evaluation{}, err
	}
	tags, err := e.tagsOf(ctx, a, m.UserID, former, departments)
	if err != nil {
		return Evaluation{}, err
	}
	member := store.Identity{Departments: departments, Tags: tags}
	roles := rolesOf(a.RoleRules, member)
	return Evaluation{Departments: departments, Tags: tags, Roles: roles, Allowed: a.Allow.Allows(member, roles)}, nil
}

// Departments returns the departments that an authenticator's app may see, in order of their
// numbers. Errors as those of Evaluate.
func (e *Evaluator) Departments(ctx context.Context, a store.Authenticator) ([]wecom.Department, error) {
	tree, err := e.directory.tree(ctx, a)
	if err != nil {
		return nil, err
	}
	departments := make([]wecom.Department, 0, len(tree))
	for _, d := range tree {
		departments = append(departments, d)
	}
	slices.SortFunc(departments, func(a, b wecom.Department) int { return cmp.Compare(a.ID, b.ID) })
	return departments, nil
}

// place finds the member's departments in the tree.
func (e *Evaluator) place(ctx context.Context, a store.Authenticator, m wecom.Member) ([]store.Department, error) {
	if len(m.Departments) == 0 {
		return nil, nil
	}
	tree, err := e.directory.tree(ctx, a)
	if err != nil {
		return nil, err
	}
	departments := make([]store.Department, len(m.Departments))
	for i, d := range m.Departments {
		departments[i] = store.Department{ID: d.ID, Name: tree[d.ID].Name, Leader: d.Leader}
		departments[i].Above, departments[i].NamesAbove = tree.above(d.ID)
	}
	return departments, nil
}

// tagsOf returns those of the tags that are looked up which the member has: by itself, or as
// everybody in one of its departments.
func (e *Evaluator) tagsOf(ctx context.Context, a store.Authenticator, userID string, former []store.FormerUserID, departments []store.Department) ([]int64, error) {
	lookedUp := a.LookedUpTags()
	has := make([]bool, len(lookedUp))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(tagsAtOnce)
	for i, tag := range lookedUp {
		group.Go(func() error {
			tagged, err := e.directory.tag(ctx, a, tag)
			has[i] = tagged.has(userID, former) || slices.ContainsFunc(tagged.Departments, func(id int64) bool { return isIn(departments, id) })
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var tags []int64
	for i, tag := range lookedUp {
		if has[i] {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}

// rolesOf returns the roles that rules give to a member. The role of administrators is none
// of them, whatever the record says.
func rolesOf(rules []store.RoleRule, member store.Identity) []string {
	var roles []string
	for _, rule := range rules {
		if rule.Role != store.RoleAdmin && !slices.Contains(roles, rule.Role) && fits(rule, member) {
			roles = append(roles, rule.Role)
		}
	}
	return roles
}

func fits(rule store.RoleRule, member store.Identity) bool {
	switch {
	case rule.Department != 0:
		return isIn(member.Departments, rule.Department)
	case rule.Tag != 0:
		return slices.Contains(member.Tags, rule.Tag)
	default:
		return rule.Leader && slices.ContainsFunc(member.Departments, func(d store.Department) bool { return d.Leader })
	}
}

// isIn reports whether one of the departments is the one of a number or below it.
func isIn(departments []store.Department, id int64) bool {
	return slices.ContainsFunc(departments, func(d store.Department) bool { return d.IsIn(id) })
}
