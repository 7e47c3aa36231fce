// Program errors raises exceptions of every nasty kind from every place, takes memory away, and panics wherever Go runs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "exceptions of every nasty kind", Run: exceptions},
		torture.Case{Name: "too little memory for one thing", Run: memory},
		// Each arena of malloc takes address space, which never comes back.
		torture.Case{Name: "little memory for anything", Env: []string{"MALLOC_ARENA_MAX=1"}, Run: exhausted},
		torture.Case{Name: "panics of Go", Run: panics},
	)
}

// get calls a function of the module nasty.
func get(in *python.Interpreter, function string, arguments ...any) (*python.Object, error) {
	f, err := in.Func("nasty:" + function)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Call(context.Background(), arguments...)
}

func second[T any](_ T, err error) error { return err }

// exceptions raises each exception in each place: an error has to come, short and in UTF-8, and nothing else may break.
func exceptions() string {
	w := torture.Start()
	w.Warm()
	in := w.In
	kinds := torture.Must(python.As[[]string](torture.Must(get(in, "names"))))
	convert := func(as func(o *python.Object) error) func(string) error {
		return func(kind string) error {
			o := torture.Must(get(in, "thing", kind))
			defer o.Close()
			return as(o)
		}
	}
	type record struct{ A, B int }
	places := map[string]func(kind string) error{
		"call":         func(kind string) error { return second(get(in, "raising", kind)) },
		"from handler": func(kind string) error { return second(get(in, "raising_from_handler", kind)) },
		"thread":       func(kind string) error { return second(get(in, "in_thread", kind)) },
		"coroutine":    func(kind string) error { return second(get(in, "coroutine", kind)) },
		"task": func(kind string) error {
			f := torture.Must(in.Func("nasty:coroutine"))
			defer f.Close()
			return second(f.Go(context.Background(), kind).Wait(context.Background()))
		},
		"through Go": func(kind string) error {
			return w.Run(context.Background(), "call", func() error { return second(get(in, "raising", kind)) })
		},
		"through Go, wrapped": func(kind string) error {
			return w.Run(context.Background(), "call", func() error { return fmt.Errorf("wrapped: %w", second(get(in, "raising", kind))) })
		},
		"batch": func(kind string) error {
			f := torture.Must(in.Func("nasty:raising"))
			defer f.Close()
			return second(f.Map(context.Background(), []string{kind, kind}))
		},
		"iterate": func(kind string) error {
			o := torture.Must(get(in, "generate", kind))
			defer o.Close()
			for _, err := range python.Iter[int](context.Background(), o) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"decode a generator": func(kind string) error {
			o := torture.Must(get(in, "generate", kind))
			defer o.Close()
			return second(python.As[[]int](o))
		},
		"to ints":     convert(func(o *python.Object) error { return second(python.As[[]int](o)) }),
		"to int":      convert(func(o *python.Object) error { return second(python.As[int](o)) }),
		"to float":    convert(func(o *python.Object) error { return second(python.As[float64](o)) }),
		"to text":     convert(func(o *python.Object) error { return second(python.As[string](o)) }),
		"to map":      convert(func(o *python.Object) error { return second(python.As[map[string]int](o)) }),
		"to record":   convert(func(o *python.Object) error { return second(python.As[record](o)) }),
		"to array":    convert(func(o *python.Object) error { return second(python.As[*python.Array[float64]](o)) }),
		"Attr":        convert(func(o *python.Object) error { return second(o.Attr("no_such")) }),
		"SetAttr":     convert(func(o *python.Object) error { return o.SetAttr("x", 1) }),
		"Len":         convert(func(o *python.Object) error { return second(o.Len()) }),
		"Item":        convert(func(o *python.Object) error { return second(o.Item(1)) }),
		"SetItem":     convert(func(o *python.Object) error { return o.SetItem(1, 2) }),
		"DeleteItem":  convert(func(o *python.Object) error { return o.DeleteItem(1) }),
		"Contains":    convert(func(o *python.Object) error { return second(o.Contains(1)) }),
		"Truth":       convert(func(o *python.Object) error { return second(o.Truth()) }),
		"Equal":       convert(func(o *python.Object) error { return second(o.Equal(1)) }),
		"Op":          convert(func(o *python.Object) error { return second(o.Op("+", 1)) }),
		"Repr":        convert(func(o *python.Object) error { return second(o.Repr()) }),
		"Call":        convert(func(o *python.Object) error { return second(o.Call(context.Background(), 1)) }),
		"as a number": convert(func(o *python.Object) error { return second(get(in, "long_traceback", o)) }),
		"as a key": convert(func(o *python.Object) error {
			return second(get(in, "thing", map[any]any{o: 1}))
		}),
	}
	// In these an exception is taken for an answer: there is no length, the iteration is over, another way is tried.
	mayPass := map[string]bool{"iterate stop": true, "decode a generator stop": true}
	var raised atomic.Int64
	for range torture.Times(5, 1) {
		var all sync.WaitGroup
		for place, try := range places {
			all.Go(func() {
				for i, kind := range kinds {
					if torture.Short() && (i+len(place))%8 != 0 {
						continue
					}
					err := try(kind)
					if err == nil {
						if mayPass[place+" "+kind] {
							continue
						}
						torture.Fail("%s, %s: no error", place, kind)
					}
					raised.Add(1)
					text := fmt.Sprintf("%v %+v", err, err)
					var pe *python.Error
					if errors.As(err, &pe) {
						text += pe.Type + pe.Message + pe.Traceback + strings.Join(pe.Notes, "")
						for _, frame := range pe.Frames {
							text += frame.String()
						}
					}
					if !utf8.ValidString(text) || len(text) > 8<<20 {
						torture.Fail("%s, %s: an error of %d bytes, valid: %t", place, kind, len(text), utf8.ValidString(text))
					}
					_ = errors.Is(err, python.ValueError)
					if i%10 == 0 {
						torture.Check(w.Any(torture.Random(i)))
					}
				}
			})
		}
		all.Go(func() {
			for _, kind := range kinds {
				torture.Must(get(in, "destroy", kind))
			}
		})
		all.Wait()
	}
	w.Warm()
	if raised.Load() == 0 {
		torture.Fail("nothing was raised")
	}
	return fmt.Sprintf("%d kinds in %d places: %d errors", len(kinds), len(places), raised.Load())
}

// limit sets how much more memory the process may have, after Go has got what it needs itself: it cannot do without.
func limit(more int) {
	ballast := make([]byte, 768<<20)
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()
	_, rest, _ := strings.Cut(string(torture.Must(os.ReadFile("/proc/self/status"))), "VmSize:")
	size := torture.Must(strconv.Atoi(strings.Fields(rest)[0])) << 10
	most := uint64(size + more) //nolint:gosec // a size is not negative
	torture.Check(syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: most, Max: most}))
}

// memory asks for more than there is, in every way: a MemoryError, and nothing else breaks.
func memory() string {
	w := torture.Start()
	w.Warm()
	limit(150 << 20)
	var failed, copies atomic.Int64
	n := torture.Times(40, 1)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for round := 0; round < n || copies.Load() == 0 && round < 50; round++ { // which copies fail is a matter of luck
				for _, expression := range []string{
					"np.ones(1 << 28)", "bytes(1 << 30)", "[0] * (1 << 28)", "'x' * (1 << 30)", "1 << (1 << 34)", "bytearray(1 << 30)",
					"np.arange(1 << 27).tolist()", "'é' * (1 << 29)", "dict.fromkeys(range(1 << 25))", "np.ones((1 << 13, 1 << 13)) @ np.ones((1 << 13, 1 << 13))",
				} {
					_, err := torture.Get[*python.Object](w, "evaluate", expression)
					if !errors.Is(err, python.MemoryError) {
						torture.Fail("%s: got %v, want a MemoryError", expression, err)
					}
					failed.Add(1)
				}
				// What is there, but cannot be copied.
				for _, expression := range []string{"'x' * (60 << 20)", "'é' * (30 << 20)", "b'x' * (60 << 20)", "['x' * (5 << 20)] * 12"} {
					o, err := torture.Get[*python.Object](w, "evaluate", expression)
					if err == nil {
						_, err = python.As[any](o)
						_ = o.Close()
					}
					if err != nil && !errors.Is(err, python.MemoryError) {
						torture.Fail("%s: got %v, want a MemoryError", expression, err)
					} else if err != nil {
						copies.Add(1)
					}
				}
				torture.Check(w.Do(torture.Kinds[g], torture.Random(g)))
			}
		})
	}
	all.Wait()
	w.Warm()
	if failed.Load() == 0 || copies.Load() == 0 {
		torture.Fail("there is memory enough: %d errors, %d copies failed", failed.Load(), copies.Load())
	}
	return fmt.Sprintf("%d errors, and %d copies failed", failed.Load(), copies.Load())
}

// exhausted takes nearly all memory that there is, and calls with what is left: calls of all sizes, several at once, less and
// less being left until most of them fail. With nothing at all, Go and Rust end a process: so something is left for them.
func exhausted() string {
	w := torture.Start()
	w.Warm()
	limit(200 << 20)
	ctx := context.Background()
	calls := map[string]func() error{
		"error":    func() error { return w.Run(ctx, "fail", 0, "text") },
		"list":     func() error { return w.Run(ctx, "evaluate", "len(list(range(400_000)))") },
		"text":     func() error { return w.Run(ctx, "evaluate", "len('é' * 3_000_000)") },
		"objects":  func() error { return w.Run(ctx, "evaluate", "len([{i: str(i)} for i in range(20_000)])") },
		"array":    func() error { return w.Run(ctx, "doubled", make([]float64, 500_000)) },
		"callback": func() error { return w.Run(ctx, "call", func(x []string) []string { return x }, []string{"a"}) },
		"import":   func() error { return w.Run(ctx, "execute", "import fractions, decimal") },
		"nested":   func() error { return second(torture.Get[any](w, "nested", 100)) },
		"result":   func() error { return second(torture.Get[[]int](w, "evaluate", "list(range(100_000))")) },
	}
	// One after the other, each has to work where there is memory.
	alive := func(when string) {
		for name, call := range calls {
			if err := call(); err != nil && name != "error" || errors.Is(err, python.MemoryError) {
				torture.Fail("%s, %s: %v", when, name, err)
			}
		}
	}
	alive("at the beginning")
	var failed, passed atomic.Int64
	for i := range torture.Times(30, 1) {
		for left := 8; left > 0; left /= 2 { // MiB
			err := w.Run(ctx, "execute", `
import mmap, torturing
kept = []
torturing.KEPT["all"] = kept
size = 1 << 20
while size > 1 << n: # not from malloc, which would keep some of what it gets back
    try:
        while True: kept.append(mmap.mmap(-1, size))
    except OSError:
        size >>= 1
del kept[:left]
del kept
`, python.KW{"n": 14 + i%5, "left": left})
			if err != nil && !errors.Is(err, python.MemoryError) {
				torture.Fail("got %v", err)
			}
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					for name, call := range calls {
						switch err := call(); {
						case errors.Is(err, python.MemoryError):
							failed.Add(1)
						case err == nil, name == "error":
							passed.Add(1)
						default: // what else a lack of memory becomes is Python's: an import that cannot read its file
							var pe *python.Error
							if !errors.As(err, &pe) {
								torture.Fail("%d MiB left, %s: %v", left, name, err)
							}
							failed.Add(1)
						}
					}
				})
			}
			all.Wait()
			if !torture.Eventually(func() bool { return w.Run(ctx, "let_go", "all") == nil }) {
				torture.Fail("there is no memory to give memory back")
			}
			alive("when memory was given back")
		}
		w.Warm()
	}
	if failed.Load() == 0 || passed.Load() == 0 {
		torture.Fail("%d calls failed and %d did not: there is too much memory, or none", failed.Load(), passed.Load())
	}
	return fmt.Sprintf("%d calls failed for want of memory, %d did not", failed.Load(), passed.Load())
}

// awkward is an error that cannot be printed.
type awkward struct{ depth int }

func (a awkward) Error() string { panic(a.depth) }

type panicking struct{ value any }

func (p panicking) Read([]byte) (int, error)      { panic(p.value) }
func (p panicking) Write([]byte) (int, error)     { panic(p.value) }
func (p panicking) ToPython() (any, error)        { panic(p.value) }
func (p panicking) sequence(yield func(int) bool) { yield(1); panic(p.value) }
func (p panicking) call()                         { panic(p.value) }
func (p panicking) key(int) int                   { panic(p.value) }
func (p panicking) later() error                  { panic(p.value) }
func (p panicking) again()                        { defer func() { panic(p.value) }(); panic("first") }
func (p panicking) deep(w *torture.World, n int)  { p.nest(context.Background(), w, n) }
func (p panicking) nest(ctx context.Context, w *torture.World, n int) {
	if n == 0 {
		panic(p.value)
	}
	torture.Check(w.Run(ctx, "call", func(ctx context.Context) { p.nest(ctx, w, n-1) }))
}

// panics panics wherever Python calls Go, with values of every kind. The panic goes on in the call, as the value that it was.
func panics() string {
	w := torture.Start()
	w.Warm()
	ctx := context.Background()
	values := map[string]any{
		"text": "text", "error": io.EOF, "pointer": new(int), "nil": nil, "awkward": awkward{3}, "struct": panicking{5},
		"slice": []int{1}, "surrogate": "\xff\x00", "func": func() {},
	}
	places := map[string]func(p panicking) error{
		"call":   func(p panicking) error { return w.Run(ctx, "call", p.call) },
		"key":    func(p panicking) error { return w.Run(ctx, "execute", "sorted([2, 1], key=f)", python.KW{"f": p.key}) },
		"nested": func(p panicking) error { p.deep(w, 10); return nil },
		"again":  func(p panicking) error { return w.Run(ctx, "call", p.again) },
		"reader": func(p panicking) error {
			return w.Run(ctx, "execute", "f.read(5)", python.KW{"f": struct{ io.Reader }{p}})
		},
		"writer": func(p panicking) error {
			return w.Run(ctx, "execute", "f.write(b'x')", python.KW{"f": struct{ io.Writer }{p}})
		},
		"sequence":  func(p panicking) error { return w.Run(ctx, "add_all", iter.Seq[int](p.sequence)) },
		"async":     func(p panicking) error { return w.Run(ctx, "awaited", python.NewFunc(p.later, python.Async())) },
		"thread":    func(p panicking) error { return w.Run(ctx, "in_thread", p.call) },
		"coroutine": func(p panicking) error { return w.Run(ctx, "loop_calls", p.key, 3) },
		"finally": func(p panicking) error {
			return w.Run(ctx, "execute", "try: f()\nfinally: f()", python.KW{"f": p.call})
		},
		"translated": func(p panicking) error {
			return w.Run(ctx, "execute", "try: f()\nexcept gophersnake.GoPanic as e: raise ValueError('x') from e", python.KW{"f": p.call})
		},
	}
	var count, exceptions atomic.Int64
	n := torture.Times(200, 1)
	var all sync.WaitGroup
	for place, try := range places {
		for name, value := range values {
			all.Go(func() {
				for range n {
					got, err := func() (got any, err error) {
						defer func() {
							if got = recover(); got != nil {
								err = nil
							}
						}()
						return nil, try(panicking{value})
					}()
					switch {
					case got == nil && err == nil:
						torture.Fail("%s, %s: neither a panic nor an error", place, name)
					case got == nil:
						exceptions.Add(1)
					case name == "pointer" && got != value:
						torture.Fail("%s, %s: recovered %v", place, name, got)
					}
					count.Add(1)
				}
			})
		}
	}
	all.Wait()
	if got := exceptions.Load(); got == count.Load() || got == 0 {
		torture.Fail("%d of %d are exceptions", got, count.Load())
	}
	w.Warm()
	return fmt.Sprintf("%d panics, of which %d became exceptions", count.Load(), exceptions.Load())
}
