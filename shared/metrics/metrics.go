package metrics

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Namespace is the CloudWatch namespace of every deployment's metrics; the dimension
// Service distinguishes deployments.
const Namespace = "WeComSignIn"

// The dimensions.
const (
	service   = "Service"   // the setting SERVICE_NAME
	outcome   = "Outcome"   // how a request at the callback ended
	weComCode = "WeComCode" // WeCom's number
	function  = "Function"  // name of a function
	published = "Version"   // number of a published version of a function
)

// The units in use.
const (
	count        = "Count"
	milliseconds = "Milliseconds"
	none         = "None"
)

// Measurement is one value of one metric.
type Measurement struct {
	name  string
	unit  string
	value float64
	// dimension is the one in addition to Service, or empty; member is its value.
	dimension, member string
	// both: the value also counts for Service alone.
	both bool
	// version: the value also counts for Service, dimension and this version.
	version string
}

// Name returns the name of the metric.
func (m Measurement) Name() string { return m.name }

// SignIns counts a request to the callback by its outcome, such as the code of an error.
func SignIns(ended string) Measurement {
	return Measurement{name: "SignIns", unit: count, value: 1, dimension: outcome, member: word(ended)}
}

// NoAnswer replaces WeCom's number when WeCom gave no usable answer.
const NoAnswer = "none"

// WeComErrors counts a request for which WeCom answered with a number other than 0,
// in decimal, or with NoAnswer.
func WeComErrors(code string) Measurement {
	return Measurement{name: "WeComErrors", unit: count, value: 1, dimension: weComCode, member: numberOf(code)}
}

// LookupsStopped counts requests in which WeCom closed the lookup of phones to a corp.
func LookupsStopped() Measurement {
	return Measurement{name: "LookupsStopped", unit: count, value: 1}
}

// WeComDuration is the time that calls to WeCom took in one request, in milliseconds.
func WeComDuration(took float64) Measurement {
	return Measurement{name: "WeComDuration", unit: milliseconds, value: took}
}

// AuditWritesFailed counts a request in which a write with a line of the audit failed.
func AuditWritesFailed() Measurement {
	return Measurement{name: "AuditWritesFailed", unit: count, value: 1}
}

// InternalErrors counts failures of the service itself in one request, for the whole
// service, for the function, and for its published version if it has one, as Lambda names
// it ("$LATEST": none). 0 says that there was a request.
func InternalErrors(failures int, of, version string) Measurement {
	if version == unpublished {
		version = ""
	}
	return Measurement{name: "InternalErrors", unit: count, value: float64(failures), dimension: function, member: word(of), both: true, version: version}
}

// unpublished is Lambda's name of the version that a function has without an alias.
const unpublished = "$LATEST"

// SigningKeyAge is how long ago the public keys were published, in days. An age below 0,
// from clocks that differ, is 0.
func SigningKeyAge(age time.Duration) Measurement {
	days := max(0, age).Hours() / 24
	return Measurement{name: "SigningKeyAge", unit: none, value: math.Round(days*100) / 100}
}

// InactiveApp counts a push by which WeCom says that it is about to switch an app off, because
// nobody uses it, or has done so.
func InactiveApp() Measurement { return Measurement{name: "InactiveApps", unit: count, value: 1} }

// Milliseconds is how durations are written in log events.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// other replaces a value that a dimension does not accept.
const other = "other"

// word returns text if it is a short name such as the service uses.
func word(text string) string {
	if text == "" || len(text) > 32 || strings.ContainsFunc(text, func(c rune) bool { return (c < 'a' || c > 'z') && c != '_' }) {
		return other
	}
	return text
}

// longestNumber is the length of WeCom's numbers (path 90313 of its documentation).
const longestNumber = 6

// numberOf bounds the values of the dimension: WeCom, or a server in its place, could
// otherwise create any number of metrics.
func numberOf(code string) string {
	digits := strings.TrimPrefix(code, "-")
	if _, err := strconv.ParseUint(digits, 10, 64); err == nil && len(code) <= longestNumber {
		return code
	}
	if code == NoAnswer {
		return code
	}
	return other
}
