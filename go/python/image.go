package python

// #include "core.h"
import "C"

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"reflect"
	"sync"
)

// imageType is the interface that images have in Go.
var imageType = reflect.TypeFor[image.Image]()

// imageTypes are those whose pixels a result can be copied into.
var imageTypes = map[reflect.Type]bool{
	reflect.TypeFor[image.Gray](): true, reflect.TypeFor[image.Gray16](): true, reflect.TypeFor[image.RGBA](): true, reflect.TypeFor[image.NRGBA](): true,
	reflect.TypeFor[image.RGBA64](): true, reflect.TypeFor[image.NRGBA64](): true, reflect.TypeFor[image.CMYK](): true, reflect.TypeFor[image.YCbCr](): true,
}

// pictures tells of types that have the methods of an image whether they are one.
var pictures sync.Map // of reflect.Type to bool

// isPicture tells whether a type with the methods of an image is one. A rectangle has them too, and what embeds it.
func isPicture(t reflect.Type) bool {
	if known, ok := pictures.Load(t); ok {
		return known.(bool)
	}
	is := !hasRectangle(t, 0)
	pictures.Store(t, is)
	return is
}

func hasRectangle(t reflect.Type, depth int) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[image.Rectangle]() {
		return true
	}
	if t.Kind() != reflect.Struct || depth > 10 {
		return false
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous && hasRectangle(f.Type, depth+1) {
			return true
		}
	}
	return false
}

// addImage describes an image as an array of its pixels: over their memory where that is what the table of the package
// says, else of a copy.
func (f *frame) addImage(img image.Image) error {
	if v := reflect.ValueOf(img); v.Kind() == reflect.Pointer && v.IsNil() {
		f.add(C.SNAKE_KIND_NONE, 0, 0, 0)
		return nil
	}
	lent, err := pixelsOf(img)
	if err == nil {
		err = lent.err
	}
	if err == nil {
		f.lend(lent)
	}
	return err
}

func pixelsOf(img image.Image) (Lent, error) {
	switch v := img.(type) {
	case *image.Gray:
		return lendPixels(v.Pix, v.Rect, v.Stride, 1), nil
	case *image.Alpha:
		return lendPixels(v.Pix, v.Rect, v.Stride, 1), nil
	case *image.RGBA:
		return lendPixels(v.Pix, v.Rect, v.Stride, 4), nil
	case *image.NRGBA:
		return lendPixels(v.Pix, v.Rect, v.Stride, 4), nil
	case *image.CMYK:
		return lendPixels(v.Pix, v.Rect, v.Stride, 4), nil
	case *image.Gray16:
		return wide(v.Pix, v.Rect, v.Stride, 1), nil
	case *image.Alpha16:
		return wide(v.Pix, v.Rect, v.Stride, 1), nil
	case *image.RGBA64:
		return wide(v.Pix, v.Rect, v.Stride, 4), nil
	case *image.NRGBA64:
		return wide(v.Pix, v.Rect, v.Stride, 4), nil
	case *image.YCbCr:
		return copyPixels(v.Rect, 3, func(x, y int, out []uint8) {
			c := v.YCbCrAt(x, y)
			out[0], out[1], out[2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		}), nil
	case *image.NYCbCrA:
		return copyPixels(v.Rect, 4, func(x, y int, out []uint8) {
			c := v.NYCbCrAAt(x, y)
			out[0], out[1], out[2] = color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			out[3] = c.A
		}), nil
	case *image.Paletted:
		return lookUp(v)
	case *image.Uniform:
		return Lent{}, errors.New("a Go *image.Uniform has no size: draw it into an image.NRGBA of the size that you want")
	}
	r := img.Bounds()
	const most = 1 << 28
	if width, height := uint64(r.Dx()), uint64(r.Dy()); !r.Empty() && (width > most || height > most || width*height > most) { //nolint:gosec // not negative
		return Lent{}, fmt.Errorf("%w: a Go %T has %d × %d pixels: draw the part that you want into an image.RGBA64", ErrLimit, img, r.Dx(), r.Dy())
	}
	var failed error
	lent := copyPixels(r, 4, func(x, y int, out []uint16) {
		c := img.At(x, y)
		if c == nil {
			failed = fmt.Errorf("a Go %T has no colour at (%d, %d): an image.Image has one at each place of its bounds", img, x, y)
			return
		}
		red, green, blue, alpha := c.RGBA()
		out[0], out[1], out[2], out[3] = uint16(red), uint16(green), uint16(blue), uint16(alpha) //nolint:gosec // at most 0xffff
	})
	return lent, failed
}

// lendPixels lends the pixels of an image as an array of rows, columns and, if there is more than one, channels.
func lendPixels(pixels []byte, r image.Rectangle, stride, channels int) Lent {
	shape, strides := []int{r.Dy(), r.Dx()}, []int{stride, channels}
	if channels > 1 {
		shape, strides = append(shape, channels), append(strides, 1)
	}
	return Lend(pixels).Strided(shape, strides)
}

// copyPixels makes such an array; `pixel` says what is at a place.
func copyPixels[T Number](r image.Rectangle, channels int, pixel func(x, y int, out []T)) Lent {
	shape := []int{r.Dy(), r.Dx()}
	if channels > 1 {
		shape = append(shape, channels)
	}
	data := make([]T, r.Dx()*r.Dy()*channels)
	rest := data
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			pixel(x, y, rest[:channels:channels])
			rest = rest[channels:]
		}
	}
	return Lend(data).Reshape(shape...)
}

// wide copies pixels of 16 bits, which are big-endian in Go.
func wide(pixels []byte, r image.Rectangle, stride, channels int) Lent {
	return copyPixels(r, channels, func(x, y int, out []uint16) {
		at := pixels[(y-r.Min.Y)*stride+(x-r.Min.X)*2*channels:]
		for i := range out {
			out[i] = uint16(at[2*i])<<8 | uint16(at[2*i+1])
		}
	})
}

// lookUp makes an array of the colours of an image with a palette: of 8 bits, not multiplied by the alpha, if that is exact
// for all of them; else as it does for any other image.
func lookUp(v *image.Paletted) (Lent, error) {
	for y := v.Rect.Min.Y; y < v.Rect.Max.Y; y++ {
		for x := v.Rect.Min.X; x < v.Rect.Max.X; x++ {
			if index := v.ColorIndexAt(x, y); int(index) >= len(v.Palette) || v.Palette[index] == nil {
				return Lent{}, fmt.Errorf("a Go *image.Paletted has the colour %d at (%d, %d), but its palette has %d colours", index, x, y, len(v.Palette))
			}
		}
	}
	colours, isExact := make([]color.NRGBA, len(v.Palette)), true
	for i, c := range v.Palette {
		if c == nil {
			continue
		}
		colours[i] = color.NRGBAModel.Convert(c).(color.NRGBA)
		r, g, b, a := c.RGBA()
		r8, g8, b8, a8 := colours[i].RGBA()
		isExact = isExact && r == r8 && g == g8 && b == b8 && a == a8
	}
	if !isExact {
		return copyPixels(v.Rect, 4, func(x, y int, out []uint16) {
			r, g, b, a := v.At(x, y).RGBA()
			out[0], out[1], out[2], out[3] = uint16(r), uint16(g), uint16(b), uint16(a) //nolint:gosec // at most 0xffff
		}), nil
	}
	return copyPixels(v.Rect, 4, func(x, y int, out []uint8) {
		c := colours[v.ColorIndexAt(x, y)]
		out[0], out[1], out[2], out[3] = c.R, c.G, c.B, c.A
	}), nil
}

// pixels are an image on its way from Python.
type pixels struct {
	form          string // as gophersnake.values has it; empty for an array, which says no more than its shape
	width, height int
	channels      int
	narrow        []uint8 // one of the two
	wide          []uint16
	what          string // for messages
}

// readPixels reads an image of Pillow, or an array of rows, columns and perhaps channels.
func (s *results) readPixels(target any) (*pixels, error) {
	p := &pixels{what: s.kind(s.peek())}
	v := s.peek()
	switch v.kind {
	case C.SNAKE_KIND_IMAGE:
		s.take()
		p.form = s.text(s.take())
	case C.SNAKE_KIND_ND_ARRAY:
	default:
		return nil, s.mismatch(reflect.TypeOf(target).Elem(), v)
	}
	v = s.take()
	shape := s.shape(v)
	if len(shape) != 2 && (len(shape) != 3 || shape[2] > 4) {
		return nil, p.mismatch(target)
	}
	p.height, p.width, p.channels = shape[0], shape[1], 1
	if len(shape) == 3 {
		p.channels = shape[2]
	}
	var err error
	switch dtype(v.dtype) {
	case C.SNAKE_DTYPE_UINT8:
		p.narrow, err = copyFlat[uint8](s, v, shape)
	case C.SNAKE_DTYPE_UINT16:
		p.wide, err = copyFlat[uint16](s, v, shape)
	default:
		err = p.mismatch(target)
	}
	return p, err
}

// readImage reads an image into one of [imageTypes] or an image.Image.
func (s *results) readImage(target any) error {
	t, isInterface := target.(*image.Image)
	if kind := s.peek().kind; isInterface && kind != C.SNAKE_KIND_IMAGE && kind != C.SNAKE_KIND_ND_ARRAY {
		return s.reflected(reflect.ValueOf(t).Elem())
	}
	p, err := s.readPixels(target)
	if err != nil {
		return err
	}
	if !isInterface {
		return p.into(target)
	}
	if *t = p.natural(); *t == nil {
		return p.mismatch(target)
	}
	return nil
}

// naturalImage takes an image of Pillow as the type of Go that holds its pixels exactly.
func (s *results) naturalImage() (any, error) {
	p, err := s.readPixels((*image.Image)(nil))
	if err != nil {
		return nil, err
	}
	return p.natural(), nil
}

func (p *pixels) rect() image.Rectangle { return image.Rect(0, 0, p.width, p.height) }

func (p *pixels) mismatch(target any) error {
	t := reflect.TypeOf(target).Elem()
	if p.form != "" {
		return fmt.Errorf("want %v, got %s: ask for image.Image", t, p.what)
	}
	shape, element := "(height, width, 4)", "uint8"
	switch target.(type) {
	case *image.Gray, *image.Gray16:
		shape = "(height, width)"
	case *image.Image:
		shape = "(height, width), (height, width, 3) or (height, width, 4)"
	}
	switch target.(type) {
	case *image.YCbCr:
		return fmt.Errorf("want %v, which only an image of Pillow becomes, got %s", t, p.what)
	case *image.Gray16, *image.RGBA64, *image.NRGBA64:
		element = "uint16"
	}
	return fmt.Errorf("want %v from an array of shape %s, got %s: its dtype has to be %s", t, shape, p.what, element)
}

// is tells whether the pixels have a form, or are an array that may be taken for it.
func (p *pixels) is(form string, channels int, isWide bool) bool {
	return (p.form == form || p.form == "") && p.channels == channels && (p.wide != nil) == isWide
}

// natural returns the image of the type that needs no conversion: the array of a form that is not known has no alpha
// in its colours, as is the habit in Python.
func (p *pixels) natural() image.Image {
	var img image.Image
	if p.is("", 3, false) && p.form == "" {
		p.form = "rgb"
	}
	switch {
	case p.is("gray", 1, false):
		img = new(image.Gray)
	case p.is("gray16", 1, true):
		img = new(image.Gray16)
	case p.is("rgb", 3, false), p.is("rgba", 4, false) && p.form != "":
		img = new(image.RGBA)
	case p.is("nrgba", 4, false):
		img = new(image.NRGBA)
	case p.is("nrgba64", 4, true):
		img = new(image.NRGBA64)
	case p.is("cmyk", 4, false):
		img = new(image.CMYK)
	case p.is("ycbcr", 3, false):
		img = new(image.YCbCr)
	default:
		return nil
	}
	if p.into(img) != nil {
		return nil
	}
	return img
}

// into makes the pixels those of an image, exactly.
func (p *pixels) into(target any) error {
	r := p.rect()
	switch t := target.(type) {
	case *image.Gray:
		if p.is("gray", 1, false) {
			*t = image.Gray{Pix: p.narrow, Stride: p.width, Rect: r}
			return nil
		}
	case *image.Gray16:
		switch {
		case p.is("gray16", 1, true):
			*t = image.Gray16{Pix: bigEndian(p.wide), Stride: 2 * p.width, Rect: r}
			return nil
		case p.form == "gray":
			pix := make([]byte, 0, 2*len(p.narrow))
			for _, gray := range p.narrow {
				pix = append(pix, gray, gray)
			}
			*t = image.Gray16{Pix: pix, Stride: 2 * p.width, Rect: r}
			return nil
		}
	case *image.RGBA:
		pix, err := p.multiplied()
		if err != nil {
			return err
		}
		if pix != nil {
			*t = image.RGBA{Pix: pix, Stride: 4 * p.width, Rect: r}
			return nil
		}
	case *image.NRGBA:
		pix, err := p.divided()
		if err != nil {
			return err
		}
		if pix != nil {
			*t = image.NRGBA{Pix: pix, Stride: 4 * p.width, Rect: r}
			return nil
		}
	case *image.RGBA64:
		if p.form == "" && p.is("", 4, true) {
			*t = image.RGBA64{Pix: bigEndian(p.wide), Stride: 8 * p.width, Rect: r}
			return nil
		}
	case *image.NRGBA64:
		if p.is("nrgba64", 4, true) {
			*t = image.NRGBA64{Pix: bigEndian(p.wide), Stride: 8 * p.width, Rect: r}
			return nil
		}
	case *image.CMYK:
		if p.is("cmyk", 4, false) {
			*t = image.CMYK{Pix: p.narrow, Stride: 4 * p.width, Rect: r}
			return nil
		}
	case *image.YCbCr:
		if p.form == "ycbcr" {
			*t = *image.NewYCbCr(r, image.YCbCrSubsampleRatio444)
			for i := range p.width * p.height {
				t.Y[i], t.Cb[i], t.Cr[i] = p.narrow[3*i], p.narrow[3*i+1], p.narrow[3*i+2]
			}
			return nil
		}
	}
	return p.mismatch(target)
}

// opaque returns four channels of gray or of three channels; nil if the pixels are none of that.
func (p *pixels) opaque() []uint8 {
	if p.form != "gray" && p.form != "rgb" {
		return nil
	}
	out := make([]uint8, 0, 4*p.width*p.height)
	for i := range p.width * p.height {
		if p.channels == 1 {
			out = append(out, p.narrow[i], p.narrow[i], p.narrow[i], 0xff)
		} else {
			out = append(append(out, p.narrow[3*i:3*i+3]...), 0xff)
		}
	}
	return out
}

// multiplied returns colours that are multiplied by the alpha. An array of four channels is taken as it is.
func (p *pixels) multiplied() ([]uint8, error) {
	if p.is("rgba", 4, false) {
		return p.narrow, nil
	}
	if p.form != "nrgba" {
		return p.opaque(), nil
	}
	for i := 0; i < len(p.narrow); i += 4 {
		c, alpha := p.narrow[i:i+3], p.narrow[i+3]
		for n := range c {
			product := int(c[n]) * int(alpha)
			if product%0xff != 0 || alpha == 0 && c[n] != 0 {
				return nil, p.inexact("image.RGBA", "multiplied by the alpha", "*image.NRGBA", i)
			}
			c[n] = uint8(product / 0xff) //nolint:gosec // at most 0xff
		}
	}
	return p.narrow, nil
}

// divided returns colours that are not multiplied by the alpha. An array of four channels is taken as it is.
func (p *pixels) divided() ([]uint8, error) {
	if p.is("nrgba", 4, false) {
		return p.narrow, nil
	}
	if p.form != "rgba" {
		return p.opaque(), nil
	}
	for i := 0; i < len(p.narrow); i += 4 {
		c, alpha := p.narrow[i:i+3], p.narrow[i+3]
		for n := range c {
			if alpha == 0xff || alpha == 0 && c[n] == 0 {
				continue
			}
			product := int(c[n]) * 0xff
			if alpha == 0 || product%int(alpha) != 0 || product/int(alpha) > 0xff {
				return nil, p.inexact("image.NRGBA", "not multiplied by the alpha", "*image.RGBA", i)
			}
			c[n] = uint8(product / int(alpha)) //nolint:gosec // at most 0xff
		}
	}
	return p.narrow, nil
}

func (p *pixels) inexact(want, how, instead string, at int) error {
	at /= 4
	return fmt.Errorf("want %s, whose colours are %s, which the pixel at (%d, %d) of an %s is not exactly: ask for %s or image.Image",
		want, how, at%p.width, at/p.width, p.what, instead)
}

func bigEndian(values []uint16) []byte {
	out := make([]byte, 0, 2*len(values))
	for _, v := range values {
		out = append(out, byte(v>>8), byte(v)) //nolint:gosec // the low byte
	}
	return out
}
