package dynamo

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func firstSignInKey(corpID, wecomUserID string) item {
	return item{"pk": text("first-sign-in#" + identityName(corpID, wecomUserID))}
}

// RefuseFirstSignIn implements store.FirstSignIns.
func (e *Engine) RefuseFirstSignIn(ctx context.Context, corpID, wecomUserID string, refusal store.FirstSignInRefusal) error {
	i := firstSignInKey(corpID, wecomUserID)
	i["code"], i["at"], i["keepUntil"] = text(refusal.Code), moment(refusal.At), moment(refusal.KeepUntil)
	i["ttl"] = number(refusal.KeepUntil.Add(lingering).Unix())
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "", nil, failing(nil))})
}

// FirstSignIn implements store.FirstSignIns. The item of an identity from before it carried
// what it says of its owner counts as none: nobody waits for that long.
func (e *Engine) FirstSignIn(ctx context.Context, sessionKey, corpID, wecomUserID string) (first store.FirstSignIn, err error) {
	if !possible(identityKey(identityName(corpID, wecomUserID))) {
		return first, nil
	}
	result := resultKey(sessionKey)
	found, err := e.getBatch(ctx, map[string][]item{
		e.cfg.TransientTable: {result, firstSignInKey(corpID, wecomUserID)},
		e.cfg.DirectoryTable: {identityKey(identityName(corpID, wecomUserID))},
	})
	if err != nil {
		return first, err
	}
	for _, i := range found[e.cfg.DirectoryTable] {
		if _, complete := i["identity"]; !complete {
			continue
		}
		if first.Owner, err = decodeOwner(i); err != nil {
			return first, err
		}
	}
	for _, i := range found[e.cfg.TransientTable] {
		switch {
		case !e.cfg.Now().Before(momentOf(i, "keepUntil")):
		case textOf(i, "pk") == textOf(result, "pk"):
			first.Used = true
		default:
			first.Refusal = store.FirstSignInRefusal{Code: textOf(i, "code"), At: momentOf(i, "at"), KeepUntil: momentOf(i, "keepUntil")}
		}
	}
	return first, nil
}
