package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func userKey(id string) item       { return directoryKey("user#"+id, "user") }
func listingKey(id string) item    { return directoryKey(usersPartition, id) }
func phoneKey(phone string) item   { return directoryKey("phone#"+phone, "phone") }
func identityKey(name string) item { return directoryKey("identity#"+name, "identity") }

// identityName joins corp and member, neither of which contains a "#".
func identityName(corpID, wecomUserID string) string {
	return corpID + "#" + store.FoldUserID(wecomUserID)
}

// User implements store.Directory.
func (e *Engine) User(ctx context.Context, id string) (store.User, error) {
	found, err := e.get(ctx, e.cfg.DirectoryTable, userKey(id))
	if err != nil {
		return store.User{}, err
	}
	return decodeUser(found)
}

// decodeUser decodes a user. LastSignInAt is a separate attribute, because it changes
// without the record.
func decodeUser(i item) (u store.User, err error) {
	err = decode(i, &u)
	u.LastSignInAt = momentOf(i, "lastSignInAt")
	return u, err
}

// UserByPhone implements store.Directory.
func (e *Engine) UserByPhone(ctx context.Context, phone string) (store.User, error) {
	return e.userBehind(ctx, phoneKey(phone), func(u store.User) bool { return u.Phone == phone })
}

// UserByIdentity implements store.Directory.
func (e *Engine) UserByIdentity(ctx context.Context, corpID, wecomUserID string) (store.User, error) {
	return e.userBehind(ctx, identityKey(identityName(corpID, wecomUserID)), func(u store.User) bool {
		identity, bound := u.IdentityIn(corpID)
		return bound && store.FoldUserID(identity.WeComUserID) == store.FoldUserID(wecomUserID)
	})
}

// lookups is how often two reads that belong together are tried when a write happens
// between them.
const lookups = 3

// userBehind returns the user that the item of a phone or an identity refers to, if the
// user still has it: a write may happen between the two reads.
func (e *Engine) userBehind(ctx context.Context, key item, has func(store.User) bool) (store.User, error) {
	for range lookups {
		found, err := e.get(ctx, e.cfg.DirectoryTable, key)
		if err != nil {
			return store.User{}, err
		}
		u, err := e.User(ctx, textOf(found, "userId"))
		if err == nil && has(u) {
			return u, nil
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return store.User{}, err
		}
	}
	return store.User{}, store.ErrNotFound
}

// batch is how many items BatchGetItem returns at most.
const batch = 100

// Users implements store.Directory.
func (e *Engine) Users(ctx context.Context, page store.Page) ([]store.User, string, error) {
	entries, next, err := e.list(ctx, usersPartition, page)
	if err != nil {
		return nil, "", err
	}
	ids := make([]string, len(entries))
	for i, entry := range entries {
		ids[i] = textOf(entry, "sk")
	}
	users, err := e.readUsers(ctx, ids)
	if err != nil {
		return nil, "", err
	}
	return users, next, nil
}

// readUsers reads the users of a list, in its order, without those that were deleted
// since the list was read.
func (e *Engine) readUsers(ctx context.Context, ids []string) ([]store.User, error) {
	byID := make(map[string]store.User, len(ids))
	for some := range slices.Chunk(ids, batch) {
		if err := e.readBatch(ctx, some, byID); err != nil {
			return nil, err
		}
	}
	users := make([]store.User, 0, len(ids))
	for _, id := range ids {
		if u, found := byID[id]; found {
			users = append(users, u)
		}
	}
	return users, nil
}

func (e *Engine) readBatch(ctx context.Context, ids []string, byID map[string]store.User) error {
	keys := make([]map[string]types.AttributeValue, len(ids))
	for i, id := range ids {
		keys[i] = userKey(id)
	}
	wanted := map[string]types.KeysAndAttributes{e.cfg.DirectoryTable: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for try := 1; len(wanted) > 0; try++ {
		output, err := e.cfg.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: wanted})
		if err != nil {
			return fmt.Errorf("read users: %w", err)
		}
		for _, found := range output.Responses[e.cfg.DirectoryTable] {
			u, err := decodeUser(found)
			if err != nil {
				return err
			}
			byID[u.ID] = u
		}
		if wanted = output.UnprocessedKeys; len(wanted) > 0 {
			if try == tries {
				return fmt.Errorf("read users: DynamoDB left keys unread %d times", try)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("read users: %w", ctx.Err())
			case <-time.After(time.Duration(try) * 20 * time.Millisecond):
			}
		}
	}
	return nil
}

// CreateUser implements store.Directory.
func (e *Engine) CreateUser(ctx context.Context, u store.User) error {
	data, err := encode(u)
	if err != nil {
		return err
	}
	i := userKey(u.ID)
	i["data"], i["version"], i["enabled"], i["sessionGeneration"] = data, number(u.Version), truth(u.Enabled), number(u.SessionGeneration)
	i["lastSignInAt"] = moment(u.LastSignInAt)
	steps := []step{
		put(e.cfg.DirectoryTable, i, "attribute_not_exists(pk)", nil, failing(store.ErrExists)),
		put(e.cfg.DirectoryTable, listingKey(u.ID), "", nil, failing(nil)),
	}
	return e.run(ctx, append(steps, e.moveKeys(store.User{}, u)...))
}

// UpdateUser implements store.Directory.
func (e *Engine) UpdateUser(ctx context.Context, from, to store.User) error {
	data, err := encode(to)
	if err != nil {
		return err
	}
	write := update(e.cfg.DirectoryTable, userKey(to.ID),
		"SET #data = :data, version = :version, enabled = :enabled, sessionGeneration = :generation", "version = :read",
		map[string]string{"#data": "data"}, item{
			":data": data, ":version": number(to.Version), ":enabled": truth(to.Enabled),
			":generation": number(to.SessionGeneration), ":read": number(from.Version),
		}, failing(store.ErrChanged))
	return e.run(ctx, append([]step{write}, e.moveKeys(from, to)...))
}

// DeleteUser implements store.Directory.
func (e *Engine) DeleteUser(ctx context.Context, u store.User) error {
	steps := []step{
		remove(e.cfg.DirectoryTable, userKey(u.ID), "version = :read", item{":read": number(u.Version)}, failing(store.ErrChanged)),
		{types.TransactWriteItem{Delete: &types.Delete{TableName: aws.String(e.cfg.DirectoryTable), Key: listingKey(u.ID)}}, failing(nil)},
	}
	return e.run(ctx, append(steps, e.moveKeys(u, store.User{})...))
}

// moveKeys frees the phone and the identities that only from has, takes those that only to
// has, and moves the name.
func (e *Engine) moveKeys(from, to store.User) []step {
	var steps []step
	move := func(had, has map[string]item, taken error) {
		for name, key := range had {
			if _, kept := has[name]; !kept {
				steps = append(steps, remove(e.cfg.DirectoryTable, key, "userId = :id", item{":id": text(from.ID)}, failing(store.ErrChanged)))
			}
		}
		for name, key := range has {
			if _, before := had[name]; !before {
				owned := item{"userId": text(to.ID)}
				for attribute, value := range key {
					owned[attribute] = value
				}
				steps = append(steps, put(e.cfg.DirectoryTable, owned, "attribute_not_exists(pk)", nil, failing(taken)))
			}
		}
	}
	move(phoneKeys(from), phoneKeys(to), store.ErrPhoneTaken)
	move(identityKeys(from), identityKeys(to), store.ErrIdentityTaken)
	return append(steps, e.moveName(from, to)...)
}

func phoneKeys(u store.User) map[string]item {
	if u.Phone == "" {
		return nil
	}
	return map[string]item{u.Phone: phoneKey(u.Phone)}
}

func identityKeys(u store.User) map[string]item {
	keys := make(map[string]item, len(u.Identities))
	for _, identity := range u.Identities {
		name := identityName(identity.CorpID, identity.WeComUserID)
		keys[name] = identityKey(name)
	}
	return keys
}
