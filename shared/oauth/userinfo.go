package oauth

import (
	"context"
	"errors"
)

// AccessTokenOf returns the access token of a request by RFC 6750: in the header, or in
// the form body; empty: there is none. A token in the query is never looked at. The error
// is an *Error.
func AccessTokenOf(authorization []string, body string) (string, error) {
	return "", errors.ErrUnsupported
}

// UserInfo returns the claims that an access token gives (OpenID Connect Core §5.3). The
// error is an *Error or a failure of the system.
func (p *Provider) UserInfo(ctx context.Context, call Call, accessToken string) (map[string]any, error) {
	return nil, errors.ErrUnsupported
}
