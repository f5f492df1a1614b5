package authflow

import (
	"encoding/json"
	"errors"
	"fmt"
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
	State                   string
	Authenticator           string // name
	AuthenticatorID         string
	AuthenticatorGeneration string
	CorpID                  string
	WeComUserID             string
	Destination             Destination
	// At is when WeCom named the member. A member who was bound before is not waited for.
	At        time.Time
	Questions int // that were asked with it
}

// ErrProofInvalid: a cookie does not hold a proof that somebody may still wait with.
var ErrProofInvalid = errors.New("proof cookie does not open, or is too old")

// sealedProof is the content of the proof's cookie.
type sealedProof struct {
	State      string `json:"s"`
	Name       string `json:"n"`
	ID         string `json:"i"`
	Generation string `json:"g"`
	CorpID     string `json:"r"`
	UserID     string `json:"u"`
	sealedDestination
	At        int64 `json:"t"` // Unix time in milliseconds
	Questions int   `json:"k,omitempty"`
}

// SealProof returns the proof for a cookie of the given name.
func SealProof(box *aead.Box, cookieName string, p Proof) ([]byte, error) {
	content, err := json.Marshal(sealedProof{
		State: p.State, Name: p.Authenticator, ID: p.AuthenticatorID, Generation: p.AuthenticatorGeneration,
		CorpID: p.CorpID, UserID: p.WeComUserID, sealedDestination: sealDestination(p.Destination),
		At: p.At.UnixMilli(), Questions: p.Questions,
	})
	if err != nil {
		return nil, fmt.Errorf("encode proof: %w", err)
	}
	return box.Seal(content, []byte(cookieName))
}

// OpenProof returns the proof of a cookie, or ErrProofInvalid: it is not ours, or older than
// ProofLifetime.
func OpenProof(box *aead.Box, cookieName string, sealed []byte, now time.Time) (Proof, error) {
	content, err := box.Open(sealed, []byte(cookieName))
	if err != nil {
		return Proof{}, ErrProofInvalid
	}
	var opened sealedProof
	if err := json.Unmarshal(content, &opened); err != nil {
		return Proof{}, ErrProofInvalid
	}
	p := Proof{
		State: opened.State, Authenticator: opened.Name, AuthenticatorID: opened.ID, AuthenticatorGeneration: opened.Generation,
		CorpID: opened.CorpID, WeComUserID: opened.UserID, Destination: opened.open(),
		At: time.UnixMilli(opened.At).UTC(), Questions: opened.Questions,
	}
	if age := now.Sub(p.At); age >= ProofLifetime || age < -time.Minute {
		return Proof{}, ErrProofInvalid
	}
	return p, nil
}
