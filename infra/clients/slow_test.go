//go:build slow

package clients

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

// The clients of `make clients`, whose tools take minutes to fetch. Each is an application
// in a language of its own.

// start starts the command of an application, in a folder of its own, with its settings.
func (a application) start(t *testing.T, command *exec.Cmd, settings ...string) {
	t.Helper()
	command.Dir = t.TempDir()
	command.Env = append(append(os.Environ(), "PORT="+a.port(), "ISSUER="+a.service.url, "CLIENT_ID="+a.id, "CLIENT_SECRET="+a.secret), settings...)
	a.run(t, command)
}

// Django renews its session by prompt=none, and needs the claim email.
func TestDjangoSignsIn(t *testing.T) {
	python := filepath.Join(filepath.Dir(tool(t, "django/ready")), "bin/python")
	program{
		callback: "/oidc/callback/",
		start: func(t *testing.T, a application, _ string) {
			file, err := filepath.Abs("django/application.py")
			must(t, err)
			a.start(t, exec.Command(python, file), "REQUESTS_CA_BUNDLE="+a.authority, "CONFIGURATION="+a.configurationFile(t, "django", "settings.py"))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string {
			time.Sleep(2100 * time.Millisecond) // of OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS
			return a.url + "/"
		},
		signOut: func(a application, _ string) string { return a.url + "/oidc/logout/" },
	}.test(t, "django")
}

// Flask-AppBuilder is what Superset and Airflow sign in by. By itself it refreshes nothing:
// the application has Authlib do it.
func TestFlaskAppBuilderSignsIn(t *testing.T) {
	python := filepath.Join(filepath.Dir(tool(t, "appbuilder/ready")), "bin/python")
	program{
		callback: "/oauth-authorized/wecom",
		start: func(t *testing.T, a application, _ string) {
			file, err := filepath.Abs("appbuilder/application.py")
			must(t, err)
			a.start(t, exec.Command(python, file), "REQUESTS_CA_BUNDLE="+a.authority, "CONFIGURATION="+a.configurationFile(t, "superset", "superset_config.py"))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/refresh" },
		signOut: func(a application, _ string) string { return a.url + "/logout/" },
	}.test(t, "flask-appbuilder")
}

// GitLab's library has neither refresh nor PKCE in the version of Debian; another sign-in,
// without WeCom, brings another token.
func TestGitLabsLibrarySignsIn(t *testing.T) {
	if err := exec.Command("ruby", "-e", "require 'omniauth_openid_connect'; require 'sinatra/base'; require 'webrick'").Run(); err != nil {
		awsstack.Missing(t, t.Name(), "GitLab's library is missing (apt-get install ruby-omniauth-openid-connect ruby-sinatra ruby-webrick)")
	}
	program{
		callback: "/users/auth/openid_connect/callback",
		start: func(t *testing.T, a application, _ string) {
			file, err := filepath.Abs("omniauth/application.rb")
			must(t, err)
			a.start(t, exec.Command("ruby", file), "SSL_CERT_FILE="+a.authority, "CONFIGURATION="+a.configurationFile(t, "gitlab", "gitlab.rb"))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/users/auth/openid_connect" },
		signOut: func(a application, _ string) string { return a.url + "/signout" },
	}.test(t, "gitlab")
}

// JupyterHub reads no discovery document and no ID token. It signs out with its id alone, so
// the member is asked first.
func TestJupyterHubSignsIn(t *testing.T) {
	python := filepath.Join(filepath.Dir(tool(t, "jupyterhub/ready")), "bin/python")
	program{
		callback: "/hub/oauth_callback",
		start: func(t *testing.T, a application, _ string) {
			file, err := filepath.Abs("jupyterhub/jupyterhub_config.py")
			must(t, err)
			a.start(t, exec.Command(python, "-m", "jupyterhub", "-f", file), "SSL_CERT_FILE="+a.authority, "CONFIGURATION="+a.configurationFile(t, "jupyterhub", "jupyterhub_config.py"),
				"JUPYTERHUB_CRYPT_KEY="+strings.Repeat("0123456789abcdef", 4))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/hub/refresh" },
		signOut: func(a application, _ string) string { return a.url + "/hub/logout" },
	}.test(t, "jupyterhub")
}

func TestSpringBootSignsIn(t *testing.T) {
	archive := tool(t, "spring/application.jar")
	program{
		callback: "/login/oauth2/code/wecom", backchannel: "/logout/connect/back-channel/wecom",
		start: func(t *testing.T, a application, _ string) {
			trusted := filepath.Join(t.TempDir(), "trusted.p12")
			output, err := exec.Command("keytool", "-importcert", "-noprompt", "-alias", "wecom", "-file", a.authority, "-keystore", trusted, "-storepass", "changeit").CombinedOutput()
			if err != nil {
				t.Fatalf("keytool: %v\n%s", err, output)
			}
			a.start(t, exec.Command("java", "-Djavax.net.ssl.trustStore="+trusted, "-Djavax.net.ssl.trustStorePassword=changeit", "-jar", archive,
				"--server.address=127.0.0.1", "--server.port="+a.port(), "--spring.config.location="+a.configurationFile(t, "spring-boot", "application.yaml")))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/" }, // each time
		signOut: func(a application, _ string) string { return a.url + "/signout" },
	}.test(t, "spring-boot")
}
