package dynamo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const applicationPartition = "application"

func applicationKey(id string) item { return directoryKey(applicationPartition, id) }

// The times of last use are attributes beside the record, so that noting one is a single
// write that does not touch the record's version, and an update of the record leaves them.
const lastUse = "lastUsedAt"

// lastUseOf names the attribute of one secret.
func lastUseOf(secretID string) string { return lastUse + "#" + secretID }

// Application implements store.ProviderEngine.
func (e *Engine) Application(ctx context.Context, id string) (store.Application, error) {
	found, err := e.get(ctx, e.cfg.DirectoryTable, applicationKey(id))
	if err != nil {
		return store.Application{}, err
	}
	return decodeApplication(found)
}

func decodeApplication(i item) (a store.Application, err error) {
	err = decode(i, &a)
	a.LastUsedAt = momentOf(i, lastUse)
	for n := range a.Secrets {
		a.Secrets[n].LastUsedAt = momentOf(i, lastUseOf(a.Secrets[n].ID))
	}
	return a, err
}

// encodeApplication returns the record without its times of last use.
func encodeApplication(a store.Application) (attributes item, err error) {
	a.LastUsedAt = time.Time{}
	a.Secrets = slices.Clone(a.Secrets)
	for n := range a.Secrets {
		a.Secrets[n].LastUsedAt = time.Time{}
	}
	data, err := encode(a)
	return item{"data": data, "version": number(a.Version), "generation": text(a.Generation)}, err
}

// Applications implements store.ProviderEngine.
func (e *Engine) Applications(ctx context.Context, page store.Page) ([]store.Application, string, error) {
	found, next, err := e.list(ctx, applicationPartition, page)
	if err != nil {
		return nil, "", err
	}
	applications := make([]store.Application, len(found))
	for n := range found {
		if applications[n], err = decodeApplication(found[n]); err != nil {
			return nil, "", err
		}
	}
	return applications, next, nil
}

// CreateApplication implements store.ProviderEngine.
func (e *Engine) CreateApplication(ctx context.Context, a store.Application) error {
	i, err := encodeApplication(a)
	if err != nil {
		return err
	}
	i["pk"], i["sk"] = text(applicationPartition), text(a.ID)
	if !a.LastUsedAt.IsZero() {
		i[lastUse] = moment(a.LastUsedAt)
	}
	for _, secret := range a.Secrets {
		if !secret.LastUsedAt.IsZero() {
			i[lastUseOf(secret.ID)] = moment(secret.LastUsedAt)
		}
	}
	// A transaction for its request token, see CreateAuthenticator.
	return e.transact(ctx, []step{put(e.cfg.DirectoryTable, i, "attribute_not_exists(pk)", nil, failing(store.ErrExists))})
}

// unchangedApplication is the condition that an application has not changed since it was
// read. A new one of the same id has another generation.
const unchangedApplication = "version = :read AND generation = :generationRead"

// UpdateApplication implements store.ProviderEngine.
func (e *Engine) UpdateApplication(ctx context.Context, from, to store.Application) error {
	if !possible(applicationKey(from.ID)) {
		return store.ErrChanged
	}
	i, err := encodeApplication(to)
	if err != nil {
		return err
	}
	expression, names := "SET #data = :data, version = :version, generation = :generation", map[string]string{"#data": "data"}
	var gone []string
	for _, secret := range from.Secrets {
		if !slices.ContainsFunc(to.Secrets, func(s store.ClientSecret) bool { return s.ID == secret.ID }) {
			name := fmt.Sprint("#gone", len(gone))
			names[name], gone = lastUseOf(secret.ID), append(gone, name)
		}
	}
	if len(gone) > 0 {
		expression += " REMOVE " + strings.Join(gone, ", ")
	}
	return e.run(ctx, []step{update(e.cfg.DirectoryTable, applicationKey(from.ID), expression, unchangedApplication, names, item{
		":data": i["data"], ":version": i["version"], ":generation": i["generation"],
		":read": number(from.Version), ":generationRead": text(from.Generation),
	}, failing(store.ErrChanged))})
}

// DeleteApplication implements store.ProviderEngine.
func (e *Engine) DeleteApplication(ctx context.Context, a store.Application) error {
	if !possible(applicationKey(a.ID)) {
		return store.ErrChanged
	}
	return e.run(ctx, []step{remove(e.cfg.DirectoryTable, applicationKey(a.ID), unchangedApplication, item{
		":read": number(a.Version), ":generationRead": text(a.Generation),
	}, failing(store.ErrChanged))})
}

// NoteApplicationUse implements store.ProviderEngine. The time of a secret that has been
// removed meanwhile is an attribute that nothing reads.
func (e *Engine) NoteApplicationUse(ctx context.Context, id, secretID string, at time.Time) error {
	if !possible(applicationKey(id)) {
		return nil
	}
	expression, names := "SET #used = :at", map[string]string{"#used": lastUse}
	if secretID != "" {
		expression += ", #secret = :at"
		names["#secret"] = lastUseOf(secretID)
	}
	return e.run(ctx, []step{update(e.cfg.DirectoryTable, applicationKey(id), expression, "attribute_exists(pk)", names,
		item{":at": moment(at)}, failing(nil))})
}

func consentPartition(userID string) string { return "consent#" + userID }

func consentKey(userID, applicationID string) item {
	return directoryKey(consentPartition(userID), applicationID)
}

// Consent implements store.ProviderEngine.
func (e *Engine) Consent(ctx context.Context, userID, applicationID string) (c store.Consent, err error) {
	found, err := e.get(ctx, e.cfg.DirectoryTable, consentKey(userID, applicationID))
	if err != nil {
		return c, err
	}
	return c, decode(found, &c)
}

// Consents implements store.ProviderEngine.
func (e *Engine) Consents(ctx context.Context, userID string) (all []store.Consent, err error) {
	if !possible(consentKey(userID, "any")) {
		return nil, nil
	}
	page := store.Page{Limit: batch}
	for {
		items, next, err := decodeList[store.Consent](e.list(ctx, consentPartition(userID), page))
		if err != nil {
			return nil, err
		}
		if all = append(all, items...); next == "" {
			return all, nil
		}
		page.Cursor = next
	}
}

// PutConsent implements store.ProviderEngine.
func (e *Engine) PutConsent(ctx context.Context, c store.Consent) error {
	data, err := encode(c)
	if err != nil {
		return err
	}
	i := consentKey(c.UserID, c.ApplicationID)
	i["data"] = data
	return e.run(ctx, []step{put(e.cfg.DirectoryTable, i, "", nil, failing(nil))})
}

// DeleteConsent implements store.ProviderEngine.
func (e *Engine) DeleteConsent(ctx context.Context, userID, applicationID string) error {
	key := consentKey(userID, applicationID)
	if !possible(key) {
		return nil
	}
	return e.run(ctx, []step{remove(e.cfg.DirectoryTable, key, "attribute_exists(pk)", nil, failing(nil))})
}

func applicationEventKey() item { return item{"pk": text("application-event#" + store.NewID())} }

// applicationEvents is the value under which the index of events by authenticator lists
// those of an application. An authenticator's id contains no "#".
func applicationEvents(applicationID string) string { return "application#" + applicationID }

// RecordApplicationEvent implements store.ProviderEngine.
func (e *Engine) RecordApplicationEvent(ctx context.Context, event store.ApplicationEvent) error {
	i := applicationEventKey()
	if err := indexEvent(i, event, applicationEvents(event.ApplicationID), event.At); err != nil {
		return err
	}
	i["ttl"] = number(event.At.Add(store.EventRetention + lingering).Unix())
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "", nil, failing(nil))})
}

// EventsOfApplication implements store.ProviderEngine.
func (e *Engine) EventsOfApplication(ctx context.Context, applicationID string, limit int) ([]store.ApplicationEvent, error) {
	return events[store.ApplicationEvent](ctx, e, authenticatorIndex, "authenticatorId", applicationEvents(applicationID), limit)
}
