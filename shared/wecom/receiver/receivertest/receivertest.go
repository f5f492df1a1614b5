package receivertest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // WeCom's choice
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sender is WeCom as a receiver sees it. What a test changes is wrong in what it sends.
type Sender struct {
	Token, EncodingAESKey, CorpID string
	Nonce                         string // empty: a number
	At                            time.Time
	// Padding is what the message is padded to. 0: 32.
	Padding int
	// Wrap changes what is encrypted. Nil: nothing.
	Wrap func(plaintext []byte) []byte
}

// Encrypt returns a message in base64.
func (s Sender) Encrypt(message string) string {
	key, err := base64.StdEncoding.DecodeString(s.EncodingAESKey + "=")
	if err != nil {
		panic(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	plaintext := binary.BigEndian.AppendUint32([]byte("sixteen at random"[:16]), uint32(len(message))) //nolint:gosec // of a test
	plaintext = append(append(plaintext, message...), s.CorpID...)
	to := s.Padding
	if to == 0 {
		to = 32
	}
	pad := to - len(plaintext)%to
	plaintext = append(plaintext, bytes.Repeat([]byte{byte(pad)}, pad)...) //nolint:gosec // of a test
	if s.Wrap != nil {
		plaintext = s.Wrap(plaintext)
	}
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(plaintext, plaintext)
	return base64.StdEncoding.EncodeToString(plaintext)
}

// Query returns the query of a push with this encrypted text.
func (s Sender) Query(encrypted string) url.Values {
	timestamp, nonce := strconv.FormatInt(s.At.Unix(), 10), s.Nonce
	if nonce == "" {
		nonce = "263014780"
	}
	parts := []string{s.Token, timestamp, nonce, encrypted}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // see the import
	return url.Values{"msg_signature": {hex.EncodeToString(sum[:])}, "timestamp": {timestamp}, "nonce": {nonce}}
}

// Check returns the raw query that checks a URL, with bare + in echostr or without.
func (s Sender) Check(echo string, bare bool) string {
	encrypted := s.Encrypt(echo)
	query := s.Query(encrypted)
	query.Set("echostr", encrypted)
	raw := query.Encode()
	if bare {
		raw = strings.ReplaceAll(raw, "%2B", "+")
	}
	return raw
}

// Push returns the raw query and the body of a push.
func (s Sender) Push(message string) (query, body string) {
	encrypted := s.Encrypt(message)
	return s.Query(encrypted).Encode(), "<xml><ToUserName><![CDATA[" + s.CorpID + "]]></ToUserName><AgentID><![CDATA[]]></AgentID><Encrypt><![CDATA[" + encrypted + "]]></Encrypt></xml>"
}
