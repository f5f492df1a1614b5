package checks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"time"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks.json"

	minKeyBits = 2048
	// minKeys: the key that signs, and the next, which is published before it does.
	minKeys = 2
)

func discovery(_ context.Context, t *target, got *response) ([]Finding, error) {
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := got.decode(&document); err != nil {
		return nil, err
	}
	if document.Issuer != t.base {
		return report(Fail, "the issuer is %s, not %s", document.Issuer, t.base)
	}
	if document.Keys != t.base+keysPath {
		return report(Fail, "the keys are at %s, not below %s", document.Keys, t.base)
	}
	return report(OK, "issuer %s", document.Issuer)
}

func signingKeys(_ context.Context, _ *target, got *response) ([]Finding, error) {
	if got.StatusCode != http.StatusOK {
		return report(Fail, "the public keys answer %d", got.StatusCode)
	}
	var document struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := got.decode(&document); err != nil {
		return nil, err
	}
	count, smallest := 0, math.MaxInt
	for _, key := range document.Keys {
		// RFC 7518 §6: the members that are not public.
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, published := key[private]; published {
				return failWith("take the service off now and report it in private; rotate the signing keys three times before it returns",
					"the PRIVATE member %s is published", private)
			}
		}
		var kind, modulus string
		if json.Unmarshal(key["kty"], &kind) != nil || kind != "RSA" || json.Unmarshal(key["n"], &modulus) != nil {
			continue
		}
		bytes, err := base64.RawURLEncoding.DecodeString(modulus)
		if err != nil {
			return nil, fmt.Errorf("decode modulus of a public key: %w", err)
		}
		count, smallest = count+1, min(smallest, 8*len(bytes))
	}
	if count < minKeys {
		return report(Fail, "%d RSA keys, not two: the next one is published before it signs", count)
	}
	if smallest < minKeyBits {
		return failWith("these are not keys of this service: see what answers in front of it", "a key has only %d bits", smallest)
	}
	return report(OK, "%d RSA keys, %d bits or more, public members only", count, smallest)
}

// keyAge sees whether rotation runs: each one publishes keys. Half a time late may be a
// pause; twice the time is where the alarm OldKeysAlarm fires, too.
func keyAge(_ context.Context, t *target, got *response) ([]Finding, error) {
	published, err := http.ParseTime(got.Header.Get("Last-Modified"))
	if err != nil {
		return report(Skip, "the service does not tell when its keys were published")
	}
	age, due := t.Now().Sub(published), time.Duration(t.RotationDays)*day
	switch {
	case age > 2*due:
		return report(Fail, "published %d days ago: rotation every %d days does not run", age/day, t.RotationDays)
	case age > due*3/2:
		return report(Warn, "published %d days ago: rotation every %d days may not run", age/day, t.RotationDays)
	}
	return report(OK, "published %d days ago", age/day)
}
