package permissions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// RecorderConfig is what NewRecorder needs.
type RecorderConfig struct {
	// DynamoDB and SecretsManager are where requests go on to.
	DynamoDB       string
	SecretsManager string
	// Partition, Region and Account are what ARNs have in common.
	Partition string
	Region    string
	Account   string
	// Allows decides as IAM does: a request with a call that is not allowed is refused.
	// Nil: everything goes on. Role.Allows is one.
	Allows func(Call) bool
}

// Recorder is an HTTP handler between one function and AWS: it writes down which
// permissions the requests need, and hands them on.
type Recorder struct {
	cfg     RecorderConfig
	servers map[string]*httputil.ReverseProxy

	mu     sync.Mutex
	calls  []Call
	faults []error
}

// NewRecorder returns a recorder that has seen nothing.
func NewRecorder(cfg RecorderConfig) (*Recorder, error) {
	r := &Recorder{cfg: cfg, servers: map[string]*httputil.ReverseProxy{}}
	for service, address := range map[string]string{"DynamoDB_20120810": cfg.DynamoDB, "secretsmanager": cfg.SecretsManager} {
		target, err := url.Parse(address)
		if err != nil || target.Host == "" {
			return nil, fmt.Errorf("make recorder: %q is no address of %s", address, service)
		}
		r.servers[service] = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(target) }}
	}
	return r, nil
}

// Calls returns what was seen. The error joins the requests that were not understood
// and the calls that were refused.
func (r *Recorder) Calls() ([]Call, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls), errors.Join(r.faults...)
}

const longestBody = 32 << 20

// ServeHTTP implements http.Handler. A request that is not understood or not allowed
// goes nowhere.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	service, operation, _ := strings.Cut(request.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(io.LimitReader(request.Body, longestBody))
	var calls []Call
	if err == nil {
		calls, err = r.read(service, operation, body)
	}
	kind := "ValidationException"
	if refused := slices.IndexFunc(calls, func(c Call) bool { return r.cfg.Allows != nil && !r.cfg.Allows(c) }); err == nil && refused >= 0 {
		kind, err = "AccessDeniedException", fmt.Errorf("refused: %v", calls[refused].Grants(nil))
	}
	r.mu.Lock()
	if err != nil {
		// Neither body nor query: they hold secrets.
		r.faults = append(r.faults, fmt.Errorf("%s %s: %w", service, operation, err))
	}
	r.calls = append(r.calls, calls...)
	r.mu.Unlock()
	if err != nil {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"the recorder lets nothing of this through"}`, kind)
		return
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	r.servers[service].ServeHTTP(w, request)
}

func (r *Recorder) read(service, operation string, body []byte) ([]Call, error) {
	var calls []Call
	var err error
	switch service {
	case "DynamoDB_20120810":
		calls, err = r.dynamo(operation, body)
	case "secretsmanager":
		calls, err = r.secret(operation, body)
	default:
		return nil, errors.New("unknown service")
	}
	if err == nil && len(calls) == 0 {
		err = errors.New("it names nothing")
	}
	return calls, err
}

// record is a key or an item; only the text of the partition key is looked at.
type record map[string]struct{ S string }

// partitionKey is the one of both tables.
const partitionKey = "pk"

// write is one item of a request that writes.
type write struct {
	TableName string
	Key, Item record
}

func (r *Recorder) item(action string, w write) (Call, error) {
	key := w.Key[partitionKey].S
	if key == "" {
		key = w.Item[partitionKey].S
	}
	if w.TableName == "" || key == "" {
		return Call{}, errors.New("an item without table or key")
	}
	return Call{Action: "dynamodb:" + action, Resource: r.arn("dynamodb", "table/"+w.TableName), Keys: []string{key}}, nil
}

func (r *Recorder) dynamo(operation string, body []byte) (calls []Call, err error) {
	add := func(action string, w write) error {
		call, err := r.item(action, w)
		same := func(c Call) bool { return c.Action == call.Action && c.Resource == call.Resource }
		if i := slices.IndexFunc(calls, same); i >= 0 {
			calls[i].Keys = append(calls[i].Keys, call.Keys...)
		} else {
			calls = append(calls, call)
		}
		return err
	}
	switch operation {
	case "GetItem", "PutItem", "UpdateItem", "DeleteItem":
		var w write
		if err := json.Unmarshal(body, &w); err != nil {
			return nil, errors.New("no JSON")
		}
		return calls, add(operation, w)
	case "TransactWriteItems":
		// What IAM calls the parts of a transaction.
		action := map[string]string{"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
		var transaction struct{ TransactItems []map[string]write }
		if err := json.Unmarshal(body, &transaction); err != nil {
			return nil, errors.New("no JSON")
		}
		for _, element := range transaction.TransactItems {
			for kind, w := range element {
				if action[kind] == "" {
					return nil, errors.New("unknown part of a transaction")
				}
				if err := add(action[kind], w); err != nil {
					return nil, err
				}
			}
		}
		return calls, nil
	case "BatchGetItem":
		var batch struct {
			RequestItems map[string]struct{ Keys []record }
		}
		if err := json.Unmarshal(body, &batch); err != nil {
			return nil, errors.New("no JSON")
		}
		for table, wanted := range batch.RequestItems {
			call := Call{Action: "dynamodb:BatchGetItem", Resource: r.arn("dynamodb", "table/"+table)}
			for _, key := range wanted.Keys {
				if key[partitionKey].S == "" {
					return nil, errors.New("an item without key")
				}
				call.Keys = append(call.Keys, key[partitionKey].S)
			}
			slices.Sort(call.Keys)
			call.Keys = slices.Compact(call.Keys)
			calls = append(calls, call)
		}
		return calls, nil
	case "Query":
		call, err := r.query(body)
		return []Call{call}, err
	}
	// PartiQL, scans and whatever is new: a function has to do without, or somebody
	// has to say here what it needs.
	return nil, errors.New("unknown operation")
}

// equality is the part of a KeyConditionExpression about the partition key.
var equality = regexp.MustCompile(`(#?[A-Za-z0-9_]+) = (:[A-Za-z0-9_]+)`)

func (r *Recorder) query(body []byte) (Call, error) {
	var q struct {
		TableName, IndexName, KeyConditionExpression string
		ExpressionAttributeNames                     map[string]string
		ExpressionAttributeValues                    record
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return Call{}, errors.New("no JSON")
	}
	found := equality.FindAllStringSubmatch(q.KeyConditionExpression, -1)
	if len(found) != 1 {
		return Call{}, errors.New("a query without one partition key")
	}
	attribute, key := found[0][1], q.ExpressionAttributeValues[found[0][2]].S
	if name, ok := q.ExpressionAttributeNames[attribute]; ok {
		attribute = name
	}
	if q.TableName == "" || key == "" || (attribute == partitionKey) != (q.IndexName == "") {
		return Call{}, errors.New("a query without table or key")
	}
	resource := "table/" + q.TableName
	if q.IndexName != "" {
		resource += "/index/" + q.IndexName
	}
	return Call{Action: "dynamodb:Query", Resource: r.arn("dynamodb", resource), Keys: []string{key}}, nil
}

func (r *Recorder) secret(operation string, body []byte) ([]Call, error) {
	var named struct {
		SecretID string `json:"SecretId"`
		Name     string
	}
	if err := json.Unmarshal(body, &named); err != nil {
		return nil, errors.New("no JSON")
	}
	name := named.SecretID
	if operation == "CreateSecret" {
		name = named.Name
	}
	if name == "" {
		return nil, errors.New("a request without a secret")
	}
	if !strings.HasPrefix(name, "arn:") {
		// IAM judges the ARN, which ends in six letters of AWS's choice.
		name = r.arn("secretsmanager", "secret:"+name+"-AbCdEf")
	}
	return []Call{{Action: "secretsmanager:" + operation, Resource: name}}, nil
}

func (r *Recorder) arn(service, resource string) string {
	return strings.Join([]string{"arn", r.cfg.Partition, service, r.cfg.Region, r.cfg.Account, resource}, ":")
}
