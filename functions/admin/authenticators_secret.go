package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// secretChange returns a function for one request, which changes a part of an
// authenticator's secret and keeps the others: it writes a new version, and makes to refer
// to it. The version is not in use until to is written. A second try writes it again only
// when the secret has changed meanwhile. Without an app's secret there is nothing to write.
func (h *handler) secretChange(change func(*appsecret.Secret) error) func(ctx context.Context, from store.Authenticator, to *store.Authenticator) error {
	var done bool
	var changed string // the version that version was made of
	var version string
	var hasReceiver bool
	return func(ctx context.Context, from store.Authenticator, to *store.Authenticator) error {
		if !done || changed != from.SecretVersion {
			parts, err := h.readSecret(ctx, from)
			if err != nil {
				return err
			}
			if err := change(&parts); err != nil {
				return err
			}
			version = from.SecretVersion
			if !parts.App.IsEmpty() {
				if version, err = h.putSecret(ctx, from, parts); err != nil {
					return err
				}
			}
			done, changed, hasReceiver = true, from.SecretVersion, parts.HasReceiver()
		}
		to.SecretVersion, to.EventsEnabled = version, hasReceiver
		return nil
	}
}

// readSecret returns the secret of an authenticator. One that was removed by hand, or that
// nobody can read, has no parts: whoever enters the app's secret again repairs it.
func (h *handler) readSecret(ctx context.Context, a store.Authenticator) (appsecret.Secret, error) {
	stored, err := h.Secrets.Get(ctx, h.SecretName(a.ID), a.SecretVersion)
	switch {
	case errors.Is(err, secret.ErrNotFound):
		return appsecret.Secret{}, nil
	case err != nil:
		return appsecret.Secret{}, fmt.Errorf("read secret: %w", err)
	}
	parts, err := appsecret.Parse(stored)
	if err != nil {
		return appsecret.Secret{}, nil //nolint:nilerr // see above
	}
	return parts, nil
}

// putSecret writes a new version of an authenticator's secret and returns its name.
func (h *handler) putSecret(ctx context.Context, a store.Authenticator, parts appsecret.Secret) (string, error) {
	version, value := newSecretVersion(), parts.Encode()
	err := h.Secrets.Put(ctx, h.SecretName(a.ID), version, value)
	if errors.Is(err, secret.ErrNotFound) {
		// Deleted a moment ago together with its authenticator, which reading again
		// shows; or by hand in the console of the secret store, which this repairs.
		if _, err := h.authenticator(ctx, a.Name); err != nil {
			return "", err
		}
		err = h.Secrets.Create(ctx, h.SecretName(a.ID), version, value)
	}
	if err != nil {
		return "", fmt.Errorf("put secret: %w", err)
	}
	return version, nil
}
