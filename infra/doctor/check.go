package main

import "context"

// check looks at one thing.
type check struct {
	name string
	need need
	run  func(ctx context.Context, v *visit) []finding
}

// need is without what a check makes no sense.
type need int

const (
	needNothing need = iota
	needAnswer       // the address answers
	needKey          // and the admin key is accepted
)

// checks returns all of them in the order of the report.
func checks() []check {
	return []check{
		{"address", needNothing, checkAddress},
		{"certificate", needAnswer, checkCertificate},
		{"plain-http", needAnswer, checkPlainHTTP},
		{"clock", needAnswer, checkClock},
		{"discovery", needAnswer, checkDiscovery},
		{"signing-keys", needAnswer, checkSigningKeys},
		{"key-age", needAnswer, checkKeyAge},
		{"sign-in-page", needAnswer, checkSignInPage},
		{"version", needAnswer, checkVersion},
		{"headers", needAnswer, checkHeaders},
		{"sign-in-start", needAnswer, checkSignInStart},
		{"session", needAnswer, checkSession},
		{"foreign-origin", needAnswer, checkForeignOrigin},
		{"unknown-path", needAnswer, checkUnknownPath},
		{"console", needAnswer, checkConsole},
		{"admin-api", needAnswer, checkAdminAPI},
		{"admin-key", needAnswer, checkAdminKey},
		{"wecom", needKey, checkWeCom},
		{"egress", needKey, checkEgress},
		{"domain-files", needKey, checkDomainFiles},
		{"shared-domain", needKey, checkSharedDomain},
	}
}

// examine runs all checks and tells what they find. What depends on something that
// failed is skipped and said. The key is shown to nobody who does not answer as this
// service does: a mistyped address may be somebody else's.
func examine(ctx context.Context, tell func(finding), v *visit) {
	have, trusted := needNothing, true
	for _, c := range checks() {
		if ctx.Err() != nil {
			tell(finding{check: c.name, status: skipped, seen: say("stopped")})
			continue
		}
		if c.need > have {
			reason := say("skipped.address")
			if c.need == needKey && have == needAnswer {
				reason = say("skipped.key")
			}
			tell(finding{check: c.name, status: skipped, seen: reason})
			continue
		}
		if c.name == "admin-key" && v.Key != "" && !trusted {
			tell(finding{check: c.name, status: skipped, seen: say("skipped.untrusted")})
			continue
		}
		for _, f := range c.run(ctx, v) {
			f.check = c.name
			tell(f)
			if f.status == failed && (c.name == "discovery" || c.name == "admin-api") {
				trusted = false
			}
			if f.status == fine || f.status == warned {
				switch c.name {
				case "address":
					have = needAnswer
				case "admin-key":
					have = needKey
				}
			}
		}
	}
}

func ok(key string, pairs ...string) []finding {
	return []finding{{status: fine, seen: say(key, pairs...)}}
}

func skip(key string, pairs ...string) []finding {
	return []finding{{status: skipped, seen: say(key, pairs...)}}
}

// warn and fail take the key of what was seen; the remedy has the same with ".fix".
func warn(key string, pairs ...string) []finding {
	return []finding{{status: warned, seen: say(key, pairs...), fix: say(key+".fix", pairs...)}}
}

func fail(key string, pairs ...string) []finding {
	return []finding{{status: failed, seen: say(key, pairs...), fix: say(key+".fix", pairs...)}}
}

// unanswered is for a path that did not answer although the address did.
func unanswered(path string, err error) []finding {
	return fail("unanswered", "path", path, "cause", err.Error())
}
