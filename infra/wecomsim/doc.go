// Package wecomsim is a strict WeCom (企业微信): its API, the authorization page
// inside its client and its browser login, in memory and on one listener.
//
// It judges the WeCom client of this project, so it imports nothing of the
// project and repeats no constant of it. Tests create one per case:
//
//	sim := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
//		ID: "ww0123456789abcdef",
//		Apps: []wecomsim.App{{
//			AgentID: "1000002", Secret: "app-secret", TrustedDomain: "id.example.com",
//			Fields: []wecomsim.Field{wecomsim.FieldMobile},
//		}},
//		Members: []wecomsim.Member{{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"}},
//	}}})
//	base := sim.Start(t) // stands for all three of WeCom's hosts
//	callback, err := sim.Follow(t.Context(), authorizeURL, wecomsim.Browser{UserID: "zhangsan"})
//
// A person with a browser uses the same handler: the pages let them choose the
// member, tick the consent fields and "scan" the QR code. The client's session
// is a cookie of the simulator's own host, so with it snsapi_base is as silent
// as in WeCom. Browsers send cookies to every port of a host: the simulator
// reads only its own cookie and records the values of none.
//
// For a newcomer with a normal browser there is [Demo], two companies whose pages
// take any browser for the client, and [ActAsClient], which makes the service
// believe the same while the visitor plays the client on the start page. One of
// the companies is used by the demo application, the other is to be set up.
//
// # Admin console
//
// [Config.Console] offers pages like those of WeCom's admin console (管理后台) at
// /wecomsim/console. With them the whole set-up of an app can be done by hand:
//
//   - 我的企业: the Company ID; 应用管理: the apps, and 创建应用.
//   - AgentId, Secret (查看, 重置), 启用 and 停用, 可见范围.
//   - 企业微信授权登录 → Web 网页 → 授权回调域.
//   - 网页授权及 JS-SDK → 可信域名: a file WW_verify_….txt to download, and 申请校验,
//     which fetches it back.
//   - 企业可信 IP, once there is a trusted domain.
//   - 个人敏感信息: the details that the app may ask its members for.
//   - 工作台应用主页, for phones and for desktops.
//
// A new app has nothing set: no details, and a list of trusted IPs with nobody in
// it, so that every call but gettoken is 60020. The same can be done by methods:
// [Simulator.CreateApp], [Simulator.SetTrustedDomain], [Simulator.SetTrustedIPs]
// and their like, whose errors are a [*Refusal] for people. Only the simulator's
// own pages may post. All of it is in memory, and open to whoever can reach it.
//
// # Boundary
//
// Simulated: gettoken, auth/getuserinfo and its old path, auth/getuserdetail,
// user/get, agent/get, get_api_domain_ip, getcallbackip; the in-client and the
// two browser-login pages; frequency limits; trusted IPs; the admin console as
// far as it is listed above. Not simulated: callbacks (events pushed by WeCom),
// messages, third-party apps, the embedded login panel, the lifetime of the QR
// code (not documented; here it does not end), departments and tags, the
// sign-in to the console, and its check of who owns a domain (ICP filing).
//
// The fragment #wechat_redirect never reaches a server, so the pages cannot ask
// for it. [Simulator.Follow] plays the client and does.
//
// # Choices
//
// Where nobody outside knows what WeCom does, the simulator takes a choice. The
// zero value of [Choices] is the left side; the field in brackets switches.
//
//   - A state outside [A-Za-z0-9]{0,128} is an error page, so that our links
//     are proven safe [AnyState].
//   - Unknown appid, agentid, response_type or scope is an error page, and so is
//     a parameter that is there twice. The order of parameters does not matter
//     [ParameterOrderMatters].
//   - An in-client link without #wechat_redirect stops Follow
//     [FragmentIsOptional].
//   - snsapi_privateinfo without agentid gives a code of scope base, without a
//     ticket [PrivateInfoNeedsAgentID].
//   - Refusing consent sends state without code [RefusalStays] and stands for
//     30 days like an agreement: the next visit is silent and its ticket opens
//     nothing [AskAgainAfterRefusal].
//   - snsapi_privateinfo for a visitor who is no member is the same error page
//     as for a member outside the visible range.
//   - A link of a disabled app is an error page.
//   - Members in personal WeChat are seen by openid [PersonalWeChatGivesUserID].
//   - Denying browser login sends state without code [WebDenialStays]; the old
//     page always does, as documented.
//   - A wrong domain at browser login is −31020 when the app has a callback
//     domain and −31039 when it has none.
//   - Somebody outside the corp who scans gets a code that yields an openid.
//   - gettoken repeats the same token with its remaining life [TokenRepeat], and
//     works from every IP [GetTokenChecksIP]. A reset secret ends the tokens of
//     the old one with 40014 [SecretResetKeepsTokens].
//   - An expired token is 42001 [ExpiredTokenIsInvalid].
//   - A wrong method is 40063, in both directions [GetInsteadOfPost].
//   - A bad ticket is 40058 [BadTicket]; a ticket may be used again while it
//     lives [TicketIsSingleUse].
//   - getuserdetail of a member who left the visible range is 60011
//     [DetailOutOfRange]; an avatar that was not agreed to is the default
//     picture [DefaultAvatarIsAbsent].
//   - user/get of a member who is unknown, gone or out of range is 60111
//     [UserNotFound]. Who left (status 5) is no member [LeftMemberIsReadable].
//   - A code that is refused with 50001 stays unspent.
//   - Error answers carry hint, IP and empty fields [BareErrors]; good answers
//     carry errcode 0 [NoErrcodeOnSuccess].
//   - Codes, tokens and tickets have 43 letters [LongestValues: 512].
//   - Plain HTTP is answered; the real API redirects to HTTPS [RequireTLS].
//   - Ten wrong secrets from one IP block it for an hour [Limits.WrongSecrets].
//   - agent/get gives a visible range that is the whole company as its root
//     department, not as a list of everybody. agentid 0 is no number.
//   - The console takes an app whose visible range is nobody, and spells the
//     callback domain by the rules of the trusted domain, without a file. It asks
//     localhost for the domain file over http and every other domain over https.
//   - Only public IPv4 addresses can be trusted [LoopbackTrustedIPs, for
//     demonstrations], and work after a minute [TrustedIPsAtOnce].
//   - An app without a homepage for desktops opens the one for phones there.
//   - Any User-Agent without wxwork or MicroMessenger is sent to the client
//     [AnyBrowserIsClient, for demonstrations].
//
// # Faults
//
// [Simulator.Inject] breaks API calls (busy, refused, 502, broken, empty,
// oversized, slow, hanging, by chance; before or after the call had its
// effect), [Simulator.InjectCallback] bends the redirect to the application,
// and the methods named Change, Reset, Remove and Revoke alter the company while it
// is in use. All are safe at run time from any goroutine.
package wecomsim
