package oauth_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// audited returns what the audit says, without times and ids.
func (b *bench) audited() (lines []store.AuditLine) {
	b.Helper()
	found, _, err := b.store.AuditLines(b.Context(), store.AuditQuery{}, store.Page{Limit: 100})
	b.must(err)
	for _, l := range found {
		l.ID, l.At = "", time.Time{}
		lines = append(lines, l)
	}
	return lines
}

// A code or a token that comes again is told once, and so is one that the application gives
// back; what was exchanged as it should be is not.
func TestAuditOfReusedAndRevokedTokens(t *testing.T) {
	b := newBench(t)
	line := store.AuditLine{Type: "token_reused", User: b.user.ID, Application: "wiki", RequestID: "request"}
	code := b.code()
	_, err := b.exchange(code)
	b.must(err)
	if lines := b.audited(); len(lines) != 0 {
		t.Errorf("%+v", lines)
	}
	for range 3 {
		_, err = b.exchange(code)
		b.refused(err, oauth.InvalidGrant, oauth.CauseCodeUsedTwice)
	}
	line.Code = string(oauth.CauseCodeUsedTwice)
	if diff := cmp.Diff([]store.AuditLine{line}, b.audited()); diff != "" {
		t.Errorf("a code twice (-want +got):\n%s", diff)
	}

	b = newBench(t)
	tokens := b.tokens("scope", "openid offline_access")
	newer, err := b.refresh(tokens.RefreshToken)
	b.must(err)
	_, err = b.refresh(newer.RefreshToken)
	b.must(err)
	b.pass(oauth.RetryWindow + time.Second)
	for range 3 {
		if _, err = b.refresh(tokens.RefreshToken); err == nil {
			t.Fatal("an old token is taken")
		}
	}
	line.User, line.Code = b.user.ID, string(oauth.CauseTokenUsedTwice)
	if diff := cmp.Diff([]store.AuditLine{line}, b.audited()); diff != "" {
		t.Errorf("a token twice (-want +got):\n%s", diff)
	}

	b = newBench(t)
	tokens = b.tokens()
	b.must(b.Revoke(t.Context(), b.as("shop", form("token", tokens.RefreshToken)))) // another's
	for _, token := range []string{tokens.RefreshToken, tokens.AccessToken, tokens.RefreshToken} {
		b.must(b.Revoke(t.Context(), b.as("wiki", form("token", token))))
	}
	line = store.AuditLine{Type: "token_revoked", User: b.user.ID, Application: "wiki", RequestID: "request"}
	if diff := cmp.Diff([]store.AuditLine{line}, b.audited()); diff != "" {
		t.Errorf("given back (-want +got):\n%s", diff)
	}
	text, _ := json.Marshal(b.audited())
	if slices.ContainsFunc([]string{tokens.RefreshToken, tokens.AccessToken, b.user.Phone, b.user.Name}, func(never string) bool {
		return strings.Contains(string(text), never)
	}) {
		t.Errorf("%s", text)
	}
}

// A stolen token is revoked although nobody can be told.
func TestReuseIsStoppedWithoutAnAudit(t *testing.T) {
	b := newBench(t)
	code := b.code()
	tokens, err := b.exchange(code)
	b.must(err)
	b.store.fail["RecordAudit"] = errors.New("the table is gone")
	_, err = b.exchange(code)
	b.refused(err, oauth.InvalidGrant, oauth.CauseCodeUsedTwice)
	if _, err := b.userInfo(tokens.AccessToken); err == nil {
		t.Error("the token still works")
	}
	if _, ok := b.logged.Load("auditNotWritten"); !ok {
		t.Error("no operator learns of it")
	}
}
