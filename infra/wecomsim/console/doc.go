// Package console is the simulator's admin console: pages in the order and with
// the names of WeCom's own (管理后台), at /wecomsim/console. With them an app can
// be set up by hand from nothing:
//
//   - 我的企业: the Company ID; 应用管理: the apps, and 创建应用.
//   - 通讯录: the departments with their people, and the tags; hire, move, tag,
//     disable, enable, rename and dismiss a member; 通讯录同步 → 接收事件服务器; the
//     latest events.
//   - AgentId, Secret (查看, 重置), 启用 and 停用, 可见范围.
//   - 企业微信授权登录 → Web 网页 → 授权回调域.
//   - 网页授权及 JS-SDK → 可信域名: a file WW_verify_….txt to download, and 申请校验,
//     which fetches it from the domain.
//   - 接收消息 → 设置 API 接收, saved once the URL passed its check.
//   - 企业可信 IP, once there is a trusted domain or a receiver.
//   - 个人敏感信息: the details that the app may ask its members for.
//   - 工作台应用主页, for phones and for desktops.
//
// # Boundary
//
// The console decides what can be saved and says in Chinese and English why
// something cannot; the simulator alone holds what was saved. It has no sign-in
// and does not ask who owns a domain (ICP filing): anyone who reaches the
// simulator may use it.
//
// # Invariants
//
//   - A new app has no details and trusts no IP: every call but gettoken is 60020.
//   - A refused form changes nothing and keeps what was typed.
//   - Only the simulator's own pages may post.
//
// # Choices
//
//   - The visible range may be empty. The callback domain follows the spelling
//     rules of the trusted domain and needs no file.
//   - The domain file of an app stays the same. It is fetched over http from
//     localhost and over https from every other domain; redirects are not
//     followed.
//   - A name has at most 32 characters: the real limit is not documented.
package console
