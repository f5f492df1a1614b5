package store

import (
	"context"
	"time"
)

// FirstSignIns has what a browser asks for that waits for a member's first sign-in inside
// WeCom's client (package authflow). Members are compared by FoldUserID.
type FirstSignIns interface {
	// RefuseFirstSignIn records why a member's first sign-in was refused, in place of an
	// earlier refusal.
	RefuseFirstSignIn(ctx context.Context, corpID, wecomUserID string, refusal FirstSignInRefusal) error
	// FirstSignIn returns by one read what became of a member's first sign-in, and whether
	// an attempt has a result under sessionKey. What does not exist is zero, and not an error.
	FirstSignIn(ctx context.Context, sessionKey, corpID, wecomUserID string) (FirstSignIn, error)
}

// FirstSignIn is what became of a member's first sign-in.
type FirstSignIn struct {
	// Owner is whom the member belongs to; the zero value: nobody.
	Owner IdentityOwner
	// Refusal is the latest one; the zero value: none, or it has expired.
	Refusal FirstSignInRefusal
	// Used: the attempt has a result already, whatever it is.
	Used bool
}

// FirstSignInRefusal says why and when a first sign-in was refused.
type FirstSignInRefusal struct {
	Code string // see AttemptResult.Code
	At   time.Time
	// KeepUntil is when nobody waits any more who may have seen it.
	KeepUntil time.Time
}
