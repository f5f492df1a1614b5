package members

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Store is what Checker needs of the store.
type Store interface {
	OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error)
	User(ctx context.Context, id string) (store.User, error)
	UpdateUser(ctx context.Context, from, to store.User) error
	// Audited returns the writes that carry lines of the audit.
	Audited(lines ...store.AuditLine) store.AuditedWrites
}

// Authenticators reads the configuration; store.AuthenticatorReader does.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
}

// Directory asks WeCom for a member; *wecom.Client does.
type Directory interface {
	Member(ctx context.Context, token secret.Value, userID string) (wecom.Member, error)
}

// Notifier has applications told of a member whose sessions have ended; package logoutqueue
// does. Nothing but the handing over happens at once.
type Notifier interface {
	// MemberEnded has the applications told of those of a user's sessions that a member
	// check has ended. It may be called before they end, and again.
	MemberEnded(ctx context.Context, userID string) error
}

// Config is what Checker needs.
type Config struct {
	Store          Store
	Authenticators Authenticators
	WeCom          Directory
	Tokens         accesstoken.Tokens
	Rules          Rules
	// SecretName returns the name of an authenticator's secret.
	SecretName func(authenticatorID string) string
	// Notifier is nil where no application is told.
	Notifier Notifier
	// Audit is told of members who may not go on, and of roles that changed. Nil: nobody is.
	Audit *audit.Log
	Now   func() time.Time
}

// Checker looks members up. It is safe for concurrent use.
type Checker struct{ Config }

// Due reports whether a member must be looked up again before the member goes on by an
// authenticator: the last check by it is older than interval or was made under other rules,
// or it refused the member, who may be let in again by now.
func Due(a store.Authenticator, i store.Identity, interval time.Duration, now time.Time) bool {
	access, _ := i.AccessBy(a.ID)
	return now.Sub(access.CheckedAt) >= interval || access.RulesVersion != a.RulesVersion ||
		access.Refused || !i.DisabledAt.IsZero() || !access.GoneAt.IsZero()
}

// Result is what a check came to.
type Result struct {
	Verdict Verdict
	// User is as it is stored now; only its ID is set when nothing was stored.
	User  store.User
	Owner store.IdentityOwner // of the identity, as it is now
	// Cause is why the verdict is Unknown.
	Cause error

	rulesUnread bool
}

// AtSignIn returns the verdict for a member who signs in by an authenticator. Where WeCom
// said nothing, what is known counts. Unknown: nobody is let in, because Allow needs what
// could not be found out; Cause says why.
func (r Result) AtSignIn(a store.Authenticator) Verdict {
	i := r.Owner.Identity
	access, _ := i.AccessBy(a.ID)
	switch {
	case r.Verdict != Unknown:
		return r.Verdict
	case !i.DisabledAt.IsZero():
		return Disabled
	case a.Allow.IsEmpty():
		return Active
	case r.rulesUnread, access.CheckedAt.IsZero(), access.RulesVersion != a.RulesVersion:
		return Unknown
	case access.Refused:
		return NotAllowed
	}
	return Active
}

// Check looks the member with a userid up by the app of an authenticator, stores what WeCom
// says and ends what must end. It returns store.ErrNotFound if nobody here is this member, or
// the member is gone already. With any other error and a Verdict, what must end has ended,
// but applications may not have been told; the next Check tells them. With an error and no
// Verdict, nothing is certain.
func (c *Checker) Check(ctx context.Context, a store.Authenticator, userID string) (Result, error) {
	owner, err := c.Store.OwnerOfIdentity(ctx, a.CorpID, userID)
	if err != nil {
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	}
	return c.CheckOwner(ctx, a, owner)
}

// CheckOwner is Check for an identity whose owner has been read just now. store.ErrChanged:
// it belongs to the owner no more.
func (c *Checker) CheckOwner(ctx context.Context, a store.Authenticator, owner store.IdentityOwner) (Result, error) {
	if access, _ := owner.Identity.AccessBy(a.ID); !access.GoneAt.IsZero() {
		// Only a phone brings the member back. Applications may not have been told.
		return Result{Verdict: Gone, User: store.User{ID: owner.UserID}, Owner: owner}, c.announce(ctx, owner.UserID)
	}
	result, err := c.keep(ctx, a, owner, c.look(ctx, a, owner.Identity.WeComUserID, owner.Identity.Former))
	if err != nil {
		return result, err
	}
	return result, c.abroad(ctx, a.CorpID, result.User)
}

// keep stores what was found of an identity, and ends what must end.
func (c *Checker) keep(ctx context.Context, a store.Authenticator, owner store.IdentityOwner, f Finding) (Result, error) {
	result := Result{
		Verdict: f.Verdict, User: store.User{ID: owner.UserID}, Owner: owner,
		Cause: f.Cause, rulesUnread: f.Verdict == Active && f.evaluation == nil,
	}
	if f.Verdict == Unknown {
		return result, nil
	}
	var others []again
	if f.Verdict == Active {
		var err error
		if others, err = c.others(ctx, a, owner.Identity); err != nil {
			return Result{}, fmt.Errorf("read authenticator of roles: %w", err)
		}
	}
	binding := false
	if f.Verdict == Gone {
		binder, err := c.binder(ctx, a, owner.Identity)
		if err != nil {
			return Result{}, err
		}
		binding = binder.ID == a.ID
	}
	return c.change(ctx, a.CorpID, result, func(u store.User, i store.Identity, told bool) (store.User, Verdict) {
		if f.Verdict != Gone {
			to, verdict := f.apply(i, a, u.Roles)
			return named(u, i.Name, f.Name()).WithIdentity(withOthers(to, others)), verdict
		}
		to := f.goneBy(i, a, binding)
		if !told {
			// What began has ended. Found by its userid still, the identity is looked up
			// again, by anybody who comes with it, and applications are told then.
			to = unchecked(to)
			to.GoneAt, to.GoneReason = time.Time{}, ""
		}
		return u.WithIdentity(to), Gone
	})
}

// change stores the user that decide makes of the owner of an identity in a corp, after the
// applications have been announced which have to be told. Announced first, applications are
// told also when the process dies in between, and in vain at worst.
func (c *Checker) change(ctx context.Context, corpID string, result Result, decide func(u store.User, i store.Identity, told bool) (store.User, Verdict)) (Result, error) {
	announced, told := false, error(nil)
	was := result.Owner.Identity
	user, err := store.RetryChanged(ctx, func() (store.User, error) {
		from, err := c.Store.User(ctx, result.Owner.UserID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return from, fmt.Errorf("read user: %w", err)
		}
		identity, _ := from.IdentityIn(corpID)
		if !identity.Is(corpID, was.WeComUserID) {
			return from, errMoved
		}
		to, verdict := decide(from, identity, told == nil)
		if !verdict.goesOn() && !announced {
			announced = true
			if told = c.announce(ctx, from.ID); told != nil {
				to, verdict = decide(from, identity, false)
			}
		}
		result.Verdict = verdict
		to.Version = from.Version + 1
		if to.Name != from.Name {
			to.UpdatedAt = c.Now()
		}
		if err := c.update(ctx, from, to, corpID, verdict); err != nil {
			return from, fmt.Errorf("store member: %w", err)
		}
		return to, nil
	})
	switch {
	case errors.Is(err, errMoved):
		return Result{}, store.ErrChanged
	case err != nil:
		return Result{}, err
	}
	result.User, result.Owner = user, user.Owner(corpID)
	return result, told
}

// errMoved: the identity belongs to the user no more.
var errMoved = errors.New("the identity was unbound or is gone meanwhile")

func (c *Checker) announce(ctx context.Context, userID string) error {
	if c.Notifier == nil {
		return nil
	}
	if err := c.Notifier.MemberEnded(ctx, userID); err != nil {
		return fmt.Errorf("announce ended sessions: %w", err)
	}
	return nil
}

// named gives a user the name that WeCom tells, unless an administrator chose another than
// WeCom told before.
func named(u store.User, before, name string) store.User {
	if name != "" && (u.Name == "" || u.NamePending || u.Name == before) {
		u.Name, u.NamePending = name, false
	}
	return u
}

// binder returns the authenticator that bound an identity, or a when that one is not in use
// any more: then nobody else could ever say that the member is gone.
func (c *Checker) binder(ctx context.Context, a store.Authenticator, i store.Identity) (store.Authenticator, error) {
	if i.Authenticator == a.Name || i.Authenticator == "" {
		return a, nil
	}
	binder, err := c.Authenticators.Authenticator(ctx, i.Authenticator)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (!binder.Enabled || binder.CorpID != a.CorpID):
		return a, nil
	case err != nil:
		return a, fmt.Errorf("read authenticator of identity: %w", err)
	}
	return binder, nil
}

// Rename moves an identity to another userid, which the event of an authenticator names: if
// WeCom knows the new one and the old one no more, as the app sees it that bound the
// identity. Otherwise it is a check of the identity alone. Its sessions go on. Errors are
// Check's.
func (c *Checker) Rename(ctx context.Context, a store.Authenticator, oldUserID, newUserID string) (Result, error) {
	owner, err := c.Store.OwnerOfIdentity(ctx, a.CorpID, oldUserID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c.Check(ctx, a, newUserID) // it moved before
	case err != nil:
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	case store.FoldUserID(oldUserID) == store.FoldUserID(newUserID):
		return c.CheckOwner(ctx, a, owner)
	}
	if a, err = c.binder(ctx, a, owner.Identity); err != nil {
		return Result{}, err
	}
	_, err = c.Store.OwnerOfIdentity(ctx, a.CorpID, newUserID)
	switch {
	case err == nil:
		return c.CheckOwner(ctx, a, owner) // somebody is that member
	case !errors.Is(err, store.ErrNotFound):
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	}
	former := append(recent(owner.Identity.Former, c.Now()), store.FormerUserID{WeComUserID: owner.Identity.WeComUserID, Until: c.Now()})
	renamed := c.look(ctx, a, newUserID, former)
	switch renamed.Verdict {
	case Unknown:
		return Result{Verdict: Unknown, User: store.User{ID: owner.UserID}, Owner: owner, Cause: renamed.Cause}, nil
	case Gone:
		return c.CheckOwner(ctx, a, owner)
	}
	was := c.look(ctx, a, owner.Identity.WeComUserID, owner.Identity.Former)
	if was.Verdict != Gone || was.Told() {
		return c.keep(ctx, a, owner, was)
	}
	result := Result{User: store.User{ID: owner.UserID}, Owner: owner, Cause: renamed.Cause}
	result, err = c.change(ctx, a.CorpID, result, func(u store.User, i store.Identity, _ bool) (store.User, Verdict) {
		moved := i
		moved.WeComUserID, moved.Former = newUserID, former
		to, verdict := renamed.apply(moved, a, u.Roles)
		return named(u, i.Name, renamed.Name()).WithIdentity(to), verdict
	})
	if errors.Is(err, store.ErrIdentityTaken) {
		return c.keep(ctx, a, owner, was)
	}
	return result, err
}
