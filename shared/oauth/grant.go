package oauth

import (
	"context"
	"errors"
)

// TokenInput is an application at one of the endpoints for its server.
type TokenInput struct {
	Call
	Authorization []string // the values of the Authorization header
	Body          string   // a form
}

// TokenResponse is the answer of the token endpoint (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

// Token exchanges a code or a refresh token. The error is an *Error or a failure of the
// system.
func (p *Provider) Token(ctx context.Context, in TokenInput) (TokenResponse, error) {
	return TokenResponse{}, errors.ErrUnsupported
}
