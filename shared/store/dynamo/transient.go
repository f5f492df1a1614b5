package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func outcomeKey(key string) item { return item{"pk": text("outcome#" + key)} }
func tokenKey(key string) item   { return item{"pk": text("token#" + key)} }

// lingering is how much later than a record's end its TTL is. The end is compared
// in code; the TTL only cleans up, and must never be early.
const lingering = time.Hour

// tokenLingering is the same for a leased token's record. The lease cannot keep the
// later of two TTLs, so it is long enough for any token that lies there, which lives
// two hours; the old TTL could end the record, and the lease with it, at once.
const tokenLingering = 24 * time.Hour

// AttemptResult implements store.Transient.
func (e *Engine) AttemptResult(ctx context.Context, key string) (o store.AttemptResult, err error) {
	found, err := e.get(ctx, e.cfg.TransientTable, outcomeKey(key))
	if err != nil {
		return o, err
	}
	o = store.AttemptResult{
		SessionKey: key, Kind: store.ResultKind(textOf(found, "kind")), Code: textOf(found, "code"), KeepUntil: momentOf(found, "keepUntil"),
	}
	if !e.cfg.Now().Before(o.KeepUntil) {
		return store.AttemptResult{}, store.ErrNotFound
	}
	if o.Kind == store.ResultSession {
		err = decode(found, &o.Session)
	}
	return o, err
}

// newOutcome is the condition that an attempt has no outcome, or one that may be
// forgotten and only has not been cleaned up.
const newOutcome = "attribute_not_exists(pk) OR keepUntil <= :now"

func (e *Engine) putOutcome(o store.AttemptResult) (step, error) {
	i := outcomeKey(o.SessionKey)
	i["kind"], i["keepUntil"] = text(string(o.Kind)), moment(o.KeepUntil)
	i["ttl"] = number(o.KeepUntil.Add(lingering).Unix())
	if o.Attempt != nil {
		if err := describeAttempt(i, *o.Attempt, o.KeepUntil); err != nil {
			return step{}, err
		}
	}
	if o.Code != "" {
		i["code"] = text(o.Code)
	}
	if o.Kind == store.ResultSession {
		data, err := encode(o.Session)
		if err != nil {
			return step{}, err
		}
		i["data"] = data
	}
	return put(e.cfg.TransientTable, i, newOutcome, item{":now": e.now()}, failing(store.ErrExists)), nil
}

// RecordResult implements store.Transient.
func (e *Engine) RecordResult(ctx context.Context, o store.AttemptResult) error {
	write, err := e.putOutcome(o)
	if err != nil {
		return err
	}
	return e.run(ctx, []step{write})
}

// errNothingToEnd: the earlier session is not there, or is none.
var errNothingToEnd = errors.New("no session to end")

// StartSession implements store.Transient.
func (e *Engine) StartSession(ctx context.Context, o store.AttemptResult, earlier string) error {
	write, err := e.putOutcome(o)
	if err != nil {
		return err
	}
	steps := []step{
		write,
		update(e.cfg.DirectoryTable, userKey(o.Session.UserID), "SET lastSignInAt = :at", "enabled = :true AND sessionGeneration = :generation", nil,
			item{":at": moment(o.Session.SignedInAt), ":true": truth(true), ":generation": number(o.Session.UserGeneration)}, failing(store.ErrChanged)),
	}
	if earlier != "" && earlier != o.SessionKey {
		err := e.transact(ctx, append(steps[:2:2], e.endSession(earlier)))
		if !errors.Is(err, errNothingToEnd) {
			return err
		}
		// It ended meanwhile, or the cookie was old: begin without.
	}
	return e.transact(ctx, steps)
}

// EndSession implements store.Transient.
func (e *Engine) EndSession(ctx context.Context, key string) error {
	err := e.run(ctx, []step{e.endSession(key)})
	if errors.Is(err, errNothingToEnd) {
		return nil
	}
	return err
}

func (e *Engine) endSession(key string) step {
	return update(e.cfg.TransientTable, outcomeKey(key), "SET kind = :ended REMOVE #data", "kind = :session",
		map[string]string{"#data": "data"},
		item{":ended": text(string(store.ResultEnded)), ":session": text(string(store.ResultSession))}, failing(errNothingToEnd))
}

// AccessToken implements store.Transient.
func (e *Engine) AccessToken(ctx context.Context, key string) (store.AccessToken, error) {
	found, err := e.get(ctx, e.cfg.TransientTable, tokenKey(key))
	if err != nil {
		return store.AccessToken{}, err
	}
	return store.AccessToken{
		Sealed: octetsOf(found, "sealed"), ExpiresAt: momentOf(found, "expiresAt"),
		RefusedUntil: momentOf(found, "refusedUntil"), RefusedCode: int(numberOf(found, "refusedCode")),
		LeaseOwner: textOf(found, "leaseOwner"), LeaseUntil: momentOf(found, "leaseUntil"),
	}, nil
}

// LeaseAccessToken implements store.Transient.
func (e *Engine) LeaseAccessToken(ctx context.Context, key, owner string, until time.Time) (bool, error) {
	err := e.run(ctx, []step{update(e.cfg.TransientTable, tokenKey(key),
		"SET leaseOwner = :owner, leaseUntil = :until, #ttl = :ttl",
		"attribute_not_exists(leaseOwner) OR leaseOwner = :owner OR leaseUntil <= :now",
		map[string]string{"#ttl": "ttl"}, item{
			":owner": text(owner), ":until": moment(until), ":now": e.now(),
			":ttl": number(until.Add(tokenLingering).Unix()),
		}, failing(store.ErrChanged))})
	if errors.Is(err, store.ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// SaveAccessToken implements store.Transient.
func (e *Engine) SaveAccessToken(ctx context.Context, key, owner string, token store.AccessToken) error {
	end := e.cfg.Now()
	for _, t := range []time.Time{token.ExpiresAt, token.RefusedUntil} {
		if t.After(end) {
			end = t
		}
	}
	i := tokenKey(key)
	i["expiresAt"], i["refusedUntil"] = moment(token.ExpiresAt), moment(token.RefusedUntil)
	i["refusedCode"], i["ttl"] = number(int64(token.RefusedCode)), number(end.Add(lingering).Unix())
	if len(token.Sealed) > 0 {
		i["sealed"] = octets(token.Sealed)
	}
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "leaseOwner = :owner", item{":owner": text(owner)}, failing(store.ErrChanged))})
}

// ForgetAccessToken implements store.Transient.
func (e *Engine) ForgetAccessToken(ctx context.Context, key string) error {
	write := remove(e.cfg.TransientTable, tokenKey(key), "attribute_exists(pk)", nil, failing(nil))
	return e.run(ctx, []step{write})
}
