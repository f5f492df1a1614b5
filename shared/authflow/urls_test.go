package authflow

import (
	"errors"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// The sign-in page is told the code, the request and the way forward, and never the cause.
func TestErrorURL(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"an unknown error", errors.New("dynamodb: connection refused"), "?error=internal&request=request-1"},
		{"a code alone", apierr.New(apierr.WeComBusy, nil), "?error=wecom_busy&request=request-1"},
		{
			"a path of the application", &PageError{Authenticator: "demo", Destination: toPath("/a?b=c"), Err: apierr.Newf(apierr.PhoneInUse, "zhangsan and lisi")},
			"?authenticator=demo&error=phone_in_use&redirect=%2Fa%3Fb%3Dc&request=request-1",
		},
		{
			"the console", &PageError{Destination: Destination{Console: true}, Err: apierr.New(apierr.AccessDenied, nil)},
			"?error=access_denied&request=request-1&return=console",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, want := ErrorURL(publicURL, "request-1", test.err), publicURL+"/signin"+test.want; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
