package cloudformation_test

import (
	"errors"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// Who knows some resources leaves the others to samples, and can refuse.
func TestSomeResourcesAreKnown(t *testing.T) {
	template, err := read(t, "!Sub '${Table} ${Table.Arn} ${Logs} ${Logs.Arn}'")
	if err != nil {
		t.Fatal(err)
	}
	values := cloudformation.Values{
		Ref: func(id string) (string, error) {
			if id == "Table" {
				return "known", nil
			}
			return "", cloudformation.ErrSample
		},
		Attribute: func(id, attribute string) (string, error) {
			if id == "Table" {
				return "known " + attribute, nil
			}
			return "", cloudformation.ErrSample
		},
	}
	stack, err := template.Evaluate(values)
	if err != nil {
		t.Fatal(err)
	}
	want := "known known Arn wecom-signin-Logs arn:aws:logs:eu-central-1:123456789012:log-group:wecom-signin-Logs:*"
	if got := stack.Resources["It"].Properties["Value"]; got != want {
		t.Errorf("got %v\nwant %s", got, want)
	}
	refused := errors.New("not today")
	values.Ref = func(string) (string, error) { return "", refused }
	if _, err := template.Evaluate(values); !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
}
