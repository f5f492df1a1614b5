package admin

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	utf16 "golang.org/x/text/encoding/unicode"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// line is a row of the file.
type line struct {
	row   int // line of the file on which it starts
	phone string
	name  string
	roles string
	cells int // up to the last that is not empty
}

// readImport parses the whole file of a request before anything is written. It returns
// the rows and the number of columns in the header. It skips empty rows, which
// spreadsheets add.
func readImport(r *http.Request) ([]line, int, error) {
	media, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "text/csv" {
		return nil, 0, unsupportedMedia("Content-Type must be text/csv.")
	}
	charset := strings.ToLower(parameters["charset"])
	if !isImportCharset(charset) {
		return nil, 0, unsupportedMedia("The charset " + strconv.Quote(shorten(charset)) + " is unknown: utf-8, utf-16, gb18030, gbk and gb2312 are read.")
	}
	body, err := readBody(r, MaxBody)
	if err != nil {
		return nil, 0, err
	}
	text, err := decodeImport(body, charset)
	if err != nil {
		return nil, 0, err
	}
	return parseImport(text)
}

func isImportCharset(charset string) bool {
	switch charset {
	case "", "utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "gb18030", "gbk", "gb2312":
		return true
	}
	return false
}

// The byte order marks of UTF-8, of UTF-16 in Intel's order, and of UTF-16 in the other.
const markUTF8, markUTF16LE, markUTF16BE = "\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"

// decodeImport returns the file in UTF-8. A byte order mark decides, as everywhere on the
// web: in none of the other encodings would it be text. Without a charset in Content-Type
// the gateway takes the body for UTF-8, and what it could not read comes as U+FFFD, which
// must not become a name.
func decodeImport(file []byte, charset string) ([]byte, error) {
	begins := func(mark string) bool { return bytes.HasPrefix(file, []byte(mark)) }
	var decoder *encoding.Decoder
	switch {
	case begins(markUTF8):
		file = file[len(markUTF8):]
	case begins(markUTF16LE), begins(markUTF16BE):
		decoder = utf16.UTF16(utf16.LittleEndian, utf16.ExpectBOM).NewDecoder()
	case charset == "utf-16":
		return nil, apierr.Invalid("encoding", "The file has no byte order mark, so nobody knows whether it is in utf-16le or utf-16be.")
	case charset == "utf-16le":
		decoder = utf16.UTF16(utf16.LittleEndian, utf16.IgnoreBOM).NewDecoder()
	case charset == "utf-16be":
		decoder = utf16.UTF16(utf16.BigEndian, utf16.IgnoreBOM).NewDecoder()
	case strings.HasPrefix(charset, "gb"):
		// GB 18030 contains the other two.
		decoder = simplifiedchinese.GB18030.NewDecoder()
	}
	if decoder != nil {
		decoded, err := decoder.Bytes(file)
		if err != nil {
			return nil, apierr.Invalid("encoding", "The file is not in the charset of its Content-Type.")
		}
		file = decoded
	}
	switch {
	case utf8.Valid(file) && !bytes.ContainsRune(file, utf8.RuneError):
	case decoder != nil:
		return nil, apierr.Invalid("encoding", "The file is not in the charset of its Content-Type, or of its byte order mark.")
	default:
		return nil, apierr.Invalid("encoding", "The file is not in UTF-8. Save it as \"CSV UTF-8\", or name its charset, such as in Content-Type: text/csv; charset=gb18030.")
	}
	if !bytes.ContainsRune(file, '\n') {
		file = bytes.ReplaceAll(file, []byte("\r"), []byte("\n")) // "CSV (Macintosh)"
	}
	return file, nil
}

// parseImport parses a file in UTF-8.
func parseImport(file []byte) ([]line, int, error) {
	reader := csv.NewReader(bytes.NewReader(file))
	reader.FieldsPerRecord = -1 // a row of the wrong length fails alone
	reader.ReuseRecord = true
	reader.Comma = separatorOf(file)
	header, err := reader.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, brokenCSV(err)
	}
	columns := len(filled(header))
	if !isHeader(header[:columns]) {
		found := strings.Join(header[:columns], string(reader.Comma))
		return nil, 0, apierr.Invalid("header", "The first line must be phone,name or phone,name,roles, separated by commas. It is "+strconv.Quote(shorten(found))+".")
	}
	lines := []line{}
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return lines, columns, nil
		}
		if err != nil {
			return nil, 0, brokenCSV(err)
		}
		row, _ := reader.FieldPos(0)
		record = filled(record)
		if len(record) == 0 {
			continue
		}
		if len(lines) == mostRows {
			return nil, 0, &apierr.Error{Code: apierr.PayloadTooLarge, Field: "rows", Detail: "The file must not have more than 5,000 rows."}
		}
		l := line{row: row, cells: len(record)}
		for i, into := range []*string{&l.phone, &l.name, &l.roles}[:columns] {
			if i < len(record) { // what is not there is empty
				*into = strings.Clone(strings.TrimSpace(record[i]))
			}
		}
		lines = append(lines, l)
	}
}

// separatorOf returns the full-width comma of Chinese keyboards if it is what separates
// the header, and the comma otherwise.
func separatorOf(file []byte) rune {
	header, _, _ := bytes.Cut(bytes.TrimLeft(file, "\r\n"), []byte("\n"))
	if bytes.ContainsRune(header, '，') && !bytes.ContainsRune(header, ',') {
		return '，'
	}
	return ','
}

// filled returns a record without the empty cells at its end.
func filled(record []string) []string {
	for len(record) > 0 && strings.TrimSpace(record[len(record)-1]) == "" {
		record = record[:len(record)-1]
	}
	return record
}

// isHeader ignores case, blanks and what nobody sees.
func isHeader(record []string) bool {
	names := []string{"phone", "name", "roles"}
	if len(record) < 2 || len(record) > len(names) {
		return false
	}
	return slices.EqualFunc(record, names[:len(record)], func(cell, name string) bool {
		visible := strings.Map(func(c rune) rune {
			if unicode.Is(unicode.Cf, c) {
				return -1
			}
			return c
		}, cell)
		return strings.EqualFold(strings.TrimSpace(visible), name)
	})
}

// brokenCSV names the line as the field: the console translates by code and field, and
// must show which of thousands of lines is wrong.
func brokenCSV(err error) error {
	where := "line 1"
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		where = "line " + strconv.Itoa(parse.Line)
	}
	return apierr.Invalid(where, "The file is not correct CSV: look at the quotation marks on "+where+".")
}
