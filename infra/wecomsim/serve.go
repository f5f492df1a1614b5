package wecomsim

import (
	"net/http"
	"net/http/httptest"
)

// Test is the part of testing.TB that Start needs.
type Test interface {
	Helper()
	Cleanup(func())
}

// Start serves the simulator on a loopback port until the test ends and returns
// its URL, without a slash at the end. That one URL stands for all of WeCom's
// hosts.
func (s *Simulator) Start(t Test) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(func() { stop(server) })
	return server.URL
}

// StartTLS is Start over HTTPS. The client trusts the server's certificate.
func (s *Simulator) StartTLS(t Test) (string, *http.Client) {
	t.Helper()
	server := httptest.NewTLSServer(s)
	t.Cleanup(func() { stop(server) })
	return server.URL, server.Client()
}

// stop ends hanging calls first: Close would wait for them.
func stop(server *httptest.Server) {
	server.CloseClientConnections()
	server.Close()
}
