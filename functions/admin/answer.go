package admin

import (
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// list is a page of a list; NextCursor is null on the last one.
type list struct {
	Items      any     `json:"items"`
	NextCursor *string `json:"nextCursor"`
}

// writeList writes the views of items; an empty list is [], never null.
func writeList[T, V any](w http.ResponseWriter, items []T, next string, view func(T) V) error {
	views := make([]V, len(items))
	for i, item := range items {
		views[i] = view(item)
	}
	answer := list{Items: views}
	if next != "" {
		answer.NextCursor = &next
	}
	return apigw.WriteJSON(w, http.StatusOK, answer)
}

// noContent answers 204 unless there is an error, which it returns.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// optionalTimestamp is null in JSON for what has not happened yet.
func optionalTimestamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := timestamp(t)
	return &text
}

// requestLanguage returns the language of sentences in an answer. The console sends
// its own in Accept-Language.
func requestLanguage(r *http.Request) text.Language {
	return text.Choose(r.Header.Get("Accept-Language"))
}

// shorten cuts off what would fill an answer: callers and WeCom choose the text.
func shorten(text string) string {
	const most = 64
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
