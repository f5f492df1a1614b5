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
	Destination
	InWeCom     bool        `json:"w,omitempty"`
	Scope       wecom.Scope `json:"o"`
	WeComUserID string      `json:"u,omitempty"`
	IssuedAt    int64       `json:"t"` // Unix time in milliseconds
}

// inCookie returns what a sealed cookie has of a destination.
func (d Destination) inCookie() Destination {
	if len(d.Path.String()) > maxSealedPath || d.Application != "" {
		d.Path = ReturnPath{}
	}
	return d
}

// SealAttempt returns the attempt for a cookie of the given name.
func SealAttempt(box *aead.Box, cookieName string, a LoginAttempt) ([]byte, error) {
	return sealJSON(box, cookieName, sealedAttempt{
		State: a.State, ID: a.AuthenticatorID, Generation: a.AuthenticatorGeneration, Destination: a.Destination.inCookie(),
		InWeCom: a.InWeCom, Scope: a.Scope, WeComUserID: a.WeComUserID, IssuedAt: a.IssuedAt.UnixMilli(),
	})
}

// OpenAttempt returns the attempt of a cookie: ErrAttemptInvalid when it is not ours,
// ErrAttemptExpired (with the attempt) after AttemptLifetime.
func OpenAttempt(box *aead.Box, cookieName string, sealed []byte, now time.Time) (LoginAttempt, error) {
	opened, ok := openJSON[sealedAttempt](box, cookieName, sealed)
	if !ok {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	a := LoginAttempt{
		State: opened.State, AuthenticatorID: opened.ID, AuthenticatorGeneration: opened.Generation, Destination: opened.Destination,
		InWeCom: opened.InWeCom, Scope: opened.Scope, WeComUserID: opened.WeComUserID, IssuedAt: time.UnixMilli(opened.IssuedAt),
	}
	if !isWithin(AttemptLifetime, a.IssuedAt, now) {
		return a, ErrAttemptExpired
	}
	return a, nil
}

// sealJSON returns a value for a cookie of the given name.
func sealJSON(box *aead.Box, cookieName string, value any) ([]byte, error) {
	content, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode cookie: %w", err)
	}
	return box.Seal(content, []byte(cookieName))
}

// openJSON returns what sealJSON sealed for a cookie of this name; ok is false for anything
// else.
func openJSON[T any](box *aead.Box, cookieName string, sealed []byte) (value T, ok bool) {
	content, err := box.Open(sealed, []byte(cookieName))
	if err != nil || json.Unmarshal(content, &value) != nil {
		return *new(T), false
	}
	return value, true
}

// isWithin reports whether what began at a time still lasts. Clocks differ by a minute.
func isWithin(lifetime time.Duration, began, now time.Time) bool {
	age := now.Sub(began)
	return age < lifetime && age >= -time.Minute
}

// belongsTo reports whether the attempt was made with this authenticator as it is now.
func (a LoginAttempt) belongsTo(authenticator store.Authenticator) bool {
	return a.AuthenticatorID == authenticator.ID && a.AuthenticatorGeneration == authenticator.Generation
}
