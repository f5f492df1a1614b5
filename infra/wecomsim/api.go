package wecomsim

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The paths of the API that this WeCom knows. Every other path under /cgi-bin/
// is answered with 404 and an empty body.
const (
	PathGetToken       = "/cgi-bin/gettoken"
	PathGetUserInfo    = "/cgi-bin/auth/getuserinfo"
	PathGetUserInfoOld = "/cgi-bin/user/getuserinfo"
	PathGetUserDetail  = "/cgi-bin/auth/getuserdetail"
	PathGetUser        = "/cgi-bin/user/get"
	PathGetAgent       = "/cgi-bin/agent/get"
	PathGetDomainIP    = "/cgi-bin/get_api_domain_ip"
	PathGetCallbackIP  = "/cgi-bin/getcallbackip"
)

// The result codes this WeCom gives (D/90313).
const (
	codeBusy            = -1
	codeBadSecret       = 40001
	codeBadCorpID       = 40013
	codeInvalidToken    = 40014
	codeInvalidCode     = 40029
	codeBadAgentID      = 40056
	codeBadParameter    = 40058
	codeBadRequest      = 40063
	codeNoToken         = 41001
	codeNoCorpID        = 41002
	codeNoSecret        = 41004
	codeNoCode          = 41008
	codeNoUserID        = 41009
	codeNoAgentID       = 41011
	codeExpiredToken    = 42001
	codeTooOften        = 45009
	codeTooParallel     = 45033
	codeNotJSON         = 47001
	codeNoAPIRight      = 48002
	codeNoContactDetail = 48009
	codeBadDomain       = 50001
	codeAppDisabled     = 50003
	codeNoPrivilege     = 60011
	codeBadIP           = 60020
	codeNoUser          = 60111
	codeOtherAgent      = 301002
)

// text is the start of errmsg. The texts change on the real WeCom; a client
// must not read them.
func text(code int) string {
	switch code {
	case codeBusy:
		return "system busy"
	case codeBadSecret:
		return "invalid credential"
	case codeBadCorpID:
		return "invalid corpid"
	case codeInvalidToken:
		return "invalid access_token"
	case codeInvalidCode:
		return "invalid code"
	case codeBadAgentID:
		return "invalid agentid"
	case codeBadParameter, codeBadRequest:
		return "invalid Request Parameter"
	case codeNoToken:
		return "access_token missing"
	case codeNoCorpID:
		return "corpid missing"
	case codeNoSecret:
		return "corpsecret missing"
	case codeNoCode:
		return "code missing"
	case codeNoUserID:
		return "userid missing"
	case codeNoAgentID:
		return "agentid missing"
	case codeExpiredToken:
		return "access_token expired"
	case codeTooOften:
		return "api freq out of limit"
	case codeTooParallel:
		return "api concurrent out of limit"
	case codeNotJSON:
		return "data format error"
	case codeNoAPIRight, codeNoContactDetail:
		return "api forbidden"
	case codeBadDomain:
		return "redirect_uri unauthorized"
	case codeAppDisabled:
		return "app is disabled"
	case codeNoPrivilege:
		return "no privilege to access/modify contact/party/agent"
	case codeBadIP:
		return "not allow to access from your ip"
	case codeNoUser:
		return "userid not found"
	case codeOtherAgent:
		return "not allow operate another agent with this accesstoken"
	default:
		return "error"
	}
}

// token is an access token. It belongs to one app, or to contact-sync (app nil).
type token struct {
	value   string
	corp    *corp
	app     *app
	issued  time.Time
	expires time.Time
	// ended is the code for a token that was ended before its time.
	ended int
}

// fields are the keys and values of a JSON answer.
type fields map[string]any

// api is one call of the API.
type api struct {
	method string
	// empty are the fields that an error answer carries all the same.
	empty fields
	// open calls need no access token.
	open bool
	run  func(*call) (fields, int)
}

// call is one request to the API while it is answered, under Simulator.mu.
type call struct {
	query url.Values
	body  []byte
	ip    string
	base  string
	// token is nil for open calls.
	token *token
}

func (s *Simulator) apiTable() map[string]api {
	noLists := fields{"department": []int{}, "order": []int{}, "is_leader_in_dept": []int{}, "direct_leader": []string{}}
	return map[string]api{
		PathGetToken:       {method: http.MethodGet, open: true, run: s.getToken, empty: fields{"access_token": "", "expires_in": 0}},
		PathGetUserInfo:    {method: http.MethodGet, run: s.getUserInfo, empty: fields{"userid": ""}},
		PathGetUserInfoOld: {method: http.MethodGet, run: s.getUserInfoOld, empty: fields{"UserId": ""}},
		PathGetUserDetail:  {method: http.MethodPost, run: s.getUserDetail, empty: fields{"userid": "", "mobile": ""}},
		PathGetUser:        {method: http.MethodGet, run: s.getUser, empty: noLists},
		PathGetAgent:       {method: http.MethodGet, run: s.getAgent},
		PathGetDomainIP:    {method: http.MethodGet, run: s.getIPs, empty: fields{"ip_list": []string{}}},
		PathGetCallbackIP:  {method: http.MethodGet, run: s.getIPs, empty: fields{"ip_list": []string{}}},
	}
}

func isAPI(path string) bool { return strings.HasPrefix(path, "/cgi-bin/") }

func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	// MaxBytes is generous: a client sends a ticket of 512 bytes at most.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		body = nil
	}
	record := s.recorder.begin(s.now(), r, body)
	status, errcode := 0, 0
	defer func() { s.recorder.end(record, status, errcode) }()

	known, ok := s.apis[path]
	if !ok {
		status = http.StatusNotFound
		w.Header().Set("Server", "nginx")
		w.WriteHeader(status)
		return
	}
	s.mu.Lock()
	requireTLS := s.choices.RequireTLS
	fault := s.takeFault(path)
	lane := s.lane(path, r)
	s.parallel[lane]++
	tooMany := s.limits.Parallel > 0 && s.parallel[lane] > s.limits.Parallel
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.parallel[lane]--; s.parallel[lane] <= 0 {
			delete(s.parallel, lane)
		}
	}()

	if requireTLS && r.TLS == nil {
		status = http.StatusMovedPermanently
		target := *r.URL
		target.Scheme, target.Host = "https", r.Host
		w.Header().Set("Location", target.String())
		w.WriteHeader(status)
		return
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}

	var answer fields
	switch {
	case fault.breaks() && !fault.AfterEffect:
	case tooMany:
		errcode = codeTooParallel
	default:
		answer, errcode = s.answer(known, path, r, body)
	}
	if fault.breaks() {
		if fault.Code != 0 {
			errcode = fault.Code
		} else {
			status = fault.breakAnswer(w, r)
			return
		}
	}
	status = http.StatusOK
	s.writeAnswer(w, r, known, answer, errcode)
}

// lane is what 45033 counts: one API of one corp.
func (s *Simulator) lane(path string, r *http.Request) string {
	query := r.URL.Query()
	corpID := query.Get("corpid")
	if t := s.tokens[query.Get("access_token")]; t != nil {
		corpID = t.corp.ID
	}
	return corpID + " " + path
}

// answer does the checks that all calls share, in the order seen on the real
// API (the token before every other parameter), and then the call.
func (s *Simulator) answer(known api, path string, r *http.Request, body []byte) (fields, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = r.URL.Query()
	}
	c := &call{query: query, body: body, ip: s.ipOf(r), base: baseOf(r)}
	if s.blocked("ip-block "+c.ip) || s.tooOften("ip "+c.ip+" "+path, s.limits.IPPerMinute, s.limits.IPPerHour) {
		return nil, codeTooOften
	}
	if query.Get("debug") == "1" && s.tooOften("debug "+path, s.limits.DebugPerMinute, -1) {
		return nil, codeTooOften
	}
	answer, errcode := s.checked(known, path, r.Method, c)
	if errcode != 0 && s.over("failures "+c.ip, s.limits.FailuresPerHour, time.Hour) {
		s.block("ip-block "+c.ip, WrongSecretBlock)
	}
	return answer, errcode
}

func (s *Simulator) checked(known api, path, method string, c *call) (fields, int) {
	if known.open {
		if method != known.method {
			return nil, orCode(s.choices.GetInsteadOfPost, codeBadRequest)
		}
		return known.run(c)
	}
	value := c.query.Get("access_token")
	if value == "" {
		return nil, codeNoToken
	}
	t := s.tokens[value]
	switch {
	case t == nil:
		return nil, codeInvalidToken
	case t.ended != 0:
		return nil, t.ended
	case !s.now().Before(t.expires) && s.choices.ExpiredTokenIsInvalid:
		return nil, codeInvalidToken
	case !s.now().Before(t.expires):
		return nil, codeExpiredToken
	}
	c.token = t
	if t.app != nil {
		switch {
		case !s.trusts(t.app, c.ip):
			return nil, codeBadIP
		case t.app.Disabled:
			return nil, codeAppDisabled
		case t.app.NoAPIRight:
			return nil, codeNoAPIRight
		}
	}
	corpKey := "corp " + t.corp.ID + " " + path
	// A good exchange is not counted, but it is refused while the block lasts.
	exempt := path == PathGetUserInfo || path == PathGetUserInfoOld
	if exempt {
		if s.blocked(corpKey) {
			return nil, codeTooOften
		}
	} else if s.tooOften(corpKey, s.limits.CorpPerMinute, s.limits.CorpPerHour) {
		return nil, codeTooOften
	}
	if method != known.method {
		return nil, orCode(s.choices.GetInsteadOfPost, codeBadRequest)
	}
	answer, errcode := known.run(c)
	if exempt && errcode != 0 && s.tooOften(corpKey, s.limits.CorpPerMinute, s.limits.CorpPerHour) {
		return nil, codeTooOften
	}
	return answer, errcode
}

// writeAnswer writes WeCom's envelope: HTTP 200 always, the result twice.
func (s *Simulator) writeAnswer(w http.ResponseWriter, r *http.Request, known api, answer fields, errcode int) {
	s.mu.Lock()
	bare, silent, ip := s.choices.BareErrors, s.choices.NoErrcodeOnSuccess, s.ipOf(r)
	s.mu.Unlock()
	out := fields{}
	message := "ok"
	if errcode == 0 {
		maps.Copy(out, answer)
	} else {
		message = text(errcode)
		if !bare {
			maps.Copy(out, known.empty)
			message = fmt.Sprintf("%s, hint: [%d], from ip: %s, more info at https://open.work.weixin.qq.com/devtool/query?e=%d",
				message, s.now().UnixNano(), ip, errcode)
		}
	}
	if errcode != 0 || !silent {
		out["errcode"], out["errmsg"] = errcode, message
	}
	encoded, err := json.Marshal(out)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Server", "nginx")
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Error-Code", strconv.Itoa(errcode))
	h.Set("Error-Msg", message)
	h.Set("X-W-No", "1")
	// A caller that has gone away is its own matter.
	_, _ = w.Write(encoded)
}

// SetCallerIP makes every API call look as if it came from ip; empty means the
// connection's own address again. Forwarding headers are never read.
func (s *Simulator) SetCallerIP(ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callerIP = ip
}

func (s *Simulator) ipOf(r *http.Request) string {
	if s.callerIP != "" {
		return s.callerIP
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// getToken is D/91039. The order of its checks was seen on the real API.
func (s *Simulator) getToken(c *call) (fields, int) {
	secret, corpID := c.query.Get("corpsecret"), c.query.Get("corpid")
	if secret == "" {
		return nil, codeNoSecret
	}
	if corpID == "" {
		return nil, codeNoCorpID
	}
	corp := s.corp(corpID)
	if corp == nil {
		return nil, codeBadCorpID
	}
	i := slices.IndexFunc(corp.apps, func(a *app) bool { return a.Secret == secret })
	contactSync := corp.ContactSyncSecret != "" && corp.ContactSyncSecret == secret
	if i < 0 && !contactSync {
		if s.over("wrong secrets "+c.ip, s.limits.WrongSecrets-1, time.Hour) {
			s.block("ip-block "+c.ip, WrongSecretBlock)
		}
		return nil, codeBadSecret
	}
	var owner *app
	if i >= 0 {
		owner = corp.apps[i]
		if owner.Disabled {
			return nil, codeBadSecret
		}
		if s.choices.GetTokenChecksIP && !s.trusts(owner, c.ip) {
			return nil, codeBadIP
		}
	}
	now := s.now()
	for _, t := range s.tokens {
		if t.corp != corp || t.app != owner || t.ended != 0 || !now.Before(t.expires) {
			continue
		}
		switch s.choices.TokenRepeat {
		case SameTokenRemainingLife:
			// Rounded up: a token that lives is never said to have no life left.
			left := (t.expires.Sub(now) + time.Second - 1) / time.Second
			return fields{"access_token": t.value, "expires_in": int(left)}, 0
		case SameTokenFullLife:
			return fields{"access_token": t.value, "expires_in": int(TokenLifetime.Seconds())}, 0
		case NewTokenKillsOld:
			t.ended = codeInvalidToken
		case NewTokenKeepsOld:
		}
	}
	t := &token{value: s.random(), corp: corp, app: owner, issued: now, expires: now.Add(TokenLifetime)}
	s.tokens[t.value] = t
	return fields{"access_token": t.value, "expires_in": int(TokenLifetime.Seconds())}, 0
}

func (s *Simulator) endTokens(a *app, errcode int) {
	for _, t := range s.tokens {
		if t.app == a && t.ended == 0 {
			t.ended = errcode
		}
	}
}

// getAgent is D/90227: the app about itself, nobody else.
func (s *Simulator) getAgent(c *call) (fields, int) {
	agentID := c.query.Get("agentid")
	if agentID == "" {
		return nil, codeNoAgentID
	}
	number, err := strconv.ParseUint(agentID, 10, 63)
	if err != nil || number == 0 {
		return nil, codeBadAgentID
	}
	if c.token.app == nil || c.token.app.AgentID != agentID {
		return nil, codeOtherAgent
	}
	a := c.token.app
	// A range that is the whole company is its root department, not a list of
	// everybody in it.
	users, parties := []fields{}, []int{}
	if a.VisibleUserIDs == nil {
		parties = append(parties, rootDepartment)
	}
	for _, m := range c.token.corp.members {
		if a.VisibleUserIDs != nil && a.sees(m.UserID) {
			users = append(users, fields{"userid": m.UserID})
		}
	}
	closed := 0
	if a.Disabled {
		closed = 1
	}
	return fields{
		"agentid": number, "name": a.name(), "square_logo_url": c.base + avatarOf(a.name()),
		"description": "", "allow_userinfos": fields{"user": users}, "allow_partys": fields{"partyid": parties},
		"allow_tags": fields{"tagid": []int{}}, "close": closed, "redirect_domain": a.TrustedDomain,
		"report_location_flag": 0, "isreportenter": 0, "home_url": a.HomeURL,
	}, 0
}

// rootDepartment is the department that the whole company is in.
const rootDepartment = 1

// getIPs is D/92520 and D/92521, with addresses of the documentation range.
func (s *Simulator) getIPs(*call) (fields, int) {
	return fields{"ip_list": []string{"203.0.113.10", "203.0.113.11"}}, 0
}
