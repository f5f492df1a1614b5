// The WeCom client in a person's browser: who is signed in there, and the forms
// that change it.

package wecomsim

import (
	"maps"
	"net/http"
	"strings"
)

const (
	pathStart  = "/wecomsim/"
	pathClient = "/wecomsim/client"
)

// clientCookie holds the session of a client. It belongs to the simulator's own
// host and says nothing to the application.
const clientCookie = "wecomsim_client"

// newCookie makes a cookie of the simulator's own host; a negative maxAge
// deletes it. It cannot be Secure: the simulator speaks plain HTTP on loopback.
func newCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // See above.
}

// seeOther answers a form.
func seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Simulator) signIn(who person) *http.Cookie {
	value := s.newValue()
	s.clients[value] = who
	return newCookie(clientCookie, value, 0)
}

// clientOf returns who is signed in at the client that sent r.
func (s *Simulator) clientOf(r *http.Request) (person, bool) {
	cookie, err := r.Cookie(clientCookie)
	if err != nil {
		return "", false
	}
	who, ok := s.clients[cookie.Value]
	return who, ok
}

// changeClient signs a person in at this client, or out of it.
func (s *Simulator) changeClient(w http.ResponseWriter, r *http.Request) {
	if old, err := r.Cookie(clientCookie); err == nil {
		delete(s.clients, old.Value)
	}
	if r.PostFormValue("answer") == "leave" {
		http.SetCookie(w, newCookie(clientCookie, "", -1))
		seeOther(w, pathStart)
		return
	}
	who, ok := s.findPerson(r.PostFormValue("person"))
	if !ok {
		s.showMessage(w, PageExpired, message{Detail: "The person no longer exists."})
		return
	}
	http.SetCookie(w, s.signIn(who))
	// Only the simulator's own page: this form must not be an open redirect.
	next := r.PostFormValue("return")
	if !strings.HasPrefix(next, pathAuthorize+"?") {
		next = pathStart
	}
	seeOther(w, next)
}

// forgetConsents is the member's page 个人敏感信息授权管理: ask me again.
func (s *Simulator) forgetConsents(w http.ResponseWriter, r *http.Request) {
	if who, ok := s.clientOf(r); ok {
		maps.DeleteFunc(s.consents, func(key consentKey, _ consent) bool {
			return key.app.corpID+"/"+key.userID == string(who)
		})
	}
	seeOther(w, pathStart)
}
