package wecomsim

// The demo companies of Demo.
const (
	DemoCorpID  = "ww5e1f00d0c0ffee01"
	DemoAgentID = "1000002"
	// DemoSecret opens nothing but a simulator.
	DemoSecret = "demo-secret-of-the-wecom-simulator"
	// SecondDemoCorpID is a company whose only app has nothing set yet. One of
	// its members has the phone of a member of the first company.
	SecondDemoCorpID = "ww5e1f00d0c0ffee02"
)

// Demo is a WeCom for trying the service out on one machine: a company with one
// app and a few members of every kind, a second company that is to be set up,
// the pages of the admin console, and pages that take any browser for the WeCom
// client. trustedDomain is host:port of the service, homeURL the app's home page,
// and serviceURL the service for the start page.
func Demo(trustedDomain, homeURL, serviceURL string) Config {
	return Config{
		ServiceURL: serviceURL,
		Console:    true,
		Choices: Choices{
			AnyBrowserIsClient: true, AskAgainAfterRefusal: true,
			LoopbackTrustedIPs: true, TrustedIPsAtOnce: true,
		},
		Corps: []Corp{{
			ID: DemoCorpID, Name: "山海示例科技", LatinName: "Shanhai Example Technology",
			Apps: []App{{
				AgentID: DemoAgentID, Secret: DemoSecret, Name: "示例应用", LatinName: "Demo app", TrustedDomain: trustedDomain,
				CallbackDomain: trustedDomain, HomeURL: homeURL,
				Fields:         []Field{FieldMobile, FieldAvatar, FieldGender, FieldEmail},
				VisibleUserIDs: []string{"zhangsan", "lisi", "WangWu", "zhaoliu", "sunqi", "zhouba"},
			}},
			Members: []Member{
				{UserID: "zhangsan", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001", Gender: "1", Email: "zhangsan@example.com", Position: "管理员"},
				{UserID: "lisi", Name: "李四", LatinName: "Li Si", Mobile: "13800000002", Gender: "2", Email: "lisi@example.com"},
				{UserID: "WangWu", Name: "王五", LatinName: "Wang Wu", Mobile: "+44 7700 900123", Gender: "1"},
				{UserID: "zhaoliu", Name: "赵六", LatinName: "Zhao Liu", Mobile: "", Gender: "2"},
				{UserID: "sunqi", Name: "孙七", LatinName: "Sun Qi", Mobile: "13800000005", Status: StatusDisabled},
				{UserID: "zhouba", Name: "周八", LatinName: "Zhou Ba", Mobile: "13800000006", Status: StatusNotActivated},
				{UserID: "wujiu", Name: "吴九", LatinName: "Wu Jiu", Mobile: "13800000007"},
			},
			Interconnected: []InterconnectedMember{{CorpID: "ww0a1b2c3d4e5f6071", UserID: "partner", Name: "上游伙伴", LatinName: "Partner"}},
			Outsiders: []Outsider{
				{OpenID: "oDemo0customer00000000000001", Name: "客户小周", LatinName: "Customer Zhou", ExternalUserID: "wmDemo0customer0000000000001"},
				{OpenID: "oDemo0visitor000000000000002", Name: "访客", LatinName: "Browser"},
			},
		}, {
			ID: SecondDemoCorpID, Name: "云帆示例贸易", LatinName: "Yunfan Example Trading",
			Apps: []App{{
				AgentID: "1000002", Secret: "demo-secret-of-the-second-company", Name: "待设置的应用", LatinName: "App to be set up",
				VisibleUserIDs: []string{}, TrustedIPs: []string{},
			}},
			Members: []Member{
				{UserID: "zhang.san", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001", Gender: "1"},
				{UserID: "chenshi", Name: "陈十", LatinName: "Chen Shi", Mobile: "13800000010", Gender: "2"},
			},
		}},
	}
}
