package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
)

// Events of WeCom (path 90240), and changes of the directory (path 90970).
const (
	unsubscribe        = "unsubscribe" // left, was disabled, or is out of the visible range
	changeContact      = "change_contact"
	deleteUser         = "delete_user"
	updateUser         = "update_user"
	createParty        = "create_party" // a department, as are the next two
	updateParty        = "update_party"
	deleteParty        = "delete_party"
	updateTag          = "update_tag"
	inactiveAlert      = "inactive_alert"       // WeCom is about to switch the app off
	closeInactiveAgent = "close_inactive_agent" // and has done so
	reopenAgent        = "reopen_inactive_agent"
)

// work does what a message asks for. An error: WeCom must push it again.
func (h *handler) work(ctx context.Context, a store.Authenticator, m receiver.Message) error {
	event, member, renamed := m["Event"], "", ""
	var changed error
	switch change := m["ChangeType"]; {
	case event == unsubscribe:
		member = m["FromUserName"]
	case event == changeContact && change == deleteUser:
		event, member = deleteUser, m["UserID"]
	case event == changeContact && change == updateUser:
		event, member, renamed = updateUser, m["UserID"], m["NewUserID"]
	case event == changeContact && (change == createParty || change == updateParty || change == deleteParty):
		event, changed = change, h.Directory.DepartmentsChanged(ctx, a)
	case event == changeContact && change == updateTag:
		tag, _ := strconv.ParseInt(m["TagId"], 10, 64) // anything else is not looked up
		event, changed = change, h.Directory.TagChanged(ctx, a, tag)
	case event == inactiveAlert, event == closeInactiveAgent:
		apigw.Measure(ctx, metrics.InactiveApp())
	case event == reopenAgent:
	default:
		// No word of a message that is not known goes to the log.
		return nil
	}
	apigw.LogField(ctx, "event", event)
	userID, err := h.look(ctx, a, member, renamed, created(m))
	// Whatever the event ended has ended by now.
	h.Audit.Note(ctx, audit.OfEvent(event, userID, a))
	if changed != nil {
		return authflow.ExplainWeCom(fmt.Errorf("outdate directory: %w", changed))
	}
	return err
}

// created is when an event happened, which a push of it that comes again does not change. Zero:
// it does not say.
func created(m receiver.Message) time.Time {
	seconds, err := strconv.ParseInt(m["CreateTime"], 10, 64)
	if err != nil || seconds <= 0 || seconds >= 1<<40 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// look has the member of an event looked up, if it names one, and returns the user.
func (h *handler) look(ctx context.Context, a store.Authenticator, member, renamed string, at time.Time) (userID string, err error) {
	if member == "" || len(member) > wecom.MaxUserID || len(renamed) > wecom.MaxUserID {
		return "", nil
	}
	var result members.Result
	if renamed != "" {
		result, err = h.Members.Rename(ctx, a, member, renamed, at)
	} else {
		result, err = h.Members.Check(ctx, a, member)
	}
	if errors.Is(err, store.ErrNotFound) {
		return "", nil // nobody here is or was this member
	}
	apigw.LogField(ctx, "verdict", string(result.Verdict))
	if result.User.ID != "" {
		apigw.LogField(ctx, "user", result.User.ID)
	}
	switch {
	case err != nil:
		err = fmt.Errorf("check member: %w", err)
	case result.Verdict == members.Unknown:
		// WeCom said nothing about the member, or the service failed before it was asked.
		err = authflow.ExplainWeCom(fmt.Errorf("check member: %w", result.Cause))
	}
	return result.User.ID, err
}
