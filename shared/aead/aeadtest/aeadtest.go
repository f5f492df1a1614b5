package aeadtest

import (
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Keys is a secret of sealing keys.
const Keys = `{"current":"a sealing secret of more than 32 characters"}`

// Box returns a box of Keys.
func Box(t testing.TB, purpose aead.Purpose) *aead.Box {
	t.Helper()
	keys, err := aead.ParseKeys(secret.NewValue(Keys))
	if err != nil {
		t.Fatal(err)
	}
	box, err := keys.Box(purpose)
	if err != nil {
		t.Fatal(err)
	}
	return box
}
