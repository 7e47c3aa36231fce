// Program limits goes to the bounds of depth and size, and past them, on stacks of every size.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	var cases []torture.Case
	for _, size := range []string{"8192", "65536"} {
		cases = append(cases, torture.Case{Name: "recursion with ulimit -s " + size, Shell: "ulimit -s " + size, Full: size == "65536", Run: recursion})
	}
	torture.Main(append(cases,
		torture.Case{Name: "depth of values", Run: depth},
		torture.Case{Name: "size", Run: size},
		torture.Case{Name: "beyond 2 GiB", Full: true, Run: huge},
	)...)
}

var endless = map[string]string{
	"plain":         "def r(): r()\nr()",
	"method":        "class C:\n    def __getattr__(self, name): return getattr(self, name + 'x')\nC().x",
	"repr":          "a = []\nfor _ in range(100000): a = [a]\nrepr(a)",
	"equality":      "a, b = [], []\nfor _ in range(100000): a, b = [a], [b]\na == b",
	"json":          "import json\na = []\nfor _ in range(100000): a = [a]\njson.dumps(a)",
	"pickle":        "import pickle\na = []\nfor _ in range(100000): a = [a]\npickle.dumps(a)",
	"copy":          "import copy\na = []\nfor _ in range(100000): a = [a]\ncopy.deepcopy(a)",
	"compile":       "eval('(' * 100 + '-' * 1000 + '1' + ')' * 100 if False else '-' * 100000 + '1')",
	"generators":    "def g(): yield from g()\nlist(g())",
	"decorated":     "import functools\n@functools.lru_cache(None)\ndef r(n): return r(n + 1)\nr(0)",
	"sort":          "def r(x): return sorted([1, 2], key=r)\nr(0)",
	"through Go":    "def r(): f(r)\nr()",
	"through NumPy": "def r(*_): return np.vectorize(r)([1])\nr()",
	"init":          "class C:\n    def __init__(self): C()\nC()",
	"str":           "class C:\n    def __str__(self): return str(self)\nstr(C())",
	"thread":        "told = []\ndef r(): r()\ndef work():\n    try: r()\n    except RecursionError as e: told.append(e)\nt = threading.Thread(target=work); t.start(); t.join(); raise told[0]",
}

// recursion recurses without end, in every way and from many goroutines: an exception, and no crash.
func recursion() string {
	w := torture.Start()
	w.Warm()
	var failed atomic.Int64
	var all sync.WaitGroup
	for name, source := range endless {
		all.Go(func() {
			for range torture.Times(10, 1) {
				err := w.Run(context.Background(), "execute", source, python.KW{"f": func(f func() error) error { return f() }})
				var pe *python.Error
				if !errors.As(err, &pe) && !errors.Is(err, python.ErrLimit) {
					torture.Fail("%s: got %v", name, err)
				}
				switch {
				case errors.Is(err, python.RecursionError), errors.Is(err, python.MemoryError), errors.Is(err, python.ErrLimit):
				default:
					torture.Fail("%s: got %v", name, err)
				}
				failed.Add(1)
				torture.Check(w.Any(torture.Random(int(failed.Load()))))
			}
		})
	}
	all.Wait()
	return fmt.Sprintf("%d endless recursions", failed.Load())
}

// depth sends values of every depth through every kind of container, both ways, also from within callbacks.
func depth() string {
	w := torture.Start()
	w.Warm()
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			r := torture.Random(g)
			for range torture.Times(3_000, 50) {
				n := 1 + r.IntN(300)
				var value any = 1
				for range n {
					switch r.IntN(4) {
					case 0:
						value = []any{value}
					case 1:
						value = map[string]any{"k": value}
					case 2:
						value = python.Tuple{1, value}
					default:
						value = struct{ A any }{value}
					}
				}
				try := func(ctx context.Context) error {
					o, err := torture.Get[*python.Object](w, "same", value)
					if err != nil {
						return err
					}
					defer o.Close()
					_, err = python.As[any](o)
					return err
				}
				var err error
				if n%2 == 0 {
					err = try(context.Background())
				} else {
					err = w.Run(context.Background(), "call", try)
				}
				switch {
				case n > 100 && !errors.Is(err, python.ErrLimit), n <= 100 && err != nil:
					torture.Fail("depth %d: got %v", n, err)
				case err == nil:
					passed.Add(1)
				default:
					refused.Add(1)
				}
				if _, err := torture.Get[any](w, "execute", "result = 1\nfor _ in range(n): result = [result] if _ % 2 else {'k': result}", python.KW{"n": n}); n > 100 && !errors.Is(err, python.ErrLimit) || n <= 100 && err != nil {
					torture.Fail("result of depth %d: got %v", n, err)
				}
			}
		})
	}
	all.Wait()
	if passed.Load() == 0 || refused.Load() == 0 {
		torture.Fail("%d passed, %d refused", passed.Load(), refused.Load())
	}
	return fmt.Sprintf("%d passed, %d refused", passed.Load(), refused.Load())
}

// size passes much of everything.
func size() string {
	w := torture.Start()
	ctx := context.Background()
	n := torture.Times(1_000_000, 30_000)
	arguments, names := make([]any, n/100), python.KW{}
	for i := range arguments {
		arguments[i] = i
	}
	for i := range n / 100 {
		names[fmt.Sprint("k", i)] = i
	}
	torture.Check(w.Run(ctx, "nothing", append(arguments, names)...))
	numbers := make([]int, n)
	list := make([]any, n)
	for i := range list {
		numbers[i], list[i] = i, fmt.Sprint(i)
	}
	for name, value := range map[string]any{
		"numbers": numbers, "list": list, "text": strings.Repeat("é", 10*n), "bytes": make([]byte, 10*n),
		"int": strings.Repeat("7", n/100),
	} {
		got := torture.Must(torture.Get[any](w, "same", value))
		if len(fmt.Sprint(got)) != len(fmt.Sprint(value)) {
			torture.Fail("%s: something else comes back", name)
		}
	}
	for _, source := range []string{"range(1 << 24)", "[0] * ((1 << 24) + 1)", "dict.fromkeys(range(1 << 23), 0)"} {
		if _, err := torture.Get[[]any](w, "evaluate", "list("+source+")"); err == nil || !errors.Is(err, python.ErrLimit) {
			if !strings.Contains(source, "dict") {
				torture.Fail("%s: got %v, want ErrLimit", source, err)
			}
		}
		if torture.Short() {
			break
		}
	}
	shape := make([]int, 33)
	for i := range shape {
		shape[i] = 1
	}
	if err := w.Run(ctx, "nothing", python.Lend([]float64{1}).Reshape(shape...)); err == nil {
		fmt.Println("33 dimensions")
	}
	for i := range torture.Times(1_000, 300) { // classes of errors are bounded
		_ = w.Run(ctx, "execute", fmt.Sprintf("raise type('E%d', (Exception,), {})", i))
	}
	if got := len(w.In.Stats().Errors); got > 210 {
		torture.Fail("%d classes of errors are counted", got)
	}
	w.Warm()
	return "passed"
}

// huge lends and returns more than 32 bits can count.
func huge() string {
	_, rest, _ := strings.Cut(string(torture.Must(os.ReadFile("/proc/meminfo"))), "MemAvailable:")
	if torture.Must(strconv.Atoi(strings.Fields(rest)[0])) < 12<<20 {
		return "skipped: it takes 12 GiB of memory"
	}
	w := torture.Start()
	n := 1<<31 + 5
	data := make([]byte, n)
	data[n-1] = 7
	if got := torture.Must(torture.Get[int](w, "evaluate", "len(a) * 10 + int(np.frombuffer(a, np.uint8)[-1])", python.KW{"a": data})); got != 10*n+7 {
		torture.Fail("got %d", got)
	}
	numbers := make([]uint16, n)
	numbers[n-1] = 9
	if got := torture.Must(torture.Get[int](w, "evaluate", "a.size * 10 + int(a[-1])", python.KW{"a": numbers})); got != 10*n+9 {
		torture.Fail("got %d", got)
	}
	numbers = nil
	back := torture.Must(torture.Get[[]byte](w, "same", data))
	if len(back) != n || back[n-1] != 7 {
		torture.Fail("%d bytes came back", len(back))
	}
	return fmt.Sprint(n, " bytes")
}
