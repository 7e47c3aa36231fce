package python_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gophersnake/gophersnake/go/python"
)

// Point has fields, methods and an embedded struct.
type Point struct {
	Named
	X, Y float64
}

// Named is embedded in Point.
type Named struct{ Name string }

// Label is promoted to Point.
func (n Named) Label() string { return "<" + n.Name + ">" }

// Scale changes the point.
func (p *Point) Scale(factor float64) { p.X, p.Y = p.X*factor, p.Y*factor }

// String is repr and str in Python.
func (p *Point) String() string { return fmt.Sprintf("%s(%g, %g)", p.Name, p.X, p.Y) }

type (
	// Track is a slice, Stock a map, Metres a number, Colour an enumeration.
	Track  []*Point
	Stock  map[string]int
	Metres float64
	Colour int
	// Shape is an interface.
	Shape interface{ Area() float64 }
)

// Colours.
const (
	Red Colour = iota
	Green
)

func (c Colour) String() string { return [...]string{"red", "green"}[c] }

// Feet converts.
func (m Metres) Feet() float64 { return float64(m) / 0.3048 }

// pyShape is a Shape of a Python object.
type pyShape struct{ object *python.Object }

func (s pyShape) Area() float64 {
	area, err := s.object.Method(context.Background(), "area")
	if err != nil {
		panic(err)
	}
	defer area.Close()
	value, err := python.As[float64](area)
	if err != nil {
		panic(err)
	}
	return value
}

var errRange = errors.New("out of range")

func root(x float64) (float64, error) {
	if x < 0 {
		return 0, python.NewError(python.ValueError, errRange)
	}
	return math.Sqrt(x), nil
}

func countdown(from int) <-chan int {
	numbers := make(chan int, from)
	for n := from; n > 0; n-- {
		numbers <- n
	}
	close(numbers)
	return numbers
}

// A program gives Python what a generator of bindings would, without generating anything.
func Example_bindings() {
	in := start()
	m := in.Module("geo")
	level := 1
	for _, err := range []error{
		m.Func("root", root, python.Doc("The square root."), python.Params("x")),
		m.Func("divmod", func(a, b int) (int, int) { return a / b, a % b }),
		m.Func("join", func(sep string, parts ...string) string { return strings.Join(parts, sep) }),
		m.Func("transform", func(x []float64, f func(float64) float64) []float64 {
			out := make([]float64, len(x))
			for i, v := range x {
				out[i] = f(v)
			}
			return out
		}),
		m.Const("PI", math.Pi),
		m.Var("level", &level),
		m.Type("Point", Point{}, python.Doc("A point."), python.Method("Scale", python.Params("factor"))),
		m.Type("Track", Track{}),
		m.Type("Stock", Stock{}),
		m.Type("Metres", Metres(0)),
		m.Type("Colour", Colour(0)),
		m.Const("GREEN", Green),
		python.Interface(in, func(o *python.Object) Shape { return pyShape{o} }, "area"),
		m.Func("total", func(shapes []Shape) (sum float64) {
			for _, s := range shapes {
				sum += s.Area()
			}
			return sum
		}),
		m.Func("countdown", countdown),
		m.Func("cells", func() *[2][3]float64 { return &[2][3]float64{} }),
		m.Func("index", func(words []string) map[string]int {
			out := map[string]int{}
			for i, word := range words {
				out[word] = i
			}
			return out
		}),
	} {
		if err != nil {
			log.Fatal(err)
		}
	}
	run, err := in.Func("geo_client:run")
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	done, err := run.Call(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer done.Close()
	fmt.Println(level)

	// A Go error that Python lets pass is the same error in Go again.
	f, err := in.Func("geo:root")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	_, err = f.Call(context.Background(), -1)
	fmt.Println(errors.Is(err, errRange), errors.Is(err, python.ValueError))
	// Output:
	// 5
	// true true
}

// Each line of code in the table of docs/BINDINGS.md is one of the example above, or of the Python part of it.
func TestBindingsTable(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	example := read("bindings_test.go") + read("testdata/geo_client.py")
	rows := 0
	for _, line := range strings.Split(read("../../docs/BINDINGS.md"), "\n") {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 3 || strings.HasPrefix(line, "| Feature") {
			continue
		}
		rows++
		for _, code := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(strings.Join(cells[1:], " "), -1) {
			if !strings.Contains(example, code[1]) {
				t.Errorf("%s: the example has no %s", cells[0], code[1])
			}
		}
	}
	if rows < 10 {
		t.Errorf("the table has %d rows", rows)
	}
}
