package forwardauth

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app/proxyapp"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// timeLimit is how long an answer may take: the visitor waits, and with many of them the
// proxy.
const timeLimit = 2 * time.Second

// pathPrefix begins the paths for proxies. A dialect and the id of an application follow.
const pathPrefix = "/oauth2/forward-auth/"

// Provider decides; *oauth.Provider does.
type Provider interface {
	CheckProxy(ctx context.Context, in oauth.ProxyRequest) (oauth.ProxyAccess, error)
	ProxyApplication(ctx context.Context, id string) (store.Application, error)
	ProxySignInOrigin(a store.Application, issuer string) string
	ProxyAuthorizationURL(in oauth.ProxyAuthorization) string
	SharesSession(a store.Application) bool
	SignInToProxy(ctx context.Context, in oauth.ProxySignIn) (oauth.ProxyCookie, error)
	SignOutOfProxy(ctx context.Context, applicationID string, cookies []string) error
}

// Config is what New needs. Every field is required.
type Config struct {
	Provider Provider
	Sessions proxyapp.Sessions
	SignIns  *session.ProxySignIns
	Pages    *page.Pages
	Now      func() time.Time
}

type handler struct{ Config }

// New returns the handler of the paths under /oauth2/forward-auth/ and /.wecom-signin/.
func New(cfg Config) http.Handler { return apigw.JSON(handler{cfg}.serve) }

// serve answers every request within the time limit. What fails is a no that the proxy can
// tell from others.
func (h handler) serve(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), timeLimit)
	defer cancel()
	err := h.route(w, r.WithContext(ctx))
	if err == nil || apierr.From(err).Code != apierr.Internal {
		return err
	}
	apigw.LogError(ctx, apierr.From(err))
	return h.problem(w, r, problem{Status: http.StatusServiceUnavailable, Code: apierr.Internal})
}

// route finds who answers. It is not apigw's router: after the application of the dialect
// envoy comes the visitor's path, whatever it looks like.
func (h handler) route(w http.ResponseWriter, r *http.Request) error {
	if rest, ok := strings.CutPrefix(r.URL.Path, pathPrefix); ok {
		name, rest, _ := strings.Cut(rest, "/")
		applicationID, path, isDeeper := strings.Cut(rest, "/")
		d, ok := dialects()[name]
		if !ok || isDeeper && !d.pathFollows {
			return apierr.New(apierr.NotFound, nil)
		}
		return h.check(w, r, d, applicationID, "/"+path)
	}
	rest, ok := strings.CutPrefix(r.URL.Path, oauth.ProxyPathPrefix)
	applicationID, action, _ := strings.Cut(rest, "/")
	actions := map[string]func(http.ResponseWriter, *http.Request, string) error{
		oauth.ProxyStart: h.start, oauth.ProxyCallback: h.callback, oauth.ProxySignOut: h.signOut,
	}
	switch answer := actions[action]; {
	case !ok || answer == nil:
		return apierr.New(apierr.NotFound, nil)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return apigw.MethodNotAllowed(w, http.MethodGet, http.MethodHead)
	default:
		return answer(w, r, applicationID)
	}
}

// check answers a proxy.
func (h handler) check(w http.ResponseWriter, r *http.Request, d dialect, applicationID, path string) error {
	ctx := r.Context()
	v := d.visitor(r, path)
	access, err := h.Provider.CheckProxy(ctx, oauth.ProxyRequest{
		Call: callOf(r), ApplicationID: applicationID, Cookies: session.ProxyCookie{ApplicationID: applicationID}.Values(r),
		Session: func(ctx context.Context) (*oauth.Session, error) { return h.Sessions.Live(ctx, r) }, IsNavigation: v.isNavigation,
	})
	a := access.Application
	if a.ID != "" {
		apigw.LogField(ctx, "application", a.ID)
	}
	if access.User.ID != "" {
		apigw.LogField(ctx, "user", access.User.ID)
	}
	if err == nil {
		for _, header := range access.Headers {
			value, _ := header.Value.(string)
			w.Header().Set(header.Name, value)
		}
		w.Header().Set("X-Auth-Token", access.Token)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	refusal, ok := oauth.RefusalOf(err)
	if !ok {
		return err
	}
	signIn := h.startURL(r, a, v.wayBack(a))
	if v.isNavigation && d.locationHeader != "" && (refusal.Code == oauth.LoginRequired || refusal.Code == oauth.AccessDenied) {
		// A proxy that shows no page of ours leads here, also to be told that it may not.
		w.Header().Set(d.locationHeader, signIn)
	}
	switch refusal.Code {
	case oauth.LoginRequired:
		if v.isNavigation && d.locationHeader == "" {
			apigw.Redirect(w, signIn)
			return nil
		}
		return h.problem(w, r, problem{Status: http.StatusUnauthorized, Code: apierr.Unauthorized, SignIn: h.startURL(r, a, "")})
	case oauth.AccessDenied:
		if v.isNavigation {
			return h.Pages.NotAllowed(w, page.NotAllowed{
				Language: languageOf(r), Application: title(a), Member: access.User.Name, SignIn: signInAgain(signIn),
			})
		}
		return h.problem(w, r, problem{Status: http.StatusForbidden, Code: apierr.Forbidden})
	default:
		return h.refuse(w, r, a, refusal, v.isNavigation)
	}
}

// refuse answers for an application that is not there, or not now.
func (h handler) refuse(w http.ResponseWriter, r *http.Request, a store.Application, refusal *oauth.Error, asPage bool) error {
	apigw.LogField(r.Context(), "cause", string(refusal.Cause))
	switch {
	case refusal.Code == oauth.InvalidClient:
		return apierr.New(apierr.NotFound, nil)
	case refusal.Code == oauth.TemporarilyUnavailable:
		return h.problem(w, r, problem{Status: http.StatusServiceUnavailable, Code: apierr.Internal})
	case !asPage:
		return h.problem(w, r, problem{Status: http.StatusForbidden, Code: apierr.Forbidden})
	}
	reason := page.ReasonRequest
	switch refusal.Cause {
	case oauth.CauseApplicationDisabled:
		reason = page.ReasonDisabled
	case oauth.CauseConsentRefused:
		reason = page.ReasonConsent
	}
	return h.Pages.RefusedRequest(w, page.RefusedRequest{
		Language: languageOf(r), Status: http.StatusForbidden, Application: title(a), Reason: reason,
		Code: string(refusal.Code), RequestID: apigw.RequestID(r.Context()),
	})
}

// problem is RFC 9457 with the members of all answers of the service, and where a person
// signs in.
type problem struct {
	Title     string      `json:"title"`
	Status    int         `json:"status"`
	Code      apierr.Code `json:"code"`
	RequestID string      `json:"requestId"`
	SignIn    string      `json:"signIn,omitempty"`
}

func (handler) problem(w http.ResponseWriter, r *http.Request, p problem) error {
	p.Title, p.RequestID = http.StatusText(p.Status), apigw.RequestID(r.Context())
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
	return nil
}

func callOf(r *http.Request) oauth.Call {
	return oauth.Call{Issuer: apigw.PublicURL(r.Context()), RequestID: apigw.RequestID(r.Context())}
}

// title returns the title of an application, or its id when it has none.
func title(a store.Application) string {
	if a.Title == "" {
		return a.ID
	}
	return a.Title
}
