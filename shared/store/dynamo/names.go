package dynamo

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// namesPartition has an item for each user with a name. Its sort key is the folded name, a
// NUL and the id, so that a prefix is a range of keys. It is older than any table in use,
// so none has to be completed.
const namesPartition = "user-names"

// longestNameKey leaves room for the id in a sort key. The API allows names of 200
// characters, at most 800 bytes.
const longestNameKey = 900

func nameSortKey(u store.User) string {
	name := foldedPrefix(u.Name)
	if name == "" || u.ID == "" {
		return ""
	}
	return name + "\x00" + u.ID
}

// foldedPrefix returns the part of a name that is searched.
func foldedPrefix(name string) string {
	name = store.FoldName(name)
	if len(name) <= longestNameKey {
		return name
	}
	cut := longestNameKey
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return name[:cut]
}

// moveName moves a user to its new place in the order of names.
func (e *Engine) moveName(from, to store.User) []step {
	old, place := nameSortKey(from), nameSortKey(to)
	if old == place {
		return nil
	}
	var steps []step
	if old != "" {
		steps = append(steps, step{types.TransactWriteItem{Delete: &types.Delete{
			TableName: aws.String(e.cfg.DirectoryTable), Key: directoryKey(namesPartition, old),
		}}, failing(nil)})
	}
	if place != "" {
		steps = append(steps, put(e.cfg.DirectoryTable, directoryKey(namesPartition, place), "", nil, failing(nil)))
	}
	return steps
}

// UsersByName implements store.Directory.
func (e *Engine) UsersByName(ctx context.Context, prefix string, page store.Page) ([]store.User, string, error) {
	prefix = foldedPrefix(prefix)
	entries, next, err := e.listFrom(ctx, namesPartition, prefix, page)
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(entries))
	for i, entry := range entries {
		place := textOf(entry, "sk")
		ids[i] = place[strings.LastIndexByte(place, 0)+1:]
	}
	users, err := e.readUsers(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	kept := users[:0]
	for _, u := range users {
		if strings.HasPrefix(foldedPrefix(u.Name), prefix) { // not renamed between the two reads
			kept = append(kept, u)
		}
	}
	return kept, next, nil
}
