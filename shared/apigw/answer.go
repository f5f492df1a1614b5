package apigw

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// HandlerFunc answers a request or returns why it cannot. When it returns an error
// it has written nothing but headers.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// JSON returns a handler whose errors are answered as problem+json.
func JSON(handle HandlerFunc) http.Handler { return handler{handle, writeProblem} }

// Browser returns a handler whose errors are answered with a redirect to the
// sign-in page, which says what happened and what to do. The page gets the code,
// the request id and what a *SignInPageError adds.
func Browser(handle HandlerFunc) http.Handler { return handler{handle, redirectToSignIn} }

type handler struct {
	handle  HandlerFunc
	onError func(http.ResponseWriter, *http.Request, error)
}

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.run(w, r); err != nil {
		LogError(r.Context(), apierr.From(err))
		h.onError(w, r, err)
	}
}

func (h handler) run(w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = apierr.Newf(apierr.Internal, "panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return h.handle(w, r)
}

// problem is RFC 9457 with our members code, field and requestId.
type problem struct {
	Title     string      `json:"title"`
	Status    int         `json:"status"`
	Code      apierr.Code `json:"code"`
	Detail    string      `json:"detail,omitempty"`
	Field     string      `json:"field,omitempty"`
	RequestID string      `json:"requestId"`
}

// Status returns the HTTP status of a code in a JSON answer.
func Status(code apierr.Code) int {
	switch code {
	case apierr.InvalidRequest, apierr.DuplicatePhone, apierr.PhoneInvalid:
		return http.StatusBadRequest
	case apierr.Unauthorized:
		return http.StatusUnauthorized
	case apierr.Forbidden:
		return http.StatusForbidden
	case apierr.NotFound:
		return http.StatusNotFound
	case apierr.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case apierr.AlreadyExists, apierr.AutoLoginTaken, apierr.PhoneTaken:
		return http.StatusConflict
	case apierr.VersionMismatch:
		return http.StatusPreconditionFailed
	case apierr.PayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case apierr.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case apierr.WeComBusy, apierr.WeComUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	failure := apierr.From(err)
	status := Status(failure.Code)
	detail := failure.Detail
	if status == http.StatusInternalServerError {
		detail = "" // whatever it says, it is not for the caller
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	body := problem{http.StatusText(status), status, failure.Code, detail, failure.Field, RequestID(r.Context())}
	_ = json.NewEncoder(w).Encode(body)
}

// WriteJSON writes a 200 answer, or another status already chosen by the caller.
func WriteJSON(w http.ResponseWriter, status int, body any) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(encoded, '\n'))
	return err
}

// SignInPageError is a failure of a browser leg with what the sign-in page needs
// to offer the way forward.
type SignInPageError struct {
	Authenticator string // name, or empty
	Redirect      string // checked target path, or empty
	ToConsole     bool   // the visitor signs in for the console
	Err           error
}

func (e *SignInPageError) Error() string { return e.Err.Error() }

// Unwrap returns the failure itself.
func (e *SignInPageError) Unwrap() error { return e.Err }

// SignInPage is what the sign-in page is told in its address; empty values are left
// out.
type SignInPage struct {
	Error         apierr.Code
	Authenticator string // name of the one that failed
	Redirect      string // checked target path
	ToConsole     bool   // return=console
	RequestID     string // of the request that failed
}

// Address returns the address of the sign-in page.
func (p SignInPage) Address(publicURL string) string {
	query := url.Values{}
	for name, value := range map[string]string{
		"error": string(p.Error), "authenticator": p.Authenticator, "redirect": p.Redirect, "request": p.RequestID,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if p.ToConsole {
		query.Set("return", "console")
	}
	address := publicURL + "/signin"
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

func redirectToSignIn(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	page := SignInPage{Error: apierr.From(err).Code, RequestID: RequestID(ctx)}
	if wanted, ok := errors.AsType[*SignInPageError](err); ok {
		page.Authenticator, page.Redirect, page.ToConsole = wanted.Authenticator, wanted.Redirect, wanted.ToConsole
	}
	Redirect(w, page.Address(PublicURL(ctx)))
}

// Redirect answers 302 without a body. Unlike http.Redirect it takes the address
// as it is: it was built and checked by us, and has no need to be "cleaned".
func Redirect(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusFound)
}
