package samtemplate

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Lambda's own when a template says nothing: seconds and megabytes.
const (
	defaultTimeout    = 3
	defaultMemorySize = 128
)

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
		Resources map[string]resource  `yaml:"Resources"`
		Outputs   map[string]yaml.Node `yaml:"Outputs"`
	}
	resource struct {
		Type       string    `yaml:"Type"`
		Properties yaml.Node `yaml:"Properties"`
	}
	functionProperties struct {
		CodeURI     string    `yaml:"CodeUri"`
		Timeout     yaml.Node `yaml:"Timeout"`
		MemorySize  yaml.Node `yaml:"MemorySize"`
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
		StageName         string              `yaml:"StageName"`
		CorsConfiguration yaml.Node           `yaml:"CorsConfiguration"`
		DefinitionBody    yaml.Node           `yaml:"DefinitionBody"`
		RouteSettings     map[string]Throttle `yaml:"RouteSettings"`
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
	alarmProperties struct {
		AlarmDescription string `yaml:"AlarmDescription"`
		Metrics          []struct {
			MetricStat yaml.Node `yaml:"MetricStat"`
		} `yaml:"Metrics"`
	}
	stackProperties struct {
		TemplateURL string `yaml:"TemplateURL"`
	}
)

// ReadFile reads a SAM template and the templates nested in it.
func ReadFile(path string) (*Template, error) {
	return Read(os.DirFS(filepath.Dir(path)), filepath.Base(path))
}

// Read reads a SAM template and the templates nested in it, which are files of the same
// file system. The error joins everything that is missing, contradictory or beyond this
// package.
func Read(files fs.FS, name string) (*Template, error) {
	t := &reader{files: files, out: &Template{
		Functions: map[string]Function{}, Authorizers: map[string]Authorizer{}, Throttles: map[string]Throttle{},
		Resources: map[string][]string{}, Alarms: map[string]Alarm{},
	}}
	t.template(name)
	t.check()
	if err := errors.Join(t.faults...); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	return t.out, nil
}

type reader struct {
	files  fs.FS
	doc    document // of the template, not of a nested one
	out    *Template
	faults []error
}

func (t *reader) fault(format string, args ...any) {
	t.faults = append(t.faults, fmt.Errorf(format, args...))
}

// template reads the template, and then what is nested in it.
func (t *reader) template(name string) {
	t.doc = t.document(name)
	t.out.Parameters = slices.Sorted(maps.Keys(t.doc.Parameters))
	t.out.Outputs = slices.Sorted(maps.Keys(t.doc.Outputs))
	maps.DeleteFunc(t.doc.Globals.Function.Environment.Variables, isAbsent)
	t.out.CommonVariables = slices.Sorted(maps.Keys(t.doc.Globals.Function.Environment.Variables))
	t.resources(t.doc, func(id string, r resource) {
		switch r.Type {
		case "AWS::Serverless::HttpApi":
			t.api(id, r)
		case "AWS::Serverless::Function":
			t.function(id, r)
		case "AWS::CloudFormation::Stack":
			var p stackProperties
			if err := r.Properties.Decode(&p); err != nil {
				t.fault("%s: %w", id, err)
				return
			}
			t.resources(t.document(p.TemplateURL), func(string, resource) {})
		}
	})
}

func (t *reader) document(name string) document {
	var doc document
	content, err := fs.ReadFile(t.files, name)
	if err == nil {
		err = yaml.Unmarshal(content, &doc)
	}
	if err != nil {
		t.fault("%s: %w", name, err)
	}
	return doc
}

// resources lists the resources of a template, reads its alarms, and hands each
// resource on.
func (t *reader) resources(doc document, also func(id string, r resource)) {
	for _, id := range slices.Sorted(maps.Keys(doc.Resources)) {
		r := doc.Resources[id]
		ids := append(t.out.Resources[r.Type], id)
		slices.Sort(ids)
		t.out.Resources[r.Type] = ids
		if r.Type == "AWS::CloudWatch::Alarm" {
			t.alarm(id, r)
		}
		also(id, r)
	}
}

func (t *reader) alarm(id string, r resource) {
	var p alarmProperties
	if err := r.Properties.Decode(&p); err != nil {
		t.fault("%s: %w", id, err)
		return
	}
	alarm := Alarm{Description: p.AlarmDescription, Metrics: 1}
	if p.Metrics != nil {
		alarm.Metrics = 0
		for _, query := range p.Metrics {
			if !query.MetricStat.IsZero() {
				alarm.Metrics++
			}
		}
	}
	t.out.Alarms[id] = alarm
}

func (t *reader) api(id string, r resource) {
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
	maps.Copy(t.out.Throttles, p.RouteSettings)
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
		t.out.Authorizers[name] = Authorizer{Function: function, Headers: authorizer.Identity.Headers}
	}
}

// isAbsent reports whether a variable is named for sam local's sake alone.
func isAbsent(_ string, value yaml.Node) bool {
	return value.Tag == "!Ref" && value.Value == "AWS::NoValue"
}

func (t *reader) function(id string, r resource) {
	var p functionProperties
	if err := r.Properties.Decode(&p); err != nil {
		t.fault("%s: %w", id, err)
		return
	}
	globals := t.doc.Globals.Function
	variables := map[string]yaml.Node{}
	maps.Copy(variables, globals.Environment.Variables)
	maps.Copy(variables, p.Environment.Variables)
	maps.DeleteFunc(variables, isAbsent)
	t.out.Functions[id] = Function{
		CodeURI:    p.CodeURI,
		Timeout:    time.Duration(t.number(id, "Timeout", p.Timeout, globals.Timeout, defaultTimeout, 900)) * time.Second,
		MemorySize: t.number(id, "MemorySize", p.MemorySize, globals.MemorySize, defaultMemorySize, 10_240),
		Variables:  slices.Sorted(maps.Keys(variables)),
	}
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

// number reads a number: the function's own before that of the Globals, through a !Ref
// to a parameter's default when there is one.
func (t *reader) number(id, name string, own, global yaml.Node, lambdas, most int) int {
	node := own
	if node.IsZero() {
		node = global
	}
	if node.IsZero() {
		return lambdas
	}
	if node.Tag == "!Ref" {
		node = t.doc.Parameters[node.Value].Default
	}
	var n int
	if err := node.Decode(&n); err != nil || n < 1 || n > most {
		t.fault("%s: %s must be a number from 1 to %d", id, name, most)
	}
	return n
}

func (t *reader) check() {
	if apis := t.out.Resources["AWS::Serverless::HttpApi"]; len(apis) != 1 {
		t.fault("there are %d HTTP APIs, not one", len(apis))
	}
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
			t.fault("route %s: there is no authorizer %s", route.Key(), route.Authorizer)
		}
	}
	for name, authorizer := range t.out.Authorizers {
		if _, ok := t.out.Functions[authorizer.Function]; !ok {
			t.fault("authorizer %s: there is no function %s", name, authorizer.Function)
		}
	}
}
