package authflow

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// AttemptLifetime is how long a browser may take from authorize to callback.
const AttemptLifetime = 15 * time.Minute

// LoginAttempt is one journey of one browser to WeCom and back. The browser keeps it,
// sealed, in a cookie of its own, so that nothing is stored for visitors who never
// return.
type LoginAttempt struct {
	// State is what WeCom hands back: letters and digits only, because the in-client
	// page takes nothing else (path 91022 of WeCom's documentation).
	State string
	// AuthenticatorID and AuthenticatorGeneration bind the attempt to the
	// authenticator as it was: a namesake or a re-enabled one is another.
	AuthenticatorID         string
	AuthenticatorGeneration string
	// Target is the path to go to afterwards; empty means the one in the callback's
	// address, or the authenticator's default.
	Target string
	// ToConsole means that the service's own console is where to go afterwards, and
	// not the application.
	ToConsole bool
	// InWeCom tells whether the browser left through the client's door, where a
	// phone number can be had.
	InWeCom bool
	// Scope that was asked for.
	Scope    wecom.Scope
	IssuedAt time.Time
}

// What OpenAttempt answers when a cookie is no attempt that may go on.
var (
	ErrAttemptInvalid = errors.New("attempt cookie does not open")
	ErrAttemptExpired = errors.New("attempt is too old")
)

// longestCarriedTarget keeps eight attempts well under the 10,240 bytes that API
// Gateway allows for all headers. A longer target travels in redirect_uri alone.
const longestCarriedTarget = 128

const attemptFields = 8

// SealAttempt returns the attempt for a cookie of the given name.
func SealAttempt(box *aead.Box, cookieName string, a LoginAttempt) ([]byte, error) {
	target := a.Target
	if len(target) > longestCarriedTarget {
		target = ""
	}
	// No field can hold a line break: targets are checked, the rest is ours.
	content := strings.Join([]string{
		a.State, a.AuthenticatorID, a.AuthenticatorGeneration, target,
		strconv.FormatBool(a.InWeCom), string(a.Scope), strconv.FormatInt(a.IssuedAt.UnixMilli(), 10),
		strconv.FormatBool(a.ToConsole),
	}, "\n")
	return box.Seal([]byte(content), []byte(cookieName))
}

// OpenAttempt returns the attempt of a cookie: ErrAttemptInvalid when it is not
// ours, ErrAttemptExpired (with the attempt) after AttemptLifetime.
func OpenAttempt(box *aead.Box, cookieName string, sealed []byte, now time.Time) (LoginAttempt, error) {
	content, err := box.Open(sealed, []byte(cookieName))
	if err != nil {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	fields := strings.Split(string(content), "\n")
	if len(fields) != attemptFields {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	issuedAt, err := strconv.ParseInt(fields[6], 10, 64)
	if err != nil {
		return LoginAttempt{}, ErrAttemptInvalid
	}
	a := LoginAttempt{
		State: fields[0], AuthenticatorID: fields[1], AuthenticatorGeneration: fields[2], Target: fields[3],
		InWeCom: fields[4] == "true", Scope: wecom.Scope(fields[5]), IssuedAt: time.UnixMilli(issuedAt),
		ToConsole: fields[7] == "true",
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

// SessionKey returns the key under which a session id is stored: its hex SHA-256,
// so that whoever reads the store holds no session.
func SessionKey(sessionID string) string {
	sum := sha256.Sum256([]byte(sessionID))
	return hex.EncodeToString(sum[:])
}
