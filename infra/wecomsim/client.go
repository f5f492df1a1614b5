package wecomsim

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// pathClient is the form of the member chooser.
const pathClient = "/wecomsim/client"

// clientCookie holds the session of a WeCom client: who is signed in there. It
// belongs to the simulator's own host and says nothing to the application.
const clientCookie = "wecomsim_client"

// outsideCookie says that this browser does not play the WeCom client, for
// ActAsClient. Without it, it does: a newcomer's first sign-in needs the client.
const outsideCookie = "wecomsim_outside"

// newCookie makes a cookie of the simulator's own host; a negative maxAge ends
// it. It cannot be Secure: the simulator is plain HTTP on loopback.
func newCookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode} //nolint:gosec // See above.
}

// ActAsClient gives requests to next the User-Agent of the WeCom client unless
// the visitor chose to be a normal browser on the start page. It lets a newcomer
// without a client see the first sign-in (Choices.AnyBrowserIsClient). It works because
// browsers send cookies to every port of a host, so simulator and service must
// have the same host name. It is for demonstrations on one machine only.
func ActAsClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(outsideCookie); err != nil && !isWeCom(r.UserAgent()) {
			r = r.Clone(r.Context())
			r.Header.Set("User-Agent", UserAgentWeComAndroid)
		}
		next.ServeHTTP(w, r)
	})
}

// inside enters or leaves the played client. Entering through an app's tile
// goes on to its home page.
func (s *Simulator) inside(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.PostFormValue("answer") == "leave" || !s.choices.AnyBrowserIsClient {
		http.SetCookie(w, newCookie(outsideCookie, "1", 0))
		http.Redirect(w, r, "/wecomsim/", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, newCookie(outsideCookie, "", -1))
	next := "/wecomsim/"
	corpID, agentID, _ := strings.Cut(r.PostFormValue("app"), "/")
	if a, err := s.findApp(corpID, agentID); err == nil {
		next = cmp.Or(a.homeURL(isPhone(r.UserAgent())), next)
	}
	w.Header().Set("Location", next)
	w.WriteHeader(http.StatusSeeOther)
}

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
	return newCookie(clientCookie, word, 0)
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
		http.SetCookie(w, newCookie(clientCookie, "", -1))
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
