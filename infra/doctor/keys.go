package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	discoveryPath = "/.well-known/openid-configuration"
	keysPath      = "/.well-known/jwks.json"

	day        = 24 * time.Hour
	minKeyBits = 2048
	// minKeys: the one that signs, and the next, which is published before it does.
	minKeys = 2
)

func checkDiscovery(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, discoveryPath)
	if err != nil {
		return unanswered(discoveryPath, err)
	}
	if got.status != http.StatusOK {
		return fail("discovery.status", "status", strconv.Itoa(got.status))
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(got.body, &document); err != nil {
		return fail("discovery.form")
	}
	if document.Issuer != v.base {
		return fail("discovery.issuer", "issuer", document.Issuer, "address", v.base)
	}
	if document.Keys != v.base+keysPath {
		return fail("discovery.keys", "keys", document.Keys, "address", v.base)
	}
	return ok("discovery.ok", "issuer", document.Issuer)
}

func checkSigningKeys(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, keysPath)
	if err != nil {
		return unanswered(keysPath, err)
	}
	if got.status != http.StatusOK {
		return fail("signing-keys.status", "status", strconv.Itoa(got.status))
	}
	var document struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(got.body, &document); err != nil {
		return fail("signing-keys.form")
	}
	smallest, count := 0, 0
	for _, key := range document.Keys {
		// RFC 7518 §6: all members that are not public.
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, published := key[private]; published {
				return fail("signing-keys.private", "member", private)
			}
		}
		var kind, modulus string
		if json.Unmarshal(key["kty"], &kind) != nil || kind != "RSA" || json.Unmarshal(key["n"], &modulus) != nil {
			continue
		}
		bytes, err := base64.RawURLEncoding.DecodeString(modulus)
		if err != nil {
			return fail("signing-keys.form")
		}
		bits := new(big.Int).SetBytes(bytes).BitLen()
		if count == 0 || bits < smallest {
			smallest = bits
		}
		count++
	}
	switch {
	case count < minKeys:
		return fail("signing-keys.few", "count", strconv.Itoa(count))
	case smallest < minKeyBits:
		return fail("signing-keys.weak", "bits", strconv.Itoa(smallest))
	}
	return ok("signing-keys.ok", "count", strconv.Itoa(count), "bits", strconv.Itoa(smallest))
}

// checkKeyAge sees whether rotation runs: each one publishes keys. Half a time late may
// be a pause; twice the time is what the alarm OldKeysAlarm calls late, too.
func checkKeyAge(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, keysPath)
	if err != nil {
		return unanswered(keysPath, err)
	}
	published, err := http.ParseTime(got.header.Get("Last-Modified"))
	if err != nil {
		return skip("key-age.unknown")
	}
	age := v.Now().Sub(published)
	due := time.Duration(v.RotationDays) * day
	days, every := strconv.Itoa(int(age/day)), strconv.Itoa(v.RotationDays)
	switch {
	case age > 2*due:
		return fail("key-age.old", "days", days, "every", every)
	case age > due*3/2:
		return warn("key-age.ageing", "days", days, "every", every)
	}
	return ok("key-age.ok", "days", days)
}

// sorted joins names for a line.
func sorted(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
