package app

import (
	"context"
	"strconv"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// LogWeComCall adds a call to WeCom to the log event of the request: the number of calls,
// their duration, and WeCom's number for the last failure, which is also a metric. It
// returns the milliseconds of all calls of the request so far.
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
