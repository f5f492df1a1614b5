package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
)

// series are the metrics that there are: namespace and name, with the sets of
// dimensions, sorted and with commas in between.
type series map[string][]string

func (s series) add(namespace, name string, dimensions []string) {
	key := namespace + " " + name
	s[key] = append(s[key], strings.Join(slices.Sorted(slices.Values(dimensions)), ","))
}

// known are the metrics of AWS that alarms and dashboard look at ("Using CloudWatch
// metrics with Lambda", "HTTP API metrics", "DynamoDB metrics and dimensions"), and
// our own as package metrics writes them.
func known() (series, error) {
	all := series{}
	for _, name := range []string{"Invocations", "Errors", "Throttles", "Duration"} {
		all.add("AWS/Lambda", name, []string{"FunctionName"})
	}
	for _, name := range []string{"Count", "4xx", "5xx"} {
		all.add("AWS/ApiGateway", name, []string{"ApiId"})
	}
	for _, name := range []string{"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits", "ReadThrottleEvents", "WriteThrottleEvents"} {
		all.add("AWS/DynamoDB", name, []string{"TableName"})
		all.add("AWS/DynamoDB", name, []string{"TableName", "GlobalSecondaryIndexName"})
	}
	var line bytes.Buffer
	slog.New(slog.NewJSONHandler(&line, nil)).LogAttrs(context.Background(), slog.LevelInfo, "", metrics.Attributes("service", time.Unix(0, 0),
		metrics.SignIns(string(apierr.WeComBusy)), metrics.WeComErrors(metrics.NoAnswer), metrics.WeComDuration(0),
		metrics.InternalErrors(0, "callback"), metrics.SigningKeyAge(0))...)
	var written struct {
		Metadata struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(line.Bytes(), &written); err != nil {
		return nil, fmt.Errorf("read own metrics: %w", err)
	}
	for _, directive := range written.Metadata.CloudWatchMetrics {
		for _, metric := range directive.Metrics {
			for _, set := range directive.Dimensions {
				all.add(directive.Namespace, metric.Name, set)
			}
		}
	}
	return all, nil
}

// metric is one that is looked at.
type metric struct {
	namespace, name string
	dimensions      map[string]string
}

func (m metric) String() string {
	pairs := make([]string, 0, len(m.dimensions))
	for _, name := range slices.Sorted(maps.Keys(m.dimensions)) {
		pairs = append(pairs, name+"="+m.dimensions[name])
	}
	return m.namespace + " " + m.name + "{" + strings.Join(pairs, ",") + "}"
}

// fault says why there is no such metric.
func (m metric) fault(all series, service string) string {
	sets, there := all[m.namespace+" "+m.name]
	if !there {
		return fmt.Sprintf("there is no metric %s %s", m.namespace, m.name)
	}
	if set := strings.Join(slices.Sorted(maps.Keys(m.dimensions)), ","); !slices.Contains(sets, set) {
		return fmt.Sprintf("%s %s has no dimensions %q, but %q", m.namespace, m.name, set, sets)
	}
	functions, names, indexes := []string{}, []string{}, []string{}
	for id := range contract.Functions() {
		functions = append(functions, "${"+id+"}")
		names = append(names, strings.ToLower(strings.TrimSuffix(id, "Function")))
	}
	for index := range contract.Tables()["TransientTable"].Indexes {
		indexes = append(indexes, index)
	}
	values := map[string][]string{
		"ApiId": {"${Api}"}, "FunctionName": functions, "Function": names, "Service": {service},
		"TableName": {"${DirectoryTable}", "${TransientTable}"}, "GlobalSecondaryIndexName": indexes,
		"Outcome": {string(apierr.WeComBusy), string(apierr.WeComConfiguration), string(apierr.WeComUnavailable)},
	}
	for _, name := range slices.Sorted(maps.Keys(m.dimensions)) {
		if value := m.dimensions[name]; value != anyValue && !slices.Contains(values[name], value) {
			return fmt.Sprintf("%s %s never has %s %s", m.namespace, m.name, name, value)
		}
	}
	return ""
}

// serviceName is the value of the dimension Service in a template.
func (s stack) serviceName(t written) string {
	if t.name == s.main.name {
		return "${AWS::StackName}"
	}
	return "${ServiceName}"
}

// checkAlarms wants every alarm to be about something that is measured, to tell
// somebody, and to say what to do; and every function to be watched.
func checkAlarms(s stack) []string {
	var f faults
	all, err := known()
	if err != nil {
		return []string{err.Error()}
	}
	chapters := s.chapters(&f)
	watched := map[string]bool{}
	for _, t := range s.templates() {
		sorted(t.resources("AWS::CloudWatch::Alarm"), func(id string, r resource) {
			p := r.properties
			actions := list(p["AlarmActions"])
			if topic, _ := text(append(actions, nil)[0]); len(actions) != 1 || topic != "${AlarmTopic}" {
				f.add("%s: AlarmActions must be AlarmTopic; otherwise nobody is told", id)
			}
			if enabled := p["ActionsEnabled"]; enabled != nil && enabled != "true" {
				f.add("%s: ActionsEnabled is %v, so nobody is told", id, enabled)
			}
			if r.attributes["Condition"] != nil {
				f.add("%s: no choice may end an alarm", id)
			}
			description, _ := text(p["AlarmDescription"])
			link := chapter.FindStringSubmatch(description)
			switch {
			case link == nil:
				f.add("%s: AlarmDescription must end with the address of its chapter of docs/operations.md", id)
			case chapters != nil && !slices.Contains(chapters, link[1]):
				f.add("%s: AlarmDescription leads to %s, which docs/operations.md does not have in both languages", id, link[1])
			}
			seen := map[string]bool{}
			for _, m := range alarmMetrics(id, p, &f) {
				if fault := m.fault(all, s.serviceName(t)); fault != "" {
					f.add("%s: %s", id, fault)
				}
				if seen[m.String()] {
					f.add("%s looks at %s twice", id, m)
				}
				seen[m.String()], watched[m.String()] = true, true
			}
			if len(seen) == 0 {
				f.add("%s looks at nothing", id)
			}
		})
	}
	sorted(contract.Functions(), func(id string, _ contract.Function) {
		if crash := (metric{"AWS/Lambda", "Errors", map[string]string{"FunctionName": "${" + id + "}"}}); !watched[crash.String()] {
			f.add("%s could crash and no alarm would say so", id)
		}
	})
	return f
}

// An alarm must ring, and in time: from so many failures on, or milliseconds, and
// after so many periods of so many seconds. What an alarm counts is for its own text;
// these are the highest of all.
const (
	highestThreshold = 5
	slowestDuration  = 10_000
	longestPeriod    = 3600
	mostPeriods      = 3
)

// checkAlarmLimits refuses alarms that can never ring, or always do.
func checkAlarmLimits(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.resources("AWS::CloudWatch::Alarm"), func(id string, r resource) {
			limit := func(name string, value any, lowest, highest float64) {
				written, _ := value.(string)
				if n, err := strconv.ParseFloat(written, 64); err != nil || n < lowest || n > highest {
					f.add("%s: %s is %q, but must be a number from %v to %v", id, name, written, lowest, highest)
				}
			}
			p := r.properties
			// "At least 0" would always ring; "more than 0" does not.
			highest, lowest := float64(highestThreshold), 1.0
			if p["MetricName"] == "Duration" {
				highest = slowestDuration
			}
			if p["ComparisonOperator"] == "GreaterThanThreshold" {
				lowest = 0
			}
			limit("Threshold", p["Threshold"], lowest, highest)
			limit("EvaluationPeriods", p["EvaluationPeriods"], 1, mostPeriods)
			// Failures are counted; durations have a percentile, ages a maximum.
			statistic := func(value any) {
				if value != "Sum" && value != "Maximum" {
					f.add("%s: the statistic %v would hide failures among successes", id, value)
				}
			}
			if p["Metrics"] == nil {
				limit("Period", p["Period"], 1, longestPeriod)
				if p["MetricName"] != "Duration" {
					statistic(p["Statistic"])
				}
			}
			compared := 0
			for _, query := range list(p["Metrics"]) {
				if at(query, "ReturnData") == "true" && at(query, "Expression") != nil {
					compared++
				}
				if stat := at(query, "MetricStat"); stat != nil {
					limit("Period", at(stat, "Period"), 1, longestPeriod)
					statistic(at(stat, "Stat"))
				}
			}
			if p["Metrics"] != nil && compared != 1 {
				f.add("%s compares %d expressions with its threshold, not one", id, compared)
			}
			if topic, _ := text(append(list(p["OKActions"]), nil)[0]); len(list(p["OKActions"])) != 1 || topic != "${AlarmTopic}" {
				f.add("%s: OKActions must be AlarmTopic; who was told of the fault must hear of its end", id)
			}
			if operator, _ := p["ComparisonOperator"].(string); operator != "GreaterThanThreshold" && operator != "GreaterThanOrEqualToThreshold" {
				f.add("%s: ComparisonOperator is %q; it must ring when there is more", id, operator)
			}
			if p["TreatMissingData"] != "notBreaching" {
				f.add("%s: TreatMissingData must be notBreaching; nothing is written where nothing fails", id)
			}
		})
	}
	return f
}

var (
	chapter = regexp.MustCompile(`https://github\.com/wecom-signin/wecom-signin/blob/main/docs/operations\.md#([a-z-]+)$`)
	heading = regexp.MustCompile("(?m)^### `([a-z-]+)`$")
)

// chapters are what the guide for operators has about alarms, in both languages.
func (s stack) chapters(f *faults) []string {
	var both []string
	for i, name := range []string{"operations.md", "operations.zh-CN.md"} {
		content, err := os.ReadFile(filepath.Join(filepath.Dir(s.path), "docs", name)) //nolint:gosec // beside the operator's own template
		if err != nil {
			f.add("read the guide that alarms name: %v", err)
			return nil
		}
		var found []string
		for _, match := range heading.FindAllSubmatch(content, -1) {
			if chapter := string(match[1]); i == 0 || slices.Contains(both, chapter) {
				found = append(found, chapter)
			}
		}
		both = found
	}
	return both
}

// alarmMetrics returns what an alarm looks at, by itself or in an expression.
func alarmMetrics(id string, p map[string]any, f *faults) []metric {
	if p["Metrics"] == nil {
		return []metric{readMetric(p)}
	}
	var found []metric
	var ids, expressions []string
	for _, query := range list(p["Metrics"]) {
		if expression, ok := text(at(query, "Expression")); ok {
			expressions = append(expressions, expression)
			continue
		}
		name, _ := at(query, "Id").(string)
		ids = append(ids, name)
		found = append(found, readMetric(object(at(query, "MetricStat", "Metric"))))
	}
	for _, name := range ids {
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(strings.Join(expressions, " ")) {
			f.add("%s: %s is in no expression", id, name)
		}
	}
	return found
}

func readMetric(written map[string]any) metric {
	m := metric{dimensions: map[string]string{}}
	m.namespace, _ = written["Namespace"].(string)
	m.name, _ = written["MetricName"].(string)
	for _, dimension := range list(written["Dimensions"]) {
		name, _ := at(dimension, "Name").(string)
		m.dimensions[name], _ = text(at(dimension, "Value"))
	}
	return m
}

// checkDashboard wants pictures of metrics that there are. CloudWatch takes any text
// for a dashboard's body and shows empty pictures.
func checkDashboard(s stack) []string {
	var f faults
	all, err := known()
	if err != nil {
		return []string{err.Error()}
	}
	for _, t := range s.templates() {
		sorted(t.resources("AWS::CloudWatch::Dashboard"), func(id string, r resource) {
			body, _ := text(r.properties["DashboardBody"])
			var board struct {
				Widgets []struct {
					Type       string
					Properties struct {
						Title   string
						Metrics [][]any
					}
				}
			}
			decoder := json.NewDecoder(strings.NewReader(body))
			if err := decoder.Decode(&board); err != nil {
				f.add("%s: DashboardBody is no JSON: %v", id, err)
				return
			}
			if decoder.More() || len(board.Widgets) == 0 {
				f.add("%s: DashboardBody must be one object with widgets", id)
			}
			for _, w := range board.Widgets {
				if w.Type != "metric" || len(w.Properties.Metrics) == 0 {
					f.add("%s: %q shows no metrics", id, w.Properties.Title)
				}
				var before []string
				for _, row := range w.Properties.Metrics {
					var m metric
					if m, before = rowMetric(row, before); m.name == "" {
						f.add("%s: %q has a row without a metric: %v", id, w.Properties.Title, row)
						continue
					}
					if fault := m.fault(all, s.serviceName(t)); fault != "" {
						f.add("%s: %q: %s", id, w.Properties.Title, fault)
					}
				}
			}
		})
	}
	return f
}

// search is the expression that finds all values of a dimension: the namespace with
// its dimensions, the name, and the value of Service.
var search = regexp.MustCompile(`^SEARCH\('\{([A-Za-z]+),([A-Za-z,]+)\} MetricName="([A-Za-z]+)" Service="([^"]+)"', '[A-Za-z]+', [0-9]+\)$`)

// rowMetric reads a row of a widget: namespace, name, and dimensions with values. A
// dot stands for what the row before has in this place, three for all that it has in
// front ("Dashboard body structure and syntax" in the CloudWatch API reference).
func rowMetric(row []any, before []string) (metric, []string) {
	var fields []string
	for _, element := range row {
		switch element := element.(type) {
		case string:
			switch {
			case element == "...":
				rest := 0
				for _, other := range row[1:] {
					if _, isText := other.(string); isText {
						rest++
					}
				}
				fields = append(fields, before[:max(0, len(before)-rest)]...)
			case element == "." && len(fields) < len(before):
				fields = append(fields, before[len(fields)])
			default:
				fields = append(fields, element)
			}
		case map[string]any:
			expression, _ := element["expression"].(string)
			if match := search.FindStringSubmatch(expression); match != nil {
				return searchMetric(match), before
			}
		}
	}
	if len(fields) < 2 || len(fields)%2 != 0 {
		return metric{}, before
	}
	m := metric{namespace: fields[0], name: fields[1], dimensions: map[string]string{}}
	for i := 2; i < len(fields); i += 2 {
		m.dimensions[fields[i]] = fields[i+1]
	}
	return m, fields
}

// searchMetric is what a search looks for; it takes any value of the dimensions other
// than Service.
func searchMetric(match []string) metric {
	m := metric{namespace: match[1], name: match[3], dimensions: map[string]string{}}
	for dimension := range strings.SplitSeq(match[2], ",") {
		m.dimensions[dimension] = anyValue
	}
	m.dimensions["Service"] = match[4]
	return m
}

// anyValue stands for every value of a dimension.
const anyValue = "*"
