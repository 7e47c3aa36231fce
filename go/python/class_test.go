package python

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"
)

type point struct {
	X float64 `py:"x"`
	Y float64 `py:"y"`
}

func (p *point) Scale(factor float64) { p.X, p.Y = p.X*factor, p.Y*factor }
func (p point) Norm() float64         { return math.Hypot(p.X, p.Y) }
func (p *point) Self() *point         { return p }
func (p *point) In(ctx context.Context, key string) any {
	return ctx.Value(contextKey(key))
}

type contextKey string

type namedBase struct{ Name string }

func (b *namedBase) Greet(other string) string { return b.Name + " greets " + other }

// circle has parts of all kinds.
type circle struct {
	namedBase
	Centre  point
	Partner *circle
	Radii   []float64
	Matrix  [2][2]float64
	Tags    map[string]int
	Path    route
	hidden  int
}

func (c *circle) Area() float64            { return math.Pi * c.Radii[0] * c.Radii[0] }
func (c *circle) Hide(n int) int           { c.hidden = n; return c.hidden }
func (c *circle) ParseURL(s string) string { return "parsed " + s }
func (c *circle) Sum(numbers ...int) (n int, err error) {
	for _, number := range numbers {
		n += number
	}
	if n < 0 {
		err = NewError(ValueError, fmt.Errorf("%w: %d", io.ErrUnexpectedEOF, n))
	}
	return n, err
}

type (
	route   []point
	scores  map[string]float64
	grid    [3]float64
	handler func(name string, n int) string
	metres  float64
	colour  uint8
	label   string
)

func (p route) Length() int             { return len(p) }
func (h handler) Twice(s string) string { return h(s, 1) + h(s, 2) }
func (m metres) Feet() float64          { return float64(m) * 3.28 }
func (c colour) String() string         { return [...]string{"red", "green"}[c] }
func (l label) Shout() label            { return label(strings.ToUpper(string(l))) }

// release has an order, account a state of its own.
type release struct {
	Major, Minor int
}

func (v release) String() string { return fmt.Sprintf("v%d.%d", v.Major, v.Minor) }
func (v release) Compare(o release) int {
	if v.Major != o.Major {
		return v.Major - o.Major
	}
	return v.Minor - o.Minor
}
func (v release) Hash() int { return v.Major<<8 + v.Minor }

type account struct {
	mu      sync.Mutex
	balance int
	closed  bool
}

func newAccount(balance int) (*account, error) {
	if balance < 0 {
		return nil, NewError(ValueError, errors.New("no credit"))
	}
	return &account{balance: balance}, nil
}
func (a *account) Deposit(n int)        { a.mu.Lock(); defer a.mu.Unlock(); a.balance += n }
func (a *account) Balance() int         { a.mu.Lock(); defer a.mu.Unlock(); return a.balance }
func (a *account) Less(b *account) bool { return a.balance < b.balance }
func (a *account) Call(n int) int       { return a.balance * n }
func (a *account) Close() error         { a.closed = true; return nil }
func (a *account) Internal(chan int)    {}

var registerTypes sync.Once

// withTypes returns the interpreter with the types above in the module `shapes`.
func withTypes(t testing.TB) *Interpreter {
	t.Helper()
	in := interpreter(t)
	registerTypes.Do(func() {
		m := in.Module("shapes")
		for _, err := range []error{
			Interface[shape](in, func(o *Object) shape { return pyShape{o} }, "area"),
			m.Type("Point", point{}, Doc("A point of the plane."), SnakeCase(),
				Method("Scale", Doc("Multiply both."), Params("factor"), Default("factor", 2.0)), Method("In", Name("context_value"))),
			m.Type("Circle", (*circle)(nil), SnakeCase()),
			m.Type("Path", route{}), m.Type("Scores", scores{}), m.Type("Grid", grid{}), m.Type("Handler", handler(nil)),
			m.Type("Metres", metres(0)), m.Type("Colour", colour(0)), m.Type("Label", label("")),
			m.Type("Version", release{}),
			m.Type("Account", (*account)(nil), Constructor(newAccount, Params("balance"), Default("balance", 0)), Method("Internal", Name("-"))),
			m.Const("GREEN", colour(1)),
			m.Func("total_area", func(shapes []shape) (sum float64) {
				for _, s := range shapes {
					sum += s.Area()
				}
				return sum
			}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	return in
}

type shape interface{ Area() float64 }

type pyShape struct{ o *Object }

func (s pyShape) Area() float64 {
	area, err := asThenClose[float64](s.o.Method(context.Background(), "area"))
	if err != nil {
		panic(err)
	}
	return area
}

// Each row is an expression and its repr, or its exception.
func TestClass(t *testing.T) {
	in := withTypes(t)
	shared := &circle{namedBase: namedBase{"c"}, Radii: []float64{2, 3}, Tags: map[string]int{"a": 1}}
	shared.Partner = shared
	variables := KW{
		"c": shared, "same": func(c *circle) bool { return c == shared }, "same_point": func(p *point) bool { return p == &shared.Centre },
		"copied": func(p point) point { p.X++; return p }, "pass_on": func(v any) any { return v },
		"type_of": func(v any) string { return fmt.Sprintf("%T", v) },
		"points":  []*point{{1, 2}, {3, 4}}, "numbers": func(p []point) int { return len(p) },
		"colour": func(c colour) string { return fmt.Sprintf("%T %v", c, c) }, "colours": func() map[string]colour { return map[string]colour{"a": 1} },
		"metres": func(m metres) metres { return m * 2 }, "label": func(l label) label { return l + "!" },
		"handler": handler(func(s string, n int) string { return strings.Repeat(s, n) }), "call": func(h handler) string { return h("x", 3) },
		"describe": func(s fmt.Stringer) string { return "<" + s.String() + ">" }, "keep": &keptPath,
	}
	for _, row := range [][2]string{
		// construction
		{"Point(), Point(1), Point(x=1, y=2), Point(1, y=2)", "(Point(x=0.0, y=0.0), Point(x=1.0, y=0.0), Point(x=1.0, y=2.0), Point(x=1.0, y=2.0))"},
		{"Point(z=1)", "TypeError: Point() got an unexpected keyword argument 'z'"},
		{"Point(1, 2, 3)", "TypeError: Point() takes 2 positional arguments but 3 were given"},
		{"Point('a')", "TypeError: Point() argument 'x': want float64, got str"},
		{"Account(-1)", "GoValueError: no credit"},
		{"Account().Balance(), Account(balance=3).Balance()", "(0, 3)"},
		// fields
		{"p = Point(); p.x = 5; p.y += 2; p", "Point(x=5.0, y=2.0)"},
		{"p = Point(); p.x = 'a'", "TypeError: Point.x() argument 1: want float64, got str"},
		{"p = Point(); p.z = 1", "AttributeError: 'Point' object has no attribute 'z'"},
		{"Point().z", "AttributeError: 'Point' object has no attribute 'z'"},
		{"c.name, c.greet('d'), c.parse_url('u'), c.area() > 12", "('c', 'c greets d', 'parsed u', True)"},
		{"c.hidden", "AttributeError: 'Circle' object has no attribute 'hidden'"},
		{"c.sum(1, 2, 3), c.sum()", "(6, 0)"},
		{"c.sum(-1)", "GoValueError: unexpected EOF: -1"},
		// methods
		{"p = Point(3, 4); p.scale(); p.scale(factor=0.5); p.norm()", "5.0"},
		{"Point(3, 4).scale(1, 2)", "TypeError: Point.scale() takes 1 positional arguments but 2 were given"},
		{"Point(3, 4).scale('x')", "TypeError: Point.scale() argument 'factor': want float64, got str"},
		{"Point.scale(c)", "TypeError: Point.scale() argument self: want *python.point, got *python.circle of Go"},
		{"Point.norm(Point(3, 4))", "5.0"},
		{"Account().Internal", "AttributeError: 'Account' object has no attribute 'Internal'"},
		{"Point().context_value('k')", "'v'"},
		// identity
		{"c.partner is c, c.partner.partner is c, same(c), pass_on(c) is c, [c][0] is c", "(True, True, True, True, True)"},
		{"p = Point(); p.self() is p, pass_on([p])[0] is p, type_of(p)", "(True, True, '*python.point')"},
		{"points[0] is not points[1], points[0] == Point(1, 2), len({id(p) for p in points})", "(True, True, 2)"},
		{"p = Point(1); q = copied(p); p.x, q.x, p is q", "(1.0, 2.0, False)"},
		// parts
		{"c.centre.x = 7; c.centre.x, c.centre is c.centre, same_point(c.centre)", "(7.0, True, True)"},
		{"c.centre = Point(1, 1); c.centre.x", "1.0"},
		{"c.centre = {'x': 2, 'y': 3}; c.centre", "Point(x=2.0, y=3.0)"},
		{"c.radii[0] = 4; c.radii[0], type(c.radii).__name__", "(np.float64(4.0), 'ndarray')"},
		{"c.matrix[1, 0] = 4; c.matrix.tolist()", "[[0.0, 0.0], [4.0, 0.0]]"},
		{"c.tags['b'] = 1; c.tags", "{'a': 1}"},
		{"c.path.append(Point(1, 2)); c.path[0].x = 9; c.path", "Path([Point(x=9.0, y=2.0)])"},
		{"c.partner = None; c.partner", "None"},
		// sequences
		{"p = Path([Point(1), Point(2), Point(3)]); len(p), p[-1].x, p[1:], p[::-2], p.Length()", "(3, 3.0, Path([Point(x=2.0, y=0.0), Point(x=3.0, y=0.0)]), Path([Point(x=3.0, y=0.0), Point(x=1.0, y=0.0)]), 3)"},
		{"Path([Point()])[1]", "IndexError: Path index out of range: 1 of 1"},
		{"Path([Point()])[-2]", "IndexError: Path index out of range: -2 of 1"},
		{"Path()['a']", "TypeError: 'str' object cannot be interpreted as an integer"},
		{"p = Path([Point(i) for i in range(5)]); del p[1]; del p[::2]; p.insert(0, Point(8)); p.pop(); [q.x for q in p]", "[8.0, 2.0]"},
		{"p = Path([Point(i) for i in range(3)]); p[0] = Point(7); p[1:] = [Point(8), Point(9)]; [q.x for q in p]", "[7.0, 8.0, 9.0]"},
		{"Path([Point(1)]) == [Point(1)], Path() == Path(), Path([Point(1)]) == Path(), Point(1) in Path([Point(1)]), numbers(Path([Point()]))", "(True, True, False, True, 1)"},
		{"hash(Path())", "TypeError: unhashable type: 'Path'"},
		{"g = Grid([1, 2, 3]); g[0] = 5; list(g), len(g), g[-1], g[1:]", "([5.0, 2.0, 3.0], 3, 3.0, [2.0, 3.0])"},
		{"Grid([1, 2])", "TypeError: Grid() argument 1: want python.grid, got 2 items"},
		{"keep.append(Point(4)); len(keep), keep is keep", "(1, True)"},
		// maps
		{"s = Scores({'b': 1, 'a': 2}); s['c'] = 3; del s['b']; len(s), s, 'a' in s, 5 in s, s.get('x'), list(s.items()), s == {'a': 2, 'c': 3}", "(2, Scores({'a': 2.0, 'c': 3.0}), True, False, None, [('a', 2.0), ('c', 3.0)], True)"},
		{"Scores()['x']", "KeyError: 'x'"},
		{"del Scores()['x']", "KeyError: 'x'"},
		{"Scores()[1]", "TypeError: Scores.get() argument 1: want string, got int"},
		{"s = Scores(); s['a'] = 1; dict(s)", "{'a': 1.0}"},
		// functions
		{"handler('a', 2), handler.Twice('b'), call(handler), call(lambda s, n: s + str(n)), Handler(lambda s, n: 'z')('', 0), type(handler).__name__", "('aa', 'bbb', 'xxx', 'x3', 'z', 'Handler')"},
		// numbers and texts
		{"Metres(2) + 1, Metres(2).Feet(), metres(Metres(2)), str(Metres(2)), isinstance(Metres(2), float), metres(3)", "(3.0, 6.56, Metres(4.0), '2.0', True, Metres(6.0))"},
		{"shapes.GREEN, shapes.GREEN == 1, f'{shapes.GREEN}', colour(shapes.GREEN), colour(0), colours(), hash(shapes.GREEN)", "(green, True, 'green', 'python.colour green', 'python.colour red', {'a': green}, 1)"},
		{"Colour(300)", "TypeError: Colour() argument 1: 300 does not fit uint8"},
		{"Label('a').Shout(), label('b'), Label('a') + 'b', f'{Label(\"q\")}'", "(Label('A'), Label('b!'), 'ab', 'q')"},
		{"type_of(shapes.GREEN)", "'int'"},
		// operators
		{"Point(1) == Point(1), Point(1) == Point(2), Point(1) != Point(2), Point() == 0", "(True, False, True, False)"},
		{"hash(Point())", "TypeError: unhashable type: 'Point'"},
		{"a = Version(1, 2); b = Version(1, 3); a < b, a > b, a <= a, a >= b, a == Version(1, 2), hash(b), [a], max(a, b)", "(True, False, True, False, True, 259, [v1.2], v1.3)"},
		{"a = Account(1); b = Account(2); a < b, a > b, a == a, a == Account(1), len({a, b}), a(5)", "(True, False, True, False, 2, 5)"},
		{"Account() < 1", "TypeError: '<' not supported between instances of 'Account' and 'int'"},
		// copies
		{"import copy; p = Point(1, 2); q = copy.copy(p); q.x = 5; p, q", "(Point(x=1.0, y=2.0), Point(x=5.0, y=2.0))"},
		{"import copy; copy.copy(Account())", "TypeError: cannot pickle or copy a Account: its value lives in the Go program"},
		{"import pickle; pickle.dumps(Point())", "TypeError: cannot pickle or copy a Point: its value lives in the Go program"},
		{"import copy, pickle; pickle.loads(pickle.dumps(Metres(2))), copy.deepcopy(Metres(2)), pickle.loads(pickle.dumps(Label('a'))), type(pickle.loads(pickle.dumps(shapes.GREEN))).__name__, Metres(-0.0)", "(2.0, Metres(2.0), 'a', 'int', Metres(-0.0))"},
		{"class P(Point): pass", "TypeError: Point is a type of the Go program, which cannot be subclassed: let an attribute hold a Point"},
		{"with Account() as a: type(a).__name__", "'Account'"},
		// what Python sees
		{"import inspect; str(inspect.signature(Point)), str(inspect.signature(Point.scale)), str(inspect.signature(Point().scale)), str(inspect.signature(Account))", "('(x=0.0, y=0.0)', '(self, /, factor=2.0)', '(factor=2.0)', '(balance=0)')"},
		{"Point.__module__, Point.__qualname__, Point.__doc__, Point.scale.__doc__, Point.scale.__qualname__, shapes.Point is Point", "('shapes', 'Point', 'A point of the plane.', 'Multiply both.', 'Point.scale', True)"},
		{"repr(Point.scale), Circle.__doc__, Point.x.__doc__", "('<Go function shapes.Point.scale>', 'The Go type python.circle.', 'float64')"},
		{"(lambda p: [p.x, p.y] if p == Point(1) else None)(Point(1))", "[1.0, 0.0]"},
		// interfaces
		{"shapes.total_area([c, Square()])", "59.26548245743669"},
		{"shapes.total_area([1.5])", "TypeError: total_area() argument 1[0]: want python.shape, got float, which lacks the methods area"},
		{"shapes.total_area([None])", "GoPanic: runtime error: invalid memory address or nil pointer dereference"},
		{"describe(Version(1, 2)), describe(Square), describe(5)", "('<v1.2>', \"<<class 'Square'>>\", '<5>')"},
	} {
		shared.Partner, shared.Centre, shared.Path = shared, point{}, nil
		shared.Radii = []float64{4, 3}
		source := "import shapes\nfrom shapes import *\nclass Square:\n    __module__ = 'builtins'\n    def area(self): return 9\n" +
			"class context: pass\n"
		head, last := "", row[0]
		switch {
		case strings.HasPrefix(last, "with"):
			head, last = strings.Replace(last, ": ", ":\n    result = repr(", 1)+")", ""
		case strings.HasPrefix(last, "class"):
			head, last = last, ""
		default:
			if i := strings.LastIndex(last, "; "); i >= 0 {
				head, last = last[:i], last[i+2:]
			}
		}
		if isStatement(last) {
			head, last = head+"\n"+last, ""
		}
		if last != "" {
			last = "result = repr((" + last + "))"
		}
		source += "try:\n" + indent(head+"\n"+last) + "\nexcept BaseException as e:\n    result = f'{type(e).__name__}: {e}'\n    e.__traceback__ = None"
		ctx := context.WithValue(context.Background(), contextKey("k"), "v")
		got, err := executeContext[string](t, ctx, in, source, variables)
		got = strings.TrimSuffix(got, " and no __dict__ for setting new attributes") // since CPython 3.13
		if err != nil {
			t.Errorf("%s: %v", row[0], err)
		} else if got != row[1] {
			t.Errorf("%s\n got %s\nwant %s", row[0], got, row[1])
		}
	}
}

var keptPath route

func isStatement(s string) bool {
	return strings.HasPrefix(s, "del ") || strings.HasPrefix(s, "p.x = ") || strings.HasPrefix(s, "p.z = ")
}

func indent(s string) string {
	return "    pass\n    " + strings.ReplaceAll(strings.ReplaceAll(s, "; ", "\n"), "\n", "\n    ")
}

// help shows the class as it shows those of Python.
func TestClassHelp(t *testing.T) {
	in := withTypes(t)
	got := passes[string](t, in, "import pydoc, shapes\nresult = pydoc.render_doc(shapes.Point, renderer=pydoc.plaintext)", nil)
	for _, want := range []string{
		"class Point in module shapes", " |  Point(x=0.0, y=0.0)", " |  A point of the plane.", " |  scale(self, /, factor=2.0)\n |      Multiply both.", " |  norm(self, /)",
		" |  x\n |      float64",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// What comes back to Go is the very value that Python got.
func TestClassReturns(t *testing.T) {
	in := withTypes(t)
	p := &point{1, 2}
	if got := passes[*point](t, in, "result = p", KW{"p": p}); got != p {
		t.Errorf("got %p, want %p", got, p)
	}
	if got := passes[point](t, in, "result = p", KW{"p": p}); got != *p {
		t.Errorf("got %v, want %v", got, *p)
	}
	if got := passes[any](t, in, "result = p", KW{"p": p}); got != any(p) {
		t.Errorf("got %v, want %p", got, p)
	}
	if got := passes[map[string][]*point](t, in, "result = {'a': [p, p]}", KW{"p": p}); got["a"][0] != p || got["a"][1] != p {
		t.Errorf("got %v", got)
	}
	if got := passes[[]point](t, in, "result = shapes", KW{"shapes": route{{1, 2}}}); len(got) != 1 || got[0] != (point{1, 2}) {
		t.Errorf("got %v", got)
	}
	if got := passes[[]*colour](t, in, "import shapes\nresult = [shapes.GREEN]", nil); len(got) != 1 || *got[0] != 1 {
		t.Errorf("got %v", got)
	}
	same := bind[func(*point) (*point, error)](t, in, "fixtures:same")
	if got, err := same(p); got != p || err != nil {
		t.Errorf("got %p, %v, want %p", got, err, p)
	}
	if _, err := execute[*circle](t, in, "result = p", KW{"p": p}); err == nil || !strings.Contains(err.Error(), "result: want *python.circle, got *python.point of Go") {
		t.Errorf("got %v", err)
	}
	if got, err := execute[shape](t, in, "result = c", KW{"c": &circle{Radii: []float64{1}}}); err != nil || got.Area() != math.Pi {
		t.Errorf("got %v, %v", got, err)
	}
	got, err := execute[shape](t, in, "class Square:\n    def area(self): return 4.0\nresult = Square()", nil)
	if err != nil || got.Area() != 4 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := execute[shape](t, in, "result = object()", nil); err == nil || !strings.Contains(err.Error(), "result: want python.shape, got object, which lacks the methods area") {
		t.Errorf("got %v", err)
	}
	if _, err := execute[heap.Interface](t, in, "result = object()", nil); err == nil || !strings.Contains(err.Error(), "say with python.Interface") {
		t.Errorf("got %v", err)
	}
}

// What a Go function keeps of Python's stays as it is when Python writes to the memory, or frees it.
func TestClassKeepsNoMemoryOfPython(t *testing.T) {
	in := withTypes(t)
	type sample struct{ Data []float64 }
	variable := []float64{}
	var kept []float64
	m := in.Module("keeping")
	for _, err := range []error{
		m.Type("Sample", sample{}), m.Var("variable", &variable),
		m.Func("keep", func(x []float64) float64 { kept = x; return 0 }, CopyArguments()),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &sample{}
	made := passes[*sample](t, in, `
import keeping
a = np.array([1.0, 2.0])
s.Data = a
keeping.variable = a
keeping.keep(a)
result = keeping.Sample(a)
a[:] = 7`, KW{"s": s})
	for i, got := range [][]float64{s.Data, made.Data, variable, kept} {
		if fmt.Sprint(got) != "[1 2]" {
			t.Errorf("%d: got %v, want [1 2]", i, got)
		}
	}
}

func TestClassWrong(t *testing.T) {
	in := withTypes(t)
	type twice struct {
		A int `py:"x"`
		X int `py:"y"`
	}
	type pointers struct{ C unsafe.Pointer }
	m := in.Module("wrong")
	for want, err := range map[string]error{
		"want a value of a named type, got <nil>":                   m.Type("T", nil),
		"want a value of a named type, got int":                     m.Type("T", 5),
		"want a value of a named type, got struct {}":               m.Type("T", struct{}{}),
		"python.Tuple has a form of its own in Python":              m.Type("T", Tuple{}),
		"time.Time has a form of its own":                           m.Type("T", time.Time{}),
		"python.point is registered already":                        m.Type("T", point{}),
		"want a value of a named type, got **python.point":          m.Type("T", new(*point)),
		"python.Constructor: want a function that returns":          m.Type("T", twice{}, Constructor(func() int { return 1 })),
		"python.Method: *python.twice has no method Missing":        m.Type("T", twice{}, Method("Missing")),
		"field C: unsafe.Pointer is no target of a conversion; the": m.Type("T", pointers{}),
		`want a name, got "a b"`:                                    m.Type("a b", twice{}),
		"want an interface with methods":                            Interface[any](in, func(o *Object) any { return o }),
		"it is registered or in use already":                        Interface[shape](in, func(o *Object) shape { return pyShape{o} }),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := m.Type("T", twice{}); err != nil { // nothing is left of the failures
		t.Error(err)
	}
}

// Goroutines pass the same pointers while Python drops them: whoever sees two at once sees one object, and every handle
// comes back.
func TestClassIdentityWhileDropping(t *testing.T) {
	in := withTypes(t)
	before := hostedAfterCollecting(t, in)
	points := []*point{{1, 0}, {2, 0}, {3, 0}}
	same := bind[func(*point, *point) (bool, error)](t, in, "operator:is_")
	back := bind[func(*point) (*point, error)](t, in, "fixtures:same")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				p := points[(g+i)%len(points)]
				if is, err := same(p, p); !is || err != nil {
					t.Errorf("two objects for one pointer: %v", err)
					return
				}
				if got, err := back(p); got != p || err != nil {
					t.Errorf("got %p, %v, want %p", got, err, p)
					return
				}
			}
		})
	}
	wg.Go(func() {
		passes[any](t, in, `
import threading, weakref
def work():
    for i in range(2000):
        p = f(i)
        assert p is f(i) and p.x == i % 3 + 1
        weakref.ref(p, lambda _: f(i))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()`, KW{"f": func(i int) *point { return points[i%3] }})
	})
	wg.Wait()
	if !eventually(func() bool { return hostedAfterCollecting(t, in) <= before }) {
		t.Errorf("%d handles are out, want %d", in.Stats().Hosted, before)
	}
}

// hostedAfterCollecting counts handles. The functions of a script and its variables are a cycle, which Python collects.
func hostedAfterCollecting(t testing.TB, in *Interpreter) int {
	t.Helper()
	runtime.GC() // which gives objects back that scripts may be reached from
	if err := run(in, "gc:collect"); err != nil {
		t.Fatal(err)
	}
	return in.Stats().Hosted
}

// A hundred thousand objects of each kind, and errors, leave nothing behind.
func TestClassLeak(t *testing.T) {
	in := withTypes(t)
	shared := &circle{Radii: []float64{1}}
	for _, row := range []string{
		"Point(x=i)", "f(i)", "c.centre.x", "Path([Point(i)])[0].x", "Scores({'a': i})['a']", "Metres(i).Feet()", "Label('a').Shout()",
		"shapes.total_area([square])", "Handler(len)", "c.radii[0]", "repr(Version(1, i))", "Version(1, i) < Version(2, i)", "Account(i)(2)",
	} {
		t.Run(row, func(t *testing.T) {
			calls := 100_000
			if strings.Contains(row, "square") {
				calls = 5_000 // each leaves an object to the garbage collector of Go
			}
			calls = leakCalls(calls)
			source := `
import gc, shapes
from shapes import *
class Square:
    def area(self): return 1.0
square = Square()
def work(n):
    for i in range(n):
        ` + row + `
work(500)
gc.collect()
references = [sys.getrefcount(cls) for cls in (Point, Circle, Path, Metres)]
# What leaks does so each time; what a cache or a late collection of Go's takes, it takes once.
for look in range(30):
    blocks = sys.getallocatedblocks()
    work(` + fmt.Sprint(calls) + `)
    gc.collect()
    grown = sys.getallocatedblocks() - blocks
    if grown <= ` + fmt.Sprint(calls/50) + `: break
result = [grown, *[sys.getrefcount(cls) - n for cls, n in zip((Point, Circle, Path, Metres), references)]]`
			before := hostedAfterCollecting(t, in)
			got := passes[[]int](t, in, source, KW{"c": shared, "f": func(i int) point { return point{float64(i), 0} }})
			if got[0] > calls/50 {
				t.Errorf("%d blocks more", got[0])
			}
			for _, references := range got[1:] {
				if references > 10 {
					t.Errorf("%v references more to classes", got[1:])
				}
			}
			if !eventually(func() bool { return hostedAfterCollecting(t, in) <= before }) {
				t.Errorf("%d handles are out, want %d", in.Stats().Hosted, before)
			}
		})
	}
}

// The Go value lives for as long as Python has it, and no longer; a part keeps the whole.
func TestClassLifetime(t *testing.T) {
	in := withTypes(t)
	var collected atomic.Int64
	made := func() *circle {
		c := &circle{Centre: point{X: 5}}
		runtime.AddCleanup(c, func(int) { collected.Add(1) }, 0)
		return c
	}
	o, err := in.Module("shapes").in.apply("builtins:list")
	if err != nil {
		t.Fatal(err)
	}
	passes[any](t, in, "l.append(made().centre)", KW{"l": o, "made": made})
	for range 3 {
		runtime.GC()
	}
	if got := passes[float64](t, in, "result = l[0].x", KW{"l": o}); got != 5 || collected.Load() != 0 {
		t.Errorf("got %v, %d were collected", got, collected.Load())
	}
	passes[any](t, in, "l.clear()", KW{"l": o})
	if !eventually(func() bool { in.Stats(); runtime.GC(); return collected.Load() == 1 }) {
		t.Error("the value lives on")
	}
	_ = o.Close()
}
