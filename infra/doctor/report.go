package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// status is how a check ended.
type status string

const (
	fine    status = "ok"
	warned  status = "warn"
	failed  status = "FAIL"
	skipped status = "skip"
)

// finding is one line of the report.
type finding struct {
	check  string
	status status
	// seen says what was seen; fix the one thing to do, for anything but ok.
	seen, fix message
}

// message is a text of the table and what to put into its {places}.
type message struct {
	key   string
	pairs []string // name, value, name, value …
}

func say(key string, pairs ...string) message { return message{key, pairs} }

// report prints findings as they come and counts them.
type report struct {
	out      io.Writer
	texts    map[string]text
	language language
	// secret is never printed, whoever sends it back.
	secret string
	counts map[status]int
}

func (r *report) add(f finding) {
	if r.counts == nil {
		r.counts = map[status]int{}
	}
	r.counts[f.status]++
	line := fmt.Sprintf("%-4s  %-14s  %s", f.status, f.check, r.text(f.seen))
	if f.fix.key != "" {
		line += " → " + r.text(f.fix)
	}
	fmt.Fprintln(r.out, line)
}

// end prints the count and returns the exit status.
func (r *report) end() int {
	count := func(s status) string { return strconv.Itoa(r.counts[s]) }
	fmt.Fprintln(r.out, r.text(say("count", "ok", count(fine), "warn", count(warned), "fail", count(failed), "skip", count(skipped))))
	if r.counts[failed] > 0 {
		return exitFailed
	}
	return 0
}

// text returns a message in the reader's language. Values come from outside: what
// could move a terminal's cursor, and the admin key, are left out.
func (r *report) text(m message) string {
	if m.key == "" {
		return ""
	}
	entry, ok := r.texts[m.key]
	if !ok {
		return "(no text " + m.key + ")"
	}
	pairs := make([]string, len(m.pairs))
	for i, value := range m.pairs {
		if i%2 == 0 {
			pairs[i] = "{" + value + "}"
			continue
		}
		if r.secret != "" {
			value = strings.ReplaceAll(value, r.secret, "…")
		}
		pairs[i] = clean(value)
	}
	chosen := entry.en
	if r.language == chinese {
		chosen = entry.zh
	}
	return strings.NewReplacer(pairs...).Replace(chosen)
}

// maxShown is how many characters of a value are shown.
const maxShown = 600

// clean makes a value fit for one line of a terminal.
func clean(value string) string {
	shown := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, value))
	if len(shown) > maxShown {
		shown = append(shown[:maxShown], '…')
	}
	return strings.TrimSpace(string(shown))
}
