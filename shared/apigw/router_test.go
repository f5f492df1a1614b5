package apigw

import (
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

func TestRouter(t *testing.T) {
	say := func(word string, values ...string) HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) error {
			answer := word
			for _, name := range values {
				answer += " " + name + "=" + r.PathValue(name)
			}
			_, err := io.WriteString(w, answer)
			return err
		}
	}
	router := NewRouter(nil)
	router.Handle("GET /users", say("list"))
	router.Handle("POST /users", say("create"))
	router.Handle("DELETE /users/{id}", say("delete", "id"))
	router.Handle("POST /users/import", say("import"))
	router.Handle("GET /failing", func(http.ResponseWriter, *http.Request) error {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "no"}
	})
	nested := NewRouter(JSON(say("unknown in nested")))
	nested.Handle("GET /nested/a", say("a"))
	nested.MethodNotAllowed = func(w http.ResponseWriter, r *http.Request) error {
		return &apierr.Error{Code: apierr.MethodNotAllowed, Detail: r.Method + ", " + w.Header().Get("Allow")}
	}
	router.Handle("/nested/", func(w http.ResponseWriter, r *http.Request) error {
		nested.ServeHTTP(w, r)
		return nil
	})
	const (
		notFound   = `{"title":"Not Found","status":404,"code":"not_found","requestId":"request-1"}` + "\n"
		notAllowed = `{"title":"Method Not Allowed","status":405,"code":"method_not_allowed","requestId":"request-1"}` + "\n"
	)
	for _, test := range []struct {
		method, path string
		status       int
		allow, body  string
	}{
		{"GET", "/users", 200, "", "list"},
		{"HEAD", "/users", 200, "", ""},
		{"POST", "/users", 200, "", "create"},
		{"PUT", "/users", 405, "GET, HEAD, POST", notAllowed},
		{"DELETE", "/users/u1", 200, "", "delete id=u1"},
		{"HEAD", "/users/u1", 405, "DELETE", ""},
		{"DELETE", "/users/50%", 200, "", "delete id=50%"},
		{"DELETE", "/users/a?b#c d", 200, "", "delete id=a?b#c d"},
		{"DELETE", "/users/张三", 200, "", "delete id=张三"},
		{"POST", "/users/import", 200, "", "import"},
		{"DELETE", "/users/import", 405, "POST", notAllowed},
		{"GET", "/failing", 403, "", `{"title":"Forbidden","status":403,"code":"forbidden","detail":"no","requestId":"request-1"}` + "\n"},
		{"GET", "/nested/a", 200, "", "a"},
		{"PUT", "/nested/a", 405, "GET, HEAD", `{"title":"Method Not Allowed","status":405,"code":"method_not_allowed","detail":"PUT, GET, HEAD","requestId":"request-1"}` + "\n"},
		{"PUT", "/nested/b", 200, "", "unknown in nested"},
		// No redirect to another spelling.
		{"GET", "", 404, "", notFound},
		{"GET", "/", 404, "", notFound},
		{"GET", "/users/", 404, "", notFound},
		{"GET", "//users", 404, "", notFound},
		{"GET", "/./users", 404, "", notFound},
		{"GET", "/x/../users", 404, "", notFound},
		{"GET", "/Users", 404, "", notFound},
		{"GET", "users", 404, "", notFound},
		{"GET", "/nested/../nested/a", 404, "", notFound},
		{"CONNECT", "/x/../users", 404, "", notFound},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			got, _ := serve(t, Config{Handler: router}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
				e.RequestContext.HTTP.Method, e.RawPath = test.method, test.path
			}))
			type answer struct {
				Status      int
				Allow, Body string
			}
			if diff := cmp.Diff(answer{test.status, test.allow, test.body}, answer{got.StatusCode, got.Headers["allow"], got.Body}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRouterHandsUnknownPathsOver(t *testing.T) {
	router := NewRouter(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }))
	router.Handle("GET /users", func(http.ResponseWriter, *http.Request) error { return nil })
	for _, path := range []string{"", "/", "/users/", "//users", "/other", "/50%"} {
		got, _ := serve(t, Config{Handler: router}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
			e.RequestContext.HTTP.Method, e.RawPath = "PUT", path
		}))
		if got.StatusCode != http.StatusOK || got.Body != path {
			t.Errorf("%q: %d %q", path, got.StatusCode, got.Body)
		}
	}
}
