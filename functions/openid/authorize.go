package openid

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// authorizationRequest is an application's request as this browser brings it.
type authorizationRequest struct {
	query string // as the application wrote it
	// kept is the id under which the browser has kept it while its member signed in, and
	// begun when it brought it first. Both are zero for a request that comes just now.
	kept  string
	begun time.Time
}

// authorize answers a browser that an application has sent, or that comes back with the
// request of one from signing in.
func (h handler) authorize(w http.ResponseWriter, r *http.Request) error {
	request := authorizationRequest{query: r.URL.RawQuery}
	if id, ok := continued(r); ok {
		kept, err := h.Requests.Find(r, id)
		if err != nil {
			return h.requestLost(w, r)
		}
		request = authorizationRequest{query: kept.Query, kept: id, begun: kept.StartedAt}
	}
	return h.decide(w, r, request, oauth.NoAnswer, "")
}

// decide answers an authorization request.
func (h handler) decide(w http.ResponseWriter, r *http.Request, request authorizationRequest, answer oauth.Answer, proof string) error {
	ctx := r.Context()
	session, err := h.liveSession(r)
	if err != nil {
		return err
	}
	d, err := h.Provider.Authorize(ctx, oauth.AuthorizeInput{
		Call: callOf(r), RawQuery: request.query, Session: session, Begun: request.begun, Answer: answer, Proof: proof,
	})
	if err != nil {
		return err
	}
	if d.Application.ID != "" {
		apigw.LogField(ctx, "application", d.Application.ID)
	}
	logRefusal(ctx, d.Refusal)
	switch d.Kind {
	case oauth.RedirectBack:
		if session != nil && d.Refusal == nil {
			apigw.LogField(ctx, "user", session.User.ID)
		}
		h.forget(w, request)
		seeOther(w, d.URL)
		return nil
	case oauth.SignIn:
		if d.SignIn.Ended {
			// Otherwise the next sign-in would go on with the lineage that has ended.
			if err := h.endSessions(r); err != nil {
				return err
			}
		}
		return h.signIn(w, r, request, d)
	case oauth.AskConsent:
		return h.askConsent(w, r, request, d, session)
	case oauth.ShowNotAllowed:
		return h.notAllowed(w, r, request, d, session)
	default:
		return h.refuse(w, r, refusedRequest{
			application: d.Application, refusal: d.Refusal, clientID: d.Request.ClientID, came: d.Request.RedirectURI,
			registered: d.Application.RedirectURIs, uiLocales: d.Request.UILocales,
		}, session)
	}
}

// forget removes a request that has its answer from the browser.
func (h handler) forget(w http.ResponseWriter, request authorizationRequest) {
	if request.kept != "" {
		h.Requests.Clear(w, request.kept)
	}
}

// signIn keeps the request and has the member sign in: at WeCom at once where there is
// nothing to choose, otherwise on the sign-in page.
func (h handler) signIn(w http.ResponseWriter, r *http.Request, request authorizationRequest, d oauth.Decision) error {
	ctx := r.Context()
	destination, err := h.keep(w, r, request, d)
	if err != nil {
		return err
	}
	if destination == (authflow.Destination{}) {
		refusal := &oauth.Error{Code: oauth.InvalidRequest, Cause: oauth.CauseTooLong, Description: "The authorization request is longer than 2048 bytes."}
		logRefusal(ctx, refusal)
		return h.refuse(w, r, refusedRequest{application: d.Application, refusal: refusal, clientID: d.Request.ClientID, came: d.Request.RedirectURI, uiLocales: d.Request.UILocales}, nil)
	}
	public := apigw.PublicURL(ctx)
	// A browser that comes back and has to sign in once more gets the page: a person breaks
	// what would otherwise be a loop.
	if request.kept == "" && wecom.TakesClientPage(r.UserAgent()) {
		name, err := h.onlyAuthenticator(ctx, d.SignIn.Authenticators)
		if err != nil {
			return err
		}
		if name != "" {
			seeOther(w, authflow.AuthorizeURL(public, name, destination))
			return nil
		}
	}
	seeOther(w, authflow.SignInURL(public, authflow.SignInPage{Destination: destination, SignInAgain: d.SignIn.Again}))
	return nil
}

// keep stores a request in the browser, where it is not kept yet, and returns where the
// browser takes it up again; the zero Destination if it is too long to be kept.
func (h handler) keep(w http.ResponseWriter, r *http.Request, request authorizationRequest, d oauth.Decision) (authflow.Destination, error) {
	destination := authflow.Destination{Application: d.Application.ID, Continue: request.kept, Locales: localesOf(d.Request.UILocales)}
	if request.kept != "" {
		return destination, nil
	}
	if apigw.LoadedByPage(r) {
		return authflow.Destination{}, apierr.Newf(apierr.Forbidden, "the authorization endpoint was loaded as part of a page")
	}
	if len(request.query) > session.MaxRequestQuery {
		return authflow.Destination{}, nil
	}
	destination.Continue = authflow.NewRequestID()
	if err := h.Requests.Save(w, r, destination.Continue, session.Request{Query: request.query, StartedAt: h.Now()}); err != nil {
		return authflow.Destination{}, err
	}
	return destination, nil
}

// listPage is how many authenticators one read returns; few companies have more.
const listPage = 200

// onlyAuthenticator returns the name of the one enabled authenticator that is among those
// allowed (empty: all), or "" if there is not exactly one.
func (h handler) onlyAuthenticator(ctx context.Context, allowed []string) (string, error) {
	only, cursor := "", ""
	for {
		items, next, err := h.Authenticators.Authenticators(ctx, store.Page{Cursor: cursor, Limit: listPage})
		if err != nil {
			return "", err
		}
		for _, a := range items {
			switch {
			case !a.Enabled, len(allowed) > 0 && !slices.Contains(allowed, a.Name):
			case only != "":
				return "", nil
			default:
				only = a.Name
			}
		}
		if next == "" || next == cursor {
			return only, nil
		}
		cursor = next
	}
}

// authorizeByPost turns a posted request into a GET: a browser that another site makes post
// does not send the session's cookie, which is SameSite=Lax.
func (h handler) authorizeByPost(w http.ResponseWriter, r *http.Request) error {
	body, _, err := formOf(r)
	if err != nil {
		return err
	}
	return h.getInstead(w, r, body, oauth.AuthorizationPath)
}

// maxQuery is how long a query may be that a posted form is turned into, in bytes: the
// gateway takes 10,240 for an address and all headers.
const maxQuery = 6 << 10

// getInstead redirects a posted form to a path of the service, with the form as its query.
func (h handler) getInstead(w http.ResponseWriter, r *http.Request, form, path string) error {
	query := strings.Trim(r.URL.RawQuery+"&"+form, "&")
	refusal := &oauth.Error{Code: oauth.InvalidRequest, Cause: oauth.CauseTooLong, Description: "The form is too long."}
	if len(query) <= maxQuery {
		if _, err := oauth.ParseForm(query); err == nil && !strings.ContainsFunc(query, isNoQuery) {
			seeOther(w, apigw.PublicURL(r.Context())+path+"?"+query)
			return nil
		}
		refusal.Cause, refusal.Description = oauth.CauseMalformed, "The body is not a form."
	}
	logRefusal(r.Context(), refusal)
	return h.refuse(w, r, refusedRequest{refusal: refusal}, nil)
}

// isNoQuery reports whether a character cannot be in a query as it is (RFC 3986 §3.4).
func isNoQuery(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"<>\^`+"`{|}#", c)
}

// The fields of the consent page.
const (
	fieldRequest  = "request"  // the query of a request that is not kept
	fieldContinue = "continue" // the id of one that is
	fieldProof    = "proof"
	fieldAnswer   = "answer"
)

func (h handler) askConsent(w http.ResponseWriter, r *http.Request, request authorizationRequest, d oauth.Decision, session *oauth.Session) error {
	fields := []page.Field{{Name: fieldRequest, Value: request.query}, {Name: fieldProof, Value: d.Consent.Proof}}
	if request.kept != "" {
		fields[0] = page.Field{Name: fieldContinue, Value: request.kept}
	}
	return h.Pages.Consent(w, page.Consent{
		Language: languageOf(w, r, d.Request.UILocales), Self: self(r), Application: title(d.Application), Member: session.User.Name,
		Scopes: d.Consent.Scopes,
		Form:   page.Form{Action: apigw.PublicURL(r.Context()) + "/oauth2/consent", Fields: fields},
	})
}

// answerConsent takes a member's answer on the consent page. The proof shows that it is one.
func (h handler) answerConsent(w http.ResponseWriter, r *http.Request) error {
	body, _, err := formOf(r)
	if err != nil {
		return err
	}
	form, err := oauth.ParseForm(body)
	if err != nil {
		return apierr.Newf(apierr.InvalidRequest, "the answer is not a form")
	}
	request := authorizationRequest{query: form.Get(fieldRequest)}
	if id := form.Get(fieldContinue); id != "" {
		kept, err := h.Requests.Find(r, id)
		if err != nil {
			return h.requestLost(w, r)
		}
		request = authorizationRequest{query: kept.Query, kept: id, begun: kept.StartedAt}
	}
	answer := oauth.Refused
	switch form.Get(fieldAnswer) {
	case page.ConsentAgreed:
		answer = oauth.Agreed
	case page.ConsentRefused:
	default:
		answer = oauth.NoAnswer
	}
	return h.decide(w, r, request, answer, form.Get(fieldProof))
}

func (h handler) notAllowed(w http.ResponseWriter, r *http.Request, request authorizationRequest, d oauth.Decision, session *oauth.Session) error {
	destination, err := h.keep(w, r, request, d)
	if err != nil {
		return err
	}
	back := d.URL
	if d.Application.Kind == store.KindProxy {
		back = "" // its callback is this service, which has nothing else to say
	}
	return h.Pages.NotAllowed(w, page.NotAllowed{
		Language: languageOf(w, r, d.Request.UILocales), Self: self(r), Application: title(d.Application), Member: session.User.Name,
		Back:   back,
		SignIn: authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{Destination: destination, SignInAgain: true}),
	})
}

// languageOf returns the language of a page, and remembers it if it was picked now.
// uiLocales are those of the application's request, which need not be in the address.
func languageOf(w http.ResponseWriter, r *http.Request, uiLocales string) text.Language {
	text.RememberLanguage(w, apigw.Query(r).Get("lang"))
	return text.LanguageOf(r, uiLocales)
}

// localesOf returns what the addresses of further pages say of an application's ui_locales:
// one language of the catalogue, or nothing.
func localesOf(uiLocales string) string {
	asked, _ := text.Asked(uiLocales)
	return string(asked)
}

// signInURL returns the address of the sign-in page for nothing in particular, in the
// language that the application asks for.
func signInURL(r *http.Request, uiLocales string) string {
	return authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{
		Destination: authflow.Destination{Locales: localesOf(uiLocales)},
	})
}

// self returns the address of a page that was got, for the links of its languages. A long
// one is left out: the page would have it once for each language.
func self(r *http.Request) string {
	if r.Method != http.MethodGet || len(r.URL.RawQuery) > session.MaxRequestQuery {
		return ""
	}
	return apigw.PublicURL(r.Context()) + r.URL.Path + "?" + r.URL.RawQuery
}
