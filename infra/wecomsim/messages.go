// Messages from an app to members, and the buttons of cards.

package wecomsim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// messagesPerMinute is how many messages of one app a member gets; the others
	// are dropped without a word (D/90236).
	messagesPerMinute = 30
	// responseLifetime is how long a response_code can be used (D/94888).
	responseLifetime = 72 * time.Hour
	// duplicateInterval is how long a request counts as sent, if it does not say,
	// and longestInterval what it can say at most, both in seconds.
	duplicateInterval, longestInterval = 1800, 4 * 3600
	// maxMessages is how many messages are remembered.
	maxMessages = 200
)

// Message is what one member got from an app.
type Message struct {
	CorpID, AgentID, UserID string
	// ID is the msgid, Type the msgtype and Content what the request has under it.
	ID, Type string
	Content  json.RawMessage

	card templateCard
}

// templateCard is a card with buttons.
type templateCard struct {
	Type    string `json:"card_type"`
	TaskID  string `json:"task_id"`
	Buttons []struct {
		Key string `json:"key"`
		// Type 0 tells the app, 1 opens a link.
		Type int `json:"type"`
	} `json:"button_list"`
}

// response is what a response_code stands for: it changes a card once.
type response struct {
	app   appRef
	since time.Time
}

var (
	messageTypes = []string{"text", "textcard", "markdown", "template_card"}
	taskIDShape  = regexp.MustCompile(`^[0-9A-Za-z_@-]{1,128}$`)
)

// Messages returns the latest messages that members got, oldest first.
func (s *Simulator) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// sendMessage is D/90236.
func (s *Simulator) sendMessage(c *call) (fields, int) {
	if c.app == nil {
		return nil, codeNoAPIRight
	}
	request := struct {
		Users       string       `json:"touser"`
		Departments string       `json:"toparty"`
		Tags        string       `json:"totag"`
		Type        string       `json:"msgtype"`
		AgentID     int          `json:"agentid"`
		Once        int          `json:"enable_duplicate_check"`
		Interval    int          `json:"duplicate_check_interval"`
		Card        templateCard `json:"template_card"`
	}{Interval: duplicateInterval}
	var parts map[string]json.RawMessage
	if json.Unmarshal(c.body, &request) != nil || json.Unmarshal(c.body, &parts) != nil {
		return nil, codeBadMessage
	}
	ref, withButtons := appRef{c.corp.ID, c.app.AgentID}, request.Type == "template_card"
	switch {
	case strconv.Itoa(request.AgentID) != ref.agentID:
		return nil, codeOtherAgent
	case !slices.Contains(messageTypes, request.Type) || parts[request.Type] == nil || request.Interval < 0 || request.Interval > longestInterval,
		withButtons && !s.acceptable(ref, request.Card):
		return nil, codeBadMessage
	case withButtons && c.app.Receiver == (Receiver{}):
		return nil, codeNoReceiver
	case request.Users+request.Departments+request.Tags == "":
		return nil, codeNoReceivers
	}

	found, visible := map[string]bool{}, c.corp.departmentsOf(c.app)
	// reach finds the members that a list means, and returns what reaches nobody.
	reach := func(list string, meant func(id string, m *Member) bool) string {
		var bad []string
		for _, id := range strings.FieldsFunc(list, func(r rune) bool { return r == '|' }) {
			nobody := true
			for i := range c.corp.Members {
				if m := &c.corp.Members[i]; meant(id, m) && s.stays(m) && c.corp.inRange(c.app, m.UserID) {
					found[m.UserID], nobody = true, false
				}
			}
			if nobody {
				bad = append(bad, c.corp.fold(id))
			}
		}
		return strings.Join(bad, "|")
	}
	answer := fields{
		"invaliduser": reach(request.Users, func(id string, m *Member) bool { return c.corp.member(id) == m }),
		"invalidparty": reach(request.Departments, func(id string, m *Member) bool {
			number, err := strconv.Atoi(id)
			return err == nil && visible[number] && m.in(c.corp.below([]int{number}))
		}),
		"invalidtag": reach(request.Tags, func(id string, m *Member) bool {
			number, err := strconv.Atoi(id)
			t := c.corp.tag(number)
			return err == nil && t != nil && (m.in(c.corp.below(t.Departments)) || slices.ContainsFunc(t.UserIDs, func(id string) bool { return c.corp.member(id) == m }))
		}),
		"unlicenseduser": "", "msgid": s.newValue(),
	}
	if len(found) == 0 {
		return nil, codeNoValidReceiver
	}
	if withButtons {
		answer["response_code"] = s.newResponse(ref)
	}
	same := fmt.Sprintf("message %v %x", ref, sha256.Sum256(c.body))
	if request.Once == 1 && s.exceeds(same, 1, time.Duration(request.Interval)*time.Second) {
		return answer, 0
	}
	for _, m := range c.corp.Members {
		if found[m.UserID] && !s.exceeds(fmt.Sprintf("messages %v %s", ref, m.UserID), messagesPerMinute, time.Minute) {
			s.messages = append(s.messages, Message{ref.corpID, ref.agentID, m.UserID, fmt.Sprint(answer["msgid"]), request.Type, parts[request.Type], request.Card})
		}
	}
	s.messages = slices.Clone(s.messages[max(0, len(s.messages)-maxMessages):])
	return answer, 0
}

// acceptable reports whether a card can be sent: its task_id is the app's first
// of this name.
func (s *Simulator) acceptable(app appRef, card templateCard) bool {
	return card.Type == "button_interaction" && taskIDShape.MatchString(card.TaskID) && len(card.Buttons) >= 1 && len(card.Buttons) <= 6 &&
		!slices.ContainsFunc(s.messages, func(m Message) bool { return appRef{m.CorpID, m.AgentID} == app && m.card.TaskID == card.TaskID })
}

func (s *Simulator) newResponse(app appRef) string {
	code := s.newValue()
	s.responses[code] = response{app, s.now()}
	return code
}

// updateCard is D/94888. What the card then looks like is not simulated.
func (s *Simulator) updateCard(c *call) (fields, int) {
	if c.app == nil {
		return nil, codeNoAPIRight
	}
	var request struct {
		AgentID int    `json:"agentid"`
		Code    string `json:"response_code"`
		Button  struct {
			Name string `json:"replace_name"`
		} `json:"button"`
		Card *templateCard `json:"template_card"`
	}
	if json.Unmarshal(c.body, &request) != nil || request.Button.Name == "" && request.Card == nil {
		return nil, codeBadMessage
	}
	ref := appRef{c.corp.ID, c.app.AgentID}
	if strconv.Itoa(request.AgentID) != ref.agentID {
		return nil, codeOtherAgent
	}
	r, ok := s.responses[request.Code]
	if !ok || r.app != ref || s.now().Sub(r.since) >= responseLifetime {
		return nil, codeSpentResponse
	}
	delete(s.responses, request.Code)
	return fields{"invaliduser": []string{}}, 0
}

// Press is a member pressing the button with a key on the card with a task_id.
func (s *Simulator) Press(corpID, agentID, userID, taskID, key string) error {
	return s.changeApp(corpID, agentID, func(c *Corp, _ *App) error {
		for _, m := range s.messages {
			if m.CorpID != corpID || m.AgentID != agentID || c.member(userID) == nil || c.member(userID) != c.member(m.UserID) || m.card.TaskID != taskID {
				continue
			}
			for _, b := range m.card.Buttons {
				if b.Type == 0 && b.Key == key {
					s.push(c, agentID, eventFields{
						"FromUserName": m.UserID, "Event": "template_card_event", "EventKey": key, "TaskId": taskID, "CardType": m.card.Type,
						"ResponseCode": s.newResponse(appRef{corpID, agentID}), "AgentID": agentID,
					})
					return nil
				}
			}
		}
		return fmt.Errorf("press button %q of card %q: member %q has no such button", key, taskID, userID)
	})
}
