package admin

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// auditFilters are the parameters that select lines.
var auditFilters = []string{"from", "to", "type", "user", "authenticator", "application", "actor"}

// readAuditQuery reads the filters. A parameter that is misspelt or repeated would show more
// than was asked for, so it is refused.
func readAuditQuery(values url.Values) (q store.AuditQuery, err error) {
	for name, all := range values {
		switch {
		case !slices.Contains(append([]string{"cursor", "limit"}, auditFilters...), name):
			return q, apierr.Invalid(shorten(name), "There is no such parameter.")
		case len(all) > 1:
			return q, apierr.Invalid(name, "The parameter was sent more than once.")
		}
	}
	for _, filter := range []struct {
		name  string
		into  *string
		valid func(string) bool
		wrong string
	}{
		{"type", &q.Type, func(v string) bool { return slices.Contains(audit.Types(), v) }, "type must be one of the types of lines."},
		{"user", &q.User, userID.MatchString, "user must be the id of a user."},
		{"authenticator", &q.Authenticator, store.IsAuthenticatorName, "authenticator must be the name of an authenticator."},
		{"application", &q.Application, store.IsAuthenticatorName, "application must be the id of an application."},
		{"actor", &q.Actor, userID.MatchString, `actor must be "key" or the id of a user.`},
	} {
		if !values.Has(filter.name) {
			continue
		}
		if *filter.into = values.Get(filter.name); !filter.valid(*filter.into) {
			return q, apierr.Invalid(filter.name, filter.wrong)
		}
	}
	if q.From, err = readTime(values, "from"); err != nil {
		return q, err
	}
	q.To, err = readTime(values, "to")
	return q, err
}

// readTime reads a time; in a query the plus sign of a time zone is often left as it is.
func readTime(values url.Values, name string) (time.Time, error) {
	if !values.Has(name) {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, strings.ReplaceAll(values.Get(name), " ", "+"))
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return at, apierr.Invalid(name, name+" must be a time such as 2026-11-29T08:00:00Z.")
	}
	return at, nil
}
