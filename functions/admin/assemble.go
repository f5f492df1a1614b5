package admin

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/seal"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.DirectoryTable, settings.TransientTable,
		settings.SealingKeysSecret, settings.AuthenticatorSecretPrefix, settings.EgressAddresses,
		settings.ServiceName,
	}
}

// Assemble puts the function together. It reads the store itself, never a cache.
func Assemble(ctx context.Context, parts wiring.Parts) (http.Handler, error) {
	keys, err := parts.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	tokens, err := keys.Box(seal.AccessToken)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: parts.Settings.WeComAPIURL, Observe: observe})
	return New(Config{
		Directory:       parts.Store,
		Attempts:        parts.Store,
		Secrets:         parts.Secrets,
		SecretName:      parts.AuthenticatorSecretName,
		Tokens:          accesstoken.New(accesstoken.Config{Store: parts.Store, Secrets: parts.Secrets, Fetcher: client, Sealer: tokens, Now: parts.Now}),
		WeCom:           client,
		EgressAddresses: parts.Settings.EgressAddresses,
		Now:             parts.Now,
	}), nil
}

// observe puts calls to WeCom into the log event of their request.
func observe(ctx context.Context, call wecom.Call) {
	switch call.Code {
	case wecom.InvalidCode, wecom.CorpIDMissing, wecom.SecretMissing:
		// The right answer to a check, which has no code of anybody, and to the question
		// for the address, which has no credentials: no error to look into.
		call.Code = 0
	}
	wiring.NoteWeCom(ctx, call)
}
