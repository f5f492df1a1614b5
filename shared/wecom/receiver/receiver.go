package receiver

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeCom's choice, with a secret among what is hashed
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// The forms that WeCom's console takes.
const (
	longestToken = 32
	keyLength    = 43 // of an EncodingAESKey: 32 bytes in base64, without its =
)

// Receiver reads what one corp sends to one URL. It is safe for concurrent use.
type Receiver struct {
	token secret.Value
	key   []byte
	// block is AES with key.
	block  cipher.Block
	corpID string
}

// New returns the receiver of a corp with the Token and the EncodingAESKey that WeCom's
// console has.
func New(token, encodingAESKey secret.Value, corpID string) (*Receiver, error) {
	if t := token.Reveal(); t == "" || len(t) > longestToken || !isAlphanumeric(t) {
		return nil, errors.New("the token is not 1 to 32 letters and digits")
	}
	// What is decoded must consist of the alphabet: the decoder skips line breaks. It does
	// not mind the two bits of the last character that no byte needs, and must not: WeCom's
	// own sample has them set.
	if k := encodingAESKey.Reveal(); len(k) != keyLength || !isAlphanumeric(k) {
		return nil, errors.New("the EncodingAESKey is not 43 letters and digits")
	}
	key, err := base64.StdEncoding.DecodeString(encodingAESKey.Reveal() + "=")
	if err != nil {
		return nil, errors.New("the EncodingAESKey is not base64")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &Receiver{token: token, key: key, block: block, corpID: corpID}, nil
}

// NewCredentials makes a Token and an EncodingAESKey for WeCom's console.
func NewCredentials() (token, encodingAESKey secret.Value) {
	return randomText(longestToken), randomText(keyLength)
}

// randomText returns letters and digits. Those of a key are 62 of the 64 characters of
// base64, as in WeCom's console: 43 of them hold more than 250 bits.
func randomText(length int) secret.Value {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var text strings.Builder
	for b := make([]byte, length); text.Len() < length; {
		_, _ = rand.Read(b) // it never fails: it ends the process instead
		for _, c := range b {
			if c &= 63; int(c) < len(alphabet) && text.Len() < length {
				text.WriteByte(alphabet[c])
			}
		}
	}
	return secret.NewValue(text.String())
}

func isAlphanumeric(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
}

// Check returns what the check of a URL must be answered with. The error says what is wrong
// with the request. A push is signed and encrypted in the same way: sent here, it would be
// answered with what it says, so XML is none.
func (r *Receiver) Check(q Query) ([]byte, error) {
	echo, err := r.open(q, q.echo)
	if err == nil && bytes.ContainsRune(echo, '<') {
		return nil, errors.New("what is to be echoed is a message")
	}
	return echo, err
}

// Open returns the message that was pushed in a body. Errors other than ErrUnreadable
// say what is wrong with the request.
func (r *Receiver) Open(q Query, body []byte) (Message, error) {
	envelope, err := parse(body)
	if err != nil {
		return nil, errors.New("the body is no envelope") // and not ErrUnreadable
	}
	inside, err := r.open(q, envelope["Encrypt"])
	if err != nil {
		return nil, err
	}
	return parse(inside)
}

// open verifies and decrypts.
func (r *Receiver) open(q Query, encrypted string) ([]byte, error) {
	if subtle.ConstantTimeCompare([]byte(r.sign(q, encrypted)), []byte(q.signature)) != 1 {
		return nil, errors.New("the signature is of another token or another text")
	}
	content, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(content) == 0 || len(content)%padding != 0 {
		return nil, errors.New("the encrypted text has a wrong form")
	}
	cipher.NewCBCDecrypter(r.block, r.key[:aes.BlockSize]).CryptBlocks(content, content)
	return r.unwrap(content)
}

// sign is the signature: hexadecimal SHA-1 over the parts in the order of their bytes.
func (r *Receiver) sign(q Query, encrypted string) string {
	parts := []string{r.token.Reveal(), q.timestamp, q.nonce, encrypted}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, ""))) //nolint:gosec // see the import
	return hex.EncodeToString(sum[:])
}

// What is encrypted: random bytes, the length of the message in four bytes, the message, the
// receiveid, and PKCS#7 to a multiple of padding.
const (
	padding    = 32
	randomSize = 16
	headSize   = randomSize + 4
)

func (r *Receiver) unwrap(content []byte) ([]byte, error) {
	pad := int(content[len(content)-1])
	if pad < 1 || pad > padding || !bytes.Equal(content[len(content)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errors.New("the padding is wrong, so it is another key")
	}
	content = content[:len(content)-pad]
	if len(content) < headSize {
		return nil, errors.New("the message is shorter than its head")
	}
	length, rest := binary.BigEndian.Uint32(content[randomSize:]), content[headSize:]
	if uint64(length) > uint64(len(rest)) {
		return nil, errors.New("the message is shorter than it says")
	}
	message, receiveID := rest[:length], rest[length:]
	if subtle.ConstantTimeCompare(receiveID, []byte(r.corpID)) != 1 {
		return nil, errors.New("the receiveid is not the corp's")
	}
	return message, nil
}
