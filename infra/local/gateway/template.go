package gateway

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// Template is what the gateway takes from a SAM template.
type Template struct {
	// Functions by logical id.
	Functions map[string]FunctionSpec
	// Authorizers by their name in the template.
	Authorizers map[string]AuthorizerSpec
	Routes      []Route
}

// FunctionSpec is one AWS::Serverless::Function.
type FunctionSpec struct {
	CodeURI string
	// Timeout ends an invocation.
	Timeout time.Duration
	// Environment holds the names of its variables, sorted.
	Environment []string
}

// AuthorizerSpec is one Lambda authorizer of the API.
type AuthorizerSpec struct {
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

// defaultTimeout is Lambda's own when a template says nothing.
const defaultTimeout = 3 * time.Second

// The part of a template that is read. Values that may carry an intrinsic function
// stay nodes.
type (
	document struct {
		Parameters map[string]struct {
			Default yaml.Node `yaml:"Default"`
		} `yaml:"Parameters"`
		Globals struct {
			Function functionProperties `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]resource `yaml:"Resources"`
	}
	resource struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	}
	functionProperties struct {
		CodeURI     string    `yaml:"CodeUri"`
		Timeout     yaml.Node `yaml:"Timeout"`
		Environment struct {
			Variables map[string]yaml.Node `yaml:"Variables"`
		} `yaml:"Environment"`
		Events map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Events"`
	}
	eventProperties struct {
		Method string `yaml:"Method"`
		Path   string `yaml:"Path"`
		Auth   struct {
			Authorizer string `yaml:"Authorizer"`
		} `yaml:"Auth"`
		PayloadFormatVersion string `yaml:"PayloadFormatVersion"`
	}
	apiProperties struct {
		StageName         string    `yaml:"StageName"`
		CorsConfiguration yaml.Node `yaml:"CorsConfiguration"`
		DefinitionBody    yaml.Node `yaml:"DefinitionBody"`
		Auth              struct {
			DefaultAuthorizer string `yaml:"DefaultAuthorizer"`
			Authorizers       map[string]struct {
				FunctionArn                    yaml.Node `yaml:"FunctionArn"`
				AuthorizerPayloadFormatVersion string    `yaml:"AuthorizerPayloadFormatVersion"`
				EnableSimpleResponses          bool      `yaml:"EnableSimpleResponses"`
				Identity                       struct {
					Headers          []string `yaml:"Headers"`
					ReauthorizeEvery *int     `yaml:"ReauthorizeEvery"`
				} `yaml:"Identity"`
			} `yaml:"Authorizers"`
		} `yaml:"Auth"`
	}
)

// ReadTemplate reads a SAM template. The error joins everything that is missing,
// contradictory or beyond this gateway.
func ReadTemplate(r io.Reader) (*Template, error) {
	var doc document
	if err := yaml.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	reader := templateReader{doc: doc, out: &Template{
		Functions:   map[string]FunctionSpec{},
		Authorizers: map[string]AuthorizerSpec{},
	}}
	apis := 0
	for _, id := range slices.Sorted(maps.Keys(doc.Resources)) {
		switch resource := doc.Resources[id]; resource.Type {
		case "AWS::Serverless::HttpApi":
			apis++
			reader.api(id, resource)
		case "AWS::Serverless::Function":
			reader.function(id, resource)
		}
	}
	if apis != 1 {
		reader.fault("template has %d HTTP APIs, not one", apis)
	}
	reader.check()
	if err := errors.Join(reader.faults...); err != nil {
		return nil, err
	}
	return reader.out, nil
}

type templateReader struct {
	doc    document
	out    *Template
	faults []error
}

func (t *templateReader) fault(format string, args ...any) {
	t.faults = append(t.faults, fmt.Errorf(format, args...))
}

func (t *templateReader) api(id string, r resource) {
	var p apiProperties
	if err := r.Properties.Decode(&p); err != nil {
		t.fault("%s: %w", id, err)
		return
	}
	if p.StageName != "" && p.StageName != "$default" {
		t.fault("%s: stage %q puts its name in front of every path; use $default", id, p.StageName)
	}
	if !p.CorsConfiguration.IsZero() || !p.DefinitionBody.IsZero() || p.Auth.DefaultAuthorizer != "" {
		t.fault("%s: CorsConfiguration, DefinitionBody and DefaultAuthorizer are not supported", id)
	}
	for name, authorizer := range p.Auth.Authorizers {
		function, attribute, _ := strings.Cut(authorizer.FunctionArn.Value, ".")
		cache := authorizer.Identity.ReauthorizeEvery
		switch {
		case authorizer.FunctionArn.Tag != "!GetAtt" || attribute != "Arn":
			t.fault("%s: authorizer %s: FunctionArn must be !GetAtt FUNCTION.Arn", id, name)
		case authorizer.AuthorizerPayloadFormatVersion != "2.0" || !authorizer.EnableSimpleResponses:
			t.fault("%s: authorizer %s: only payload 2.0 with simple responses is supported", id, name)
		case len(authorizer.Identity.Headers) == 0:
			t.fault("%s: authorizer %s: only identity from headers is supported", id, name)
		case cache == nil || *cache != 0:
			t.fault("%s: authorizer %s: ReauthorizeEvery must be 0", id, name)
		}
		t.out.Authorizers[name] = AuthorizerSpec{Function: function, Headers: authorizer.Identity.Headers}
	}
}

func (t *templateReader) function(id string, r resource) {
	var p functionProperties
	if err := r.Properties.Decode(&p); err != nil {
		t.fault("%s: %w", id, err)
		return
	}
	spec := FunctionSpec{CodeURI: p.CodeURI, Timeout: t.timeout(id, p.Timeout)}
	variables := maps.Clone(t.doc.Globals.Function.Environment.Variables)
	if variables == nil {
		variables = map[string]yaml.Node{}
	}
	maps.Copy(variables, p.Environment.Variables)
	maps.DeleteFunc(variables, func(_ string, value yaml.Node) bool { return value.Tag == "!Ref" && value.Value == "AWS::NoValue" })
	spec.Environment = slices.Sorted(maps.Keys(variables))
	t.out.Functions[id] = spec

	for _, name := range slices.Sorted(maps.Keys(p.Events)) {
		event := p.Events[name]
		if event.Type != "HttpApi" {
			continue
		}
		var e eventProperties
		if err := event.Properties.Decode(&e); err != nil {
			t.fault("%s: event %s: %w", id, name, err)
			continue
		}
		if e.PayloadFormatVersion != "" && e.PayloadFormatVersion != "2.0" {
			t.fault("%s: event %s: only payload 2.0 is supported", id, name)
		}
		if (e.Method == "") != (e.Path == "") {
			t.fault("%s: event %s: needs both Method and Path, or neither for $default", id, name)
		}
		if e.Auth.Authorizer == "NONE" { // SAM's word for a public route
			e.Auth.Authorizer = ""
		}
		t.out.Routes = append(t.out.Routes, Route{
			Method: strings.ToUpper(e.Method), Path: e.Path, Function: id, Authorizer: e.Auth.Authorizer,
		})
	}
}

// timeout reads a number of seconds, the function's own before that of the Globals,
// through a !Ref to a parameter when there is one.
func (t *templateReader) timeout(id string, node yaml.Node) time.Duration {
	if node.IsZero() {
		node = t.doc.Globals.Function.Timeout
	}
	if node.IsZero() {
		return defaultTimeout
	}
	if node.Tag == "!Ref" {
		node = t.doc.Parameters[node.Value].Default
	}
	var seconds int
	if err := node.Decode(&seconds); err != nil || seconds < 1 || seconds > 900 {
		t.fault("%s: Timeout is no number of seconds from 1 to 900", id)
	}
	return time.Duration(seconds) * time.Second
}

func (t *templateReader) check() {
	seen := map[string]bool{}
	for _, route := range t.out.Routes {
		if seen[route.Key()] {
			t.fault("route %s is there twice", route.Key())
		}
		seen[route.Key()] = true
		if route.Path != "" && !strings.HasPrefix(route.Path, "/") {
			t.fault("route %s does not begin with a slash", route.Key())
		}
		if _, ok := t.out.Authorizers[route.Authorizer]; !ok && route.Authorizer != "" {
			t.fault("route %s: no authorizer %s", route.Key(), route.Authorizer)
		}
	}
	for name, authorizer := range t.out.Authorizers {
		if _, ok := t.out.Functions[authorizer.Function]; !ok {
			t.fault("authorizer %s: no function %s", name, authorizer.Function)
		}
	}
}

// Environment is what a function in this process may read: the variables that its
// entry in the template declares, with values of the local run. In AWS nothing
// else would be there.
type Environment struct {
	function string
	declared []string
	values   func(string) (string, bool)

	mu         sync.Mutex
	undeclared []string
}

// Environment returns a function's environment. The values come from values.
func (t *Template) Environment(function string, values func(string) (string, bool)) *Environment {
	return &Environment{function: function, declared: t.Functions[function].Environment, values: values}
}

// Lookup is os.LookupEnv for the function.
func (e *Environment) Lookup(name string) (string, bool) {
	if !slices.Contains(e.declared, name) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.undeclared = append(e.undeclared, name)
		return "", false
	}
	return e.values(name)
}

// Err returns a fault when variables were read that the template does not declare.
// A start that ignores it would work here and fail in AWS.
func (e *Environment) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.undeclared) == 0 {
		return nil
	}
	return fmt.Errorf("%s reads %s, which template.yaml does not give it", e.function, strings.Join(e.undeclared, ", "))
}
