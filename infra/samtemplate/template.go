package samtemplate

import "time"

// Template is a SAM template, with what is nested in it.
type Template struct {
	// Parameters and Outputs are the names of the template's own, sorted.
	Parameters, Outputs []string
	// CommonVariables are those that the Globals give to every function, sorted.
	CommonVariables []string
	// Functions by logical id.
	Functions map[string]Function
	// Authorizers by their name in the template.
	Authorizers map[string]Authorizer
	// Routes in the order of functions and events.
	Routes []Route
	// Throttles by route key.
	Throttles map[string]Throttle
	// Resources of the template and of the nested ones, by type: logical ids, sorted.
	Resources map[string][]string
	// Alarms of the template and of the nested ones, by logical id.
	Alarms map[string]Alarm
}

// Function is one AWS::Serverless::Function.
type Function struct {
	CodeURI string
	// Timeout ends an invocation.
	Timeout time.Duration
	// MemorySize is in megabytes.
	MemorySize int
	// Variables are the names of its environment variables, sorted.
	Variables []string
}

// Authorizer is one Lambda authorizer of the API.
type Authorizer struct {
	Function string // logical id
	// Headers must all be there, or the caller is refused without a question.
	Headers []string
}

// Route leads requests to a function.
type Route struct {
	Method     string // upper case, or ANY; empty for $default
	Path       string // empty for $default
	Function   string // logical id
	Authorizer string // name, or empty
}

// Key returns the route key, such as "GET /signin" or "$default".
func (r Route) Key() string {
	if r.Path == "" {
		return "$default"
	}
	return r.Method + " " + r.Path
}

// Throttle bounds the requests of a route.
type Throttle struct {
	Rate  int `yaml:"ThrottlingRateLimit"`  // a second
	Burst int `yaml:"ThrottlingBurstLimit"` // at once
}

// Alarm is one AWS::CloudWatch::Alarm.
type Alarm struct {
	// Description is as it is written, with the variables of a !Sub.
	Description string
	// Metrics is how many metrics it watches; each is paid for.
	Metrics int
}
