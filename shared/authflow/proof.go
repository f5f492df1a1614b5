package authflow

import (
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
)

// ProofLifetime is how long a browser may wait for a member's first sign-in.
const ProofLifetime = 10 * time.Minute

// MaxQuestions is how often a browser may ask whether it can go on: every three seconds of
// ProofLifetime. It is counted in the cookie, so it stops a page that asks too often. What
// bounds a browser that plays back an old cookie is ProofLifetime and the throttle of the
// route.
const MaxQuestions = 200

// Proof says that a browser has proven to be a member of WeCom who was nobody's identity: by
// a code of WeCom's login page, in an attempt of its own. The browser keeps it sealed in a
// cookie while the member signs in inside WeCom's client (FirstSignIns).
type Proof struct {
	// State is that of the attempt. The session that the proof starts is derived from it, so
	// there is one at most, however often the cookie is copied.
	State                   string      `json:"s"`
	Authenticator           string      `json:"n"` // name
	AuthenticatorID         string      `json:"i"`
	AuthenticatorGeneration string      `json:"g"`
	CorpID                  string      `json:"r"`
	WeComUserID             string      `json:"u"`
	Destination             Destination `json:"d,omitzero"`
	// At is when WeCom named the member. A member who was bound before is not waited for.
	At        time.Time `json:"t"`
	Questions int       `json:"k"` // that were asked with it
}

// ErrProofInvalid: a cookie does not hold a proof that somebody may still wait with.
var ErrProofInvalid = errors.New("proof cookie does not open, or is too old")

// SealProof returns the proof for a cookie of the given name.
func SealProof(box *aead.Box, cookieName string, p Proof) ([]byte, error) {
	p.Destination, p.At = p.Destination.inCookie(), p.At.UTC().Truncate(time.Millisecond)
	return sealJSON(box, cookieName, p)
}

// OpenProof returns the proof of a cookie, or ErrProofInvalid: it is not ours, or older than
// ProofLifetime.
func OpenProof(box *aead.Box, cookieName string, sealed []byte, now time.Time) (Proof, error) {
	p, ok := openJSON[Proof](box, cookieName, sealed)
	if !ok || !isWithin(ProofLifetime, p.At, now) {
		return Proof{}, ErrProofInvalid
	}
	return p, nil
}
