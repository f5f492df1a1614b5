// How events are written, encrypted and signed (D/90968).

package wecomsim

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	crand "crypto/rand"
	"crypto/sha1" //nolint:gosec // WeCom's signature.
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// eventFields are the elements of an event or of its envelope.
type eventFields map[string]string

// xml writes the elements in any order: WeCom promises none.
func (e eventFields) xml() string {
	names := slices.Collect(maps.Keys(e))
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] }) //nolint:gosec // Not secret.
	var out strings.Builder
	out.WriteString("<xml>")
	for _, name := range names {
		value := "<![CDATA[" + strings.ReplaceAll(e[name], "]]>", "]]]]><![CDATA[>") + "]]>"
		if strings.HasSuffix(name, "Time") || name == "AgentID" && e["Encrypt"] == "" {
			value = e[name] // numbers
		}
		out.WriteString("<" + name + ">" + value + "</" + name + ">")
	}
	out.WriteString("</xml>")
	return out.String()
}

// encrypt is AES-256-CBC with the key's beginning as IV, over 16 random bytes,
// the length, the text and the receiver's ID, padded to a multiple of 32. The
// key was validated.
func encrypt(encodingAESKey, text, receiveID string) string {
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil {
		return ""
	}
	plain := make([]byte, 16, 20+len(text)+len(receiveID)+32)
	_, _ = crand.Read(plain)                                        // never fails
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(text))) //nolint:gosec // Short.
	plain = append(append(plain, text...), receiveID...)
	pad := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, err := aes.NewCipher(key)
	if err != nil {
		return ""
	}
	cipher.NewCBCEncrypter(block, key[:aes.BlockSize]).CryptBlocks(plain, plain)
	return base64.StdEncoding.EncodeToString(plain)
}

// signedURL is the receiver's URL with the parameters that sign what is
// encrypted.
func signedURL(r Receiver, encrypted string, now time.Time) string {
	timestamp, nonce := strconv.FormatInt(now.Unix(), 10), strconv.FormatUint(uint64(rand.Uint32()), 10)                    //nolint:gosec // Not secret.
	sum := sha1.Sum([]byte(strings.Join(slices.Sorted(slices.Values([]string{r.Token, timestamp, nonce, encrypted})), ""))) //nolint:gosec // See above.
	separator := "?"
	if strings.Contains(r.URL, "?") {
		separator = "&"
	}
	return r.URL + separator + "msg_signature=" + hex.EncodeToString(sum[:]) + "&timestamp=" + url.QueryEscape(timestamp) + "&nonce=" + nonce
}
