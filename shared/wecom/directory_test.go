package wecom_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func TestDepartments(t *testing.T) {
	for answer, want := range map[string][]wecom.Department{
		`{"errcode":0,"department_id":[{"id":1,"parentid":0,"order":1},{"id":12,"parentid":1,"order":100}]}`: {{ID: 1}, {ID: 12, ParentID: 1}},
		// The root is not visible.
		`{"errcode":0,"department_id":[{"id":12,"parentid":1}]}`: {{ID: 12, ParentID: 1}},
		// A visible range with members only.
		`{"errcode":0,"department_id":[]}`: {},
		// What cannot be read is no answer: it would take everybody's roles away.
		`{"errcode":0}`: nil, `{"errcode":0,"department_id":null}`: nil, `{"errcode":0,"department_id":{}}`: nil,
		`{"errcode":0,"department_id":[{"parentid":1}]}`: nil, `{"errcode":0,"department_id":[{"id":"x"}]}`: nil,
		`{"errcode":0,"department":[{"id":1}]}`: nil, `{"errcode":0,"Department_ID":[{"id":1}]}`: nil,
	} {
		got, err := serve(t, &fake{answers: []string{answer}}).DepartmentTree(t.Context(), token())
		if _, broken := errors.AsType[*wecom.UnavailableError](err); broken != (want == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", answer, got, err)
		}
	}
	named, err := serve(t, &fake{answers: []string{
		`{"department":[{"id":1,"name":" 总部\u0000 ","name_en":"HQ","department_leader":["zhangsan"],"parentid":0,"order":1},{"id":12,"parentid":1}]}`,
	}}).DepartmentNames(t.Context(), token())
	if want := []wecom.Department{{ID: 1, Name: "总部"}, {ID: 12, ParentID: 1}}; err != nil || !reflect.DeepEqual(named, want) {
		t.Errorf("got %+v, %v", named, err)
	}
}

// Leadership stands beside the departments, by their order. What cannot be read is no answer;
// what is missing, or is not 1, makes nobody a leader.
func TestMemberDepartments(t *testing.T) {
	for fields, want := range map[string][]wecom.MemberDepartment{
		`"department":[1,12],"is_leader_in_dept":[0,1],"order":[1,2]`: {{ID: 1}, {ID: 12, Leader: true}},
		`"department":[12,1],"is_leader_in_dept":[1,0],"isleader":1`:  {{ID: 12, Leader: true}, {ID: 1}},
		`"department":[1,12],"is_leader_in_dept":[1]`:                 {{ID: 1, Leader: true}, {ID: 12}},
		`"department":[1],"is_leader_in_dept":[0,1,1]`:                {{ID: 1}},
		`"department":[1,12],"is_leader_in_dept":[2,-1]`:              {{ID: 1}, {ID: 12}},
		`"department":[7]`: {{ID: 7}},
		`"department":[7],"is_leader_in_dept":null,"direct_leader":["zhangsan"],"main_department":7`: {{ID: 7}},
		`"department":[],"is_leader_in_dept":[1]`:                                                    nil,
		`"is_leader_in_dept":[1]`:                                                                    nil,
	} {
		got, err := serve(t, &fake{answers: []string{`{"errcode":0,"userid":"zhangsan","status":1,` + fields + `}`}}).Member(t.Context(), token(), "zhangsan")
		if err != nil || !reflect.DeepEqual(got.Departments, want) {
			t.Errorf("%s: got %+v, %v", fields, got.Departments, err)
		}
	}
	for _, fields := range []string{`"department":"1"`, `"department":["x"]`, `"department":[1.5]`, `"department":[1],"is_leader_in_dept":"1"`, `"department":[1],"is_leader_in_dept":[true]`} {
		got, err := serve(t, &fake{answers: []string{`{"errcode":0,"userid":"zhangsan","status":1,` + fields + `}`}}).Member(t.Context(), token(), "zhangsan")
		if _, broken := errors.AsType[*wecom.UnavailableError](err); !broken {
			t.Errorf("%s: got %+v, %v", fields, got, err)
		}
	}
}

func TestTag(t *testing.T) {
	for answer, want := range map[string]wecom.Tag{
		`{"errcode":0,"tagname":"x","userlist":[{"userid":"ZhangSan","name":"张三"},{"userid":""}],"partylist":[2,12]}`: {UserIDs: []string{"ZhangSan"}, Departments: []int64{2, 12}},
		`{"errcode":0,"userlist":[],"partylist":[]}`: {Departments: []int64{}},
		`{"errcode":0,"userlist":[{"userid":"a"}]}`:  {UserIDs: []string{"a"}},
		`{"errcode":0,"partylist":[7]}`:              {Departments: []int64{7}},
	} {
		got, err := serve(t, &fake{answers: []string{answer}}).Tag(t.Context(), token(), 3)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v", answer, got, err)
		}
	}
	for _, answer := range []string{`{"errcode":0}`, `{"errcode":0,"userlist":null}`, `{"errcode":0,"userlist":{}}`, `{"errcode":0,"partylist":["x"]}`, `{"errcode":0,"userlist":[],"partylist":7}`} {
		if got, err := serve(t, &fake{answers: []string{answer}}).Tag(t.Context(), token(), 3); err == nil {
			t.Errorf("%s: got %+v", answer, got)
		}
	}
}

// A company with a thousand departments and a tag with all its members are read whole; an
// answer without end is not.
func TestLongListsAreRead(t *testing.T) {
	var departments, members []string
	for i := range 30_000 {
		members = append(members, fmt.Sprintf(`{"userid":"member-%d","name":"张三"}`, i))
	}
	for i := range 1_000 {
		departments = append(departments, fmt.Sprintf(`{"id":%d,"parentid":1,"name":"%s","department_leader":["zhangsan"],"order":%d}`, i+1, strings.Repeat("部", 32), i))
	}
	f := &fake{answers: []string{
		`{"errcode":0,"department":[` + strings.Join(departments, ",") + `]}`, `{"errcode":0,"userlist":[` + strings.Join(members, ",") + `],"partylist":[]}`,
		`{"errcode":0,"userlist":[` + strings.Repeat(" ", 8<<20) + `],"partylist":[]}`,
	}}
	c := serve(t, f)
	if named, err := c.DepartmentNames(t.Context(), token()); err != nil || len(named) != 1_000 {
		t.Errorf("%d departments, %v", len(named), err)
	}
	if tag, err := c.Tag(t.Context(), token(), 3); err != nil || len(tag.UserIDs) != 30_000 {
		t.Errorf("%d members, %v", len(tag.UserIDs), err)
	}
	if _, err := c.Tag(t.Context(), token(), 3); err == nil {
		t.Error("an endless answer was read")
	}
}
