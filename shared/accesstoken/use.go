package accesstoken

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Tokens gives access tokens; *Source does.
type Tokens interface {
	Token(ctx context.Context, app App) (secret.Value, error)
	Reject(ctx context.Context, app App, token secret.Value) error
}

// Use makes a call with an app's access token, and once more with a fresh one when WeCom no
// longer takes it (40014, 42001): the call was not carried out. It returns the error of
// tokens or of the call.
func Use(ctx context.Context, tokens Tokens, app App, call func(secret.Value) error) error {
	token, err := tokens.Token(ctx, app)
	if err != nil {
		return err
	}
	if err = call(token); !wecom.TokenRejected(err) {
		return err
	}
	if err := tokens.Reject(ctx, app, token); err != nil {
		return err
	}
	if token, err = tokens.Token(ctx, app); err != nil {
		return err
	}
	return call(token)
}
