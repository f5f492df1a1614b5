package authorizer

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/cache"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// keepAdminKey is how long the admin key is used without reading it again.
const keepAdminKey = time.Second

// Directory is the part of the store that the authorizer reads.
type Directory interface {
	PublicKeys(ctx context.Context) (store.PublicKeys, error)
}

// Sessions looks sessions up; *authflow.Sessions implements it. CheckKey returns
// apierr.Unauthorized when the key has no active session.
type Sessions interface {
	CheckKey(ctx context.Context, key, userID string) (authflow.ActiveSession, error)
}

// Secrets is the part of the secret store that the authorizer reads.
type Secrets interface {
	Get(ctx context.Context, name, version string) (secret.Value, error)
}

// Config is what New needs.
type Config struct {
	Directory Directory
	Sessions  Sessions
	Secrets   Secrets
	// AdminKeySecret is the name of the secret that holds the admin key.
	AdminKeySecret string
	// PublicURL is the setting PUBLIC_URL, or empty for the API's own address.
	PublicURL string
	// Service is the setting SERVICE_NAME. Empty: log records carry no metrics.
	Service string
	// Logger receives one record per decision. Nil: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Response is the gateway's simple response.
type Response = events.APIGatewayV2CustomAuthorizerSimpleResponse

// Authorizer decides. It is safe for concurrent use.
type Authorizer struct {
	cfg      Config
	adminKey *cache.Value[secret.Value]
	tokens   *keys.Verifier
}

// New returns an authorizer. It reads nothing before the first request.
func New(cfg Config) *Authorizer {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Authorizer{
		cfg: cfg,
		adminKey: cache.New(cache.Config[secret.Value]{
			Load: func(ctx context.Context) (secret.Value, error) {
				return cfg.Secrets.Get(ctx, cfg.AdminKeySecret, secret.Current)
			},
			Keep: keepAdminKey,
			Now:  cfg.Now,
		}),
		tokens: keys.NewVerifier(keys.VerifierConfig{
			Document: func(ctx context.Context) ([]byte, error) {
				published, err := cfg.Directory.PublicKeys(ctx)
				return published.Document, err
			},
			Now: cfg.Now,
		}),
	}
}

// Function is the Lambda function. It decodes the event itself, so that an unreadable
// event is denied, too. The error is always nil.
func (a *Authorizer) Function(ctx context.Context, payload json.RawMessage) (Response, error) {
	var request events.APIGatewayV2CustomAuthorizerV2Request
	if err := json.Unmarshal(payload, &request); err != nil {
		// The decoder's error may quote the event, so it is not logged.
		return a.deny(request, errors.New("the event is not readable")), nil //nolint:nilerr // a denial is an answer
	}
	return a.Decide(ctx, request)
}

// Decide answers one request. The error is always nil; a gateway wants one.
func (a *Authorizer) Decide(ctx context.Context, request events.APIGatewayV2CustomAuthorizerV2Request) (response Response, _ error) {
	defer func() {
		if cause := recover(); cause != nil {
			response = a.deny(request, fmt.Errorf("panic: %v", cause))
		}
	}()
	return a.decide(ctx, request), nil
}

func (a *Authorizer) decide(ctx context.Context, request events.APIGatewayV2CustomAuthorizerV2Request) Response {
	credential, err := bearer(request.Headers)
	if err != nil {
		return a.deny(request, err)
	}
	publicURL := apigw.ResolvePublicURL(a.cfg.PublicURL, request.RequestContext.DomainName)
	userID, err := a.administrator(ctx, credential, publicURL)
	if err == nil {
		return a.allow(request, apigw.UserCaller(userID))
	}
	if !errors.Is(err, keys.ErrRefused) {
		return a.deny(request, err)
	}
	// Not one of our tokens: perhaps the admin key.
	if keyErr := a.checkAdminKey(ctx, credential); keyErr != nil {
		return a.deny(request, errors.Join(err, keyErr))
	}
	return a.allow(request, apigw.AdminKeyCaller())
}

// refusal is a denial caused by the caller, not by a failure of the service.
type refusal string

func (r refusal) Error() string { return string(r) }

// bearer returns the credential of the one Authorization header (RFC 6750 §2.1).
func bearer(headers map[string]string) (string, error) {
	var values []string
	// The gateway writes names in lower case; emulators keep them as sent.
	for name, value := range headers {
		if strings.EqualFold(name, "Authorization") {
			values = append(values, value)
		}
	}
	if len(values) != 1 {
		return "", refusal("there is not exactly one Authorization header")
	}
	// The gateway joins two headers with a comma; the result matches no credential.
	scheme, credential, _ := strings.Cut(values[0], " ")
	credential = strings.Trim(credential, " ")
	if !strings.EqualFold(scheme, "Bearer") || credential == "" {
		return "", refusal("the Authorization header is not Bearer and a credential")
	}
	return credential, nil
}

// administrator returns the id of an access token's user, who must be an administrator
// with an active session now: ending the session, or disabling the user or the
// authenticator, ends the token here at once.
func (a *Authorizer) administrator(ctx context.Context, credential, publicURL string) (string, error) {
	claims, err := a.tokens.VerifySession(ctx, credential, publicURL)
	if err != nil {
		return "", err
	}
	switch {
	case claims.SessionKey == "":
		return "", refusal("the token names no session")
	case !claims.Audience.Only(publicURL):
		// Otherwise a flaw in any application would be a flaw in the console.
		return "", refusal("the token was made for an application")
	}
	active, err := a.cfg.Sessions.CheckKey(ctx, claims.SessionKey, claims.Subject)
	switch {
	case apierr.Is(err, apierr.Unauthorized):
		return "", refusal("the session of the token is over")
	case err != nil:
		return "", fmt.Errorf("read session: %w", err)
	case active.User.ID != claims.Subject:
		return "", refusal("the session of the token is somebody else's")
	case !slices.Contains(active.User.Roles, store.RoleAdmin):
		return "", refusal("the user of the token is no administrator")
	}
	return active.User.ID, nil
}

func (a *Authorizer) checkAdminKey(ctx context.Context, credential string) error {
	key, err := a.adminKey.Get(ctx)
	if err != nil {
		return fmt.Errorf("read admin key: %w", err)
	}
	// A key that was stored from a file often ends with a line feed.
	want := strings.TrimSpace(key.Reveal())
	if want == "" {
		return errors.New("read admin key: it is empty")
	}
	// Hashes have one length, so that the comparison does not reveal the key's.
	given, wanted := sha256.Sum256([]byte(credential)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(given[:], wanted[:]) != 1 {
		return refusal("not the admin key")
	}
	return nil
}

func (a *Authorizer) allow(request events.APIGatewayV2CustomAuthorizerV2Request, caller apigw.Caller) Response {
	a.log(slog.LevelInfo, request, slog.Bool("authorized", true), slog.String("caller", caller.Kind()))
	return Response{IsAuthorized: true, Context: caller.Encode()}
}

func (a *Authorizer) deny(request events.APIGatewayV2CustomAuthorizerV2Request, why error) Response {
	no := []slog.Attr{slog.Bool("authorized", false), slog.String("cause", why.Error())}
	if _, refused := errors.AsType[refusal](why); refused {
		a.log(slog.LevelInfo, request, no...)
		return Response{IsAuthorized: false}
	}
	failed := metrics.Attributes(a.cfg.Service, a.cfg.Now(), metrics.InternalErrors(1, functionName, ""))
	a.log(slog.LevelError, request, append(no, failed...)...)
	return Response{IsAuthorized: false}
}

// functionName is the name of the function in log records and metrics.
const functionName = "authorizer"

// log writes the record of a decision. It passes no context, from which Lambda's log
// handler would take another request id than the gateway's.
func (a *Authorizer) log(level slog.Level, request events.APIGatewayV2CustomAuthorizerV2Request, attributes ...slog.Attr) {
	a.cfg.Logger.LogAttrs(context.Background(), level, "decision", append([]slog.Attr{
		slog.String("function", functionName),
		slog.String("version", version.Version),
		slog.String("requestId", request.RequestContext.RequestID),
		slog.String("route", request.RouteKey),
	}, attributes...)...)
}
