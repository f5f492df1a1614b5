package embedded

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// firstSignInKey is a hash, so that cleaning finds a part of the records at any place.
func firstSignInKey(corpID, wecomUserID string) string {
	sum := sha256.Sum256([]byte(identityKey(corpID, wecomUserID)))
	return hex.EncodeToString(sum[:])
}

// RefuseFirstSignIn implements store.FirstSignIns.
func (e *Engine) RefuseFirstSignIn(_ context.Context, corpID, wecomUserID string, refusal store.FirstSignInRefusal) error {
	return e.writeAndClean(func(tx transaction) error {
		return tx.putExpiring(firstSignIns, firstSignInKey(corpID, wecomUserID), refusal, refusal.KeepUntil)
	})
}

// FirstSignIn implements store.FirstSignIns.
func (e *Engine) FirstSignIn(_ context.Context, sessionKey, corpID, wecomUserID string) (first store.FirstSignIn, err error) {
	now := e.now()
	err = e.read(func(tx transaction) error {
		var owner store.User
		var result store.AttemptResult
		ownerErr := tx.get(users, tx.pointer(identities, identityKey(corpID, wecomUserID)), &owner)
		if ownerErr == nil {
			first.Owner = owner.Owner(corpID)
		}
		refusalErr := tx.expiring(firstSignIns, firstSignInKey(corpID, wecomUserID), &first.Refusal)
		if !now.Before(first.Refusal.KeepUntil) {
			first.Refusal = store.FirstSignInRefusal{}
		}
		resultErr := tx.result(sessionKey, now, &result)
		first.Used = resultErr == nil
		for _, err := range []error{ownerErr, refusalErr, resultErr} {
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	return first, err
}
