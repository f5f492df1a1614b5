package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func firstSignIns(t *testing.T, b *bench) {
	ctx := t.Context()
	same := func(want store.FirstSignIn, sessionKey, corpID, userID string) {
		t.Helper()
		got, err := b.FirstSignIn(ctx, sessionKey, corpID, userID)
		b.ok(err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	same(store.FirstSignIn{}, "key", "ww0123", "zhangsan")
	same(store.FirstSignIn{}, "key", "ww0123", strings.Repeat("x", 3000))

	refusal := store.FirstSignInRefusal{Code: "phone_in_use", At: b.now(), KeepUntil: b.now().Add(10 * time.Minute)}
	b.ok(b.RefuseFirstSignIn(ctx, "ww0123", "ZhangSan", refusal))
	same(store.FirstSignIn{Refusal: refusal}, "key", "ww0123", "zhangsan")
	same(store.FirstSignIn{}, "key", "ww9999", "zhangsan")
	same(store.FirstSignIn{}, "key", "ww0123", "zhangsan2")

	// The latest refusal counts, and only for a while.
	b.pass(9 * time.Minute)
	later := store.FirstSignInRefusal{Code: "signup_closed", At: b.now(), KeepUntil: b.now().Add(10 * time.Minute)}
	b.ok(b.RefuseFirstSignIn(ctx, "ww0123", "zhangsan", later))
	b.pass(10*time.Minute - time.Millisecond)
	same(store.FirstSignIn{Refusal: later}, "key", "ww0123", "zhangsan")
	b.pass(time.Millisecond)
	same(store.FirstSignIn{}, "key", "ww0123", "zhangsan")

	u := b.user("+8613800000001")
	u.Identities = []store.Identity{member("ZhangSan")}
	b.ok(b.CreateUser(ctx, u))
	owner, err := b.OwnerOfIdentity(ctx, "ww0123", "zhangsan")
	b.ok(err)
	same(store.FirstSignIn{Owner: owner}, "key", "ww0123", "ZHANGSAN")

	// Any result uses a key up, an ended session, too.
	session := b.session("key", u)
	b.ok(b.StartSession(ctx, session, false))
	same(store.FirstSignIn{Owner: owner, Used: true}, "key", "ww0123", "zhangsan")
	b.ends("key", session.Session)
	same(store.FirstSignIn{Owner: owner, Used: true}, "key", "ww0123", "zhangsan")
	same(store.FirstSignIn{Owner: owner}, "another", "ww0123", "zhangsan")
	b.pass(8 * time.Hour)
	same(store.FirstSignIn{Owner: owner}, "key", "ww0123", "zhangsan")
}
