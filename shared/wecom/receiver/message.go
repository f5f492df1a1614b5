package receiver

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Message has the texts of a message's elements by WeCom's names, such as Event, without XML's
// white space around them. Those of elements with elements inside are not there.
type Message map[string]string

// ErrUnreadable: WeCom pushed this, but what it says cannot be read. Sent again, it will be
// the same.
var ErrUnreadable = errors.New("the message is no XML with elements once each")

// errForbidden: WeCom writes none of these, and what they could do need not be found out.
var errForbidden = errors.New("a doctype, an entity or a comment")

// parse reads XML of the form <xml><Name>text</Name>…</xml>, in any order. The error is
// ErrUnreadable or errForbidden.
func parse(text []byte) (Message, error) {
	if isForbidden(text) {
		return nil, errForbidden
	}
	message, decoder := Message{}, xml.NewDecoder(bytes.NewReader(text))
	var content strings.Builder
	depth, rooted, plain := 0, false, false // plain: the element that is open has had none inside
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) && rooted {
			return message, nil
		}
		if err != nil {
			return nil, ErrUnreadable
		}
		switch token := token.(type) {
		case xml.StartElement:
			if depth == 0 && (rooted || token.Name.Local != "xml") {
				return nil, ErrUnreadable
			}
			depth, rooted, plain = depth+1, true, depth == 1
			content.Reset()
		case xml.CharData:
			content.Write(token)
		case xml.EndElement:
			if depth == 2 && plain {
				if _, twice := message[token.Name.Local]; twice {
					return nil, ErrUnreadable
				}
				message[token.Name.Local] = strings.Trim(content.String(), " \t\r\n")
			}
			depth, plain = depth-1, false
		}
	}
}

// isForbidden looks at what is outside of CDATA. Without comments and instructions, which
// could have its marks inside, it begins and ends where the decoder sees it.
func isForbidden(text []byte) bool {
	text = bytes.TrimSpace(text)
	if bytes.HasPrefix(text, []byte("<?xml ")) {
		_, text, _ = bytes.Cut(text, []byte("?>"))
	}
	for len(text) > 0 {
		var outside []byte
		outside, text, _ = bytes.Cut(text, []byte("<![CDATA["))
		if bytes.ContainsRune(outside, '&') || bytes.Contains(outside, []byte("<!")) || bytes.Contains(outside, []byte("<?")) {
			return true
		}
		_, text, _ = bytes.Cut(text, []byte("]]>"))
	}
	return false
}
