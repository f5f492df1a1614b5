package page

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// memberPage is a member with something in every part of the page.
func memberPage() Member {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	const origin = "https://signin.example.com"
	return Member{
		Language: text.English, Self: origin + "/signin", Now: now, Version: "1.2.3", Name: "张三", WeComUserID: "ZhangSan",
		Action: origin + "/signin", Session: "this", SignOut: origin + "/api/signout", SignInAgain: origin + "/signin?prompt=login", Console: origin + "/console",
		Applications: []MemberApplication{
			{"Expenses", "https://expenses.example.com/", "expenses.example.com"},
			{"GitLab", "https://git.example.com/", "git.example.com"},
			{"客户关系管理系统", "https://crm.example.com:8443/", "crm.example.com:8443"},
			{"Grafana dashboards of the operations department", "https://a-rather-long-name-of-a-host.monitoring.internal.example.com/d/home", "a-rather-long-name-of-a-host.monitoring.internal.example.com"},
			{"Wiki", "https://wiki.example.com/", "wiki.example.com"},
		},
		Sessions: []MemberSession{
			{Key: "this", Current: true, Browser: "chrome", System: "windows", Address: "203.0.113.7", SignedInAt: now.Add(-20 * time.Second)},
			{Key: "phone", Browser: "wecom", System: "android", InWeCom: true, Address: "2001:db8:85a3:8d3:1319:8a2e:370:7348", SignedInAt: now.Add(-5 * time.Hour)},
			{Key: "old", SignedInAt: now.Add(-72 * time.Hour)},
		},
		Known: []KnownApplication{
			{ID: "git", Title: "GitLab"},
			{ID: "survey", Title: "Staff survey", AgreedAt: now.Add(-240 * time.Hour)},
		},
	}
}

func renderMember(t *testing.T, change func(*Member)) *httptest.ResponseRecorder {
	t.Helper()
	pages, err := New(Config{CompanyName: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	page := memberPage()
	if change != nil {
		change(&page)
	}
	w := httptest.NewRecorder()
	if err := pages.Member(w, page); err != nil {
		t.Fatal(err)
	}
	if w.Code != 200 {
		t.Fatalf("status %d", w.Code)
	}
	return w
}

// has fails for texts that are not on a page, and lacks for those that are.
func has(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(body, text) {
			t.Errorf("lacks %s", text)
		}
	}
}

func lacks(t *testing.T, body string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(body, text) {
			t.Errorf("has %s", text)
		}
	}
}

func TestMemberPageSaysWhoWhatAndWhere(t *testing.T) {
	w := renderMember(t, nil)
	body := w.Body.String()
	has(t, body,
		"<title>Your page · Example</title>", "<h1>张三</h1>", "WeCom user ID ZhangSan", `action="https://signin.example.com/api/signout"`,
		`href="https://git.example.com/"`, ">git.example.com</small>",
		"<strong>Chrome on Windows</strong>", "This browser", "By scan or confirmation in WeCom", ">just now</time>", "203.0.113.7",
		"<strong>WeCom on Android</strong>", "Inside WeCom", `<time datetime="2026-11-29T03:00:00Z">5 h ago</time>`,
		"<strong>Unknown browser</strong>", "3 d ago", "address unknown",
		"Your company has decided", "You allowed this on 2026-11-19.", "https://signin.example.com/signin?prompt=login", "https://signin.example.com/console",
	)
	// This session has no button of its own, and what the company has decided has none.
	lacks(t, body, `name="key" value="this"`, `value="git"`, `role="alert"`, "<script", "at the moment")
	if forms := strings.Count(body, `name="session" value="this"`); forms != 5 {
		t.Errorf("%d forms name the session", forms)
	}
	policy := w.Header().Get("Content-Security-Policy")
	lacks(t, policy, "script-src", "unsafe", "http")
	has(t, policy, "default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'")
}

func TestMemberPageWithLittle(t *testing.T) {
	body := renderMember(t, func(m *Member) {
		m.Applications, m.Known, m.Console, m.WeComUserID = nil, nil, "", ""
		m.Sessions = m.Sessions[:1]
	}).Body.String()
	has(t, body, "There is no application here for you yet.", "No application has access right now.")
	lacks(t, body, "End all other sessions", "/console", "WeCom user ID", "at the moment")
}

func TestMemberPageSaysWhatCannotBeRead(t *testing.T) {
	for name, unreadable := range map[string]struct{ Applications, Sessions, Known bool }{
		"applications": {Applications: true}, "sessions": {Sessions: true}, "known": {Known: true},
	} {
		body := renderMember(t, func(m *Member) {
			m.Unreadable = unreadable
			switch {
			case unreadable.Applications:
				m.Applications = nil
			case unreadable.Known:
				m.Known = nil
			}
		}).Body.String()
		if strings.Count(body, "This cannot be read at the moment.") != 1 {
			t.Errorf("%s: %s", name, body)
		}
		lacks(t, body, "There is no application here", "No application has been told")
	}
}

func TestMemberPageExplainsAFailedRequest(t *testing.T) {
	has(t, renderMember(t, func(m *Member) { m.FailedRequest = "Kx3dYhPuDoEEMWw=" }).Body.String(), `role="alert"`, "That did not work.", "Kx3dYhPuDoEEMWw=")
	lacks(t, renderMember(t, func(m *Member) { m.FailedRequest = "call 0900 now" }).Body.String(), `role="alert"`, "0900")
}

// Twenty are listed, and this one, wherever it stands; the others are counted.
func TestMemberPageListsTheNewestSessions(t *testing.T) {
	body := renderMember(t, func(m *Member) {
		current := m.Sessions[0]
		m.Sessions = nil
		for range 60 {
			m.Sessions = append(m.Sessions, MemberSession{Key: "other", Browser: "edge", System: "macos", SignedInAt: m.Now})
		}
		m.Sessions = append(m.Sessions, current)
	}).Body.String()
	if n := strings.Count(body, "<strong>Edge on macOS</strong>"); n != shownSessions {
		t.Errorf("%d sessions", n)
	}
	has(t, body, "Not shown: 40 older ones.", "Chrome on Windows", "End all other sessions")
}

func TestAttackTextsOfTheMemberPageAreEscaped(t *testing.T) {
	const evil = `<img src=x onerror=alert(1)>"'`
	body := renderMember(t, func(m *Member) {
		m.Name, m.WeComUserID, m.FailedRequest, m.Session = evil, evil, evil, evil
		m.Applications[0] = MemberApplication{Title: evil, Homepage: "javascript:alert(1)", Host: evil}
		m.Sessions[1].Key, m.Sessions[1].Browser, m.Sessions[1].System, m.Sessions[1].Address = evil, evil, evil, evil
		m.Known[1] = KnownApplication{ID: evil, Title: evil, AgreedAt: m.Now}
	}).Body.String()
	lacks(t, body, "<img", "javascript:", `="`+evil)
	has(t, body, "&lt;img src=x")
}

func TestTimesNeedNoTimeZone(t *testing.T) {
	for ago, want := range map[time.Duration]string{
		-time.Minute: "just now", 0: "just now", 59 * time.Second: "just now", time.Minute: "1 min ago", 59 * time.Minute: "59 min ago",
		time.Hour: "1 h ago", 47 * time.Hour: "47 h ago", 48 * time.Hour: "2 d ago", 30 * 24 * time.Hour: "30 d ago",
	} {
		body := renderMember(t, func(m *Member) {
			m.Sessions = []MemberSession{{Key: "this", Current: true, SignedInAt: m.Now.Add(-ago)}}
		}).Body.String()
		if !strings.Contains(body, ">"+want+"</time>") {
			t.Errorf("%s ago is not %q", ago, want)
		}
	}
}
