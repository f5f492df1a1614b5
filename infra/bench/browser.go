package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// service is one under measurement.
type service struct {
	url       string
	transport http.RoundTripper
	// used is the processor time of its processes until now.
	used meter
}

// connections returns a transport that keeps enough of them.
func connections() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
}

// direct calls a handler without a network.
type direct struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Host, r.RequestURI, r.RemoteAddr = r.URL.Host, r.URL.RequestURI(), "127.0.0.1:1"
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, r)
	return recorder.Result(), nil
}

// browser is one visitor's, inside WeCom's client. It keeps cookies by hand: a
// cookie jar would want https for them.
type browser struct {
	service *service
	cookies map[string]string
	state   string // of the attempt made last
}

// answer is what the service said.
type answer struct {
	status         int
	location, body string
}

func (b *browser) do(method, path string) (answer, error) {
	request, err := http.NewRequest(method, b.service.url+path, nil) //nolint:noctx // the service has time limits
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36 wxwork/4.1.30 MicroMessenger/7.0.1 Language/zh")
	request.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	request.Header.Set("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")
	if len(b.cookies) > 0 {
		var pairs []string
		for name, value := range b.cookies {
			pairs = append(pairs, name+"="+value)
		}
		request.Header.Set("Cookie", strings.Join(pairs, "; "))
	}
	response, err := b.service.transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	for _, cookie := range response.Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}
	return answer{response.StatusCode, response.Header.Get("Location"), string(body)}, nil
}

// leave asks for the way to WeCom and returns the state of the attempt.
func (b *browser) leave() (state string, err error) {
	got, err := b.do(http.MethodGet, "/authorize/"+authenticatorName)
	if err != nil {
		return "", err
	}
	return stateOf("authorize", got)
}

func stateOf(leg string, got answer) (string, error) {
	location, err := url.Parse(got.location)
	if err != nil || got.status != http.StatusFound || location.Query().Get("state") == "" {
		return "", fmt.Errorf("%s: answer %d to %s", leg, got.status, got.location)
	}
	return location.Query().Get("state"), nil
}

// arrive comes back from WeCom.
func (b *browser) arrive(state, code string) (answer, error) {
	return b.do(http.MethodGet, "/callback/"+authenticatorName+"?code="+code+"&state="+state)
}

// isSession reports why a callback's answer is not that of a signed-in visitor.
func (a answer) isSession() error {
	if a.status != http.StatusFound || !strings.HasPrefix(a.location, appOrigin+"/") {
		return fmt.Errorf("the callback began no session: answer %d to %s", a.status, a.location)
	}
	return nil
}

// signIn is a whole returning sign-in: authorize, callback, one look at the session.
func (b *browser) signIn(userID string) (callback time.Duration, err error) {
	state, err := b.leave()
	if err != nil {
		return 0, err
	}
	started := time.Now()
	got, err := b.arrive(state, userID+"."+state)
	callback = time.Since(started)
	if err != nil {
		return 0, err
	}
	if err := got.isSession(); err != nil {
		return 0, err
	}
	if got, err = b.do(http.MethodGet, "/api/session"); err != nil {
		return 0, err
	}
	if got.status != http.StatusOK || !strings.Contains(got.body, userID) {
		return 0, fmt.Errorf("session: answer %d", got.status)
	}
	return callback, nil
}

// keep remembers the attempt just made.
func (b *browser) keep(state string, err error) error {
	b.state = state
	return err
}

// comeBack ends the attempt just made in a session.
func (b *browser) comeBack(userID string) error {
	got, err := b.arrive(b.state, userID)
	if err != nil {
		return err
	}
	return got.isSession()
}

// register is the first sign-in of a member, who is sent to WeCom twice: the second
// time for the phone number.
func (b *browser) register(userID string) error {
	if err := b.keep(b.leave()); err != nil {
		return err
	}
	got, err := b.arrive(b.state, userID+".base")
	if err != nil {
		return err
	}
	if err := b.keep(stateOf("callback", got)); err != nil {
		return err
	}
	return b.comeBack(userID + ".private")
}

func (b *browser) expect(method, path string, status int) error {
	got, err := b.do(method, path)
	if err == nil && got.status != status {
		err = fmt.Errorf("%s: answer %d %s", path, got.status, got.body)
	}
	return err
}

// figures are what a round of sign-ins cost.
type figures struct {
	cpu               time.Duration // of the service, for one sign-in
	whole, callback   time.Duration // median
	callbackSlow      time.Duration // 99th percentile
	signIns, inFlight int
}

func (f figures) perSecond() float64 { return float64(time.Second) / float64(f.cpu) }

// load makes sign-ins, so many at a time, each in a new browser.
func load(ctx context.Context, s *service, count, inFlight int, userID func(int) string) (figures, error) {
	callbacks, wholes := make([]time.Duration, count), make([]time.Duration, count)
	before, err := s.used()
	if err != nil {
		return figures{}, err
	}
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, inFlight)
	for range inFlight {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count || ctx.Err() != nil {
					return
				}
				started := time.Now()
				callback, err := (&browser{service: s, cookies: map[string]string{}}).signIn(userID(i))
				if err != nil {
					failures <- err
					return
				}
				callbacks[i], wholes[i] = callback, time.Since(started)
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return figures{}, fmt.Errorf("sign in: %w", err)
	default:
	}
	if ctx.Err() != nil {
		return figures{}, fmt.Errorf("sign in: %w", ctx.Err())
	}
	after, err := s.used()
	if err != nil {
		return figures{}, err
	}
	slices.Sort(callbacks)
	slices.Sort(wholes)
	return figures{
		cpu:   (after - before) / time.Duration(count),
		whole: wholes[count/2], callback: callbacks[count/2], callbackSlow: callbacks[count*99/100],
		signIns: count, inFlight: inFlight,
	}, nil
}

// median returns the round whose processor time is in the middle.
func median(rounds []figures) figures {
	slices.SortFunc(rounds, func(a, b figures) int { return int(a.cpu - b.cpu) })
	return rounds[len(rounds)/2]
}

// rounds warms the service up, then measures several times.
func rounds(ctx context.Context, s *service, times, count, inFlight int, userID func(int) string) (figures, error) {
	if _, err := load(ctx, s, max(count/4, inFlight), inFlight, userID); err != nil {
		return figures{}, err
	}
	var all []figures
	for range times {
		f, err := load(ctx, s, count, inFlight, userID)
		if err != nil {
			return figures{}, err
		}
		all = append(all, f)
	}
	return median(all), nil
}
