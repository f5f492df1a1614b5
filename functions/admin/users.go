package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/phone"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// userID bounds what is looked up; ids by store.NewUserID have this form.
var userID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)

func (h *handler) listUsers(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	page, query, err := readPage(r, maxLimit)
	if err != nil {
		return err
	}
	list := h.Directory.Users
	if query.Has("name") {
		prefix := query.Get("name")
		switch {
		case query.Has("phone"):
			return apierr.Invalid("name", "Search by name or by phone, not by both.")
		case store.FoldName(prefix) == "" || !isName(prefix) || !utf8.ValidString(prefix):
			return apierr.Invalid("name", nameWrong+" It must not be empty.")
		}
		list = func(ctx context.Context, page store.Page) ([]store.User, string, error) {
			return h.Directory.UsersByName(ctx, prefix, page)
		}
	} else if query.Has("phone") {
		return h.findUser(w, r, page)
	}
	items, next, err := list(ctx, page)
	if err != nil {
		return listError(fmt.Errorf("list users: %w", err))
	}
	return h.writeUsers(w, r, items, next)
}

// writeUsers answers with a list of users once the audit knows who reads it, and what it was
// searched by.
func (h *handler) writeUsers(w http.ResponseWriter, r *http.Request, users []store.User, next string) error {
	if err := h.auditRead(r, store.AuditLine{Type: audit.UsersListed, Fields: filtersOf(r, "name", "phone")}); err != nil {
		return err
	}
	// Within one answer each authenticator is read once.
	authenticators := store.CacheAuthenticators(h.Directory, time.Minute, h.Now)
	for i, u := range users {
		var err error
		if users[i], err = store.WithWeComRolesOfAllCorps(r.Context(), authenticators, u); err != nil {
			return err
		}
	}
	language := requestLanguage(r)
	w.Header().Set("Vary", "Accept-Language")
	return writeList(w, users, next, func(u store.User) userView { return viewUser(u, language) })
}

// findUser answers ?phone= with a list of at most one user. A number that is not yet
// whole, as while somebody types it, is nobody's.
func (h *handler) findUser(w http.ResponseWriter, r *http.Request, page store.Page) error {
	if page.Cursor != "" {
		return listError(store.ErrBadCursor) // the list has one page
	}
	number, valid := phone.Normalize(phoneQuery(r.URL.RawQuery))
	if !valid {
		return h.writeUsers(w, r, nil, "")
	}
	u, err := h.Directory.UserByPhone(r.Context(), number)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return h.writeUsers(w, r, nil, "")
	case err != nil:
		return fmt.Errorf("find user by phone: %w", err)
	}
	return h.writeUsers(w, r, []store.User{u}, "")
}

// phoneQuery returns the value of phone. In a query "+" is a space, but ?phone=+86138…
// means the plus sign of a country code.
func phoneQuery(rawQuery string) string {
	for part := range strings.SplitSeq(rawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name != "phone" {
			continue
		}
		if rest, plus := strings.CutPrefix(value, "+"); plus {
			value = "%2B" + rest
		}
		if text, err := url.QueryUnescape(value); err == nil {
			return text
		}
	}
	return ""
}

func (h *handler) getUser(w http.ResponseWriter, r *http.Request) error {
	u, err := h.user(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.answerUser(w, r, http.StatusOK, u)
}

func (h *handler) answerUser(w http.ResponseWriter, r *http.Request, status int, u store.User) error {
	u, err := store.WithWeComRolesOfAllCorps(r.Context(), h.Directory, u)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(u.Version))
	w.Header().Set("Vary", "Accept-Language")
	return apigw.WriteJSON(w, status, viewUser(u, requestLanguage(r)))
}

// user reads the user of an id in a path.
func (h *handler) user(ctx context.Context, id string) (store.User, error) {
	absent := &apierr.Error{Code: apierr.NotFound, Detail: "There is no user of this id."}
	if !userID.MatchString(id) {
		return store.User{}, absent
	}
	u, err := h.Directory.User(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, absent
	}
	if err != nil {
		return store.User{}, fmt.Errorf("read user: %w", err)
	}
	apigw.LogField(ctx, "user", u.ID) // not the id in the path, which may be a phone
	return u, nil
}

func (h *handler) createUser(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, userWritable(), userReadOnly())
	if err != nil {
		return err
	}
	if err := body.require("phone"); err != nil {
		return err
	}
	u, err := changeUser(h.emptyUser(), body)
	if err != nil {
		return err
	}
	apigw.LogField(ctx, "user", u.ID)
	if err := h.insertUser(ctx, u); err != nil {
		return h.phoneTakenError(ctx, u.Phone, fmt.Errorf("create user: %w", err))
	}
	w.Header().Set("Location", "/api/admin/users/"+u.ID)
	return h.answerUser(w, r, http.StatusCreated, u)
}

func (h *handler) insertUser(ctx context.Context, u store.User) error {
	created := userChange(store.User{}, u)
	err := h.audited(ctx, created).CreateUser(ctx, u)
	recordChange(ctx, created, err)
	return err
}

// emptyUser returns a new user without phone and name.
func (h *handler) emptyUser() store.User {
	now := h.Now().UTC()
	return store.User{
		ID: store.NewUserID(now), NamePending: true, Enabled: true,
		SessionGeneration: 1, CreatedAt: now, UpdatedAt: now, Version: 1,
	}
}

func (h *handler) patchUser(w http.ResponseWriter, r *http.Request) error {
	body, err := readJSON(r, userWritable(), userReadOnly())
	if err != nil {
		return err
	}
	u, err := h.updateUser(r, func(u store.User) (store.User, error) { return changeUser(u, body) })
	if err != nil {
		return err
	}
	return h.answerUser(w, r, http.StatusOK, u)
}

// updateUser reads the user of the path, applies change and writes the result, again
// while other writers are faster.
func (h *handler) updateUser(r *http.Request, change func(store.User) (store.User, error)) (store.User, error) {
	ctx := r.Context()
	match := ifMatch(r)
	return store.RetryChanged(ctx, func() (store.User, error) {
		from, err := h.user(ctx, r.PathValue("id"))
		if err != nil {
			return from, err
		}
		to, err := change(from)
		if err != nil {
			return from, err
		}
		if err := match.check(from.Version); err != nil {
			return from, err
		}
		return h.writeUser(ctx, from, to)
	})
}

// writeUser replaces from by to, unless they are the same, and returns the stored user.
func (h *handler) writeUser(ctx context.Context, from, to store.User) (store.User, error) {
	if sameUser(from, to) {
		return from, nil
	}
	to.Version, to.UpdatedAt = from.Version+1, h.Now().UTC()
	changed := userChange(from, to)
	err := h.audited(ctx, changed).UpdateUser(ctx, from, to)
	recordChange(ctx, changed, err)
	if from.SessionGeneration != to.SessionGeneration {
		h.tellUserEnded(ctx, to.ID, err)
	}
	if err != nil {
		return from, h.phoneTakenError(ctx, to.Phone, fmt.Errorf("update user: %w", err))
	}
	return to, nil
}

// phoneTakenError translates store.ErrPhoneTaken, naming the holder, and returns any
// other error as it is.
func (h *handler) phoneTakenError(ctx context.Context, number string, err error) error {
	if !errors.Is(err, store.ErrPhoneTaken) {
		return err
	}
	detail := "Another user has this phone."
	if holder, readErr := h.Directory.UserByPhone(ctx, number); readErr == nil {
		detail = "The user " + holder.ID + " has this phone."
	}
	return &apierr.Error{Code: apierr.PhoneTaken, Field: "phone", Detail: detail}
}

func (h *handler) deleteUser(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	match := ifMatch(r)
	gone, err := store.RetryChanged(ctx, func() (store.User, error) {
		u, err := h.user(ctx, r.PathValue("id"))
		if err != nil {
			return u, err
		}
		if err := match.check(u.Version); err != nil {
			return u, err
		}
		gone := change{Change: changeDeleted, Object: userObject, ObjectID: u.ID, line: audit.UserDeleted, RolesBefore: strings.Join(u.Roles, " ")}
		err = h.audited(ctx, gone).DeleteUser(ctx, u)
		recordChange(ctx, gone, err)
		h.tellUserEnded(ctx, u.ID, err)
		if err != nil {
			return u, fmt.Errorf("delete user: %w", err)
		}
		return u, nil
	})
	if err == nil {
		h.deleteConsents(ctx, gone.ID)
	}
	return noContent(w, err)
}

// deleteConsents removes what a user who is gone agreed to. The id is never used again:
// what cannot be removed is of no use to anybody, so that the deletion has succeeded.
func (h *handler) deleteConsents(ctx context.Context, userID string) {
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	consents, err := h.Directory.Consents(cleanup, userID)
	for _, c := range consents {
		err = errors.Join(err, h.Directory.DeleteConsent(cleanup, userID, c.ApplicationID))
	}
	if err != nil {
		apigw.LogError(ctx, apierr.New(apierr.Internal, fmt.Errorf("delete consents: %w", err)))
	}
}

// tellUserEnded has applications told that a user's sessions ended by a write with this
// result. When that fails, ending the user's sessions once more tells again.
func (h *handler) tellUserEnded(ctx context.Context, userID string, written error) {
	h.tellEnded(ctx, written, func(ctx context.Context) error { return h.Logout.UserEnded(ctx, userID) })
}

// tellEnded has applications told of sessions that ended by a write with this result. It
// tells them of an uncertain write, too: a member who is signed in all the same comes back
// by a redirect. The write stands when nobody could be told; the error in the log raises
// the operator's alarm.
func (h *handler) tellEnded(ctx context.Context, written error, tell func(context.Context) error) {
	if h.Logout == nil || isRefusal(written) {
		return
	}
	telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if err := tell(telling); err != nil {
		apigw.LogError(ctx, apierr.New(apierr.Internal, fmt.Errorf("tell applications of ended sessions: %w", err)))
	}
}

// endSessions ends all sessions of a user: each carries the generation of its start.
func (h *handler) endSessions(w http.ResponseWriter, r *http.Request) error {
	_, err := h.updateUser(r, func(u store.User) (store.User, error) {
		u.SessionGeneration++
		return u, nil
	})
	return noContent(w, err)
}

// unbindIdentity removes a WeCom identity from a user. It also ends the sessions, any of
// which that member may have started.
func (h *handler) unbindIdentity(w http.ResponseWriter, r *http.Request) error {
	corp, member := r.PathValue("corpId"), store.FoldUserID(r.PathValue("wecomUserId"))
	_, err := h.updateUser(r, func(u store.User) (store.User, error) {
		i := slices.IndexFunc(u.Identities, func(identity store.Identity) bool {
			return identity.CorpID == corp && store.FoldUserID(identity.WeComUserID) == member
		})
		if i < 0 {
			return u, &apierr.Error{Code: apierr.NotFound, Detail: "The user has no such identity."}
		}
		u.Identities = slices.Delete(slices.Clone(u.Identities), i, i+1)
		u.PhoneConflict = nil // the other member may be bound now
		u.SessionGeneration++
		return u, nil
	})
	return noContent(w, err)
}
