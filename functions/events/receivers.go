package events

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
)

// keptAtMost bounds the memory. Only authenticators with a receiver are kept.
const keptAtMost = 1000

// receivers keeps the receivers of authenticators in memory. A version of a secret never
// changes, so that one that was read once need not be read again.
type receivers struct {
	secrets    Secrets
	secretName func(authenticatorID string) string

	mu   sync.Mutex // not held over a read
	kept map[string]keptReceiver
}

type keptReceiver struct {
	secretVersion, corpID string
	receiver              *receiver.Receiver
}

// of returns the receiver of an authenticator that has one.
func (c *receivers) of(ctx context.Context, a store.Authenticator) (*receiver.Receiver, error) {
	c.mu.Lock()
	kept := c.kept[a.ID]
	c.mu.Unlock()
	if kept.receiver != nil && kept.secretVersion == a.SecretVersion && kept.corpID == a.CorpID {
		return kept.receiver, nil
	}
	stored, err := c.secrets.Get(ctx, c.secretName(a.ID), a.SecretVersion)
	if err != nil {
		return nil, fmt.Errorf("read app secret: %w", err)
	}
	parts, err := appsecret.Parse(stored)
	if err != nil {
		return nil, err
	}
	if !parts.HasReceiver() {
		return nil, errors.New("the secret has no token and no key, although events are enabled")
	}
	made, err := receiver.New(parts.Token, parts.EncodingAESKey, a.CorpID)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= keptAtMost {
		c.kept = map[string]keptReceiver{}
	}
	c.kept[a.ID] = keptReceiver{a.SecretVersion, a.CorpID, made}
	return made, nil
}
