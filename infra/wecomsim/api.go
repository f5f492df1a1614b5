// The API as a whole: which calls there are, the checks they share, and the
// shape of answers.

package wecomsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The paths of the API. Every other path below /cgi-bin/ answers 404 and an
// empty body.
const (
	PathGetToken        = "/cgi-bin/gettoken"
	PathGetUserInfo     = "/cgi-bin/auth/getuserinfo"
	PathGetUserInfoOld  = "/cgi-bin/user/getuserinfo"
	PathGetUserDetail   = "/cgi-bin/auth/getuserdetail"
	PathGetUser         = "/cgi-bin/user/get"
	PathGetUserID       = "/cgi-bin/user/getuserid"
	PathGetUserIDByMail = "/cgi-bin/user/get_userid_by_email"
	PathListMembers     = "/cgi-bin/user/list"
	PathMemberNames     = "/cgi-bin/user/simplelist"
	PathMemberIDs       = "/cgi-bin/user/list_id"
	PathGetAgent        = "/cgi-bin/agent/get"
	PathListDepartments = "/cgi-bin/department/list"
	PathDepartmentIDs   = "/cgi-bin/department/simplelist"
	PathGetDepartment   = "/cgi-bin/department/get"
	PathGetTag          = "/cgi-bin/tag/get"
	PathSendMessage     = "/cgi-bin/message/send"
	PathUpdateCard      = "/cgi-bin/message/update_template_card"
)

// The result codes (D/90313).
const (
	codeBusy            = -1
	codeBadSecret       = 40001
	codeBadCorpID       = 40013
	codeInvalidToken    = 40014
	codeInvalidCode     = 40029
	codeBadAgentID      = 40056
	codeBadMessage      = 40058
	codeBadRequest      = 40063
	codeNoTag           = 40068
	codeNoToken         = 41001
	codeNoCorpID        = 41002
	codeNoSecret        = 41004
	codeNoCode          = 41008
	codeNoUserID        = 41009
	codeNoAgentID       = 41011
	codeExpiredToken    = 42001
	codeNoReceiver      = 43012
	codeTooOften        = 45009
	codeTooParallel     = 45033
	codeNoSuchUser      = 46004
	codeNotJSON         = 47001
	codeNoAPIRight      = 48002
	codeNoContactDetail = 48009
	codeBadDomain       = 50001
	codeAppDisabled     = 50003
	codeNoDepartment    = 60003
	codeNoPrivilege     = 60011
	codeBadIP           = 60020
	codeBadPhone        = 60103
	codeNoUser          = 60111
	codeSpentResponse   = 60140
	codeNoValidReceiver = 81013
	codeNoReceivers     = 82001
	codeExpiredTicket   = 84014
	codeInvalidTicket   = 84015
	codeNoTicket        = 84090
	codeOtherAgent      = 301002
)

// errmsg is the start of an answer's errmsg. WeCom changes these texts; a
// client must not read them.
func errmsg(code int) string {
	return cmp.Or(map[int]string{
		0:                   "ok",
		codeBusy:            "system busy",
		codeBadSecret:       "invalid credential",
		codeBadCorpID:       "invalid corpid",
		codeInvalidToken:    "invalid access_token",
		codeInvalidCode:     "invalid code",
		codeBadAgentID:      "invalid agentid",
		codeBadMessage:      "invalid argument",
		codeBadRequest:      "invalid Request Parameter",
		codeNoTag:           "invalid tagid",
		codeNoToken:         "access_token missing",
		codeNoCorpID:        "corpid missing",
		codeNoSecret:        "corpsecret missing",
		codeNoCode:          "code missing",
		codeNoUserID:        "userid missing",
		codeNoAgentID:       "agentid missing",
		codeExpiredToken:    "access_token expired",
		codeNoReceiver:      "require receive message url",
		codeTooOften:        "api freq out of limit",
		codeTooParallel:     "api concurrent out of limit",
		codeNoSuchUser:      "user no exist",
		codeNotJSON:         "data format error",
		codeNoAPIRight:      "api forbidden",
		codeNoContactDetail: "api forbidden",
		codeBadDomain:       "redirect_uri unauthorized",
		codeAppDisabled:     "app is disabled",
		codeNoDepartment:    "department not found",
		codeNoPrivilege:     "no privilege to access/modify contact/party/agent",
		codeBadIP:           "not allow to access from your ip",
		codeBadPhone:        "invalid mobile",
		codeNoUser:          "userid not found",
		codeSpentResponse:   "invalid response_code",
		codeNoValidReceiver: "user & party & tag all invalid",
		codeNoReceivers:     "user & party & tag all empty",
		codeExpiredTicket:   "user_ticket expired",
		codeInvalidTicket:   "invalid user_ticket",
		codeNoTicket:        "user_ticket missing",
		codeOtherAgent:      "not allow operate another agent with this accesstoken",
	}[code], "error")
}

// fields are the keys and values of a JSON answer.
type fields map[string]any

// endpoint is one call of the API.
type endpoint struct {
	method string
	// public calls need no access token.
	public bool
	// failuresOnly counts only failed calls against the corp's limit.
	failuresOnly bool
	// defaults are the fields that an error answer carries as well.
	defaults fields
	// answer returns the fields of a good answer, or an errcode.
	answer func(*call) (fields, int)
}

// call is one request to the API while it is answered, under Simulator.mu.
type call struct {
	query url.Values
	body  []byte
	ip    string
	// base is the scheme and host of the request.
	base string
	// corp and app are those of the token, nil for public calls; app is nil for
	// the contact-sync assistant.
	corp *Corp
	app  *App
}

func (s *Simulator) newEndpoints() map[string]endpoint {
	lists := fields{"department": []int{}, "order": []int{}, "is_leader_in_dept": []int{}, "direct_leader": []string{}}
	return map[string]endpoint{
		PathGetToken:        {method: http.MethodGet, public: true, answer: s.getToken, defaults: fields{"access_token": "", "expires_in": 0}},
		PathGetUserInfo:     {method: http.MethodGet, failuresOnly: true, answer: s.getUserInfo, defaults: fields{"userid": ""}},
		PathGetUserInfoOld:  {method: http.MethodGet, failuresOnly: true, answer: s.getUserInfoOld, defaults: fields{"UserId": ""}},
		PathGetUserDetail:   {method: http.MethodPost, answer: s.getUserDetail, defaults: fields{"userid": "", "mobile": ""}},
		PathGetUser:         {method: http.MethodGet, answer: s.getUser, defaults: lists},
		PathGetUserID:       {method: http.MethodPost, answer: s.getUserID, defaults: fields{"userid": ""}},
		PathGetUserIDByMail: {method: http.MethodPost, answer: s.getUserIDByMail, defaults: fields{"userid": ""}},
		PathListMembers:     {method: http.MethodGet, answer: func(c *call) (fields, int) { return s.listMembers(c, true) }, defaults: fields{"userlist": []int{}}},
		PathMemberNames:     {method: http.MethodGet, answer: func(c *call) (fields, int) { return s.listMembers(c, false) }, defaults: fields{"userlist": []int{}}},
		PathMemberIDs:       {method: http.MethodPost, answer: s.listMemberIDs},
		PathGetAgent:        {method: http.MethodGet, answer: s.getAgent},
		PathListDepartments: {method: http.MethodGet, answer: func(c *call) (fields, int) { return s.listDepartments(c, true) }, defaults: fields{"department": []int{}}},
		PathDepartmentIDs:   {method: http.MethodGet, answer: func(c *call) (fields, int) { return s.listDepartments(c, false) }, defaults: fields{"department_id": []int{}}},
		PathGetDepartment:   {method: http.MethodGet, answer: s.getDepartment},
		PathGetTag:          {method: http.MethodGet, answer: s.getTag},
		PathSendMessage:     {method: http.MethodPost, answer: s.sendMessage},
		PathUpdateCard:      {method: http.MethodPost, answer: s.updateCard},
	}
}

func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request) {
	path, query := r.URL.Path, r.URL.Query()
	record, errcode := s.recorder.begin(s.now(), r), 0
	defer func() { s.recorder.end(record, errcode) }()
	w.Header().Set("Server", "nginx")
	known, ok := s.endpoints[path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		body = nil // a body that cannot be read is an empty one
	}
	s.mu.Lock()
	redirect := s.choices.RequireTLS && r.TLS == nil
	fault := s.takeFault(path)
	tooParallel, done := s.begin(path, query)
	s.mu.Unlock()
	defer done()

	if redirect {
		w.Header().Set("Location", "https://"+r.Host+r.URL.RequestURI())
		w.WriteHeader(http.StatusMovedPermanently)
		return
	}
	var answer fields
	takeEffect := func() {
		if tooParallel {
			errcode = codeTooParallel
			return
		}
		answer, errcode = s.answer(known, path, r.Method, &call{query: query, body: body, ip: s.ipOf(r), base: baseOf(r)})
	}
	if fault.AfterEffect {
		takeEffect()
	}
	select {
	case <-time.After(fault.Delay):
	case <-r.Context().Done():
		return
	}
	if !fault.AfterEffect && !fault.breaks() {
		takeEffect()
	}
	if fault.breaks() && fault.Code == 0 {
		fault.breakAnswer(w, r)
		return
	}
	errcode = cmp.Or(fault.Code, errcode)
	s.writeAnswer(w, r, known, answer, errcode)
}

// answer makes the checks that all calls share, in the order seen on the real
// API (the token before every other parameter), and then the call.
func (s *Simulator) answer(known endpoint, path, method string, c *call) (fields, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purge()
	if s.blocked("secrets " + c.ip) {
		return nil, codeTooOften
	}
	tooOften := func() bool { return false }
	if !known.public {
		if errcode := s.checkToken(c); errcode != 0 {
			return nil, errcode
		}
		key := "corp " + c.corp.ID + " " + path
		tooOften = func() bool { return s.exceeds(key, s.limits.CorpPerMinute, time.Minute) }
		if s.blocked(key) || !known.failuresOnly && tooOften() {
			return nil, codeTooOften
		}
	}
	if method != known.method {
		return nil, cmp.Or(s.choices.GetInsteadOfPost, codeBadRequest)
	}
	answer, errcode := known.answer(c)
	if errcode != 0 && known.failuresOnly && tooOften() {
		return nil, codeTooOften
	}
	return answer, errcode
}

// writeAnswer writes WeCom's envelope: HTTP 200 always, the result in the body
// and in headers.
func (s *Simulator) writeAnswer(w http.ResponseWriter, r *http.Request, known endpoint, answer fields, errcode int) {
	choices := s.Choices()
	out, message := fields{}, errmsg(errcode)
	if errcode == 0 {
		maps.Copy(out, answer)
	} else if !choices.BareErrors {
		maps.Copy(out, known.defaults)
		message = fmt.Sprintf("%s, hint: [%d], from ip: %s, more info at https://open.work.weixin.qq.com/devtool/query?e=%d",
			message, s.now().UnixNano(), s.ipOf(r), errcode)
	}
	if errcode != 0 || !choices.NoErrcodeOnSuccess {
		out["errcode"], out["errmsg"] = errcode, message
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Error-Code", strconv.Itoa(errcode))
	h.Set("Error-Msg", message)
	h.Set("X-W-No", "1")
	writeJSON(w, out)
}

func writeJSON(w http.ResponseWriter, v any) {
	encoded, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	// A caller that has gone does not read the answer.
	_, _ = w.Write(encoded)
}

// SetCallerIP makes every API call appear to come from ip; empty means the
// connection's own address again. Forwarding headers are never read.
func (s *Simulator) SetCallerIP(ip string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callerIP = ip
}

func (s *Simulator) ipOf(r *http.Request) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return cmp.Or(s.callerIP, host)
}

func baseOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
