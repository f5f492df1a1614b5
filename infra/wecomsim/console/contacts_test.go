package console_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const contactsPath = wecomsim.ConsolePath + "/" + corpID + "/contacts"

// withDepartments gives the company a tree and a tag.
func withDepartments(c *wecomsim.Config) {
	corp := &c.Corps[0]
	corp.Departments = []wecomsim.Department{{ID: 2, Name: "研发部", LatinName: "Research", Order: 1}, {ID: 3, Name: "平台组", ParentID: 2}, {ID: 4, Name: "销售部", Order: 2}}
	corp.Tags = []wecomsim.Tag{{ID: 7, Name: "值班", UserIDs: []string{"LiSi"}}}
	corp.Members[0].Departments, corp.Members[0].LeaderOf = []int{3}, []int{3}
	corp.Members[0].LatinName = "Zhang San"
}

// member is a member as the simulator has it, with tags, or nothing.
func (h *harness) member(userID string) string {
	for _, m := range h.Corps()[0].Members {
		if m.UserID != userID {
			continue
		}
		var tags []int
		for _, t := range h.Corps()[0].Tags {
			if slices.Contains(t.UserIDs, userID) {
				tags = append(tags, t.ID)
			}
		}
		return fmt.Sprintf("%s %s %s %s in %v leads %v tags %v status %d", m.Name, m.LatinName, m.Mobile, m.Position, m.Departments, m.LeaderOf, tags, m.Status)
	}
	return ""
}

func TestContacts(t *testing.T) {
	h := newHarness(t, withDepartments)
	body := h.get(contactsPath).Body
	for _, order := range [][]string{
		{"销售部", "研发部", "平台组", `href="` + contactsPath + `/zhangsan"`, "负责人"}, // by order, from the root down
		{"示例公司</b>", "ID 1<", `href="` + contactsPath + `/LiSi"`, "销售部"},     // in no department: in the root
		{"值班", "LiSi"},
		{`href="` + wecomsim.ConsolePath + "/" + corpID + `/new-member"`},
	} {
		rest := body
		for _, text := range order {
			at := strings.Index(rest, text)
			if at < 0 {
				t.Errorf("%q does not follow in %q", text, order)
				break
			}
			rest = rest[at:]
		}
	}
}

func TestMembers(t *testing.T) {
	full := func(changes ...string) url.Values {
		form := values("name", "张三", "userid", "zhangsan", "mobile", "13800000001", "department", "3", "leader", "3")
		for i := 0; i < len(changes); i += 2 {
			form.Set(changes[i], changes[i+1])
		}
		return form
	}
	const of = contactsPath + "/zhangsan"
	tests := []struct {
		rule, path string
		form       url.Values
		// userID is that of the member afterwards, and want what they are.
		userID, want string
		refused      string
	}{
		{rule: "hired", path: contactsPath, form: values("name", " 新人 ", "userid", "new.one", "mobile", "13800000009", "department", "4", "tag", "7"), userID: "new.one", want: "新人  13800000009  in [4] leads [] tags [7] status 0"},
		{rule: "hired with nothing else", path: contactsPath, form: values("name", "新人", "userid", "new"), userID: "new", want: "新人    in [] leads [] tags [] status 0"},
		{rule: "saved unchanged", path: of, form: full(), userID: "zhangsan", want: "张三 Zhang San 13800000001  in [3] leads [3] tags [] status 0"},
		{rule: "moved", path: of, form: full("department", "4"), userID: "zhangsan", want: "张三 Zhang San 13800000001  in [4] leads [] tags [] status 0"},
		{rule: "another phone and position", path: of, form: full("mobile", "+44 7700 900123", "position", "Lead"), userID: "zhangsan", want: "张三 Zhang San +44 7700 900123 Lead in [3] leads [3] tags [] status 0"},
		{rule: "another name has no Latin one", path: of, form: full("name", "张山"), userID: "zhangsan", want: "张山  13800000001  in [3] leads [3] tags [] status 0"},
		{rule: "another userid", path: of, form: full("userid", "zs", "tag", "7"), userID: "zs", want: "张三 Zhang San 13800000001  in [3] leads [3] tags [7] status 0"},
		{rule: "a tag taken away", path: contactsPath + "/LiSi", form: values("name", "李四", "userid", "LiSi"), userID: "LiSi", want: "李四    in [] leads [] tags [] status 0"},
		{rule: "disabled", path: of + "/state", form: values("enabled", "no"), userID: "zhangsan", want: "张三 Zhang San 13800000001  in [3] leads [3] tags [] status 2"},
		{rule: "enabled", path: of + "/state", form: values("enabled", "yes"), userID: "zhangsan", want: "张三 Zhang San 13800000001  in [3] leads [3] tags [] status 1"},
		{rule: "dismissed", path: of + "/dismiss", userID: "zhangsan", want: ""},

		{rule: "no name", path: of, form: full("name", " "), refused: "请填写姓名。 / Enter a name."},
		{rule: "userid with a slash", path: of, form: full("userid", "a/b"), refused: "帐号由 1–64 个字母、数字和“_-@.”组成，以字母或数字开头。 / A userid has 1 to 64 letters, digits and \"_-@.\", and begins with a letter or digit."},
		{rule: "userid taken, in other letters", path: of, form: full("userid", "lisi"), refused: "帐号已被占用。 / The userid is taken."},
		{rule: "hired with a taken userid", path: contactsPath, form: values("name", "x", "userid", "ZhangSan"), refused: "帐号已被占用。 / The userid is taken."},
		{rule: "no phone number", path: of, form: full("mobile", "12"), refused: "手机号格式不正确。 / This is not a phone number."},
		{rule: "phone of another", path: contactsPath, form: values("name", "x", "userid", "x", "mobile", "13800000001"), refused: "手机号已被占用。 / Another member has this phone."},
		{rule: "unknown department", path: of, form: full("department", "99"), refused: "没有这个部门。 / There is no such department."},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, withDepartments)
			before := fmt.Sprintf("%+v", h.Corps())
			got := h.post(test.path, test.form)
			if test.refused != "" {
				if got.Status != http.StatusUnprocessableEntity || alert(got) != test.refused || fmt.Sprintf("%+v", h.Corps()) != before {
					t.Fatalf("got %d %s", got.Status, alert(got))
				}
				if !strings.Contains(got.Body, `name="userid" value="`+test.form.Get("userid")+`"`) {
					t.Error("what was typed is lost")
				}
				return
			}
			if got.Status != http.StatusSeeOther || h.member(test.userID) != test.want {
				t.Fatalf("got %d, %q, want %q; %s", got.Status, h.member(test.userID), test.want, alert(got))
			}
			if page := h.get(got.Header.Get("Location")); page.Status != http.StatusOK || !strings.Contains(page.Body, `role="status"`) {
				t.Errorf("it leads to %s, HTTP %d", got.Header.Get("Location"), page.Status)
			}
		})
	}
	t.Run("unknown", func(t *testing.T) {
		h := newHarness(t, nil)
		if got := h.post(contactsPath+"/nobody/dismiss", nil); got.Status != http.StatusNotFound {
			t.Errorf("got %d", got.Status)
		}
	})
}

// The visible range of departments and tags is saved and shown.
func TestRangeOfDepartmentsAndTags(t *testing.T) {
	h := newHarness(t, withDepartments)
	path := wecomsim.ConsoleAppPath(corpID, appID)
	page := h.saved(path+"/range", values("department", "2", "tag", "7"))
	if a := h.app(); !slices.Equal(a.VisibleDepartments, []int{2}) || !slices.Equal(a.VisibleTags, []int{7}) || a.VisibleUserIDs == nil || len(a.VisibleUserIDs) != 0 {
		t.Errorf("saved %+v", a)
	}
	for _, box := range []string{`name="department" value="2" checked`, `name="tag" value="7" checked`, `name="department" value="4">`, `name="everyone" value="yes">`} {
		if !strings.Contains(page, box) {
			t.Errorf("the page lacks %s", box)
		}
	}
	for form, want := range map[string]string{"department": "没有这个部门。 / There is no such department.", "tag": "没有这个标签。 / There is no such tag."} {
		if got := h.post(path+"/range", values(form, "99")); alert(got) != want {
			t.Errorf("got %s", alert(got))
		}
	}
}

const (
	eventToken = "QDG6eK"
	eventKey   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)

// eventSite answers checks with the plaintext and takes every push.
func eventSite(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, raw, _ := strings.Cut(r.URL.RawQuery, "echostr=")
		echo, _ := url.PathUnescape(raw)
		if echo == "" {
			return
		}
		key, _ := base64.StdEncoding.DecodeString(eventKey + "=")
		sealed, _ := base64.StdEncoding.DecodeString(echo)
		block, _ := aes.NewCipher(key)
		cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(sealed, sealed)
		_, _ = w.Write(sealed[20 : 20+binary.BigEndian.Uint32(sealed[16:])])
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The receiver opens the form of trusted IPs before any domain is verified, and
// then hears who left, and that nobody uses the app.
func TestReceiver(t *testing.T) {
	h := newHarness(t, func(c *wecomsim.Config) { withDepartments(c); c.Corps[0].Apps[0].TrustedDomain = "" })
	path, site := wecomsim.ConsoleAppPath(corpID, appID), eventSite(t)
	form := values("url", site, "token", eventToken, "key", eventKey)
	if strings.Contains(h.get(path).Body, `name="ips"`) {
		t.Error("the addresses can be set before anything else")
	}
	for rule, wrong := range map[string]url.Values{
		"no Token":   values("url", site, "key", eventKey),
		"no answer":  values("url", "http://127.0.0.1:1/", "token", eventToken, "key", eventKey),
		"other host": values("url", "nothing", "token", eventToken, "key", eventKey),
	} {
		got := h.post(path+"/receiver", wrong)
		if got.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(alert(got), "openapi 回调地址请求不通过，未保存。 / Not saved: ") || h.app().Receiver != (wecomsim.Receiver{}) {
			t.Errorf("%s: %d %s", rule, got.Status, alert(got))
		}
	}
	page := h.saved(path+"/receiver", form)
	if !strings.Contains(page, `name="ips"`) || !strings.Contains(page, `value="`+eventKey+`"`) {
		t.Error("the receiver is not shown, or does not open the form of the addresses")
	}
	h.saved(wecomsim.ConsolePath+"/"+corpID+"/contact-sync", form)
	h.saved(contactsPath+"/zhangsan/dismiss", nil)
	h.saved(path+"/unused", nil)
	if h.app().Disabled {
		t.Error("a warning has disabled the app")
	}
	h.saved(path+"/unused", values("closed", "yes"))
	if !h.app().Disabled {
		t.Error("the app goes on")
	}
	h.Settle()
	page = h.get(contactsPath).Body
	for _, event := range []string{"unsubscribe", "delete_user", "inactive_alert", "close_inactive_agent"} {
		if !strings.Contains(page, "<td>"+event+"</td>") {
			t.Errorf("the page does not show %s", event)
		}
	}
	h.saved(path+"/receiver", values("url", ""))
	if h.app().Receiver != (wecomsim.Receiver{}) {
		t.Error("the receiver stays")
	}
}
