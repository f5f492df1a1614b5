package wecomsim

// The demo company of Demo.
const (
	DemoCorpID  = "ww5e1f00d0c0ffee01"
	DemoAgentID = "1000002"
	// DemoSecret opens nothing but a simulator.
	DemoSecret = "demo-secret-of-the-wecom-simulator"
)

// Demo is a company for trying the service out on one machine: one app, a few
// members of every kind, and pages that take any browser for the WeCom client.
// trustedDomain is host:port of the service, homeURL the app's home page, and
// serviceURL the service for the start page.
func Demo(trustedDomain, homeURL, serviceURL string) Config {
	return Config{
		ServiceURL: serviceURL,
		Choices:    Choices{AnyBrowserIsClient: true, AskAgainAfterRefusal: true},
		Corps: []Corp{{
			ID:   DemoCorpID,
			Name: "山海示例科技",
			Apps: []App{{
				AgentID: DemoAgentID, Secret: DemoSecret, Name: "示例应用", TrustedDomain: trustedDomain,
				CallbackDomain: trustedDomain, HomeURL: homeURL,
				Fields:         []Field{FieldMobile, FieldAvatar, FieldGender, FieldEmail},
				VisibleUserIDs: []string{"zhangsan", "lisi", "WangWu", "zhaoliu", "sunqi", "zhouba"},
			}},
			Members: []Member{
				{UserID: "zhangsan", Name: "张三", Mobile: "13800000001", Gender: "1", Email: "zhangsan@example.com", Position: "管理员"},
				{UserID: "lisi", Name: "李四", Mobile: "13800000002", Gender: "2", Email: "lisi@example.com"},
				{UserID: "WangWu", Name: "王五", Mobile: "+44 7700 900123", Gender: "1"},
				{UserID: "zhaoliu", Name: "赵六", Mobile: "", Gender: "2"},
				{UserID: "sunqi", Name: "孙七", Mobile: "13800000005", Status: StatusDisabled},
				{UserID: "zhouba", Name: "周八", Mobile: "13800000006", Status: StatusNotActivated},
				{UserID: "wujiu", Name: "吴九", Mobile: "13800000007"},
			},
			Interconnected: []InterconnectedMember{{CorpID: "ww0a1b2c3d4e5f6071", UserID: "partner", Name: "上游伙伴"}},
			Outsiders: []Outsider{
				{OpenID: "oDemo0customer00000000000001", Name: "客户小周", ExternalUserID: "wmDemo0customer0000000000001"},
				{OpenID: "oDemo0visitor000000000000002", Name: "访客"},
			},
		}},
	}
}
