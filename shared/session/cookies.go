package session

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
)

// Cookie is the session cookie of a deployment. The zero value is host-only.
type Cookie struct {
	// Domain is the setting SESSION_COOKIE_DOMAIN: a parent domain that shares the
	// session, or empty for the service's own host.
	Domain string
}

func (c Cookie) name() string {
	if c.Domain != "" {
		return "__Secure-wecom_session"
	}
	return "__Host-wecom_session"
}

// sessionIDLength is the length of aead.Deriver's results.
const sessionIDLength = 43

const (
	// maxSessions is how many session cookies of one request are looked up: each costs a
	// read, and anybody can send a hundred.
	maxSessions = 3
	// maxUserID is the length of store.NewUserID's results.
	maxUserID = 26
)

// Sessions returns the sessions that a request carries, mostly one or none. There are
// more when another deployment on a parent domain uses the same name. What cannot be one
// is not looked up, and nothing beyond maxSessions. The value is the session id and, after a
// dot, the user's id.
func (c Cookie) Sessions(r *http.Request) []authflow.SessionRef {
	var refs []authflow.SessionRef
	for _, cookie := range r.CookiesNamed(c.name()) {
		id, userID, _ := strings.Cut(cookie.Value, ".")
		if len(id) == sessionIDLength && len(userID) <= maxUserID && len(refs) < maxSessions {
			refs = append(refs, authflow.SessionRef{ID: id, UserID: userID})
		}
	}
	return refs
}

// Set gives the browser a session until it expires.
func (c Cookie) Set(w http.ResponseWriter, session authflow.SessionRef, lifetime time.Duration) {
	http.SetCookie(w, c.cookie(session.ID+"."+session.UserID, int(lifetime/time.Second)))
}

// ClearEnded removes the session from the browser when none of refs, which Sessions
// returned, leads to one any more. It does nothing without refs, nor when there may be
// more than were looked up.
func (c Cookie) ClearEnded(w http.ResponseWriter, refs []authflow.SessionRef) {
	if len(refs) > 0 && len(refs) < maxSessions {
		c.Clear(w)
	}
}

// Clear removes the session from the browser.
func (c Cookie) Clear(w http.ResponseWriter) { http.SetCookie(w, c.cookie("", -1)) }

func (c Cookie) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.name(), Value: value, Path: "/", Domain: c.Domain, MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// Attempts stores attempts to sign in in cookies, one each, so that several tabs can sign
// in at the same time.
type Attempts struct {
	Box *aead.Box // of purpose aead.StateCookie
	Now func() time.Time
}

const (
	attemptPrefix = "__Host-wecom_attempt_"
	keptAttempts  = 8
	// maxCleared bounds the headers of an answer: hundreds of cookies of this name are
	// forged.
	maxCleared = 32
)

// cookieName returns a name with a hash of what the cookie is kept under, which it hides:
// names of cookies appear where their values do not.
func cookieName(prefix, id string) string {
	sum := sha256.Sum256([]byte(id))
	return prefix + hex.EncodeToString(sum[:8])
}

func attemptName(state string) string { return cookieName(attemptPrefix, state) }

// Save stores an attempt in the browser and removes all but the newest eight, this one
// included.
func (a *Attempts) Save(w http.ResponseWriter, r *http.Request, attempt authflow.LoginAttempt) error {
	name := attemptName(attempt.State)
	sealed, err := authflow.SealAttempt(a.Box, name, attempt)
	if err != nil {
		return fmt.Errorf("seal attempt: %w", err)
	}
	http.SetCookie(w, attemptCookie(name, base64.RawURLEncoding.EncodeToString(sealed), int(authflow.AttemptLifetime/time.Second)))
	a.prune(w, r, name)
	return nil
}

// prune leaves room for seven attempts beside the one just saved.
func (a *Attempts) prune(w http.ResponseWriter, r *http.Request, saved string) {
	began := func(cookie *http.Cookie) (time.Time, error) {
		attempt, err := a.open(cookie)
		return attempt.IssuedAt, err
	}
	kept := 0
	prune(w, r, attemptPrefix, saved, began, func(*http.Cookie) bool {
		kept++
		return kept < keptAttempts
	})
}

// prune removes cookies of a prefix, except the one just saved: those that do not open or
// have expired (began returns an error), then the oldest. fits is asked about each of the
// others, newest first; the first that does not fit is removed, and every older one.
func prune(w http.ResponseWriter, r *http.Request, prefix, saved string, began func(*http.Cookie) (time.Time, error), fits func(*http.Cookie) bool) {
	type kept struct {
		cookie *http.Cookie
		began  time.Time
	}
	var others []kept
	cleared := 0
	remove := func(name string) {
		if cleared < maxCleared {
			http.SetCookie(w, attemptCookie(name, "", -1))
			cleared++
		}
	}
	for _, cookie := range r.Cookies() {
		if !strings.HasPrefix(cookie.Name, prefix) || cookie.Name == saved {
			continue
		}
		if at, err := began(cookie); err != nil {
			remove(cookie.Name)
		} else {
			others = append(others, kept{cookie, at})
		}
	}
	slices.SortStableFunc(others, func(x, y kept) int { return y.began.Compare(x.began) })
	room := slices.IndexFunc(others, func(k kept) bool { return !fits(k.cookie) })
	if room < 0 {
		return
	}
	for _, old := range slices.Backward(others[room:]) {
		remove(old.cookie.Name)
	}
}

// Find returns the attempt that this browser started with a state; found is false if it
// has no cookie for it. The error is one of authflow.OpenAttempt's.
func (a *Attempts) Find(r *http.Request, state string) (attempt authflow.LoginAttempt, found bool, err error) {
	cookie, err := r.Cookie(attemptName(state))
	if err != nil {
		return authflow.LoginAttempt{}, false, nil
	}
	attempt, err = a.open(cookie)
	if err == nil && attempt.State != state {
		// The name is 64 bits of a hash; the sealed state decides.
		err = authflow.ErrAttemptInvalid
	}
	return attempt, true, err
}

// Clear removes an attempt from the browser.
func (a *Attempts) Clear(w http.ResponseWriter, state string) {
	http.SetCookie(w, attemptCookie(attemptName(state), "", -1))
}

func (a *Attempts) open(cookie *http.Cookie) (authflow.LoginAttempt, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return authflow.LoginAttempt{}, authflow.ErrAttemptInvalid
	}
	return authflow.OpenAttempt(a.Box, cookie.Name, sealed, a.Now())
}

func attemptCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
