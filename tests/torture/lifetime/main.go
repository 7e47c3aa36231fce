// Program lifetime keeps memory of one side on the other one, by every route and from everywhere at once, while garbage
// is collected all the time and freed pages leave the address space.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "all routes at once", Env: []string{"GOGC=1"}, Run: func() string { return routes(torture.Times(30_000, 500)) }},
		torture.Case{Name: "all routes at once, with efence", Env: []string{"GODEBUG=efence=1"}, Run: func() string {
			return routes(torture.Times(3_000, 200))
		}},
		torture.Case{Name: "all routes at once, with clobberfree", Env: []string{"GODEBUG=clobberfree=1", "GOGC=1"}, Run: func() string {
			return routes(torture.Times(10_000, 200))
		}},
		torture.Case{Name: "an address that Python saved is not covered", Env: []string{"GODEBUG=efence=1"}, Dies: "SIGSEGV", Run: address},
		torture.Case{Name: "a storm of collections", Env: []string{"GOGC=1"}, Run: storm},
		torture.Case{Name: "a storm of collections, with efence", Env: []string{"GODEBUG=efence=1"}, Run: storm},
		torture.Case{Name: "writers after the call", Env: []string{"GOGC=1"}, Run: writers},
		torture.Case{Name: "cycles through both sides", Env: []string{"GOGC=1"}, Run: cycles},
		torture.Case{Name: "many at once", Run: many},
	)
}

// collect collects garbage on both sides again and again until stop is called.
func collect(w *torture.World) (stop func()) {
	var over atomic.Bool
	var collector sync.WaitGroup
	collector.Go(func() {
		for !over.Load() {
			runtime.GC()
			torture.Check(w.Run(context.Background(), "sweep"))
			time.Sleep(time.Millisecond)
		}
	})
	return func() { over.Store(true); collector.Wait() }
}

// flat fails if something is left.
func flat(w *torture.World, before torture.Counts) {
	after := w.Count()
	// Memory of freed pages that are never used again counts in tables of the kernel only.
	most := torture.Flat
	most.Resident = 96 << 20
	most.Threads = 30 // Go makes some while it collects
	torture.Check(after.Grown(before, most))
}

// routes lends memory that Python keeps, from many goroutines, and checks that all of it is freed in the end.
func routes(n int) string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	lent, freed := new(atomic.Int64), new(atomic.Int64)
	more := torture.UpTo(n)
	stop := collect(w)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for r := torture.Random(i); more(); {
				torture.Check(lend(w, r, lent, freed))
			}
		})
	}
	all.Wait()
	stop()
	flat(w, before)
	if !torture.Eventually(func() bool {
		runtime.GC()
		return w.Run(context.Background(), "sweep") == nil && freed.Load() == lent.Load()
	}) {
		torture.Fail("%d slices were lent, and %d freed", lent.Load(), freed.Load())
	}
	if lent.Load() == 0 || w.In.Stats().RetainedTotal == 0 {
		torture.Fail("%d slices were lent, %d arrays retained", lent.Load(), w.In.Stats().RetainedTotal)
	}
	return fmt.Sprintf("%d slices were lent and freed, %d arrays retained", lent.Load(), w.In.Stats().RetainedTotal)
}

var keys atomic.Int64

// lend lends a slice, forgets it, and looks what Python sees of it.
func lend(w *torture.World, r *rand.Rand, lent, freed *atomic.Int64) error {
	ctx, key, route := context.Background(), -keys.Add(1), r.IntN(1000)
	numbers := make([]float64, (torture.Least+5+r.IntN(3000))&^1)
	for i := range numbers {
		numbers[i] = float64(r.IntN(1000))
	}
	lent.Add(1)
	runtime.AddCleanup(&numbers[0], func(freed *atomic.Int64) { freed.Add(1) }, freed)
	argument := python.Lend(numbers)
	if r.IntN(2) == 0 {
		argument = python.LendMut(numbers)
	}
	keep := func(ctx context.Context) error { return w.Run(ctx, "keep", key, route, argument) }
	var err error
	switch r.IntN(5) {
	case 0:
		err = keep(ctx)
	case 1: // and is interrupted
		ctx, cancel := context.WithTimeout(ctx, 3*time.Millisecond)
		defer cancel()
		if err = w.Run(ctx, "execute", "import torturing\ntorturing.keep(key, route, a)\nwhile True: pass", python.KW{"key": key, "route": route, "a": argument}); err == nil {
			return errors.New("an endless loop has ended")
		}
		if err = keep(context.Background()); err != nil { // in the case that it was interrupted before
			return err
		}
	case 2: // from a Go function that Python calls in a thread
		err = w.Run(ctx, "in_thread", func() error { return keep(ctx) })
	case 3: // by a batch
		var f *python.Function
		if f, err = w.In.Func("torturing:let_go"); err != nil {
			return err
		}
		_, err = f.Map(ctx, []any{"no such key", numbers})
		var failed *python.BatchError
		if !errors.As(err, &failed) || !errors.Is(failed.Errors[0], python.KeyError) {
			return fmt.Errorf("got %w", err)
		}
		err = keep(ctx)
	default: // by an argument of a Go function, which is Python's own memory then
		err = w.Run(ctx, "call", func(ctx context.Context, x []float64) error { return w.Run(ctx, "keep", key, route, x) }, argument)
	}
	if err != nil {
		return err
	}
	numbers, argument = nil, python.Lent{}
	for range r.IntN(3) {
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		if intact, err := torture.Get[bool](w, "intact", key); err != nil || !intact {
			return fmt.Errorf("route %d: what Python keeps has changed, or %w", route, err)
		}
	}
	return w.Run(ctx, "let_go", key)
}

// address reads memory that Python does not keep, which has to crash, or the other cases would show nothing.
func address() string {
	w := torture.Start()
	for key := range 50 {
		torture.Check(w.Run(context.Background(), "keep_address", key, make([]float64, torture.Least)))
	}
	for range 5 {
		runtime.GC()
	}
	intact, err := torture.Get[bool](w, "intact", 1)
	return fmt.Sprint("was read: ", intact, err)
}

// storm does everything while garbage is collected all the time.
func storm() string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	stop := collect(w)
	done := w.Mix(16, torture.UpTo(torture.Times(20_000, 300)))
	stop()
	flat(w, before)
	return fmt.Sprint(done, " pieces of work")
}

// writers lets threads of Python's write to memory that was lent to a call which has ended. Nothing beside it changes.
func writers() string {
	w := torture.Start()
	const size = 512
	n := torture.Times(300, 30)
	stop := collect(w)
	for range n {
		// Neighbours of the same size class, of which every other one is lent.
		slices := make([][]float64, 32)
		for i := range slices {
			slices[i] = make([]float64, size)
			for j := range slices[i] {
				slices[i][j] = float64(i)
			}
		}
		var all sync.WaitGroup
		for i := 0; i < len(slices); i += 2 {
			all.Go(func() {
				torture.Check(w.Run(context.Background(), "execute", `
import time
def write():
    for i in range(200):
        a[:] = -i
        if i % 50 == 0: time.sleep(0)
thread = threading.Thread(target=write)
thread.start()
import torturing
torturing.KEPT[key] = thread`, python.KW{"a": python.LendMut(slices[i]), "key": fmt.Sprint("writer ", i)}))
				slices[i] = nil
			})
		}
		all.Wait()
		for i := 1; i < len(slices); i += 2 {
			for _, x := range slices[i] {
				if x != float64(i) {
					torture.Fail("a slice that was not lent holds %v, want %d", x, i)
				}
			}
		}
		torture.Check(w.Run(context.Background(), "execute", "import torturing\nwhile torturing.KEPT: torturing.KEPT.popitem()[1].join()"))
	}
	stop()
	if !torture.Eventually(func() bool { return w.Count().Retained == 0 }) {
		torture.Fail("%d arrays stay retained", w.In.Stats().Retained)
	}
	return fmt.Sprint(16*n, " threads wrote")
}

// node refers to Python, which refers to it.
type node struct{ Back *python.Object }

// cycles makes cycles of Go values and Python objects, and opens them.
func cycles() string {
	w := torture.Start()
	w.Warm()
	torture.Check(w.In.Module("cycles").Type("Node", (*node)(nil)))
	make1 := func(r *rand.Rand) {
		value := &node{}
		o := torture.Must(torture.Get[*python.Object](w, "execute", "result = [n, np.arange(5.0)]", python.KW{"n": value}))
		value.Back = o
		switch r.IntN(3) {
		case 0:
			value.Back = nil // Go lets go
		case 1:
			torture.Check(w.Run(context.Background(), "execute", "o.clear()", python.KW{"o": o})) // Python does
		default:
			_ = o.Close()
		}
	}
	stop := collect(w)
	n := torture.Times(5_000, 300)
	run := func(n int) {
		var all sync.WaitGroup
		more := torture.UpTo(n)
		for i := range 8 {
			all.Go(func() {
				for r := torture.Random(i); more(); {
					make1(r)
				}
			})
		}
		all.Wait()
	}
	run(200)
	before := w.Count()
	run(n)
	stop()
	flat(w, before)
	return fmt.Sprint(n, " cycles")
}

// many holds very many things at once, and gives all of them back.
func many() string {
	debug.SetGCPercent(50)
	w := torture.Start()
	ctx := context.Background()
	before := w.Count()
	n := torture.Times(300_000, 20_000)
	same := torture.Must(w.In.Func("torturing:same"))
	keep := torture.Must(w.In.Func("torturing:keep"))
	objects := make([]*python.Object, n)
	for i := range objects {
		objects[i] = torture.Must(same.Call(ctx, []any{i, i}))
	}
	retained := n / 10
	for i := range retained {
		o := torture.Must(keep.Call(ctx, fmt.Sprint("many ", i), 0, []float64{float64(i), 2}))
		_ = o.Close()
	}
	functions := make([]any, n/10)
	for i := range functions {
		functions[i] = func() int { return i }
	}
	kept := torture.Must(same.Call(ctx, functions))
	stats := w.In.Stats()
	if stats.Objects < n || stats.Retained != retained || stats.Hosted < len(functions) {
		torture.Fail("got %+v", stats)
	}
	for i, o := range objects {
		if i%1000 == 0 {
			got := torture.Must(python.As[[]int](o))
			if got[0] != i {
				torture.Fail("object %d is %v", i, got)
			}
		}
		if i%2 == 0 {
			_ = o.Close()
		}
	}
	objects, functions = nil, nil //nolint:ineffassign,wastedassign // the rest is the garbage collector's
	_ = kept.Close()
	torture.Check(w.Run(ctx, "execute", "import torturing; torturing.KEPT.clear()"))
	most := torture.Flat
	most.Resident = 400 << 20 // what was freed is kept for the next ones
	_ = same.Close()
	_ = keep.Close()
	if !torture.Eventually(func() bool { return w.Count().Grown(before, most) == nil }) {
		torture.Check(w.Count().Grown(before, most))
	}
	return fmt.Sprintf("%d objects, %d retained arrays, %d Go functions", n, retained, n/10)
}
