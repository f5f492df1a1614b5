package wecomsim

import (
	"fmt"
	"net/http"
	"strings"
)

// clientCookie holds the session of a WeCom client: who is signed in there. It
// belongs to the simulator's own host and says nothing to the application.
const clientCookie = "wecomsim_client"

// As returns the cookie of a client that id is signed in at: "userid",
// "CorpId/userid" or an openid. A test's cookie jar gets it for the
// simulator's URL; the member chooser is then never shown.
func (s *Simulator) As(id string) (*http.Cookie, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	who, ok := s.findPerson(id)
	if !ok {
		return nil, fmt.Errorf("sign in as %q: no such person", id)
	}
	return s.signIn(who), nil
}

func (s *Simulator) signIn(who person) *http.Cookie {
	word := s.random()
	s.clients[word] = who
	return &http.Cookie{Name: clientCookie, Value: word, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

func (s *Simulator) signOut(cookie *http.Cookie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, cookie.Value)
}

// client says who is signed in at the client that sent r.
func (s *Simulator) client(r *http.Request) (person, bool) {
	cookie, err := r.Cookie(clientCookie)
	if err != nil {
		return person{}, false
	}
	who, ok := s.clients[cookie.Value]
	return who, ok
}

// chooseClient answers the member chooser.
func (s *Simulator) chooseClient(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, err := r.Cookie(clientCookie); err == nil {
		delete(s.clients, old.Value)
	}
	if r.PostFormValue("answer") == "leave" {
		http.SetCookie(w, &http.Cookie{Name: clientCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/wecomsim/", http.StatusSeeOther)
		return
	}
	who, ok := s.findPerson(r.PostFormValue("person"))
	if !ok {
		s.fail(w, PageExpired, 0, "There is no such person.")
		return
	}
	http.SetCookie(w, s.signIn(who))
	// Only the simulator's own pages: this form must not send people elsewhere.
	next := r.PostFormValue("return")
	if !strings.HasPrefix(next, pathAuthorize+"?") {
		next = "/wecomsim/"
	}
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}

// forgetConsents is the member's page 个人敏感信息授权管理: ask me again.
func (s *Simulator) forgetConsents(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if who, ok := s.client(r); ok {
		for key := range s.standing {
			if key.corpID == who.corpID && strings.EqualFold(key.userID, who.userID) {
				delete(s.standing, key)
			}
		}
	}
	http.Redirect(w, r, "/wecomsim/", http.StatusSeeOther)
}
