package signin

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An application that does not see the session sends the visitor back to sign in,
// where the session is found, and so on for ever. A short-lived cookie counts how
// often in a row one path was redirected. It is not sealed: who changes it harms
// only the own browser.
const (
	bounceCookie = "__Host-wecom_bounces"
	// bounceWindow is counted from the first redirect.
	bounceWindow = 10 * time.Second
	// mostBounces is the redirect to one path within bounceWindow that is refused.
	mostBounces = 3
)

// countBounce counts one more redirect of the request's path and returns which one
// in a row it is.
func countBounce(w http.ResponseWriter, r *http.Request, now time.Time) int {
	// The path alone: some applications add a new query each time. Hashed, for it may
	// be long and hold anything.
	sum := sha256.Sum256([]byte(r.URL.Path))
	path := hex.EncodeToString(sum[:8])
	count, since := 1, now
	if cookie, err := r.Cookie(bounceCookie); err == nil {
		if earlier, began, ok := parseBounces(cookie.Value, path, now); ok {
			count, since = earlier+1, began
		}
	}
	value := strconv.Itoa(count) + "." + strconv.FormatInt(since.UnixMilli(), 10) + "." + path
	setBounces(w, value, int(bounceWindow/time.Second))
	return count
}

// parseBounces reads the cookie: what it counted for a path, and since when, if that
// is recent.
func parseBounces(value, path string, now time.Time) (count int, since time.Time, ok bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || parts[2] != path {
		return 0, time.Time{}, false
	}
	count, err := strconv.Atoi(parts[0])
	if err != nil || count < 1 || count > mostBounces {
		return 0, time.Time{}, false
	}
	milliseconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0, time.Time{}, false
	}
	since = time.UnixMilli(milliseconds)
	if age := now.Sub(since); age < -time.Second || age >= bounceWindow {
		return 0, time.Time{}, false
	}
	return count, since, true
}

// forgetBounces ends the row, if there is one: the visitor has seen a page or signed out.
func forgetBounces(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie(bounceCookie); err == nil {
		clearBounces(w)
	}
}

func clearBounces(w http.ResponseWriter) {
	// In place of a count that was set before in the same answer.
	kept := w.Header().Values("Set-Cookie")
	w.Header().Del("Set-Cookie")
	for _, cookie := range kept {
		if !strings.HasPrefix(cookie, bounceCookie+"=") {
			w.Header().Add("Set-Cookie", cookie)
		}
	}
	setBounces(w, "", -1)
}

func setBounces(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: bounceCookie, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
