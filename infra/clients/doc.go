// Package clients has other people's OpenID Connect clients sign in, the ones that companies
// put in front of or into what they run: oauth2-proxy, Apache's mod_auth_openidc, Node's
// openid-client, Gitea's library, the Kubernetes API server's authenticator, go-oidc, and by
// `make clients` Django, Flask-AppBuilder, GitLab's library, JupyterHub, Keycloak, Spring Boot.
//
// Duty: each is registered by the admin API and configured by what the console shows, if that
// is a file it reads; a member signs in to it by the simulated WeCom; it sees a claim,
// refreshes and signs out as far as it can. The service is the program of `make run`, at an
// https address.
//
// Boundary: tests alone, in a module of its own: what the clients are made of concerns
// nothing that is deployed. What our own promises are is tested beside the code; here a
// client fails when we have understood a standard in another way than the rest of the world.
package clients
