package wecom

import (
	"context"
	"strconv"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// maxList is the largest answer read of a list, in bytes. A department takes some 200, and
// a member of a tag some 60; a tag has at most 30,000 (path 90216).
const maxList = 8 << 20

// Department is a department that the app may see, by its number.
type Department struct {
	ID       int64
	ParentID int64  // the department above; the app need not see that one
	Name     string // empty when WeCom does not tell
}

// DepartmentTree asks for all departments that the app may see, without their names
// (department/simplelist, path 95350). An app whose visible range has members and tags only
// sees none.
func (c *Client) DepartmentTree(ctx context.Context, token secret.Value) ([]Department, error) {
	return c.departments(ctx, token, opTree, "/cgi-bin/department/simplelist", "department_id")
}

// DepartmentNames is DepartmentTree with names (department/list, path 90208), which WeCom
// calls slow and does not give to every kind of app.
func (c *Client) DepartmentNames(ctx context.Context, token secret.Value) ([]Department, error) {
	return c.departments(ctx, token, opNames, "/cgi-bin/department/list", "department")
}

func (c *Client) departments(ctx context.Context, token secret.Value, op, path, field string) ([]Department, error) {
	a, err := c.call(ctx, request{op: op, path: path, query: tokenQuery(token), repeatable: true, maxBody: maxList})
	if err != nil {
		return nil, err
	}
	var list []struct {
		ID       int64  `json:"id"`
		ParentID int64  `json:"parentid"`
		Name     string `json:"name"`
	}
	a.read(field, &list)
	departments := make([]Department, len(list))
	for i, d := range list {
		if d.ID <= 0 {
			a.broken = field
		}
		departments[i] = Department{ID: d.ID, ParentID: d.ParentID, Name: cleanName(d.Name)}
	}
	if a.broken != "" || !a.tells(field) {
		return nil, a.unusable(field)
	}
	return departments, nil
}

// Tag is who has a tag, as far as the app may see them (path 90213).
type Tag struct {
	// UserIDs are the members who have it themselves. Compare them without case.
	UserIDs []string
	// Departments have it with everybody in them and below.
	Departments []int64
}

// Tag asks who has the tag of a number (tag/get, path 90213). Errors: *Error, with
// TagNotFound or ForeignTag when there is none that the app may see; *UnavailableError.
func (c *Client) Tag(ctx context.Context, token secret.Value, id int64) (Tag, error) {
	a, err := c.call(ctx, request{
		op: opTag, path: "/cgi-bin/tag/get", repeatable: true, maxBody: maxList,
		query: tokenQuery(token) + "&tagid=" + strconv.FormatInt(id, 10),
	})
	if err != nil {
		return Tag{}, err
	}
	var tag Tag
	var users []struct {
		UserID string `json:"userid"`
	}
	a.read("userlist", &users)
	a.read("partylist", &tag.Departments)
	for _, user := range users {
		if user.UserID != "" {
			tag.UserIDs = append(tag.UserIDs, user.UserID)
		}
	}
	// Without either list it is the answer to something else.
	if a.broken != "" || !a.tells("userlist") && !a.tells("partylist") {
		return Tag{}, a.unusable("userlist or partylist")
	}
	return tag, nil
}
