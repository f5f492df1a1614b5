package apigw

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSemicolonSeparatesNoParameters(t *testing.T) {
	for raw, want := range map[string]map[string][]string{
		"redirect=/list;jsessionid=AB12":     {"redirect": {"/list;jsessionid=AB12"}},
		"redirect=%2Flist%3Ba%3D1&state=S;T": {"redirect": {"/list;a=1"}, "state": {"S;T"}},
		"a=1;b=2&c=%zz&d=+":                  {"a": {"1;b=2"}, "d": {" "}},
		"":                                   {},
	} {
		r := httptest.NewRequest("GET", "/signin?"+raw, nil)
		if diff := cmp.Diff(want, map[string][]string(Query(r))); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}
