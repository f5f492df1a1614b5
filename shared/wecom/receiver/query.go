package receiver

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/ascii"
)

// Query is what WeCom writes behind the URL.
type Query struct {
	signature, timestamp, nonce, echo string
}

const (
	signatureLength = 40 // SHA-1 in hexadecimal
	longestNonce    = 128
	longestEcho     = 4 << 10
)

// ParseQuery reads a raw query. ok is false for one that WeCom does not write: a parameter
// that is missing, given twice or of another form. echostr is there for the check of a URL
// only.
func ParseQuery(raw string, isCheck bool) (q Query, ok bool) {
	fields := map[string]*string{"msg_signature": &q.signature, "timestamp": &q.timestamp, "nonce": &q.nonce}
	if isCheck {
		fields["echostr"] = &q.echo
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		field, wanted := fields[name]
		if !wanted {
			continue
		}
		// Of a path, where + stands for itself.
		decoded, err := url.PathUnescape(value)
		if err != nil || decoded == "" || *field != "" {
			return Query{}, false
		}
		*field = decoded
	}
	// Neither base64 nor a number has a space: something on the way took a + for one.
	q.echo = strings.ReplaceAll(q.echo, " ", "+")
	_, dated := q.seconds()
	ok = dated && isSignature(q.signature) && q.nonce != "" && len(q.nonce) <= longestNonce && ascii.IsVisible(q.nonce) &&
		(q.echo != "") == isCheck && len(q.echo) <= longestEcho && ascii.IsVisible(q.echo)
	return q, ok
}

func isSignature(text string) bool {
	return len(text) == signatureLength && strings.Trim(text, "0123456789abcdef") == ""
}

// seconds returns the timestamp, in seconds since 1970.
func (q Query) seconds() (int64, bool) {
	if strings.Trim(q.timestamp, "0123456789") != "" {
		return 0, false // a sign
	}
	seconds, err := strconv.ParseInt(q.timestamp, 10, 64)
	return seconds, err == nil && seconds < 1<<40
}

// Time is when WeCom says that it signed this.
func (q Query) Time() time.Time {
	seconds, _ := q.seconds()
	return time.Unix(seconds, 0)
}
