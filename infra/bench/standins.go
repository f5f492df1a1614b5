package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// The company and the app of the measurement.
const (
	corpID            = "wwbench0000000000"
	agentID           = "1000002"
	appSecret         = "bench-app-secret-of-nobody"
	authenticatorName = "bench"
)

// listenAndServe serves on a free loopback port.
func listenAndServe(handler http.Handler) (address string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives until stop
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	return "http://" + listener.Addr().String(), func() { _ = server.Close() }, nil
}

// weCom answers the calls of a sign-in and counts them. A code is the userid of
// whom it identifies, followed by a dot and anything.
type weCom struct{ calls atomic.Int64 }

func (w *weCom) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.calls.Add(1)
	query := r.URL.Query()
	userID, _, _ := strings.Cut(query.Get("code"), ".")
	answer := map[string]any{"errcode": 0, "errmsg": "ok"}
	switch r.URL.Path {
	case "/cgi-bin/gettoken":
		answer["access_token"], answer["expires_in"] = strings.Repeat("t", 214), 7200
	case "/cgi-bin/auth/getuserinfo":
		answer["userid"] = userID
		if strings.HasSuffix(query.Get("code"), ".private") {
			answer["user_ticket"] = userID
		}
	case "/cgi-bin/auth/getuserdetail":
		var asked struct {
			Ticket string `json:"user_ticket"`
		}
		_ = json.NewDecoder(r.Body).Decode(&asked)
		answer["userid"], answer["mobile"] = asked.Ticket, "1380013800"+asked.Ticket[len(asked.Ticket)-1:]
	case "/cgi-bin/user/get":
		answer["userid"], answer["name"], answer["status"] = query.Get("userid"), "New Comer", 1
	default:
		answer["errcode"] = 40066
	}
	out.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_ = json.NewEncoder(out).Encode(answer)
}

// secretsManager answers GetSecretValue from a fixed set and counts.
type secretsManager struct {
	values map[string]string
	calls  atomic.Int64
}

func (s *secretsManager) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	var asked struct{ SecretId, VersionId string } //nolint:staticcheck // AWS's own spelling
	value, found := "", false
	if json.NewDecoder(r.Body).Decode(&asked) == nil && r.Header.Get("X-Amz-Target") == "secretsmanager.GetSecretValue" {
		value, found = s.values[asked.SecretId]
	}
	out.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if !found {
		out.WriteHeader(http.StatusBadRequest)
		_, _ = out.Write([]byte(`{"__type":"ResourceNotFoundException"}`))
		return
	}
	_ = json.NewEncoder(out).Encode(map[string]string{"Name": asked.SecretId, "SecretString": value, "VersionId": asked.VersionId})
}
