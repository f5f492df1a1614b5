package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// messageTime bounds the work on a message, below the function's own time-out.
const messageTime = 12 * time.Second

// postTime bounds the request to an application, from looking up its name on.
const postTime = 5 * time.Second

// Store is the part of store.ProviderEngine that the function uses.
type Store interface {
	Lineage(ctx context.Context, id string) (store.Lineage, error)
	LineagesOfUser(ctx context.Context, userID string) ([]store.Lineage, error)
	User(ctx context.Context, id string) (store.User, error)
	SessionsOfUser(ctx context.Context, userID string, limit int) ([]store.AttemptResult, error)
	SessionsOfAuthenticator(ctx context.Context, authenticatorID string, page store.Page) ([]store.AttemptResult, string, error)
	RecordApplicationEvent(ctx context.Context, e store.ApplicationEvent) error
}

// Signer signs logout tokens; *keys.Minter does.
type Signer interface {
	MintLogoutToken(ctx context.Context, claims keys.LogoutTokenClaims) (string, error)
}

// Config is what New needs.
type Config struct {
	Store        Store
	Applications store.ApplicationReader
	// Queue takes the messages that a message is taken apart into.
	Queue  logoutqueue.Queue
	Signer Signer
	Issuer string // the public URL of the service
	// AllowLoopback is for the local run: applications may be on this machine, at addresses
	// of plain http.
	AllowLoopback bool
	// PostTime bounds the request to an application. 0: five seconds.
	PostTime time.Duration
	// Log gets one record per message.
	Log apigw.WorkLog
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Function is the Lambda function. The messages that it names as failed come again.
type Function func(context.Context, events.SQSEvent) (events.SQSEventResponse, error)

// New returns the function.
func New(cfg Config) (Function, error) {
	if cfg.Issuer == "" {
		return nil, errors.New("the public URL must be set: it is the issuer of logout tokens")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.PostTime == 0 {
		cfg.PostTime = postTime
	}
	n := &notifier{Config: cfg, client: newClient(cfg.AllowLoopback)}
	return n.handle, nil
}

type notifier struct {
	Config
	client poster
}

// handle works on all messages of a batch at once: one slow application holds up no other.
func (n *notifier) handle(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
	failed := make([]bool, len(event.Records))
	var all sync.WaitGroup
	for i, record := range event.Records {
		all.Go(func() { failed[i] = !n.takeRecord(ctx, record) })
	}
	all.Wait()
	// An empty list, and not null, which emulators of Lambda do not know.
	response := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
	for i, record := range event.Records {
		if failed[i] {
			response.BatchItemFailures = append(response.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: record.MessageId})
		}
	}
	return response, nil
}

// takeRecord works on a record of the queue and logs how it went. ok is false for one that
// must come again.
func (n *notifier) takeRecord(ctx context.Context, record events.SQSMessage) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, messageTime)
	defer cancel()
	cause := oauth.Cause("")
	err := n.Log.Record(ctx, "logout", func(ctx context.Context) (slog.Level, error) {
		apigw.LogField(ctx, "try", record.Attributes["ApproximateReceiveCount"])
		m, err := logoutqueue.Parse(record.Body)
		if err != nil {
			return slog.LevelError, err
		}
		if m.Application != "" {
			apigw.LogField(ctx, "application", m.Application)
		}
		if cause, err = n.take(ctx, m); cause != "" {
			apigw.LogField(ctx, "outcome", string(cause))
		}
		if cause != "" && cause != oauth.CauseBackchannelLogout {
			return slog.LevelWarn, err
		}
		return slog.LevelInfo, err
	})
	return err == nil && !isTriedAgain(cause)
}

// take does what a message asks for. The cause is that of a request to an application, and
// empty without one.
func (n *notifier) take(ctx context.Context, m logoutqueue.Message) (oauth.Cause, error) {
	switch {
	case m.User != "":
		return "", n.takeUser(ctx, m.User)
	case m.Member != "":
		return "", n.takeMember(ctx, m)
	case m.Authenticator != "":
		return "", n.takeAuthenticator(ctx, m)
	}
	lineage, err := n.Store.Lineage(ctx, m.Lineage)
	switch {
	case errors.Is(err, store.ErrNotFound): // it has expired since, and its tokens with it
		return "", nil
	case err != nil:
		return "", fmt.Errorf("read lineage: %w", err)
	case m.Application == "":
		return "", n.takeLineage(ctx, lineage)
	case !slices.Contains(lineage.Applications, m.Application):
		return "", nil
	}
	application, err := n.application(ctx, m.Application)
	if err != nil || application.BackchannelLogoutURI == "" {
		return "", err
	}
	return n.tell(ctx, lineage, application)
}

// takeUser sends a message for each lineage of a user. One that has ended before is among
// them: whether its applications were told is not known here.
func (n *notifier) takeUser(ctx context.Context, userID string) error {
	lineages, err := n.Store.LineagesOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("list lineages of user: %w", err)
	}
	for _, l := range lineages {
		if err := n.Queue.Send(ctx, logoutqueue.Message{Lineage: l.ID}, 0); err != nil {
			return err
		}
	}
	return nil
}

// takeMember sends a message for each lineage of a user that does not go on: those of
// sessions through another corp do, where the user is a member still. Sessions alone do not
// tell which have ended: only the latest are listed. The message precedes the end, and waits
// once more while that is not stored.
func (n *notifier) takeMember(ctx context.Context, m logoutqueue.Message) error {
	user, err := n.Store.User(ctx, m.Member)
	switch {
	case errors.Is(err, store.ErrNotFound): // nothing of theirs goes on
	case err != nil:
		return fmt.Errorf("read user: %w", err)
	case user.Version <= m.Version && !m.Late:
		m.Late = true
		return n.Queue.Send(ctx, m, logoutqueue.LateDelay)
	}
	sessions, err := n.Store.SessionsOfUser(ctx, m.Member, store.MaxEvents)
	if err != nil {
		return fmt.Errorf("list sessions of user: %w", err)
	}
	goesOn := map[string]bool{}
	for _, s := range sessions {
		if user.Keeps(s.Session.Begun()) {
			goesOn[store.LineageOf(s.SessionKey, s.Session)] = true
		}
	}
	lineages, err := n.Store.LineagesOfUser(ctx, m.Member)
	if err != nil {
		return fmt.Errorf("list lineages of user: %w", err)
	}
	for _, l := range lineages {
		if l.Ended || goesOn[l.ID] {
			continue
		}
		if err := n.Queue.Send(ctx, logoutqueue.Message{Lineage: l.ID}, 0); err != nil {
			return err
		}
	}
	return nil
}

// sessionPage is how many sessions of an authenticator a message is about; tried again, it
// tells at most so many twice. lookTime is how long a message looks for one: a list with
// many sessions that are over has long stretches of nothing.
const (
	sessionPage = 100
	lookTime    = messageTime / 3
)

// takeAuthenticator sends a message for the lineage of each session of an authenticator
// that ended with a generation of it, and one for the rest of the list. A session of
// another generation goes on. Grants need not be ended: they carry the generation, too.
func (n *notifier) takeAuthenticator(ctx context.Context, m logoutqueue.Message) error {
	for started := n.Now(); ; {
		sessions, next, err := n.Store.SessionsOfAuthenticator(ctx, m.Authenticator, store.Page{Cursor: m.Cursor, Limit: sessionPage})
		if err != nil {
			return fmt.Errorf("list sessions of authenticator: %w", err)
		}
		var sending errgroup.Group
		sending.SetLimit(10)
		told := 0
		for _, s := range sessions {
			if s.Session.AuthenticatorGeneration != m.Generation {
				continue
			}
			told++
			sending.Go(func() error {
				return n.Queue.Send(ctx, logoutqueue.Message{Lineage: store.LineageOf(s.SessionKey, s.Session)}, 0)
			})
		}
		if err := sending.Wait(); err != nil {
			return err
		}
		switch m.Cursor = next; {
		case next == "":
			return nil
		case told > 0 || n.Now().Sub(started) >= lookTime:
			return n.Queue.Send(ctx, m, 0)
		}
	}
}

// takeLineage sends a message for each application of a lineage that wants to be told.
func (n *notifier) takeLineage(ctx context.Context, lineage store.Lineage) error {
	for _, id := range lineage.Applications {
		application, err := n.application(ctx, id)
		if err != nil {
			return err
		}
		if application.BackchannelLogoutURI == "" {
			continue
		}
		if err := n.Queue.Send(ctx, logoutqueue.Message{Lineage: lineage.ID, Application: id}, 0); err != nil {
			return err
		}
	}
	return nil
}

// application returns an application, disabled or not: its sessions must end either way.
// One that is gone is the zero Application.
func (n *notifier) application(ctx context.Context, id string) (store.Application, error) {
	application, err := n.Applications.Application(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Application{}, fmt.Errorf("read application: %w", err)
	}
	return application, nil
}

// tell posts the logout token of a lineage to an application and records how that went.
func (n *notifier) tell(ctx context.Context, lineage store.Lineage, application store.Application) (oauth.Cause, error) {
	token, err := n.Signer.MintLogoutToken(ctx, keys.LogoutTokenClaims{
		Issuer: n.Issuer, Audience: application.ID, Subject: lineage.UserID, SessionID: lineage.ID,
	})
	if err != nil {
		return "", err
	}
	cause := n.post(ctx, application.BackchannelLogoutURI, token)
	event := store.ApplicationEvent{
		At: n.Now(), ApplicationID: application.ID, UserID: lineage.UserID, Result: result(cause), Cause: string(cause),
		RequestID: apigw.RequestID(ctx),
	}
	if err := n.Store.RecordApplicationEvent(ctx, event); err != nil {
		// What was sent was sent, and what failed comes again.
		n.Log.Logger.WarnContext(ctx, "logout not recorded", "application", application.ID, "cause", err.Error())
	}
	return cause, nil
}

// isTriedAgain reports whether a further try may go better. An application that refuses a
// token says that it is wrong, or that it cannot end the session (Back-Channel Logout 1.0
// §2.8); an address is as it was registered.
func isTriedAgain(cause oauth.Cause) bool {
	return result(cause) == string(oauth.TemporarilyUnavailable)
}

// result returns the result of an attempt with a cause.
func result(cause oauth.Cause) string {
	switch cause {
	case "", oauth.CauseBackchannelLogout:
		return "ok"
	case oauth.CauseBackchannelRefused, oauth.CauseBackchannelAddress:
		return string(oauth.InvalidRequest)
	default:
		return string(oauth.TemporarilyUnavailable)
	}
}
