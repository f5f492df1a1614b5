package sqsqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
)

// API is the part of *sqs.Client that the queue uses.
type API interface {
	SendMessage(context.Context, *sqs.SendMessageInput, ...func(*sqs.Options)) (*sqs.SendMessageOutput, error)
}

// Queue sends messages to the queue of an address.
type Queue struct {
	Client API
	URL    string
}

// maxDelay is the longest delay that SQS takes (SendMessage).
const maxDelay = 15 * time.Minute

// Send implements logoutqueue.Queue.
func (q Queue) Send(ctx context.Context, m logoutqueue.Message, delay time.Duration) error {
	_, err := q.Client.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: aws.String(q.URL), MessageBody: aws.String(m.Encode()),
		DelaySeconds: int32(min(delay, maxDelay) / time.Second), //nolint:gosec // it fits
	})
	if err != nil {
		return fmt.Errorf("send message: %w", err)
	}
	return nil
}
