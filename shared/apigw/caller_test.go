package apigw

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

func callerOf(authorizer map[string]any) (Caller, error) {
	return CallerOf(context.WithValue(context.Background(), infoKey{}, &requestInfo{authorizer: authorizer}))
}

// The context goes to the gateway and comes back as JSON.
func TestCallerPassesTheGateway(t *testing.T) {
	for _, test := range []struct {
		caller       Caller
		encoded      string
		kind, userID string
	}{
		{AdminKeyCaller(), `{"caller":"admin-key"}`, "admin-key", ""},
		{UserCaller("u1"), `{"caller":"user","userId":"u1"}`, "user", "u1"},
	} {
		encoded, err := json.Marshal(test.caller.Encode())
		if err != nil || string(encoded) != test.encoded {
			t.Errorf("%s, %v; want %s", encoded, err, test.encoded)
		}
		var authorizer map[string]any
		if err := json.Unmarshal(encoded, &authorizer); err != nil {
			t.Fatal(err)
		}
		got, err := callerOf(authorizer)
		if err != nil || got != test.caller || got.Kind() != test.kind || got.UserID() != test.userID {
			t.Errorf("%s: %+v, %v", encoded, got, err)
		}
	}
}

// Attack: a request whose authorizer was not asked, or whose word was forged or lost.
func TestWithoutAnAuthorizersWordTheCallerIsNobody(t *testing.T) {
	for _, authorizer := range []map[string]any{
		nil,
		{},
		{"caller": ""},
		{"caller": nil},
		{"caller": "anybody"},
		{"caller": "Admin-Key"},
		{"caller": "admin-key "},
		{"caller": true},
		{"caller": []any{"admin-key"}},
		{"caller": map[string]any{"caller": "admin-key"}},
		{"Caller": "admin-key"},
		{"userId": "u1"},
		{"caller": "user"},
		{"caller": "user", "userId": ""},
		{"caller": "user", "userId": 1.0},
		{"caller": "user", "userId": nil},
		{"caller": "user", "userId": []any{"u1"}},
		{"caller": "user", "UserID": "u1"},
	} {
		if got, err := callerOf(authorizer); !apierr.Is(err, apierr.Forbidden) || got != (Caller{}) {
			t.Errorf("%v: %+v, %v", authorizer, got, err)
		}
	}
	if got, err := CallerOf(context.Background()); !apierr.Is(err, apierr.Forbidden) || got != (Caller{}) {
		t.Errorf("outside a request: %+v, %v", got, err)
	}
}

func TestNobodyIsEncodedAsNothing(t *testing.T) {
	for _, nobody := range []Caller{{}, UserCaller("")} {
		if diff := cmp.Diff(map[string]any(nil), nobody.Encode()); diff != "" || nobody.Kind() != "" {
			t.Errorf("%q, %s", nobody.Kind(), diff)
		}
	}
}
