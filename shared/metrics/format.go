package metrics

import (
	"log/slog"
	"time"
)

// The metadata of the format, member by member.
type (
	metadata struct {
		Timestamp int64       `json:"Timestamp"` // milliseconds since 1970
		Metrics   []directive `json:"CloudWatchMetrics"`
	}
	directive struct {
		Namespace  string       `json:"Namespace"`
		Dimensions [][]string   `json:"Dimensions"`
		Metrics    []definition `json:"Metrics"`
	}
	definition struct {
		Name string `json:"Name"`
		Unit string `json:"Unit"`
	}
)

// Attributes returns the members of a log record that carry metrics: the metadata, and
// the values and dimensions that it names. It returns nothing for a deployment without a
// name, or without measurements. No two measurements may be of the same metric.
func Attributes(serviceName string, at time.Time, measured ...Measurement) []slog.Attr {
	if serviceName == "" || len(measured) == 0 {
		return nil
	}
	described := metadata{Timestamp: at.UnixMilli()}
	members := []slog.Attr{slog.String(service, serviceName)}
	written := map[string]bool{}
	for _, m := range measured {
		described.Metrics = append(described.Metrics, directive{
			Namespace: Namespace, Dimensions: m.dimensions(), Metrics: []definition{{m.name, m.unit}},
		})
		if m.dimension != "" && !written[m.dimension] {
			written[m.dimension] = true
			members = append(members, slog.String(m.dimension, m.member))
		}
		if m.version != "" {
			members = append(members, slog.String(published, m.version))
		}
		members = append(members, slog.Float64(m.name, m.value))
	}
	return append(members, slog.Any("_aws", described))
}

func (m Measurement) dimensions() [][]string {
	switch {
	case m.dimension == "":
		return [][]string{{service}}
	case m.version != "":
		return [][]string{{service}, {service, m.dimension}, {service, m.dimension, published}}
	case m.both:
		return [][]string{{service}, {service, m.dimension}}
	default:
		return [][]string{{service, m.dimension}}
	}
}
