package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const (
	// lookupTime is how long further phones are looked up, so that the last one, for which
	// WeCom may take its time, is still answered before the gateway's 30 s.
	lookupTime = 12 * time.Second
	// lookupReserve is the time that the last one is left before the function's deadline.
	lookupReserve = 16 * time.Second
	// lookupCall bounds what WeCom is asked about one phone.
	lookupCall = 12 * time.Second
	lookupPage = maxLimit
)

// lookupItem is what became of one user.
type lookupItem struct {
	UserID string `json:"userId"`
	// Name is the user's own, beside which WeCom's is compared.
	Name        string        `json:"name"`
	Phone       string        `json:"phone"`
	WeComUserID string        `json:"wecomUserId"`
	WeComName   string        `json:"wecomName"`
	Result      lookupOutcome `json:"result"`
}

type lookupOutcome string

const (
	lookupBound       lookupOutcome = "bound"
	lookupFound       lookupOutcome = "found"        // would be bound: this was a dry run
	lookupNameDiffers lookupOutcome = "name_differs" // and nobody accepted it
	lookupNotFound    lookupOutcome = "not_found"    // no member whom the app may see and who may be let in
	lookupTaken       lookupOutcome = "taken"        // the member is another user
)

type lookupStop string

const (
	lookupWentOn   lookupStop = ""
	lookupNoBudget lookupStop = "budget"
	lookupByWeCom  lookupStop = "wecom"
)

type lookupResult struct {
	Items []lookupItem `json:"items"`
	// Misses are those of the corp within 24 hours, these ones included.
	Misses  int        `json:"misses"`
	Stopped lookupStop `json:"stopped"`
	// WeComCode is the number by which WeCom stopped it, absent when it gave none.
	WeComCode int `json:"wecomCode,omitempty"`
}

// lookup is one request for a lookup.
type lookup struct {
	*handler
	a      store.Authenticator
	limit  int
	dryRun bool
	accept []string // ids of users whose name may differ
	until  time.Time

	asked  int
	result lookupResult
	front  lookupPlace // behind the users before the first one who was found
}

// lookUp finds users who were imported, and have not come yet, in WeCom by their phones.
// Nothing else in the service makes this call: a visitor who could cause it would have a
// directory of phones, and would use up the company's misses.
func (h *handler) lookUp(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	a, err := h.authenticator(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	l := &lookup{handler: h, a: a, until: lookupDeadline(ctx), result: lookupResult{Items: []lookupItem{}}}
	if err := l.read(r); err != nil {
		return err
	}
	if a.LinkByPhoneOff {
		return apierr.Invalid("linkByPhone", "With linkByPhone off no member of this corp becomes a user by the phone.")
	}
	line := store.AuditLine{Type: audit.UsersLookedUp, Authenticator: a.Name}
	if l.dryRun {
		line.Code = "dry_run"
	}
	if err := h.auditRead(r, line); err != nil {
		return err
	}
	if err := l.run(ctx); err != nil {
		return err
	}
	apigw.LogField(ctx, "lookups", l.asked)
	apigw.LogField(ctx, "lookupMisses", l.result.Misses)
	if l.result.Stopped != lookupWentOn {
		apigw.LogField(ctx, "lookupStopped", l.result.Stopped)
	}
	return apigw.WriteJSON(w, http.StatusOK, l.result)
}

func (l *lookup) read(r *http.Request) error {
	body, err := readJSON(r, []string{"limit", "dryRun", "accept"}, nil)
	if err != nil {
		return err
	}
	limit, there, err := body.number("limit", 1, maxLimit)
	if err != nil {
		return err
	}
	if l.limit = limit; !there {
		l.limit = defaultLimit
	}
	dryRun, there, err := body.flag("dryRun")
	if err != nil {
		return err
	}
	l.dryRun = dryRun || !there
	if l.accept, _, err = body.texts("accept"); err != nil {
		return err
	}
	slices.Sort(l.accept)
	l.accept = slices.Compact(l.accept)
	if len(l.accept) > maxLimit || slices.ContainsFunc(l.accept, func(id string) bool { return !userID.MatchString(id) }) {
		return apierr.Invalid("accept", fmt.Sprintf("accept must be at most %d ids of users.", maxLimit))
	}
	return nil
}

// lookupDeadline uses the machine's clock, as deadlines of contexts do.
func lookupDeadline(ctx context.Context) time.Time {
	until := time.Now().Add(lookupTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-lookupReserve).Before(until) {
		return deadline.Add(-lookupReserve)
	}
	return until
}

// run looks up the users whose differing name was accepted, wherever they are, and then the
// others from where the last run ended, around to there again. A dry run shows what the
// next run would do, so the place moves no further than past those at the front who were not
// found: otherwise they would spend the budget of each day.
func (l *lookup) run(ctx context.Context) error {
	known, err := l.readBudget(ctx, l.a.CorpID)
	if err != nil {
		return err
	}
	l.front = known.Place
	for _, id := range l.accept {
		u, err := l.Directory.User(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read accepted user: %w", err)
		}
		if err := l.lookUpUser(ctx, u, known); err != nil {
			return err
		}
	}
	place, err := l.walk(ctx, known.Place, "", known)
	if err == nil && place == (lookupPlace{}) && known.Place.After != "" {
		place, err = l.walk(ctx, lookupPlace{}, known.Place.After, known)
	}
	if err != nil {
		return err
	}
	var left lookupBudget
	if l.dryRun {
		place = l.front
	}
	if place == known.Place {
		left, err = l.readBudget(ctx, l.a.CorpID)
	} else {
		left, err = l.changeBudget(ctx, l.a.CorpID, func(b *lookupBudget) { b.Place = place })
	}
	l.result.Misses = len(left.Misses)
	return err
}

// isOver reports whether no further phone may be looked up.
func (l *lookup) isOver() bool {
	return l.asked >= l.limit || l.result.Stopped != lookupWentOn || !time.Now().Before(l.until)
}

// walk looks up users in the order of their ids, from behind a place to the user of an id,
// or to the end. It returns where it was stopped, or the zero place.
func (l *lookup) walk(ctx context.Context, from lookupPlace, to string, known lookupBudget) (lookupPlace, error) {
	for {
		users, next, err := l.Directory.Users(ctx, store.Page{Cursor: from.Page, Limit: lookupPage})
		if err != nil {
			return from, fmt.Errorf("list users: %w", err)
		}
		for _, u := range users {
			switch {
			case u.ID <= from.After || slices.Contains(l.accept, u.ID):
				continue
			case to != "" && u.ID > to:
				return lookupPlace{}, nil
			case l.isOver():
				return from, nil
			}
			if err := l.lookUpUser(ctx, u, known); err != nil {
				return from, err
			}
			if l.result.Stopped != lookupWentOn {
				continue
			}
			if from.After = u.ID; !slices.ContainsFunc(l.result.Items, func(i lookupItem) bool { return i.Result != lookupNotFound }) {
				l.front = from
			}
		}
		if next == "" {
			return lookupPlace{}, nil
		}
		from.Page = next
	}
}

// mayBeBound reports whether a member of the corp may become the user by the phone. A user
// who has or had an identity in this corp is for an administrator to decide, or shows the
// phone; at the first sign-in of one with an identity in another corp, WeCom is asked whether
// that one still has the user, which would double the calls here.
func (l *lookup) mayBeBound(u store.User) bool {
	return len(u.Identities) == 0 && authflow.CheckLink(l.a, u, store.Identity{CorpID: l.a.CorpID}) == nil
}

// lookUpUser looks up one user, unless there is nothing to find or the lookup is over.
func (l *lookup) lookUpUser(ctx context.Context, u store.User, known lookupBudget) error {
	if l.isOver() || !l.mayBeBound(u) || known.misses(l.LookupKey(u.Phone)) {
		return nil
	}
	switch reserved, err := l.reserve(ctx, l.a.CorpID, u.Phone); {
	case err != nil:
		return err
	case reserved.code != 0:
		l.result.Stopped, l.result.WeComCode = lookupByWeCom, reserved.code
		return nil
	case reserved.spent:
		l.result.Stopped = lookupNoBudget
		return nil
	case reserved.tried:
		return nil
	}
	l.asked++
	item := lookupItem{UserID: u.ID, Name: u.Name, Phone: u.Phone, Result: lookupNotFound}
	member, missed, err := l.find(ctx, u.Phone)
	switch {
	case err != nil:
		return l.stop(ctx, u.Phone, err)
	case missed:
		l.result.Items = append(l.result.Items, item)
		return nil
	}
	if err := l.found(ctx, l.a.CorpID, u.Phone); err != nil {
		return err
	}
	if member.Status == wecom.MemberActive || member.Status == wecom.MemberNotActivated {
		item.WeComUserID, item.WeComName = member.UserID, member.Name
		if item.Result, err = l.decide(ctx, u, member); err != nil {
			return err
		}
	}
	if item.Result != "" {
		l.result.Items = append(l.result.Items, item)
	}
	return nil
}

// find asks WeCom who has a phone, and what that member is called.
func (l *lookup) find(ctx context.Context, phone string) (member wecom.Member, missed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupCall)
	defer cancel()
	app := accesstoken.AppOf(l.a, l.SecretName(l.a.ID))
	var found string
	err = accesstoken.Use(ctx, l.Tokens, app, func(token secret.Value) (err error) {
		found, err = l.WeCom.UserIDByPhone(ctx, token, phone)
		return err
	})
	if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.PhoneMissed() {
		return wecom.Member{}, true, nil
	}
	if err != nil {
		return wecom.Member{}, false, err
	}
	err = accesstoken.Use(ctx, l.Tokens, app, func(token secret.Value) (err error) {
		member, err = l.WeCom.Member(ctx, token, found)
		return err
	})
	if answered, ok := errors.AsType[*wecom.Error](err); ok && answered.PhoneMissed() {
		return wecom.Member{Status: wecom.MemberLeft}, false, nil // meanwhile
	}
	return member, false, err
}

// stop ends the lookup after WeCom refused or did not answer. It returns an error that does
// not come from WeCom. A phone counts as a miss when WeCom may have counted it.
func (l *lookup) stop(ctx context.Context, phone string, failure error) error {
	answered, refused := errors.AsType[*wecom.Error](failure)
	_, unavailable := errors.AsType[*wecom.UnavailableError](failure)
	if !refused && !unavailable && !errors.Is(failure, secret.ErrNotFound) {
		return fmt.Errorf("look up phone: %w", failure)
	}
	l.result.Stopped = lookupByWeCom
	if refused {
		l.result.WeComCode = answered.Code
	}
	if refused && answered.Code == wecom.RateLimited {
		apigw.Measure(ctx, metrics.LookupsStopped())
		return l.closeLookups(ctx, l.a.CorpID, phone, answered.Code)
	}
	if wecom.MayHaveArrived(failure) {
		return nil
	}
	return l.release(ctx, l.a.CorpID, phone)
}

// decide says what becomes of a user whose phone a member has, and binds them unless this
// is a dry run. Nothing: the user is no longer one to be bound.
func (l *lookup) decide(ctx context.Context, u store.User, member wecom.Member) (lookupOutcome, error) {
	owner, err := l.Directory.OwnerOfIdentity(ctx, l.a.CorpID, member.UserID)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return "", fmt.Errorf("read owner of identity: %w", err)
	case err == nil && owner.UserID != u.ID && !owner.Identity.IsGone():
		return lookupTaken, nil
	case !sameName(u, member) && !slices.Contains(l.accept, u.ID):
		return lookupNameDiffers, nil
	case l.dryRun:
		return lookupFound, nil
	}
	return l.bind(ctx, u, member)
}

// sameName compares what the import said with what WeCom says. A name that nobody gave
// proves nothing.
func sameName(u store.User, member wecom.Member) bool {
	return u.Name != "" && !u.NamePending && store.FoldName(u.Name) == store.FoldName(member.Name)
}

// errUserChanged: the user is no longer the one who was looked up.
var errUserChanged = errors.New("no longer the user who was looked up")

// bind makes the member the user's identity. But for the name, nothing is noted as a member
// check: the first sign-in makes one, which also decides whether the member is let in.
func (l *lookup) bind(ctx context.Context, u store.User, member wecom.Member) (lookupOutcome, error) {
	identity := store.Identity{CorpID: l.a.CorpID, WeComUserID: member.UserID, Name: member.Name, Authenticator: l.a.Name, BoundAt: l.Now().UTC()}
	from := u
	_, err := store.RetryChanged(ctx, func() (store.User, error) {
		if isBound(from, identity) {
			return from, nil // a simultaneous first sign-in of the same person
		}
		if !l.mayBeBound(from) || from.Phone != u.Phone {
			return from, errUserChanged
		}
		to := from.WithIdentity(identity)
		if to.PhoneConflict != nil && to.PhoneConflict.CorpID == identity.CorpID {
			to.PhoneConflict = nil // WeCom says now whose phone it is in this corp
		}
		if (to.Name == "" || to.NamePending) && member.Name != "" {
			to.Name, to.NamePending = member.Name, false
		}
		written, err := l.writeUser(ctx, from, to)
		if errors.Is(err, store.ErrChanged) {
			again, readErr := l.Directory.User(ctx, u.ID)
			switch {
			case errors.Is(readErr, store.ErrNotFound):
				return from, errUserChanged
			case readErr != nil:
				return from, fmt.Errorf("read user: %w", readErr)
			}
			from = again
		}
		return written, err
	})
	switch {
	case errors.Is(err, errUserChanged):
		return "", nil
	case errors.Is(err, store.ErrIdentityTaken):
		return lookupTaken, nil
	case err != nil:
		return "", err
	}
	return lookupBound, nil
}
