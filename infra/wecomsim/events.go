// Events: what changes of a company are told to which receiver, and how a push
// is sent.

package wecomsim

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// checkLimit is how long the answer to the check of a receiver's URL may take
	// (D/90930).
	checkLimit = time.Second
	// pushLimit is how long the answer to a push may take, and pushTries how often
	// it is sent in all (D/90238).
	pushLimit = 5 * time.Second
	pushTries = 3
	// maxPushes is how many pushes are remembered.
	maxPushes = 200
)

// Receiver is where events are sent: 接收消息服务器配置 of an app, or 接收事件服务器
// of the contact-sync assistant. The zero value is none.
type Receiver struct {
	URL string
	// Token has at most 32 letters and digits.
	Token string
	// EncodingAESKey has 43 letters and digits.
	EncodingAESKey string
}

var (
	tokenShape = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	keyShape   = regexp.MustCompile(`^[A-Za-z0-9]{43}$`)
)

func (r Receiver) validate() error {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("the URL must be a full address that begins with https:// or http://")
	case !tokenShape.MatchString(r.Token):
		return errors.New("the Token must have 1 to 32 letters and digits")
	case !keyShape.MatchString(r.EncodingAESKey):
		return errors.New("the EncodingAESKey must have 43 letters and digits")
	}
	return nil
}

// SetReceiver saves the receiver of an app, or of contact-sync if agentID is
// empty, after its URL passed the check: it must answer a GET with what echostr
// says, within a second. The zero Receiver removes it and is not checked.
func (s *Simulator) SetReceiver(ctx context.Context, corpID, agentID string, r Receiver) error {
	if r != (Receiver{}) {
		if err := r.validate(); err != nil {
			return err
		}
		if err := s.checkReceiver(ctx, corpID, r); err != nil {
			return fmt.Errorf("check the URL: %w", err)
		}
	}
	if agentID != "" {
		return s.ChangeApp(corpID, agentID, func(a *App) { a.Receiver = r })
	}
	return s.changeCorp(corpID, func(c *Corp) error {
		c.ContactSyncReceiver = r
		return nil
	})
}

func (s *Simulator) checkReceiver(ctx context.Context, corpID string, r Receiver) error {
	s.mu.Lock()
	s.checks++
	bare := s.checks%2 == 1
	now := s.now()
	s.mu.Unlock()
	want := strconv.FormatUint(rand.Uint64(), 10) //nolint:gosec // A question, not a secret.
	var echo string
	for !strings.Contains(echo, "+") { // so that every check shows how the query is read
		echo = encrypt(r.EncodingAESKey, want, corpID)
	}
	query := "&echostr=" + url.QueryEscape(echo)
	if bare {
		query = strings.ReplaceAll(query, "%2B", "+")
	}
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	status, body := s.send(ctx, http.MethodGet, signedURL(r, echo, now)+query, nil)
	switch {
	case status == 0:
		return errors.New("the URL gave no answer within a second")
	case status != http.StatusOK:
		return fmt.Errorf("the URL answered HTTP %d", status)
	case body != want:
		return errors.New("the answer is not the plaintext of echostr, byte for byte")
	}
	return nil
}

// send makes a request to a receiver. Status 0 means that no answer came in time.
func (s *Simulator) send(ctx context.Context, method, target string, body []byte) (status int, answer string) {
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return 0, ""
	}
	r.Header.Set("Content-Type", "text/xml")
	res, err := s.client.Do(r)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = res.Body.Close() }()
	read, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(read)
}

// EventFaults are what goes wrong with events, until they are set again.
type EventFaults struct {
	// Loss is the chance between 0 and 1 that an event is never sent.
	Loss float64
	// CutOff sends nothing, as for a receiver that failed too often.
	CutOff bool
	// Duplicates is how often a push that was taken is sent again, byte for byte.
	Duplicates int
	// WrongSignature and WrongReceiveID send pushes that a receiver must refuse.
	WrongSignature, WrongReceiveID bool
}

// SetEventFaults replaces the faults of events.
func (s *Simulator) SetEventFaults(f EventFaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eventFaults = f
}

// Push is an event on its way to a receiver.
type Push struct {
	// AgentID is empty for the contact-sync receiver.
	CorpID, AgentID string
	// Event is the event's name, or the ChangeType of change_contact, and UserID
	// whom it is about, if anyone.
	Event, UserID string
	// Tries is how often it was sent: 0 for a lost one, more than three for one
	// with duplicates or replays.
	Tries int
	// Status is the last answer's; 0 means none came in time.
	Status int
	// Delivered says that an answer counted as taken.
	Delivered bool
	At        time.Time

	target string
	body   []byte
}

// Pushes returns the latest pushes, oldest first.
func (s *Simulator) Pushes() []Push {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pushes []Push
	for _, p := range s.pushes {
		pushes = append(pushes, *p)
	}
	return pushes
}

// Settle waits until no push is on its way.
func (s *Simulator) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.onTheirWay > 0 {
		s.settled.Wait()
	}
}

// Replay sends the latest push once more, byte for byte, and returns the status
// of the answer; 0 means that there was none in time.
func (s *Simulator) Replay(ctx context.Context) int {
	s.Settle()
	s.mu.Lock()
	if len(s.pushes) == 0 {
		s.mu.Unlock()
		return 0
	}
	p := s.pushes[len(s.pushes)-1]
	s.mu.Unlock()
	s.try(ctx, p)
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.Status
}

// try sends a push once and reports whether it was taken.
func (s *Simulator) try(ctx context.Context, p *Push) bool {
	ctx, cancel := context.WithTimeout(ctx, pushLimit)
	defer cancel()
	status, _ := s.send(ctx, http.MethodPost, p.target, p.body)
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := status == http.StatusOK || status > 0 && s.choices.AnyStatusIsTaken
	p.Tries, p.Status, p.Delivered = p.Tries+1, status, p.Delivered || taken
	return taken
}

// push sends an event to a receiver, if there is one. It returns at once.
func (s *Simulator) push(c *Corp, agentID string, event eventFields) {
	receiver := c.ContactSyncReceiver
	if agentID != "" {
		receiver = c.app(agentID).Receiver
	}
	if receiver == (Receiver{}) {
		return
	}
	now, faults := s.now(), s.eventFaults
	p := &Push{CorpID: c.ID, AgentID: agentID, Event: cmp.Or(event["ChangeType"], event["Event"]), UserID: cmp.Or(event["UserID"], event["FromUserName"]), At: now}
	if p.UserID == systemUser {
		p.UserID = ""
	}
	s.pushes = append(s.pushes, p)
	s.pushes = s.pushes[max(0, len(s.pushes)-maxPushes):]
	event["ToUserName"], event["CreateTime"], event["MsgType"] = c.ID, strconv.FormatInt(now.Unix(), 10), "event"
	receiveID := c.ID
	if faults.WrongReceiveID {
		receiveID = "ww0000000000000000"
	}
	encrypted := encrypt(receiver.EncodingAESKey, event.xml(), receiveID)
	p.body = []byte(eventFields{"ToUserName": c.ID, "AgentID": agentID, "Encrypt": encrypted}.xml())
	if faults.WrongSignature {
		receiver.Token += "x"
	}
	p.target = signedURL(receiver, encrypted, now)
	if faults.CutOff || rand.Float64() < faults.Loss { //nolint:gosec // Chance, not a secret.
		return
	}
	s.onTheirWay++
	go func() {
		ctx, taken := context.Background(), false
		for tries := 0; tries < pushTries && !taken; tries++ {
			taken = s.try(ctx, p)
		}
		for n := 0; taken && n < faults.Duplicates; n++ {
			s.try(ctx, p)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.onTheirWay--
		s.settled.Broadcast()
	}()
}

// systemUser is FromUserName of what is not about a member.
const systemUser = "sys"

// WarnInactive tells an app that WeCom will disable it at a time, because nobody
// uses it.
func (s *Simulator) WarnInactive(corpID, agentID string, at time.Time) error {
	return s.changeApp(corpID, agentID, func(c *Corp, _ *App) error {
		s.push(c, agentID, eventFields{"FromUserName": systemUser, "Event": "inactive_alert", "AgentID": agentID, "EffectTime": strconv.FormatInt(at.Unix(), 10)})
		return nil
	})
}

// CloseInactive disables an app that nobody uses, and tells it: its calls answer
// 50003. It stays closed until ChangeApp enables it.
func (s *Simulator) CloseInactive(corpID, agentID string) error {
	return s.changeApp(corpID, agentID, func(c *Corp, a *App) error {
		a.Disabled = true
		s.push(c, agentID, eventFields{"FromUserName": systemUser, "Event": "close_inactive_agent", "AgentID": agentID})
		return nil
	})
}

// Enter is a member opening an app in the client, which App.ReportEnter tells it.
func (s *Simulator) Enter(corpID, agentID, userID string) error {
	return s.changeApp(corpID, agentID, func(c *Corp, a *App) error {
		m := c.member(userID)
		if m == nil || a.Disabled || m.status() != StatusActive || !c.inRange(a, userID) {
			return fmt.Errorf("open app %q: member %q cannot", agentID, userID)
		}
		if a.ReportEnter {
			s.push(c, agentID, eventFields{"FromUserName": m.UserID, "Event": "enter_agent", "EventKey": "", "AgentID": agentID})
		}
		return nil
	})
}

// known is what receivers know of a member.
type known struct {
	userID, departments string
	// apps are those that the member can use: in their range, and neither disabled
	// nor gone.
	apps map[string]bool
}

// known are the members by their serial numbers.
func (c *Corp) known() map[int]known {
	members := map[int]known{}
	for _, m := range c.Members {
		if m.status() == StatusLeft {
			continue
		}
		departments := strings.Trim(strings.ReplaceAll(fmt.Sprint(m.departments()), " ", ","), "[]")
		k := known{m.UserID, departments, map[string]bool{}}
		for i, a := range c.Apps {
			k.apps[a.AgentID] = m.status() != StatusDisabled && c.inRange(&c.Apps[i], m.UserID)
		}
		members[m.serial] = k
	}
	return members
}

// announce pushes what changed in a company: change_contact in its thin form to
// contact-sync (D/90970), subscribe and unsubscribe to the apps (D/90240). A new
// UserID is told to contact-sync alone.
func (s *Simulator) announce(c *Corp, before, now map[int]known) {
	all := maps.Clone(before)
	maps.Copy(all, now)
	for _, serial := range slices.Sorted(maps.Keys(all)) {
		was, known := before[serial]
		is, stays := now[serial]
		event := eventFields{"FromUserName": systemUser, "Event": "change_contact", "UserID": cmp.Or(was.userID, is.userID)}
		if stays && was.departments != is.departments {
			event["Department"] = is.departments
		}
		if stays && known && was.userID != is.userID {
			event["NewUserID"] = is.userID
		}
		switch {
		case !stays:
			event["ChangeType"] = "delete_user"
		case !known:
			event["ChangeType"] = "create_user"
		case event["Department"]+event["NewUserID"] != "":
			event["ChangeType"] = "update_user"
		}
		if event["ChangeType"] != "" {
			s.push(c, "", event)
		}
		for _, a := range c.Apps {
			if was.apps[a.AgentID] != is.apps[a.AgentID] {
				name := "unsubscribe"
				if is.apps[a.AgentID] {
					name = "subscribe"
				}
				s.push(c, a.AgentID, eventFields{"FromUserName": cmp.Or(is.userID, was.userID), "Event": name, "AgentID": a.AgentID})
			}
		}
	}
}
