package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
)

const (
	longestBody = 64 << 10
	// MaxBody is larger than what Lambda hands over, for apigw.Config.MaxBody: what exceeds
	// longestBody is answered here, like everything else that WeCom did not send.
	MaxBody = 10 << 20
	// freshness is how far the time of a push may be from ours.
	freshness = 5 * time.Minute
	// workTime bounds the work of a push, below the function's time-out. WeCom waits for 5 s
	// and pushes again then; work that is nearly done is worth more than an early answer.
	workTime = 8 * time.Second
)

// Authenticators reads the configuration; store.AuthenticatorReader does.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
}

// Secrets reads an authenticator's secret; secret.Store does.
type Secrets interface {
	Get(ctx context.Context, name, version string) (secret.Value, error)
}

// Store notes that WeCom has pushed; store.Directory does.
type Store interface {
	NoteEvent(ctx context.Context, a store.Authenticator, at time.Time) error
}

// Members looks members up; *members.Checker does.
type Members interface {
	// Check looks the member of a userid up and ends what must end. store.ErrNotFound:
	// nobody here is or was this member.
	Check(ctx context.Context, a store.Authenticator, userID string) (members.Result, error)
	// Rename moves an identity to another userid, of which an event of a time tells, if that
	// is what WeCom says.
	Rename(ctx context.Context, a store.Authenticator, oldUserID, newUserID string, at time.Time) (members.Result, error)
}

// Directory keeps departments and tags; *members.Evaluator does.
type Directory interface {
	// DepartmentsChanged and TagChanged have what is kept fetched anew before its next use.
	DepartmentsChanged(ctx context.Context, a store.Authenticator) error
	TagChanged(ctx context.Context, a store.Authenticator, tag int64) error
}

// Config is what New needs.
type Config struct {
	Authenticators Authenticators
	Secrets        Secrets
	// SecretName returns the name of an authenticator's secret.
	SecretName func(authenticatorID string) string
	Store      Store
	Members    Members
	Directory  Directory
	// Audit is told of each event that is known.
	Audit *audit.Log
	Now   func() time.Time
}

type handler struct {
	Config
	receivers receivers
}

// New returns the handler of /api/events/{authenticator}, for package apigw with MaxBody.
func New(cfg Config) http.Handler {
	h := &handler{Config: cfg, receivers: receivers{secrets: cfg.Secrets, secretName: cfg.SecretName}}
	routes := apigw.NewRouter(nil)
	routes.Handle("GET /api/events/{authenticator}", bare(h.check))
	routes.Handle("POST /api/events/{authenticator}", bare(h.push))
	return routes
}

// bare makes a handler whose answers have a status and nothing else, but for what it writes
// without an error.
func bare(handle apigw.HandlerFunc) apigw.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := handle(w, r)
		if err == nil {
			return nil
		}
		failure := apierr.From(err)
		apigw.LogError(r.Context(), failure)
		switch failure.Code {
		case apierr.Forbidden, apierr.NotFound:
			w.WriteHeader(apigw.Status(failure.Code))
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
		return nil
	}
}

// check answers the check of the URL, which WeCom makes when it is saved in its console.
func (h *handler) check(w http.ResponseWriter, r *http.Request) error {
	query, ok := receiver.ParseQuery(r.URL.RawQuery, true)
	_, from, err := h.receiver(r, ok)
	if err != nil {
		return err
	}
	plaintext, err := from.Check(query)
	if err != nil {
		return apierr.New(apierr.Forbidden, err)
	}
	w.Header().Set("Content-Type", "text/plain")
	_, err = w.Write(plaintext)
	return err
}

// push takes an event.
func (h *handler) push(w http.ResponseWriter, r *http.Request) error {
	ctx, now := r.Context(), h.Now()
	query, ok := receiver.ParseQuery(r.URL.RawQuery, false)
	if ok && query.Time().Sub(now).Abs() > freshness {
		return apierr.Newf(apierr.Forbidden, "the push is of another time")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, longestBody+1))
	if err != nil || len(body) > longestBody {
		return apierr.Newf(apierr.Forbidden, "the body is too large, or broken off")
	}
	a, from, err := h.receiver(r, ok)
	if err != nil {
		return err
	}
	message, err := from.Open(query, body)
	if err != nil && !errors.Is(err, receiver.ErrUnreadable) {
		return apierr.New(apierr.Forbidden, err)
	}
	if err != nil {
		apigw.LogField(ctx, "event", "unreadable")
	}
	working, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	err = h.work(working, a, message)
	h.note(working, a, now)
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
	return err
}

// note writes down that WeCom has pushed, which decides nothing.
func (h *handler) note(ctx context.Context, a store.Authenticator, at time.Time) {
	if at.Sub(a.LastEventAt) < store.EventNotePause {
		return
	}
	if err := h.Store.NoteEvent(ctx, a, at); err != nil {
		apigw.LogField(ctx, "eventNotNoted", err.Error())
	}
}

// receiver returns the authenticator of a request, and what reads it. wellFormed is whether
// the query can be WeCom's. Without any query somebody asks whether there is a receiver.
func (h *handler) receiver(r *http.Request, wellFormed bool) (store.Authenticator, *receiver.Receiver, error) {
	ctx, name := r.Context(), r.PathValue("authenticator")
	if !store.IsAuthenticatorName(name) {
		return store.Authenticator{}, nil, apierr.New(apierr.NotFound, nil)
	}
	apigw.LogField(ctx, "authenticator", name)
	foreign := apierr.Newf(apierr.Forbidden, "the query is not WeCom's")
	if !wellFormed && r.URL.RawQuery != "" {
		return store.Authenticator{}, nil, foreign
	}
	a, err := h.Authenticators.Authenticator(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !a.EventsEnabled:
		return a, nil, apierr.New(apierr.NotFound, nil)
	case err != nil:
		return a, nil, fmt.Errorf("read authenticator: %w", err)
	case !wellFormed:
		return a, nil, foreign
	}
	from, err := h.receivers.of(ctx, a)
	return a, from, err
}
