package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// pack makes a small PNG of a screenshot: the colors that pages mostly consist of,
// and for the rest, which is the edges of letters, the nearest of these.
func pack(screenshot []byte) ([]byte, error) {
	picture, err := png.Decode(bytes.NewReader(screenshot))
	if err != nil {
		return nil, fmt.Errorf("read screenshot: %w", err)
	}
	bounds := picture.Bounds()
	used := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			used[colorAt(picture, x, y)]++
		}
	}
	byUse := make([]color.RGBA, 0, len(used))
	for c := range used {
		byUse = append(byUse, c)
	}
	slices.SortFunc(byUse, func(a, b color.RGBA) int {
		if used[a] != used[b] {
			return used[b] - used[a]
		}
		// Any order will do, but always the same.
		return bytes.Compare([]byte{a.R, a.G, a.B}, []byte{b.R, b.G, b.B})
	})
	palette := color.Palette{}
	for _, c := range byUse[:min(len(byUse), 256)] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	small := image.NewPaletted(bounds, palette)
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := colorAt(picture, x, y)
			index, known := nearest[c]
			if !known {
				index = uint8(palette.Index(c)) //nolint:gosec // a palette has at most 256
				nearest[c] = index
			}
			small.SetColorIndex(x, y, index)
		}
	}
	var packed bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&packed, small); err != nil {
		return nil, fmt.Errorf("write picture: %w", err)
	}
	return packed.Bytes(), nil
}

// colorAt returns a color of a page, which nothing shines through.
func colorAt(picture image.Image, x, y int) color.RGBA {
	r, g, b, _ := picture.At(x, y).RGBA()
	return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 0xff} //nolint:gosec // 16 bits become 8
}
