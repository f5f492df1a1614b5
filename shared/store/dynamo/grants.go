package dynamo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	grantPrefix   = "grant#"
	lineagePrefix = "lineage#"
)

func grantKey(id string) item   { return item{"pk": text(grantPrefix + id)} }
func lineageKey(id string) item { return item{"pk": text(lineagePrefix + id)} }

// writtenBy is the random id of the write of a grant. The client repeats a request whose
// answer was lost, and by this id the second one recognises that the first was executed:
// otherwise a member would be told that somebody else took the code.
const writtenBy = "writtenBy"

// encodeGrant keeps what never changes as data, and the rest as attributes.
func encodeGrant(g store.Grant) (item, error) {
	i := grantKey(g.ID)
	i["refreshed"], i["refreshedAt"], i["expiresAt"] = number(g.Refreshed), moment(g.RefreshedAt), moment(g.ExpiresAt)
	i["keepUntil"], i["revoked"], i["codeExpiresAt"] = moment(g.KeepUntil), truth(g.Revoked), moment(g.CodeExpiresAt)
	i["ttl"] = number(g.KeepUntil.Add(lingering).Unix())
	g.Refreshed, g.RefreshedAt, g.ExpiresAt, g.KeepUntil, g.Revoked = 0, time.Time{}, time.Time{}, time.Time{}, false
	data, err := encode(g)
	i["data"] = data
	return i, err
}

// decodeGrant reads a grant, or store.ErrNotFound for one that may be forgotten.
func (e *Engine) decodeGrant(i item) (g store.Grant, err error) {
	if !e.cfg.Now().Before(momentOf(i, "keepUntil")) {
		return store.Grant{}, store.ErrNotFound
	}
	err = decode(i, &g)
	g.Refreshed, g.RefreshedAt, g.ExpiresAt = numberOf(i, "refreshed"), momentOf(i, "refreshedAt"), momentOf(i, "expiresAt")
	g.KeepUntil, g.Revoked = momentOf(i, "keepUntil"), truthOf(i, "revoked")
	return g, err
}

// CreateGrant implements store.ProviderEngine. Grant and lineage are written at once:
// nobody has the code before both are, so a grant without its lineage is of no use, and a
// lineage without its grant costs at most a needless logout token.
func (e *Engine) CreateGrant(ctx context.Context, g store.Grant, sessionEnd time.Time) error {
	i, err := encodeGrant(g)
	if err != nil {
		return err
	}
	by := text(store.NewID())
	i[writtenBy] = by
	write := put(e.cfg.TransientTable, i, "attribute_not_exists(pk) OR keepUntil <= :now OR writtenBy = :by",
		item{":now": e.now(), ":by": by}, failing(store.ErrExists))
	noted := make(chan error, 1)
	go func() { noted <- e.noteLineage(ctx, g, sessionEnd) }()
	err = e.run(ctx, []step{write})
	if lineageErr := <-noted; lineageErr != nil {
		return lineageErr
	}
	return err
}

// errLaterEnd: the lineage has ended, or expires later than by this grant.
var errLaterEnd = errors.New("lineage expires later")

// noteLineage adds a grant's application to its lineage, or returns store.ErrNotFound. It
// tries first what is so nearly always: that no session before this one expires later.
func (e *Engine) noteLineage(ctx context.Context, g store.Grant, sessionEnd time.Time) error {
	names := map[string]string{"#ttl": "ttl"}
	values := item{
		":application": &types.AttributeValueMemberSS{Value: []string{g.ApplicationID}}, ":user": text(g.UserID),
		":end": moment(sessionEnd), ":ttl": number(sessionEnd.Add(lingering).Unix()),
	}
	err := e.run(ctx, []step{update(e.cfg.TransientTable, lineageKey(g.Lineage),
		"SET lineageOfUser = :user, expiresAt = :end, #ttl = :ttl ADD applications :application",
		"attribute_not_exists(ended) AND (attribute_not_exists(expiresAt) OR expiresAt <= :end)",
		names, values, failing(errLaterEnd))})
	if !errors.Is(err, errLaterEnd) {
		return err
	}
	delete(values, ":end")
	delete(values, ":ttl")
	return e.run(ctx, []step{update(e.cfg.TransientTable, lineageKey(g.Lineage),
		"SET lineageOfUser = :user ADD applications :application", "attribute_exists(pk) AND attribute_not_exists(ended)",
		nil, values, failing(store.ErrNotFound))})
}

// Grant implements store.ProviderEngine.
func (e *Engine) Grant(ctx context.Context, id string) (store.Grant, error) {
	found, err := e.get(ctx, e.cfg.TransientTable, grantKey(id))
	if err != nil {
		return store.Grant{}, err
	}
	return e.decodeGrant(found)
}

// GrantState implements store.ProviderEngine.
func (e *Engine) GrantState(ctx context.Context, id, userID, lineage string) (g store.Grant, u store.User, l store.Lineage, err error) {
	if !possible(grantKey(id)) {
		return g, u, l, store.ErrNotFound
	}
	keys := map[string][]item{e.cfg.TransientTable: {grantKey(id)}}
	if key := lineageKey(lineage); possible(key) {
		keys[e.cfg.TransientTable] = append(keys[e.cfg.TransientTable], key)
	}
	if key := userKey(userID); possible(key) {
		keys[e.cfg.DirectoryTable] = []item{key}
	}
	found, err := e.getBatch(ctx, keys)
	if err != nil {
		return g, u, l, err
	}
	err = store.ErrNotFound
	for _, i := range found[e.cfg.TransientTable] {
		if strings.HasPrefix(textOf(i, "pk"), grantPrefix) {
			g, err = e.decodeGrant(i)
		} else {
			l, _ = e.decodeLineage(i)
		}
	}
	if err != nil {
		return store.Grant{}, store.User{}, store.Lineage{}, err
	}
	for _, i := range found[e.cfg.DirectoryTable] {
		u, err = decodeUser(i)
	}
	return g, u, l, err
}

// RotateGrant implements store.ProviderEngine.
func (e *Engine) RotateGrant(ctx context.Context, id string, refreshed int64, at, expiresAt, keepUntil time.Time) error {
	if !possible(grantKey(id)) {
		return store.ErrChanged
	}
	values := item{
		":was": number(refreshed), ":is": number(refreshed + 1), ":by": text(store.NewID()), ":false": truth(false), ":now": e.now(),
		":at": moment(at), ":expires": moment(expiresAt), ":keep": moment(keepUntil), ":ttl": number(keepUntil.Add(lingering).Unix()),
	}
	unchanged := "refreshed = :was"
	if refreshed == 0 {
		unchanged += " AND codeExpiresAt > :at"
	}
	return e.run(ctx, []step{update(e.cfg.TransientTable, grantKey(id),
		"SET refreshed = :is, refreshedAt = :at, expiresAt = :expires, keepUntil = :keep, #ttl = :ttl, writtenBy = :by",
		"revoked = :false AND keepUntil > :now AND ("+unchanged+" OR refreshed = :is AND writtenBy = :by)",
		map[string]string{"#ttl": "ttl"}, values, failing(store.ErrChanged))})
}

// RevokeGrant implements store.ProviderEngine.
func (e *Engine) RevokeGrant(ctx context.Context, id string) error {
	if !possible(grantKey(id)) {
		return nil
	}
	return e.run(ctx, []step{update(e.cfg.TransientTable, grantKey(id), "SET revoked = :true", "attribute_exists(pk)", nil,
		item{":true": truth(true)}, failing(nil))})
}

// decodeLineage reads a lineage, or store.ErrNotFound for one that has expired or has had
// no grant.
func (e *Engine) decodeLineage(i item) (store.Lineage, error) {
	l := store.Lineage{
		ID: strings.TrimPrefix(textOf(i, "pk"), lineagePrefix), UserID: textOf(i, "lineageOfUser"),
		ExpiresAt: momentOf(i, "expiresAt"), Ended: truthOf(i, "ended"),
	}
	if applications, ok := i["applications"].(*types.AttributeValueMemberSS); ok {
		l.Applications = slices.Sorted(slices.Values(applications.Value))
	}
	if l.UserID == "" || !e.cfg.Now().Before(l.ExpiresAt) {
		return store.Lineage{}, store.ErrNotFound
	}
	return l, nil
}

// EndLineage implements store.ProviderEngine. A lineage without a grant leaves a record,
// too, for store.EndedLineageKept.
func (e *Engine) EndLineage(ctx context.Context, id string) (store.Lineage, error) {
	key := lineageKey(id)
	if !possible(key) {
		return store.Lineage{}, store.ErrNotFound
	}
	end := e.cfg.Now().Add(store.EndedLineageKept)
	input := &dynamodb.UpdateItemInput{
		TableName: aws.String(e.cfg.TransientTable), Key: key,
		UpdateExpression:          aws.String("SET ended = :true, expiresAt = if_not_exists(expiresAt, :end), #ttl = if_not_exists(#ttl, :ttl)"),
		ExpressionAttributeNames:  map[string]string{"#ttl": "ttl"},
		ExpressionAttributeValues: item{":true": truth(true), ":end": moment(end), ":ttl": number(end.Add(lingering).Unix())},
		ReturnValues:              types.ReturnValueAllNew,
	}
	var output *dynamodb.UpdateItemOutput
	err := again(ctx, func() (err error) {
		output, err = e.cfg.Client.UpdateItem(ctx, input)
		return err
	})
	if err != nil {
		return store.Lineage{}, fmt.Errorf("end lineage: %w", err)
	}
	return e.decodeLineage(output.Attributes)
}

// Lineage implements store.ProviderEngine.
func (e *Engine) Lineage(ctx context.Context, id string) (store.Lineage, error) {
	found, err := e.get(ctx, e.cfg.TransientTable, lineageKey(id))
	if err != nil {
		return store.Lineage{}, err
	}
	return e.decodeLineage(found)
}

// lineageIndex lists lineages by user. Only they have its attribute lineageOfUser.
const lineageIndex = "lineages-of-user"

// LineagesOfUser implements store.ProviderEngine.
func (e *Engine) LineagesOfUser(ctx context.Context, userID string) (all []store.Lineage, err error) {
	if userID == "" || len(userID) > maxPartitionKey {
		return nil, nil
	}
	input := &dynamodb.QueryInput{
		TableName: aws.String(e.cfg.TransientTable), IndexName: aws.String(lineageIndex),
		KeyConditionExpression:    aws.String("lineageOfUser = :user AND expiresAt > :now"),
		ExpressionAttributeValues: item{":user": text(userID), ":now": e.now()},
	}
	for {
		output, err := e.cfg.Client.Query(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("query lineages: %w", err)
		}
		for _, i := range output.Items {
			if l, err := e.decodeLineage(i); err == nil {
				all = append(all, l)
			}
		}
		if len(output.LastEvaluatedKey) == 0 {
			return all, nil
		}
		input.ExclusiveStartKey = output.LastEvaluatedKey
	}
}
