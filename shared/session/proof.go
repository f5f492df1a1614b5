package session

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
)

// proofCookie is one for a browser: a person waits for one first sign-in.
const proofCookie = "__Host-wecom_first"

// Proofs stores in a sealed cookie whom a browser has proven to be, while it waits for that
// member's first sign-in.
type Proofs struct {
	Box *aead.Box // of purpose aead.FirstSignIn
	Now func() time.Time
}

// Save stores a proof in the browser until it expires, in place of an earlier one.
func (p *Proofs) Save(w http.ResponseWriter, proof authflow.Proof) error {
	sealed, err := authflow.SealProof(p.Box, proofCookie, proof)
	if err != nil {
		return fmt.Errorf("seal proof: %w", err)
	}
	left := proof.At.Add(authflow.ProofLifetime).Sub(p.Now())
	http.SetCookie(w, attemptCookie(proofCookie, base64.RawURLEncoding.EncodeToString(sealed), int(left/time.Second)))
	return nil
}

// HasProof reports whether a browser carries a proof, which may be anything yet.
func HasProof(r *http.Request) bool {
	_, err := r.Cookie(proofCookie)
	return err == nil
}

// Find returns the proof of this browser; ok is false without one that counts.
func (p *Proofs) Find(r *http.Request) (proof authflow.Proof, ok bool) {
	cookie, err := r.Cookie(proofCookie)
	if err != nil {
		return authflow.Proof{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return authflow.Proof{}, false
	}
	proof, err = authflow.OpenProof(p.Box, proofCookie, sealed, p.Now())
	return proof, err == nil
}

// ClearProof removes the proof from the browser.
func ClearProof(w http.ResponseWriter) { http.SetCookie(w, attemptCookie(proofCookie, "", -1)) }
