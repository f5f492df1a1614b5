package claims

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	// maxGroups bounds the groups of a claim.
	maxGroups = 50
	// maxGroupBytes and maxRoleBytes bound two lists in a token, which must stay below 4 kB.
	// The departments have what these leave of it, after the claim's own name. Userinfo and
	// introspection have no such bound.
	maxGroupBytes      = 650
	maxRoleBytes       = 200
	maxDepartmentBytes = maxGroupBytes + maxRoleBytes - len(`"departments":[],`)
)

// Member is what the service knows of a member who signed in; MemberOf returns one.
type Member struct {
	User store.User
	// CorpID is that of the session or the grant: a user may be a member of several corps.
	// WeComUserID is the member's there, as it is now.
	CorpID, WeComUserID string
	// OneCorp says that only members of CorpID can sign in to the application. Otherwise
	// another corp may give somebody the same userid, or write any email address: neither
	// is told as a name.
	OneCorp bool
}

// MemberOf returns the member of a corp that a user is now. began is the userid with which the
// session or the grant began: the member may have another one since.
func MemberOf(u store.User, corpID, began string) Member {
	return Member{User: u, CorpID: corpID, WeComUserID: u.WeComUserIDIn(corpID, began)}
}

// Department is a department of the member, as the claim and GET /api/session have it.
type Department struct {
	ID     int64  `json:"id"`
	Name   string `json:"name"` // empty when WeCom does not tell
	Leader bool   `json:"leader"`
}

// DepartmentsOf returns the departments of a member, none without any.
func DepartmentsOf(m Member) []Department {
	return ViewDepartments(m.identity().Departments)
}

// ViewDepartments returns departments as callers are shown them.
func ViewDepartments(known []store.Department) []Department {
	departments := make([]Department, len(known))
	for i, d := range known {
		departments[i] = Department{d.ID, d.Name, d.Leader}
	}
	return departments
}

// identity returns the identity that the member signed in by, the zero Identity when
// another member of the corp is the user now.
func (m Member) identity() store.Identity {
	identity, _ := m.User.IdentityIn(m.CorpID)
	if store.FoldUserID(identity.WeComUserID) != store.FoldUserID(m.WeComUserID) {
		return store.Identity{}
	}
	return identity
}

// Claim is one thing that an application is told.
type Claim struct {
	Name  string
	Value any
	Scope string // that to which the claim belongs
}

// List are claims in the order of the table, each name once.
type List []Claim

// Map returns the claims as a token or a document has them.
func (l List) Map() map[string]any {
	all := make(map[string]any, len(l))
	for _, c := range l {
		all[c.Name] = c.Value
	}
	return all
}

// source is what a definition makes a claim of.
type source struct {
	Member
	rules   store.ClaimRules
	bounded bool // in a token
}

// definition is a row of the table. of returns nil when there is nothing to tell.
type definition struct {
	name, scope string
	of          func(source) any
}

// groupsName stands in the table for the name that an application's rules give the groups.
const groupsName = "groups"

// table says which scope gives which claim (OpenID Connect Core 1.0 §5.4), and how.
func table() []definition {
	return []definition{
		{"sub", ScopeOpenID, func(s source) any { return known(s.User.ID) }},

		{"name", ScopeProfile, func(s source) any { return known(s.User.Name) }},
		{"preferred_username", ScopeProfile, preferredUsername},
		{"picture", ScopeProfile, func(s source) any { return known(s.User.Avatar) }},
		{"updated_at", ScopeProfile, updatedAt},
		{"corp_id", ScopeProfile, func(s source) any { return known(s.CorpID) }},
		{"wecom_userid", ScopeProfile, func(s source) any { return known(s.WeComUserID) }},

		{"phone_number", ScopePhone, phoneNumber},
		// WeCom lets nobody join without proving the number.
		{"phone_number_verified", ScopePhone, func(s source) any { return verified(phoneNumber(s)) }},

		{"email", ScopeEmail, email},
		{"email_verified", ScopeEmail, func(s source) any { return verified(email(s)) }},

		{groupsName, ScopeGroups, func(s source) any { return some(cutGroups(s)) }},
		{"roles", ScopeGroups, func(s source) any { return some(cutRoles(s)) }},
		{"departments", ScopeGroups, func(s source) any { return some(cutDepartments(s)) }},
		{"groups_truncated", ScopeGroups, groupsTruncated},
	}
}

// Names returns the names of the claims about a member, for the issuer's metadata. An
// application may have another name for the groups.
func Names() []string {
	var names []string
	for _, d := range table() {
		names = append(names, d.name)
	}
	return names
}

// DefaultRules are those of an application whose administrator chose nothing.
func DefaultRules() store.ClaimRules {
	return store.ClaimRules{
		GroupsName: groupsName, GroupsFrom: []string{"roles", "departments"}, GroupsAs: "id",
		Email: "none", PreferredUsername: "wecom_userid", Phone: true, InIDToken: true,
	}
}

// IsGroupsName reports whether an application may give its groups this name: 1 to 64
// letters, digits and -._:/ that name nothing else.
func IsGroupsName(name string) bool {
	if name == "" || len(name) > 64 || !consistsOf(name, alphanumeric+"-._:/") || keys.IsReserved(name) {
		return false
	}
	// "roles" and "departments" are allowed: software that knows no other name then finds
	// the groups there.
	lower := strings.ToLower(name)
	return slices.Contains([]string{groupsName, "roles", "departments"}, lower) || !slices.Contains(Names(), lower)
}

// ForUserinfo returns the claims of a userinfo answer: those of the scopes, and those that
// the request asked for there.
func ForUserinfo(m Member, rules store.ClaimRules, scopes []string, request Request) List {
	return list(source{m, rules, false}, scopes, request.Userinfo)
}

// ForIDToken returns the claims of an ID token: those that the request asked for there,
// and those of the scopes, unless the rules keep them to userinfo.
func ForIDToken(m Member, rules store.ClaimRules, scopes []string, request Request) List {
	if !rules.InIDToken {
		scopes = []string{ScopeOpenID}
	}
	return list(source{m, rules, true}, scopes, request.IDToken)
}

// ForAccessToken returns the claims of an application's access token: those of the scopes,
// for an API that has nothing but the token to decide by.
func ForAccessToken(m Member, rules store.ClaimRules, scopes []string) List {
	return list(source{m, rules, true}, scopes, nil)
}

// ForIntrospection returns the claims of an introspection answer, those of the scopes.
func ForIntrospection(m Member, rules store.ClaimRules, scopes []string) List {
	return list(source{m, rules, false}, scopes, nil)
}

// ForSession returns the claims of a session token, POST /api/token: five, always. Its page
// asks GET /api/session for departments.
func ForSession(m Member) List {
	rules := DefaultRules()
	told := list(source{m, rules, false}, Scopes(), nil).Map()
	session := List{
		{"name", "", ScopeProfile},
		{"phone_number", "", ScopePhone},
		{"roles", []string{}, ScopeGroups},
		{"corp_id", "", ScopeProfile},
		{"wecom_userid", "", ScopeProfile},
	}
	for i, c := range session {
		if value, ok := told[c.Name]; ok {
			session[i].Value = value
		}
	}
	return session
}

func list(s source, scopes []string, requested map[string]Wish) List {
	var told List
	for _, d := range table() {
		name := d.name
		if name == groupsName && IsGroupsName(s.rules.GroupsName) {
			name = s.rules.GroupsName
		}
		_, wanted := requested[name]
		if !wanted && !slices.Contains(scopes, d.scope) {
			continue
		}
		// Groups that are called "roles" or "departments" take the place of those.
		if slices.ContainsFunc(told, func(c Claim) bool { return c.Name == name }) {
			continue
		}
		if value := d.of(s); value != nil {
			told = append(told, Claim{name, value, d.scope})
		}
	}
	return told
}

func known(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func some[T any](list []T) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func verified(value any) any {
	if value == nil {
		return nil
	}
	return true
}

func preferredUsername(s source) any {
	switch s.rules.PreferredUsername {
	case "phone":
		return known(s.User.Phone)
	case "id":
		return known(s.User.ID)
	default:
		if !s.OneCorp {
			return nil
		}
		return known(s.WeComUserID)
	}
}

func updatedAt(s source) any {
	if s.User.UpdatedAt.IsZero() {
		return nil
	}
	return s.User.UpdatedAt.Unix()
}

func phoneNumber(s source) any {
	if !s.rules.Phone {
		return nil
	}
	return known(s.User.Phone)
}

// UserIDPlace is where an email template has the member's userid, as WeCom spells it.
const UserIDPlace = "{wecom_userid}"

func email(s source) any {
	if !s.OneCorp {
		return nil
	}
	switch s.rules.Email {
	case "wecom":
		return known(s.identity().Email)
	case "template":
		if !isLocalPart(s.WeComUserID) {
			return nil
		}
		return known(strings.ReplaceAll(s.rules.EmailTemplate, UserIDPlace, s.WeComUserID))
	default:
		return nil
	}
}

// isLocalPart reports whether a userid can stand before the @ of an address. WeCom allows
// an @ in userids, with which members could choose the domain of their address.
func isLocalPart(userID string) bool {
	if userID == "" || len(userID) > 64 || strings.HasPrefix(userID, ".") || strings.HasSuffix(userID, ".") || strings.Contains(userID, "..") {
		return false
	}
	return consistsOf(userID, alphanumeric+"-_.")
}

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// consistsOf reports whether every character of a text is one of those allowed.
func consistsOf(text, allowed string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(allowed, r) })
}

// groups returns all groups: the roles as role:NAME, then the departments.
func groups(s source) []string {
	var all []string
	if slices.Contains(s.rules.GroupsFrom, "roles") {
		for _, role := range s.User.AllRoles() {
			all = append(all, "role:"+role)
		}
	}
	if s.tellsDepartments() {
		for _, d := range s.identity().Departments {
			if s.rules.GroupsAs == "path" {
				all = append(all, path(d))
			} else {
				all = append(all, "department:"+strconv.FormatInt(d.ID, 10))
			}
		}
	}
	return all
}

// path writes a department as in "Head Office/Sales".
func path(d store.Department) string {
	var names []string
	for i, id := range d.Above {
		names = append(names, pathName(id, d.NamesAbove[i]))
	}
	return strings.Join(append(names, pathName(d.ID, d.Name)), "/")
}

// pathName returns a name as a part of a path, or the number of a department whose name is
// unknown, or would pass for a path or for a group of another kind, such as role:NAME.
func pathName(id int64, name string) string {
	if name == "" || strings.ContainsAny(name, "/:") {
		return strconv.FormatInt(id, 10)
	}
	return name
}

func cutGroups(s source) []string {
	all := groups(s)
	all = all[:min(len(all), maxGroups)]
	if s.bounded {
		all = cut(all, maxGroupBytes, textSize)
	}
	return all
}

// roles returns the roles by their own names, unless the rules keep them back.
func roles(s source) []string {
	if !slices.Contains(s.rules.GroupsFrom, "roles") {
		return nil
	}
	return s.User.AllRoles()
}

func cutRoles(s source) []string {
	if s.bounded {
		return cut(roles(s), maxRoleBytes, textSize)
	}
	return roles(s)
}

// tellsDepartments reports whether the rules want the departments told, and an application
// can tell whose they are: their numbers and names are those of one corp.
func (s source) tellsDepartments() bool {
	return s.OneCorp && slices.Contains(s.rules.GroupsFrom, "departments")
}

// departments returns the departments, unless the rules keep them back.
func departments(s source) []Department {
	if !s.tellsDepartments() {
		return nil
	}
	return DepartmentsOf(s.Member)
}

func cutDepartments(s source) []Department {
	if !s.bounded {
		return departments(s)
	}
	left := maxDepartmentBytes
	for _, text := range append(cutGroups(s), cutRoles(s)...) {
		left -= textSize(text)
	}
	return cut(departments(s), left, func(d Department) int {
		return len(`{"id":1234567890,"name":"","leader":false},`) + len(d.Name)
	})
}

// groupsTruncated tells an application that may want to ask userinfo, or an administrator,
// for the rest.
func groupsTruncated(s source) any {
	if len(cutGroups(s)) == len(groups(s)) && len(cutRoles(s)) == len(roles(s)) && len(cutDepartments(s)) == len(departments(s)) {
		return nil
	}
	return true
}

// cut returns the first elements that fit into so many bytes of JSON.
func cut[T any](list []T, bytes int, size func(T) int) []T {
	for i, element := range list {
		if bytes -= size(element); bytes < 0 {
			return list[:i]
		}
	}
	return list
}

func textSize(text string) int { return len(text) + len(`"",`) }
