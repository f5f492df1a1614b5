package awsstack

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Answer is what a service of AWS says, in XML or JSON.
type Answer []byte

// Call asks a service as the root user, without an SDK for each: tests ask ten services
// a question or two. Target is the value of X-Amz-Target for services that speak JSON.
// Any status but a success ends the test.
func (a *Account) Call(t testing.TB, service, method, path, target string, body []byte) Answer {
	t.Helper()
	answer, err := a.call(t, service, method, path, target, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Query asks a service that takes forms.
func (a *Account) Query(t testing.TB, service, version, action string, fields url.Values) Answer {
	t.Helper()
	answer, err := a.TryQuery(t, service, version, action, fields)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TryQuery is Query for a question that may be refused; the error has the answer in it.
func (a *Account) TryQuery(t testing.TB, service, version, action string, fields url.Values) (Answer, error) {
	form := url.Values{"Action": {action}, "Version": {version}}
	for name, values := range fields {
		form[name] = values
	}
	return a.call(t, service, http.MethodPost, "/", "", []byte(form.Encode()))
}

func (a *Account) call(t testing.TB, service, method, path, target string, body []byte) (Answer, error) {
	r, err := http.NewRequestWithContext(t.Context(), method, a.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	switch {
	case target != "":
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", target)
	case path == "/":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	credentials, err := a.SDK().Credentials.Retrieve(t.Context())
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(body)
	sum := hex.EncodeToString(hash[:])
	r.Header.Set("X-Amz-Content-Sha256", sum)
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, sum, service, Region, time.Now()); err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, fmt.Errorf("%s %s%s: %d %s", service, path, target, response.StatusCode, answer)
	}
	return answer, nil
}

// Decode reads an answer in JSON.
func (a Answer) Decode(t testing.TB, value any) {
	t.Helper()
	if err := json.Unmarshal(a, value); err != nil {
		t.Fatalf("%v in %s", err, a)
	}
}

// Values returns the texts that an answer gives under a name, in order.
func (a Answer) Values(t testing.TB, name string) (found []string) {
	t.Helper()
	if !bytes.HasPrefix(bytes.TrimSpace(a), []byte("<")) {
		var value any
		a.Decode(t, &value)
		return textsOf(value, name)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(a)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == name {
			var text string
			err = decoder.DecodeElement(&text, &start)
			found = append(found, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func textsOf(value any, name string) (found []string) {
	switch value := value.(type) {
	case []any:
		for _, entry := range value {
			found = append(found, textsOf(entry, name)...)
		}
	case map[string]any:
		if text, ok := value[name].(string); ok {
			found = append(found, text)
		}
		for _, entry := range value {
			found = append(found, textsOf(entry, name)...)
		}
	}
	return found
}

// Pairs is Values of two names that come together, the first leading to the second.
func (a Answer) Pairs(t testing.TB, key, value string) map[string]string {
	t.Helper()
	keys, values := a.Values(t, key), a.Values(t, value)
	if len(keys) != len(values) {
		t.Fatalf("%d times %s and %d times %s in %s", len(keys), key, len(values), value, a)
	}
	pairs := map[string]string{}
	for i, key := range keys {
		pairs[key] = values[i]
	}
	return pairs
}
