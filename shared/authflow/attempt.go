package authflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// AttemptLifetime is how long a browser may take from authorize to callback.
const AttemptLifetime = 15 * time.Minute

// LoginAttempt is one round trip of one browser to WeCom and back. The browser keeps it
// sealed in a cookie, so that nothing is stored for browsers that never return.
type LoginAttempt struct {
	// State is what WeCom hands back: letters and digits only, because the in-client
	// page takes nothing else (path 91022 of WeCom's documentation).
	State string
	// AuthenticatorID and AuthenticatorGeneration bind the attempt to the
	// authenticator as it was: a namesake or a re-enabled one is another.
	AuthenticatorID         string
	AuthenticatorGeneration string
	// Destination is where to go afterwards. Its zero value means the one in the
	// callback's address, or the authenticator's default page.
	Destination Destination
	// InWeCom tells whether the browser was sent to WeCom's in-client page, where a
	// phone number can be had.
	InWeCom bool
	Scope   wecom.Scope // that was asked for
	// WeComUserID is the member whom the attempt before this one named, which asks for the
	// phone; otherwise empty.
	WeComUserID string
	IssuedAt    time.Time
}

// Why a cookie does not hold an attempt that may go on.
var (
	ErrAttemptInvalid = errors.New("attempt cookie does not open")
	ErrAttemptExpired = errors.New("attempt is too old")
)

// maxSealedPath keeps eight attempts well under the 10,240 bytes that API Gateway allows
// for all headers. A longer path travels in redirect_uri alone.
const maxSealedPath = 128

// sealedAttempt is the content of an attempt's cookie. Names are short because eight
// cookies travel with every request.
type sealedAttempt struct {
	State      string `json:"s"`
	ID         string `json:"i"`
	Generation string `json:"g"`
	sealedDestination
	InWeCom     bool        `json:"w,omitempty"`
	Scope       wecom.Scope `json:"o"`
	WeComUserID string      `json:"u,omitempty"`
	IssuedAt    int64       `json:"t"` // Unix time in milliseconds
}

// sealedDestination is a destination in a sealed cookie.
type sealedDestination struct {
	Path        string `json:"p,omitempty"`
	Console     bool   `json:"c,omitempty"`
	MemberPage  bool   `json:"m,omitempty"`
	Application string `json:"a,omitempty"`
	Continue    string `json:"q,omitempty"`
}

func sealDestination(d Destination) sealedDestination {
	sealed := sealedDestination{d.Path.String(), d.Console, d.MemberPage, d.Application, d.Continue}
	if len(sealed.Path) > maxSealedPath || sealed.Application != "" {
		sealed.Path = ""
	}
	return sealed
}

func (s sealedDestination) open() Destination {
	path, _ := ParseReturnPath(s.Path)
	return Destination{Path: path, Console: s.Console, MemberPage: s.MemberPage, Application: s.Application, Continue: s.Continue}
}

// SealAttempt returns the attempt for a cookie of the given name.
func SealAttempt(box *aead.Box, cookieName string, a LoginAttempt) ([]byte, error) {
	sealed := sealedAttempt{
		State: a.State, ID: a.AuthenticatorID, Generation: a.AuthenticatorGeneration,
		sealedDestination: sealDestination(a.Destination),
		InWeCom:           a.InWeCom, Scope: a.Scope, WeComUserID: a.WeComUserID, IssuedAt: a.IssuedAt.UnixMilli(),
	}
	content, err := json.Marshal(sealed)
	if err != nil {
		return nil, fmt.Errorf("encode attempt: %w", err)
	}
	return box.Seal(content, []byte(cookieName))
}

// OpenAttempt returns the attempt of a cookie: ErrAttemptInvalid when it is not ours,
// ErrAttemptExpired (with the attempt) after AttemptLifetime.
func OpenAttempt(box *aead.Box, cookieName string, sealed []byte, now time.Time) (LoginAttempt, error) {
	content, err := box.Open(sealed, []byte(cookieName))
	if err != nil {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	var opened sealedAttempt
	if err := json.Unmarshal(content, &opened); err != nil {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	a := LoginAttempt{
		State: opened.State, AuthenticatorID: opened.ID, AuthenticatorGeneration: opened.Generation,
		Destination: opened.open(), InWeCom: opened.InWeCom, Scope: opened.Scope,
		WeComUserID: opened.WeComUserID, IssuedAt: time.UnixMilli(opened.IssuedAt),
	}
	if age := now.Sub(a.IssuedAt); age >= AttemptLifetime || age < -time.Minute {
		return a, ErrAttemptExpired
	}
	return a, nil
}

// belongsTo reports whether the attempt was made with this authenticator as it is now.
func (a LoginAttempt) belongsTo(authenticator store.Authenticator) bool {
	return a.AuthenticatorID == authenticator.ID && a.AuthenticatorGeneration == authenticator.Generation
}
