package main

import (
	"fmt"
	"strings"
)

// nextSteps says what is to be done now, with the stack's values, in the order of the
// guide and of our console: WeCom takes trusted IPs only after the domain.
func nextSteps(a answers, outputs map[string]string) string {
	var text strings.Builder
	line := func(format string, values ...any) { fmt.Fprintf(&text, format+"\n", values...) }
	addresses := outputs["EgressAddresses"]
	fixed := addresses != "" && addresses != "none"
	line("\nIt is deployed.\n")
	line("  service             %s", outputs["ServiceUrl"])
	line("  console             %s", outputs["ConsoleUrl"])
	if fixed {
		line("  WeCom is called from %s", addresses)
	} else {
		line("  WeCom is called from changing addresses")
	}
	if outputs["Dashboard"] != "" {
		line("  dashboard           %s (CloudWatch)", outputs["Dashboard"])
	}
	if a.parameters["AlarmEmail"] != "" {
		line("\nConfirm the message that AWS has sent to %s; until then no alarm arrives.", a.parameters["AlarmEmail"])
	}
	switch {
	case a.parameters["DomainName"] != "" && a.parameters["HostedZoneId"] == "":
		line("\nDNS first: make a CNAME record\n  %s → %s", a.parameters["DomainName"], outputs["DomainTarget"])
	case a.parameters["PublicUrl"] != "":
		line("\nProxy first: send every path of %s to\n  %s\nwith the host of that address as Host, cookies and headers as they are, and keep no answers.", outputs["ServiceUrl"], outputs["ApiUrl"])
	}
	line("\nThe admin key opens the console. It stays in Secrets Manager; read it when you need it:")
	line("  aws secretsmanager get-secret-value --region %s --secret-id %s --query SecretString --output text", a.region, outputs["AdminKeySecret"])
	if a.publicAddress() == addressNone {
		line("\nWith the API's own address this is a first look: WeCom trusts only a domain of your company.\nDeploy again with one before you go on.")
	}
	line("\nThen connect WeCom: its admin console (https://work.weixin.qq.com/wework_admin/) beside ours,\nwhich leads through the same eight steps; docs/guide/set-up-wecom.md has the pictures:\n")
	line("  1. Create a self-built app, and choose who may see it.")
	line("  2. WeCom authorized login (企业微信授权登录) → Web → callback domain (授权回调域):\n       %s", outputs["CallbackDomain"])
	line("  3. Web authorization and JS-SDK (网页授权及 JS-SDK) → trusted domain (可信域名):\n       %s\n     It offers a file WW_verify_….txt: drop it into %s,\n     then let WeCom verify.", outputs["CallbackDomain"], outputs["ConsoleUrl"])
	if fixed {
		line("  4. Corporate trusted IP (企业可信 IP):\n       %s", strings.ReplaceAll(strings.ReplaceAll(addresses, " ", ""), ",", ";"))
	} else {
		line("  4. Corporate trusted IP (企业可信 IP): there is no fixed address yet. WeCom refuses the app (60020)\n     until you deploy again with EgressMode nat or relay and enter the address.")
	}
	line("  5. Company ID, AgentId and Secret: into a new authenticator of our console.")
	line("  6. Phone number: choose it among the fields that members share. Without it no first sign-in works.")
	line("  7. Check, at the authenticator.")
	line("  8. Workbench homepage: the link that our console shows. Then make the first administrator.")
	line("\nThen see whether everything is right:\n  make doctor URL=%s%s", outputs["ServiceUrl"], doctorArguments(a))
	return text.String()
}

// doctorArguments says what doctor cannot see from outside and takes for usual.
func doctorArguments(a answers) string {
	if days := a.parameters["RotationDays"]; days != "30" {
		return ` ARGS="-rotation-days ` + days + `"`
	}
	return ""
}
