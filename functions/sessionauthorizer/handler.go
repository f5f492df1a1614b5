package sessionauthorizer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/app/proxyapp"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// ApplicationVariable is the stage variable of an API that names its application.
const ApplicationVariable = "wecomApplication"

// timeLimit is how long an answer may take: a visitor waits.
const timeLimit = 2 * time.Second

// ErrUnavailable is what the gateway is told when there is neither a yes nor a no. The
// cause is in the log alone.
var ErrUnavailable = errors.New("the sign-in service cannot decide; its log says why")

// Provider decides; *oauth.Provider does.
type Provider interface {
	CheckProxy(ctx context.Context, in oauth.ProxyRequest) (oauth.ProxyAccess, error)
}

// Config is what New needs.
type Config struct {
	Provider Provider
	Sessions proxyapp.Sessions
	// PublicURL is the issuer of tokens. The domain of a request is another API's.
	PublicURL string
	// Service is the setting SERVICE_NAME. Empty: log records carry no metrics.
	Service string
	// Logger receives one record per decision. Nil: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

type (
	// Request is the gateway's question.
	Request = events.APIGatewayV2CustomAuthorizerV2Request
	// Response is the gateway's simple response.
	Response = events.APIGatewayV2CustomAuthorizerSimpleResponse
)

// Authorizer decides. It is safe for concurrent use.
type Authorizer struct{ cfg Config }

// New returns an authorizer.
func New(cfg Config) *Authorizer {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Authorizer{cfg}
}

// Function is the Lambda function. The error is ErrUnavailable or nil.
func (a *Authorizer) Function(ctx context.Context, payload json.RawMessage) (response Response, err error) {
	var request Request
	defer func() {
		if cause := recover(); cause != nil {
			response, err = Response{}, a.fail(request, fmt.Errorf("panic: %v", cause))
		}
	}()
	if err := json.Unmarshal(payload, &request); err != nil {
		// The decoder's error may quote the event, so it is not logged.
		return Response{}, a.fail(Request{}, errors.New("the event is not readable"))
	}
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	return a.decide(ctx, request)
}

func (a *Authorizer) decide(ctx context.Context, request Request) (Response, error) {
	applicationID := request.StageVariables[ApplicationVariable]
	if applicationID == "" {
		a.deny(request, "the API's stage has no variable "+ApplicationVariable)
		return Response{}, nil
	}
	r := &http.Request{Header: http.Header{"Cookie": {strings.Join(request.Cookies, "; ")}}}
	access, err := a.cfg.Provider.CheckProxy(ctx, oauth.ProxyRequest{
		Call:          oauth.Call{Issuer: a.cfg.PublicURL, RequestID: request.RequestContext.RequestID},
		ApplicationID: applicationID,
		Cookies:       session.ProxyCookie{ApplicationID: applicationID}.Values(r),
		Session:       func(ctx context.Context) (*oauth.Session, error) { return a.cfg.Sessions.Live(ctx, r) },
		// What is asked by pages, again and again, is not recorded. A member who signs in
		// and may not is told, and recorded, by the provider.
		IsNavigation: false,
	})
	about := []slog.Attr{slog.String("application", access.Application.ID), slog.String("user", access.User.ID)}
	refusal, refused := oauth.RefusalOf(err)
	domain := strings.ToLower(request.RequestContext.DomainName)
	switch {
	case err != nil && !refused:
		return Response{}, a.fail(request, err, about...)
	case access.Application.ID == "" && refused:
		a.deny(request, string(refusal.Cause))
		return Response{}, nil
	case domain == "" || oauth.ProxyOrigin(access.Application) != "https://"+domain:
		a.deny(request, "the API's domain is not the host of the application's homepage", about[0])
		return Response{}, nil
	case refused && refusal.Code == oauth.TemporarilyUnavailable:
		return Response{}, a.fail(request, errors.New(string(refusal.Cause)), about...)
	case refused:
		a.deny(request, string(refusal.Cause), about...)
		return Response{}, nil
	}
	a.log(slog.LevelInfo, request, append(about, slog.Bool("authorized", true))...)
	return Response{IsAuthorized: true, Context: contextOf(access)}, nil
}

// contextOf returns the identity headers under names that a mapping can have, all of them
// always: X-Auth-User is user.
func contextOf(access oauth.ProxyAccess) map[string]any {
	values := map[string]any{"token": access.Token}
	for _, header := range access.Headers {
		values[strings.ToLower(strings.TrimPrefix(header.Name, "X-Auth-"))] = header.Value
	}
	return values
}

func (a *Authorizer) deny(request Request, cause string, about ...slog.Attr) {
	a.log(slog.LevelInfo, request, append(about, slog.Bool("authorized", false), slog.String("cause", cause))...)
}

func (a *Authorizer) fail(request Request, cause error, about ...slog.Attr) error {
	failed := metrics.Attributes(a.cfg.Service, a.cfg.Now(), metrics.InternalErrors(1, functionName, ""))
	a.log(slog.LevelError, request, append(append(about, slog.Bool("authorized", false), slog.String("cause", cause.Error())), failed...)...)
	return ErrUnavailable
}

// functionName is the name of the function in log records and metrics.
const functionName = "sessionauthorizer"

// log writes the record of a decision. It passes no context, from which Lambda's log
// handler would take another request id than the gateway's.
func (a *Authorizer) log(level slog.Level, request Request, attributes ...slog.Attr) {
	a.cfg.Logger.LogAttrs(context.Background(), level, "decision", append([]slog.Attr{
		slog.String("function", functionName),
		slog.String("version", version.Version),
		slog.String("requestId", request.RequestContext.RequestID),
		slog.String("api", request.RequestContext.APIID),
		slog.String("route", request.RouteKey),
	}, attributes...)...)
}
