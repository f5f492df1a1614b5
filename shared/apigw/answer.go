package apigw

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// HandlerFunc answers a request or returns an error. With an error it has written
// nothing but headers.
type HandlerFunc func(w http.ResponseWriter, r *http.Request) error

// JSON returns a handler whose errors are answered as problem+json.
func JSON(handle HandlerFunc) http.Handler { return handler{handle, writeProblem} }

// Browser returns a handler whose errors are answered with a redirect to the page that
// explains them. errorURL makes its address; authflow.ErrorURL does. That the member is not
// allowed is answered as such where JSON is asked for.
func Browser(handle HandlerFunc, errorURL func(publicURL, requestID string, err error) string) http.Handler {
	return handler{handle, func(w http.ResponseWriter, r *http.Request, err error) {
		if apierr.Is(err, apierr.NotAllowed) && r.Header.Get("Accept") == "application/json" {
			writeProblem(w, r, err)
			return
		}
		Redirect(w, errorURL(PublicURL(r.Context()), RequestID(r.Context()), err))
	}}
}

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
	case apierr.Forbidden, apierr.NotAllowed:
		return http.StatusForbidden
	case apierr.NotFound:
		return http.StatusNotFound
	case apierr.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case apierr.AlreadyExists, apierr.AutoLoginTaken, apierr.PhoneTaken, apierr.TooManySecrets, apierr.SecretNotAllowed:
		return http.StatusConflict
	case apierr.VersionMismatch:
		return http.StatusPreconditionFailed
	case apierr.PayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case apierr.UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case apierr.TooManyRequests:
		return http.StatusTooManyRequests
	case apierr.WeComBusy, apierr.WeComUnavailable:
		return http.StatusServiceUnavailable
	case apierr.WeComConfiguration:
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}

func writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	failure := apierr.From(err)
	status := Status(failure.Code)
	detail := failure.Detail
	if status == http.StatusInternalServerError {
		detail = "" // not for the caller, whatever it says
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	body := problem{http.StatusText(status), status, failure.Code, detail, failure.Field, RequestID(r.Context())}
	_ = json.NewEncoder(w).Encode(body)
}

// WriteJSON writes an answer of any status.
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

// Redirect answers 302 without a body. Unlike http.Redirect it does not "clean" the
// address, which the caller has built and checked.
func Redirect(w http.ResponseWriter, address string) {
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusFound)
}
