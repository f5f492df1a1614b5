package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Attempts is what the store keeps of attempts to sign in: newest first, none older
// than store.EventRetention. A list may lag a moment behind.
type Attempts interface {
	EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error)
	EventsOfUser(ctx context.Context, userID string, limit int) ([]store.SignInEvent, error)
}

// attemptView is an attempt as the API shows it; what is not known is empty.
type attemptView struct {
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

func viewAttempt(a store.SignInEvent) attemptView {
	view := attemptView{
		At: timestamp(a.At), Result: "signed_in", Code: a.Code, WeComCode: a.WeComCode, Authenticator: a.AuthenticatorName,
		UserID: a.UserID, CorpID: a.CorpID, WeComUserID: a.WeComUserID, Client: "browser", RequestID: a.RequestID,
	}
	if a.Code != "" {
		view.Result = "refused"
	}
	if a.InWeCom {
		view.Client = "wecom"
	}
	return view
}

// attemptsOfAuthenticator asks by the authenticator's own id: a new one of the same
// name does not show what became of another's visitors.
func (h *handler) attemptsOfAuthenticator(w http.ResponseWriter, r *http.Request) error {
	return writeAttempts(w, r, func(ctx context.Context, limit int) ([]store.SignInEvent, error) {
		a, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return h.Attempts.EventsOfAuthenticator(ctx, a.ID, limit)
	})
}

func (h *handler) attemptsOfUser(w http.ResponseWriter, r *http.Request) error {
	return writeAttempts(w, r, func(ctx context.Context, limit int) ([]store.SignInEvent, error) {
		u, err := h.user(ctx, r.PathValue("id"))
		if err != nil {
			return nil, err
		}
		return h.Attempts.EventsOfUser(ctx, u.ID, limit)
	})
}

func writeAttempts(w http.ResponseWriter, r *http.Request, list func(ctx context.Context, limit int) ([]store.SignInEvent, error)) error {
	page, _, err := readPage(r, store.MaxEvents)
	if err != nil {
		return err
	}
	if page.Cursor != "" {
		return listFault(store.ErrBadCursor) // this list has one page
	}
	items, err := list(r.Context(), page.Limit)
	if err != nil {
		return fmt.Errorf("list attempts: %w", err)
	}
	return writeList(w, items, "", viewAttempt)
}
