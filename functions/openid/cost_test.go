package openid_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// countedSecrets notes the calls of Secrets Manager beside those of DynamoDB.
type countedSecrets struct {
	secret.Store
	calls *dynamotest.Calls
}

func (c countedSecrets) Get(ctx context.Context, name, version string) (secret.Value, error) {
	c.calls.Note("Secret")
	return c.Store.Get(ctx, name, version)
}

// TestRemoteCallsOfTheProvider counts what each endpoint asks of DynamoDB and Secrets
// Manager once a process is warm: applications, authenticators and keys are cached.
func TestRemoteCallsOfTheProvider(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	var remote dynamotest.Calls
	p := newProviderWith(t, func(now func() time.Time) store.Engine {
		engine, err := dynamo.New(dynamo.Config{Client: remote.Client(server), DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}, func(secrets secret.Store) secret.Store {
		return countedSecrets{secrets, &remote}
	})
	b := p.member("ann")
	// Warm: keys and configuration are read, and the application's last use is noted, which
	// happens once an hour.
	tokens := p.exchange(b.code(wikiRequest()))
	p.userinfo(tokens["access_token"].(string))

	var code string
	wanted := func(name, want string, request func() answer) {
		t.Helper()
		remote.Take()
		got := request()
		if calls := remote.Take(); calls != want || got.status >= 400 {
			t.Errorf("%s (%d): %q, want %q", name, got.status, calls, want)
		}
	}
	p.now = p.now.Add(time.Second)
	wanted("no session", "", func() answer { return p.browser().get("/oauth2/authorize", wikiRequest()) })
	wanted("a code", "BatchGet Put Update", func() answer {
		got := b.get("/oauth2/authorize", wikiRequest())
		_, query := got.location(t)
		code = query.Get("code")
		return got
	})
	wanted("code exchange", "Get BatchGet Put Update", func() answer {
		got := p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}), nil)
		tokens = got.json(t)
		return got
	})
	wanted("refresh", "BatchGet Update", func() answer {
		return p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}), nil)
	})
	wanted("userinfo", "BatchGet", func() answer { return p.userinfo(tokens["access_token"].(string)) })
	wanted("introspection", "BatchGet", func() answer {
		return p.post("/oauth2/introspect", p.asWiki(url.Values{"token": {tokens["access_token"].(string)}}), nil)
	})
	wanted("a made-up token", "", func() answer {
		got := p.userinfo("made-up")
		got.status = http.StatusOK
		return got
	})
}
