package session

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
)

// RequestLifetime is how long a browser keeps an authorization request while its member
// signs in.
const RequestLifetime = authflow.AttemptLifetime

// MaxRequestQuery is how long the query of an authorization request may be that is to be
// kept, in bytes.
const MaxRequestQuery = 2048

const (
	requestPrefix = "__Host-wecom_request_"
	// maxRequests bounds all that a browser keeps with requestPrefix, in bytes of the header
	// Cookie: the gateway takes 10,240 bytes for all headers, of which eight attempts have
	// 4,096, too.
	maxRequests = 4096
)

// Request is the authorization request of an application, which waits in the browser for
// its member to sign in.
type Request struct {
	// Query is the raw query of the address, as the application wrote it.
	Query string
	// StartedAt is when the browser brought it. A session that must be a new one is younger.
	StartedAt time.Time
}

// Why a kept request does not go on.
var (
	// ErrRequestLost: this browser keeps no request under this id. It was never given it,
	// has lost it, or keeps newer ones.
	ErrRequestLost = errors.New("the browser keeps no such authorization request")
	// ErrRequestTooLong: the query is longer than MaxRequestQuery.
	ErrRequestTooLong = errors.New("the authorization request is too long to be kept")
)

// Requests stores authorization requests in sealed cookies, one each, so that several tabs
// can sign in at the same time.
type Requests struct {
	Box *aead.Box // of purpose aead.AuthorizationRequest
	Now func() time.Time
}

func (q *Requests) kept() keptCookies { return keptCookies{requestPrefix, q.Box, q.Now} }

// Save stores a request under an id of authflow.NewRequestID, and removes the oldest ones,
// and sign-ins of ProxySignIns, that do not fit beside it.
func (q *Requests) Save(w http.ResponseWriter, r *http.Request, id string, request Request) error {
	if len(request.Query) > MaxRequestQuery {
		return ErrRequestTooLong
	}
	if err := q.kept().save(w, r, id, keptRequest{request.StartedAt, request.Query}); err != nil {
		return fmt.Errorf("seal authorization request: %w", err)
	}
	return nil
}

// Find returns the request that this browser keeps under an id, or ErrRequestLost.
func (q *Requests) Find(r *http.Request, id string) (Request, error) {
	kept, err := q.kept().find(r, id)
	return Request{Query: kept.content, StartedAt: kept.startedAt}, err
}

// Clear removes a request from the browser.
func (q *Requests) Clear(w http.ResponseWriter, id string) { q.kept().clear(w, id) }

// keptCookies are sealed cookies of a prefix, which begins with requestPrefix, one for each
// request that waits for a sign-in. Ids are of authflow.NewRequestID. The name of a cookie is
// sealed with it, so that none is taken for one of another prefix.
type keptCookies struct {
	prefix string
	box    *aead.Box
	now    func() time.Time
}

// keptRequest is what one of them keeps.
type keptRequest struct {
	startedAt time.Time
	content   string
}

// save stores a request under an id, and removes the oldest ones that do not fit beside it.
func (k keptCookies) save(w http.ResponseWriter, r *http.Request, id string, request keptRequest) error {
	name := cookieName(k.prefix, id)
	// The time, then the id, which has a fixed length, then the rest.
	content := binary.BigEndian.AppendUint64(nil, uint64(request.startedAt.UnixMilli()))
	content = append(append(content, id...), request.content...)
	sealed, err := k.box.Seal(content, []byte(name))
	if err != nil {
		return err
	}
	cookie := attemptCookie(name, base64.RawURLEncoding.EncodeToString(sealed), int(RequestLifetime/time.Second))
	http.SetCookie(w, cookie)
	k.prune(w, r, cookie)
	return nil
}

// prune leaves room for maxRequests bytes, the request just saved among them.
func (k keptCookies) prune(w http.ResponseWriter, r *http.Request, saved *http.Cookie) {
	began := func(cookie *http.Cookie) (time.Time, error) {
		_, request, err := k.open(cookie)
		return request.startedAt, err
	}
	total := sizeOf(saved)
	prune(w, r, requestPrefix, saved.Name, began, func(cookie *http.Cookie) bool {
		total += sizeOf(cookie)
		return total <= maxRequests
	})
}

// sizeOf returns what a cookie takes of the header Cookie: "name=value; ".
func sizeOf(cookie *http.Cookie) int { return len(cookie.Name) + len(cookie.Value) + len("=; ") }

// find returns the request that this browser keeps under an id, or ErrRequestLost.
func (k keptCookies) find(r *http.Request, id string) (keptRequest, error) {
	cookie, err := r.Cookie(cookieName(k.prefix, id))
	if err != nil {
		return keptRequest{}, ErrRequestLost
	}
	// The name is 64 bits of a hash; the sealed id decides.
	if kept, request, err := k.open(cookie); err == nil && kept == id {
		return request, nil
	}
	return keptRequest{}, ErrRequestLost
}

func (k keptCookies) clear(w http.ResponseWriter, id string) {
	http.SetCookie(w, attemptCookie(cookieName(k.prefix, id), "", -1))
}

// open returns a kept request and its id, or ErrRequestLost for one that is not ours or too
// old.
func (k keptCookies) open(cookie *http.Cookie) (id string, request keptRequest, err error) {
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return "", keptRequest{}, ErrRequestLost
	}
	content, err := k.box.Open(sealed, []byte(cookie.Name))
	const fixed = 8 + authflow.RequestIDLength
	if err != nil || len(content) < fixed {
		return "", keptRequest{}, ErrRequestLost
	}
	request = keptRequest{
		startedAt: time.UnixMilli(int64(binary.BigEndian.Uint64(content))), //nolint:gosec // what save wrote
		content:   string(content[fixed:]),
	}
	if age := k.now().Sub(request.startedAt); age >= RequestLifetime || age < -time.Minute {
		return "", keptRequest{}, ErrRequestLost
	}
	return string(content[8:fixed]), request, nil
}
