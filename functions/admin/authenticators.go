package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func (h *handler) listAuthenticators(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	page, _, err := readPage(r, maxLimit)
	if err != nil {
		return err
	}
	items, next, err := h.Directory.Authenticators(ctx, page)
	if err != nil {
		return listError(fmt.Errorf("list authenticators: %w", err))
	}
	publicURL := apigw.PublicURL(ctx)
	return writeList(w, items, next, func(a store.Authenticator) authenticatorView {
		return viewAuthenticator(a, publicURL)
	})
}

func (h *handler) getAuthenticator(w http.ResponseWriter, r *http.Request) error {
	a, err := h.authenticator(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeAuthenticator(w, r, http.StatusOK, a)
}

func writeAuthenticator(w http.ResponseWriter, r *http.Request, status int, a store.Authenticator) error {
	w.Header().Set("ETag", etag(a.Version))
	return apigw.WriteJSON(w, status, viewAuthenticator(a, apigw.PublicURL(r.Context())))
}

// authenticator reads the authenticator of a name in a path.
func (h *handler) authenticator(ctx context.Context, name string) (store.Authenticator, error) {
	absent := &apierr.Error{Code: apierr.NotFound, Detail: "There is no authenticator of this name."}
	if !store.IsAuthenticatorName(name) {
		return store.Authenticator{}, absent
	}
	apigw.LogField(ctx, "authenticator", name)
	a, err := h.Directory.Authenticator(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Authenticator{}, absent
	}
	if err != nil {
		return store.Authenticator{}, fmt.Errorf("read authenticator: %w", err)
	}
	return a, nil
}

func (h *handler) createAuthenticator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, append(authenticatorWritable(), "name"), authenticatorReadOnly())
	if err != nil {
		return err
	}
	a, value, err := newAuthenticator(body)
	if err != nil {
		return err
	}
	apigw.LogField(ctx, "authenticator", a.Name)
	now := h.Now().UTC()
	a.ID, a.Generation, a.SecretVersion = store.NewID(), store.NewID(), newSecretVersion()
	a.CreatedAt, a.UpdatedAt, a.Version = now, now, 1
	if a.ApplicationTags, err = h.applicationTags(ctx, a.Name, store.Application{}); err != nil {
		return err
	}
	renewRules(store.Authenticator{}, &a)

	// Only saves creating a secret and deleting it again; the write below decides.
	_, err = h.Directory.Authenticator(ctx, a.Name)
	switch {
	case err == nil:
		return nameTaken()
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("read authenticator: %w", err)
	}
	if err := h.checkAutoLogin(ctx, a); err != nil {
		return err
	}
	// The secret first, so that no authenticator is ever without one.
	if err := h.Secrets.Create(ctx, h.SecretName(a.ID), a.SecretVersion, appsecret.Secret{App: value}.Encode()); err != nil {
		return fmt.Errorf("create secret: %w", err)
	}
	if err := h.writeNew(ctx, a); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/admin/authenticators/"+a.Name)
	return writeAuthenticator(w, r, http.StatusCreated, a)
}

// writeNew writes the record of an authenticator whose secret exists already. It deletes
// the secret when the record was certainly not written.
func (h *handler) writeNew(ctx context.Context, a store.Authenticator) error {
	err := h.audited(ctx, authenticatorChange(store.Authenticator{}, a)).CreateAuthenticator(ctx, a)
	if err == nil {
		recordChange(ctx, authenticatorChange(store.Authenticator{}, a), nil)
		return nil
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	refused := storeRefusal(err)
	if refused == nil {
		// The outcome is unknown: the record may have been written.
		written, readErr := h.Directory.Authenticator(cleanup, a.Name)
		switch {
		case readErr == nil && written.ID == a.ID:
			recordChange(ctx, authenticatorChange(store.Authenticator{}, a), nil)
			return nil
		case readErr != nil && !errors.Is(readErr, store.ErrNotFound):
			recordChange(ctx, authenticatorChange(store.Authenticator{}, a), err)
			// An unused secret is harmless, an authenticator without one is not.
			return fmt.Errorf("create authenticator, outcome unknown: %w", errors.Join(err, readErr))
		}
		refused = fmt.Errorf("create authenticator: %w", err)
	}
	if deleteErr := h.Secrets.Delete(cleanup, h.SecretName(a.ID)); deleteErr != nil {
		apigw.LogField(ctx, "secretLeft", a.ID)
	}
	return refused
}

func (h *handler) patchAuthenticator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, authenticatorWritable(), append(authenticatorReadOnly(), "name"))
	if err != nil {
		return err
	}
	match := ifMatch(r)
	var value secret.Value
	moved := false // to another corp
	write := h.secretChange(func(s *appsecret.Secret) error {
		if !value.IsEmpty() {
			s.App = value
		}
		if moved { // the former corp knows token and key
			s.Token, s.EncodingAESKey = secret.Value{}, secret.Value{}
		}
		return nil
	})
	a, err := store.RetryChanged(ctx, func() (store.Authenticator, error) {
		from, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return from, err
		}
		var to store.Authenticator
		if to, value, err = changeAuthenticator(from, body); err != nil {
			return from, err
		}
		if moved = from.CorpID != to.CorpID; moved {
			if err := requireNewNumbers(from, body); err != nil {
				return from, err
			}
		}
		if err := match.check(from.Version); err != nil {
			return from, err
		}
		if reflect.DeepEqual(to, from) && value.IsEmpty() {
			return from, nil
		}
		if from.Enabled && !to.Enabled || moved {
			to.Generation = store.NewID()
		}
		renewRules(from, &to)
		if !from.HoldsAutoLogin() {
			if err := h.checkAutoLogin(ctx, to); err != nil {
				return from, err
			}
		}
		if !value.IsEmpty() || moved && from.EventsEnabled {
			if err := write(ctx, from, &to); err != nil {
				return from, err
			}
		}
		return h.updateAuthenticator(ctx, authenticatorChange(from, to), from, to)
	})
	if err != nil {
		return err
	}
	return writeAuthenticator(w, r, http.StatusOK, a)
}

// updateAuthenticator replaces from by to, and returns the stored authenticator.
func (h *handler) updateAuthenticator(ctx context.Context, changed change, from, to store.Authenticator) (store.Authenticator, error) {
	to.Version, to.UpdatedAt = from.Version+1, h.Now().UTC()
	err := h.audited(ctx, changed).UpdateAuthenticator(ctx, from, to)
	recordChange(ctx, changed, err)
	if from.Generation != to.Generation {
		h.tellAuthenticatorEnded(ctx, from, err)
	}
	if err == nil {
		return to, nil
	}
	if refused := storeRefusal(err); refused != nil {
		return from, refused
	}
	return from, fmt.Errorf("update authenticator: %w", err)
}

// tellAuthenticatorEnded has applications told that the sessions of an authenticator, as it
// was, ended by a write with this result. When that fails, nothing tells again: what
// applications ask for ends all the same.
func (h *handler) tellAuthenticatorEnded(ctx context.Context, was store.Authenticator, written error) {
	h.tellEnded(ctx, written, func(ctx context.Context) error { return h.Logout.AuthenticatorEnded(ctx, was) })
}

// newSecretVersion returns 128 random bits in the form of a UUID, which is what
// Secrets Manager suggests for a ClientRequestToken.
func newSecretVersion() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails: it ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func (h *handler) deleteAuthenticator(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	match := ifMatch(r)
	a, err := store.RetryChanged(ctx, func() (store.Authenticator, error) {
		a, err := h.authenticator(ctx, r.PathValue("name"))
		if err != nil {
			return a, err
		}
		if err := match.check(a.Version); err != nil {
			return a, err
		}
		return a, h.deleteRecord(ctx, a)
	})
	if err != nil {
		return err
	}
	// The record first: it must never refer to a deleted secret. From here on the
	// authenticator is deleted, even if its secret, whose name is never used again, stays.
	if err := h.deleteSecret(ctx, h.SecretName(a.ID)); err != nil {
		apigw.LogField(ctx, "secretLeft", a.ID)
		apigw.LogError(ctx, apierr.New(apierr.Internal, fmt.Errorf("delete secret: %w", err)))
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) deleteRecord(ctx context.Context, a store.Authenticator) error {
	gone := change{Change: changeDeleted, Object: authenticatorObject, ObjectID: a.ID, name: a.Name, line: audit.AuthenticatorDeleted}
	err := h.audited(ctx, gone).DeleteAuthenticator(ctx, a)
	h.tellAuthenticatorEnded(ctx, a, err)
	if err == nil || errors.Is(err, store.ErrChanged) {
		recordChange(ctx, gone, err)
		return err
	}
	// The outcome is unknown. If the record is gone, its secret must be deleted, too.
	check, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if _, readErr := h.Directory.Authenticator(check, a.Name); errors.Is(readErr, store.ErrNotFound) {
		recordChange(ctx, gone, nil)
		return nil
	}
	recordChange(ctx, gone, err)
	return fmt.Errorf("delete authenticator: %w", err)
}

const (
	cleanupTime     = 5 * time.Second
	cleanupAttempts = 3
)

// deleteSecret tries a few times, even after the caller has hung up.
func (h *handler) deleteSecret(ctx context.Context, name string) error {
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	var err error
	for attempt := range cleanupAttempts {
		if err = h.Secrets.Delete(cleanup, name); err == nil {
			return nil
		}
		if store.Pause(cleanup, attempt) != nil {
			break
		}
	}
	return err
}

// checkAutoLogin fails early, with the holder's name, if a wants the automatic login that
// another authenticator has. The store decides in the write.
func (h *handler) checkAutoLogin(ctx context.Context, a store.Authenticator) error {
	if !a.HoldsAutoLogin() {
		return nil
	}
	holder, err := h.Directory.AutoLoginAuthenticator(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && holder.Name == a.Name:
		return nil
	case err != nil:
		return fmt.Errorf("read automatic authenticator: %w", err)
	}
	return autoLoginTaken(holder.Name)
}

// storeRefusal translates an error by which the store refuses a write, and returns nil
// for any other. It returns store.ErrChanged as it is, for store.RetryChanged.
func storeRefusal(err error) error {
	if taken, ok := errors.AsType[*store.AutoLoginTakenError](err); ok {
		return autoLoginTaken(taken.Holder)
	}
	switch {
	case errors.Is(err, store.ErrExists):
		return nameTaken()
	case errors.Is(err, store.ErrChanged):
		return err
	}
	return nil
}

func nameTaken() error {
	return &apierr.Error{Code: apierr.AlreadyExists, Field: "name", Detail: "There is an authenticator of this name already."}
}

func autoLoginTaken(holder string) error {
	return &apierr.Error{
		Code: apierr.AutoLoginTaken, Field: "autoLogin",
		Detail: "The authenticator " + holder + " has automatic login, and only one enabled authenticator may.",
	}
}
