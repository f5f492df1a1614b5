package main

import (
	"net/http"
	"strings"
)

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
