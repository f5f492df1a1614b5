package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Rules works out what an authenticator makes of a member; *members.Evaluator implements it.
type Rules interface {
	Evaluate(ctx context.Context, a store.Authenticator, m wecom.Member, former []store.FormerUserID) (members.Evaluation, error)
	Departments(ctx context.Context, a store.Authenticator) ([]wecom.Department, error)
}

const (
	mostRules       = 50
	mostDepartments = 200 // of an allow
	mostTags        = 50  // of an allow; each is a call of WeCom in ten minutes
)

// ruleRole is the form of a role that a rule gives.
var ruleRole = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// roleRuleView is a rule as the API shows it, with one of its three conditions.
type roleRuleView struct {
	Department int64  `json:"department,omitempty"`
	Tag        int64  `json:"tag,omitempty"`
	Leader     bool   `json:"leader,omitempty"`
	Role       string `json:"role"`
}

func viewRules(rules []store.RoleRule) []roleRuleView {
	views := make([]roleRuleView, len(rules))
	for i, rule := range rules {
		views[i] = roleRuleView(rule)
	}
	return views
}

type allowView struct {
	Departments []int64  `json:"departments"`
	Tags        []int64  `json:"tags"`
	Roles       []string `json:"roles"`
}

func viewAllow(a store.Allow) allowView {
	return allowView{nonNil(a.Departments), nonNil(a.Tags), nonNil(a.Roles)}
}

// setRules sets the rules, without duplicates, in the order given.
func setRules(into *[]store.RoleRule, body *object) error {
	const name = "roleRules"
	given, there, err := body.objects(name)
	if err != nil || !there {
		return err
	}
	var rules []store.RoleRule
	for i, fields := range given {
		rule, wrong := parseRule(fields)
		if wrong != "" {
			return apierr.Invalid(name, fmt.Sprintf("Rule %d of roleRules %s", i+1, wrong))
		}
		if !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	if len(rules) > mostRules {
		return apierr.Invalid(name, fmt.Sprintf("roleRules must be at most %d rules.", mostRules))
	}
	*into = rules
	return nil
}

// parseRule returns a rule, or the rest of a sentence about what is wrong with it.
func parseRule(fields *object) (rule store.RoleRule, wrong string) {
	const form = `must be {"department": 12, "role": "finance"}, {"tag": 3, "role": "ops"} or {"leader": true, "role": "lead"}.`
	if len(fields.names) != 2 || !fields.has("role") {
		return rule, form
	}
	var err error
	if rule.Role, _, err = fields.text("role"); err != nil || !ruleRole.MatchString(rule.Role) {
		return rule, "must have a role of 1 to 64 lower-case letters, digits and _ - , beginning with a letter or digit."
	}
	if rule.Role == store.RoleAdmin {
		// Who may administer is nothing that a directory decides: somebody who may change a
		// tag there would become an administrator here.
		return rule, "gives the role admin, which no rule can give: administrators are chosen one by one."
	}
	department, hasDepartment := fields.values["department"]
	tag, hasTag := fields.values["tag"]
	var ok bool
	switch {
	case hasDepartment:
		rule.Department, ok = asNumber(department)
	case hasTag:
		rule.Tag, ok = asNumber(tag)
	default:
		ok = string(fields.values["leader"]) == "true"
		rule.Leader = ok
	}
	if !ok {
		return rule, form
	}
	return rule, ""
}

// asNumber returns the number of a department or a tag.
func asNumber(raw json.RawMessage) (number int64, ok bool) {
	ok = json.Unmarshal(raw, &number) == nil && number >= 1 && number <= 1<<32-1
	return number, ok
}

// setAllow sets who may sign in, or use an application. Members left out stay.
func setAllow(into *store.Allow, body *object) error {
	allow, there, err := body.object("allow")
	if err != nil || !there {
		return err
	}
	if err := allow.only([]string{"departments", "tags", "roles"}, nil); err != nil {
		return err
	}
	for _, list := range []struct {
		name string
		into *[]int64
		most int
	}{{"departments", &into.Departments, mostDepartments}, {"tags", &into.Tags, mostTags}} {
		raw, there := allow.values[list.name]
		if !there {
			continue
		}
		elements, ok := asArray(raw)
		numbers := make([]int64, 0, len(elements))
		for _, element := range elements {
			number, isNumber := asNumber(element)
			if ok = ok && isNumber; !slices.Contains(numbers, number) {
				numbers = append(numbers, number)
			}
		}
		if !ok || len(numbers) > list.most {
			return apierr.Invalid("allow."+list.name, fmt.Sprintf("%s must be at most %d numbers, as WeCom has them.", list.name, list.most))
		}
		if *list.into = numbers; len(numbers) == 0 {
			*list.into = nil
		}
	}
	roles, there, err := allow.texts("roles")
	if err != nil || !there {
		return err
	}
	if _, err := checkRoles(roles); err != nil {
		return apierr.Invalid("allow.roles", apierr.From(err).Detail)
	}
	into.Roles = unique(roles)
	return nil
}

// requireNewNumbers fails unless the body of a change to another corp gives anew what has
// numbers of departments and tags: they are the former corp's, and would give roles to, and let
// in, whomever they stand for in the new one. They are not cleared either: an empty Allow lets
// in everybody.
func requireNewNumbers(from store.Authenticator, body *object) error {
	isNumber := func(rule store.RoleRule) bool { return !rule.Leader }
	if slices.ContainsFunc(from.RoleRules, isNumber) && !body.has("roleRules") {
		return formerNumbers("roleRules")
	}
	allow, given, err := body.object("allow")
	if err != nil {
		return err
	}
	for _, list := range []struct {
		name    string
		numbers []int64
	}{{"departments", from.Allow.Departments}, {"tags", from.Allow.Tags}} {
		if len(list.numbers) > 0 && (!given || !allow.has(list.name)) {
			return formerNumbers("allow." + list.name)
		}
	}
	return nil
}

func formerNumbers(field string) error {
	return apierr.Invalid(field, "Departments and tags are numbers of one corp: give "+field+" for the new corpId in the same request, or empty it.")
}

// renewRules gives an authenticator another RulesVersion if checks of members could come to
// something else than before.
func renewRules(from store.Authenticator, to *store.Authenticator) {
	if !slices.Equal(from.RoleRules, to.RoleRules) || !sameAllow(from.Allow, to.Allow) || !slices.Equal(from.ApplicationTags, to.ApplicationTags) {
		to.RulesVersion = store.NewID()
	}
}

func sameAllow(a, b store.Allow) bool {
	return slices.Equal(a.Departments, b.Departments) && slices.Equal(a.Tags, b.Tags) && slices.Equal(a.Roles, b.Roles)
}

// lookUpTags has the authenticators that an application may use look up its tags, from the
// next check of each member on. It comes before the application is written, so that none
// names tags that nobody looks up.
func (h *handler) lookUpTags(ctx context.Context, application store.Application) error {
	if len(application.Allow.Tags) == 0 {
		return nil
	}
	lacks := func(a store.Authenticator) bool {
		lookedUp := a.LookedUpTags()
		return oauth.Takes(application, a.Name) && slices.ContainsFunc(application.Allow.Tags, func(tag int64) bool { return !slices.Contains(lookedUp, tag) })
	}
	authenticators, err := everyPage(ctx, h.Directory.Authenticators)
	if err != nil {
		return fmt.Errorf("list authenticators: %w", err)
	}
	for _, a := range slices.DeleteFunc(authenticators, func(a store.Authenticator) bool { return !lacks(a) }) {
		_, err := store.RetryChanged(ctx, func() (store.Authenticator, error) {
			from, err := h.Directory.Authenticator(ctx, a.Name)
			if errors.Is(err, store.ErrNotFound) || err == nil && !lacks(from) {
				return from, nil // deleted, or done by another request
			}
			if err != nil {
				return from, fmt.Errorf("read authenticator: %w", err)
			}
			to := from
			if to.ApplicationTags, err = h.applicationTags(ctx, a.Name, application); err != nil {
				return from, err
			}
			renewRules(from, &to)
			return h.updateAuthenticator(ctx, authenticatorChange(from, to), from, to)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// applicationTags returns the tags that applications name which may use an authenticator,
// one of them as it will be.
func (h *handler) applicationTags(ctx context.Context, authenticator string, willBe store.Application) ([]int64, error) {
	applications, err := everyPage(ctx, h.Directory.Applications)
	if err != nil {
		return nil, fmt.Errorf("list applications: %w", err)
	}
	var tags []int64
	for _, a := range append(applications, willBe) {
		if oauth.Takes(a, authenticator) && (a.ID != willBe.ID || a.Version == willBe.Version) {
			tags = append(tags, a.Allow.Tags...)
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags), nil
}

// everyPage returns a whole list.
func everyPage[T any](ctx context.Context, list func(context.Context, store.Page) ([]T, string, error)) (all []T, err error) {
	for cursor := ""; ; {
		items, next, err := list(ctx, store.Page{Cursor: cursor, Limit: maxLimit})
		if err != nil {
			return nil, err
		}
		if all = append(all, items...); next == "" || next == cursor {
			return all, nil
		}
		cursor = next
	}
}

// departments lists what the app of an authenticator may see, for choosing from.
func (h *handler) departments(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a, err := h.authenticator(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	departments, err := h.Rules.Departments(ctx, a)
	if err != nil {
		return h.directoryError(ctx, "list departments", err)
	}
	type view struct {
		ID       int64  `json:"id"`
		Name     string `json:"name"`
		ParentID int64  `json:"parentId"`
	}
	views := make([]view, len(departments))
	for i, d := range departments {
		views[i] = view{d.ID, d.Name, d.ParentID}
	}
	return apigw.WriteJSON(w, http.StatusOK, struct {
		Items []view `json:"items"`
	}{views})
}

// previewRules shows what a member would get, by the rules as they are or by those of the
// body. Nothing is stored.
func (h *handler) previewRules(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, []string{"wecomUserId", "roleRules", "allow"}, nil)
	if err != nil {
		return err
	}
	a, err := h.authenticator(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	if err := body.require("wecomUserId"); err != nil {
		return err
	}
	userID, _, err := body.text("wecomUserId")
	if err != nil {
		return err
	}
	if userID == "" || len(userID) > wecom.MaxUserID {
		return apierr.Invalid("wecomUserId", "wecomUserId must be the member's userid in WeCom, of 1 to 64 bytes.")
	}
	if err := setRules(&a.RoleRules, body); err != nil {
		return err
	}
	if err := setAllow(&a.Allow, body); err != nil {
		return err
	}
	m, err := h.member(ctx, a, userID)
	if err != nil {
		return err
	}
	u, err := h.userOfMember(ctx, a.CorpID, userID)
	if err != nil {
		return err
	}
	identity, _ := u.IdentityIn(a.CorpID)
	found, err := h.Rules.Evaluate(ctx, a, m, identity.Former)
	if err != nil {
		return h.directoryError(ctx, "evaluate rules", err)
	}
	view := rulesPreview{
		Roles: nonNil(found.Roles), Departments: claims.ViewDepartments(found.Departments),
		Allowed: found.Allowed || a.Allow.Allows(store.Identity{}, u.Roles),
	}
	switch {
	case m.Status == wecom.MemberDisabled:
		// A check would take the roles away, too.
		view.Roles, view.Allowed, view.Refusal = []string{}, false, apierr.UserDisabled
	case u.ID != "" && !u.Enabled:
		view.Allowed, view.Refusal = false, apierr.UserDisabled
	case !view.Allowed:
		view.Refusal = apierr.NotAllowed
	}
	return apigw.WriteJSON(w, http.StatusOK, view)
}

// rulesPreview is what a member would get.
type rulesPreview struct {
	Roles       []string            `json:"roles"`
	Allowed     bool                `json:"allowed"`
	Departments []claims.Department `json:"departments"`
	// Refusal is the code by which a sign-in would be refused, absent when Allowed.
	Refusal apierr.Code `json:"refusal,omitempty"`
}

// member asks WeCom for a member.
func (h *handler) member(ctx context.Context, a store.Authenticator, userID string) (m wecom.Member, err error) {
	err = accesstoken.Use(ctx, h.Tokens, accesstoken.AppOf(a, h.SecretName(a.ID)), func(token secret.Value) error {
		m, err = h.WeCom.Member(ctx, token, userID)
		return err
	})
	if err == nil {
		err = m.UnknownStatus()
	}
	answered, ok := errors.AsType[*wecom.Error](err)
	switch {
	case ok && answered.SaysNoMember(), err == nil && m.Status == wecom.MemberLeft:
		return m, &apierr.Error{Code: apierr.NotFound, Field: "wecomUserId", Detail: "WeCom knows no such member, as far as the app may see."}
	case err != nil:
		return m, h.directoryError(ctx, "ask for member", err)
	}
	return m, nil
}

// userOfMember returns the user whom a member is, the zero User if there is none yet.
func (h *handler) userOfMember(ctx context.Context, corpID, wecomUserID string) (store.User, error) {
	owner, err := h.Directory.OwnerOfIdentity(ctx, corpID, wecomUserID)
	if err == nil {
		var u store.User
		if u, err = h.Directory.User(ctx, owner.UserID); err == nil {
			return u, nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, nil
	}
	return store.User{}, fmt.Errorf("read user of member: %w", err)
}

// directoryError tells an administrator why WeCom's directory could not be read.
func (h *handler) directoryError(ctx context.Context, doing string, err error) error {
	explained := authflow.ExplainWeCom(err)
	failure, ok := errors.AsType[*apierr.Error](explained)
	if !ok {
		return fmt.Errorf("%s: %w", doing, err)
	}
	failure.Detail = "WeCom does not answer at the moment. Try again later."
	if answered, ok := errors.AsType[*wecom.Error](err); ok {
		apigw.LogField(ctx, "wecomCode", answered.Code)
		failure.Detail = fmt.Sprintf("WeCom answered with the error %d. The authenticator's check says more.", answered.Code)
	}
	return failure
}
