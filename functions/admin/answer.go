package admin

import (
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// list is a part of a list; NextCursor is null at the end.
type list struct {
	Items      any     `json:"items"`
	NextCursor *string `json:"nextCursor"`
}

// writeList shows every item; an empty list is [] and never null.
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

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// requestLanguage is the language of sentences in an answer: the console names its
// own in Accept-Language.
func requestLanguage(r *http.Request) text.Language {
	return text.Choose(r.Header.Get("Accept-Language"))
}

// shorten keeps what a caller sent from filling an answer.
func shorten(text string) string {
	const most = 64
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
