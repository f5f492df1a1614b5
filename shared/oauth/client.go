package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// secretLength is that of a client secret: 43 letters and digits have 256.03 bits, and the
// OpenID Foundation's conformance suite wants 32 bytes at least.
const (
	secretLength   = 43
	secretPrefix   = 4
	secretAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// maxSecret is longer than any secret. What is longer need not be hashed.
	maxSecret = 256
)

// NewSecret makes a client secret of 43 letters and digits, which have 256 random bits. The
// record has its hash; the secret itself is shown once. random is crypto/rand.Reader.
// Letters and digits are the same form-encoded and not, so that clients which forget to
// encode them in HTTP Basic (RFC 6749 §2.3.1) work as well.
func NewSecret(random io.Reader, now time.Time) (secret.Value, store.ClientSecret, error) {
	text := make([]byte, 0, secretLength)
	var some [secretLength]byte
	for len(text) < secretLength {
		if _, err := io.ReadFull(random, some[:]); err != nil {
			return secret.Value{}, store.ClientSecret{}, fmt.Errorf("make client secret: %w", err)
		}
		for _, b := range some {
			// Six bits; the two values above the alphabet are left out, so that all
			// characters are equally likely.
			if i := int(b & 63); i < len(secretAlphabet) && len(text) < secretLength {
				text = append(text, secretAlphabet[i])
			}
		}
	}
	return secret.NewValue(string(text)), store.ClientSecret{
		ID: store.NewID(), Prefix: string(text[:secretPrefix]), Hash: hashSecret(string(text)), CreatedAt: now,
	}, nil
}

// hashSecret needs no salt and no slow hash: a secret has 256 random bits.
func hashSecret(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// credentials are how an application says who it is.
type credentials struct {
	clientID string
	secret   secret.Value
	basic    bool
}

// clientParameters may be there once at every endpoint that authenticates applications.
var clientParameters = []string{"client_id", "client_secret", "client_assertion", "client_assertion_type"}

// parseCredentials reads the credentials of a request: in HTTP Basic or in the form, never
// in both (RFC 6749 §2.3).
func parseCredentials(authorization []string, form Form) (credentials, error) {
	c := credentials{clientID: form.Get("client_id"), secret: secret.NewValue(form.Get("client_secret"))}
	switch {
	case form.firstRepeated(clientParameters) != "":
		return credentials{}, refuse(InvalidRequest, CauseRepeatedParameter, form.firstRepeated(clientParameters)+" was sent more than once.")
	case form.has("client_assertion") || form.has("client_assertion_type"):
		return credentials{}, refuse(InvalidClient, CauseAuthenticationMethod, "Client assertions are not supported.")
	case len(authorization) == 0 && c.clientID == "":
		return credentials{}, refuse(InvalidClient, CauseMissingParameter, "client_id is missing.")
	case len(authorization) == 0:
		return c, nil
	case len(authorization) > 1:
		return credentials{}, refuse(InvalidRequest, CauseRepeatedParameter, "Authorization was sent more than once.")
	}
	basic, err := parseBasic(authorization[0])
	switch {
	case err != nil:
		return credentials{}, err
	case !c.secret.IsEmpty():
		return credentials{}, refuse(InvalidRequest, CauseAuthenticationMethod, "Credentials were sent in the header and in the body.")
	case c.clientID != "" && c.clientID != basic.clientID:
		return credentials{}, refuse(InvalidRequest, CauseAuthenticationMethod, "client_id is another one than in the Authorization header.")
	}
	return basic, nil
}

// parseBasic reads HTTP Basic credentials, whose parts RFC 6749 §2.3.1 wants form-encoded.
// Many clients do not encode them; ids and secrets of ours are the same both ways.
func parseBasic(authorization string) (credentials, error) {
	bad := refuse(InvalidClient, CauseAuthenticationMethod, "The Authorization header is not HTTP Basic.")
	bad.Basic = true
	scheme, encoded, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, bad
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimLeft(encoded, " "))
	if err != nil {
		return credentials{}, bad
	}
	id, password, ok := strings.Cut(string(decoded), ":")
	if !ok || id == "" {
		return credentials{}, bad
	}
	return credentials{clientID: formDecoded(id), secret: secret.NewValue(formDecoded(password)), basic: true}, nil
}

func formDecoded(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

// client is an authenticated application.
type client struct {
	store.Application
	secretID string // of the secret that it used; empty for a public one
}

// authenticate returns the application that sent a request. A refusal of a known
// application is recorded.
func (p *Provider) authenticate(ctx context.Context, in TokenInput, form Form) (client, error) {
	c, err := parseCredentials(in.Authorization, form)
	if err != nil {
		return client{}, err
	}
	authenticated, err := p.check(ctx, c)
	if refusal, ok := RefusalOf(err); ok {
		refusal.Basic = c.basic
		if authenticated.ID != "" {
			p.record(ctx, in.Call, authenticated.ID, "", refusal)
		}
		return client{}, refusal
	}
	return authenticated, err
}

// check checks credentials. With a refusal it returns the application too, if there is one,
// for the record. All refusals read the same to the client.
func (p *Provider) check(ctx context.Context, c credentials) (client, error) {
	refused := func(cause Cause) error {
		return refuse(InvalidClient, cause, "The application is unknown or disabled, or its secret is wrong.")
	}
	a, err := p.application(ctx, c.clientID)
	if errors.Is(err, store.ErrNotFound) {
		return client{}, refused(CauseApplicationUnknown)
	}
	if err != nil {
		return client{}, err
	}
	found := client{Application: a}
	switch {
	case !a.Enabled:
		return found, refused(CauseApplicationDisabled)
	case a.Kind == store.KindProxy:
		return found, refused(CauseApplicationKind)
	case a.Kind.IsPublic() && c.secret.IsEmpty():
		return found, nil
	case a.Kind.IsPublic():
		return found, refused(CauseSecretWrong)
	case c.secret.IsEmpty():
		return found, refused(CauseSecretMissing)
	case len(c.secret.Reveal()) > maxSecret:
		return found, refused(CauseSecretWrong)
	}
	hash := []byte(hashSecret(c.secret.Reveal()))
	for _, s := range a.Secrets {
		if subtle.ConstantTimeCompare(hash, []byte(s.Hash)) == 1 {
			found.secretID = s.ID
		}
	}
	if found.secretID == "" {
		return found, refused(CauseSecretWrong)
	}
	return found, nil
}

// application returns the application of a client id, or store.ErrNotFound. What cannot be
// an id is not looked up.
func (p *Provider) application(ctx context.Context, id string) (store.Application, error) {
	if !store.IsAuthenticatorName(id) {
		return store.Application{}, store.ErrNotFound
	}
	a, err := p.Applications.Application(ctx, id)
	if err != nil {
		return store.Application{}, wrap("read application", err)
	}
	return a, nil
}
