// Command local runs WeCom Sign-in on this machine: the functions behind a gateway
// that reads template.yaml, the store and the secrets in files, and, unless
// WECOM_API_URL names a real WeCom, a simulated one with a demo company and a demo
// application.
//
//	make run
//
// It listens on loopback only. The settings are PORT, DATA_DIR, ADMIN_KEY and those
// of the service; see package settings.
package main
