package wecom

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// UserIDByPhone asks for the userid of the member who has a phone, in E.164
// (user/getuserid, path 95402). WeCom counts the misses, see Error.PhoneMissed, and closes
// the call to the corp for a day when they exceed a fifth of its member limit
// (RateLimited): the caller keeps count, an error with MayHaveArrived included.
func (c *Client) UserIDByPhone(ctx context.Context, token secret.Value, phone string) (string, error) {
	// The directory has the mainland's numbers without a country code, and others with
	// theirs (path 90195).
	body, err := json.Marshal(map[string]string{"mobile": strings.TrimPrefix(phone, "+86")})
	if err != nil {
		return "", fmt.Errorf("encode phone: %w", err)
	}
	a, err := c.call(ctx, request{op: opByPhone, path: "/cgi-bin/user/getuserid", query: tokenQuery(token), body: body})
	if err != nil {
		return "", err
	}
	userID := a.text("userid")
	// CorpId/userid would be a member of another corp.
	if a.broken != "" || userID == "" || strings.Contains(userID, "/") {
		return "", a.unusable("userid")
	}
	return userID, nil
}
