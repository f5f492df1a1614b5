// Command local runs WeCom Sign-in on this machine: the functions behind a gateway
// that reads template.yaml, the store and the secrets in files, and, unless
// WECOM_API_URL names a real WeCom, a simulated one with a demo company and a demo
// application.
//
//	make run
//
// Duty: to put together what AWS would: the dependencies of the functions, in files and in
// memory, and a gateway in front of them (package gateway).
//
// Boundary: it has no rule of the service. The simulated WeCom is package wecomsim's, the
// demo application package demo's.
//
// Invariant: it listens on loopback only. The settings are PORT, DATA_DIR, ADMIN_KEY and
// those of the service; see package settings.
package main
