package claims_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestHeaders(t *testing.T) {
	departments := []store.Department{{ID: 7, Name: "Sales East", Above: []int64{1}, NamesAbove: []string{"总部"}}}
	full := claims.Member{
		User: store.User{
			ID: "u1", Name: "李, Lei\n", Phone: "+8613800138000", Roles: []string{"admin"}, WeComRoles: []string{"a/b"},
			Identities: []store.Identity{{CorpID: "ww1", WeComUserID: "LiLei", Departments: departments}},
		},
		CorpID: "ww1", WeComUserID: "LiLei", OneCorp: true,
	}
	template := claims.DefaultRules()
	template.Email, template.EmailTemplate, template.GroupsAs = "template", "{wecom_userid}@corp.example", "path"
	none := claims.DefaultRules()
	none.Phone, none.GroupsFrom = false, nil
	weCom := claims.DefaultRules()
	weCom.Email = "wecom"
	odd := full
	odd.User.Identities = []store.Identity{{CorpID: "ww1", WeComUserID: "LiLei", Email: `"a,b"@corp.example`, Departments: departments}}
	several := full
	several.OneCorp = false
	for _, test := range []struct {
		name   string
		member claims.Member
		rules  store.ClaimRules
		want   [6]string // user, name, email, phone, roles, groups
	}{
		{"everything", full, template, [6]string{"u1", "%E6%9D%8E%2C%20Lei%0A", "LiLei@corp.example", "+8613800138000", "admin a%2Fb", "role:admin role:a%2Fb %E6%80%BB%E9%83%A8%2FSales%20East"}},
		{"kept back", full, none, [6]string{"u1", "%E6%9D%8E%2C%20Lei%0A", "", "", "", ""}},
		{"several companies", several, template, [6]string{"u1", "%E6%9D%8E%2C%20Lei%0A", "", "+8613800138000", "admin a%2Fb", "role:admin role:a%2Fb"}},
		{"nothing known", claims.Member{User: store.User{ID: "u1"}}, template, [6]string{"u1", "", "", "", "", ""}},
		{"an address that cannot stand in a header", odd, weCom, [6]string{"u1", "%E6%9D%8E%2C%20Lei%0A", "", "+8613800138000", "admin a%2Fb", "role:admin role:a%2Fb department:7"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := claims.List{
				{Name: "X-Auth-User", Value: test.want[0], Scope: "openid"},
				{Name: "X-Auth-Name", Value: test.want[1], Scope: "profile"},
				{Name: "X-Auth-Email", Value: test.want[2], Scope: "email"},
				{Name: "X-Auth-Phone", Value: test.want[3], Scope: "phone"},
				{Name: "X-Auth-Roles", Value: test.want[4], Scope: "groups"},
				{Name: "X-Auth-Groups", Value: test.want[5], Scope: "groups"},
			}
			if diff := cmp.Diff(want, claims.ForHeaders(test.member, test.rules)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
}
