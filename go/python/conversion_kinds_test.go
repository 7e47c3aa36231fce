package python

import (
	"image"
	"image/color"
	"math/big"
	"strings"
	"testing"
	"time"
)

// The tests of this file take what other libraries have of a kind that there is: their integers, fractions, arrays without a
// dimension, rows and images. Classes of our own behave likewise.

func TestResultNumbersOfLibraries(t *testing.T) {
	checkConversions(t, []conversion{
		gives("Whole(5)", 5), gives("Whole(-2**70)", new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 70))), gives("Whole(5)", 5.0), gives[any]("Whole(5)", 5), gives("[Whole(1), 2]", []int{1, 2}), gives("Whole(True)", 1), gives("Whole(3)", big.NewRat(3, 1)),
		refuses[int8]("Whole(300)", "result: 300 does not fit int8"), refuses[string]("Whole(5)", "result: want string, got int"), refuses[int]("Whole('x')", "result: want int, got oracle.Whole"), refuses[int]("Whole", "result: want int, got type"), gives("Whole(5)", struct {
			Value int `py:"value"`
		}{5}),

		gives("fractions.Fraction(1, 3)", big.NewRat(1, 3)), gives("fractions.Fraction(-7)", big.NewRat(-7, 1)), gives[any]("fractions.Fraction(1, 3)", big.NewRat(1, 3)), gives("[fractions.Fraction(2, 4)]", []*big.Rat{big.NewRat(1, 2)}), gives("Ratio()", big.NewRat(-3, 2)),
		gives("fractions.Fraction(1, 2**5000)", new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 5000))), gives("{'a': fractions.Fraction(1, 3), 'b': 1}", map[string]any{"a": big.NewRat(1, 3), "b": 1}), gives("{'r': fractions.Fraction(1, 3), 'x': 1, 'y': 2}", pointRecord{1, 2}, AllowUnknown),
		refuses[int]("fractions.Fraction(1)", "result: want int, got fractions.Fraction"), refuses[float64]("fractions.Fraction(1, 2)", "result: want float64, got fractions.Fraction"), refuses[string]("fractions.Fraction(1, 2)", "result: want string, got fractions.Fraction"),
		gives("fractions.Fraction(1, 3)", struct {
			N int `py:"numerator"`
			D int `py:"denominator"`
		}{1, 3}),

		// Arrays of other libraries without a dimension are the number that they are, exactly.
		gives("Foreign(np.float32(1.5))", 1.5), gives("Foreign(5)", 5), gives("Foreign(True)", true), gives("Foreign(1j)", 1i), gives[any]("Foreign(np.int8(5))", 5), gives("Foreign([[1.5], [2.5]])", [][]float64{{1.5}, {2.5}}), gives("Foreign('x')", "x"), gives("OnDevice(2.5)", 2.5), gives("OnDevice([1, 2])", []int{1, 2}),
		gives("Foreign(np.datetime64('2024', 's'))", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)), gives[*float64]("Foreign(np.ma.array(1.5, mask=True))", nil), refuses[*float64]("Foreign(np.ma.masked)", "…numpy.ma"),
		refuses[int]("Foreign(1.5)", "result: want int, got float"), refuses[float64]("Foreign(1.5, units='km')", "result: want float64, got oracle.Foreign with a unit"), refuses[float64]("Foreign(1.5, dtype=np.dtype('int8'))", "result: want float64, got oracle.Foreign"), refuses[float64]("OnDevice('x')", "result: want float64, got oracle.OnDevice"),
		refuses[float64]("Foreign(1.5, shape=(1,))", "…Foreign"), refuses[float64]("Foreign(1.5, shape=None)", "result: want float64, got oracle.Foreign"), gives("Foreign(1.5, units='km')", struct {
			Units string `py:"units"`
		}{"km"}),
	})
}

func TestResultArrayKinds(t *testing.T) {
	day := func(d int) *time.Time { return pointer(time.Date(2024, 1, d, 0, 0, 0, 0, time.UTC)) }
	type row struct {
		A int    `py:"a"`
		B string `py:"b"`
	}
	record := "np.rec.array([(1, 'x'), (2, 'y')], dtype=[('a', 'i8'), ('b', 'U1')])"
	checkConversions(t, []conversion{
		// Texts of variable length.
		gives("np.array(['a', 'bb'], np.dtypes.StringDType())", []string{"a", "bb"}), gives("np.array([['a'], ['é']], np.dtypes.StringDType())", [][]string{{"a"}, {"é"}}), gives[any]("np.array(['a'], np.dtypes.StringDType())", []any{"a"}), gives("np.array('a', np.dtypes.StringDType())", "a"), gives("np.array([], np.dtypes.StringDType())", []string{}),
		gives("np.array(['a', None], np.dtypes.StringDType(na_object=None))", []*string{pointer("a"), nil}), gives("np.array(['a', np.nan], np.dtypes.StringDType(na_object=np.nan))", []*string{pointer("a"), nil}), gives("np.array(['a', 'x'], np.dtypes.StringDType(na_object='x'))", []string{"a", "x"}),
		gives("np.array(['a', None], np.dtypes.StringDType(na_object=None))", Masked[string]{[]string{"a", ""}, []bool{false, true}}), refuses[[]string]("np.array(['a', None], np.dtypes.StringDType(na_object=None))", "result[1]: want string, got None"), refuses[[]int]("np.array(['1'], np.dtypes.StringDType())", "result[0]: want int, got str"),

		// Record arrays are structured ones.
		gives(record, []row{{1, "x"}, {2, "y"}}), gives(record, map[string]any{"a": []int64{1, 2}, "b": []any{"x", "y"}}), gives(record+"[0]", row{1, "x"}), gives(record+"['a']", []int{1, 2}), refuses[[]float64]("np.array([1.5, 2.5]).view(np.recarray)", "…numpy.rec.recarray of dtype float64"), gives(record+".reshape(2, 1)", [][]row{{{1, "x"}}, {{2, "y"}}}),
		gives("np.array([[(1, 'x')]], [('a', 'i8'), ('b', 'U1')])", [][]row{{{1, "x"}}}), refuses[any]("np.array([[(1, 'x')]], [('a', 'i8'), ('b', 'U1')])", "…and shape (1, 1)"), gives("np.ma.array([(1, 'x'), (2, 'y')], mask=[(False, True), (False, False)], dtype=[('a', 'i8'), ('b', 'U1')])", []struct {
			A *int    `py:"a"`
			B *string `py:"b"`
		}{{pointer(1), nil}, {pointer(2), pointer("y")}}), gives("np.ma.array([(1, 'x')], mask=[(False, True)], dtype=[('a', 'i8'), ('b', 'U1')])[0]", struct {
			A *int    `py:"a"`
			B *string `py:"b"`
		}{pointer(1), nil}),

		// Masked arrays of any rank, of numbers, times, texts and objects.
		gives("np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=[[0, 1], [0, 0]])", [][]*float64{{pointer(1.0), nil}, {pointer(3.0), pointer(4.0)}}), gives("np.ma.array(np.arange(8).reshape(2, 2, 2), mask=np.arange(8).reshape(2, 2, 2) == 5)", [][][]*int{{{pointer(0), pointer(1)}, {pointer(2), pointer(3)}}, {{pointer(4), nil}, {pointer(6), pointer(7)}}}),
		gives("np.ma.array([[1, 2]], mask=[[0, 1]], dtype='>i2')", [][]any{{int16(1), nil}}), gives("np.ma.array(np.zeros((2, 0)))", [][]*float64{{}, {}}), gives("np.ma.array([[1.0, 2.0]], mask=[[0, 1]])", [][2]*float64{{pointer(1.0), nil}}),
		gives("np.ma.array(np.array(['2024-01-01', '2024-01-02'], 'M8[s]'), mask=[0, 1])", []*time.Time{day(1), nil}), gives("np.ma.array(np.array([['2024-01-01', 'NaT']], 'M8[D]'), mask=[[0, 0]])", [][]*time.Time{{day(1), nil}}), gives("np.ma.array(np.array([1, 'NaT', 2], 'm8[s]'), mask=[0, 0, 1])", Masked[time.Duration]{[]time.Duration{time.Second, 0, 0}, []bool{false, true, true}}),
		gives("np.ma.array(['a', 'b'], mask=[0, 1])", []*string{pointer("a"), nil}), gives("np.ma.array([['a', 'b']], mask=[[0, 1]])", [][]*string{{pointer("a"), nil}}), gives("np.ma.array(['a', None], mask=[0, 1], dtype=object)", []*string{pointer("a"), nil}), gives("np.ma.array([b'a', b'b'], mask=[0, 1])", []*[]byte{pointer([]byte("a")), nil}), gives("np.ma.array(['a', 'b'], mask=[0, 1])", Masked[string]{[]string{"a", ""}, []bool{false, true}}),
		gives("np.ma.array([1, 2], mask=[0, 1])", Masked[int]{[]int{1, 2}, []bool{false, true}}), gives("[1.5, None]", Masked[float64]{[]float64{1.5, 0}, []bool{false, true}}), gives("np.ma.array(5)", pointer(5)), gives[*int]("np.ma.array(5, mask=True)", nil),
		refuses[[]time.Time]("np.ma.array(np.array(['2024-01-01'], 'M8[s]'), mask=[1])", "result: want []time.Time, got masked array of datetime64: ask for []*time.Time or python.Masked to see which values are missing"), refuses[[][]float64]("np.ma.array([[1.0]], mask=[[1]])", "result: want [][]float64, got masked array of float64 and shape (1, 1): ask for [][]*float64 or python.Masked to see which values are missing"),
		refuses[[]string]("np.ma.array(['a', 'b'], mask=[0, 1])", "result[1]: want string, got None"), refuses[Masked[float64]]("np.ma.array([[1.0]], mask=[[1]])", "result: want python.Masked[float64], got masked array of float64 and shape (1, 1): ask for [][]*float64"), refuses[[]*float64]("np.ma.array([[1.0]], mask=[[1]])", "…got masked array of float64 and shape (1, 1)"),
		refuses[[]*int]("np.ma.array([1.0], mask=[0])", "result: want []*int, got array of float64"),

		// Times of any rank, and those that are none.
		gives[*time.Time]("np.datetime64('NaT')", nil), gives[*time.Time]("np.datetime64('NaT', 's')", nil), gives[*time.Duration]("np.timedelta64('NaT')", nil), gives("[np.datetime64('2024-01-01'), np.datetime64('NaT')]", []*time.Time{day(1), nil}), gives[any]("np.datetime64('NaT')", nil), gives("np.array(['NaT'], 'M8')", []*time.Time{nil}),
		gives[any]("np.array([['2024-01-01', '2024-01-02']], 'M8[s]')", [][]time.Time{{*day(1), *day(2)}}), gives[any]("np.array([['2024-01-01', 'NaT']], 'M8[s]')", [][]*time.Time{{day(1), nil}}), gives[any]("np.array([[[1, 2]]], 'm8[s]')", [][][]time.Duration{{{time.Second, 2 * time.Second}}}), gives[any]("np.zeros((0, 2), 'M8[s]')", [][]time.Time{}),
		refuses[time.Time]("np.datetime64('NaT')", "result: want time.Time, got None"), refuses[time.Duration]("np.timedelta64(5)", "result: want time.Duration, got numpy.timedelta64"),

		// Integers with a gap are floats: the error names the cell, and what is in it.
		refuses[[]*int]("np.array([1.0, np.nan])", "…result[1]: want *int, got NaN in an array of float64: "), refuses[[]*int8]("np.array([1.0, np.nan], 'f2')", "…result[1]: want *int8, got NaN in an array of float16: "), refuses[[]*int]("np.array([1.0])", "result: want []*int, got array of float64"), refuses[[]struct {
			N *int `py:"n"`
		}]("np.array([(1.0,), (np.nan,)], [('n', 'f8')])", `…result["n"][1]: want *int, got NaN in an array of float64: `), refuses[[]*int8]("np.array([1, 300])", "result[1]: 300 does not fit int8 exactly"),

		gives("np.array(fractions.Fraction(1, 3), object)", big.NewRat(1, 3)),
	})
}

func TestResultRows(t *testing.T) {
	type row struct {
		A int    `py:"a"`
		B string `py:"b"`
	}
	want, asMap := row{1, "x"}, map[string]any{"a": 1, "b": "x"}
	var rows []conversion
	for _, source := range []string{"row()", "NamedRow(('a', 'b'), (1, 'x'))", "Struct(1, 'x')"} {
		rows = append(rows, gives(source, want), gives(source, asMap), gives[any](source, asMap), gives("["+source+"]", []row{want}), gives("["+source+"]", []map[string]any{asMap}))
	}
	checkConversions(t, append(rows,
		// Rows are sequences too, and may have two columns of one name.
		gives("row()", []any{1, "x"}), gives("row('select 1, 2')", []int{1, 2}), gives("row()", [2]any{1, "x"}), gives("row('select 1 as a, 2 as a')", []int{1, 2}), refuses[map[string]int]("row('select 1 as a, 2 as a')", "result: two keys are equal in Go: \"a\""), refuses[any]("row('select 1 as a, 2 as a')", "result: two keys are equal in Go: \"a\""), refuses[row]("row('select 1 as a')", `…no value for its field "b"`),

		// Struct sequences by name, with what is no item of theirs; or by position.
		gives("os.terminal_size((80, 24))", struct {
			Columns int `py:"columns"`
			Lines   int `py:"lines"`
		}{80, 24}), gives("os.terminal_size((80, 24))", map[string]int{"columns": 80, "lines": 24}), gives("os.terminal_size((80, 24))", []int{80, 24}), gives("os.terminal_size((80, 24))", [2]int{80, 24}), gives("os.terminal_size((80, 24))", struct{ X, Y int }{80, 24}), gives[any]("os.terminal_size((80, 24))", Tuple{80, 24}),
		gives("os.stat_result(range(10), {'st_mtime_ns': 5})", struct {
			Size int `py:"st_size"`
			Time int `py:"st_mtime_ns"`
		}{6, 5}), gives("time.gmtime(0)", struct {
			Year   int `py:"tm_year"`
			Offset int `py:"tm_gmtoff"`
		}{1970, 0}),

		// What makes items of its own kind again and again is named, with its place.
		refuses[any]("Alike()", "…oracle.Alike nests deeper than 100 levels, or contains itself"), refuses[any]("{'col': [Alike()]}", `…["col"]: oracle.Alike nests deeper than 100 levels, or contains itself`), refuses[[]string]("collections.UserString('ab')", "…collections.UserString"), refuses[map[string]any]("{'a': {'b': collections.UserString('x')}}", `…["a"]["b"]: collections.UserString nests`),
		gives("Plain(x=1, y=2, __iter__=3)", pointRecord{1, 2}),
	))
}

func TestResultPillow(t *testing.T) {
	gray := func(pix ...byte) *image.Gray {
		return &image.Gray{Pix: pix, Stride: len(pix), Rect: image.Rect(0, 0, len(pix), 1)}
	}
	rgba := func(pix ...byte) *image.RGBA {
		return &image.RGBA{Pix: pix, Stride: len(pix), Rect: image.Rect(0, 0, len(pix)/4, 1)}
	}
	nrgba := func(pix ...byte) *image.NRGBA {
		return &image.NRGBA{Pix: pix, Stride: len(pix), Rect: image.Rect(0, 0, len(pix)/4, 1)}
	}
	ycbcr := image.NewYCbCr(image.Rect(0, 0, 2, 1), image.YCbCrSubsampleRatio444)
	copy(ycbcr.Y, []byte{1, 4})
	copy(ycbcr.Cb, []byte{2, 5})
	copy(ycbcr.Cr, []byte{3, 6})
	cmyk := &image.CMYK{Pix: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Stride: 8, Rect: image.Rect(0, 0, 2, 1)}
	gray16 := &image.Gray16{Pix: []byte{2, 1, 4, 3}, Stride: 4, Rect: image.Rect(0, 0, 2, 1)}
	checkConversions(t, []conversion{
		gives("picture('L', [1, 2])", gray(1, 2)), gives[image.Image]("picture('L', [1, 2])", gray(1, 2)), gives[any]("picture('L', [1, 2])", gray(1, 2)), gives("picture('L', [1, 2])", rgba(1, 1, 1, 255, 2, 2, 2, 255)), gives("picture('L', [1, 2])", nrgba(1, 1, 1, 255, 2, 2, 2, 255)), gives("picture('L', [1, 2])", *gray(1, 2)), gives("[picture('L', [1, 2]), None]", []image.Image{gray(1, 2), nil}),
		gives("picture('1', [0x80])", gray(255, 0)), gives[image.Image]("picture('RGB', [1, 2, 3, 4, 5, 6])", rgba(1, 2, 3, 255, 4, 5, 6, 255)), gives("picture('RGB', [1, 2, 3, 4, 5, 6])", rgba(1, 2, 3, 255, 4, 5, 6, 255)), gives("picture('RGBX', [1, 2, 3, 9, 4, 5, 6, 9])", rgba(1, 2, 3, 255, 4, 5, 6, 255)), gives[image.Image]("picture('RGBA', [1, 2, 3, 4, 5, 6, 7, 8])", nrgba(1, 2, 3, 4, 5, 6, 7, 8)),
		gives("picture('RGBA', [1, 2, 3, 255, 255, 0, 255, 8])", rgba(1, 2, 3, 255, 8, 0, 8, 8)), gives("picture('RGBA', [0, 0, 0, 0, 5, 6, 7, 255])", rgba(0, 0, 0, 0, 5, 6, 7, 255)), gives("picture('RGBa', [1, 2, 3, 4, 5, 6, 7, 8])", rgba(1, 2, 3, 4, 5, 6, 7, 8)), gives("picture('RGBa', [1, 2, 3, 255, 8, 0, 8, 8])", nrgba(1, 2, 3, 255, 255, 0, 255, 8)),
		gives("picture('LA', [1, 2, 3, 4])", nrgba(1, 1, 1, 2, 3, 3, 3, 4)), gives("picture('CMYK', range(1, 9))", cmyk), gives[image.Image]("picture('CMYK', range(1, 9))", cmyk), gives("picture('YCbCr', range(1, 7))", ycbcr), gives[image.Image]("picture('YCbCr', range(1, 7))", ycbcr),
		gives("picture('I;16', [1, 2, 3, 4])", gray16), gives("picture('I;16B', [2, 1, 4, 3])", gray16), gives[image.Image]("picture('I;16', [1, 2, 3, 4])", gray16), gives("picture('L', [1, 2])", &image.Gray16{Pix: []byte{1, 1, 2, 2}, Stride: 4, Rect: image.Rect(0, 0, 2, 1)}),
		gives("with_palette([1, 0], [1, 2, 3, 4, 5, 6])", rgba(4, 5, 6, 255, 1, 2, 3, 255)), gives("with_palette([1, 0], [1, 2, 3, 4, 5, 6], transparency=1)", nrgba(4, 5, 6, 0, 1, 2, 3, 255)), gives("with_palette([1, 0], [1, 2, 3, 9, 4, 5, 6, 8], 'RGBA')", nrgba(4, 5, 6, 8, 1, 2, 3, 9)), gives("picture('RGB', [1, 2, 3, 4, 5, 6], transparency=(4, 5, 6))", nrgba(1, 2, 3, 255, 4, 5, 6, 0)),
		refuses[*image.RGBA]("picture('RGBA', [1, 2, 3, 255, 1, 2, 3, 128])", "result: want image.RGBA, whose colours are multiplied by the alpha, which the pixel at (1, 0) of an image of Pillow of kind nrgba is not exactly: ask for *image.NRGBA or image.Image"), refuses[*image.RGBA]("picture('RGBA', [1, 0, 0, 0, 0, 0, 0, 0])", "…(0, 0)"), refuses[*image.NRGBA]("picture('RGBa', [1, 0, 0, 3, 1, 0, 0, 2])", "…the pixel at (1, 0)"),
		refuses[*image.Gray]("picture('RGB', [1, 2, 3, 4, 5, 6])", "result: want image.Gray, got image of Pillow of kind rgb: ask for image.Image"), refuses[*image.RGBA]("picture('CMYK', range(8))", "…of kind cmyk"), refuses[*image.Gray]("picture('LA', [1, 2, 3, 4])", "…of kind nrgba"), refuses[image.Image]("picture('F', range(8))", "result: want image.Image, got image of Pillow in mode F"),
		refuses[any]("picture('I', range(8))", "…image of Pillow in mode I"), refuses[*image.Gray16]("picture('I;16', [1, 2, 3, 4], transparency=5)", "…in mode I;16 with a transparent colour"), refuses[image.Image]("5", "result: want image.Image, got int"), refuses[[]int]("picture('L', [1, 2])", "result: want []int, got image of Pillow of kind gray"),

		// Arrays of pixels.
		gives[image.Image]("np.array([[1, 2]], 'u1')", gray(1, 2)), gives[image.Image]("np.array([[[1, 2, 3], [4, 5, 6]]], 'u1')", rgba(1, 2, 3, 255, 4, 5, 6, 255)), gives[image.Image]("np.arange(8, dtype='u1').reshape(1, 2, 4)", nrgba(0, 1, 2, 3, 4, 5, 6, 7)), gives("np.arange(8, dtype='u1').reshape(1, 2, 4)", nrgba(0, 1, 2, 3, 4, 5, 6, 7)), gives("np.array([[0x201, 0x403]], 'u2')", gray16),
		refuses[image.Image]("np.zeros((1, 2, 2), 'u1')", "…want image.Image from an array of shape"), refuses[image.Image]("np.zeros((1, 2))", "…float64"), refuses[*image.YCbCr]("np.zeros((1, 2, 3), 'u1')", "…only an image of Pillow"),
	})
}

// checker is an image of our own.
type checker struct{ size int }

// ColorModel implements image.Image.
func (checker) ColorModel() color.Model { return color.NRGBA64Model }

// Bounds implements image.Image.
func (c checker) Bounds() image.Rectangle { return image.Rect(-1, 2, c.size-1, 3) }

// At implements image.Image.
func (checker) At(x, y int) color.Color {
	if x == 7 {
		return nil
	}
	return color.NRGBA64{0xffff, uint16(x + 1), uint16(y), 0x8000}
}

// Every image of Go is an array of its pixels in Python.
func TestArgumentImages(t *testing.T) {
	in := interpreter(t)
	r := image.Rect(0, 0, 2, 1)
	fill := func(pix []byte) {
		for i := range pix {
			pix[i] = byte(i + 1)
		}
	}
	alpha, gray16, alpha16, rgba64, nrgba64, cmyk := image.NewAlpha(r), image.NewGray16(r), image.NewAlpha16(r), image.NewRGBA64(r), image.NewNRGBA64(r), image.NewCMYK(r)
	for _, pix := range [][]byte{alpha.Pix, gray16.Pix, alpha16.Pix, rgba64.Pix, nrgba64.Pix, cmyk.Pix} {
		fill(pix)
	}
	big := image.NewGray16(image.Rect(-2, -3, 4, 5))
	big.SetGray16(1, 2, color.Gray16{0x1234})
	ycbcr := image.NewYCbCr(image.Rect(1, 1, 4, 4), image.YCbCrSubsampleRatio420)
	fill(ycbcr.Y)
	fill(ycbcr.Cb)
	ycbcrWant := make([]any, 0, 9)
	for y := 1; y < 4; y++ {
		for x := 1; x < 4; x++ {
			c := ycbcr.YCbCrAt(x, y)
			red, green, blue := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
			ycbcrWant = append(ycbcrWant, int(red), int(green), int(blue))
		}
	}
	nycbcra := image.NewNYCbCrA(r, image.YCbCrSubsampleRatio444)
	nycbcra.Y[0], nycbcra.Cb[0], nycbcra.Cr[0], nycbcra.A[0], nycbcra.Cb[1], nycbcra.Cr[1] = 255, 128, 128, 7, 128, 128
	paletted := &image.Paletted{Pix: []byte{1, 0}, Stride: 2, Rect: r, Palette: color.Palette{color.NRGBA{1, 2, 3, 4}, color.RGBA{5, 6, 7, 255}}}
	inexact := &image.Paletted{Pix: []byte{0, 0}, Stride: 2, Rect: r, Palette: color.Palette{color.RGBA{1, 1, 1, 2}}}
	type embedded struct {
		*image.Gray
		Name string
	}
	type box struct {
		image.Rectangle
		Label string
	}
	same, err := in.Func("oracle:same")
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	var flat []flatRow
	for _, row := range []struct {
		value any
		want  string
	}{
		{alpha, "np.array([[1, 2]], 'u1')"}, {gray16, "np.array([[0x102, 0x304]], 'u2')"}, {alpha16, "np.array([[0x102, 0x304]], 'u2')"}, {rgba64, "(np.arange(0, 16, 2).reshape(1, 2, 4) * 257 + 258).astype('u2')"}, {nrgba64, "(np.arange(0, 16, 2).reshape(1, 2, 4) * 257 + 258).astype('u2')"}, {cmyk, "np.arange(1, 9, dtype='u1').reshape(1, 2, 4)"},
		{big.SubImage(image.Rect(1, 2, 3, 3)), "np.array([[0x1234, 0]], 'u2')"}, {ycbcr, ""}, {nycbcra, "np.array([[[255, 255, 255, 7], [0, 0, 0, 0]]], 'u1')"}, {paletted, "np.array([[[5, 6, 7, 255], [1, 2, 3, 4]]], 'u1')"}, {inexact, "np.array([[[257, 257, 257, 514]] * 2], 'u2')"}, {paletted.SubImage(image.Rect(1, 0, 2, 1)), "np.array([[[1, 2, 3, 4]]], 'u1')"},
		{checker{2}, "np.array([[[0x8000, 0, 1, 0x8000], [0x8000, 0, 1, 0x8000]]], 'u2')"}, {&checker{0}, "np.zeros((1, 0, 4), 'u2')"}, {image.RGBA{Pix: []byte{1, 2, 3, 4}, Stride: 4, Rect: image.Rect(0, 0, 1, 1)}, "np.array([[[1, 2, 3, 4]]], 'u1')"}, {embedded{&image.Gray{Pix: []byte{1}, Stride: 1, Rect: image.Rect(0, 0, 1, 1)}, "x"}, "np.array([[[257, 257, 257, 0xffff]]], 'u2')"},
		{struct{ Img image.Image }{alpha}, "{'Img': np.array([[1, 2]], 'u1')}"}, {[]image.Image{alpha, nil}, "[np.array([[1, 2]], 'u1'), None]"}, {(*image.YCbCr)(nil), "None"}, {(*image.Uniform)(nil), "None"}, {(*checker)(nil), "None"}, {struct{ Img *image.CMYK }{}, "{'Img': None}"},
		// What has the methods of an image and is none.
		{image.Rect(1, 2, 3, 4), "{'Min': {'X': 1, 'Y': 2}, 'Max': {'X': 3, 'Y': 4}}"}, {&image.Rectangle{}, "{'Min': {'X': 0, 'Y': 0}, 'Max': {'X': 0, 'Y': 0}}"}, {box{image.Rect(0, 0, 1, 1), "cat"}, "{'Min': {'X': 0, 'Y': 0}, 'Max': {'X': 1, 'Y': 1}, 'Label': 'cat'}"}, {[]box{{Label: "x"}}, "[{'Min': {'X': 0, 'Y': 0}, 'Max': {'X': 0, 'Y': 0}, 'Label': 'x'}]"}, {image.Pt(1, 2), "{'X': 1, 'Y': 2}"}, {color.RGBA{1, 2, 3, 4}, "{'R': 1, 'G': 2, 'B': 3, 'A': 4}"},
	} {
		if row.want == "" {
			got, err := evaluate[Array[uint8]](in, "oracle:same", row.value)
			if err != nil || shown(got.Shape) != shown([]int{3, 3, 3}) {
				t.Fatalf("got %v, %v", got, err)
			}
			for i, want := range ycbcrWant {
				if int(got.Data[i]) != want {
					t.Errorf("%d: got %d, want %v", i, got.Data[i], want)
				}
			}
			continue
		}
		difference, err := pythonText(in, "str(differs("+row.want+", x))", row.value)
		if err != nil || difference != "None" {
			t.Errorf("%T: %s, %v", row.value, difference, err)
		}
		flat = append(flat, flatRow{row.want, func() {
			if o, err := same.Call(background, row.value); err == nil {
				_ = o.Close()
			}
		}})
	}
	flatRows(t, in, flat)
	for _, row := range []struct {
		value any
		want  string
	}{
		{image.NewUniform(color.Black), "a Go *image.Uniform has no size: draw it into an image.NRGBA"}, {image.NewPaletted(r, nil), "a Go *image.Paletted has the colour 0 at (0, 0), but its palette has 0 colours"}, {checker{1 << 30}, "draw the part that you want into an image.RGBA64"}, {checker{9}, "has no colour at (7, 2)"}, {map[string]any{"a": image.NewUniform(color.Black)}, `["a"]: a Go *image.Uniform`},
	} {
		if err := run(in, "oracle:same", row.value); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%T: got %v, want %s", row.value, err, row.want)
		}
	}
	// What a Go function returns is an array too, and Python may keep it.
	got, err := evaluate[int](in, "oracle:value", "(lambda x: int(x[0, 1]))(a[0]())", func() image.Image { return gray16 })
	if err != nil || got != 0x304 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, img := range []image.Image{alpha, gray16, nrgba64, image.NewNRGBA(r)} {
		back, err := evaluate[image.Image](in, "oracle:same", img)
		if _, isAlpha := img.(*image.Alpha); err != nil || !isAlpha && shown(back) != shown(img) {
			t.Errorf("there and back: got %v, %v", shown(back), err)
		}
	}
}
