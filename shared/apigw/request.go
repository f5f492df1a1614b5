package apigw

import (
	"net/http"
	"net/url"
	"strings"
)

// Query returns the parameters of a request's address. Only "&" separates them, as
// browsers do it (URL standard, application/x-www-form-urlencoded): with url.URL.Query a
// parameter that holds a ";" would be lost.
func Query(r *http.Request) url.Values {
	// What cannot be decoded is left out, as by url.URL.Query.
	query, _ := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	return query
}

// LoadedByPage reports whether a page loads this address as an image, a script or a frame
// (Fetch Metadata). Nobody signs in that way, and a page of a neighbouring domain could
// fill the browser with cookies of attempts until its headers are too large for the
// gateway.
func LoadedByPage(r *http.Request) bool {
	destination := r.Header.Get("Sec-Fetch-Dest")
	return destination != "" && destination != "document"
}
