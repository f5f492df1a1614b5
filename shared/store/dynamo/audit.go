package dynamo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// auditShards spreads the lines of an hour over as many partitions, and those of an
// authenticator, application or type, too. A partition takes 1,000 write units a second, and
// a line in a transaction costs two: with 1,000 lines a second each has half of that. More
// would make every reader ask more often. One user and one actor are one partition: nobody
// signs in a thousand times a second.
const auditShards = 4

// An auditIndex lists the lines that have something in common, in the order of their ids.
type auditIndex struct {
	name, attribute string
	sharded         bool
}

var (
	auditOfUser          = auditIndex{"lines-of-user", "ofUser", false}
	auditOfActor         = auditIndex{"lines-of-actor", "ofActor", false}
	auditOfApplication   = auditIndex{"lines-of-application", "ofApplication", true}
	auditOfAuthenticator = auditIndex{"lines-of-authenticator", "ofAuthenticator", true}
	auditOfType          = auditIndex{"lines-of-type", "ofType", true}
)

// placesOfLine returns what each index has of a line. Sign-ins and refusals are most of the
// lines: their types are found among all lines, and save the index's share of the price.
func placesOfLine(l store.AuditLine) map[auditIndex]string {
	places := map[auditIndex]string{
		auditOfUser: l.User, auditOfActor: l.Actor, auditOfApplication: l.Application, auditOfAuthenticator: l.Authenticator, auditOfType: l.Type,
	}
	if !isIndexedType(l.Type) {
		delete(places, auditOfType)
	}
	return places
}

func isIndexedType(kind string) bool {
	return kind != store.AuditSignedIn && kind != store.AuditRefused
}

func sharded(owner string, shard uint32) string {
	return owner + "#" + strconv.FormatUint(uint64(shard), 10)
}

func shardOf(id string) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	return hash.Sum32() % auditShards
}

// hourOf names the partitions of an hour.
func hourOf(at time.Time) string { return at.UTC().Format("2006-01-02T15") }

// putLine is the step that writes a line. A client's second try of the same line succeeds.
func (e *Engine) putLine(l store.AuditLine) (step, error) {
	if err := store.CheckAuditLine(l); err != nil {
		return step{}, err
	}
	record, err := json.Marshal(l)
	if err != nil {
		return step{}, fmt.Errorf("encode audit line: %w", err)
	}
	shard := shardOf(l.ID)
	i := directoryKey(sharded(hourOf(l.At), shard), l.ID)
	i["line"], i["ttl"] = text(string(record)), number(l.At.Add(e.cfg.AuditRetention+lingering).Unix())
	for index, owner := range placesOfLine(l) {
		switch {
		case owner == "": // an index skips items without its key
		case index.sharded:
			i[index.attribute] = text(sharded(owner, shard))
		default:
			i[index.attribute] = text(owner)
		}
	}
	write := put(e.cfg.AuditTable, i, "attribute_not_exists(pk) OR #line = :line", item{":line": i["line"]}, failing(store.ErrExists))
	write.write.Put.ExpressionAttributeNames = map[string]string{"#line": "line"}
	write.write.Put.ReturnValuesOnConditionCheckFailure = "" // writers may not read
	return write, nil
}

// RecordAudit implements store.Audit.
func (e *Engine) RecordAudit(ctx context.Context, line store.AuditLine) error {
	write, err := e.putLine(line)
	if err != nil {
		return err
	}
	err = e.run(ctx, []step{write})
	if err != nil && !errors.Is(err, store.ErrExists) {
		e.auditFailed(ctx)
	}
	return err
}

// Audited implements store.Audit.
func (e *Engine) Audited(lines ...store.AuditLine) store.AuditedWrites {
	return &Engine{cfg: e.cfg, lines: lines}
}

// withLines adds the steps of the lines that this engine's writes carry.
func (e *Engine) withLines(steps []step) ([]step, error) {
	for _, line := range e.lines {
		write, err := e.putLine(line)
		if err != nil {
			return nil, err
		}
		steps = append(steps, write)
	}
	return steps, nil
}

// What one page looks at, at most.
const (
	auditQueries = 4000
	auditLooked  = 10000
	// auditHours is how many hours are asked for at once where there are few lines.
	auditHours = 48
)

// AuditLines implements store.Audit. It goes back in time: hour by hour, more at once as long
// as they are empty; or, with an index, from line to line.
func (e *Engine) AuditLines(ctx context.Context, query store.AuditQuery, page store.Page) (lines []store.AuditLine, next string, err error) {
	position, oldest, err := store.AuditRange(query, page.Cursor, e.cfg.Now(), e.cfg.AuditRetention)
	if err != nil {
		return nil, "", err
	}
	index, owner := indexFor(query)
	if len(owner) > maxPartitionKey-len("#0") {
		return nil, "", nil
	}
	for hours, queries, looked := 1, 0, 0; position > oldest && queries < auditQueries && looked < auditLooked; {
		window := auditWindow{index: index, newest: position, oldest: oldest, limit: page.Limit - len(lines) + 1}
		if index.name != "" {
			window.partitions = partitionsOf(index, owner)
		} else if err := window.ofHours(hours); err != nil {
			return nil, "", err
		}
		whole := window.oldest
		found, err := e.lookAt(ctx, &window)
		if err != nil {
			return nil, "", err
		}
		for _, line := range found {
			if !query.Matches(line) {
				continue
			}
			if len(lines) == page.Limit {
				return lines, store.AuditCursor(store.AuditPosition(lines[page.Limit-1].ID)), nil
			}
			lines = append(lines, line)
		}
		position, queries, looked = window.oldest, queries+len(window.partitions), looked+len(found)
		if len(lines) == page.Limit {
			break
		}
		if hours = min(2*hours, auditHours); window.oldest != whole {
			hours = 1 // there were more lines than were wanted
		}
	}
	if position <= oldest {
		return lines, "", nil
	}
	return lines, store.AuditCursor(position), nil
}

// indexFor returns the index with the fewest lines to look at, and the owner of those; none
// for a query of a time alone.
func indexFor(q store.AuditQuery) (index auditIndex, owner string) {
	switch {
	case q.User != "":
		return auditOfUser, q.User
	case q.Actor != "":
		return auditOfActor, q.Actor
	case q.Type != "" && isIndexedType(q.Type):
		return auditOfType, q.Type
	case q.Application != "":
		return auditOfApplication, q.Application
	case q.Authenticator != "":
		return auditOfAuthenticator, q.Authenticator
	default:
		return auditIndex{}, ""
	}
}

func partitionsOf(index auditIndex, owner string) (names []string) {
	if !index.sharded {
		return []string{owner}
	}
	for shard := range uint32(auditShards) {
		names = append(names, sharded(owner, shard))
	}
	return names
}

// auditWindow is a range of lines: after newest, and not after oldest.
type auditWindow struct {
	index          auditIndex // without a name: the table itself
	partitions     []string
	newest, oldest store.AuditPosition
	limit          int // how many lines are wanted
}

// ofHours limits the window to the newest hours.
func (w *auditWindow) ofHours(hours int) error {
	newest, err := w.newest.Time()
	if err != nil {
		return err
	}
	hour := newest.Truncate(time.Hour)
	if w.newest == store.AuditPositionAt(hour) { // after all lines of the hour
		hour = hour.Add(-time.Hour)
	}
	for range hours {
		for shard := range uint32(auditShards) {
			w.partitions = append(w.partitions, sharded(hourOf(hour), shard))
		}
		begin := store.AuditPositionAt(hour)
		if begin <= w.oldest {
			return nil
		}
		hour = hour.Add(-time.Hour)
	}
	w.oldest = store.AuditPositionAt(hour.Add(time.Hour))
	return nil
}

// auditAtOnce is how many partitions are asked at once.
const auditAtOnce = 64

// lookAt reads the newest lines of a window from all its partitions, newest first. If that
// are not all, the window ends after the last of them.
func (e *Engine) lookAt(ctx context.Context, w *auditWindow) (lines []store.AuditLine, err error) {
	outputs := make([]*dynamodb.QueryOutput, len(w.partitions))
	asking, ctx := errgroup.WithContext(ctx)
	asking.SetLimit(auditAtOnce)
	for n, partition := range w.partitions {
		asking.Go(func() (err error) {
			outputs[n], err = e.queryLines(ctx, w, partition)
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		return nil, fmt.Errorf("query audit lines: %w", err)
	}
	for _, output := range outputs {
		if last := output.LastEvaluatedKey; len(last) > 0 {
			w.oldest = max(w.oldest, store.AuditPosition(textOf(last, "sk")))
		}
	}
	for _, output := range outputs {
		for _, found := range output.Items {
			id := store.AuditPosition(textOf(found, "sk"))
			if id < w.oldest || id >= w.newest {
				continue
			}
			var line store.AuditLine
			if err := json.Unmarshal([]byte(textOf(found, "line")), &line); err != nil {
				return nil, fmt.Errorf("decode audit line: %w", err)
			}
			lines = append(lines, line)
		}
	}
	slices.SortFunc(lines, func(x, y store.AuditLine) int { return cmp.Compare(y.ID, x.ID) })
	return lines, nil
}

func (e *Engine) queryLines(ctx context.Context, w *auditWindow, partition string) (*dynamodb.QueryOutput, error) {
	// Of several shards each has its share of the lines, about. The range includes both its
	// ends, and so perhaps one line that is not wanted.
	share := w.limit + 1
	if len(w.partitions) > 1 {
		share = min(share, 2*w.limit/auditShards+8)
	}
	input := &dynamodb.QueryInput{
		TableName:                 aws.String(e.cfg.AuditTable),
		KeyConditionExpression:    aws.String("#partition = :partition AND sk BETWEEN :oldest AND :newest"),
		ExpressionAttributeNames:  map[string]string{"#partition": "pk", "#line": "line"},
		ExpressionAttributeValues: item{":partition": text(partition), ":oldest": text(string(w.oldest)), ":newest": text(string(w.newest))},
		ProjectionExpression:      aws.String("sk, #line"),
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(int32(min(share, 1000))), //nolint:gosec // bounded just here
	}
	if w.index.name != "" {
		input.IndexName, input.ExpressionAttributeNames["#partition"] = aws.String(w.index.name), w.index.attribute
	}
	return e.cfg.Client.Query(ctx, input)
}
