package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// authenticatorPage is how many authenticators one read returns; few companies have more.
const authenticatorPage = 200

// CorpsOf returns the corps whose members can sign in to an application, each once, in the
// order of its authenticators. A userid names one person within a corp and several people
// across corps: an application that knew its users by userid would let a partner's member
// into an employee's account. Disabled authenticators count, so that switching one on or off
// does not change what applications are told.
func CorpsOf(ctx context.Context, authenticators Authenticators, a store.Application) (corpIDs []string, err error) {
	add := func(authenticator store.Authenticator) {
		if !slices.Contains(corpIDs, authenticator.CorpID) {
			corpIDs = append(corpIDs, authenticator.CorpID)
		}
	}
	for _, name := range a.Authenticators {
		authenticator, err := authenticators.Authenticator(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound): // deleted since
		case err != nil:
			return nil, fmt.Errorf("read authenticator of application: %w", err)
		default:
			add(authenticator)
		}
	}
	for cursor := ""; len(a.Authenticators) == 0; {
		items, next, err := authenticators.Authenticators(ctx, store.Page{Cursor: cursor, Limit: authenticatorPage})
		if err != nil {
			return nil, fmt.Errorf("list authenticators: %w", err)
		}
		for _, authenticator := range items {
			add(authenticator)
		}
		if next == "" || next == cursor {
			break
		}
		cursor = next
	}
	return corpIDs, nil
}

// AllowsByNumber reports whether the departments and tags of an application's Allow let in
// whom they name, if members of corpIDs can sign in to it. They are numbers of one corp: where
// members of another can sign in, its directory would choose who comes.
func AllowsByNumber(a store.Application, corpIDs []string) bool {
	return slices.Equal(corpIDs, []string{a.AllowCorpID})
}
