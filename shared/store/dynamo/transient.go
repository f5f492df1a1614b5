package dynamo

import (
	"context"
	"errors"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func resultKey(sessionKey string) item { return item{"pk": text("outcome#" + sessionKey)} }
func tokenKey(key string) item         { return item{"pk": text("token#" + key)} }

// lingering is how much later the TTL of a record is than its end. The code compares the
// end; the TTL only cleans up, and must never be early.
const lingering = time.Hour

// tokenLingering is the same for the record of a leased token. The lease cannot keep the
// later of two TTLs: with the old TTL the record could be removed at once, together with
// the lease. So it exceeds the life of any token in the record, two hours.
const tokenLingering = 24 * time.Hour

// AttemptResult implements store.Transient.
func (e *Engine) AttemptResult(ctx context.Context, sessionKey string) (result store.AttemptResult, err error) {
	found, err := e.get(ctx, e.cfg.TransientTable, resultKey(sessionKey))
	if err != nil {
		return result, err
	}
	result = store.AttemptResult{
		SessionKey: sessionKey, Kind: store.ResultKind(textOf(found, "kind")), Code: textOf(found, "code"), KeepUntil: momentOf(found, "keepUntil"),
	}
	if !e.cfg.Now().Before(result.KeepUntil) {
		return store.AttemptResult{}, store.ErrNotFound
	}
	if result.Kind == store.ResultSession {
		err = decode(found, &result.Session)
	}
	return result, err
}

// newResult is the condition that an attempt has no result, or an expired one that was not
// cleaned up yet.
const newResult = "attribute_not_exists(pk) OR keepUntil <= :now"

func (e *Engine) putResult(result store.AttemptResult) (step, error) {
	i := resultKey(result.SessionKey)
	i["kind"], i["keepUntil"] = text(string(result.Kind)), moment(result.KeepUntil)
	i["ttl"] = number(result.KeepUntil.Add(lingering).Unix())
	if result.Event != nil {
		if err := setEvent(i, *result.Event, result.KeepUntil); err != nil {
			return step{}, err
		}
	}
	if result.Code != "" {
		i["code"] = text(result.Code)
	}
	if result.Kind == store.ResultSession {
		data, err := encode(result.Session)
		if err != nil {
			return step{}, err
		}
		i["data"] = data
	}
	return put(e.cfg.TransientTable, i, newResult, item{":now": e.now()}, failing(store.ErrExists)), nil
}

// RecordResult implements store.Transient.
func (e *Engine) RecordResult(ctx context.Context, result store.AttemptResult) error {
	write, err := e.putResult(result)
	if err != nil {
		return err
	}
	return e.run(ctx, []step{write})
}

// errNothingToEnd: there is no earlier session, or its result is not a session.
var errNothingToEnd = errors.New("no session to end")

// StartSession implements store.Transient.
func (e *Engine) StartSession(ctx context.Context, result store.AttemptResult, earlierKey string) error {
	write, err := e.putResult(result)
	if err != nil {
		return err
	}
	steps := []step{
		write,
		update(e.cfg.DirectoryTable, userKey(result.Session.UserID), "SET lastSignInAt = :at", "enabled = :true AND sessionGeneration = :generation", nil,
			item{":at": moment(result.Session.SignedInAt), ":true": truth(true), ":generation": number(result.Session.UserGeneration)}, failing(store.ErrChanged)),
	}
	if earlierKey != "" && earlierKey != result.SessionKey {
		err := e.transact(ctx, append(steps[:2:2], e.endSession(earlierKey)))
		if !errors.Is(err, errNothingToEnd) {
			return err
		}
		// It ended meanwhile, or the cookie was old: start without it.
	}
	return e.transact(ctx, steps)
}

// EndSession implements store.Transient.
func (e *Engine) EndSession(ctx context.Context, sessionKey string) error {
	err := e.run(ctx, []step{e.endSession(sessionKey)})
	if errors.Is(err, errNothingToEnd) {
		return nil
	}
	return err
}

func (e *Engine) endSession(sessionKey string) step {
	return update(e.cfg.TransientTable, resultKey(sessionKey), "SET kind = :ended REMOVE #data", "kind = :session",
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
