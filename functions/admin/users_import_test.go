package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
)

func importCSV(body string) request {
	return request{method: "POST", path: "/api/admin/users/import", contentType: "text/csv; charset=utf-8", body: body}
}

// lines returns the results as "row phone result code field".
func lines(t *testing.T, got answer) []string {
	t.Helper()
	var result struct {
		Rows []struct {
			Row                                    int
			Phone, Result, ID, Code, Field, Detail string
		}
		Created, Updated, Unchanged, Failed int
	}
	got.decode(t, &result)
	counts := map[string]int{}
	found := []string{}
	for _, row := range result.Rows {
		counts[row.Result]++
		found = append(found, strings.TrimSpace(fmt.Sprintf("%d %s %s %s %s", row.Row, row.Phone, row.Result, row.Code, row.Field)))
		if (row.Result == "failed") != (row.Code != "" && row.Detail != "") || (row.Result == "failed") == (row.ID != "") {
			t.Errorf("row %+v", row)
		}
	}
	if result.Created != counts["created"] || result.Updated != counts["updated"] || result.Unchanged != counts["unchanged"] || result.Failed != counts["failed"] {
		t.Errorf("counts: %s", got.body)
	}
	return found
}

func TestImport(t *testing.T) {
	o := newOffice(t)
	known := o.createUser("13800138000") // Li
	same := o.createUser("13800138001")
	file := "\uFEFFphone,name,roles\r\n" +
		"138 0013 8000,Lei,admin editor\r\n" + // 2: updated
		"+8613800138001,,\r\n" + // 3: empty cells change nothing
		"13800138002,\"Wang,\r\nMei\",\r\n" + // 4 and 5: a line break in a name
		"13800138003,\"Wang \"\"Mei\"\"\",staff\r\n" + // 6: created
		"not a phone,X,\r\n" + // 7
		"13800138003,Twice,\r\n" + // 8
		"\r\n" + // 9: no row
		",,\r\n" + // 10: no row
		"13800138004,X,two;words\r\n" + // 11: bad role
		"13800138005,X\r\n" + // 12: too short
		"13800138006,X,a,b\r\n" + // 13: too long
		",Nobody,\r\n" + // 14
		"+86-13800138000,Again,\r\n" + // 15
		"13800138007,,\n" // 16: created without a name
	want := []string{
		"2 +8613800138000 updated", "3 +8613800138001 unchanged", "4 +8613800138002 failed invalid_request name", "6 +8613800138003 created",
		"7 not a phone failed phone_invalid phone", "8 +8613800138003 failed duplicate_phone phone", "11 +8613800138004 failed invalid_request roles",
		"12 13800138005 failed invalid_request cells", "13 13800138006 failed invalid_request cells", "14  failed phone_invalid phone", "15 +8613800138000 failed duplicate_phone phone",
		"16 +8613800138007 created",
	}
	got := lines(t, o.expect(200, importCSV(file)))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if u := o.user(known); u.Name != "Lei" || fmt.Sprint(u.Roles) != "[admin editor]" || u.Version != 2 {
		t.Errorf("updated: %+v", u)
	}
	if u := o.user(same); u.Version != 1 || u.Name != "Li" {
		t.Errorf("unchanged: %+v", u)
	}
	// The same file again changes nothing more.
	for _, line := range lines(t, o.expect(200, importCSV(file))) {
		if strings.Contains(line, "created") || strings.Contains(line, "updated") {
			t.Errorf("second time: %s", line)
		}
	}
	if strings.Contains(o.log.String(), "13800138") {
		t.Error("the log has phones")
	}
}

func TestImportWithoutRoles(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"roles":["b","a"]}`})
	o.expect(200, importCSV("phone,name\n13800138000,New\n"))
	if u := o.user(id); u.Name != "New" || fmt.Sprint(u.Roles) != "[b a]" {
		t.Errorf("%+v", u)
	}
	if got := lines(t, o.expect(200, importCSV("phone,name,roles\n13800138000,New,a  b\n"))); got[0] != "2 +8613800138000 unchanged" {
		t.Error(got)
	}
	if got := o.expect(200, importCSV("phone,name")); got.body != `{"rows":[],"created":0,"updated":0,"unchanged":0,"failed":0}`+"\n" {
		t.Error(got.body)
	}
}

// A file that cannot be read as a whole changes nothing.
func TestImportRefusals(t *testing.T) {
	row := func(i int) string { return fmt.Sprintf("138%08d,X\n", i) }
	many := func(n int) string {
		var file strings.Builder
		file.WriteString("phone,name\n")
		for i := range n {
			file.WriteString(row(i))
		}
		return file.String()
	}
	tests := []struct {
		name, contentType, body string
		status                  int
		problem                 string
	}{
		{"JSON", "application/json", "{}", 415, "unsupported_media_type Content-Type"},
		{"other charset", "text/csv; charset=gbk", "phone,name\n", 415, "unsupported_media_type Content-Type"},
		{"empty", "text/csv", "", 400, "invalid_request header"},
		{"no header", "text/csv", row(1), 400, "invalid_request header"},
		{"name missing", "text/csv", "phone\n13800138000\n", 400, "invalid_request header"},
		{"other order", "text/csv", "name,phone\nX,13800138000\n", 400, "invalid_request header"},
		{"unknown column", "text/csv", "phone,name,enabled\n13800138000,X,false\n", 400, "invalid_request header"},
		{"fourth column", "text/csv", "phone,name,roles,id\n", 400, "invalid_request header"},
		{"semicolons", "text/csv", "phone;name\n13800138000;X\n", 400, "invalid_request header"},
		{"not UTF-8", "text/csv", "phone,name\n13800138000,\xc0\xee\n", 400, "invalid_request encoding"},
		{"quote inside", "text/csv", "phone,name\n13800138000,X\n13800138001,a\"b\n", 400, "invalid_request line 3"},
		{"quote not closed", "text/csv", "phone,name\n13800138000,X\n13800138001,\"b\n", 400, "invalid_request line 3"},
		{"too many rows", "text/csv", many(5001), 413, "payload_too_large rows"},
		{"too large", "text/csv", "phone,name\n" + strings.Repeat("x", 1<<20), 413, "payload_too_large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			if got := o.expect(test.status, request{method: "POST", path: "/api/admin/users/import", contentType: test.contentType, body: test.body}).problem(t); got != test.problem {
				t.Errorf("%s, want %s", got, test.problem)
			}
			if len(o.users()) != 0 {
				t.Error("rows were imported")
			}
		})
	}
}

// The largest file that is allowed, twice.
func TestImportOfManyRows(t *testing.T) {
	o := newOffice(t)
	var file strings.Builder
	file.WriteString("phone,name,roles\n")
	for i := range 5000 {
		fmt.Fprintf(&file, "138%08d,Person %d,staff\n", i, i)
	}
	for _, outcome := range []string{"created", "unchanged"} {
		got := lines(t, o.expect(200, importCSV(file.String())))
		for i, line := range got {
			if want := fmt.Sprintf("%d +86138%08d %s", i+2, i, outcome); line != want {
				t.Fatalf("%s, want %s", line, want)
			}
		}
		if len(got) != 5000 {
			t.Errorf("%d rows", len(got))
		}
	}
}

// An administrator creates a user while an import is about to do so: there is one user,
// and the import changes it.
func TestImportMeetsAnotherAdministrator(t *testing.T) {
	o := newOffice(t)
	raced := false
	o.directory.before = func(operation string) error {
		if operation == "CreateUser" && !raced {
			raced = true
			o.createUser("13800138000")
		}
		return nil
	}
	if got := lines(t, o.expect(200, importCSV("phone,name\n13800138000,Lei\n"))); got[0] != "2 +8613800138000 updated" {
		t.Error(got)
	}
	if len(o.users()) != 1 {
		t.Errorf("%d users", len(o.users()))
	}
}

func TestImportStopsWhenTheStoreIsDown(t *testing.T) {
	o := newOffice(t)
	o.directory.before = func(string) error { return errSecretDetail }
	var file strings.Builder
	file.WriteString("phone,name\n")
	for i := range 500 {
		fmt.Fprintf(&file, "138%08d,X\n", i)
	}
	got := o.expect(200, importCSV(file.String()))
	for _, line := range lines(t, got) {
		if !strings.HasSuffix(line, "failed internal") {
			t.Error(line)
		}
	}
	if tried := strings.Count(got.body, "could not be written"); tried > 64 {
		t.Errorf("%d rows were tried", tried)
	}
	if strings.Contains(got.body, "table") || !strings.Contains(o.log.String(), `"level":"ERROR"`) {
		t.Errorf("%s", o.log)
	}
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{"phone,name\n13800138000,X\n", "phone,name,roles\n1,\"a\nb\",c d\n", "\uFEFFphone,name", "phone,name\n\"", "phone,name\n,\n\n1,2,3\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) { admin.CheckParseImport(t, file) })
}
