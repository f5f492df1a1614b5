package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func userKey(id string) item       { return directoryKey("user#"+id, "user") }
func listingKey(id string) item    { return directoryKey(usersPartition, id) }
func phoneKey(phone string) item   { return directoryKey("phone#"+phone, "phone") }
func identityKey(name string) item { return directoryKey("identity#"+name, "identity") }
func goneKey(name string) item     { return directoryKey("identity#"+name, "gone") }

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
	u, err := decodeUser(found)
	if err != nil {
		return store.User{}, err
	}
	users := []store.User{u}
	err = e.readLastSignIns(ctx, users)
	return users[0], err
}

// decodeUser reads a user. lastSignInAt on the user is what was known at its last update.
func decodeUser(i item) (u store.User, err error) {
	err = decode(i, &u)
	u.LastSignInAt = momentOf(i, "lastSignInAt")
	return u, err
}

// readLastSignIns completes users by the last sign-in of each of their identities. It
// lies there because a sign-in reads and writes the identity anyway, which stays small
// however much an administrator gives its user.
func (e *Engine) readLastSignIns(ctx context.Context, users []store.User) error {
	var keys []item
	byKey := map[string]int{} // pk of an identity -> index of its user
	for i, u := range users {
		for name := range identitiesByName(u) {
			key := identityKey(name)
			keys = append(keys, key)
			byKey[textOf(key, "pk")] = i
		}
	}
	for some := range slices.Chunk(keys, batch) {
		found, err := e.getBatch(ctx, map[string][]item{e.cfg.DirectoryTable: some})
		if err != nil {
			return fmt.Errorf("read last sign-ins: %w", err)
		}
		for _, i := range found[e.cfg.DirectoryTable] {
			u := &users[byKey[textOf(i, "pk")]]
			if at := momentOf(i, "lastSignInAt"); at.After(u.LastSignInAt) {
				u.LastSignInAt = at
			}
		}
	}
	return nil
}

// UserByPhone implements store.Directory.
func (e *Engine) UserByPhone(ctx context.Context, phone string) (store.User, error) {
	return e.userBehind(ctx, phoneKey(phone), func(u store.User) bool { return u.Phone == phone })
}

// OwnerOfIdentity implements store.Directory. The item of an identity carries what it
// says of its owner; one from before that does not, and the user is read.
func (e *Engine) OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error) {
	key := identityKey(identityName(corpID, wecomUserID))
	found, err := e.get(ctx, e.cfg.DirectoryTable, key)
	if err != nil {
		return store.IdentityOwner{}, err
	}
	_, complete := found["identity"]
	if !complete {
		u, err := e.userBehind(ctx, key, func(u store.User) bool {
			identity, _ := u.IdentityIn(corpID)
			return identity.Is(corpID, wecomUserID)
		})
		return u.Owner(corpID), err
	}
	return decodeOwner(found)
}

// FormerOwnerOfIdentity implements store.Directory.
func (e *Engine) FormerOwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (store.IdentityOwner, error) {
	u, err := e.userBehind(ctx, goneKey(identityName(corpID, wecomUserID)), func(u store.User) bool {
		identity, _ := u.IdentityIn(corpID)
		return identity.Was(corpID, wecomUserID)
	})
	return u.Owner(corpID), err
}

// decodeOwner reads what the item of an identity says of its owner.
func decodeOwner(found item) (store.IdentityOwner, error) {
	var identity store.Identity
	if err := json.Unmarshal([]byte(textOf(found, "identity")), &identity); err != nil {
		return store.IdentityOwner{}, fmt.Errorf("decode identity: %w", err)
	}
	return store.IdentityOwner{
		UserID: textOf(found, "userId"), Enabled: truthOf(found, "enabled"),
		NamePending: truthOf(found, "namePending"), SessionGeneration: numberOf(found, "sessionGeneration"),
		LastSignInAt: momentOf(found, "lastSignInAt"), Identity: identity,
	}, nil
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
	return users, e.readLastSignIns(ctx, users)
}

func (e *Engine) readBatch(ctx context.Context, ids []string, byID map[string]store.User) error {
	keys := make([]item, len(ids))
	for i, id := range ids {
		keys[i] = userKey(id)
	}
	found, err := e.getBatch(ctx, map[string][]item{e.cfg.DirectoryTable: keys})
	if err != nil {
		return fmt.Errorf("read users: %w", err)
	}
	for _, i := range found[e.cfg.DirectoryTable] {
		u, err := decodeUser(i)
		if err != nil {
			return err
		}
		byID[u.ID] = u
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
	set := "SET #data = :data, version = :version, enabled = :enabled, sessionGeneration = :generation"
	values := item{
		":data": data, ":version": number(to.Version), ":enabled": truth(to.Enabled),
		":generation": number(to.SessionGeneration), ":read": number(from.Version),
	}
	if !from.LastSignInAt.IsZero() {
		// It may lie on the item of an identity that is freed here.
		set += ", lastSignInAt = :signedIn"
		values[":signedIn"] = moment(from.LastSignInAt)
	}
	write := update(e.cfg.DirectoryTable, userKey(to.ID), set, "version = :read", map[string]string{"#data": "data"}, values, failing(store.ErrChanged))
	return e.run(ctx, append([]step{write}, e.moveKeys(from, to)...))
}

// DeleteUser implements store.Directory.
func (e *Engine) DeleteUser(ctx context.Context, u store.User) error {
	steps := []step{
		remove(e.cfg.DirectoryTable, userKey(u.ID), "version = :read", item{":read": number(u.Version)}, failing(store.ErrChanged)),
		remove(e.cfg.DirectoryTable, listingKey(u.ID), "", nil, failing(nil)),
	}
	return e.run(ctx, append(steps, e.moveKeys(u, store.User{})...))
}

// moveKeys frees the phone and the identities that only from has, takes those that only to
// has, and moves the name.
func (e *Engine) moveKeys(from, to store.User) []step {
	var steps []step
	take := func(key, owner item, taken error) {
		maps.Copy(owner, key)
		steps = append(steps, put(e.cfg.DirectoryTable, owner, "attribute_not_exists(pk)", nil, failing(taken)))
	}
	free := func(key item) {
		steps = append(steps, remove(e.cfg.DirectoryTable, key, "userId = :id", item{":id": text(from.ID)}, failing(store.ErrChanged)))
	}
	if from.Phone != to.Phone {
		if from.Phone != "" {
			free(phoneKey(from.Phone))
		}
		if to.Phone != "" {
			take(phoneKey(to.Phone), item{"userId": text(to.ID)}, store.ErrPhoneTaken)
		}
	}
	had, has := identitiesByName(from), identitiesByName(to)
	for name := range had {
		if _, kept := has[name]; !kept {
			free(identityKey(name))
		}
	}
	for name, identity := range has {
		record, _ := json.Marshal(identity) // of texts, numbers and times: always possible
		owner := item{
			"userId": text(to.ID), "enabled": truth(to.Enabled), "namePending": truth(to.NamePending),
			"sessionGeneration": number(to.SessionGeneration), "identity": text(string(record)),
		}
		if _, kept := had[name]; !kept {
			take(identityKey(name), owner, store.ErrIdentityTaken)
			continue
		}
		// With every update, so that a copy that an older version left behind is mended.
		steps = append(steps, update(e.cfg.DirectoryTable, identityKey(name),
			"SET enabled = :enabled, namePending = :namePending, sessionGeneration = :sessionGeneration, #identity = :identity", "userId = :userId",
			map[string]string{"#identity": "identity"}, values(owner), failing(store.ErrChanged)))
	}
	// Who is gone is found by the userid, too, which holds nobody back from taking it.
	wasGone, isGone := goneNames(from), goneNames(to)
	for _, name := range wasGone {
		if !slices.Contains(isGone, name) {
			steps = append(steps, remove(e.cfg.DirectoryTable, goneKey(name), "", nil, failing(nil)))
		}
	}
	for _, name := range isGone {
		if !slices.Contains(wasGone, name) {
			steps = append(steps, update(e.cfg.DirectoryTable, goneKey(name), "SET userId = :id", "", nil, item{":id": text(to.ID)}, failing(nil)))
		}
	}
	return append(steps, e.moveName(from, to)...)
}

// goneNames returns the names of the identities that are gone.
func goneNames(u store.User) (names []string) {
	for _, identity := range u.Identities {
		if identity.IsGone() {
			names = append(names, identityName(identity.CorpID, identity.WeComUserID))
		}
	}
	return names
}

// values returns attributes as the values of an expression, :NAME each.
func values(of item) item {
	named := make(item, len(of))
	for name, value := range of {
		named[":"+name] = value
	}
	return named
}

// identitiesByName returns the identities that belong to the user in the table: a gone one
// has no item, so that another user may take the userid.
func identitiesByName(u store.User) map[string]store.Identity {
	byName := make(map[string]store.Identity, len(u.Identities))
	for _, identity := range u.Identities {
		if !identity.IsGone() {
			byName[identityName(identity.CorpID, identity.WeComUserID)] = identity
		}
	}
	return byName
}
