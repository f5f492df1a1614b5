package oauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// TestSecretLength: the OpenID Foundation's suite refuses secrets of less than 32 bytes.
func TestSecretLength(t *testing.T) {
	form := regexp.MustCompile(`^[A-Za-z0-9]{43}$`)
	seen, characters := map[string]bool{}, map[rune]bool{}
	for range 500 {
		value, record, err := oauth.NewSecret(rand.Reader, start)
		if err != nil {
			t.Fatal(err)
		}
		text := value.Reveal()
		if !form.MatchString(text) || seen[text] || seen[record.ID] {
			t.Fatalf("%q", text)
		}
		if record.Prefix != text[:4] || strings.Contains(record.Hash, text) || len(record.Hash) != 64 || !record.CreatedAt.Equal(start) {
			t.Fatalf("%+v", record)
		}
		seen[text], seen[record.ID] = true, true
		for _, c := range text {
			characters[c] = true
		}
	}
	if len(characters) != 62 {
		t.Errorf("%d different characters", len(characters))
	}
	// The two values of six bits without a character are drawn again.
	value, _, err := oauth.NewSecret(bytes.NewReader(append(bytes.Repeat([]byte{63, 62, 255}, 43), bytes.Repeat([]byte{1}, 43)...)), start)
	if err != nil || value.Reveal() != strings.Repeat("1", 43) {
		t.Errorf("got %q, %v", value.Reveal(), err)
	}
	if _, _, err := oauth.NewSecret(iotest.ErrReader(errDown), start); !errors.Is(err, errDown) {
		t.Errorf("without randomness: %v", err)
	}
}

// tokenAs asks for a token with a code that does not exist: invalid_grant says that the
// application is authenticated.
func (b *bench) tokenAs(authorization []string, pairs ...string) error {
	body := form(append([]string{
		"grant_type", "authorization_code", "code", strings.Repeat("x", 43), "redirect_uri", redirect,
	}, pairs...)...)
	_, err := b.Token(b.Context(), oauth.TokenInput{Call: b.call(), Authorization: authorization, Body: body})
	return err
}

// TestBasicCredentialsBothWays: form-encoded inside Base64 and not (RFC 6749 §2.3.1).
func TestBasicCredentialsBothWays(t *testing.T) {
	b := newBench(t)
	b.register(store.Application{ID: "a-b-c", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	s := b.secrets["a-b-c"]
	for name, header := range map[string]string{
		"as they are":        basic("a-b-c", s),
		"form-encoded":       basic("a%2Db%2dc", escapeAll(s)),
		"scheme in capitals": "BASIC " + strings.TrimPrefix(basic("a-b-c", s), "Basic "),
		"two blanks":         "Basic  " + strings.TrimPrefix(basic("a-b-c", s), "Basic "),
	} {
		if err := b.tokenAs([]string{header}); !isCode(err, oauth.InvalidGrant) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, header := range map[string]string{
		"another secret":      basic("a-b-c", b.secrets["wiki"]),
		"the hash":            basic("a-b-c", hashOf(b, "a-b-c")),
		"cut":                 basic("a-b-c", s[:42]),
		"longer":              basic("a-b-c", s+"x"),
		"very long":           basic("a-b-c", strings.Repeat("x", 5000)),
		"empty":               basic("a-b-c", ""),
		"no colon":            "Basic " + base64.StdEncoding.EncodeToString([]byte("a-b-c")),
		"no id":               basic("", s),
		"unknown id":          basic("nobody", s),
		"an id that is none":  basic("../a-b-c", s),
		"capitals":            basic("A-B-C", s),
		"broken escape":       basic("a-b-c%", s),
		"not Base64":          "Basic !!!",
		"URL-safe Base64":     "Basic ____",
		"Bearer":              "Bearer " + s,
		"Digest":              "Digest username=a-b-c",
		"nothing":             "",
		"only the scheme":     "Basic",
		"twice encoded":       "Basic " + base64.StdEncoding.EncodeToString([]byte(strings.TrimPrefix(basic("a-b-c", s), "Basic "))),
		"a NUL in the secret": basic("a-b-c", s+"\x00"),
	} {
		err := b.tokenAs([]string{header})
		refusal, _ := oauth.RefusalOf(err)
		if refusal == nil || refusal.Code != oauth.InvalidClient || !refusal.Basic {
			t.Errorf("%s: %v", name, err)
		}
		if refusal != nil && (strings.Contains(refusal.Description, s) || strings.Contains(refusal.Error(), s)) {
			t.Errorf("%s: the refusal shows the secret", name)
		}
	}
}

func escapeAll(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return b.String()
}

func hashOf(b *bench, id string) string {
	a, err := b.store.Application(b.Context(), id)
	b.must(err)
	return a.Secrets[0].Hash
}

func isCode(err error, code oauth.ErrorCode) bool {
	refusal, ok := oauth.RefusalOf(err)
	return ok && refusal.Code == code
}

// TestSecretIsCheckedInBothPlaces: client_secret_basic and client_secret_post, one at most.
func TestSecretIsCheckedInBothPlaces(t *testing.T) {
	b := newBench(t)
	good, bad := b.secrets["wiki"], b.secrets["shop"]
	header := []string{basic("wiki", good)}
	for _, test := range []struct {
		name          string
		authorization []string
		pairs         []string
		code          oauth.ErrorCode
		cause         oauth.Cause
		basic         bool
	}{
		{"basic", header, nil, oauth.InvalidGrant, oauth.CauseCodeUnknown, false},
		{"basic with the same client_id", header, []string{"client_id", "wiki"}, oauth.InvalidGrant, oauth.CauseCodeUnknown, false},
		{"post", nil, []string{"client_id", "wiki", "client_secret", good}, oauth.InvalidGrant, oauth.CauseCodeUnknown, false},
		{"public", nil, []string{"client_id", "tool"}, oauth.InvalidGrant, oauth.CauseCodeUnknown, false},
		{"public by basic without a secret", []string{basic("tool", "")}, nil, oauth.InvalidGrant, oauth.CauseCodeUnknown, false},

		{"attack: basic with a wrong secret", []string{basic("wiki", bad)}, nil, oauth.InvalidClient, oauth.CauseSecretWrong, true},
		{"attack: post with a wrong secret", nil, []string{"client_id", "wiki", "client_secret", bad}, oauth.InvalidClient, oauth.CauseSecretWrong, false},
		{"attack: no secret", nil, []string{"client_id", "wiki"}, oauth.InvalidClient, oauth.CauseSecretMissing, false},
		{"attack: basic without a secret", []string{basic("wiki", "")}, nil, oauth.InvalidClient, oauth.CauseSecretMissing, true},
		{"attack: both, the second wrong", header, []string{"client_id", "wiki", "client_secret", bad}, oauth.InvalidRequest, oauth.CauseAuthenticationMethod, false},
		{"both, right", header, []string{"client_secret", good}, oauth.InvalidRequest, oauth.CauseAuthenticationMethod, false},
		{"attack: another client_id in the body", header, []string{"client_id", "shop"}, oauth.InvalidRequest, oauth.CauseAuthenticationMethod, false},
		{"attack: two headers", []string{header[0], basic("shop", bad)}, nil, oauth.InvalidRequest, oauth.CauseRepeatedParameter, false},
		{"attack: public with a secret", nil, []string{"client_id", "tool", "client_secret", good}, oauth.InvalidClient, oauth.CauseSecretWrong, false},
		{"a proxy application", nil, []string{"client_id", "proxied"}, oauth.InvalidClient, oauth.CauseApplicationKind, false},
		{"nobody", nil, nil, oauth.InvalidClient, oauth.CauseMissingParameter, false},
		{"unknown", nil, []string{"client_id", "unknown", "client_secret", good}, oauth.InvalidClient, oauth.CauseApplicationUnknown, false},
		{"an assertion", nil, []string{"client_id", "wiki", "client_assertion", "x"}, oauth.InvalidClient, oauth.CauseAuthenticationMethod, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := b.tokenAs(test.authorization, test.pairs...)
			refusal, _ := oauth.RefusalOf(err)
			if refusal == nil || refusal.Code != test.code || refusal.Cause != test.cause || refusal.Basic != test.basic {
				t.Errorf("got %+v, %v", refusal, err)
			}
		})
	}
	for _, repeated := range []string{"client_id=wiki&client_id=shop", "client_id=wiki&client_secret=a&client_secret=b"} {
		_, err := b.Token(t.Context(), oauth.TokenInput{Call: b.call(), Body: repeated})
		b.refused(err, oauth.InvalidRequest, oauth.CauseRepeatedParameter)
	}
	b.change("wiki", func(a *store.Application) { a.Enabled = false })
	b.refused(b.tokenAs(header), oauth.InvalidClient, oauth.CauseApplicationDisabled)
	if got := b.causes("shop"); len(got) != 0 {
		t.Errorf("of shop: %v", got)
	}
}

// TestTwoSecretsWork: so that one can be replaced without a pause; an ended one does not.
func TestTwoSecretsWork(t *testing.T) {
	b := newBench(t)
	first := b.secrets["wiki"]
	value, record, err := oauth.NewSecret(rand.Reader, start)
	b.must(err)
	b.change("wiki", func(a *store.Application) { a.Secrets = append(a.Secrets, record) })
	for _, s := range []string{first, value.Reveal()} {
		b.refused(b.tokenAs([]string{basic("wiki", s)}), oauth.InvalidGrant, oauth.CauseCodeUnknown)
	}
	b.change("wiki", func(a *store.Application) { a.Secrets = a.Secrets[1:] })
	b.refused(b.tokenAs([]string{basic("wiki", first)}), oauth.InvalidClient, oauth.CauseSecretWrong)
	b.change("wiki", func(a *store.Application) { a.Secrets = nil })
	b.refused(b.tokenAs([]string{basic("wiki", "")}), oauth.InvalidClient, oauth.CauseSecretMissing)
}

func TestLastUseIsNoted(t *testing.T) {
	b := newBench(t)
	b.tokens()
	a, err := b.store.Application(t.Context(), "wiki")
	b.must(err)
	if !a.LastUsedAt.Equal(start) || !a.Secrets[0].LastUsedAt.Equal(start) || a.Version != 1 {
		t.Errorf("%+v", a)
	}
}

// TestLastUseIsNotedOnceAnHour: in each process, although the application that it reads may
// be a copy from before the note.
func TestLastUseIsNotedOnceAnHour(t *testing.T) {
	b := newBench(t)
	application, err := b.store.Application(t.Context(), "wiki")
	b.must(err)
	b.Applications = oneApplication(application)
	for _, step := range []struct {
		name    string
		passed  time.Duration
		failure error
		want    int
	}{
		{"first", 0, errDown, 1},
		{"after a failure", 0, nil, 1},
		{"at once", 0, nil, 0},
		{"nearly an hour later", time.Hour - time.Second, nil, 0},
		{"an hour later", time.Second, nil, 1},
		{"at once again", 0, nil, 0},
	} {
		b.pass(step.passed)
		b.store.reset()
		b.store.fail = map[string]error{"NoteApplicationUse": step.failure}
		b.tokens()
		notes := slices.DeleteFunc(b.store.calls, func(call string) bool { return call != "NoteApplicationUse" })
		if len(notes) != step.want {
			t.Errorf("%s: %d times, want %d", step.name, len(notes), step.want)
		}
	}
}

// TestAnonymousRequestsCostLittle: who has no session and no secret writes no list full.
func TestAnonymousRequestsCostLittle(t *testing.T) {
	b := newBench(t)
	b.store.reset()
	for range 100 {
		b.decide(oauth.AuthorizeInput{RawQuery: query("redirect_uri", "https://evil.example/cb")})
		b.decide(oauth.AuthorizeInput{RawQuery: query("scope", "")})
		b.decide(oauth.AuthorizeInput{RawQuery: query("prompt", "none")})
		b.decide(oauth.AuthorizeInput{RawQuery: query()})
		b.decide(oauth.AuthorizeInput{RawQuery: query("client_id", "nobody")})
		_ = b.tokenAs([]string{basic("wiki", "wrong")})
		_ = b.tokenAs([]string{basic("nobody", "wrong")})
	}
	if len(b.store.calls) != 3 {
		t.Errorf("700 requests cost %d calls: %v", len(b.store.calls), b.store.calls)
	}
	b.pass(10 * time.Second)
	_ = b.tokenAs([]string{basic("wiki", "wrong")})
	if got := b.causes("wiki"); len(got) != 4 || got[0] != "invalid_client secret_wrong" {
		t.Errorf("administrators see %v", got)
	}
}

// FuzzBasicCredentials: no header but the right one authenticates.
func FuzzBasicCredentials(f *testing.F) {
	const id = "wiki"
	value, record, err := oauth.NewSecret(rand.Reader, start)
	if err != nil {
		f.Fatal(err)
	}
	p := &oauth.Provider{
		Applications: oneApplication{ID: id, Enabled: true, Kind: store.KindWeb, Secrets: []store.ClientSecret{record}},
		Store:        recordsNothing{}, Now: func() time.Time { return start }, LogField: discard,
	}
	for _, seed := range []string{basic(id, value.Reveal()), basic(id, ""), "Basic " + id, "Basic d2lraTo=", "Bearer x", ":", "Basic %"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		_, err := p.Token(t.Context(), oauth.TokenInput{Authorization: []string{header}, Body: "grant_type=other"})
		refusal, ok := oauth.RefusalOf(err)
		if !ok {
			t.Fatalf("failed: %v", err)
		}
		if refusal.Code == oauth.InvalidClient {
			return
		}
		scheme, encoded, _ := strings.Cut(header, " ")
		decoded, _ := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
		user, password, _ := strings.Cut(string(decoded), ":")
		user, _ = url.QueryUnescape(user)
		password, _ = url.QueryUnescape(password)
		if !strings.EqualFold(scheme, "basic") || user != id || password != value.Reveal() {
			t.Fatalf("%q authenticates", header)
		}
	})
}

// oneApplication is a registry with one application.
type oneApplication store.Application

func (a oneApplication) Application(_ context.Context, id string) (store.Application, error) {
	if id != a.ID {
		return store.Application{}, store.ErrNotFound
	}
	return store.Application(a), nil
}

// recordsNothing is a store for requests that only record events.
type recordsNothing struct{ oauth.Store }

func (recordsNothing) RecordApplicationEvent(context.Context, store.ApplicationEvent) error {
	return nil
}

// noGrants is a store without a grant.
type noGrants struct{ recordsNothing }

func (noGrants) Grant(context.Context, string) (store.Grant, error) {
	return store.Grant{}, store.ErrNotFound
}

func (noGrants) GrantState(context.Context, string, string, string) (store.Grant, store.User, store.Lineage, error) {
	return store.Grant{}, store.User{}, store.Lineage{}, store.ErrNotFound
}

// deriver derives the same for everything, and knows it again.
type deriver struct{}

func (deriver) Derive(string) string           { return "d" }
func (deriver) Matches(_, derived string) bool { return derived == "d" }
func discard(context.Context, string, any)     {}
