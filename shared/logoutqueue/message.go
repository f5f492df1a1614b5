package logoutqueue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Message says what has ended: all sessions of a user, those that a member check ended,
// those of an authenticator, one lineage, or one lineage for one of its applications. Other
// fields are empty then.
type Message struct {
	User        string `json:"user,omitempty"`        // id
	Member      string `json:"member,omitempty"`      // id of a user some of whose sessions ended
	Version     int64  `json:"version,omitempty"`     // of the Member before the end was stored
	Late        bool   `json:"late,omitempty"`        // the end of the Member's sessions was not stored at first
	Lineage     string `json:"lineage,omitempty"`     // id
	Application string `json:"application,omitempty"` // id; only with Lineage
	// Authenticator is the id of an authenticator whose sessions of a Generation have
	// ended: those that began before it was disabled, changed or deleted. Cursor is where
	// the list of its sessions goes on, empty for the beginning.
	Authenticator string `json:"authenticator,omitempty"`
	Generation    string `json:"generation,omitempty"` // only with Authenticator, and always
	Cursor        string `json:"cursor,omitempty"`     // only with Authenticator
}

// isWhole reports whether the fields of a message belong together.
func (m Message) isWhole() bool {
	subjects := 0
	for _, id := range []string{m.User, m.Member, m.Lineage, m.Authenticator} {
		if id != "" {
			subjects++
		}
	}
	return subjects == 1 && (m.Version > 0) == (m.Member != "") && (!m.Late || m.Member != "") && (m.Application == "" || m.Lineage != "") &&
		(m.Generation == "") == (m.Authenticator == "") && (m.Cursor == "" || m.Authenticator != "")
}

// Encode returns the text of a message.
func (m Message) Encode() string {
	text, _ := json.Marshal(m) // of texts, a number and a flag, it cannot fail
	return string(text)
}

// errMalformed: the text is not what Encode writes.
var errMalformed = errors.New("not a message of this service")

// Parse reads the text of a message.
func Parse(text string) (Message, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	var m Message
	if err := decoder.Decode(&m); err != nil {
		return Message{}, errMalformed // the decoder's error has parts of the text
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) || !m.isWhole() {
		return Message{}, errMalformed
	}
	return m, nil
}

// Queue takes messages. It delivers each at least once, not before delay (whole seconds)
// has passed.
type Queue interface {
	Send(ctx context.Context, m Message, delay time.Duration) error
}

// UserDelay is how long the message about a user waits: longer than the list of a user's
// lineages or sessions may lag behind (package store), and than an end takes to be stored
// after its announcement.
const UserDelay = 5 * time.Second

// MemberDelay is how long the message about a leaver waits, for the same reasons. It is
// shorter: five seconds after WeCom has told of them, applications are to know. An end that
// takes longer to be stored is looked for once more, after LateDelay.
const (
	MemberDelay = 2 * time.Second
	LateDelay   = 20 * time.Second
)

// AuthenticatorDelay is how long the message about an authenticator waits: longer than
// functions go on signing people in by a configuration from a cache (package store), and
// than the list of its sessions may lag behind.
const AuthenticatorDelay = 20 * time.Second

// Notifier announces in a queue that sessions have ended.
type Notifier struct{ Queue Queue }

// SessionEnded has the applications of a lineage told.
func (n Notifier) SessionEnded(ctx context.Context, lineage store.Lineage) error {
	return n.Queue.Send(ctx, Message{Lineage: lineage.ID}, 0)
}

// UserEnded has the applications of all sessions of a user told, who may be gone.
func (n Notifier) UserEnded(ctx context.Context, userID string) error {
	return n.Queue.Send(ctx, Message{User: userID}, UserDelay)
}

// MemberEnded has the applications told of those of a user's sessions that a member check
// has ended, or is about to end, of a user whose version is this one before that is stored.
func (n Notifier) MemberEnded(ctx context.Context, userID string, version int64) error {
	return n.Queue.Send(ctx, Message{Member: userID, Version: version}, MemberDelay)
}

// ApplicationDelay is how long the message about one application waits: longer than what
// ends it takes after the announcement, so that the application does not begin anew before.
const ApplicationDelay = 5 * time.Second

// ApplicationEnded has one application of a lineage told, which goes on without it.
func (n Notifier) ApplicationEnded(ctx context.Context, lineage, applicationID string) error {
	return n.Queue.Send(ctx, Message{Lineage: lineage, Application: applicationID}, ApplicationDelay)
}

// AuthenticatorEnded has the applications of all sessions told that began with an
// authenticator as it was before a change of its generation, or before its deletion.
func (n Notifier) AuthenticatorEnded(ctx context.Context, was store.Authenticator) error {
	return n.Queue.Send(ctx, Message{Authenticator: was.ID, Generation: was.Generation}, AuthenticatorDelay)
}
