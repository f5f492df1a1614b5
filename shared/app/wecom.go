package app

import (
	"context"
	"strconv"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LogWeComCall makes a call to WeCom part of the request's log event: how many there
// were, how long they took, and the number of the last one that failed, which is a
// metric, too. It returns the milliseconds of all calls of the request so far.
func LogWeComCall(ctx context.Context, call wecom.Call) float64 {
	apigw.AddToLogField(ctx, "wecomCalls", 1)
	total := apigw.AddToLogField(ctx, "wecomMilliseconds", metrics.Milliseconds(call.Duration))
	switch {
	case !call.Answered:
		apigw.LogField(ctx, "wecomCode", metrics.NoAnswer)
		apigw.Measure(ctx, metrics.WeComErrors(metrics.NoAnswer))
	case call.Failed():
		apigw.LogField(ctx, "wecomCode", call.Code)
		apigw.Measure(ctx, metrics.WeComErrors(strconv.Itoa(call.Code)))
	}
	return total
}
