package admin_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
)

// readTables reads files by the console's own module and returns for each its problem, or
// its rows as "line phone/name/roles" and the notes about it. An exclamation mark stands
// behind a row with a word too many.
func readTables(t *testing.T, w *chromium.Window, files []string) []string {
	t.Helper()
	encoded := make([]string, len(files))
	for i, file := range files {
		encoded[i] = base64.StdEncoding.EncodeToString([]byte(file))
	}
	argument, err := json.Marshal(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return chromium.Evaluate[[]string](w, `(async (files) => {
		const script = document.querySelector('script[src*="/assets/console/"]').src;
		const { readTable } = await import(new URL('import-table.js', script));
		return files.map((file) => {
			const { problem, rows, notes } = readTable(Uint8Array.from(atob(file), (c) => c.charCodeAt(0)).buffer);
			if (problem) return problem;
			const row = ({ line, values, misshapen }) =>
				line + ' ' + Object.values(values).join('/') + (misshapen ? '!' : '');
			return [...rows.map(row), ...notes.map(({ text }) => text)].join('\n');
		});
	})(`+string(argument)+`)`)
}

// What programs and people make of a table, as it is read or refused. The messages say
// what was found, and none says that something is there twice when it is not.
func TestConsoleReadsTables(t *testing.T) {
	gb := func(text string) string {
		encoded, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	const (
		one      = "2 13900000001/李四/"
		twoRows  = one + "\n3 13900000002/王五/"
		noPhone  = "No column is named as the phone number. The file begins with: "
		howTo    = ". Name the columns in a line above the rows, separated by commas, such as phone,name,roles."
		sameMean = "These columns mean the same: "
		keepOne  = ". Keep one of them, or give the others another name."
	)
	ignored := func(names string) string { return "\nThese columns are not imported: " + names + "." }
	otherPhone := func(column, other string) string {
		return "\nThe phone number is taken from the column “" + column + "”. Not imported: " + other + "."
	}
	skipped := func(line string) string {
		return "\nThe columns are named on line " + line + ". What stands above it is not imported."
	}
	tests := []struct{ name, file, want string }{
		{"as the example", "phone,name,roles\n13900000001,李四,admin\n", "2 13900000001/李四/admin"},
		{"shorter rows", "phone,name,roles\n13900000001,李四\n13900000002\n", one + "\n3 13900000002//"},
		{"empty cells too many", "phone,name\n13900000001,李四,,\n13900000002,王五, ,\u3000\n", twoRows},
		{"a word too many", "phone,name\n13900000001,李四,admin\n13900000002,王五\n", one + "!\n3 13900000002/王五/"},
		{"a word in a column without a name", "phone,name,,\n13900000001,李四,,admin\n13900000002,王五,,\n", one + "!\n3 13900000002/王五/"},
		{"a column without a name", "phone,,name\n13900000001,x,李四\n13900000002,,王五\n", twoRows + ignored("number 2, without a name")},
		{"an empty column", "phone,,name\n13900000001,,李四\n", one},
		{"only phones", "手机\n13900000001\n", "2 13900000001//"},

		{"two phones, one of them mobile", "姓名,手机,电话\n李四,13900000001,010-12345678\n", one + otherPhone("手机", "电话")},
		{"the mobile one behind", "姓名,电话,手机号\n李四,,13900000001\n", one + otherPhone("手机号", "电话")},
		{"three phones", "姓名,手机,电话,联系电话,部门\n李四,13900000001,1,2,x\n", one + otherPhone("手机", "电话 | 联系电话") + ignored("部门")},
		{"two mobile ones", "手机,手机号,姓名\n1,2,李四\n", sameMean + "手机 | 手机号" + keepOne},
		{"two telephones", "电话,联系电话,姓名\n1,2,李四\n", sameMean + "电话 | 联系电话" + keepOne},
		{"one column twice", "phone,name,Phone\n1,李四,2\n", sameMean + "phone | Phone" + keepOne},
		{"two names", "手机,姓名,name\n1,李四,Li\n", sameMean + "姓名 | name" + keepOne},
		{"two of another column", "手机,姓名,部门,部门\n13900000001,李四,a,b\n", one + ignored("部门 | 部门")},

		{"stars", "*姓名,*手机号码\n李四,13900000001\n", one},
		{"stars behind", "姓名*,手机＊,角色 *\n李四,13900000001,a\n", one + "a"},
		{"a note", "手机号（必填）,姓名（选填）\n13900000001,李四\n", one},
		{"other notes", "【手机号】,姓名[必填],角色(可空)\n13900000001,李四,a\n", one + "a"},
		{"a note without brackets", "手机号必填,姓名\n13900000001,李四\n", one},
		{"traditional", "姓名,手機\n李四,13900000001\n", one},
		{"traditional number", "姓名,手機號碼,聯絡電話\n李四,13900000001,\n", one + otherPhone("手機號碼", "聯絡電話")},
		{"contact phone", "姓名,联系电话\n李四,13900000001\n", one},
		{"moving phone", "姓名,移动电话\n李四,13900000001\n", one},
		{"of staff", "员工姓名,成员手机\n李四,13900000001\n", one},
		{"case, blanks and underscores", " Mobile_Phone ,Full Name,ROLES\n13900000001,李四,a\n", one + "a"},
		{"a colon and wide letters", "Ｐｈｏｎｅ：,姓 名:\n13900000001,李四\n", one},
		{"no.", "Phone No.,Name\n13900000001,李四\n", one},
		{"what nobody sees", "\uFEFF\u200B手机\uFE0E,姓名\u2060\n13900000001,李四\n", one},
		{"WeCom's own list", "姓名,帐号,别名,职务,部门,性别,手机,座机,个人邮箱\n李四,lisi,,,a/b,男,13900000001,,\n", one + ignored("帐号 | 别名 | 职务 | 部门 | 性别 | 座机 | 个人邮箱")},
		{"a user's name is none", "手机,用户名\n13900000001,lisi\n", "2 13900000001//" + ignored("用户名")},

		{"a title", "2026 员工名单\n手机,姓名\n13900000001,李四\n", "3 13900000001/李四/" + skipped("2")},
		{"a title as wide as the table", "员工名单,,\n\n制表人：张三,,2026\n姓名,手机,部门\n李四,13900000001,x\n", "5 13900000001/李四/" + skipped("4") + ignored("部门")},
		{"a title of several lines", "\"填写须知：\n1. 手机, 必填\n\"\n手机,姓名\n13900000001,李四\n", "5 13900000001/李四/" + skipped("4")},
		{"a title that is a word of ours", "电话\n姓名,手机\n李四,13900000001\n", "3 13900000001/李四/" + skipped("2")},
		{"a header too far below", strings.Repeat("x\n", 6) + "手机,姓名\n13900000001,李四\n", noPhone + "x" + howTo},

		{"sep=,", "sep=,\nphone,name\n13900000001,李四\n", "3 13900000001/李四/"},
		{"sep=;", "\uFEFFsep=;\r\nphone;name\r\n13900000001;Li, Lei\r\n", "3 13900000001/Li, Lei/"},
		{"SEP in quotation marks", "\"SEP=|\"\nphone|name\n13900000001|李四\n", "3 13900000001/李四/"},
		{"sep= and a tab", "sep=\t\nphone\tname\n13900000001\t李四", "3 13900000001/李四/"},
		{"semicolons", "phone;name\n13900000001;\"Li; Lei\"\n", "2 13900000001/Li; Lei/"},
		{"tabs", "姓名\t手机\n李四\t13900000001\n", one},
		{"semicolons below a title with commas", "a, b, c, d\nphone;name\n13900000001;李四\n", "3 13900000001/李四/" + skipped("2")},
		{"full-width commas", "姓名，手机，角色\n李四，13900000001，a\n", one + "a"},
		{"full-width commas in names", "手机，姓名\n13900000001，Li, Lei\n", "2 13900000001/Li, Lei/"},
		{"full-width commas below others", "手机,姓名\n13900000001，李四\n13900000002,王五\n", twoRows},
		{"others below full-width commas", "手机，姓名\n13900000001,李四\n13900000002，王五\n", twoRows},
		{"a full-width comma in a cell", "手机,姓名,地址\n13900000001,李四,北京，朝阳\n", one + ignored("地址")},
		{"a word too many between full-width commas", "手机,姓名\n13900000001，李四，admin\n", one + "!"},

		{"UTF-16 of Windows", utf16File("手机\t姓名\r\n13900000001\t李四\r\n", binary.LittleEndian), one},
		{"UTF-16 in the other order", utf16File("手机,姓名\n13900000001,李四\n", binary.BigEndian), one},
		{"UTF-16 without a mark", utf16File("phone,name\n13900000001,Li\n", binary.LittleEndian)[2:], "This is not a CSV file; it may be a spreadsheet. Open it in the spreadsheet program, save it as “CSV UTF-8”, and choose that file."},
		{"a spreadsheet", "PK\x03\x04\x14\x00\x06\x00\x08\x00", "This is not a CSV file; it may be a spreadsheet. Open it in the spreadsheet program, save it as “CSV UTF-8”, and choose that file."},
		{"GB 18030", gb("手机,姓名\n13900000001,李四\n"), one + "\nThe file is not in UTF-8 and was read as GB 18030, which spreadsheet programs write in Chinese. Check that the names are right."},
		{"Big5", "\xa4\xe2\xbe\xf7,\xa9\x6d\xa6\x57\n13900000001,\xa7\xf5\n", noPhone + "もの" + howTo},
		{"CSV (Macintosh)", "手机,姓名\r\r13900000001,李四\r", "3 13900000001/李四/"},
		{"lines of both kinds", "手机,姓名\r\n\n13900000001,\"李\r\n四\"\r13900000002,王五", "3 13900000001/李\r\n四/\n5 13900000002/王五/"},

		{"nothing", "", "The file is empty."},
		{"blanks", "\uFEFF \r\n\t\n", "The file is empty."},
		{"no rows", "手机,姓名\n,\n", "The file has no rows besides the names of the columns."},
		{"no phone", "姓名,部门\n李四,x\n", noPhone + "姓名 | 部门" + howTo},
		{"no header", "13900000001,李四\n13900000002,王五\n", noPhone + "13900000001 | 李四" + howTo},
		{"both commas in the header", "姓名,手机，角色\n李四,13900000001，a\n", noPhone + "姓名 | 手机，角色" + howTo},
		{"a long header", strings.Repeat("列,", 200) + "\n", noPhone + strings.Repeat("列 | ", 30) + "…" + howTo},
		{"a quotation mark", "手机,姓名\n13900000001,\"李四\n13900000002,王五\n", "The file is not correct CSV: a quotation mark on line 2 is never closed."},
	}
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#import")
	files := make([]string, len(tests))
	for i, test := range tests {
		files[i] = test.file
	}
	for i, got := range readTables(t, w, files) {
		want := tests[i].want
		if tests[i].name == "Big5" {
			// Whatever the words have become, the way out is there.
			if !strings.HasPrefix(got, noPhone) || !strings.HasSuffix(got, "If these words look wrong, save the file as “CSV UTF-8” and choose it again.") {
				t.Errorf("%s: %s", tests[i].name, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", tests[i].name, got, want)
		}
	}
}

// In each language columns may be called as the page calls them.
func TestConsoleReadsItsOwnNamesOfColumns(t *testing.T) {
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#import")
	for language, header := range map[string]string{
		"fr": "Téléphone;Nom;Rôles", "es": "teléfono;nombre;roles", "pt": "Telefone;Nome;Funções", "sv": "TELEFON;Namn;Roller", "uk": "Телефон;Ім'я;Ролі", "zh-CN": "手机号;姓名;角色",
	} {
		w.Do(language, visit(f.URL+"/console?lang="+language+"#import"), sees(`input[type=file]`))
		if got := readTables(t, w, []string{header + "\n13900000001;李四;a\n"}); got[0] != "2 13900000001/李四/a" {
			t.Errorf("%s: %s", language, got)
		}
	}
}

// A table with everything that can be read is seen before it is sent, and what cannot be
// imported has a sentence in its row.
func TestConsoleImportOfATableByHand(t *testing.T) {
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("hr", "")
		o.create("partner", `,"linkByPhone":false`)
		f := o.serve(t)
		w := open(t, width)
		enter(w, f, "#import")
		write := func(name, content string) string {
			t.Helper()
			path := filepath.Join(t.TempDir(), name)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		choose := func(path string) chromium.Action { return upload(`input[type=file]`, path) }
		w.Do("twice", choose(write("twice.csv", "手机,手机号,姓名\n")), shows(said("These columns mean the same: 手机 | 手机号.")))
		w.Do("no phone", choose(write("nophone.csv", "姓名,部门\n李四,x\n")), shows(said("The file begins with: 姓名 | 部门.")))
		w.Do("preview", choose(write("list.csv", utf16File("员工名单\t\t\t\r\n*姓名\t手机号（必填）\t电话\t部门\t备注\r\n"+
			"李四\t13900000001\t010-1\t\t\r\n王五\t13900000002\r\n赵六\t13900000003\t\t\t\tx\r\n钱七\uFFFD\t13900000004\r\n\t\t\t合计\r\n", binary.LittleEndian))),
			shows(said("The columns are named on line 2.")), shows(said("Not imported: 电话.")), shows(said("These columns are not imported: 部门 | 备注")))
		w.Do("import", clickOn(button("Import rows: 5")), shows(said("Some rows could not be imported")))
		rows := ask(w, `[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').innerText + ' ' + row.querySelector('.part').innerText).join('|')`)
		if want := "5 The row has more cells than the line with the names of the columns. Look for a comma too many.|" +
			"6 The row has characters that could not be read. Save the file as “CSV UTF-8” and import it again.|7 This is not a valid phone number."; rows != want {
			t.Errorf("failed rows %q", rows)
		}
		w.Do("to WeCom", click(`.card a[href="#lookup/hr"]`), shows(button("Try without binding")))
		var found []string
		for _, u := range o.users() {
			found = append(found, u.Phone+" "+u.Name)
		}
		slices.Sort(found)
		if fmt.Sprint(found) != "[+8613900000001 李四 +8613900000002 王五]" {
			t.Errorf("imported %q", found)
		}
	})
}

// An import has a name that somebody else chose. In the list of failed rows, which is opened
// in a spreadsheet to mend it, nothing runs; imported again, it is what it was.
func TestAttackFormulaInFailedRows(t *testing.T) {
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#import")
	path := filepath.Join(t.TempDir(), "list.csv")
	failed := chromedp.Search(`//button[contains(., "Download failed rows")]`)
	again := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		w.Do("choose", upload(`input[type=file]`, path), clickOn(button("Import rows: 4")), shows(failed))
	}
	download := clickOn(failed)
	again("phone,name,roles\n+1,=1+1,staff\n-2,@SUM(1),+x\n=3,\"\t-x\",\n4,O'Hara,\n")
	file := fileOf(w, "download", download)
	for _, cell := range []string{"'+1,'=1+1,staff", "'-2,'@SUM(1),'+x", "'=3,'-x,", "4,O'Hara,"} {
		if !strings.Contains(file, "\n"+cell) {
			t.Errorf("no %q in %q", cell, file)
		}
	}
	w.Do("another", clickOn(button("Import another file")))
	again(file)
	if second := fileOf(w, "download again", download); second != file {
		t.Errorf("%q was %q before it was read", second, file)
	}
}
