package metricstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Limits of the format ("Specification: Embedded metric format", CloudWatch user
// guide) and of CloudWatch's own names (API_Dimension, API_MetricDatum).
const (
	mostMetrics      = 100 // of a directive
	mostDimensions   = 30  // of a set
	longestName      = 255
	longestNamespace = 255
	longestValue     = 1024
	longestLine      = 256 << 10 // of a log event in Lambda
)

var (
	ascii     = regexp.MustCompile(`^[ -~]*[!-~][ -~]*$`)
	namespace = regexp.MustCompile(`^[0-9A-Za-z.\-_/#:]+$`)
	units     = []string{
		"Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "Count/Second", "None",
		"Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits", "Kilobits", "Megabits", "Gigabits", "Terabits",
	}
)

type directive struct {
	Namespace  string     `json:"Namespace"`
	Dimensions [][]string `json:"Dimensions"`
	Metrics    []struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	} `json:"Metrics"`
}

// Read returns the values that CloudWatch extracts from a line, each as
//
//	Namespace Name{Dimension=value,…} value Unit
//
// in the order of the line. A line without metadata has none.
func Read(line []byte) ([]string, error) {
	if len(line) > longestLine {
		return nil, fmt.Errorf("the line has %d bytes", len(line))
	}
	members, err := root(line)
	if err != nil {
		return nil, err
	}
	raw, ok := members["_aws"]
	if !ok {
		return nil, nil
	}
	var metadata struct {
		Timestamp  *json.Number `json:"Timestamp"`
		Directives []directive  `json:"CloudWatchMetrics"`
	}
	// "objects defined by this specification MUST NOT contain any additional members"
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&metadata); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	if metadata.Timestamp == nil {
		return nil, fmt.Errorf("the metadata has no Timestamp")
	}
	if at, err := metadata.Timestamp.Int64(); err != nil || len(metadata.Timestamp.String()) != 13 {
		return nil, fmt.Errorf("the Timestamp %d is not in milliseconds since 1970", at)
	}
	if len(metadata.Directives) == 0 {
		return nil, fmt.Errorf("the metadata has no CloudWatchMetrics")
	}
	var values []string
	for _, d := range metadata.Directives {
		read, err := d.values(members)
		if err != nil {
			return nil, err
		}
		values = append(values, read...)
	}
	return values, nil
}

// root returns the members of a line, which must be one object with unique members.
func root(line []byte) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	decoder := json.NewDecoder(bytes.NewReader(line))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, fmt.Errorf("the line is not a JSON object")
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read line: %w", err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("read line: %w", err)
		}
		if _, twice := members[name.(string)]; twice {
			return nil, fmt.Errorf("the line has %v twice", name)
		}
		members[name.(string)] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("read line: %w", err)
	}
	if rest := line[decoder.InputOffset():]; len(bytes.TrimRight(rest, "\n")) > 0 {
		return nil, fmt.Errorf("after the object comes %q", rest)
	}
	return members, nil
}

func (d directive) values(members map[string]json.RawMessage) ([]string, error) {
	switch {
	case !namespace.MatchString(d.Namespace) || len(d.Namespace) > longestNamespace || strings.HasPrefix(d.Namespace, "AWS/"):
		return nil, fmt.Errorf("no namespace: %q", d.Namespace)
	case len(d.Metrics) == 0 || len(d.Metrics) > mostMetrics:
		return nil, fmt.Errorf("%d metrics in a directive", len(d.Metrics))
	case len(d.Dimensions) == 0:
		return nil, fmt.Errorf("no set of dimensions")
	}
	var values []string
	for _, metric := range d.Metrics {
		var value float64
		if err := json.Unmarshal(members[metric.Name], &value); err != nil {
			return nil, fmt.Errorf("%s is not a number at the root of the line", metric.Name)
		}
		if !ascii.MatchString(metric.Name) || len(metric.Name) > longestName || !slices.Contains(units, metric.Unit) {
			return nil, fmt.Errorf("metric %q in %q", metric.Name, metric.Unit)
		}
		for _, set := range d.Dimensions {
			pairs, err := pairs(set, members)
			if err != nil {
				return nil, err
			}
			values = append(values, fmt.Sprintf("%s %s{%s} %v %s", d.Namespace, metric.Name, pairs, value, metric.Unit))
		}
	}
	return values, nil
}

func pairs(set []string, members map[string]json.RawMessage) (string, error) {
	if len(set) == 0 || len(set) > mostDimensions {
		return "", fmt.Errorf("%d dimensions in a set", len(set))
	}
	var pairs []string
	for i, name := range set {
		var value string
		if err := json.Unmarshal(members[name], &value); err != nil {
			return "", fmt.Errorf("dimension %s is not a string at the root of the line", name)
		}
		if !ascii.MatchString(name) || strings.HasPrefix(name, ":") || len(name) > longestName || slices.Contains(set[:i], name) {
			return "", fmt.Errorf("dimension %q", name)
		}
		if !ascii.MatchString(value) || len(value) > longestValue {
			return "", fmt.Errorf("dimension %s has the value %q", name, value)
		}
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, ","), nil
}
