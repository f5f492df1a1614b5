package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// onlyThisMachine answers requests for loopback's own names alone. The simulator's
// pages ask nobody who they are, so a page of another site must not reach them by
// giving its own name this machine's address (DNS rebinding).
func onlyThisMachine(next http.Handler) http.Handler {
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

// serverAPI is the part of WeCom that functions call; its pages are for browsers.
// Containers speak for this machine, so WeCom sees its loopback address, as in the
// local run: that is one a demo app can trust.
func serverAPI(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
			http.NotFound(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.RemoteAddr = "127.0.0.1:1"
		weCom.ServeHTTP(w, r)
	})
}
