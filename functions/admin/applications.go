package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func (h *handler) listApplications(w http.ResponseWriter, r *http.Request) error {
	page, _, err := readPage(r, maxLimit)
	if err != nil {
		return err
	}
	items, next, err := h.Directory.Applications(r.Context(), page)
	if err != nil {
		return listError(fmt.Errorf("list applications: %w", err))
	}
	return writeList(w, items, next, viewApplication)
}

func (h *handler) getApplication(w http.ResponseWriter, r *http.Request) error {
	a, err := h.application(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.writeApplication(w, r, http.StatusOK, a)
}

func (h *handler) writeApplication(w http.ResponseWriter, r *http.Request, status int, a store.Application) error {
	corpIDs, err := oauth.CorpsOf(r.Context(), h.Directory, a)
	if err != nil {
		return err
	}
	view := viewApplication(a)
	view.Notes = notes(a, corpIDs)
	w.Header().Set("ETag", etag(a.Version))
	return apigw.WriteJSON(w, status, view)
}

// What administrators are told about what an application is not told, or who cannot use it.
const (
	// noteSeveralCompanies: members of several corps can sign in to it, so that neither
	// their emails nor their userids are told as names; see oauth.CorpsOf.
	noteSeveralCompanies = "several_companies"
	// noteAllowSeveralCompanies: for the same reason, departments and tags of its Allow let
	// nobody in; see oauth.MayUse.
	noteAllowSeveralCompanies = "allow_several_companies"
	// noteAllowAnotherCompany: departments and tags of its Allow are another corp's, and let
	// nobody in either; see oauth.AllowsByNumber.
	noteAllowAnotherCompany = "allow_another_company"
	// noteNoMailbox: it wants the member's mailbox, which is not known.
	noteNoMailbox = "no_mailbox"
)

// notes returns what is to be said about an application to which members of these corps can
// sign in.
func notes(a store.Application, corpIDs []string) (all []string) {
	if len(corpIDs) > 1 && (a.Claims.Email != "none" || a.Claims.PreferredUsername == "wecom_userid") {
		all = append(all, noteSeveralCompanies)
	}
	switch {
	case len(a.Allow.Departments)+len(a.Allow.Tags) == 0 || len(corpIDs) == 0 || oauth.AllowsByNumber(a, corpIDs):
	case len(corpIDs) > 1:
		all = append(all, noteAllowSeveralCompanies)
	default:
		all = append(all, noteAllowAnotherCompany)
	}
	return all
}

// application reads the application of an id in a path.
func (h *handler) application(ctx context.Context, id string) (store.Application, error) {
	absent := &apierr.Error{Code: apierr.NotFound, Detail: "There is no application of this id."}
	if !store.IsAuthenticatorName(id) {
		return store.Application{}, absent
	}
	apigw.LogField(ctx, "application", id)
	a, err := h.Directory.Application(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Application{}, absent
	}
	if err != nil {
		return store.Application{}, fmt.Errorf("read application: %w", err)
	}
	return a, nil
}

func (h *handler) createApplication(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	body, err := readJSON(r, append(applicationWritable(), "id", "kind"), applicationReadOnly())
	if err != nil {
		return err
	}
	a, err := h.newApplication(ctx, body)
	if err != nil {
		return err
	}
	apigw.LogField(ctx, "application", a.ID)
	if err := h.checkAuthenticators(ctx, body, a); err != nil {
		return err
	}
	if err := h.checkEmail(ctx, body, a); err != nil {
		return err
	}
	if a, err = h.noteAllowCorp(ctx, body, a); err != nil {
		return err
	}
	now := h.Now().UTC()
	a.Generation, a.CreatedAt, a.UpdatedAt, a.Version = store.NewID(), now, now, 1
	if err := h.lookUpTags(ctx, a); err != nil {
		return err
	}
	created := applicationChange(store.Application{}, a)
	err = h.audited(ctx, created).CreateApplication(ctx, a)
	recordChange(ctx, created, err)
	if errors.Is(err, store.ErrExists) {
		return &apierr.Error{Code: apierr.AlreadyExists, Field: "id", Detail: "There is an application of this id already."}
	}
	if err != nil {
		return fmt.Errorf("create application: %w", err)
	}
	w.Header().Set("Location", "/api/admin/applications/"+a.ID)
	return h.writeApplication(w, r, http.StatusCreated, a)
}

func (h *handler) patchApplication(w http.ResponseWriter, r *http.Request) error {
	body, err := readJSON(r, applicationWritable(), append(applicationReadOnly(), "id", "kind"))
	if err != nil {
		return err
	}
	a, err := h.updateApplication(r, func(a store.Application) (store.Application, error) {
		to, err := h.changeApplication(r.Context(), a, body)
		if err != nil {
			return a, err
		}
		if err := h.checkAuthenticators(r.Context(), body, to); err != nil {
			return a, err
		}
		if err := h.checkEmail(r.Context(), body, to); err != nil {
			return a, err
		}
		return h.noteAllowCorp(r.Context(), body, to)
	})
	if err != nil {
		return err
	}
	return h.writeApplication(w, r, http.StatusOK, a)
}

// updateApplication reads the application of the path, applies change and writes the
// result, again while other writers are faster. Disabling ends the application's grants,
// and enabling does not bring them back.
func (h *handler) updateApplication(r *http.Request, change func(store.Application) (store.Application, error)) (store.Application, error) {
	ctx := r.Context()
	match := ifMatch(r)
	return store.RetryChanged(ctx, func() (store.Application, error) {
		from, err := h.application(ctx, r.PathValue("id"))
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
		if from.Enabled && !to.Enabled {
			to.Generation = store.NewID()
		}
		changed := applicationChange(from, to)
		if changed.Fields == "" {
			return from, nil
		}
		to.Version, to.UpdatedAt = from.Version+1, h.Now().UTC()
		if err := h.lookUpTags(ctx, to); err != nil {
			return from, err
		}
		err = h.audited(ctx, changed).UpdateApplication(ctx, from, to)
		recordChange(ctx, changed, err)
		if err != nil {
			return from, fmt.Errorf("update application: %w", err)
		}
		return to, nil
	})
}

// deleteApplication removes the record, without which no grant lives. The id can be used
// again; a namesake has another generation, and so neither grants nor consents of it.
func (h *handler) deleteApplication(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	match := ifMatch(r)
	_, err := store.RetryChanged(ctx, func() (store.Application, error) {
		a, err := h.application(ctx, r.PathValue("id"))
		if err != nil {
			return a, err
		}
		if err := match.check(a.Version); err != nil {
			return a, err
		}
		gone := change{Change: changeDeleted, Object: applicationObject, ObjectID: a.ID, line: audit.ApplicationDeleted}
		err = h.audited(ctx, gone).DeleteApplication(ctx, a)
		recordChange(ctx, gone, err)
		if err != nil {
			return a, fmt.Errorf("delete application: %w", err)
		}
		return a, nil
	})
	return noContent(w, err)
}

// checkAuthenticators fails if the body names an authenticator that does not exist. Names
// from before are not looked at: an authenticator may have been deleted since.
func (h *handler) checkAuthenticators(ctx context.Context, body *object, a store.Application) error {
	if !body.has("authenticators") {
		return nil
	}
	for _, name := range a.Authenticators {
		_, err := h.Directory.Authenticator(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			return apierr.Invalid("authenticators", "There is no authenticator "+name+".")
		}
		if err != nil {
			return fmt.Errorf("read authenticator: %w", err)
		}
	}
	return nil
}

// noteAllowCorp notes whose departments and tags an application's Allow names: those of the
// only corp whose members can sign in to it when they are given, or when it is given its
// authenticators, if nobody knew before. They stay that corp's when another takes its place.
func (h *handler) noteAllowCorp(ctx context.Context, body *object, a store.Application) (store.Application, error) {
	if !body.has("allow") && (a.AllowCorpID != "" || !body.has("authenticators")) {
		return a, nil
	}
	if len(a.Allow.Departments)+len(a.Allow.Tags) == 0 {
		a.AllowCorpID = ""
		return a, nil
	}
	corpIDs, err := oauth.CorpsOf(ctx, h.Directory, a)
	switch {
	case err != nil:
		return a, err
	case len(corpIDs) == 1:
		a.AllowCorpID = corpIDs[0]
	case !slices.Contains(corpIDs, a.AllowCorpID):
		a.AllowCorpID = ""
	}
	return a, nil
}

// checkEmail fails if the body has the application told the addresses of members of several
// corps, which it would not be. A corp that joins later takes the addresses away instead; see
// oauth.CorpsOf.
func (h *handler) checkEmail(ctx context.Context, body *object, a store.Application) error {
	if a.Claims.Email == "none" || !body.has("claims") && !body.has("authenticators") {
		return nil
	}
	corpIDs, err := oauth.CorpsOf(ctx, h.Directory, a)
	if err == nil && len(corpIDs) > 1 {
		return apierr.Invalid("claims.email", "email must be none while the authenticators that the application may use are of several companies: "+
			"somebody of one could have the address of somebody of another. Choose authenticators of one company.")
	}
	return err
}
