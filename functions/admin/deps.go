package admin

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention,
		settings.SealingKeysSecret, settings.AuthenticatorSecretPrefix, settings.LogoutQueueURL, settings.EgressAddresses,
		settings.LookupMissesPerDay, settings.ServiceName,
	}
}

// NewHandler makes the handler of its dependencies. It reads the store itself, never a
// cache.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	keys, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	phones, err := keys.Deriver(aead.LookedUpPhone)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: deps.Settings.WeComAPIURL, Observe: observe})
	source, err := deps.AccessTokens(keys, client)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Directory:       deps.Store,
		SignInEvents:    deps.Store,
		Audit:           deps.AuditLog(),
		Secrets:         deps.Secrets,
		SecretName:      deps.AuthenticatorSecretName,
		Tokens:          source,
		WeCom:           client,
		Rules:           deps.MemberRules(client, source),
		EgressAddresses: deps.Settings.EgressAddresses,
		Lookups:         deps.Store,
		Logout:          deps.LogoutNotifier,
		LocalRun:        deps.Local,
		Now:             deps.Now,

		LookupMissesPerDay: deps.Settings.LookupMissesPerDay,
		LookupKey:          phones.Derive,
	}), nil
}

// observe adds a call to WeCom to the log event of its request.
func observe(ctx context.Context, call wecom.Call) {
	switch call.Code {
	case wecom.InvalidCode, wecom.CorpIDMissing, wecom.SecretMissing, wecom.PhoneNotFound, wecom.NoSuchPhone:
		// The expected answer to a check, which sends an invalid code, to the request for
		// the address, which sends no credentials, and to a lookup of somebody who is not a
		// member: not an error to look into.
		call.Code = 0
	}
	app.LogWeComCall(ctx, call)
}
