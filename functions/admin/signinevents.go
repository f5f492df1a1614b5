package admin

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SignInEvents lists recent attempts to sign in: newest first, none older than
// store.EventRetention. A list may lag a moment behind.
type SignInEvents interface {
	EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error)
	EventsOfUser(ctx context.Context, userID string, limit int) ([]store.SignInEvent, error)
	EventsOfApplication(ctx context.Context, applicationID string, limit int) ([]store.ApplicationEvent, error)
}

// signInEventView is an event as the API shows it; what is not known is empty.
type signInEventView struct {
	At     string `json:"at"`
	Result string `json:"result"` // signed_in or refused
	// Code is why it was refused: a code of the sign-in page.
	Code          string `json:"code"`
	WeComCode     int    `json:"wecomCode"` // 0: none
	Authenticator string `json:"authenticator"`
	UserID        string `json:"userId"`
	CorpID        string `json:"corpId"`
	WeComUserID   string `json:"wecomUserId"`
	Client        string `json:"client"` // wecom or browser
	RequestID     string `json:"requestId"`
}

func viewSignInEvent(e store.SignInEvent) signInEventView {
	view := signInEventView{
		At: timestamp(e.At), Result: "signed_in", Code: e.Code, WeComCode: e.WeComCode, Authenticator: e.AuthenticatorName,
		UserID: e.UserID, CorpID: e.CorpID, WeComUserID: e.WeComUserID, Client: "browser", RequestID: e.RequestID,
	}
	if e.Code != "" {
		view.Result = "refused"
	}
	if e.InWeCom {
		view.Client = "wecom"
	}
	return view
}

// eventsOfAuthenticator lists events by the id of the authenticator, so that a namesake
// of a deleted one does not show its events.
func (h *handler) eventsOfAuthenticator(w http.ResponseWriter, r *http.Request) error {
	return writeEvents(w, r, viewSignInEvent, func(ctx context.Context, limit int) ([]store.SignInEvent, error) {
		a, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return h.SignInEvents.EventsOfAuthenticator(ctx, a.ID, limit)
	})
}

func (h *handler) eventsOfUser(w http.ResponseWriter, r *http.Request) error {
	return writeEvents(w, r, viewSignInEvent, func(ctx context.Context, limit int) ([]store.SignInEvent, error) {
		u, err := h.user(ctx, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return h.SignInEvents.EventsOfUser(ctx, u.ID, limit)
	})
}

// applicationEventView is an event of an application as the API shows it; what is not
// known is empty.
type applicationEventView struct {
	At     string `json:"at"`
	Result string `json:"result"` // ok, or the OAuth error that the application got
	// Cause is why, in a word of package oauth.
	Cause     string `json:"cause"`
	UserID    string `json:"userId"`
	RequestID string `json:"requestId"`
}

func viewApplicationEvent(e store.ApplicationEvent) applicationEventView {
	return applicationEventView{timestamp(e.At), e.Result, e.Cause, e.UserID, e.RequestID}
}

// eventsOfApplication lists events of the application, and none of an earlier one that
// had the same id.
func (h *handler) eventsOfApplication(w http.ResponseWriter, r *http.Request) error {
	return writeEvents(w, r, viewApplicationEvent, func(ctx context.Context, limit int) ([]store.ApplicationEvent, error) {
		a, err := h.application(ctx, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		events, err := h.SignInEvents.EventsOfApplication(ctx, a.ID, limit)
		return slices.DeleteFunc(events, func(e store.ApplicationEvent) bool { return e.At.Before(a.CreatedAt) }), err
	})
}

func writeEvents[E, V any](w http.ResponseWriter, r *http.Request, view func(E) V, list func(ctx context.Context, limit int) ([]E, error)) error {
	page, _, err := readPage(r, store.MaxEvents)
	if err != nil {
		return err
	}
	if page.Cursor != "" {
		return listError(store.ErrBadCursor) // the list has one page
	}
	items, err := list(r.Context(), page.Limit)
	if err != nil {
		return fmt.Errorf("list attempts: %w", err)
	}
	return writeList(w, items, "", view)
}
