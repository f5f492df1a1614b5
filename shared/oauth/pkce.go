package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// challengeLength is the length of a base64url SHA-256.
const challengeLength = 43

// checkChallenge checks the PKCE parameters of an authorization request. A challenge
// without a method means "plain" (RFC 7636 §4.3), which is refused as such: an attacker who
// sees the request would have the verifier.
func checkChallenge(challenge, method string) *Error {
	switch {
	case challenge == "" && method == "":
		return nil
	case challenge == "":
		return refuse(InvalidRequest, CausePKCEMissing, "code_challenge is missing.")
	case method != "S256":
		return refuse(InvalidRequest, CausePKCEMethod, "code_challenge_method must be S256.")
	case len(challenge) != challengeLength || !isBase64URL(challenge):
		return refuse(InvalidRequest, CausePKCEMethod, "code_challenge must be the base64url SHA-256 of the verifier.")
	}
	return nil
}

// checkVerifier checks the code_verifier of a token request against the challenge of the
// authorization request. One without the other is refused: otherwise somebody could have a
// code without a challenge exchanged by a client that believes in its verifier (RFC 9700
// §4.8).
func checkVerifier(challenge, verifier string) *Error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return refuse(InvalidGrant, CausePKCEMismatch, "code_verifier was sent, but no code_challenge for this code.")
	case verifier == "":
		return refuse(InvalidGrant, CausePKCEMissing, "code_verifier is missing.")
	case !isVerifier(verifier):
		return refuse(InvalidGrant, CausePKCEMismatch, "code_verifier must have 43 to 128 unreserved characters.")
	}
	if subtle.ConstantTimeCompare([]byte(challengeOf(verifier)), []byte(challenge)) != 1 {
		return refuse(InvalidGrant, CausePKCEMismatch, "code_verifier does not fit the code_challenge.")
	}
	return nil
}

// challengeOf returns the S256 challenge of a verifier.
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// isVerifier reports whether text is a code verifier (RFC 7636 §4.1).
func isVerifier(text string) bool {
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return len(text) >= 43 && len(text) <= 128
}

func isBase64URL(text string) bool {
	for _, c := range []byte(text) {
		if !isAlphanumeric(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9'
}
