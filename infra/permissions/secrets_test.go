package permissions_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// secrets stands in for Secrets Manager: what is asked for counts here, and an answer
// that lets the functions go on. What AWS promises is tested in shared/secret.
type secrets struct {
	url string

	mu    sync.Mutex
	known map[string]*storedSecret // by name
}

type storedSecret struct {
	values map[string]string // by version
	labels map[string]string // to a version
}

func startSecrets(t *testing.T) *secrets {
	t.Helper()
	s := &secrets{known: map[string]*storedSecret{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// arn is of a name; the six letters are always the same here.
func (s *secrets) arn(name string) string {
	return "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + name + "-AbCdEf"
}

func (s *secrets) put(name, version, value string, labels ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[name] == nil {
		s.known[name] = &storedSecret{values: map[string]string{}, labels: map[string]string{}}
	}
	s.known[name].values[version] = value
	for _, label := range labels {
		s.known[name].labels[label] = version
	}
}

func (s *secrets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		SecretID           string `json:"SecretId"`
		Name               string
		ClientRequestToken string
		SecretString       string
		VersionID          string `json:"VersionId"`
		VersionStage       string
		VersionStages      []string
		MoveToVersionID    string `json:"MoveToVersionId"`
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	name := asked.SecretID + asked.Name
	if _, rest, ok := strings.Cut(name, ":secret:"); ok {
		name = strings.TrimSuffix(rest, "-AbCdEf")
	}
	labels := asked.VersionStages
	if len(labels) == 0 {
		labels = []string{"AWSCURRENT"}
	}
	if operation == "CreateSecret" {
		s.put(name, asked.ClientRequestToken, asked.SecretString, labels...)
	}
	s.mu.Lock()
	secret, known := s.known[name]
	s.mu.Unlock()
	answer := map[string]any{"ARN": s.arn(name), "Name": name}
	found := known
	switch {
	case !known:
	case operation == "GetSecretValue":
		s.mu.Lock()
		version := asked.VersionID
		if version == "" {
			version = secret.labels[asked.VersionStage]
		}
		answer["SecretString"], found = secret.values[version], secret.values[version] != ""
		s.mu.Unlock()
	case operation == "PutSecretValue":
		s.put(name, asked.ClientRequestToken, asked.SecretString, labels...)
	case operation == "UpdateSecretVersionStage":
		s.mu.Lock()
		secret.labels[asked.VersionStage] = asked.MoveToVersionID
		s.mu.Unlock()
	case operation == "DescribeSecret":
		s.mu.Lock()
		stages := map[string][]string{}
		for label, version := range secret.labels {
			stages[version] = append(stages[version], label)
		}
		answer["VersionIdsToStages"] = stages
		s.mu.Unlock()
	case operation == "DeleteSecret":
		s.mu.Lock()
		delete(s.known, name)
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if !found {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"__type": "ResourceNotFoundException", "message": "absent"}
	}
	_ = json.NewEncoder(w).Encode(answer)
}
