// Pictures drawn on the fly: avatars and QR codes, as SVG.

package page

import (
	"fmt"
	"hash/fnv"
	"html"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"rsc.io/qr"
)

// DefaultAvatar is the path of the picture of a person without one.
const DefaultAvatar = "/wecomsim/avatar"

// Avatar returns the path of a picture with the initials of name.
func Avatar(name string) string { return DefaultAvatar + "?name=" + url.QueryEscape(name) }

func avatar(w http.ResponseWriter, r *http.Request) {
	color, drawing := "#b9c1cc", `<g fill="#fff"><circle cx="48" cy="38" r="16"/><path d="M16 84c4-20 18-26 32-26s28 6 32 26z"/></g>`
	if name := strings.TrimSpace(strings.ToValidUTF8(r.URL.Query().Get("name"), "")); name != "" {
		palette := []string{"#2f7cf6", "#12a67c", "#e2762b", "#8a5cf0", "#d9487d", "#0f8fae"}
		hash := fnv.New32a()
		_, _ = io.WriteString(hash, name)
		color = palette[hash.Sum32()%6]
		drawing = `<text x="48" y="60" font-family="sans-serif" font-size="34" text-anchor="middle" fill="#fff">` + html.EscapeString(initials(name)) + `</text>`
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96"><rect width="96" height="96" rx="16" fill="`+color+`"/>`+drawing+`</svg>`)
}

// initials are the last two characters of a Chinese name, or the first letter
// of another.
func initials(name string) string {
	letters := []rune(name)
	if unicode.Is(unicode.Han, letters[len(letters)-1]) {
		return string(letters[max(0, len(letters)-2):])
	}
	return string(unicode.ToUpper(letters[0]))
}

// QRCode draws text as an inline picture; a text that is too long gives none.
func QRCode(text string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return ""
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	// Numbers and fixed letters only: nothing of text is in the markup.
	return template.HTML(fmt.Sprintf(`<svg class="qr" role="img" aria-label="QR" viewBox="0 0 %d %[1]d" shape-rendering="crispEdges">`+ //nolint:gosec // See above.
		`<path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="%s"/></svg>`, code.Size+8, path.String()))
}
