package admin

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	mostAddresses      = 20 // redirect URIs, and as many for after signing out
	mostAuthenticators = 20
	longestAudience    = 1024 // bytes; tokens contain it
	longestEmail       = 254  // bytes, RFC 5321 §4.5.3.1.3

	defaultRefreshTokenLifetime  = 30 * 24 * time.Hour
	shortestRefreshTokenLifetime = time.Minute
	longestRefreshTokenLifetime  = 90 * 24 * time.Hour
)

// applicationView is an application as the API shows it, without its secrets.
type applicationView struct {
	ID                     string             `json:"id"`
	Title                  string             `json:"title"`
	Enabled                bool               `json:"enabled"`
	Kind                   string             `json:"kind"`
	Homepage               string             `json:"homepage"`
	RedirectURIs           []string           `json:"redirectUris"`
	PostLogoutRedirectURIs []string           `json:"postLogoutRedirectUris"`
	BackchannelLogoutURI   string             `json:"backchannelLogoutUri"`
	Authenticators         []string           `json:"authenticators"`
	Allow                  allowView          `json:"allow"`
	RequirePKCE            bool               `json:"requirePkce"`
	FirstParty             bool               `json:"firstParty"`
	Claims                 claimRulesView     `json:"claims"`
	ForwardAuth            forwardAuthView    `json:"forwardAuth"`
	Audience               string             `json:"audience"`
	RefreshTokenLifetime   string             `json:"refreshTokenLifetime"`
	Secrets                []clientSecretView `json:"secrets"`
	CreatedAt              string             `json:"createdAt"`
	UpdatedAt              string             `json:"updatedAt"`
	// LastUsedAt is null before the first sign-in.
	LastUsedAt *string `json:"lastUsedAt"`
	Version    int64   `json:"version"`
	// Notes are of single answers alone, and absent without any.
	Notes []string `json:"notes,omitempty"`
}

type claimRulesView struct {
	Groups            groupsView `json:"groups"`
	Email             string     `json:"email"`
	EmailTemplate     string     `json:"emailTemplate"`
	PreferredUsername string     `json:"preferredUsername"`
	Phone             bool       `json:"phone"`
	InIDToken         bool       `json:"inIdToken"`
}

type forwardAuthView struct {
	Token bool `json:"token"`
}

type groupsView struct {
	Name string   `json:"name"`
	From []string `json:"from"`
	As   string   `json:"as"`
}

// clientSecretView is a secret as the API shows it, without the secret itself.
type clientSecretView struct {
	ID        string `json:"id"`
	Prefix    string `json:"prefix"`
	CreatedAt string `json:"createdAt"`
	// LastUsedAt is null before the first use.
	LastUsedAt *string `json:"lastUsedAt"`
}

func viewApplication(a store.Application) applicationView {
	view := applicationView{
		ID: a.ID, Title: a.Title, Enabled: a.Enabled, Kind: string(a.Kind), Homepage: a.Homepage,
		RedirectURIs: nonNil(a.RedirectURIs), PostLogoutRedirectURIs: nonNil(a.PostLogoutRedirectURIs), BackchannelLogoutURI: a.BackchannelLogoutURI,
		Authenticators: nonNil(a.Authenticators), Allow: viewAllow(a.Allow),
		RequirePKCE: a.RequirePKCE, FirstParty: a.FirstParty,
		Claims: claimRulesView{
			Groups: groupsView{a.Claims.GroupsName, nonNil(a.Claims.GroupsFrom), a.Claims.GroupsAs},
			Email:  a.Claims.Email, EmailTemplate: a.Claims.EmailTemplate, PreferredUsername: a.Claims.PreferredUsername,
			Phone: a.Claims.Phone, InIDToken: a.Claims.InIDToken,
		},
		ForwardAuth: forwardAuthView{a.ForwardAuthToken},
		Audience:    a.Audience, RefreshTokenLifetime: viewLifetime(a.RefreshTokenLifetime),
		Secrets:   make([]clientSecretView, len(a.Secrets)),
		CreatedAt: timestamp(a.CreatedAt), UpdatedAt: timestamp(a.UpdatedAt), LastUsedAt: optionalTimestamp(a.LastUsedAt), Version: a.Version,
	}
	for i, s := range a.Secrets {
		view.Secrets[i] = clientSecretView{s.ID, s.Prefix, timestamp(s.CreatedAt), optionalTimestamp(s.LastUsedAt)}
	}
	return view
}

// nonNil returns a list that is [] in JSON when it is empty, never null.
func nonNil[T any](list []T) []T { return append([]T{}, list...) }

// viewLifetime writes 720h or 90m, where a Duration writes 720h0m0s and 1h30m0s.
func viewLifetime(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}} {
		if d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.name
		}
	}
	return d.String()
}

func applicationWritable() []string {
	return []string{
		"title", "enabled", "homepage", "redirectUris", "postLogoutRedirectUris", "backchannelLogoutUri", "authenticators",
		"allow", "requirePkce", "firstParty", "claims", "forwardAuth", "audience", "refreshTokenLifetime",
	}
}

func applicationReadOnly() []string {
	return []string{"secrets", "createdAt", "updatedAt", "lastUsedAt", "version", "notes"}
}

// newApplication parses the body of a creation. Generation, version and times are still
// empty.
func (h *handler) newApplication(ctx context.Context, body *object) (store.Application, error) {
	if err := body.require("kind"); err != nil {
		return store.Application{}, err
	}
	id, chosen, err := body.text("id")
	if err != nil {
		return store.Application{}, err
	}
	if !chosen {
		id = store.NewID()
	}
	if !store.IsAuthenticatorName(id) {
		return store.Application{}, apierr.Invalid("id", "id must be 1 to 64 lower-case letters, digits and hyphens, without a hyphen at either end.")
	}
	text, _, err := body.text("kind")
	if err != nil {
		return store.Application{}, err
	}
	kind := store.ApplicationKind(text)
	if !slices.Contains([]store.ApplicationKind{store.KindWeb, store.KindBrowser, store.KindNative, store.KindProxy}, kind) {
		return store.Application{}, apierr.Invalid("kind", "kind must be web, browser, native or proxy.")
	}
	return h.changeApplication(ctx, store.Application{
		ID: id, Title: id, Enabled: true, Kind: kind, RequirePKCE: kind.IsPublic(), FirstParty: true,
		Claims: claims.DefaultRules(), RefreshTokenLifetime: defaultRefreshTokenLifetime,
	}, body)
}

// changeApplication returns a with the fields of the body. It leaves a's slices as they are.
func (h *handler) changeApplication(ctx context.Context, a store.Application, body *object) (store.Application, error) {
	err := body.setTexts([]textField{
		{"title", func(text string) string {
			if a.Title = strings.TrimSpace(text); a.Title == "" || !isName(a.Title) {
				return "title must be 1 to 200 characters, without control characters."
			}
			return ""
		}},
		{"homepage", func(text string) string {
			a.Homepage = text
			return wrongAddress("homepage", text, oauth.CheckHomepage)
		}},
		{"backchannelLogoutUri", func(text string) string {
			a.BackchannelLogoutURI = text
			return wrongAddress("backchannelLogoutUri", text, func(uri string) error { return oauth.CheckBackchannelURI(uri, h.LocalRun) })
		}},
		{"audience", func(text string) string {
			if a.Audience = text; text != "" && !isAudience(text, apigw.PublicURL(ctx)) {
				return "audience must be empty, or an absolute URI such as https://api.example.com: without a fragment, at most 1,024 bytes, and not of this service."
			}
			return ""
		}},
		{"refreshTokenLifetime", func(text string) string {
			var err error
			a.RefreshTokenLifetime, err = time.ParseDuration(text)
			if d := a.RefreshTokenLifetime; err != nil || d < shortestRefreshTokenLifetime || d > longestRefreshTokenLifetime || d%time.Second != 0 {
				return "refreshTokenLifetime must be a duration such as 720h or 90m, from 1m to 2160h, in whole seconds."
			}
			return ""
		}},
	})
	if err != nil {
		return a, err
	}
	if err := body.setFlags([]flagField{{"enabled", &a.Enabled}, {"requirePkce", &a.RequirePKCE}, {"firstParty", &a.FirstParty}}); err != nil {
		return a, err
	}
	for _, list := range []struct {
		name string
		into *[]string
	}{{"redirectUris", &a.RedirectURIs}, {"postLogoutRedirectUris", &a.PostLogoutRedirectURIs}} {
		if err := setAddresses(list.into, body, list.name, a.Kind); err != nil {
			return a, err
		}
	}
	if err := setAuthenticators(&a.Authenticators, body); err != nil {
		return a, err
	}
	if err := setAllow(&a.Allow, body); err != nil {
		return a, err
	}
	if err := setClaims(&a.Claims, body); err != nil {
		return a, err
	}
	if err := setForwardAuth(&a.ForwardAuthToken, body); err != nil {
		return a, err
	}
	return a, checkKind(a)
}

// checkKind checks what depends on the kind of an application.
func checkKind(a store.Application) error {
	switch {
	case a.Kind == store.KindProxy && a.Homepage == "":
		return apierr.Invalid("homepage", "An application of the kind proxy must have a homepage, which says its origin.")
	case a.Kind != store.KindProxy && a.ForwardAuthToken:
		return apierr.Invalid("forwardAuth.token", "Only an application of the kind proxy is handed tokens by its proxy.")
	case a.Kind.IsPublic() && !a.RequirePKCE:
		return apierr.Invalid("requirePkce", "An application of the kind "+string(a.Kind)+" must use PKCE.")
	}
	return nil
}

// wrongAddress returns the sentence for an address that check refuses, or nothing. An
// empty one removes the address.
func wrongAddress(name, address string, check func(string) error) string {
	if address == "" {
		return ""
	}
	if err := check(address); err != nil {
		return name + " " + err.Error() + "."
	}
	return ""
}

// setAddresses sets a list of redirect addresses, without duplicates, in the order given.
func setAddresses(into *[]string, body *object, name string, kind store.ApplicationKind) error {
	given, there, err := body.texts(name)
	if err != nil || !there {
		return err
	}
	for i, uri := range given {
		if err := oauth.CheckRedirectURI(kind, uri); err != nil {
			return apierr.Invalid(name, fmt.Sprintf("Address %d of %s %v.", i+1, name, err))
		}
	}
	if *into = unique(given); len(*into) > mostAddresses {
		return apierr.Invalid(name, fmt.Sprintf("%s must be at most %d addresses.", name, mostAddresses))
	}
	return nil
}

// setAuthenticators sets the names; whether they exist, the store knows.
func setAuthenticators(into *[]string, body *object) error {
	const name = "authenticators"
	given, there, err := body.texts(name)
	if err != nil || !there {
		return err
	}
	*into = unique(given)
	if len(*into) > mostAuthenticators || slices.ContainsFunc(*into, func(name string) bool { return !store.IsAuthenticatorName(name) }) {
		return apierr.Invalid(name, fmt.Sprintf("authenticators must be the names of at most %d authenticators.", mostAuthenticators))
	}
	return nil
}

// unique returns the texts without duplicates; none is nil.
func unique(texts []string) []string {
	var each []string
	for _, text := range texts {
		if !slices.Contains(each, text) {
			each = append(each, text)
		}
	}
	return each
}

// setClaims sets what the application is told. Members left out stay.
func setClaims(into *store.ClaimRules, body *object) error {
	rules, there, err := body.object("claims")
	if err != nil || !there {
		return err
	}
	if err := rules.only([]string{"groups", "email", "emailTemplate", "preferredUsername", "phone", "inIdToken"}, nil); err != nil {
		return err
	}
	if err := setGroups(into, rules); err != nil {
		return err
	}
	err = rules.setTexts([]textField{
		{"email", oneOf("email", &into.Email, "none", "wecom", "template")},
		{"emailTemplate", func(text string) string {
			if into.EmailTemplate = text; text != "" && !isEmailTemplate(text) {
				return "emailTemplate must be empty, or an address with " + claims.UserIDPlace + " once, before the @, such as " + claims.UserIDPlace + "@corp.example."
			}
			return ""
		}},
		{"preferredUsername", oneOf("preferredUsername", &into.PreferredUsername, "wecom_userid", "phone", "id")},
	})
	if err != nil {
		return err
	}
	if err := rules.setFlags([]flagField{{"phone", &into.Phone}, {"inIdToken", &into.InIDToken}}); err != nil {
		return err
	}
	switch {
	case into.Email == "template" && into.EmailTemplate == "":
		return apierr.Invalid("claims.emailTemplate", "email is template, which needs an emailTemplate.")
	case into.PreferredUsername == "phone" && !into.Phone:
		return apierr.Invalid("claims.preferredUsername", "preferredUsername cannot be phone while phone is false, which keeps the number back.")
	}
	return nil
}

// setForwardAuth sets what a proxy is told beside the headers.
func setForwardAuth(token *bool, body *object) error {
	rules, there, err := body.object("forwardAuth")
	if err != nil || !there {
		return err
	}
	if err := rules.only([]string{"token"}, nil); err != nil {
		return err
	}
	return rules.setFlags([]flagField{{"token", token}})
}

func setGroups(into *store.ClaimRules, rules *object) error {
	groups, there, err := rules.object("groups")
	if err != nil || !there {
		return err
	}
	if err := groups.only([]string{"name", "from", "as"}, nil); err != nil {
		return err
	}
	err = groups.setTexts([]textField{
		{"name", func(text string) string {
			if into.GroupsName = text; !claims.IsGroupsName(text) {
				return "name must be 1 to 64 letters, digits and - . _ : / that are not the name of another claim."
			}
			return ""
		}},
		{"as", oneOf("as", &into.GroupsAs, "id", "path")},
	})
	if err != nil {
		return err
	}
	from, there, err := groups.texts("from")
	if err != nil || !there {
		return err
	}
	if slices.ContainsFunc(from, func(source string) bool { return source != "roles" && source != "departments" }) {
		return apierr.Invalid("claims.groups.from", "from must be some of roles and departments, or empty.")
	}
	into.GroupsFrom = unique(from)
	return nil
}

// oneOf sets a field that has a few values.
func oneOf(name string, into *string, values ...string) func(string) string {
	return func(text string) string {
		if *into = text; !slices.Contains(values, text) {
			return name + " must be one of " + strings.Join(values, ", ") + "."
		}
		return ""
	}
}

// emailTemplate is the form of an address in which the userid stands before the @, so
// that it cannot choose the domain.
var emailTemplate = regexp.MustCompile(`^[A-Za-z0-9._+-]*` + regexp.QuoteMeta(claims.UserIDPlace) + `[A-Za-z0-9._+-]*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

func isEmailTemplate(text string) bool {
	return len(text) <= longestEmail && emailTemplate.MatchString(text)
}

// isAudience reports whether a token can be for text: an API of the application, never one
// of this service, for which its own tokens are. An application's id has no scheme.
func isAudience(text, publicURL string) bool {
	u, err := url.Parse(text)
	if err != nil || len(text) > longestAudience || !ascii.IsVisible(text) || strings.Contains(text, "#") ||
		u.Scheme == "" || u.User != nil || u.Host == "" && u.Opaque == "" && strings.Trim(u.Path, "/") == "" {
		return false
	}
	origin, err := settings.ParseAddress(u.Scheme+"://"+u.Host, false)
	return err != nil || origin != publicURL
}
