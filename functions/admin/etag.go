package admin

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// precondition is an If-Match header (RFC 9110 §13.1.1).
type precondition struct {
	given bool
	any   bool // "*"
	tags  []string
}

func ifMatch(r *http.Request) precondition {
	values := r.Header.Values("If-Match")
	p := precondition{given: len(values) > 0}
	// Our ETags hold no comma, so splitting breaks none of them.
	for tag := range strings.SplitSeq(strings.Join(values, ","), ",") {
		tag = strings.TrimSpace(tag)
		p.any = p.any || tag == "*"
		p.tags = append(p.tags, tag)
	}
	return p
}

// check fails if the header is given and does not name the version. A weak tag never
// matches, nor does a malformed one.
func (p precondition) check(version int64) error {
	if !p.given || p.any {
		return nil
	}
	present := etag(version)
	for _, tag := range p.tags {
		if tag == present {
			return nil
		}
	}
	return &apierr.Error{Code: apierr.VersionMismatch, Detail: "It has been changed meanwhile; the present version is " + present + "."}
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }
