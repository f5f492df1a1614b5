package embedded

import (
	"context"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// nameKey returns a user's key in the order of names, or nothing without a name. The last
// NUL ends the name, because ids contain none.
func nameKey(u store.User) string {
	name := store.FoldName(u.Name)
	if name == "" || u.ID == "" {
		return ""
	}
	return name + "\x00" + u.ID
}

// moveName moves a user to its new place in the order of names.
func (tx transaction) moveName(old, replacement store.User) error {
	from, to := nameKey(old), nameKey(replacement)
	if from == to {
		return nil
	}
	if from != "" {
		if err := tx.delete(userNames, from); err != nil {
			return err
		}
	}
	if to == "" {
		return nil
	}
	return tx.point(userNames, to, replacement.ID)
}

// nameUsers adds every user to the order of names.
func (tx transaction) nameUsers() error {
	return tx.Bucket([]byte(users)).ForEach(func(_, encoded []byte) error {
		var u store.User
		if err := decode(users, encoded, &u); err != nil {
			return err
		}
		return tx.moveName(store.User{}, u)
	})
}

// UsersByName implements store.Directory.
func (e *Engine) UsersByName(_ context.Context, prefix string, page store.Page) (items []store.User, next string, err error) {
	prefix = store.FoldName(prefix)
	after, err := store.DecodeCursor(string(userNames), page.Cursor)
	if err == nil && !strings.HasPrefix(after, prefix) && after != "" {
		err = store.ErrBadCursor
	}
	if err != nil {
		return nil, "", err
	}
	err = e.read(func(tx transaction) error {
		cursor := tx.Bucket([]byte(userNames)).Cursor()
		key, id := cursor.Seek([]byte(max(prefix, after)))
		if after != "" && string(key) == after {
			key, id = cursor.Next()
		}
		last := ""
		for ; key != nil && strings.HasPrefix(string(key), prefix); key, id = cursor.Next() {
			if len(items) == page.Limit {
				next = store.EncodeCursor(string(userNames), last)
				return nil
			}
			var u store.User
			if err := tx.get(users, string(id), &u); err != nil {
				return err
			}
			items, last = append(items, u), string(key)
		}
		return nil
	})
	return items, next, err
}
