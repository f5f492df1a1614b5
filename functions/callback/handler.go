package callback

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LoginCompleter signs people in; *authflow.LoginCompleter does.
type LoginCompleter interface {
	Complete(ctx context.Context, arrival authflow.CallbackRequest) (authflow.CallbackResult, error)
}

// Config is what New needs.
type Config struct {
	Completer LoginCompleter
	Attempts  *session.Attempts
	Cookie    session.Cookie
	Now       func() time.Time
}

// How a request ends that does not fail; one that fails ends with its fault's code.
const (
	signedIn  = "signed_in"
	consent   = "consent"   // sent to WeCom once more, for the phone
	restarted = "restarted" // sent to WeCom once more, because this browser has no attempt
)

// New returns the handler. Each request has one outcome, in its log event and as a
// metric.
func New(cfg Config) http.Handler {
	handler := apigw.Browser(cfg.serve)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		apigw.MeasureInternalErrors(ctx)
		handler.ServeHTTP(w, r)
		if failure := apigw.LoggedError(ctx); failure != nil {
			ended(ctx, string(failure.Code))
		}
	})
}

// ended notes how the request ended; the last one wins.
func ended(ctx context.Context, outcome string) {
	apigw.LogField(ctx, "outcome", outcome)
	apigw.Measure(ctx, metrics.SignIns(outcome))
}

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	arrival, err := cfg.arrival(r)
	if err == nil {
		var result authflow.CallbackResult
		if result, err = cfg.Completer.Complete(r.Context(), arrival); err == nil {
			return cfg.answer(w, r, arrival, result)
		}
	}
	return &apigw.SignInPageError{
		Authenticator: arrival.Authenticator, Redirect: target(arrival),
		ToConsole: arrival.ForConsole(), Err: err,
	}
}

// arrival gathers what the browser brings. A parameter given twice is ambiguous:
// whoever added the second one is not WeCom.
func (cfg Config) arrival(r *http.Request) (authflow.CallbackRequest, error) {
	ctx, query := r.Context(), r.URL.Query()
	arrival := authflow.CallbackRequest{
		Authenticator: r.PathValue("authenticator"),
		PublicURL:     apigw.PublicURL(ctx),
		Target:        query.Get("redirect"),
		Again:         query.Has("again"),
		ToConsole:     authflow.WantsConsole(query),
		InWeCom:       wecom.IsClient(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
		SessionID:     cfg.Cookie.ID(r),
		RequestID:     apigw.RequestID(ctx),
	}
	apigw.LogField(ctx, "authenticator", arrival.Authenticator)
	var once bool
	if arrival.State, once = single(query, "state"); !once {
		return arrival, apierr.Newf(apierr.StateInvalid, "state given twice")
	}
	if arrival.Code, once = single(query, "code"); !once {
		return arrival, apierr.Newf(apierr.StateInvalid, "code given twice")
	}
	arrival.Attempt, arrival.AttemptFound, arrival.AttemptErr = cfg.Attempts.Find(r, arrival.State)
	return arrival, nil
}

func (cfg Config) answer(w http.ResponseWriter, r *http.Request, arrival authflow.CallbackRequest, result authflow.CallbackResult) error {
	if result.Redirect != nil {
		if err := cfg.Attempts.Save(w, r, result.Redirect.Attempt); err != nil {
			return err
		}
		ended(r.Context(), roundOf(result.Redirect.Attempt))
		apigw.Redirect(w, result.Redirect.URL)
		return nil
	}
	ended(r.Context(), signedIn)
	apigw.LogField(r.Context(), "user", result.UserID)
	if arrival.AttemptFound {
		cfg.Attempts.Clear(w, arrival.State)
	}
	cfg.Cookie.Set(w, result.SessionID, result.ExpiresAt.Sub(cfg.Now()))
	apigw.Redirect(w, result.Address)
	return nil
}

// roundOf says why a browser goes to WeCom once more.
func roundOf(next authflow.LoginAttempt) string {
	if next.Scope == wecom.ScopePrivateInfo {
		return consent
	}
	return restarted
}

// target is where the visitor wanted to go, for the sign-in page to offer again.
func target(arrival authflow.CallbackRequest) string {
	for _, candidate := range []string{arrival.Attempt.Target, arrival.Target} {
		if clean, ok := authflow.CheckRedirect(candidate); ok {
			return clean
		}
	}
	return ""
}

func single(query url.Values, name string) (string, bool) {
	return query.Get(name), len(query[name]) <= 1
}
