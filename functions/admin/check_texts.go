package admin

import (
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// corpBlocked is WeCom's number for a corp that was dissolved or banned.
const corpBlocked = 301007

// advice says what is wrong and what to do about it, to somebody who has WeCom's
// admin console open.
type advice struct{ title, fix string }

type checkWords struct {
	good          map[stepName]string
	codes         map[int]advice // by WeCom's number (path 90313 of its documentation)
	other         advice         // title takes the number
	unavailable   advice
	secretMissing advice
	unknownIP     string
}

func checkTexts(lang page.Language) checkWords {
	if lang == page.Chinese {
		return chineseCheck()
	}
	return englishCheck()
}

func englishCheck() checkWords {
	secretWrong := advice{
		"WeCom refuses the secret",
		"Copy the secret again from the app's page (Apps → your app → Secret) of this corp, and make sure that the app is enabled.",
	}
	corpWrong := advice{"WeCom does not know the corp ID", "Copy it from My Company → Company ID; it begins with ww or wx."}
	busy := advice{"WeCom is busy", "Wait a moment and check again."}
	tokenRefused := advice{"WeCom refuses an access token it has just given", "Check again. If it stays so, the secret belongs to another kind of app: use the one of this self-built app."}
	return checkWords{
		good: map[stepName]string{
			stepCredentials: "Corp ID and secret are correct",
			stepTrustedIP:   "WeCom accepts calls from this service",
		},
		codes: map[int]advice{
			wecom.SystemBusy:           busy,
			wecom.TooManyParallelCalls: busy,
			wecom.InvalidCredential:    secretWrong,
			wecom.SecretOfAnotherCorp:  secretWrong,
			wecom.SecretMissing:        secretWrong,
			wecom.InvalidCorpID:        corpWrong,
			wecom.CorpIDMissing:        corpWrong,
			wecom.InvalidToken:         tokenRefused,
			wecom.TokenExpired:         tokenRefused,
			wecom.RateLimited:          {"WeCom has blocked this service for calling too often", "A wrong secret tried many times blocks the address for an hour. Repair the secret, wait, and check again."},
			wecom.APIForbidden:         {"The app may not use this interface", "Use the secret of a self-built app, not that of contact synchronisation or of a third-party app."},
			wecom.RedirectUnauthorized: {"The secret belongs to another app", "Use the secret and the agent ID of one and the same self-built app, and set its trusted domain."},
			wecom.AppDisabled:          {"The app is disabled in WeCom", "Enable the app in WeCom's admin console."},
			wecom.UntrustedIP:          {"WeCom does not trust the address that this service calls from", "Add %s to the app's trusted IP addresses (Apps → your app → Trusted IP), wait a minute, and check again."},
			wecom.AppMayNotCall:        {"The app may not call WeCom's interfaces", "Enable the app in WeCom's admin console, or create a new self-built app."},
			corpBlocked: {
				"WeCom has blocked or dissolved the corp", "Ask WeCom's support.",
			},
		},
		other:         advice{"WeCom answers with error %d", "Look the number up at https://open.work.weixin.qq.com/devtool/query and check again."},
		unavailable:   advice{"WeCom could not be reached", "Check that the service can reach WeCom's API over the internet, and try again."},
		secretMissing: advice{"The secret is not there", "Edit the authenticator and enter the app's secret again."},
		unknownIP:     "the service's public IP address",
	}
}

func chineseCheck() checkWords {
	secretWrong := advice{"企业微信不接受该 Secret", "请在本企业的应用详情页（应用管理 → 应用 → Secret）重新复制，并确认应用已启用。"}
	corpWrong := advice{"企业微信找不到该企业 ID", "请从“我的企业 → 企业信息”复制企业 ID，通常以 ww 或 wx 开头。"}
	busy := advice{"企业微信系统繁忙", "请稍后再次检查。"}
	tokenRefused := advice{"企业微信不接受刚刚发放的 access_token", "请再次检查；如仍出现，说明 Secret 属于其他类型的应用，请使用本自建应用的 Secret。"}
	return checkWords{
		good: map[stepName]string{
			stepCredentials: "企业 ID 与 Secret 正确",
			stepTrustedIP:   "企业微信接受本服务的调用",
		},
		codes: map[int]advice{
			wecom.SystemBusy:           busy,
			wecom.TooManyParallelCalls: busy,
			wecom.InvalidCredential:    secretWrong,
			wecom.SecretOfAnotherCorp:  secretWrong,
			wecom.SecretMissing:        secretWrong,
			wecom.InvalidCorpID:        corpWrong,
			wecom.CorpIDMissing:        corpWrong,
			wecom.InvalidToken:         tokenRefused,
			wecom.TokenExpired:         tokenRefused,
			wecom.RateLimited:          {"调用过于频繁，企业微信已暂时封禁本服务", "错误的 Secret 多次尝试会使 IP 被封禁一小时。请修正 Secret，等待解封后再次检查。"},
			wecom.APIForbidden:         {"应用没有此接口的权限", "请使用自建应用的 Secret，而不是通讯录同步或第三方应用的。"},
			wecom.RedirectUnauthorized: {"Secret 属于其他应用", "请使用同一个自建应用的 Secret 与 AgentId，并设置其可信域名。"},
			wecom.AppDisabled:          {"应用在企业微信中已停用", "请在企业微信管理后台启用该应用。"},
			wecom.UntrustedIP:          {"本服务的出口 IP 不在企业可信 IP 中", "请将 %s 添加到应用的企业可信IP（应用管理 → 应用 → 企业可信IP），约一分钟后再次检查。"},
			wecom.AppMayNotCall:        {"应用不能调用企业微信接口", "请在企业微信管理后台启用该应用，或新建一个自建应用。"},
			corpBlocked:                {"企业已被企业微信封禁或解散", "请联系企业微信客服。"},
		},
		other:         advice{"企业微信返回错误 %d", "请在 https://open.work.weixin.qq.com/devtool/query 查询该错误码，处理后再次检查。"},
		unavailable:   advice{"无法连接企业微信", "请确认本服务可以访问企业微信的接口地址，然后重试。"},
		secretMissing: advice{"找不到 Secret", "请编辑认证器，重新填写应用的 Secret。"},
		unknownIP:     "本服务的公网 IP",
	}
}
