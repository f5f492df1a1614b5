package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/logging"
)

// A request is tried at most three times, each time for at most three seconds, with
// pauses of at most half a second: about ten seconds when everything fails, and
// mostly far less, because what is slow is usually one connection.
const (
	maxAttempts    = 3
	attemptTimeout = 3 * time.Second
	maxPause       = 500 * time.Millisecond
	connectTimeout = 2 * time.Second
)

// idleConnections is how many connections to a host are kept. Go's own default of
// two closes and opens connections as soon as three requests run at once.
const idleConnections = 32

// errNoCredentials: the environment holds none. In Lambda that cannot be.
var errNoCredentials = errors.New("AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set")

// FromEnvironment reads AWS_REGION (or AWS_DEFAULT_REGION), AWS_ACCESS_KEY_ID,
// AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL,
// AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_SECRETS_MANAGER through lookup
// (os.LookupEnv). Only a missing region and unusable endpoints are errors; missing
// credentials are one when a request is signed.
func FromEnvironment(lookup func(string) (string, bool)) (aws.Config, error) {
	get := func(name string) string {
		value, _ := lookup(name)
		return value
	}
	var errs []error
	region := get("AWS_REGION")
	if region == "" {
		region = get("AWS_DEFAULT_REGION")
	}
	if region == "" {
		errs = append(errs, errors.New("AWS_REGION is not set"))
	}
	endpoint := func(name string) string {
		value := get(name)
		if value == "" {
			return ""
		}
		u, err := url.Parse(value)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			errs = append(errs, fmt.Errorf("%s is not an http or https address", name))
		}
		return strings.TrimRight(value, "/")
	}
	cfg := aws.Config{
		Region:      region,
		Credentials: credentials(lookup),
		HTTPClient:  newHTTPClient(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = maxAttempts
				o.MaxBackoff = maxPause
			})
		},
		Logger: logging.Nop{},
	}
	if all := endpoint("AWS_ENDPOINT_URL"); all != "" {
		cfg.BaseEndpoint = &all
	}
	cfg.ConfigSources = []any{serviceEndpoints{
		"DynamoDB":        endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
		"Secrets Manager": endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
	}}
	if err := errors.Join(errs...); err != nil {
		return aws.Config{}, err
	}
	return cfg, nil
}

// newHTTPClient returns one made for a function that makes few, quick calls to two hosts.
// The SDK's own client costs more time for each call, and offers HTTP/2, which neither
// host speaks; with a dialer of our own, Go offers HTTP/1.1 alone.
func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout: attemptTimeout,
		// A redirect would be answered with credentials for another host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout: connectTimeout,
			MaxIdleConns:        2 * idleConnections,
			MaxIdleConnsPerHost: idleConnections,
			IdleConnTimeout:     90 * time.Second,
			DisableCompression:  true, // items are small
		},
	}
}

// credentials reads them anew each time, so that what a long-lived environment
// replaces is noticed.
func credentials(lookup func(string) (string, bool)) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		id, _ := lookup("AWS_ACCESS_KEY_ID")
		key, _ := lookup("AWS_SECRET_ACCESS_KEY")
		token, _ := lookup("AWS_SESSION_TOKEN")
		if id == "" || key == "" {
			return aws.Credentials{}, errNoCredentials
		}
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: key, SessionToken: token, Source: "environment"}, nil
	})
}

// serviceEndpoints holds addresses by the SDK's id of a service; its method is how
// clients ask for theirs.
type serviceEndpoints map[string]string

// GetServiceBaseEndpoint implements the SDK's provider interface of that name.
func (e serviceEndpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	address := e[sdkID]
	return address, address != "", nil
}
