package keys_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/keys"
)

const issuer = "https://signin.example.com"

func claims() keys.AccessTokenClaims {
	return keys.AccessTokenClaims{
		Issuer: issuer, Audience: keys.Audience{"https://app.example.com"}, Subject: "01user", SessionKey: "key of the session",
		Member: map[string]any{
			"name": "张三", "phone_number": "+8613800000000", "roles": []any{"admin", "staff"}, "corp_id": "ww1234", "wecom_userid": "ZhangSan",
		},
	}
}

// kept is where the tests keep a key set and its public document.
type kept struct {
	set   atomic.Pointer[keys.Set]
	err   atomic.Pointer[error]
	reads atomic.Int64
}

func keep(set keys.Set) *kept {
	k := &kept{}
	k.set.Store(&set)
	return k
}

func (k *kept) fail(err error) { k.err.Store(&err) }

func (k *kept) load(context.Context) (string, error) {
	k.reads.Add(1)
	if err := k.err.Load(); err != nil && *err != nil {
		return "", *err
	}
	return k.set.Load().Encode()
}

func (k *kept) document(context.Context) ([]byte, error) {
	k.reads.Add(1)
	if err := k.err.Load(); err != nil && *err != nil {
		return nil, *err
	}
	return keys.Public(*k.set.Load())
}

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func TestMintSaysExactlyTheContract(t *testing.T) {
	set := testSet()
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(set).load, Now: at(start)})
	token, lifetime, err := minter.Mint(t.Context(), claims(), start.Add(8*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if lifetime != 15*time.Minute {
		t.Errorf("lifetime %v", lifetime)
	}
	header, payload := open(t, token)
	if diff := cmp.Diff(map[string]any{"alg": "RS256", "typ": "at+jwt", "kid": set.Current.ID()}, header); diff != "" {
		t.Error(diff)
	}
	if id, _ := payload["jti"].(string); len(id) != 26 {
		t.Errorf("jti is %q", id)
	}
	delete(payload, "jti")
	want := map[string]any{
		"iss": issuer, "aud": "https://app.example.com", "sub": "01user",
		"iat": float64(start.Unix()), "exp": float64(start.Unix() + 900),
		"name": "张三", "phone_number": "+8613800000000", "roles": []any{"admin", "staff"},
		"corp_id": "ww1234", "wecom_userid": "ZhangSan", "sid": "key of the session",
	}
	if diff := cmp.Diff(want, payload); diff != "" {
		t.Error(diff)
	}
}

// open decodes a token without checking it.
func open(t *testing.T, token string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, to := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return header, payload
}

func TestMintLifetime(t *testing.T) {
	half := start.Add(500 * time.Millisecond)
	tests := []struct {
		name         string
		now, end     time.Time
		want         time.Duration
		wantIssuedAt int64
		wantEnd      int64
		wantErr      error
	}{
		{"long session", start, start.Add(time.Hour), 15 * time.Minute, start.Unix(), start.Unix() + 900, nil},
		{"between two seconds", half, start.Add(time.Hour), 899 * time.Second, start.Unix(), start.Unix() + 900, nil},
		{"session ends sooner", start, start.Add(2 * time.Minute), 2 * time.Minute, start.Unix(), start.Unix() + 120, nil},
		{"session ends between two seconds", start, half.Add(time.Minute), time.Minute, start.Unix(), start.Unix() + 60, nil},
		{"session ends at once", start, half, 0, 0, 0, keys.ErrNoTimeLeft},
		{"session has ended", start, start.Add(-time.Hour), 0, 0, 0, keys.ErrNoTimeLeft},
	}
	source := keep(testSet())
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			minter := keys.NewMinter(keys.MinterConfig{Load: source.load, Now: at(test.now)})
			token, lifetime, err := minter.Mint(t.Context(), claims(), test.end)
			if !errors.Is(err, test.wantErr) || lifetime != test.want {
				t.Fatalf("got %v, %v; want %v, %v", lifetime, err, test.want, test.wantErr)
			}
			if err != nil {
				return
			}
			_, payload := open(t, token)
			if payload["iat"] != float64(test.wantIssuedAt) || payload["exp"] != float64(test.wantEnd) {
				t.Errorf("iat %v, exp %v; want %d, %d", payload["iat"], payload["exp"], test.wantIssuedAt, test.wantEnd)
			}
		})
	}
}

func TestMintRefusesHalfAClaim(t *testing.T) {
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(testSet()).load, Now: at(start)})
	for name, spoil := range map[string]func(*keys.AccessTokenClaims){
		"issuer":   func(c *keys.AccessTokenClaims) { c.Issuer = "" },
		"audience": func(c *keys.AccessTokenClaims) { c.Audience = nil },
		"subject":  func(c *keys.AccessTokenClaims) { c.Subject = "" },
	} {
		c := claims()
		spoil(&c)
		if token, _, err := minter.Mint(t.Context(), c, start.Add(time.Hour)); err == nil || token != "" {
			t.Errorf("without %s: minted", name)
		}
	}
}

func TestMinterFollowsARotationAndOutlivesAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := testSet()
		source := keep(set)
		minter := keys.NewMinter(keys.MinterConfig{Load: source.load})
		signedBy := func() string {
			t.Helper()
			token, _, err := minter.Mint(t.Context(), claims(), time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			header, _ := open(t, token)
			return header["kid"].(string)
		}
		for range 2 {
			if signedBy() != set.Current.ID() || source.reads.Load() != 1 {
				t.Fatalf("%d reads", source.reads.Load())
			}
		}
		rotated := keys.Rotate(set, keyPool()[3])
		source.set.Store(&rotated)
		time.Sleep(4 * time.Minute)
		if signedBy() != set.Current.ID() {
			t.Error("the kept set was not used")
		}
		source.fail(errors.New("down"))
		time.Sleep(2 * time.Minute)
		if signedBy() != set.Current.ID() {
			t.Error("an outage ended signing")
		}
		source.fail(nil)
		time.Sleep(11 * time.Second)
		if signedBy() != set.Next.ID() {
			t.Error("the rotated set was not picked up")
		}
	})
}

func TestMinterWithoutKeysIsAnError(t *testing.T) {
	source := keep(testSet())
	source.fail(errors.New("down"))
	minter := keys.NewMinter(keys.MinterConfig{Load: source.load})
	if token, _, err := minter.Mint(t.Context(), claims(), time.Now().Add(time.Hour)); err == nil || token != "" {
		t.Error("minted without keys")
	}
}

// forge signs what no Minter would sign.
type forge struct {
	key     any // *rsa.PrivateKey or []byte
	alg     jose.SignatureAlgorithm
	kid     string
	typ     string
	embed   bool // jwk in the header
	headers map[jose.HeaderKey]any
	payload any
}

func (f forge) sign(t *testing.T) string {
	t.Helper()
	options := &jose.SignerOptions{EmbedJWK: f.embed, ExtraHeaders: f.headers}
	if f.typ != "" {
		options.WithType(jose.ContentType(f.typ))
	}
	var key any = jose.JSONWebKey{Key: f.key, KeyID: f.kid}
	if f.embed {
		key = f.key
		options.WithHeader("kid", f.kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: f.alg, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(f.payload).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// privateOf takes a private key out of an encoded set.
func privateOf(t *testing.T, set keys.Set) *rsa.PrivateKey {
	t.Helper()
	var parsed struct{ Current struct{ PKCS8 []byte } }
	if err := json.Unmarshal([]byte(encode(t, set)), &parsed); err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(parsed.Current.PKCS8)
	if err != nil {
		t.Fatal(err)
	}
	return private.(*rsa.PrivateKey)
}

func TestVerify(t *testing.T) {
	set := testSet()
	ours, kid := privateOf(t, set), set.Current.ID()
	theirs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	publicPKIX, err := x509.MarshalPKIXPublicKey(&ours.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(time.Hour)
	payload := func(change map[string]any) map[string]any {
		p := map[string]any{
			"iss": issuer, "aud": "https://app.example.com", "sub": "01user", "jti": "id",
			"iat": now.Unix() - 60, "exp": now.Unix() + 60, "name": "", "phone_number": "", "roles": []string{},
			"corp_id": "ww1234", "wecom_userid": "ZhangSan",
		}
		maps.Copy(p, change)
		return p
	}
	good := forge{key: ours, alg: jose.RS256, kid: kid, typ: "at+jwt", payload: payload(nil)}
	with := func(change func(*forge)) string {
		f := good
		change(&f)
		return f.sign(t)
	}
	claiming := func(change map[string]any) string {
		return with(func(f *forge) { f.payload = payload(change) })
	}
	raw := func(header, payload string) string {
		encoder := base64.RawURLEncoding
		return encoder.EncodeToString([]byte(header)) + "." + encoder.EncodeToString([]byte(payload)) + "."
	}
	goodToken := good.sign(t)
	parts := strings.Split(goodToken, ".")
	otherParts := strings.Split(claiming(map[string]any{"sub": "01other"}), ".")
	nonePayload, err := json.Marshal(payload(nil))
	if err != nil {
		t.Fatal(err)
	}

	tests := []struct {
		name, token string
		ok          bool
	}{
		{"a good one", goodToken, true},
		{"issued a moment ahead of our clock", claiming(map[string]any{"iat": now.Unix() + 9}), true},
		{"attack: alg none", raw(`{"alg":"none","typ":"at+jwt","kid":"`+kid+`"}`, string(nonePayload)), false},
		{"attack: alg None", raw(`{"alg":"None","typ":"at+jwt","kid":"`+kid+`"}`, string(nonePayload)), false},
		{"attack: signature removed", parts[0] + "." + parts[1] + ".", false},
		{"attack: payload exchanged", parts[0] + "." + otherParts[1] + "." + parts[2], false},
		{"attack: HS256 with the public key as the secret", with(func(f *forge) { f.alg, f.key = jose.HS256, publicPKIX }), false},
		{"attack: RS512 of the same key", with(func(f *forge) { f.alg = jose.RS512 }), false},
		{"attack: PS256 of the same key", with(func(f *forge) { f.alg = jose.PS256 }), false},
		{"attack: our kid, another key", with(func(f *forge) { f.key = theirs }), false},
		{"attack: key in the jwk header", with(func(f *forge) { f.key, f.embed = theirs, true }), false},
		{"attack: key in the jwk header without kid", with(func(f *forge) { f.key, f.embed, f.kid = theirs, true, "" }), false},
		{"attack: jku header", with(func(f *forge) {
			f.key, f.headers = theirs, map[jose.HeaderKey]any{"jku": "https://evil.example/jwks.json"}
		}), false},
		{"attack: id token", with(func(f *forge) { f.typ = "JWT" }), false},
		{"attack: no type", with(func(f *forge) { f.typ = "" }), false},
		{"attack: logout token", with(func(f *forge) { f.typ = "logout+jwt" }), false},
		{"attack: unknown critical header", with(func(f *forge) {
			f.headers = map[jose.HeaderKey]any{"crit": []string{"x"}, "x": 1}
		}), false},
		{"no kid", with(func(f *forge) { f.kid = "" }), false},
		{"unknown kid", with(func(f *forge) { f.kid = "unknown" }), false},
		{"another issuer", claiming(map[string]any{"iss": "https://evil.example"}), false},
		{"issuer with a slash", claiming(map[string]any{"iss": issuer + "/"}), false},
		{"issuer in another case", claiming(map[string]any{"iss": strings.ToUpper(issuer)}), false},
		{"no issuer", claiming(map[string]any{"iss": ""}), false},
		{"expired this second", claiming(map[string]any{"exp": now.Unix()}), false},
		{"expired", claiming(map[string]any{"exp": now.Unix() - 1}), false},
		{"no expiry", claiming(map[string]any{"exp": nil}), false},
		{"attack: expiry as text", claiming(map[string]any{"exp": "9999999999"}), false},
		{"attack: expiry in another case beside", claiming(map[string]any{"exp": 1, "EXP": now.Unix() + 60}), false},
		{"issued in the future", claiming(map[string]any{"iat": now.Unix() + 11}), false},
		{"no time of issue", claiming(map[string]any{"iat": nil}), false},
		{"no subject", claiming(map[string]any{"sub": ""}), false},
		{"attack: subject as a list", claiming(map[string]any{"sub": []string{"01user"}}), false},
		{"attack: too long", claiming(map[string]any{"name": strings.Repeat("x", 9000)}), false},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, false},
		{"a fourth part", goodToken + ".e30", false},
		{"white space", " " + goodToken, false},
		{"nothing", "", false},
		{"dots", "..", false},
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(now)})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := verifier.VerifySession(t.Context(), test.token, issuer)
			if test.ok {
				if err != nil || got.Subject != "01user" || got.Member["wecom_userid"] != "ZhangSan" {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, keys.ErrRefused) {
				t.Fatalf("got %v; want ErrRefused", err)
			}
			if diff := cmp.Diff(keys.AccessTokenClaims{}, got); diff != "" {
				t.Errorf("a refused token said something: %s", diff)
			}
			if test.token != "" && strings.Contains(err.Error(), parts[1][:20]) {
				t.Errorf("the error shows the token: %v", err)
			}
		})
	}
	if _, err := verifier.VerifySession(t.Context(), goodToken, ""); !errors.Is(err, keys.ErrRefused) {
		t.Errorf("no issuer wanted: got %v", err)
	}
}

func TestMintedTokensVerifyThroughRotations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := testSet()
		source, published := keep(set), keep(set)
		minter := keys.NewMinter(keys.MinterConfig{Load: source.load})
		// The slowest case: a verifier that read the keys just before the rotation.
		verifier := keys.NewVerifier(keys.VerifierConfig{Document: published.document})
		for i := range 5 {
			token, _, err := minter.Mint(t.Context(), claims(), time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			rotated := keys.Rotate(*source.set.Load(), keyPool()[(3+i)%5])
			published.set.Store(&rotated)
			source.set.Store(&rotated)
			got, err := verifier.VerifySession(t.Context(), token, issuer)
			if err != nil {
				t.Fatalf("rotation %d: %v", i, err)
			}
			want := claims()
			want.IssuedAt, want.ExpiresAt, want.ID = got.IssuedAt, got.ExpiresAt, got.ID
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			time.Sleep(6 * time.Minute)
		}
	})
}

// Attack: make the service read its store once per forged token.
func TestUnknownKidStormDoesNotReadEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := testSet()
		published := keep(set)
		verifier := keys.NewVerifier(keys.VerifierConfig{Document: published.document})
		theirs := forge{
			key: privateOf(t, set), alg: jose.RS256, kid: "unknown", typ: "at+jwt", payload: map[string]any{},
		}.sign(t)
		for range 600 { // a minute of ten a second
			if _, err := verifier.VerifySession(t.Context(), theirs, issuer); !errors.Is(err, keys.ErrRefused) {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if reads := published.reads.Load(); reads > 7 {
			t.Errorf("%d reads in a minute", reads)
		}
	})
}

func TestVerifierFindsANewKeyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := testSet()
		published := keep(set)
		verifier := keys.NewVerifier(keys.VerifierConfig{Document: published.document})
		token := func(set keys.Set) string {
			minter := keys.NewMinter(keys.MinterConfig{Load: keep(set).load})
			token, _, err := minter.Mint(t.Context(), claims(), time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		if _, err := verifier.VerifySession(t.Context(), token(set), issuer); err != nil {
			t.Fatal(err)
		}
		time.Sleep(11 * time.Second)
		// All keys replaced at once, as after a theft.
		replaced := keys.Set{Next: keyPool()[3], Current: keyPool()[4]}
		published.set.Store(&replaced)
		if _, err := verifier.VerifySession(t.Context(), token(replaced), issuer); err != nil {
			t.Errorf("new key: %v", err)
		}
		if _, err := verifier.VerifySession(t.Context(), token(set), issuer); !errors.Is(err, keys.ErrRefused) {
			t.Errorf("a withdrawn key: %v", err)
		}
	})
}

func TestVerifierWithoutKeysIsAFaultNotARefusal(t *testing.T) {
	down := errors.New("down")
	source := keep(testSet())
	minter := keys.NewMinter(keys.MinterConfig{Load: source.load})
	token, _, err := minter.Mint(t.Context(), claims(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	source.fail(down)
	_, err = keys.NewVerifier(keys.VerifierConfig{Document: source.document}).VerifySession(t.Context(), token, issuer)
	if !errors.Is(err, down) || errors.Is(err, keys.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	source := keep(testSet())
	minter := keys.NewMinter(keys.MinterConfig{Load: source.load, Now: at(start)})
	token, _, err := minter.Mint(f.Context(), claims(), start.Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: source.document, Now: at(start)})
	f.Add(token)
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, candidate string) {
		_, err := verifier.VerifySession(t.Context(), candidate, issuer)
		// base64url has spare bits, so that other spellings of the signature are the same token.
		if err == nil && !strings.HasPrefix(candidate, token[:strings.LastIndex(token, ".")]) {
			t.Errorf("accepted %q", candidate)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	source := keep(testSet())
	minter := keys.NewMinter(keys.MinterConfig{Load: source.load})
	token, _, err := minter.Mint(b.Context(), claims(), time.Now().Add(time.Hour))
	if err != nil {
		b.Fatal(err)
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: source.document})
	for b.Loop() {
		if _, err := verifier.VerifySession(b.Context(), token, issuer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(testSet()).load})
	for b.Loop() {
		if _, _, err := minter.Mint(b.Context(), claims(), time.Now().Add(time.Hour)); err != nil {
			b.Fatal(err)
		}
	}
}
