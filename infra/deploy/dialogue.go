package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// errEnded says that nobody answers any more.
var errEnded = errors.New("the input ended before this question was answered")

// dialogue asks a person.
type dialogue struct {
	in  io.Reader
	out io.Writer
}

// choice is one of several answers to a question.
type choice struct{ value, means string }

// question is what is asked about one answer.
type question struct {
	title string
	// why is shown with the question, more for "?".
	why, more string
	choices   []choice
	// form says what an answer must be, when one is refused.
	form string
	// check refuses an answer; nil takes every one.
	check func(value string) error
}

// ask returns an answer that the question accepts. Enter is the usual answer, "-" an
// empty one.
func (d dialogue) ask(q question, usual string) (string, error) {
	fmt.Fprintf(d.out, "\n%s\n", q.title)
	for line := range strings.Lines(q.why) {
		fmt.Fprintf(d.out, "  %s\n", strings.TrimSuffix(line, "\n"))
	}
	for _, c := range q.choices {
		fmt.Fprintf(d.out, "  %-12s %s\n", c.value, c.means)
	}
	for {
		fmt.Fprintf(d.out, "[%s] > ", usual)
		line, err := d.line()
		if err != nil {
			fmt.Fprintln(d.out)
			return "", fmt.Errorf("%s: %w", q.title, err)
		}
		value := strings.TrimSpace(line)
		switch value {
		case "?":
			more := q.more
			if more == "" {
				more = q.form
			}
			for line := range strings.Lines(more) {
				fmt.Fprintf(d.out, "  %s\n", strings.TrimSuffix(line, "\n"))
			}
			continue
		case "":
			value = usual
		case "-":
			value = ""
		}
		if err := q.accept(value); err != nil {
			fmt.Fprintf(d.out, "  That is not possible: %v.\n", err)
			continue
		}
		return value, nil
	}
}

func (q question) accept(value string) error {
	if len(q.choices) > 0 && !slices.ContainsFunc(q.choices, func(c choice) bool { return c.value == value }) {
		return errors.New("answer with one of the words above")
	}
	if q.check == nil {
		return nil
	}
	return q.check(value)
}

// confirm asks for yes or no.
func (d dialogue) confirm(title, usual string) (bool, error) {
	answer, err := d.ask(question{title: title, check: func(value string) error {
		if value != "y" && value != "n" {
			return errors.New("answer y or n")
		}
		return nil
	}, form: "y is yes, n is no."}, usual)
	return answer == "y", err
}

// maxLine is more than any answer has.
const maxLine = 4096

// line reads byte by byte: what comes after it is for sam, which asks, too.
func (d dialogue) line() (string, error) {
	var line []byte
	for one := make([]byte, 1); ; {
		n, err := d.in.Read(one)
		if n == 1 {
			if one[0] == '\n' {
				return string(line), nil
			}
			if line = append(line, one[0]); len(line) > maxLine {
				return "", errors.New("the line is too long")
			}
		}
		if errors.Is(err, io.EOF) {
			if len(line) > 0 {
				return string(line), nil
			}
			return "", errEnded
		}
		if err != nil {
			return "", fmt.Errorf("read input: %w", err)
		}
	}
}
