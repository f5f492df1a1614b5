package claims

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// Request is the claims parameter of an authorization request (OpenID Connect Core 1.0
// §5.5). The zero Request asks for nothing.
type Request struct {
	Userinfo map[string]Wish `json:"userinfo"`
	IDToken  map[string]Wish `json:"id_token"`
}

// Wish says how a claim is wanted. The zero Wish is voluntary and takes any value.
type Wish struct {
	Essential bool
	Values    []string // the texts that would do; empty: any
}

// UnmarshalJSON decodes null or an object. Unknown members are ignored. A value that is not
// text becomes the empty one, which nothing equals: left out, it would ask for nothing.
func (w *Wish) UnmarshalJSON(text []byte) error {
	var decoded *struct {
		Essential bool  `json:"essential"`
		Value     any   `json:"value"`
		Values    []any `json:"values"`
	}
	if err := json.Unmarshal(text, &decoded); err != nil || decoded == nil {
		return err
	}
	w.Essential = decoded.Essential
	for _, value := range append([]any{decoded.Value}, decoded.Values...) {
		if value != nil {
			text, _ := value.(string)
			w.Values = append(w.Values, text)
		}
	}
	return nil
}

// ParseRequest parses the claims parameter. An empty text is the zero Request. A request
// that wants two subjects, or one that is not text, is refused: it would be about nobody.
// The error shows nothing of the text.
func ParseRequest(text string) (Request, error) {
	if text == "" {
		return Request{}, nil
	}
	var r Request
	if !strings.HasPrefix(strings.TrimSpace(text), "{") || json.Unmarshal([]byte(text), &r) != nil {
		return Request{}, errors.New("parse claims parameter: not the JSON of OpenID Connect Core §5.5")
	}
	for _, wish := range []Wish{r.IDToken["sub"], r.Userinfo["sub"]} {
		for _, value := range wish.Values {
			if value == "" || value != r.Subject() {
				return Request{}, errors.New("parse claims parameter: it wants more than one subject")
			}
		}
	}
	return r, nil
}

// Scopes returns the scopes to which the requested claims belong, for asking the member:
// who may be told a claim must have agreed to its scope. groups is the application's name
// of the groups.
func (r Request) Scopes(groups string) []string {
	var scopes []string
	for _, d := range table() {
		name := d.name
		if name == groupsName && IsGroupsName(groups) {
			name = groups
		}
		_, first := r.Userinfo[name]
		_, second := r.IDToken[name]
		if (first || second) && d.scope != ScopeOpenID && !slices.Contains(scopes, d.scope) {
			scopes = append(scopes, d.scope)
		}
	}
	return scopes
}

// EssentialACRs returns the values of acr one of which the ID token must have; empty: any
// will do (OpenID Connect Core 1.0 §5.5.1.1).
func (r Request) EssentialACRs() []string {
	if wish := r.IDToken["acr"]; wish.Essential {
		return wish.Values
	}
	return nil
}

// Subject returns the user id that the ID token or userinfo must be about (OpenID Connect
// Core 1.0 §5.5); empty: anybody's.
func (r Request) Subject() string {
	for _, wish := range []Wish{r.IDToken["sub"], r.Userinfo["sub"]} {
		if len(wish.Values) > 0 {
			return wish.Values[0]
		}
	}
	return ""
}
