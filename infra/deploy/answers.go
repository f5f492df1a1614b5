package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// answers are an operator's choices.
type answers struct {
	stack, region string
	// parameters of the template, all of them.
	parameters map[string]string
	// chosen is the public address while questions are asked.
	chosen publicAddress
}

// usual returns the template's own choices.
func usual(template *cloudformation.Template) (map[string]string, error) {
	stack, err := template.Evaluate(cloudformation.Values{})
	if err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}
	parameters := map[string]string{}
	for name, value := range stack.Parameters {
		text, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("read parameters: %s is a list, which this program cannot ask for", name)
		}
		parameters[name] = text
	}
	return parameters, nil
}

// judge says why the template would refuse the answers.
func (a answers) judge(template *cloudformation.Template) error {
	_, err := template.Evaluate(cloudformation.Values{
		Parameters: a.parameters, Pseudo: map[string]string{"AWS::Region": a.region, "AWS::StackName": a.stack},
	})
	return err
}

// accepts reports whether the template takes one value, whatever the others are.
func accepts(template *cloudformation.Template, name, value string) bool {
	_, err := template.Evaluate(cloudformation.Values{Parameters: map[string]string{name: value}})
	return err == nil || !strings.Contains(err.Error(), "Parameters."+name+": ")
}

// publicAddress is the choice that decides between several parameters.
type publicAddress string

const (
	addressNone        publicAddress = "none"
	addressZone        publicAddress = "zone"
	addressCertificate publicAddress = "certificate"
	addressProxy       publicAddress = "proxy"
)

func (a answers) publicAddress() publicAddress {
	switch {
	case a.parameters["DomainName"] != "" && a.parameters["CertificateArn"] != "":
		return addressCertificate
	case a.parameters["DomainName"] != "":
		return addressZone
	case a.parameters["PublicUrl"] != "":
		return addressProxy
	}
	return addressNone
}

// errDifferent is for values that would not arrive as they were typed.
var errDifferent = errors.New(`a line break, a backslash or "ParameterKey=" would not reach AWS as it is`)

// quote writes a parameter as SAM's command line and configuration files want it:
// NAME="value", with a backslash before quotes.
func quote(name, value string) (string, error) {
	// SAM keeps backslashes except before spaces and quotes, so some values cannot be
	// written; and it looks for its older form (ParameterKey=…) everywhere first.
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) || strings.Contains(value, "ParameterKey=") {
		return "", fmt.Errorf("%s: %w", name, errDifferent)
	}
	return name + `="` + strings.ReplaceAll(value, `"`, `\"`) + `"`, nil
}

// unquote reads what quote wrote, for several parameters with spaces in between.
func unquote(overrides string) (map[string]string, error) {
	parameters := map[string]string{}
	for rest := overrides; rest != ""; {
		name, after, ok := strings.Cut(rest, `="`)
		if !ok || name == "" || strings.ContainsAny(name, " \"\\") {
			return nil, fmt.Errorf("parameter_overrides is not as this program writes it, near %q", shorten(rest))
		}
		var value strings.Builder
		end := -1
		for i := 0; i < len(after); i++ {
			if after[i] == '\\' && i+1 < len(after) && after[i+1] == '"' {
				i++
			} else if after[i] == '"' {
				end = i
				break
			}
			value.WriteByte(after[i])
		}
		if end < 0 {
			return nil, fmt.Errorf("parameter_overrides is not as this program writes it: %s does not end", name)
		}
		if _, twice := parameters[name]; twice {
			return nil, fmt.Errorf("parameter_overrides has %s twice", name)
		}
		parameters[name] = value.String()
		if rest = after[end+1:]; rest != "" && rest[0] != ' ' {
			return nil, fmt.Errorf("parameter_overrides is not as this program writes it, near %q", shorten(rest))
		}
		rest = strings.TrimPrefix(rest, " ")
	}
	return parameters, nil
}

func shorten(text string) string {
	if shown := []rune(text); len(shown) > 30 {
		return string(shown[:30]) + "…"
	}
	return text
}
