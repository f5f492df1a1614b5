package callback

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/fault"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Arrivals signs people in; *signin.Arrivals does.
type Arrivals interface {
	Arrive(ctx context.Context, arrival signin.Arrival) (signin.Result, error)
}

// Config is what New needs.
type Config struct {
	Arrivals Arrivals
	Attempts *session.Attempts
	Cookie   session.Cookie
	Now      func() time.Time
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
		if failure := apigw.Fault(ctx); failure != nil {
			ended(ctx, string(failure.Code))
		}
	})
}

// ended notes how the request ended; the last one wins.
func ended(ctx context.Context, outcome string) {
	apigw.Note(ctx, "outcome", outcome)
	apigw.Measure(ctx, metrics.SignIns(outcome))
}

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	arrival, err := cfg.arrival(r)
	if err == nil {
		var result signin.Result
		if result, err = cfg.Arrivals.Arrive(r.Context(), arrival); err == nil {
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
func (cfg Config) arrival(r *http.Request) (signin.Arrival, error) {
	ctx, query := r.Context(), r.URL.Query()
	arrival := signin.Arrival{
		Authenticator: r.PathValue("authenticator"),
		PublicURL:     apigw.PublicURL(ctx),
		Target:        query.Get("redirect"),
		Again:         query.Has("again"),
		ToConsole:     signin.WantsConsole(query),
		InClient:      wecom.IsClient(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
		SessionID:     cfg.Cookie.ID(r),
		RequestID:     apigw.RequestID(ctx),
	}
	apigw.Note(ctx, "authenticator", arrival.Authenticator)
	var once bool
	if arrival.State, once = single(query, "state"); !once {
		return arrival, fault.Newf(fault.StateInvalid, "state given twice")
	}
	if arrival.Code, once = single(query, "code"); !once {
		return arrival, fault.Newf(fault.StateInvalid, "code given twice")
	}
	arrival.Attempt, arrival.AttemptFound, arrival.AttemptErr = cfg.Attempts.Find(r, arrival.State)
	return arrival, nil
}

func (cfg Config) answer(w http.ResponseWriter, r *http.Request, arrival signin.Arrival, result signin.Result) error {
	if result.Ticket != nil {
		if err := cfg.Attempts.Save(w, r, result.Ticket.Attempt); err != nil {
			return err
		}
		ended(r.Context(), roundOf(result.Ticket.Attempt))
		apigw.Redirect(w, result.Ticket.URL)
		return nil
	}
	ended(r.Context(), signedIn)
	apigw.Note(r.Context(), "user", result.UserID)
	if arrival.AttemptFound {
		cfg.Attempts.Clear(w, arrival.State)
	}
	cfg.Cookie.Set(w, result.SessionID, result.ExpiresAt.Sub(cfg.Now()))
	apigw.Redirect(w, result.Address)
	return nil
}

// roundOf says why a browser goes to WeCom once more.
func roundOf(next signin.Attempt) string {
	if next.Scope == wecom.ScopePrivateInfo {
		return consent
	}
	return restarted
}

// target is where the visitor wanted to go, for the sign-in page to offer again.
func target(arrival signin.Arrival) string {
	for _, candidate := range []string{arrival.Attempt.Target, arrival.Target} {
		if clean, ok := signin.CheckRedirect(candidate); ok {
			return clean
		}
	}
	return ""
}

func single(query url.Values, name string) (string, bool) {
	return query.Get(name), len(query[name]) <= 1
}
