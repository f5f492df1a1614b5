package authflow

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// resultTime is how long a doubled request waits for the first one. It is short, because
// a made-up code waits as long: it must not hold a process that a person needs.
const resultTime = 1500 * time.Millisecond

// awaitResult answers a doubled request: WeCom says that the code is spent, so the first
// request is at work or done. Without a first one the code is just bad, and that becomes
// the result: one state is waited for once, however often it is used. A source that keeps
// sending bad codes is answered at once, and nothing is written for it.
func (l *login) awaitResult(ctx context.Context, cause error) (CallbackResult, error) {
	waiting, cancel := context.WithTimeout(ctx, resultTime)
	defer cancel()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 400*time.Millisecond) {
		result, err := l.flow.Store.AttemptResult(waiting, l.sessionKey)
		// What an earlier try came to is not what became of the first request, but that no
		// first one was found is.
		earlier := err == nil && result.Tentative && result.Code != string(apierr.CodeInvalid)
		if !errors.Is(err, store.ErrNotFound) && !earlier && waiting.Err() == nil {
			return l.answerAgain(waiting, result, err)
		}
		failure := apierr.New(apierr.CodeInvalid, cause)
		if l.flow.invalidCodes.exceeded(l.req.Source, l.flow.Now()) {
			return CallbackResult{}, failure
		}
		select {
		case <-waiting.Done():
			l.flow.invalidCodes.count(l.req.Source, l.flow.Now())
			// A guess: the first one may be slow, and its result replaces this.
			return l.recordRefusal(ctx, failure, true)
		case <-time.After(pause):
		}
	}
}

// Source is the network that a request comes from: an IPv4 address, or the /64 that a
// provider gives one customer of IPv6. The zero value is unknown, and not counted.
type Source struct{ prefix netip.Prefix }

// SourceOf returns the source of an address as the gateway reports it. A header that
// names another one is anybody's word.
func SourceOf(address string) Source {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return Source{}
	}
	bits := 64
	if addr = addr.Unmap().WithZone(""); addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.Prefix(bits)
	return Source{prefix}
}

const (
	// maxInvalidCodes is how many invalid codes of one source in invalidCodesWindow are
	// waited for, and how many results of attempts that name no member are kept. People
	// rarely send one at all: the loser of a doubled request finds the winner's result, and
	// is not counted.
	maxInvalidCodes    = 10
	invalidCodesWindow = time.Minute
	// maxSources bounds the memory, at about 100 kB.
	maxSources = 1024
)

// sourceCounts counts failures for each source. The one of invalid codes counts those that
// WeCom called invalid (40029) and that no earlier request explains. Waiting for that earlier
// request holds a process, and the result costs a write: a source that exceeds the limit gets
// neither. It still has each code tried, because a whole company may share its address with
// the caller, or everybody with a proxy; so nobody can lock anybody out.
//
// The counts are this process's own: a shared one would cost a write for each invalid
// code. Any code that WeCom accepts ends this count of its source.
//
// Another one counts the results of attempts that name no member, by the same limit; nothing
// ends its counts but time. The zero value counts nothing yet.
type sourceCounts struct {
	mu     sync.Mutex
	counts map[Source]sourceCount
}

type sourceCount struct {
	began    time.Time
	failures int
}

// count adds a failure.
func (c *sourceCounts) count(source Source, now time.Time) {
	if source == (Source{}) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	counted, known := c.counts[source]
	if now.Sub(counted.began) >= invalidCodesWindow {
		counted = sourceCount{began: now}
	}
	counted.failures++
	if c.counts == nil || !known && len(c.counts) >= maxSources {
		// Forgetting costs the service a few waits, and nobody anything else.
		c.counts = make(map[Source]sourceCount)
	}
	c.counts[source] = counted
}

// exceeded reports whether a source has sent too many.
func (c *sourceCounts) exceeded(source Source, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	counted := c.counts[source]
	return counted.failures >= maxInvalidCodes && now.Sub(counted.began) < invalidCodesWindow
}

// forget ends the count of a source.
func (c *sourceCounts) forget(source Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.counts, source)
}
