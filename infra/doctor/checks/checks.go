package checks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

// DefaultRotationDays is the template's default of the parameter RotationDays.
const DefaultRotationDays = 30

// Config names the deployment to examine.
type Config struct {
	// Address is what ParseAddress returned.
	Address *url.URL
	// AdminKey opens the admin API. Empty: the checks that need it are skipped.
	AdminKey string
	// RotationDays is the deployment's parameter. 0: DefaultRotationDays.
	RotationDays int
	// Transport carries the requests. Nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Status is how a check ended, as it is printed.
type Status string

// Warn may need attention, and Skip was not or could not be examined.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "FAIL"
	Skip Status = "skip"
)

// Finding is one result of a check.
type Finding struct {
	Check  string
	Status Status
	Seen   string
	// Fix is what to do, and Manual, as FILE#HEADING below docs, where to read more. Both
	// are empty unless the status is Warn or Fail.
	Fix, Manual string
}

// Run examines the deployment and yields the findings as they come, at least one for
// each check.
func Run(ctx context.Context, cfg Config) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		t := newTarget(cfg)
		passed := map[string]bool{}
		for _, c := range table() {
			found := c.findings(ctx, t, passed)
			passed[c.name] = !slices.ContainsFunc(found, func(f Finding) bool { return f.Status == Fail || f.Status == Skip })
			for _, f := range found {
				f.Check = c.name
				if f.Status == Warn || f.Status == Fail {
					f.Fix, f.Manual = cmp.Or(f.Fix, c.fix), cmp.Or(f.Manual, c.manual)
				}
				f.Seen, f.Fix = printable(f.Seen, cfg.AdminKey), printable(f.Fix, cfg.AdminKey)
				if !yield(f) {
					return
				}
			}
		}
	}
}

func (c check) findings(ctx context.Context, t *target, passed map[string]bool) []Finding {
	if ctx.Err() != nil {
		return []Finding{{Status: Skip, Seen: "interrupted"}}
	}
	for _, name := range c.after {
		if !passed[name] {
			return []Finding{{Status: Skip, Seen: "not tried without " + name}}
		}
	}
	found, err := c.run(ctx, t)
	if err != nil {
		fix := "see whether a proxy in front answers in its place; otherwise read the log of the function " + c.function
		found = append(found, Finding{Status: Fail, Seen: err.Error(), Fix: fix, Manual: logs})
	}
	return found
}

// maxText is how many characters of a text are shown.
const maxText = 600

// printable takes the key and control characters out of a text that others have a part
// in.
func printable(text, key string) string {
	if key != "" {
		text = strings.ReplaceAll(text, key, "…")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
	if shown := []rune(text); len(shown) > maxText {
		return string(shown[:maxText]) + "…"
	}
	return text
}

func report(status Status, format string, values ...any) ([]Finding, error) {
	return []Finding{{Status: status, Seen: fmt.Sprintf(format, values...)}}, nil
}

// failWith brings a remedy that takes the place of the check's own.
func failWith(fix, format string, values ...any) ([]Finding, error) {
	return []Finding{{Status: Fail, Seen: fmt.Sprintf(format, values...), Fix: fix}}, nil
}

// each examines several things, whatever happens with one of them.
func each[T any](items []T, examine func(T) ([]Finding, error)) ([]Finding, error) {
	var found []Finding
	var problems error
	for _, item := range items {
		more, err := examine(item)
		found, problems = append(found, more...), errors.Join(problems, err)
	}
	return found, problems
}
