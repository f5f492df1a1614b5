// Package clients has other people's OpenID Connect clients sign in, the ones that companies
// put in front of or into what they run: oauth2-proxy, Apache's mod_auth_openidc, Node's
// openid-client, Gitea's library, go-oidc, and by `make clients` Django, Flask-AppBuilder,
// GitLab's library, JupyterHub, Keycloak, the Kubernetes API server's authenticator, Spring
// Boot.
//
// Their proxies do, too: nginx, Caddy and Envoy protect an application that knows no sign-in,
// with the very configuration of the console, and are attacked.
//
// Duty: each client is registered by the admin API and configured by what the console shows, if that
// is a file it reads; a member signs in to it by the simulated WeCom; it sees a claim,
// refreshes and signs out as far as it can. The service is the built functions, deployed with template.yaml in the account of
// infra/awsstack, with every permission enforced.
//
// One step is not done there: that a client hears of a sign-out by back-channel logout. The
// deployed function sends logout tokens to public https addresses alone, and no client on
// this machine has one. The program of `make run`, where the same code allows loopback,
// tells them instead; infra/awsstack/permissions follows a logout through the deployed
// queue and function as far as the application's address.
//
// Boundary: tests alone, in a module of its own: what the clients are made of concerns
// nothing that is deployed. What our own promises are is tested beside the code; here a
// client fails when we have understood a standard in another way than the rest of the world.
package clients
