package gateway

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

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

// NewEnvironment returns the environment of a function by its logical id. The values
// come from values.
func NewEnvironment(template *samtemplate.Template, function string, values func(string) (string, bool)) *Environment {
	return &Environment{function: function, declared: template.Functions[function].Variables, values: values}
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
