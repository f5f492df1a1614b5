package admin

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/phone"
	"github.com/wecom-signin/wecom-signin/shared/phone/display"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// role is the form of a role's name. Tokens contain roles, and in an import spaces
// separate them. Case matters: "Admin" is not "admin".
var role = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

const (
	mostRoles     = 50 // a token contains them all and must fit into a header
	longestAvatar = 2048
	phoneWrong    = "phone must be a telephone number, such as +8613800138000; without a country code it is a Chinese one."
	nameWrong     = "name must be at most 200 characters, without control characters."
)

// userView is a user as the API shows it.
type userView struct {
	ID    string `json:"id"`
	Phone string `json:"phone"`
	// PhoneText is the number as readers of the request's language write it.
	PhoneText string   `json:"phoneText"`
	Name      string   `json:"name"`
	Avatar    string   `json:"avatar"`
	Roles     []string `json:"roles"`
	// WeComRoles are those by the rules of authenticators.
	WeComRoles []string       `json:"wecomRoles"`
	Enabled    bool           `json:"enabled"`
	Identities []identityView `json:"identities"`
	// PhoneConflict is the member refused last with phone_in_use, absent otherwise.
	PhoneConflict *identityView `json:"phoneConflict,omitempty"`
	CreatedAt     string        `json:"createdAt"`
	UpdatedAt     string        `json:"updatedAt"`
	// LastSignInAt is null before the first.
	LastSignInAt *string `json:"lastSignInAt"`
	Version      int64   `json:"version"`
}

type identityView struct {
	CorpID        string `json:"corpId"`
	WeComUserID   string `json:"wecomUserId"`
	Authenticator string `json:"authenticator"`
	BoundAt       string `json:"boundAt"`
	// Email is the company's mailbox, absent when WeCom did not tell it.
	Email string `json:"email,omitempty"`
	// CheckedAt is null before WeCom has told of the member, and GoneAt as long as WeCom
	// knows it.
	CheckedAt *string `json:"checkedAt"`
	// DisabledAt is since when WeCom says that the member is disabled.
	DisabledAt *string `json:"disabledAt"`
	GoneAt     *string `json:"goneAt"`
	// Departments are the member's, by number.
	Departments []int64 `json:"departments"`
	Position    string  `json:"position"`
}

func viewUser(u store.User, language text.Language) userView {
	view := userView{
		ID: u.ID, Phone: u.Phone, PhoneText: display.Number(u.Phone, string(language)), Name: u.Name, Avatar: u.Avatar, Enabled: u.Enabled,
		Roles: nonNil(u.Roles), WeComRoles: nonNil(u.WeComRoles),
		Identities: make([]identityView, len(u.Identities)),
		CreatedAt:  timestamp(u.CreatedAt), UpdatedAt: timestamp(u.UpdatedAt), LastSignInAt: optionalTimestamp(u.LastSignInAt), Version: u.Version,
	}
	for i, identity := range u.Identities {
		view.Identities[i] = viewIdentity(identity)
	}
	// A member who has become the user since is disputed no more.
	if u.PhoneConflict != nil && !isBound(u, *u.PhoneConflict) {
		conflict := viewIdentity(*u.PhoneConflict)
		view.PhoneConflict = &conflict
	}
	return view
}

// isBound reports whether the identity is the user's, and not gone.
func isBound(u store.User, identity store.Identity) bool {
	bound, _ := u.IdentityIn(identity.CorpID)
	return bound.Is(identity.CorpID, identity.WeComUserID)
}

func viewIdentity(i store.Identity) identityView {
	view := identityView{
		CorpID: i.CorpID, WeComUserID: i.WeComUserID, Authenticator: i.Authenticator, BoundAt: timestamp(i.BoundAt), Email: i.Email,
		CheckedAt: optionalTimestamp(i.CheckedAt), DisabledAt: optionalTimestamp(i.DisabledAt), GoneAt: optionalTimestamp(i.GoneAt), Departments: make([]int64, len(i.Departments)), Position: i.Position,
	}
	for n, d := range i.Departments {
		view.Departments[n] = d.ID
	}
	return view
}

func userWritable() []string { return []string{"phone", "name", "avatar", "roles", "enabled"} }

func userReadOnly() []string {
	return []string{"id", "phoneText", "wecomRoles", "identities", "phoneConflict", "createdAt", "updatedAt", "lastSignInAt", "version"}
}

// changeUser returns u with the fields of the body.
func changeUser(u store.User, body *object) (store.User, error) {
	text, there, err := body.text("phone")
	if err != nil {
		return u, err
	}
	if there {
		number, valid := phone.Normalize(text)
		if !valid {
			return u, apierr.Invalid("phone", phoneWrong)
		}
		if number != u.Phone {
			u.PhoneConflict = nil // it was about the old phone
		}
		u.Phone = number
	}
	text, there, err = body.text("name")
	if err != nil {
		return u, err
	}
	if there {
		if !setName(&u, text) {
			return u, apierr.Invalid("name", nameWrong)
		}
	}
	text, there, err = body.text("avatar")
	if err != nil {
		return u, err
	}
	if there {
		if !isAvatar(text) {
			return u, apierr.Invalid("avatar", "avatar must be empty or the http(s) address of a picture, of at most 2,048 bytes.")
		}
		u.Avatar = text
	}
	roles, there, err := body.texts("roles")
	if err != nil {
		return u, err
	}
	if there {
		if u.Roles, err = checkRoles(roles); err != nil {
			return u, err
		}
	}
	enabled, there, err := body.flag("enabled")
	if err != nil {
		return u, err
	}
	if there {
		setEnabled(&u, enabled)
	}
	return u, nil
}

// setName sets the name, or returns false if text cannot be one. The next sign-in asks
// WeCom for the name of a user without one.
func setName(u *store.User, text string) bool {
	text = strings.TrimSpace(text)
	if !isName(text) {
		return false
	}
	if text != u.Name || text == "" {
		u.Name, u.NamePending = text, text == ""
	}
	return true
}

// setEnabled enables or disables a user. Disabling ends the sessions, and enabling does
// not bring them back.
func setEnabled(u *store.User, enabled bool) {
	if u.Enabled && !enabled {
		u.SessionGeneration++
	}
	u.Enabled = enabled
}

// checkRoles returns the roles without duplicates, in the order given.
func checkRoles(given []string) ([]string, error) {
	wrong := apierr.Invalid("roles", "roles must be at most "+strconv.Itoa(mostRoles)+", each of 1 to 64 letters, digits and . _ : / - , beginning with a letter or digit.")
	roles := make([]string, 0, min(len(given), mostRoles))
	for _, name := range given {
		if !role.MatchString(name) {
			return nil, wrong
		}
		if slices.Contains(roles, name) {
			continue
		}
		if len(roles) == mostRoles {
			return nil, wrong
		}
		roles = append(roles, name)
	}
	return roles, nil
}

// isAvatar accepts addresses that a browser loads and never runs.
func isAvatar(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && len(text) <= longestAvatar
}

// sameUser reports whether a and b are the same record, so that there is nothing to write.
func sameUser(a, b store.User) bool {
	return a.Phone == b.Phone && a.Name == b.Name && a.NamePending == b.NamePending && a.Avatar == b.Avatar &&
		slices.Equal(a.Roles, b.Roles) && a.Enabled == b.Enabled && reflect.DeepEqual(a.Identities, b.Identities) &&
		a.SessionGeneration == b.SessionGeneration
}
