package oauth

import (
	"context"
	"errors"
)

// Revoke ends the grant of a refresh or access token of the application (RFC 7009). Any
// other token is not an error, and nothing happens. The error is an *Error or a failure of
// the system.
func (p *Provider) Revoke(ctx context.Context, in TokenInput) error {
	return errors.ErrUnsupported
}
