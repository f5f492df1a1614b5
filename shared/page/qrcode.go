package page

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// qrCode is a QR code as the data of one SVG path, in units of one module.
type qrCode struct {
	Size int // modules on a side, with the quiet zone
	Path string
}

// quietZone is the width of the light border, in modules (ISO/IEC 18004).
const quietZone = 4

// newQRCode makes the QR code of a link. It fails if the link is too long.
func newQRCode(link string) (qrCode, error) {
	code, err := qr.Encode(link, qr.M)
	if err != nil {
		// A lower level of error correction has room for more.
		code, err = qr.Encode(link, qr.L)
	}
	if err != nil {
		return qrCode{}, fmt.Errorf("draw QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			// One rectangle per run of dark modules saves two thirds of the bytes.
			begin := x
			for x+1 < code.Size && code.Black(x+1, y) {
				x++
			}
			length := x - begin + 1
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", begin+quietZone, y+quietZone, length, length)
		}
	}
	return qrCode{Size: code.Size + 2*quietZone, Path: path.String()}, nil
}
