package wecomsim

import (
	"net"
	"net/http"
	"net/netip"
)

// OnlyLoopback answers requests for this machine's own names alone. The simulator's
// pages ask nobody who they are, so a page of another site must not reach them by
// giving its own name this machine's address (DNS rebinding).
func OnlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "This address is for browsers on this machine.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
