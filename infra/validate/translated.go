package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
)

// translation is what SAM made of the template.
type translation struct {
	Resources map[string]translated
}

type translated struct {
	Type           string
	Properties     map[string]any
	DeletionPolicy string
	UpdatePolicy   map[string]any
}

// checkTranslated looks at what SAM made, by which the service will run.
func checkTranslated(content []byte) []string {
	var made translation
	if err := json.Unmarshal(content, &made); err != nil {
		return []string{fmt.Sprintf("read translation: %v", err)}
	}
	return append(checkTranslatedRoutes(made), checkTranslatedVersion(made)...)
}

// only returns the one resource of a type.
func (t translation) only(kind string, f *faults) (id string, properties map[string]any) {
	var found []string
	sorted(t.Resources, func(id string, r translated) {
		if r.Type == kind {
			found = append(found, id)
		}
	})
	if len(found) != 1 {
		f.add("SAM makes %d of %s, not one", len(found), kind)
		return "", nil
	}
	return found[0], t.Resources[found[0]].Properties
}

// checkTranslatedRoutes compares what SAM made of the Events with the contract: SAM
// can leave out an authorizer and say nothing.
func checkTranslatedRoutes(t translation) []string {
	var f faults
	_, api := t.only("AWS::ApiGatewayV2::Api", &f)
	operations := map[string]any{}
	for path, methods := range object(at(api, "Body", "paths")) {
		for method, operation := range object(methods) {
			key := strings.ToUpper(method) + " " + path
			if method == "x-amazon-apigateway-any-method" {
				key = "ANY " + path
			}
			if strings.TrimPrefix(path, "/") == "$default" {
				key = "$default"
			}
			operations[key] = operation
		}
	}
	for _, want := range contract.Routes() {
		operation, there := operations[want.Key]
		delete(operations, want.Key)
		if !there {
			f.add("SAM makes no route %s: %s", want.Key, want.Why)
			continue
		}
		guarded := slices.ContainsFunc(list(at(operation, "security")), func(s any) bool { _, named := object(s)[administrator]; return named })
		if guarded != want.Guarded {
			f.add("SAM makes the route %s with authorizer: %t, wanted: %t", want.Key, guarded, want.Guarded)
		}
		called := "${" + want.Function + ".Arn}"
		if want.Function == contract.Callback {
			called = "${" + alias + "}"
		}
		address, _ := at(operation, "x-amazon-apigateway-integration", "uri", "Fn::Sub").(string)
		if !strings.HasSuffix(address, "/functions/"+called+"/invocations") {
			f.add("SAM makes the route %s call %q, not %s", want.Key, address, called)
		}
	}
	sorted(operations, func(key string, _ any) {
		f.add("SAM makes a route %s, which is not in the contract", key)
	})
	return f
}

// alias is SAM's name of the alias that the callback is called by.
const alias = contract.Callback + "Aliaslive"

// checkTranslatedVersion wants a version of the callback behind its route, replaced
// step by step and taken back by two alarms.
func checkTranslatedVersion(t translation) []string {
	var f faults
	same := func(what string, value, want any) {
		if !reflect.DeepEqual(value, want) {
			f.add("SAM makes %s %v, not %v", what, value, want)
		}
	}
	version, properties := t.only("AWS::Lambda::Version", &f)
	same("the version of", properties["FunctionName"], any(map[string]any{"Ref": contract.Callback}))
	same("the version with DeletionPolicy", t.Resources[version].DeletionPolicy, "Delete")
	name, properties := t.only("AWS::Lambda::Alias", &f)
	same("the alias", name, alias)
	same("the alias of", properties["FunctionName"], any(map[string]any{"Ref": contract.Callback}))
	same("the alias of version", properties["FunctionVersion"], any(map[string]any{"Fn::GetAtt": []any{version, "Version"}}))
	group, properties := t.only("AWS::CodeDeploy::DeploymentGroup", &f)
	same("the alias updated by", at(t.Resources[name].UpdatePolicy, "CodeDeployLambdaAliasUpdate", "DeploymentGroupName"), any(map[string]any{"Ref": group}))
	var alarms []string
	for _, configuration := range choices(properties["AlarmConfiguration"]) {
		for _, alarm := range list(at(configuration, "Alarms")) {
			name, _ := text(at(alarm, "Name"))
			alarms = append(alarms, name)
		}
	}
	same("a deployment with the alarms", alarms, []string{"${CallbackErrorsAlarm}", "${CallbackInternalAlarm}"})
	allowed := false
	for _, r := range t.Resources {
		function, _ := text(r.Properties["FunctionName"])
		allowed = allowed || r.Type == "AWS::Lambda::Permission" && r.Properties["Principal"] == "apigateway.amazonaws.com" && function == "${"+alias+"}"
	}
	same("the gateway's permission to call the alias", allowed, true)
	same("a deployment that rolls back", at(properties, "AutoRollbackConfiguration", "Enabled"), true)
	return f
}
