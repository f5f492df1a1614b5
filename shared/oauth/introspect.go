package oauth

import (
	"context"
	"errors"
)

// Introspect tells a confidential application about a token of its own (RFC 7662). Of any
// other it says {"active": false} and no more. The error is an *Error or a failure of the
// system.
func (p *Provider) Introspect(ctx context.Context, in TokenInput) (map[string]any, error) {
	return nil, errors.ErrUnsupported
}
