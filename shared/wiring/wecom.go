package wiring

import (
	"context"
	"strconv"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// NoteWeCom makes a call to WeCom part of the request's log event: how many there
// were, how long they took, and the number of the last one that failed, which is a
// metric, too. It returns the milliseconds of all calls of the request so far.
func NoteWeCom(ctx context.Context, call wecom.Call) float64 {
	apigw.Add(ctx, "wecomCalls", 1)
	total := apigw.Add(ctx, "wecomMilliseconds", metrics.Milliseconds(call.Duration))
	switch {
	case !call.Answered:
		apigw.Note(ctx, "wecomCode", metrics.NoAnswer)
		apigw.Measure(ctx, metrics.WeComErrors(metrics.NoAnswer))
	case call.Failed():
		apigw.Note(ctx, "wecomCode", call.Code)
		apigw.Measure(ctx, metrics.WeComErrors(strconv.Itoa(call.Code)))
	}
	return total
}
