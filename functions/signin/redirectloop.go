package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An application that does not see the session redirects back to the service, which
// finds the session and redirects to the application, and so on for ever. A short-lived
// cookie counts how often in a row one path was redirected. It is not sealed: changing
// it only affects the browser that holds it.
const (
	loopCookie = "__Host-wecom_bounces"
	// loopWindow is counted from the first redirect.
	loopWindow = 10 * time.Second
	// loopLimit refuses the sixth redirect of one path within loopWindow. Navigations count
	// less, because people open several tabs; they still count, because browsers send
	// Sec-Fetch-User on every hop of a chain and give up after 20.
	loopLimit    = 6 * redirectWeight
	personWeight = 2
	// redirectWeight is that of a redirect that no person began.
	redirectWeight = 3
)

// weightOf returns what a request adds to the count (Fetch Metadata).
func weightOf(r *http.Request) int {
	if r.Header.Get("Sec-Fetch-User") == "?1" || r.Header.Get("Sec-Fetch-Site") == "none" {
		return personWeight
	}
	return redirectWeight
}

// countRedirect counts one more redirect of the request's path and returns the weight of
// the row.
func countRedirect(w http.ResponseWriter, r *http.Request, now time.Time) int {
	// Without the query, to which some applications add something new each time. Hashed,
	// because a path may be long and hold any character.
	sum := sha256.Sum256([]byte(r.URL.Path))
	path := hex.EncodeToString(sum[:8])
	count, since := weightOf(r), now
	if cookie, err := r.Cookie(loopCookie); err == nil {
		if earlier, began, ok := parseRedirectCount(cookie.Value, path, now); ok {
			count, since = earlier+weightOf(r), began
		}
	}
	value := strconv.Itoa(count) + "." + strconv.FormatInt(since.UnixMilli(), 10) + "." + path
	setRedirectCount(w, value, int(loopWindow/time.Second))
	return count
}

// parseRedirectCount returns the count of a path in the cookie's value and when it
// began. ok is false for another path and after loopWindow.
func parseRedirectCount(value, path string, now time.Time) (count int, since time.Time, ok bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || parts[2] != path {
		return 0, time.Time{}, false
	}
	count, err := strconv.Atoi(parts[0])
	if err != nil || count < 1 || count > loopLimit {
		return 0, time.Time{}, false
	}
	milliseconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0, time.Time{}, false
	}
	since = time.UnixMilli(milliseconds)
	if age := now.Sub(since); age < -time.Second || age >= loopWindow {
		return 0, time.Time{}, false
	}
	return count, since, true
}

// forgetRedirects ends the row, if there is one: somebody has seen a page or signed out.
func forgetRedirects(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(loopCookie); err == nil {
		clearRedirectCount(w)
	}
}

func clearRedirectCount(w http.ResponseWriter) {
	// The answer may set a count already.
	kept := w.Header().Values("Set-Cookie")
	w.Header().Del("Set-Cookie")
	for _, cookie := range kept {
		if !strings.HasPrefix(cookie, loopCookie+"=") {
			w.Header().Add("Set-Cookie", cookie)
		}
	}
	setRedirectCount(w, "", -1)
}

func setRedirectCount(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: loopCookie, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
