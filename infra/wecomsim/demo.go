// Demonstrations on one machine: companies to try, a browser that acts as the
// WeCom client, and the guard of a local port.

package wecomsim

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// The companies of Demo.
const (
	DemoCorpID  = "ww5e1f00d0c0ffee01"
	DemoAgentID = "1000002"
	// DemoSecret is of no use outside a simulator.
	DemoSecret = "demo-secret-of-the-wecom-simulator"
	// SecondDemoCorpID is a company whose only app has nothing set yet. One of
	// its members has the phone of a member of the first company.
	SecondDemoCorpID = "ww5e1f00d0c0ffee02"
)

// Demo configures a WeCom for trying the service out on one machine: a company
// with one app and members of every kind, a second company to set up, and pages
// that take any browser for the WeCom client. trustedDomain is host:port of the
// service, homeURL the app's homepage, and serviceURL the service for the start
// page. The caller adds the console.
func Demo(trustedDomain, homeURL, serviceURL string) Config {
	return Config{
		ServiceURL: serviceURL,
		Choices: Choices{
			AnyBrowserIsClient: true, AskAgainAfterRefusal: true,
			LoopbackTrustedIPs: true, TrustedIPsAtOnce: true,
		},
		Corps: []Corp{{
			ID: DemoCorpID, Name: "山海示例科技", LatinName: "Shanhai Example Technology",
			Apps: []App{{
				AgentID: DemoAgentID, Secret: DemoSecret, Name: "示例应用", LatinName: "Demo app", TrustedDomain: trustedDomain,
				CallbackDomain: trustedDomain, HomeURL: homeURL,
				Fields:             []Field{FieldMobile, FieldAvatar, FieldGender, FieldEmail, FieldBizMail},
				VisibleDepartments: []int{2, 4},
			}},
			Departments: []Department{
				{ID: 2, Name: "研发部", LatinName: "Research and development", Order: 30},
				{ID: 3, Name: "平台组", LatinName: "Platform", ParentID: 2},
				{ID: 4, Name: "销售部", LatinName: "Sales", Order: 20},
				{ID: 5, Name: "人事部", LatinName: "Human resources", Order: 10},
			},
			Tags: []Tag{
				{ID: 1, Name: "值班 On call", UserIDs: []string{"lisi"}, Departments: []int{3}},
				{ID: 2, Name: "项目负责人 Project leads", UserIDs: []string{"zhangsan", "zhaoliu"}},
			},
			Members: []Member{
				{UserID: "zhangsan", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001", Gender: "1", Email: "zhangsan@example.com", BizMail: "zhangsan@shanhai.example", Position: "管理员", Departments: []int{2}, LeaderOf: []int{2}},
				{UserID: "lisi", Name: "李四", LatinName: "Li Si", Mobile: "13800000002", Gender: "2", Email: "lisi@example.com", BizMail: "lisi@shanhai.example", Departments: []int{2}, DirectLeader: "zhangsan", Position: "工程师"},
				{UserID: "WangWu", Name: "王五", LatinName: "Wang Wu", Mobile: "+44 7700 900123", Gender: "1", Departments: []int{3, 4}, LeaderOf: []int{3}, DirectLeader: "zhangsan"},
				{UserID: "zhaoliu", Name: "赵六", LatinName: "Zhao Liu", Mobile: "", Gender: "2", Departments: []int{4}, LeaderOf: []int{4}},
				{UserID: "sunqi", Name: "孙七", LatinName: "Sun Qi", Mobile: "13800000005", Status: StatusDisabled, Departments: []int{4}},
				{UserID: "zhouba", Name: "周八", LatinName: "Zhou Ba", Mobile: "13800000006", Status: StatusNotActivated, Departments: []int{4}},
				{UserID: "wujiu", Name: "吴九", LatinName: "Wu Jiu", Mobile: "13800000007", Departments: []int{5}, LeaderOf: []int{5}},
			},
			Interconnected: []InterconnectedMember{{CorpID: "ww0a1b2c3d4e5f6071", UserID: "partner", Name: "上游伙伴", LatinName: "Partner"}},
			Outsiders: []Outsider{
				{OpenID: "oDemo0customer00000000000001", Name: "客户小周", LatinName: "Customer Zhou", ExternalUserID: "wmDemo0customer0000000000001"},
				{OpenID: "oDemo0guest00000000000000002", Name: "访客", LatinName: "Guest"},
			},
		}, {
			ID: SecondDemoCorpID, Name: "云帆示例贸易", LatinName: "Yunfan Example Trading",
			Apps: []App{{
				AgentID: "1000002", Secret: "demo-secret-of-the-second-company", Name: "待设置的应用", LatinName: "App to set up",
				VisibleUserIDs: []string{}, TrustedIPs: []string{},
			}},
			Members: []Member{
				{UserID: "zhang.san", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001", Gender: "1"},
				{UserID: "chenshi", Name: "陈十", LatinName: "Chen Shi", Mobile: "13800000010", Gender: "2"},
			},
		}},
	}
}

// outsideCookie makes a browser stay a normal one for ActAsClient. Without it
// the browser acts as the client, which a newcomer's first sign-in needs.
const outsideCookie = "wecomsim_outside"

// ActAsClient gives requests to next the User-Agent of the WeCom client, unless
// the browser was made a normal one on the start page. Together with
// Choices.AnyBrowserIsClient it shows the first sign-in without a client.
// Browsers send cookies to every port of a host, so simulator and service need
// the same host name. It is for demonstrations on one machine only.
func ActAsClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := r.Cookie(outsideCookie); err != nil && !isWeCom(r.UserAgent()) {
			r = r.Clone(r.Context())
			r.Header.Set("User-Agent", UserAgentWeComAndroid)
		}
		next.ServeHTTP(w, r)
	})
}

// switchBrowser makes the browser act as the client or as a normal browser. An
// app on the workbench makes it act as the client and opens the app's homepage.
func (s *Simulator) switchBrowser(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("answer") == "leave" || !s.choices.AnyBrowserIsClient {
		http.SetCookie(w, newCookie(outsideCookie, "1", 0))
		seeOther(w, pathStart)
		return
	}
	http.SetCookie(w, newCookie(outsideCookie, "", -1))
	next := pathStart
	corpID, agentID, _ := strings.Cut(r.PostFormValue("app"), "/")
	if _, a := s.app(appRef{corpID, agentID}); a != nil {
		next = cmp.Or(a.homeURL(isPhone(r.UserAgent())), next)
	}
	seeOther(w, next)
}

// OnlyLoopback admits requests for this machine's own names alone. The
// simulator's pages ask for no sign-in, so a page of another site must not
// reach them by DNS rebinding, which points its own name at this machine.
func OnlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "This address is for browsers on this machine.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
