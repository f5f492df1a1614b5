package signin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// memberPage answers GET /signin for somebody who is signed in, and for whom nothing waits.
// What it shows is read at once; a part that cannot be read leaves the others.
func (h handler) memberPage(w http.ResponseWriter, r *http.Request, active authflow.ActiveSession) error {
	ctx, public := r.Context(), apigw.PublicURL(r.Context())
	apigw.LogField(ctx, "user", active.User.ID)
	read := h.readMember(ctx, active)
	query := apigw.Query(r)
	here := authflow.Destination{Locales: authflow.DestinationOf(query).Locales}
	self := authflow.SignInURL(public, authflow.SignInPage{Destination: here})
	userID := memberOf(active).WeComUserID
	shown := page.Member{
		Language: text.LanguageOf(r), Self: self, Now: h.Now(), Version: version.Version,
		Name: active.User.Name, WeComUserID: userID,
		Action: self, Session: active.Key, SignOut: authflow.SignOutURL(public, here.Locales),
		FailedRequest: query.Get("request"),
		SignInAgain:   authflow.SignInURL(public, authflow.SignInPage{Destination: here, SignInAgain: true}),
	}
	if shown.Name == "" {
		shown.Name = userID
	}
	if slices.Contains(active.User.Roles, store.RoleAdmin) {
		shown.Console = authflow.ConsoleURL(public)
	}
	tiles, tilesErr := h.launcher(ctx, read.applications, active, public)
	shown.Applications = tiles
	shown.Unreadable.Applications = read.applicationsErr != nil || tilesErr != nil
	for _, s := range read.sessions {
		session := s.Session
		shown.Sessions = append(shown.Sessions, page.MemberSession{
			Key: s.SessionKey, Current: s.SessionKey == active.Key,
			Browser: string(session.Client.Browser), System: string(session.Client.System),
			InWeCom: session.InWeCom, Address: session.Address, SignedInAt: session.SignedInAt,
		})
	}
	shown.Unreadable.Sessions = read.sessionsErr != nil
	shown.Known = knownApplications(read)
	shown.Unreadable.Known = read.applicationsErr != nil || read.sessionsErr != nil || read.lineagesErr != nil || read.consentsErr != nil
	for _, err := range []error{read.applicationsErr, tilesErr, read.sessionsErr, read.lineagesErr, read.consentsErr} {
		if err != nil {
			apigw.LogError(ctx, apierr.From(err))
		}
	}
	text.RememberLanguage(w, query.Get("lang"))
	forgetRedirects(w, r)
	return h.Pages.Member(w, shown)
}

// member is what the member's page is made of.
type member struct {
	applications []store.Application
	sessions     []store.AttemptResult // at least the one that asks
	lineages     []store.Lineage
	consents     []store.Consent

	applicationsErr, sessionsErr, lineagesErr, consentsErr error
}

func (h handler) readMember(ctx context.Context, active authflow.ActiveSession) (m member) {
	var all sync.WaitGroup
	all.Go(func() { m.applications, m.applicationsErr = h.allApplications(ctx) })
	all.Go(func() { m.sessions, m.sessionsErr = h.SelfService.ActiveSessions(ctx, active) })
	all.Go(func() { m.lineages, m.lineagesErr = h.Members.LineagesOfUser(ctx, active.User.ID) })
	all.Go(func() { m.consents, m.consentsErr = h.Members.Consents(ctx, active.User.ID) })
	all.Wait()
	if m.sessionsErr != nil {
		m.sessions = []store.AttemptResult{{SessionKey: active.Key, Session: active.Session}}
	}
	return m
}

// allApplications returns the applications, enabled or not, in order of id.
func (h handler) allApplications(ctx context.Context) (found []store.Application, err error) {
	for cursor := ""; ; {
		items, next, err := h.Applications.Applications(ctx, store.Page{Cursor: cursor, Limit: listPage})
		if err != nil {
			return nil, fmt.Errorf("list applications: %w", err)
		}
		if found = append(found, items...); next == "" || next == cursor {
			return found, nil
		}
		cursor = next
	}
}

// launcher returns what the member may open, in order of title: the applications that the
// provider would let this member into by this way of signing in, and that of the
// authenticator itself, unless one of them is at its address, or the service is.
func (h handler) launcher(ctx context.Context, applications []store.Application, active authflow.ActiveSession, public string) (tiles []page.MemberApplication, err error) {
	own := active.Authenticator.Origin
	for _, a := range applications {
		home, ok := homepage(a.Homepage)
		if !ok {
			continue
		}
		may, err := oauth.MayUse(ctx, h.Authenticators, a, active.User, active.Session.CorpID, active.Session.AuthenticatorName)
		if err != nil {
			return nil, err
		}
		if !may {
			continue
		}
		tiles = append(tiles, page.MemberApplication{Title: applicationTitle(a), Homepage: home.String(), Host: home.Host})
		if home.Scheme+"://"+home.Host == own {
			own = public
		}
	}
	if home, ok := homepage(authflow.Destination{}.URL(public, active.Authenticator)); ok && own != public {
		tiles = append(tiles, page.MemberApplication{Title: title(active.Authenticator), Homepage: home.String(), Host: home.Host})
	}
	slices.SortStableFunc(tiles, func(x, y page.MemberApplication) int {
		return cmp.Or(strings.Compare(store.FoldName(x.Title), store.FoldName(y.Title)), strings.Compare(x.Homepage, y.Homepage))
	})
	return tiles, nil
}

// homepage parses the address of an application. The admin API takes no other schemes, and
// neither does this page.
func homepage(address string) (*url.URL, bool) {
	home, err := url.Parse(address)
	if err != nil || home.Scheme != "https" && home.Scheme != "http" || home.Host == "" || home.User != nil {
		return nil, false
	}
	return home, true
}

// knownApplications returns the enabled applications that are told about the member: those
// with a grant of a session that goes on, and those that the member agreed to.
func knownApplications(m member) []page.KnownApplication {
	agreed, granted, live := map[string]store.Consent{}, map[string]bool{}, map[string]bool{}
	for _, c := range m.consents {
		agreed[c.ApplicationID] = c
	}
	for _, s := range m.sessions {
		live[store.LineageOf(s.SessionKey, s.Session)] = true
	}
	for _, l := range m.lineages {
		if !l.Ended && live[l.ID] {
			for _, id := range l.Applications {
				granted[id] = true
			}
		}
	}
	var known []page.KnownApplication
	for _, a := range m.applications {
		consent, consented := agreed[a.ID]
		switch {
		case !a.Enabled:
		case a.FirstParty && granted[a.ID]:
			known = append(known, page.KnownApplication{ID: a.ID, Title: applicationTitle(a)})
		case !a.FirstParty && consented && consent.ApplicationGeneration == a.Generation:
			known = append(known, page.KnownApplication{ID: a.ID, Title: applicationTitle(a), AgreedAt: consent.At})
		}
	}
	slices.SortStableFunc(known, func(x, y page.KnownApplication) int {
		return strings.Compare(store.FoldName(x.Title), store.FoldName(y.Title))
	})
	return known
}

// applicationTitle returns the title of an application, or its id when it has none.
func applicationTitle(a store.Application) string {
	if a.Title == "" {
		return a.ID
	}
	return a.Title
}
