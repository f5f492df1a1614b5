package gateway_test

import (
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

func TestEnvironmentIsWhatTheTemplateDeclares(t *testing.T) {
	template := &samtemplate.Template{Functions: map[string]samtemplate.Function{"Worker": {Variables: []string{"TABLE"}}}}
	all := func(string) (string, bool) { return "value", true }
	env := gateway.NewEnvironment(template, "Worker", all)
	if value, ok := env.Lookup("TABLE"); value != "value" || !ok || env.Err() != nil {
		t.Errorf("declared: %q %v %v", value, ok, env.Err())
	}
	if value, ok := env.Lookup("SECRET"); value != "" || ok {
		t.Errorf("undeclared: %q %v", value, ok)
	}
	if err := env.Err(); err == nil || err.Error() != "Worker reads SECRET, which template.yaml does not give it" {
		t.Errorf("got %v", err)
	}
}
