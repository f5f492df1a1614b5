package main

// language is the reader's.
type language int

const (
	english language = iota
	chinese
)

// tag is what the service is asked for.
func (l language) tag() string {
	if l == chinese {
		return "zh-CN"
	}
	return "en"
}

// text is a sentence in every language; {names} are filled in.
type text struct{ en, zh string }

// texts returns everything that is printed. What a check says is under its name; the
// remedy has the same key with ".fix".
func texts() map[string]text {
	return map[string]text{
		"key.question":      {"Admin key (not shown; Enter leaves out what needs it): ", "管理密钥（不显示；直接回车则跳过需要它的检查）："},
		"count":             {"{ok} ok, {warn} to look at, {fail} failed, {skip} skipped", "{ok} 项正常，{warn} 项需留意，{fail} 项失败，{skip} 项跳过"},
		"stopped":           {"stopped before this", "在此之前已停止"},
		"skipped.address":   {"the address does not answer", "该地址没有响应"},
		"skipped.key":       {"needs the admin key", "需要管理密钥"},
		"skipped.untrusted": {"not sent: what answers there does not look like this service", "未发送：那里的应答不像是本服务"},
		"unanswered":        {"{path} does not answer: {cause}", "{path} 没有响应：{cause}"},
		"unanswered.fix":    {"run doctor again; if it stays, look into the function's log group", "再运行一次；如果仍然如此，查看该函数的日志组"},
		"unexpected":        {"{path} answers {status}", "{path} 返回 {status}"},
		"unexpected.fix":    {"look for this time in the log group of the function admin", "在 admin 函数的日志组中查找这个时间的记录"},

		"address.form":             {"{address} is no address", "{address} 不是一个地址"},
		"address.plain":            {"{address} does not begin with https://", "{address} 不是以 https:// 开头"},
		"address.more":             {"{address} has more than scheme, host and port", "{address} 除协议、主机和端口外还有别的内容"},
		"address.form.fix":         {"give the address as browsers see it: make doctor URL=https://signin.example.com", "填写浏览器看到的地址：make doctor URL=https://signin.example.com"},
		"address.ok":               {"{address} answers", "{address} 有响应"},
		"address.unknown-host":     {"the name {host} is not known", "域名 {host} 无法解析"},
		"address.unknown-host.fix": {"make its DNS record; with a domain of the stack it leads to the output DomainTarget", "添加 DNS 记录；使用栈的自有域名时，指向输出值 DomainTarget"},
		"address.expired":          {"the certificate of {host} has expired", "{host} 的证书已过期"},
		"address.expired.fix":      {"renew it; one of AWS Certificate Manager renews itself while its DNS validation record is there", "续期；AWS Certificate Manager 的证书在其 DNS 验证记录存在时会自动续期"},
		"address.other-host":       {"the certificate is not for {host}", "证书不是签发给 {host} 的"},
		"address.other-host.fix":   {"give the domain or the proxy a certificate for this very name", "为该域名或代理配置签发给这个域名的证书"},
		"address.untrusted":        {"browsers do not trust who issued the certificate of {host}", "浏览器不信任 {host} 证书的签发机构"},
		"address.untrusted.fix":    {"use a certificate of a public authority, with its intermediate ones", "使用公共机构签发的证书，并包含中间证书"},
		"address.slow":             {"{host} gave no answer in {seconds} seconds", "{host} 在 {seconds} 秒内没有响应"},
		"address.slow.fix":         {"see whether a firewall or the proxy in front lets HTTPS through", "检查防火墙或前面的代理是否放行 HTTPS"},
		"address.silent":           {"{host} gave no answer: {cause}", "{host} 没有响应：{cause}"},
		"address.silent.fix":       {"see whether the name leads to this deployment and the port is open", "检查域名是否指向此部署，端口是否开放"},

		"certificate.ok":         {"valid for {days} more days", "还有 {days} 天有效"},
		"certificate.ending":     {"valid for only {days} more days", "只剩 {days} 天有效"},
		"certificate.ending.fix": {"renew it now; one of AWS Certificate Manager that is this old waits for its DNS validation record", "立即续期；AWS Certificate Manager 的证书到此时仍未续期，说明缺少 DNS 验证记录"},
		"certificate.loopback":   {"plain http on this machine has none", "本机的 http 没有证书"},
		"certificate.unseen":     {"the connection does not show one", "该连接不显示证书"},

		"plain-http.silent":       {"nothing answers without https", "不用 https 时没有响应"},
		"plain-http.refused":      {"refused without https ({status})", "不用 https 时被拒绝（{status}）"},
		"plain-http.redirected":   {"redirected to https", "重定向到 https"},
		"plain-http.answered":     {"http:// answers {status} in clear", "http:// 以明文返回 {status}"},
		"plain-http.answered.fix": {"let the proxy redirect http to https or close port 80", "让代理把 http 重定向到 https，或关闭 80 端口"},
		"plain-http.loopback":     {"plain http is allowed on this machine", "本机允许使用 http"},
		"plain-http.port":         {"not looked at: the address has a port of its own", "未检查：该地址使用自己的端口"},

		"clock.ok":         {"{seconds} s apart", "相差 {seconds} 秒"},
		"clock.ahead":      {"the service's clock is {seconds} s ahead of this machine's", "服务的时钟比本机快 {seconds} 秒"},
		"clock.ahead.fix":  {"set this machine's clock by NTP; if it is right, that of the proxy", "用 NTP 校准本机时钟；如果本机准确，则校准代理的时钟"},
		"clock.behind":     {"the service's clock is {seconds} s behind this machine's", "服务的时钟比本机慢 {seconds} 秒"},
		"clock.behind.fix": {"set this machine's clock by NTP; if it is right, that of the proxy", "用 NTP 校准本机时钟；如果本机准确，则校准代理的时钟"},
		"clock.unknown":    {"answers have no date", "响应没有日期"},

		"discovery.ok":         {"issuer {issuer}", "签发者 {issuer}"},
		"discovery.status":     {"the discovery document answers {status}", "发现文档返回 {status}"},
		"discovery.status.fix": {"look into the log group of the function issuer", "查看 issuer 函数的日志组"},
		"discovery.form":       {"the discovery document is no JSON", "发现文档不是 JSON"},
		"discovery.form.fix":   {"see what stands in front of the service and answers in its place", "检查服务前面是什么在代替它响应"},
		"discovery.issuer":     {"the issuer is {issuer}, not {address}", "签发者是 {issuer}，不是 {address}"},
		"discovery.issuer.fix": {"set PublicUrl (PUBLIC_URL) to {address} and deploy again, or use the issuer's address everywhere", "把 PublicUrl（PUBLIC_URL）设为 {address} 并重新部署，或者到处都使用签发者的地址"},
		"discovery.keys":       {"the keys are at {keys}, not below {address}", "密钥在 {keys}，不在 {address} 之下"},
		"discovery.keys.fix":   {"set PublicUrl (PUBLIC_URL) to {address} and deploy again", "把 PublicUrl（PUBLIC_URL）设为 {address} 并重新部署"},

		"signing-keys.ok":          {"{count} RSA keys, {bits} bits or more, public members only", "{count} 个 RSA 密钥，不少于 {bits} 位，只有公开成员"},
		"signing-keys.status":      {"the public keys answer {status}", "公钥返回 {status}"},
		"signing-keys.status.fix":  {"rotate the signing keys once (aws secretsmanager rotate-secret); the first rotation publishes them", "轮换一次签名密钥（aws secretsmanager rotate-secret）；第一次轮换会发布公钥"},
		"signing-keys.form":        {"the public keys are no JSON Web Key Set", "公钥不是 JSON Web Key Set"},
		"signing-keys.form.fix":    {"see what stands in front of the service and answers in its place", "检查服务前面是什么在代替它响应"},
		"signing-keys.private":     {"a PRIVATE member is published: {member}", "公布了私有成员：{member}"},
		"signing-keys.private.fix": {"take the service off now and report it to the maintainers privately; rotate the signing keys twice before it returns", "立即下线该服务并私下报告给维护者；恢复之前轮换两次签名密钥"},
		"signing-keys.few":         {"{count} RSA keys, and there must be two: the next one is published before it signs", "有 {count} 个 RSA 密钥，应有两个：下一个密钥在使用之前就要公布"},
		"signing-keys.few.fix":     {"rotate the signing keys (aws secretsmanager rotate-secret) and read the log group of the function rotatekeys", "轮换签名密钥（aws secretsmanager rotate-secret），并查看 rotatekeys 函数的日志组"},
		"signing-keys.weak":        {"a key has only {bits} bits", "有一个密钥只有 {bits} 位"},
		"signing-keys.weak.fix":    {"these are not keys of this service: see what stands in front of it", "这不是本服务的密钥：检查服务前面是什么"},

		"key-age.ok":         {"published {days} days ago", "{days} 天前公布"},
		"key-age.ageing":     {"published {days} days ago; rotation every {every} days may not run", "{days} 天前公布；每 {every} 天一次的轮换可能没有运行"},
		"key-age.ageing.fix": {"with other RotationDays than {every} say so by -rotation-days; otherwise see in Secrets Manager when the signing keys were rotated last, and read the log group of the function rotatekeys", "RotationDays 不是 {every} 时用 -rotation-days 说明；否则在 Secrets Manager 中查看签名密钥上次轮换的时间，并查看 rotatekeys 函数的日志组"},
		"key-age.old":        {"published {days} days ago: rotation every {every} days does not run", "{days} 天前公布：每 {every} 天一次的轮换没有运行"},
		"key-age.old.fix":    {"with other RotationDays than {every} say so by -rotation-days; otherwise rotate the signing keys by hand (aws secretsmanager rotate-secret) and read the log group of the function rotatekeys", "RotationDays 不是 {every} 时用 -rotation-days 说明；否则手动轮换签名密钥（aws secretsmanager rotate-secret），并查看 rotatekeys 函数的日志组"},
		"key-age.unknown":    {"the service does not tell when its keys were published", "服务没有说明密钥的公布时间"},

		"sign-in-page.ok":         {"offers {names}", "提供 {names}"},
		"sign-in-page.status":     {"/signin answers {status}, or no page", "/signin 返回 {status}，或不是页面"},
		"sign-in-page.status.fix": {"look into the log group of the function signin", "查看 signin 函数的日志组"},
		"sign-in-page.empty":      {"offers no authenticator", "没有提供任何认证器"},
		"sign-in-page.empty.fix":  {"add one in {address}/console", "在 {address}/console 中添加"},

		"version.ok":        {"{version}", "{version}"},
		"version.unknown":   {"the service does not tell its version", "服务没有说明版本"},
		"version.mixed":     {"the page is of version “{page}”, discovery of “{discovery}”", "页面的版本是“{page}”，发现文档的版本是“{discovery}”"},
		"version.mixed.fix": {"wait ten minutes for a running deployment or a cache; if it stays, deploy again", "等十分钟，可能正在部署或有缓存；如果仍然如此，重新部署"},

		"headers.ok":            {"content policy, framing, sniffing, caching and transport are restricted", "内容策略、嵌入、类型嗅探、缓存和传输均受限制"},
		"headers.missing":       {"missing: {names}", "缺少：{names}"},
		"headers.missing.fix":   {"let the proxy in front pass the service's headers on as they are", "让前面的代理原样传递服务的响应头"},
		"headers.talkative":     {"{name} tells “{value}”", "{name} 透露了“{value}”"},
		"headers.talkative.fix": {"switch it off in the proxy: it is not the service's", "在代理中关闭它：它不是本服务发出的"},

		"sign-in-start.ok":           {"{name} leads to {host}; its cookie is Secure, HttpOnly, SameSite=Lax", "{name} 前往 {host}；其 cookie 带有 Secure、HttpOnly、SameSite=Lax"},
		"sign-in-start.none":         {"no authenticator to try", "没有可试的认证器"},
		"sign-in-start.status":       {"{name}: /authorize answers {status} in place of a redirect to WeCom", "{name}：/authorize 返回 {status}，没有重定向到企业微信"},
		"sign-in-start.status.fix":   {"look into the log group of the function authorize", "查看 authorize 函数的日志组"},
		"sign-in-start.refused":      {"{name}: /authorize leads back with the error {code}", "{name}：/authorize 带着错误 {code} 返回"},
		"sign-in-start.refused.fix":  {"look into the log group of the function authorize", "查看 authorize 函数的日志组"},
		"sign-in-start.plain":        {"{name}: leads to {host} without https", "{name}：不用 https 前往 {host}"},
		"sign-in-start.plain.fix":    {"set WeComOAuthUrl and WeComLoginUrl to https addresses", "把 WeComOAuthUrl 和 WeComLoginUrl 设为 https 地址"},
		"sign-in-start.callback":     {"{name}: WeCom is told to come back to “{callback}”, not to {address}", "{name}：告诉企业微信返回“{callback}”，而不是 {address}"},
		"sign-in-start.callback.fix": {"set PublicUrl (PUBLIC_URL) to {address} and deploy again", "把 PublicUrl（PUBLIC_URL）设为 {address} 并重新部署"},
		"sign-in-start.no-cookie":    {"{name}: no cookie of the attempt", "{name}：没有本次登录的 cookie"},
		"sign-in-start.no-cookie.fix": {
			"let the proxy in front pass Set-Cookie on", "让前面的代理传递 Set-Cookie",
		},
		"sign-in-start.cookie":     {"{name}: the cookie lost {attributes}", "{name}：cookie 丢失了 {attributes}"},
		"sign-in-start.cookie.fix": {"let the proxy in front pass Set-Cookie on as it is", "让前面的代理原样传递 Set-Cookie"},

		"session.ok":         {"refused without a cookie (401)", "没有 cookie 时被拒绝（401）"},
		"session.status":     {"/api/session answers {status} without a cookie, not 401", "没有 cookie 时 /api/session 返回 {status}，不是 401"},
		"session.status.fix": {"see whether a cache stands in front: answers under /api/ must not be kept", "检查前面是否有缓存：/api/ 下的响应不得缓存"},

		"foreign-origin.ok":          {"pages of other sites may not read", "其他网站的页面无法读取"},
		"foreign-origin.allowed":     {"{method}: pages of {allowed} may read", "{method}：允许 {allowed} 的页面读取"},
		"foreign-origin.allowed.fix": {"take CORS headers out of the proxy or gateway: the service sets its own", "去掉代理或网关的 CORS 响应头：服务会自行设置"},

		"unknown-path.ok":         {"404 as problem+json", "404，problem+json"},
		"unknown-path.status":     {"an unknown path under /api/ answers {status} ({type}), not 404 as problem+json", "/api/ 下的未知路径返回 {status}（{type}），不是 problem+json 的 404"},
		"unknown-path.status.fix": {"let the proxy in front pass errors on as they are", "让前面的代理原样传递错误响应"},

		"console.ok":         {"answers", "有响应"},
		"console.status":     {"/console answers {status}, or no page", "/console 返回 {status}，或不是页面"},
		"console.status.fix": {"look into the log group of the function admin", "查看 admin 函数的日志组"},

		"admin-api.ok":           {"closed without a key (401) and with a wrong one (403)", "没有密钥（401）或密钥错误（403）时均关闭"},
		"admin-api.open":         {"OPEN: answers {status} without a key", "未关闭：没有密钥时返回 {status}"},
		"admin-api.open.fix":     {"take the service off now; deploy template.yaml as it is published, whose route has an authorizer", "立即下线该服务；按发布的 template.yaml 重新部署，其路由带有授权函数"},
		"admin-api.believes":     {"OPEN: answers {status} with a wrong key", "未关闭：密钥错误时返回 {status}"},
		"admin-api.believes.fix": {"take the service off now; deploy template.yaml as it is published, whose route has an authorizer", "立即下线该服务；按发布的 template.yaml 重新部署，其路由带有授权函数"},
		"admin-api.status":       {"answers {status}, not {want}", "返回 {status}，不是 {want}"},
		"admin-api.status.fix":   {"look into the log group of the function authorizer", "查看 authorizer 函数的日志组"},

		"admin-key.ok":          {"accepted", "有效"},
		"admin-key.none":        {"none was given", "没有提供"},
		"admin-key.refused":     {"refused ({status})", "被拒绝（{status}）"},
		"admin-key.refused.fix": {"read it again: aws secretsmanager get-secret-value with the output AdminKeySecret", "重新读取：用输出值 AdminKeySecret 执行 aws secretsmanager get-secret-value"},

		"wecom.ok":         {"{name}: {steps}", "{name}：{steps}"},
		"wecom.failed":     {"{name}, {step}: {title}", "{name}，{step}：{title}"},
		"wecom.failed.fix": {"{remedy}", "{remedy}"},
		"wecom.disabled":   {"{name} is disabled", "{name} 已停用"},
		"wecom.none":       {"there is no authenticator", "没有认证器"},
		"wecom.none.fix":   {"add one in {address}/console", "在 {address}/console 中添加"},

		"egress.ok":          {"WeCom is called from {addresses}, which are set", "调用企业微信的出口 IP 是 {addresses}，已在设置中固定"},
		"egress.seen":        {"WeCom sees {addresses} just now; it need not stay", "企业微信现在看到的是 {addresses}；它可能会变"},
		"egress.seen.fix":    {"deploy with EgressMode nat or relay (make deploy), and enter the fixed address in WeCom's trusted IPs", "用 EgressMode nat 或 relay 部署（make deploy），并把固定的 IP 填入企业可信 IP"},
		"egress.unknown":     {"nobody can tell from where WeCom is called", "无法得知调用企业微信的出口 IP"},
		"egress.unknown.fix": {"deploy with EgressMode nat or relay (make deploy); if it is, see whether the service reaches WeCom", "用 EgressMode nat 或 relay 部署（make deploy）；如果已经是，检查服务能否访问企业微信"},

		"domain-files.ok":        {"{files} at the root, as WeCom wants it", "{files} 位于根路径，符合企业微信的要求"},
		"domain-files.none":      {"none; WeCom asks for one when it verifies the trusted domain", "没有；企业微信验证可信域名时需要一个"},
		"domain-files.none.fix":  {"download WW_verify_….txt from WeCom's console and drop it into {address}/console", "从企业微信管理后台下载 WW_verify_….txt，放到 {address}/console"},
		"domain-files.wrong":     {"{file} does not come back as its 16 characters", "{file} 取回的不是其 16 个字符"},
		"domain-files.wrong.fix": {"let the proxy in front pass /{file} on to the service, without a redirect", "让前面的代理把 /{file} 交给服务，不要重定向"},

		"shared-domain.ok":          {"one WeCom app for each corp and domain", "每个企业和域名只有一个企业微信应用"},
		"shared-domain.several":     {"the apps {agents} of corp {corp} have the domain {domain} in common; WeCom may let only the later one in", "企业 {corp} 的应用 {agents} 共用域名 {domain}；企业微信可能只放行后设置的一个"},
		"shared-domain.several.fix": {"sign in once with each; if one fails, use one WeCom app for both (guide: “Two apps, one domain”)", "用每个应用各登录一次；如果有一个失败，让它们共用一个企业微信应用（见指南“两个应用，一个域名”）"},
	}
}
