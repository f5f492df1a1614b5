package keys_test

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/wecom-signin/wecom-signin/shared/keys"
)

var start = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// keyPool is shared by the tests: making keys is the slow part of them.
var keyPool = sync.OnceValue(func() []keys.Key {
	pool := make([]keys.Key, 5)
	var group sync.WaitGroup
	for i := range pool {
		group.Go(func() { pool[i], _ = keys.NewKey(start) })
	}
	group.Wait()
	return pool
})

func testSet() keys.Set {
	pool := keyPool()
	return keys.Set{Next: pool[0], Current: pool[1], Previous: pool[2]}
}

func encode(t *testing.T, s keys.Set) string {
	t.Helper()
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func publicOf(t *testing.T, sets ...keys.Set) []byte {
	t.Helper()
	document, err := keys.Public(sets...)
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestSetSurvivesItsEncoding(t *testing.T) {
	first := testSet()
	first.Previous = keys.Key{}
	for name, set := range map[string]keys.Set{"first": first, "rotated": testSet()} {
		t.Run(name, func(t *testing.T) {
			text := encode(t, set)
			if len(text) > 60<<10 {
				t.Errorf("%d bytes; Secrets Manager takes 64 kB", len(text))
			}
			again, err := keys.Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := encode(t, again); got != text {
				t.Error("decoding and encoding changed it")
			}
			if !again.Current.Created().Equal(start) || again.Current.ID() != set.Current.ID() {
				t.Errorf("current is %v of %v", again.Current, again.Current.Created())
			}
		})
	}
}

func TestEncodeNeedsTwoKeys(t *testing.T) {
	pool := keyPool()
	for name, set := range map[string]keys.Set{
		"none": {}, "no current": {Next: pool[0]}, "no next": {Current: pool[0], Previous: pool[1]},
	} {
		if text, err := set.Encode(); err == nil || text != "" {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	good := encode(t, testSet())
	tests := []struct {
		name, text string
		noSet      bool
	}{
		{"nothing", "", true},
		{"a template's placeholder", "k9&3Lx!pQ0zR", true},
		{"a template's placeholder in JSON", `{"password":"k9&3Lx!pQ0zR"}`, true},
		{"null", "null", true},
		{"a list", "[]", true},
		{"a truncated set", good[:len(good)/2], false},
		{"a set with broken base64", strings.Replace(good, `"pkcs8":"MII`, `"pkcs8":"*II`, 1), false},
		{"a set with a broken key", strings.Replace(good, `"pkcs8":"MIIE`, `"pkcs8":"MIIF`, 1), false},
		{"a set without current", strings.Replace(good, `"current"`, `"currant"`, 1), false},
		{"a set without next", strings.Replace(good, `"next"`, `"text"`, 1), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := keys.Decode(test.text)
			if err == nil || errors.Is(err, keys.ErrNoSet) != test.noSet {
				t.Fatalf("got %v; ErrNoSet wanted: %v", err, test.noSet)
			}
			if strings.Contains(err.Error(), "MII") || strings.Contains(err.Error(), "k9") {
				t.Errorf("the error shows the text: %v", err)
			}
		})
	}
}

func TestRotateMovesEveryKeyOnePlace(t *testing.T) {
	set, fresh := testSet(), keyPool()[3]
	want := keys.Set{Next: fresh, Current: set.Next, Previous: set.Current}
	if got := keys.Rotate(set, fresh); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestGenerateIsAFirstSet(t *testing.T) {
	set, err := keys.Generate(start.Add(300 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if set.Next.ID() == set.Current.ID() || !set.Previous.IsZero() || !set.Current.Created().Equal(start) {
		t.Errorf("got %v", set)
	}
}

// Attack: read a private key off a log line or an error text.
func TestPrivateKeysAreNeverShown(t *testing.T) {
	set := testSet()
	var parsed struct{ Current struct{ PKCS8 string } }
	if err := json.Unmarshal([]byte(encode(t, set)), &parsed); err != nil {
		t.Fatal(err)
	}
	type hiding struct{ inside keys.Set }
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q", "%T"} {
		for _, value := range []any{set, &set, set.Current, &set.Current, hiding{set}, []keys.Set{set}} {
			fmt.Fprintf(&shown, verb+"\n", value)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(handler).Info("keys", "set", set, "key", set.Current, "pointer", &set, "hiding", hiding{set})
	}
	if err := json.NewEncoder(&shown).Encode(set); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(shown.String(), set.Current.ID()) {
		t.Error("the id should be shown")
	}
	// Private exponents and primes have 300 digits or more in any notation.
	run := 0
	for _, c := range shown.String() {
		if c == ' ' || c == '\n' {
			run = 0
		} else if run++; run > 400 {
			t.Fatalf("something as long as a key is shown:\n%.2000s", shown.String())
		}
	}
	if strings.Contains(shown.String(), parsed.Current.PKCS8[:40]) {
		t.Error("PKCS #8 is shown")
	}
}

func TestPublicDocument(t *testing.T) {
	set := testSet()
	rotated := keys.Rotate(set, keyPool()[3])
	tests := []struct {
		name string
		sets []keys.Set
		want []keys.Key
	}{
		{"first set", []keys.Set{{Next: set.Next, Current: set.Current}}, []keys.Key{set.Current, set.Next}},
		{"full set", []keys.Set{set}, []keys.Key{set.Current, set.Next, set.Previous}},
		{"around a rotation", []keys.Set{set, rotated}, []keys.Key{set.Current, set.Next, set.Previous, rotated.Next}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var document struct{ Keys []map[string]string }
			if err := json.Unmarshal(publicOf(t, test.sets...), &document); err != nil {
				t.Fatal(err)
			}
			if len(document.Keys) != len(test.want) {
				t.Fatalf("%d keys; want %d", len(document.Keys), len(test.want))
			}
			for i, got := range document.Keys {
				for member, want := range map[string]string{
					"kty": "RSA", "use": "sig", "alg": "RS256", "kid": test.want[i].ID(), "e": "AQAB",
				} {
					if got[member] != want {
						t.Errorf("key %d: %s is %q; want %q", i, member, got[member], want)
					}
				}
				// Attack: private members in the public document.
				if len(got) != 6 || len(got["n"]) != 342 {
					t.Errorf("key %d has members %v", i, got)
				}
			}
			var standard jose.JSONWebKeySet
			if err := json.Unmarshal(publicOf(t, test.sets...), &standard); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if found := standard.Key(want.ID()); len(found) != 1 {
					t.Errorf("%d keys named %s", len(found), want.ID())
				} else if _, ok := found[0].Key.(*rsa.PublicKey); !ok {
					t.Errorf("key %s is %T", want.ID(), found[0].Key)
				}
			}
		})
	}
	if _, err := keys.Public(); err == nil {
		t.Error("an empty document was made")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("")
	f.Add(`{"next":{"pkcs8":"MIIE"},"current":{"kid":"a","created":"2026-11-21T08:00:00Z","pkcs8":""}}`)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := keys.Decode(text)
		if err == nil {
			if _, err := set.Encode(); err != nil {
				t.Errorf("decoded but not encodable: %v", err)
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text, err := testSet().Encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := keys.Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
