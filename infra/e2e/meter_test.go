package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"sync"
	"time"
)

// Usage is what functions asked of AWS: calls, and DynamoDB's capacity units.
type Usage struct {
	SecretsManager, DynamoDB int
	// InSeries is the longest chain of DynamoDB's calls that waited for one another.
	InSeries              int
	ReadUnits, WriteUnits float64
}

// Meter stands between functions and AWS, and counts. It is for concurrent use.
type Meter struct {
	// Delay is added to every call of DynamoDB. Calls that begin within it count as begun
	// at once.
	Delay time.Duration

	mu    sync.Mutex
	usage Usage
}

// Take returns what has been used since it was last asked.
func (m *Meter) Take() Usage {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := m.usage
	m.usage = Usage{}
	return taken
}

func (m *Meter) add(u Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.usage.SecretsManager += u.SecretsManager
	m.usage.DynamoDB += u.DynamoDB
	m.usage.InSeries = max(m.usage.InSeries, u.InSeries)
	m.usage.ReadUnits += u.ReadUnits
	m.usage.WriteUnits += u.WriteUnits
}

// SecretsManager answers GetSecretValue with values by the secret's name.
func (m *Meter) SecretsManager(values map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		m.add(Usage{SecretsManager: 1})
		var asked struct{ SecretId, VersionId string } //nolint:staticcheck // AWS's own spelling
		_ = json.NewDecoder(r.Body).Decode(&asked)
		_ = json.NewEncoder(w).Encode(map[string]string{"Name": asked.SecretId, "SecretString": values[asked.SecretId], "VersionId": asked.VersionId})
	}
}

var (
	readOperation = regexp.MustCompile(`\.(Query|GetItem|BatchGetItem)$`)
	capacityUnits = regexp.MustCompile(`"CapacityUnits":([0-9.]+)`)
)

// DynamoDB passes calls on to an endpoint, and asks what each of them consumes. A GET is
// not a call: it opens a function's connection.
func (m *Meter) DynamoDB(endpoint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		m.mu.Lock()
		used := Usage{DynamoDB: 1, InSeries: m.usage.InSeries + 1}
		m.mu.Unlock()
		time.Sleep(m.Delay)
		asked := map[string]any{}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		asked["ReturnConsumedCapacity"] = "TOTAL"
		encoded, _ := json.Marshal(asked) // it was JSON
		next, err := http.NewRequestWithContext(r.Context(), http.MethodPost, endpoint, bytes.NewReader(encoded))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		next.Header = r.Header.Clone()
		response, err := http.DefaultTransport.RoundTrip(next)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		units := &used.WriteUnits
		if readOperation.MatchString(r.Header.Get("X-Amz-Target")) {
			units = &used.ReadUnits
		}
		for _, found := range capacityUnits.FindAllSubmatch(body, -1) {
			var one float64
			_, _ = fmt.Sscan(string(found[1]), &one)
			*units += one
		}
		m.add(used)
		maps.Copy(w.Header(), response.Header)
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(body)
	}
}
