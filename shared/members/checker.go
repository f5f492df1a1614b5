package members

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	FormerOwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error)
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
	// check has ended. It may be called before they end, and again; version is the user's
	// before the end is stored.
	MemberEnded(ctx context.Context, userID string, version int64) error
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
// says and ends what must end. It returns store.ErrNotFound if nobody here is or was this
// member; of a member who is gone already WeCom is not asked. With any other error and a
// Verdict, what must end has ended, but applications may not have been told; the next Check
// tells them. With an error and no Verdict, nothing is certain.
func (c *Checker) Check(ctx context.Context, a store.Authenticator, userID string) (Result, error) {
	return retryMoved(ctx, func() (Result, error) { return c.check(ctx, a, userID) })
}

func (c *Checker) check(ctx context.Context, a store.Authenticator, userID string) (Result, error) {
	owner, err := c.Store.OwnerOfIdentity(ctx, a.CorpID, userID)
	if errors.Is(err, store.ErrNotFound) {
		owner, err = c.Store.FormerOwnerOfIdentity(ctx, a.CorpID, userID)
	}
	if err != nil {
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	}
	return c.checkOwner(ctx, a, owner)
}

// CheckOwner is Check for an identity whose owner has been read just now. store.ErrChanged:
// it belongs to the owner no more.
func (c *Checker) CheckOwner(ctx context.Context, a store.Authenticator, owner store.IdentityOwner) (Result, error) {
	result, err := c.checkOwner(ctx, a, owner)
	if errors.Is(err, errMoved) {
		err = store.ErrChanged
	}
	return result, err
}

func (c *Checker) checkOwner(ctx context.Context, a store.Authenticator, owner store.IdentityOwner) (Result, error) {
	gone := Result{Verdict: Gone, User: store.User{ID: owner.UserID}, Owner: owner}
	// Only a phone brings the member back.
	if owner.Identity.IsGone() {
		return gone, nil
	}
	if access, _ := owner.Identity.AccessBy(a.ID); !access.GoneAt.IsZero() {
		return c.tell(ctx, a.CorpID, gone)
	}
	return c.keep(ctx, a, owner, c.look(ctx, a, owner.Identity.WeComUserID, owner.Identity.Former))
}

// tell tells applications of what ended when they could not be told.
func (c *Checker) tell(ctx context.Context, corpID string, result Result) (Result, error) {
	if !result.Owner.Identity.Untold {
		return result, nil
	}
	userID := result.Owner.Identity.WeComUserID
	return c.change(ctx, corpID, result, func(u store.User, i store.Identity, _ bool) (store.User, Verdict, error) {
		switch {
		case i.Is(corpID, userID) && i.Untold:
			return u, result.Verdict, nil
		case i.Is(corpID, userID), i.Was(corpID, userID):
			return u, result.Verdict, errEnded
		}
		return u, "", errMoved
	})
}

// moves is how often a check begins anew because the identity has moved under its hands.
const moves = 5

// retryMoved runs a check again, with another look at WeCom, when the member whom it found is
// somebody else by now: another event has moved the identity.
func retryMoved(ctx context.Context, check func() (Result, error)) (Result, error) {
	for attempt := range moves {
		result, err := check()
		if !errors.Is(err, errMoved) {
			return result, err
		}
		if store.Pause(ctx, attempt) != nil {
			break
		}
	}
	return Result{}, store.ErrChanged
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
		bound, err := c.bound(ctx, a, owner.Identity)
		if err != nil {
			return Result{}, err
		}
		binding = bound.ID == a.ID
	}
	return c.change(ctx, a.CorpID, result, func(u store.User, i store.Identity, told bool) (store.User, Verdict, error) {
		access, _ := i.AccessBy(a.ID)
		switch userID := owner.Identity.WeComUserID; {
		case i.Was(a.CorpID, userID):
			return u, Gone, errEnded
		case !i.Is(a.CorpID, userID):
			return u, "", errMoved
		case f.Verdict != Gone:
			to, verdict := f.apply(i, a, u.Roles)
			return named(u, i.Name, f.Name()).WithIdentity(withOthers(to, others)), verdict, nil
		case !binding && !access.GoneAt.IsZero():
			return u, Gone, errEnded
		}
		to := f.goneBy(i, a, binding)
		if !told {
			// What began has ended. Found by its userid still, the identity is looked up
			// again, by anybody who comes with it, and applications are told then.
			to = unchecked(to)
			to.GoneAt, to.GoneReason = time.Time{}, ""
		}
		return u.WithIdentity(to), Gone, nil
	})
}

// change stores the user that decide makes of the owner of an identity in a corp, after the
// applications have been announced which have to be told: of what ends now, and of what ended
// when they could not be told. Announced first, applications are told also when the process
// dies in between, and in vain at worst. While others change the user, too, decide gets what
// they have made of it; with errEnded, nothing is left to store.
func (c *Checker) change(ctx context.Context, corpID string, result Result, decide func(u store.User, i store.Identity, told bool) (store.User, Verdict, error)) (Result, error) {
	announced, told := int64(0), error(nil) // the user's version that was announced
	user, err := store.RetryChanged(ctx, func() (store.User, error) {
		from, err := c.Store.User(ctx, result.Owner.UserID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return from, fmt.Errorf("read user: %w", err)
		}
		identity, _ := from.IdentityIn(corpID)
		to, verdict, err := decide(from, identity, told == nil)
		switch result.Verdict = verdict; {
		case errors.Is(err, errEnded):
			if identity.IsGone() {
				told = nil // by who ended it
			}
			return from, nil
		case err != nil:
			return from, err
		}
		is, _ := to.IdentityIn(corpID)
		if announced != from.Version && (identity.Untold || ends(identity, is)) {
			// By another version than the announced one, the end would count as stored.
			announced = from.Version
			if told = c.announce(ctx, from); told != nil {
				to, _, _ = decide(from, identity, false)
				is, _ = to.IdentityIn(corpID)
			}
		}
		if announced > 0 {
			is.Untold = told != nil
			to = to.WithIdentity(is)
		}
		to.Version = from.Version + 1
		if to.Name != from.Name {
			to.UpdatedAt = c.Now()
		}
		if err := c.update(ctx, from, to, corpID, verdict); err != nil {
			return from, fmt.Errorf("store member: %w", err)
		}
		return to, nil
	})
	if err != nil {
		return Result{}, err
	}
	result.User, result.Owner = user, user.Owner(corpID)
	return result, told
}

var (
	// errMoved: the identity belongs to the user no more, or has another userid.
	errMoved = errors.New("the identity was unbound or has moved meanwhile")
	// errEnded: another check has ended what this one would end.
	errEnded = errors.New("another check has found the same")
)

// ends reports whether sessions end that go on with the identity as it was.
func ends(was, is store.Identity) bool {
	return was.Generation != is.Generation || slices.ContainsFunc(is.Access, func(by store.MemberAccess) bool {
		old, _ := was.AccessBy(by.AuthenticatorID)
		return old.Generation != by.Generation
	})
}

func (c *Checker) announce(ctx context.Context, before store.User) error {
	if c.Notifier == nil {
		return nil
	}
	if err := c.Notifier.MemberEnded(ctx, before.ID, before.Version); err != nil {
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

// bound returns the authenticator that bound an identity, which may be disabled, or a when that
// one is deleted or another corp's by now: then nobody else could ever say that the member is
// gone.
func (c *Checker) bound(ctx context.Context, a store.Authenticator, i store.Identity) (store.Authenticator, error) {
	if i.Authenticator == a.Name || i.Authenticator == "" {
		return a, nil
	}
	bound, err := c.Authenticators.Authenticator(ctx, i.Authenticator)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && bound.CorpID != a.CorpID:
		return a, nil
	case err != nil:
		return a, fmt.Errorf("read authenticator of identity: %w", err)
	}
	return bound, nil
}

// renamedWithin is how long a member may be gone whose identity still follows to another userid:
// longer than WeCom tries to push.
const renamedWithin = 24 * time.Hour

// clocks is how far WeCom's clock may be from ours.
const clocks = 5 * time.Minute

// follows reports whether the identity of a member who is gone may move to the userid that an
// event of a time names: something asked about the old userid before WeCom told of the new one.
// WeCom knew no such member then, so a later event is about somebody else, to whom the userid
// was given.
func (c *Checker) follows(i store.Identity, renamedAt time.Time) bool {
	return i.GoneReason == store.GoneNotFound && c.Now().Sub(i.GoneAt) <= renamedWithin &&
		!renamedAt.IsZero() && !renamedAt.After(i.GoneAt.Add(clocks))
}

// formerly returns the userids that an identity has had when it gets another one.
func (c *Checker) formerly(i store.Identity) []store.FormerUserID {
	until := c.Now()
	if i.IsGone() {
		until = i.GoneAt
	}
	return append(recent(i.Former, c.Now()), store.FormerUserID{WeComUserID: i.WeComUserID, Until: until})
}

// Rename moves an identity to another userid, which an event of a time names, pushed to an
// authenticator: if WeCom knows the new one, by the name that it told last of the identity, and
// the old one no more, as the app sees it that bound the identity. Otherwise it is a check of the
// identity alone. Its sessions go on. One that was found missing a moment before moves, too, and
// is gone no more; what has ended with it stays ended. Errors are Check's.
func (c *Checker) Rename(ctx context.Context, a store.Authenticator, oldUserID, newUserID string, at time.Time) (Result, error) {
	if store.FoldUserID(oldUserID) == store.FoldUserID(newUserID) {
		return c.Check(ctx, a, oldUserID)
	}
	return retryMoved(ctx, func() (Result, error) { return c.rename(ctx, a, oldUserID, newUserID, at) })
}

func (c *Checker) rename(ctx context.Context, a store.Authenticator, oldUserID, newUserID string, at time.Time) (Result, error) {
	// In this order: if another push moves the identity in between, it is found by one of them.
	_, err := c.Store.OwnerOfIdentity(ctx, a.CorpID, newUserID)
	taken := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	}
	owner, err := c.Store.OwnerOfIdentity(ctx, a.CorpID, oldUserID)
	if errors.Is(err, store.ErrNotFound) && !taken {
		owner, err = c.Store.FormerOwnerOfIdentity(ctx, a.CorpID, oldUserID)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return c.check(ctx, a, newUserID) // it moved before
	case err != nil:
		return Result{}, fmt.Errorf("read owner of identity: %w", err)
	}
	bound, err := c.bound(ctx, a, owner.Identity)
	if err != nil {
		return Result{}, err
	}
	if bound.ID != a.ID && !bound.Enabled {
		return c.checkOwner(ctx, a, owner) // another app does not speak for it
	}
	a = bound
	if taken || owner.Identity.IsGone() && !c.follows(owner.Identity, at) {
		return c.checkOwner(ctx, a, owner) // somebody is that member, or nobody was this one
	}
	renamed := c.look(ctx, a, newUserID, c.formerly(owner.Identity))
	switch renamed.Verdict {
	case Unknown:
		return Result{Verdict: Unknown, User: store.User{ID: owner.UserID}, Owner: owner, Cause: renamed.Cause}, nil
	case Gone:
		return c.checkOwner(ctx, a, owner)
	}
	if !renamed.names(owner.Identity) {
		return c.checkOwner(ctx, a, owner) // for all we know, somebody else
	}
	was := c.look(ctx, a, owner.Identity.WeComUserID, owner.Identity.Former)
	if was.Verdict != Gone || was.Told() {
		return c.keep(ctx, a, owner, was)
	}
	result := Result{User: store.User{ID: owner.UserID}, Owner: owner, Cause: renamed.Cause}
	result, err = c.change(ctx, a.CorpID, result, func(u store.User, i store.Identity, _ bool) (store.User, Verdict, error) {
		switch {
		case i.Is(a.CorpID, newUserID): // by another push
		case !renamed.names(i): // since another check
			return u, "", errMoved
		case i.Is(a.CorpID, oldUserID), i.Was(a.CorpID, oldUserID) && c.follows(i, at):
			i.Former = c.formerly(i)
			i.WeComUserID, i.GoneAt, i.GoneReason = newUserID, time.Time{}, ""
		case i.Was(a.CorpID, oldUserID):
			return u, Gone, errEnded
		default:
			return u, "", errMoved
		}
		if conflict := u.PhoneConflict; conflict != nil && conflict.Is(a.CorpID, newUserID) {
			u.PhoneConflict = nil // it was this very member
		}
		to, verdict := renamed.apply(i, a, u.Roles)
		return named(u, i.Name, renamed.Name()).WithIdentity(to), verdict, nil
	})
	if errors.Is(err, store.ErrIdentityTaken) {
		return c.keep(ctx, a, owner, was)
	}
	return result, err
}
