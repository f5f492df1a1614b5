package main

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/settings"
)

var (
	stackName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,99}$`)
	regionName = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
)

func stackQuestion() question {
	return question{
		title: "Name of the stack",
		why:   "All that is made is found by it: tables, secrets, logs, the dashboard.",
		more:  "One stack is one service with its own users. A second one, for trying, has another name.\nThe answers are kept in deployments/NAME.toml.",
		check: func(value string) error {
			if !stackName.MatchString(value) {
				return errors.New("a name begins with a letter and has letters, digits and hyphens, 100 at most")
			}
			return nil
		},
	}
}

func regionQuestion() question {
	return question{
		title: "Region",
		why:   "Where the service runs. Near your members and near WeCom, whose servers are in mainland China.",
		more: "ap-east-1 (Hong Kong), ap-southeast-1 (Singapore) and ap-northeast-1 (Tokyo) are near. cn-north-1 (Beijing)\n" +
			"and cn-northwest-1 (Ningxia) need an account of AWS China and an ICP filing. A stack cannot move; the guide for\noperators says how the data does.",
		check: func(value string) error {
			if !regionName.MatchString(value) {
				return errors.New("a region is written like ap-southeast-1")
			}
			return nil
		},
	}
}

// chinaNote is said about the regions of AWS China.
const chinaNote = `
This is a region of AWS China (partition aws-cn):
  - Its accounts and credentials are its own; those of other regions do not work here.
  - A domain of your own on port 443 needs an ICP filing with the operator of the region. Ask AWS China
    whether the API's own address is open for your account without one.
  - Prices are in CNY and differ from those below.
`

// addressQuestion decides between PublicUrl, DomainName, HostedZoneId and CertificateArn.
func addressQuestion() question {
	return question{
		title: "Public address",
		why:   "What browsers see, and the domain that WeCom has to trust. WeCom takes only a domain of your own company.",
		choices: []choice{
			{string(addressNone), "the API's own address: for a first look; WeCom will not trust it"},
			{string(addressZone), "your domain, whose hosted zone is in Route 53 of this account: record and certificate are made"},
			{string(addressCertificate), "your domain, with a certificate in AWS Certificate Manager: you make the DNS record"},
			{string(addressProxy), "your own proxy stands in front: you say what its address is"},
		},
		more: "WeCom compares the owner of the domain (its ICP filing) with your company.\n" +
			"Give the service and your applications one parent domain (signin.example.com, app.example.com),\notherwise the applications' pages do not see the session.",
		form: "none, zone, certificate or proxy.",
	}
}

// asked is a question about a parameter of the template.
type asked struct {
	parameter string
	question
	// when says whether it makes sense; otherwise the template's own choice is taken.
	when func(a answers) bool
	// needed refuses an empty answer.
	needed bool
	// against refuses an answer that does not go with the earlier ones.
	against func(value string, a answers) error
}

func at(addresses ...publicAddress) func(answers) bool {
	return func(a answers) bool {
		for _, address := range addresses {
			if a.chosen == address {
				return true
			}
		}
		return false
	}
}

func egress(modes ...string) func(answers) bool {
	return func(a answers) bool { return slices.Contains(modes, a.parameters["EgressMode"]) }
}

func architectureQuestion() asked {
	return asked{parameter: "Architecture", question: question{
		title:   "Processor",
		why:     "arm64 costs a fifth less for the same time.",
		choices: []choice{{"arm64", "AWS Graviton"}, {"x86_64", "Intel and AMD, if your rules ask for it"}},
		form:    "arm64 or x86_64.",
	}}
}

// addressQuestions go with the public address that was chosen.
func addressQuestions() []asked {
	return []asked{
		{parameter: "DomainName", needed: true, when: at(addressZone, addressCertificate), question: question{
			title: "Domain", why: "Of the service itself, such as signin.example.com: not that of an application.",
			form: "a domain such as signin.example.com: no scheme, no path", check: checkDomain,
		}},
		{parameter: "HostedZoneId", needed: true, when: at(addressZone), question: question{
			title: "Hosted zone", why: "Its id in Route 53, such as Z0123456789ABCDEFGHIJ.",
			more: "aws route53 list-hosted-zones-by-name --query 'HostedZones[].[Name,Id]' --output text\nThe id is what stands behind /hostedzone/.",
			form: "an id that begins with Z, without /hostedzone/",
		}},
		{parameter: "CertificateArn", needed: true, when: at(addressCertificate), against: inTheStacksRegion, question: question{
			title: "Certificate", why: "Its ARN. It must be issued, for this domain, and in the region of the stack.",
			more: "aws acm list-certificates --query 'CertificateSummaryList[].[DomainName,CertificateArn]' --output text",
			form: "arn:aws:acm:REGION:ACCOUNT:certificate/ID",
		}},
		{parameter: "PublicUrl", needed: true, when: at(addressProxy), question: question{
			title: "Address of your proxy", why: "As browsers see it: https://signin.example.com.",
			more: "The proxy sends every path to the output ApiUrl, with the API's own name as Host, and passes cookies and headers on\nas they are. It must not keep answers.",
			form: "https:// and a host; no path", check: checkAddress,
		}},
	}
}

func egressQuestion() asked {
	return asked{parameter: "EgressMode", question: question{
		title: "How WeCom is called",
		why:   "WeCom answers a self-built app only when it calls from an address on the app's list (trusted IPs).\nPrices are list prices of us-east-1; check yours.",
		choices: []choice{
			{"none", "changing addresses of AWS: 0 USD, but WeCom refuses self-built apps (60020), whose list of addresses cannot be kept right"},
			{"nat", "fixed addresses of this stack: a NAT gateway is about 33 USD a month, 0.045 USD per GB, 3.65 USD a month for its address"},
			{"relay", "through a small server of yours: about 3 to 5 USD a month, 3.65 USD for its address, and your care"},
			{"nat-closing", "after nat, before another: the functions have left the network, which stays until they are gone from it"},
		},
		more: "nat: the functions that call WeCom run in a network of their own and leave it by a fixed address. Nothing to look after.\n" +
			"relay: a server with a fixed address that passes https calls on to qyapi.weixin.qq.com. It sees the app's secret: it must be yours.\n" +
			"none: for a first look, or when WeCom is reached in another way. It can be changed later with another `make deploy`.\n" +
			"nat-closing: for an hour, on the way from nat to another; the network cannot be deleted sooner.",
		form: "none, nat, relay or nat-closing.",
	}}
}

// otherQuestions are the rest, in order.
func otherQuestions() []asked {
	return []asked{
		{parameter: "NatGateways", when: egress("nat", "nat-closing"), question: question{
			title: "NAT gateways", why: "With one, sign-ins stop while its availability zone is down. Each costs what is said above.",
			choices: []choice{{"1", "one address for WeCom"}, {"2", "one in each of two zones; both addresses go into WeCom's list"}},
			form:    "1 or 2.",
		}},
		{parameter: "ElasticIpAllocationIds", when: egress("nat", "nat-closing"), against: oneForEachGateway, question: question{
			title: "Elastic IPs of your own", why: "Yours stay when the stack changes or ends. Empty: the stack makes new ones, which somebody else may get later.",
			more: "aws ec2 allocate-address --domain vpc --query '[AllocationId,PublicIp]' --output text makes one;\naws ec2 describe-addresses --query 'Addresses[].[PublicIp,AllocationId]' --output text lists them.\nOne for each gateway, with a comma in between.",
			form: "eipalloc-… for each gateway, with a comma in between and no space",
		}},
		{parameter: "WeComApiUrl", needed: true, when: egress("relay"), question: question{
			title: "Address of the relay", why: "It passes on to https://qyapi.weixin.qq.com what it is sent. A path in it is the relay's password, and is kept with the answers.",
			form: "an address with https:// and without ? or #", check: checkRelay,
		}},
		{parameter: "EgressAddresses", needed: true, when: func(a answers) bool {
			return egress("relay")(a) || a.parameters["ElasticIpAllocationIds"] != ""
		}, against: oneForEachElasticIP, question: question{
			title: "Addresses that WeCom sees", why: "Public IPv4 addresses of the relay, or of your Elastic IPs in the same order, with commas in between.",
			form: "public IPv4 addresses, with commas in between", check: checkPublicAddresses,
		}},
		{parameter: "CompanyName", question: question{
			title: "Name of the company", why: "Stands on the sign-in page. Empty for none.", form: "at most 60 characters",
		}},
		{parameter: "SessionLifetime", needed: true, question: question{
			title: "Length of a session", why: "After it people sign in again; inside WeCom that is no work.",
			more: "8h is a working day, 168h a week. Disabling a user ends the sessions at once, whatever is left of them.",
			form: "a time from 1s to 720h, such as 8h or 1h30m", check: checkLifetime,
		}},
		{parameter: "AlarmEmail", question: question{
			title: "E-mail address for alarms", why: "AWS sends it a message to confirm first. Empty for none.",
			form: "one e-mail address",
		}},
		{parameter: "LogRetentionDays", needed: true, question: question{
			title: "Days that logs are kept", why: "They hold no secret and no phone number, but who signed in and when.",
			form: "1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545 or 731",
		}},
		{parameter: "RotationDays", needed: true, question: question{
			title: "Days between new signing keys", why: "30 is once a month. Nobody notices it: a key is published one rotation before it signs.",
			more: "`make doctor` and an alarm measure the age of the keys by it: twice these days is too old.",
			form: "a number of days from 7 to 365",
		}},
	}
}

func oneForEachGateway(value string, a answers) error {
	if gateways := a.parameters["NatGateways"]; strconv.Itoa(count(value)) != gateways {
		return fmt.Errorf("there are %d for %s NAT gateways", count(value), gateways)
	}
	return nil
}

// oneForEachElasticIP compares the only way it can: what address an Elastic IP has is
// not in its id.
func oneForEachElasticIP(value string, a answers) error {
	if ids := a.parameters["ElasticIpAllocationIds"]; ids != "" && count(value) != count(ids) {
		return fmt.Errorf("there are %d for %d Elastic IPs", count(value), count(ids))
	}
	return nil
}

// count is of values with commas in between.
func count(list string) int { return strings.Count(list, ",") + 1 }

// inTheStacksRegion refuses a certificate that API Gateway would not find.
func inTheStacksRegion(value string, a answers) error {
	if parts := strings.Split(value, ":"); len(parts) < 4 || parts[3] != a.region {
		return fmt.Errorf("it is not in %s, the region of the stack", a.region)
	}
	return nil
}

func checkDomain(value string) error {
	if strings.HasSuffix(strings.ToLower(value), ".amazonaws.com") || strings.HasSuffix(strings.ToLower(value), ".amazonaws.com.cn") {
		return errors.New("this is a domain of AWS; it must be yours")
	}
	return nil
}

func checkAddress(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" {
		return errors.New("it is no address")
	}
	return checkDomain(u.Hostname())
}

func checkRelay(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Hostname() == "" {
		return errors.New("it is no address")
	}
	if u.User != nil {
		return errors.New("a password in it would be no secret any more: everybody who sees the stack sees it")
	}
	if u.Hostname() == "qyapi.weixin.qq.com" {
		return errors.New("this is WeCom itself, not a relay")
	}
	return nil
}

func checkPublicAddresses(value string) error {
	for part := range strings.SplitSeq(value, ",") {
		ip, err := netip.ParseAddr(strings.TrimSpace(part))
		if err != nil || !ip.Is4() {
			return fmt.Errorf("%q is no IPv4 address", strings.TrimSpace(part))
		}
		if !ip.IsGlobalUnicast() || ip.IsPrivate() {
			return fmt.Errorf("%s is no public address", ip)
		}
	}
	return nil
}

func checkLifetime(value string) error {
	lifetime, err := time.ParseDuration(value)
	if err != nil || lifetime < settings.MinSessionLifetime || lifetime > settings.MaxSessionLifetime {
		return fmt.Errorf("it is no time from %gs to %gh", settings.MinSessionLifetime.Seconds(), settings.MaxSessionLifetime.Hours())
	}
	return nil
}
