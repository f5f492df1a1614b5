package admin_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf16"

	"golang.org/x/text/encoding/simplifiedchinese"

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
		"13800138005,X\r\n" + // 12: created; a cell that is not there is empty
		"13800138006,X,a,b\r\n" + // 13: a word too many
		",Nobody,\r\n" + // 14
		"+86-13800138000,Again,\r\n" + // 15
		"13800138007,,\n" // 16: created without a name
	want := []string{
		"2 +8613800138000 updated", "3 +8613800138001 unchanged", "4 +8613800138002 failed invalid_request name", "6 +8613800138003 created",
		"7 not a phone failed phone_invalid phone", "8 +8613800138003 failed duplicate_phone phone", "11 +8613800138004 failed invalid_request roles",
		"12 +8613800138005 created", "13 13800138006 failed invalid_request cells", "14  failed phone_invalid phone", "15 +8613800138000 failed duplicate_phone phone",
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
		{"unknown charset", "text/csv; charset=big5", "phone,name\n", 415, "unsupported_media_type Content-Type"},
		{"empty", "text/csv", "", 400, "invalid_request header"},
		{"no header", "text/csv", row(1), 400, "invalid_request header"},
		{"name missing", "text/csv", "phone\n13800138000\n", 400, "invalid_request header"},
		{"other order", "text/csv", "name,phone\nX,13800138000\n", 400, "invalid_request header"},
		{"unknown column", "text/csv", "phone,name,enabled\n13800138000,X,false\n", 400, "invalid_request header"},
		{"fourth column", "text/csv", "phone,name,roles,id\n", 400, "invalid_request header"},
		{"semicolons", "text/csv", "phone;name\n13800138000;X\n", 400, "invalid_request header"},
		{"title above", "text/csv", "Staff\nphone,name\n13800138000,X\n", 400, "invalid_request header"},
		{"words of both commas", "text/csv", "phone，name,roles\n13800138000,X\n", 400, "invalid_request header"},
		{"not UTF-8", "text/csv", "phone,name\n13800138000,\xc0\xee\n", 400, "invalid_request encoding"},
		{"not UTF-8, as the gateway hands it over", "text/csv", "phone,name\n13800138000,\uFFFD\uFFFD\n", 400, "invalid_request encoding"},
		{"UTF-16, as the gateway hands it over", "text/csv", "\uFFFD\uFFFDp\x00h\x00o\x00n\x00e\x00,\x00n\x00a\x00m\x00e\x00\n\x00", 400, "invalid_request encoding"},
		{"UTF-16 without a mark", "text/csv; charset=utf-16", "p\x00h\x00o\x00n\x00e\x00,\x00n\x00a\x00m\x00e\x00", 400, "invalid_request encoding"},
		{"UTF-16 without its last byte", "text/csv; charset=utf-16", utf16File("phone,name\n13800138000,李\n", binary.LittleEndian)[:51], 400, "invalid_request encoding"},
		{"half a pair of UTF-16", "text/csv; charset=utf-16le", "\xFF\xFE" + "p\x00\x00\xD8", 400, "invalid_request encoding"},
		{"not GB 18030", "text/csv; charset=gb18030", "phone,name\n13800138000,\xc0\n", 400, "invalid_request encoding"},
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

// What spreadsheet programs and people make of a file, and what can be meant in one way
// only.
func TestImportReads(t *testing.T) {
	gb := func(text string) string {
		encoded, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	const plain = "text/csv"
	for _, test := range []struct {
		name, contentType, body string
		want                    string // phones, names and roles
	}{
		{"two columns of three", plain, "phone,name,roles\n13900000001,李四\n", "+8613900000001 李四 []"},
		{"one column", plain, "phone,name,roles\n13900000001\n", "+8613900000001  []"},
		{"one column of two", plain, "phone,name\n13900000001", "+8613900000001  []"},
		{"empty cells too many", plain, "phone,name\n13900000001,李四,,\n", "+8613900000001 李四 []"},
		{"blank cells too many", plain, "phone,name\n13900000001,李四, ,\u3000,\"\"\n", "+8613900000001 李四 []"},
		{"empty columns", plain, "phone,name,,\n13900000001,李四,,\n", "+8613900000001 李四 []"},
		{"several roles", plain, "phone,name,roles\n13900000001,李四,a  b\u3000c\n", "+8613900000001 李四 [a b c]"},
		{"mark", plain, "\uFEFFphone,name\n13900000001,李四\n", "+8613900000001 李四 []"},
		{"mark and quotation marks", plain, "\uFEFF\"phone\",\"name\"\n\"13900000001\",\"李四\"\n", "+8613900000001 李四 []"},
		{"case and blanks", plain, " Phone , NAME\u00A0,\u3000Roles\n13900000001,李四,a\n", "+8613900000001 李四 [a]"},
		{"what nobody sees", plain, "\u200Bphone\u200B,name\u2060\n\u200E13900000001\u202C,李四\n", "+8613900000001 李四 []"},
		{"full-width commas", plain, "phone，name，roles\n13900000001，李四，a\n13900000002，\"Li, Lei，\"，\n", "+8613900000001 李四 [a] +8613900000002 Li, Lei， []"},
		{"full-width comma in a name", plain, "phone,name\n13900000001,李，四\n", "+8613900000001 李，四 []"},
		{"CSV (Macintosh)", plain, "phone,name\r13900000001,李四\r", "+8613900000001 李四 []"},
		{"empty lines above", plain, "\r\n\r\nphone,name\r\n13900000001,李四\r\n", "+8613900000001 李四 []"},
		{"utf8", plain + "; charset=UTF8", "phone,name\n13900000001,李四\n", "+8613900000001 李四 []"},
		{"gb18030", plain + "; charset=GB18030", gb("phone,name\n13900000001,李四𠮷\n"), "+8613900000001 李四𠮷 []"},
		{"gbk", plain + "; charset=\"gbk\"", gb("phone,name\n13900000001,李四\n"), "+8613900000001 李四 []"},
		{"gb2312", plain + ";charset=gb2312", gb("phone,name\n13900000001,李四\n"), "+8613900000001 李四 []"},
		{"gbk that is correct UTF-8, too", plain + "; charset=gbk", gb("phone,name\n13900000001,隆\n"), "+8613900000001 隆 []"},
		{"a mark decides against gbk", plain + "; charset=gbk", "\uFEFFphone,name\n13900000001,李四\n", "+8613900000001 李四 []"},
		{"UTF-16 of Windows", plain + "; charset=utf-16", utf16File("phone,name\r\n13900000001,李四𠮷\r\n", binary.LittleEndian), "+8613900000001 李四𠮷 []"},
		{"UTF-16 in the other order", plain + "; charset=UTF-16", utf16File("phone,name\r\n13900000001,李四\r\n", binary.BigEndian), "+8613900000001 李四 []"},
		{"UTF-16 nobody announced", plain, utf16File("phone,name\n13900000001,李四\n", binary.LittleEndian), "+8613900000001 李四 []"},
		{"UTF-16 in the other order nobody announced", plain, utf16File("phone,name\n13900000001,李四\n", binary.BigEndian), "+8613900000001 李四 []"},
		{"UTF-16 called UTF-8", plain + "; charset=utf-8", utf16File("phone,name\n13900000001,李四\n", binary.LittleEndian), "+8613900000001 李四 []"},
		{"UTF-16 whose name has the order", plain + "; charset=utf-16le", utf16File("phone,name\n13900000001,李四\n", binary.LittleEndian)[2:], "+8613900000001 李四 []"},
		{"UTF-16 whose name has the other order", plain + "; charset=utf-16be", utf16File("phone,name\n13900000001,李四\n", binary.BigEndian)[2:], "+8613900000001 李四 []"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			got := o.expect(200, request{method: "POST", path: "/api/admin/users/import", contentType: test.contentType, body: test.body, base64: true})
			var found []string
			for _, u := range o.users() {
				found = append(found, fmt.Sprintf("%s %s %v", u.Phone, u.Name, u.Roles))
			}
			slices.Sort(found) // rows are written concurrently
			if strings.Join(found, " ") != test.want {
				t.Errorf("%q, want %q\n%s", found, test.want, got.body)
			}
		})
	}
}

// utf16File returns a text in UTF-16 with a byte order mark.
func utf16File(text string, order binary.AppendByteOrder) string {
	file := order.AppendUint16(nil, 0xFEFF)
	for _, unit := range utf16.Encode([]rune(text)) {
		file = order.AppendUint16(file, unit)
	}
	return string(file)
}

// A cell too many may be the half of a name: the row fails, and only that one.
func TestImportOfAWordTooMany(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{"phone,name\n13900000001,李四,admin\n", "[2 13900000001 failed invalid_request cells]"},
		{"phone,name\n13900000001,Li, Lei\n13900000002,Li\n", "[2 13900000001 failed invalid_request cells 3 +8613900000002 created]"},
		{"phone,name,roles\n13900000001,Li,,,admin\n", "[2 13900000001 failed invalid_request cells]"},
		{"phone,name,,\n13900000001,Li,admin\n", "[2 13900000001 failed invalid_request cells]"},
		{"phone，name\n13900000001，Li，admin\n", "[2 13900000001 failed invalid_request cells]"},
		{"phone，name\n13900000001,Li\n", "[2 13900000001,Li failed phone_invalid phone]"},
		{"phone,name\n13900000001，Li\n", "[2 13900000001，Li failed phone_invalid phone]"},
	} {
		o := newOffice(t)
		if got := fmt.Sprint(lines(t, o.expect(200, importCSV(test.body)))); got != test.want {
			t.Errorf("%q: %s, want %s", test.body, got, test.want)
		}
		for _, u := range o.users() {
			if len(u.Roles) != 0 {
				t.Errorf("%q: roles %v", test.body, u.Roles)
			}
		}
	}
}

// The refusal says what was found, so that nobody has to guess what a program wrote.
func TestImportRefusalsSayWhatWasFound(t *testing.T) {
	for _, test := range []struct{ contentType, body, want string }{
		{"text/csv", "姓名;手机\n", `It is \"姓名;手机\".`},
		{"text/csv", "", `It is \"\".`},
		{"text/csv", strings.Repeat("a", 500), `It is \"` + strings.Repeat("a", 64) + `…\".`},
		{"text/csv; charset=Shift_JIS", "phone,name\n", `The charset \"shift_jis\" is unknown: utf-8, utf-16, gb18030, gbk and gb2312 are read.`},
		{"text/csv", "phone,name\n1,\xc0\xee", `name its charset`},
	} {
		got := newOffice(t).send(request{method: "POST", path: "/api/admin/users/import", contentType: test.contentType, body: test.body})
		if got.status/100 != 4 || !strings.Contains(got.body, test.want) {
			t.Errorf("%q: %s, want %s", test.body, got.body, test.want)
		}
	}
}

// The largest file that is allowed, twice; the time for it passes in a bubble, however slow
// the machine is.
func TestImportOfManyRows(t *testing.T) {
	synctest.Test(t, importManyRows)
}

func importManyRows(t *testing.T) {
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
		f.Add([]byte(seed), "")
	}
	f.Add([]byte("phone，name\n13800138000，\xc0\xee"), "gb18030")
	f.Add([]byte(utf16File("phone,name\r13800138000,李", binary.LittleEndian)), "utf-16")
	f.Add([]byte("\x00p\xD8\x00"), "utf-16be")
	f.Fuzz(func(t *testing.T, file []byte, charset string) { admin.CheckParseImport(t, file, charset) })
}
