package main

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/notify"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
)

// What the template says of the queue, but for the pause, which is 90 seconds there.
const (
	logoutTries = 3
	logoutPause = time.Second
	memberDelay = 500 * time.Millisecond
)

// logoutQueue is the queue of sessions that have ended, in this process. It hands each
// message to the function notify at once: the store here does not lag. Only the message
// about a member, which is sent before the sessions end, waits for memberDelay. What is left
// when the process ends is lost.
type logoutQueue struct {
	function notify.Function // set before the first message
	logger   *slog.Logger
	pause    time.Duration

	handling sync.WaitGroup
	cut      context.Context //nolint:containedctx // of messages, which outlive the requests that sent them
	cutOff   context.CancelFunc
}

func newLogoutQueue(logger *slog.Logger) *logoutQueue {
	q := &logoutQueue{logger: logger, pause: logoutPause}
	q.cut, q.cutOff = context.WithCancel(context.Background())
	return q
}

// Send implements logoutqueue.Queue.
func (q *logoutQueue) Send(_ context.Context, m logoutqueue.Message, _ time.Duration) error {
	if q.cut.Err() != nil {
		return errors.New("the queue has ended")
	}
	q.handling.Go(func() {
		if m.Member == "" || q.wait(memberDelay) {
			q.deliver(m.Encode())
		}
	})
	return nil
}

// wait returns false when the queue ends before.
func (q *logoutQueue) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-q.cut.Done():
		return false
	}
}

// deliver hands a message over until it is taken, at most logoutTries times.
func (q *logoutQueue) deliver(body string) {
	for try := 1; ; try++ {
		response, err := q.function(q.cut, events.SQSEvent{Records: []events.SQSMessage{{
			MessageId: "message", Body: body, Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(try)},
		}}})
		switch {
		case err == nil && len(response.BatchItemFailures) == 0:
			return
		case try == logoutTries:
			q.logger.Error("an application was not told that a session has ended", "message", body)
			return
		}
		if !q.wait(q.pause) {
			return
		}
	}
}

// stop waits for the messages there are, until ctx ends. No request sends any more then.
func (q *logoutQueue) stop(ctx context.Context) {
	cut := context.AfterFunc(ctx, q.cutOff)
	defer cut()
	q.handling.Wait()
	q.cutOff()
}
