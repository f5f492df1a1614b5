// Package wecomsim simulates WeCom (企业微信): the API, the authorize page of the
// client and browser login, in memory and on one listener. It is strict: a
// client that breaks a documented rule fails here as it does there. Tests create
// one per case:
//
//	sim := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
//		ID: "ww0123456789abcdef",
//		Apps: []wecomsim.App{{
//			AgentID: "1000002", Secret: "app-secret", TrustedDomain: "id.example.com",
//			Fields: []wecomsim.Field{wecomsim.FieldMobile},
//		}},
//		Members: []wecomsim.Member{{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"}},
//	}}})
//	base := sim.Start(t) // stands for all of WeCom's hosts
//	callback, err := sim.Follow(t.Context(), authorizeURL, wecomsim.Browser{UserID: "zhangsan"})
//
// A person with a browser uses the same pages: they choose the member, tick the
// consent and "scan" the QR code by clicks. [Demo] configures companies to try
// on one machine. Package console is the admin console. Every method may be
// called at any time, from any goroutine.
//
// # Boundary
//
// The simulator judges this project's WeCom client, so it imports nothing of the
// project and shares no constant with it.
//
// Simulated: gettoken, auth/getuserinfo and its former path, auth/getuserdetail,
// user/get, list, simplelist, list_id, getuserid and get_userid_by_email,
// department/list, simplelist and get, tag/get, agent/get, message/send and
// update_template_card; the in-client page, both pages of browser login, and the
// login panel; events; frequency limits and trusted IPs; the IDs of 代开发 apps
// [Corp.OpaqueIDs]. [Simulator.Inject] breaks API calls, before or after they take
// effect, [Simulator.InjectCallback] the redirect to the application, and
// [Simulator.SetEventFaults] the events.
//
// What this project does not call is here for others who import the simulator.
// Not simulated: messages other than text, textcard, markdown and cards with
// buttons, their lengths, and what they look like; the list of tags, export jobs,
// linked companies (互联企业), third-party apps, and of 代开发 all but the IDs; what
// a contact-sync token may change; and an end of the QR code's life, which is not
// documented.
//
// # Invariants
//
//   - Time passes only on Config.Now, except for Slow and Hang, and for the answers
//     to events, which have a second for a check and five for a push.
//   - No value of a parameter is recorded: they are secrets, tokens and codes.
//   - A page needs no other host, and another site cannot post to it.
//
// # Choices
//
// WeCom leaves these points unconfirmed. The field of [Choices] in brackets
// switches to the behavior after the colon.
//
//   - A state outside [A-Za-z0-9]{0,128} is an error page [AnyState: it comes back
//     unchanged].
//   - So is an unknown appid, agentid, response_type or scope, a repeated
//     parameter, and the link of a disabled app. The order of parameters does not
//     matter [ParameterOrderMatters: another order than the documented one is an
//     error page].
//   - A User-Agent without wxwork or MicroMessenger is told to open the client
//     [AnyBrowserIsClient: it is the client, which WeCom never accepts].
//   - A link without #wechat_redirect does not attach the identity: Follow stops.
//   - snsapi_privateinfo without agentid gives a code without a ticket
//     [PrivateInfoNeedsAgentID: error page]. For a person who is not a member it
//     is the same error page as for a member outside the visible range.
//   - A refused consent sends state without code [RefusalStays: a page of WeCom].
//     It stands for 30 days like an agreement: then the redirect is silent, and
//     the ticket gives no details [AskAgainAfterRefusal: the page appears again].
//   - Members in personal WeChat have an openid [PersonalWeChatGivesUserID].
//   - A denied browser login sends state without code [WebDenialStays: a page of
//     WeCom]; the old page always does, as documented.
//   - A wrong domain at browser login is −31020 if the app has a callback domain,
//     else −31039. An outsider who scans gets a code for an openid.
//   - gettoken repeats the same token with its remaining life [TokenRepeat] and
//     works from every IP [GetTokenChecksIP: 60020].
//   - An expired token is 42001 [ExpiredTokenIsInvalid: 40014]. A reset secret
//     revokes the tokens with 40014 [SecretResetKeepsTokens].
//   - A wrong method is 40063, in both directions [GetInsteadOfPost: this code].
//   - A spent code is 40029 [SpentCode: this code].
//   - A ticket that is missing is 84090, an unknown one or another app's 84015, an
//     expired one 84014 [BadTicket: this code]. A ticket works until it expires
//     [TicketIsSingleUse: only once].
//   - getuserdetail of a member who left the visible range is 60011
//     [DetailOutOfRange: this code]; an avatar that was not agreed to is the
//     default picture [DefaultAvatarIsAbsent].
//   - user/get of a member who is unknown, gone or out of range is 60111
//     [UserNotFound: this code]. A member of status 5 is gone
//     [LeftMemberIsReadable: can sign in, and user/get returns status 5].
//   - A department that does not exist is 60003. A department's parentid is there
//     even when the parent is out of range. Every app reads every tag, cut to its
//     range, and a tag of nothing visible is empty.
//   - A contact-sync token reads user/list_id and department/simplelist alone: of
//     tags, too, it gets 48009. The last page of user/list_id has an empty
//     next_cursor [LastPageWithoutCursor: none].
//   - user/simplelist and user/list ignore fetch_child.
//   - user/getuserid ignores blanks and dashes, nothing else, and a lookup by mail
//     nothing at all. The miss too many is 46004, and from the next call on both
//     answer 45009 [Limits.LookupMisses, LookupPeriod].
//   - A push is tried again after an answer that is not 200 [AnyStatusIsTaken: only
//     when none comes], three times in all, byte for byte, without a pause. The
//     elements of an event come in any order, and every other check of a URL has a
//     bare + in echostr. A new UserID is told to contact-sync alone. One event is
//     about one member, however many change.
//   - A message that is not well formed is 40058, and so is a card without a task_id
//     or with one that the app used among the latest messages. A receiver that
//     reaches nobody in the visible range is invalid. A duplicate gets a msgid.
//   - A response_code that is unknown, another app's, spent or too old is 60140.
//   - An app closed because nobody uses it is a disabled app.
//   - The panel offers quick login when a client is signed in at the same browser
//     and the page around the panel allows it to reach this machine. A refusal
//     there is one as on the whole page; with redirect_type=callback it is
//     onLoginFail with the number 1 [WebDenialStays: no message]. The panel takes a
//     port for its messages, and uses the window while it has none.
//   - A code refused with 50001 stays unspent.
//   - Error answers carry hint, IP and empty fields [BareErrors], good answers
//     errcode 0 [NoErrcodeOnSuccess].
//   - Codes, tokens and tickets have 43 letters [LongestValues: 512].
//   - Plain HTTP is answered [RequireTLS: 301 to HTTPS, as the real API does].
//   - Ten wrong secrets from one IP block it for an hour [Limits.WrongSecrets].
//   - agent/get gives a visible range that is the whole company as the root
//     department. agentid 0 is not a number.
//   - Only public IPv4 addresses can be trusted [LoopbackTrustedIPs: loopback
//     too], from a minute after they are saved [TrustedIPsAtOnce].
//   - An app without a homepage for desktops opens the one for phones there.
package wecomsim
