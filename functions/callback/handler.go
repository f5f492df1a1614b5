package callback

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LoginCompleter signs people in; *authflow.LoginCompleter does.
type LoginCompleter interface {
	Complete(ctx context.Context, req authflow.CallbackRequest) (authflow.CallbackResult, error)
}

// Config is what New needs.
type Config struct {
	Completer LoginCompleter
	Attempts  *session.Attempts
	Proofs    *session.Proofs
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
	handler := apigw.Browser(cfg.serve, authflow.ErrorURL)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		apigw.MeasureInternalErrors(ctx)
		handler.ServeHTTP(w, r)
		if failure := apigw.LoggedError(ctx); failure != nil {
			logOutcome(ctx, string(failure.Code))
		}
	})
}

// logOutcome says how the request ended; the last one wins.
func logOutcome(ctx context.Context, outcome string) {
	apigw.LogField(ctx, "outcome", outcome)
	apigw.Measure(ctx, metrics.SignIns(outcome))
}

func (cfg Config) serve(w http.ResponseWriter, r *http.Request) error {
	req, err := cfg.request(r)
	if err == nil {
		var result authflow.CallbackResult
		if result, err = cfg.Completer.Complete(r.Context(), req); err == nil {
			return cfg.answer(w, r, req, result)
		}
		if result.Proof != nil {
			// The failure stands without it: the member signs in inside WeCom, then here again.
			if unsaved := cfg.Proofs.Save(w, *result.Proof); unsaved != nil {
				apigw.LogField(r.Context(), "proofNotSaved", unsaved.Error())
			}
		}
	}
	return &authflow.PageError{Authenticator: req.Authenticator, Destination: req.Destination(), Err: err}
}

// request gathers what the browser brings. A parameter given twice is ambiguous: WeCom
// did not add the second one.
func (cfg Config) request(r *http.Request) (authflow.CallbackRequest, error) {
	ctx, query := r.Context(), apigw.Query(r)
	req := authflow.CallbackRequest{
		Authenticator: r.PathValue("authenticator"),
		PublicURL:     apigw.PublicURL(ctx),
		ReturnTo:      authflow.DestinationOf(query),
		Restarted:     authflow.IsRestarted(query),
		InWeCom:       wecom.TakesClientPage(r.UserAgent()),
		Language:      wecom.PageLanguage(r.Header.Get("Accept-Language")),
		Sessions:      cfg.Cookie.Sessions(r),
		RequestID:     apigw.RequestID(ctx),
		Source:        authflow.SourceOf(r.RemoteAddr),
		Client:        authflow.ClientOf(r.UserAgent()),
		Address:       authflow.AddressOf(r.RemoteAddr),
	}
	if store.IsAuthenticatorName(req.Authenticator) {
		apigw.LogField(ctx, "authenticator", req.Authenticator)
	}
	if apigw.LoadedByPage(r) {
		req.ReturnTo.Path = authflow.ReturnPath{}
		return req, apierr.Newf(apierr.AccessDenied, "the callback was loaded as part of a page")
	}
	var once bool
	if req.State, once = single(query, "state"); !once {
		return req, apierr.Newf(apierr.StateInvalid, "state given twice")
	}
	if req.Code, once = single(query, "code"); !once {
		return req, apierr.Newf(apierr.StateInvalid, "code given twice")
	}
	req.Attempt, req.AttemptFound, req.AttemptErr = cfg.Attempts.Find(r, req.State)
	return req, nil
}

func (cfg Config) answer(w http.ResponseWriter, r *http.Request, req authflow.CallbackRequest, result authflow.CallbackResult) error {
	if result.Redirect != nil {
		if err := cfg.Attempts.Save(w, r, result.Redirect.Attempt); err != nil {
			return err
		}
		logOutcome(r.Context(), redirectOutcome(result.Redirect.Attempt))
		apigw.Redirect(w, result.Redirect.URL)
		return nil
	}
	logOutcome(r.Context(), signedIn)
	apigw.LogField(r.Context(), "user", result.UserID)
	if req.AttemptFound {
		cfg.Attempts.Clear(w, req.State)
	}
	cfg.Cookie.Set(w, authflow.SessionRef{ID: result.SessionID, UserID: result.UserID}, result.ExpiresAt.Sub(cfg.Now()))
	apigw.Redirect(w, withFragment(result.URL))
	return nil
}

// withFragment gives an address a fragment, an empty one if need be. Over a redirect to
// an address without one, a browser keeps the fragment that it has (RFC 9110 §10.2.2):
// WeCom's #wechat_redirect, which hash routers take for a page.
func withFragment(address string) string {
	if strings.Contains(address, "#") {
		return address
	}
	return address + "#"
}

// redirectOutcome says why a browser goes to WeCom once more.
func redirectOutcome(next authflow.LoginAttempt) string {
	if next.Scope == wecom.ScopePrivateInfo {
		return consent
	}
	return restarted
}

func single(query url.Values, name string) (string, bool) {
	return query.Get(name), len(query[name]) <= 1
}
