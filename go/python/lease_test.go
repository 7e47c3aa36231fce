package python

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// routes are the ways in which fixtures.py keeps an array: name, whether it needs a writable array, whether it keeps anything.
var routes = []struct {
	name            string
	writable, keeps bool
}{
	{"array", false, true}, {"view", false, true}, {"view of a view", false, true}, {"reversed view", false, true},
	{"two dimensions", false, true}, {"other dtype", false, true}, {"subclass", false, true}, {"masked array", false, true},
	{"strided", false, true}, {"window", false, true}, {"broadcast", false, true}, {"element of an array", false, true},
	{"iterator", false, true}, {"nditer", false, true}, {"bound method", false, true}, {"memoryview", false, true},
	{"part of a memoryview", false, true}, {"cast memoryview", false, true}, {"array over a memoryview", false, true},
	{"frombuffer", false, true}, {"pickle buffer", false, true}, {"dlpack", false, true}, {"dlpack capsule", false, true},
	{"array interface", false, true}, {"ctypes pointer", false, true}, {"closure", false, true}, {"default", false, true},
	{"partial", false, true}, {"cycle", false, true}, {"generator", false, true}, {"coroutine", false, true},
	{"thread", false, true}, {"exception", false, true},
	{"ctypes array", true, true}, {"array over a ctypes array", true, true}, {"array", true, true}, {"view", true, true},
	{"weak reference", false, false}, {"address", false, false}, {"copy", false, false}, {"sum", false, false},
	{"list", false, false}, {"released memoryview", false, false},
}

const keptSize = 8_000 // more than small results have, so that no copy is made on the way

// lendForKeeping lends a fresh slice to a call and forgets it. freed tells when Go has collected the slice.
//
//go:noinline
func lendForKeeping(in *Interpreter, writable bool, call func(argument Lent) error) (freed *atomic.Bool, err error) {
	freed = new(atomic.Bool)
	data := make([]float64, keptSize)
	for i := range data {
		data[i] = float64(i)
	}
	runtime.AddCleanup(&data[0], func(freed *atomic.Bool) { freed.Store(true) }, freed)
	lent := Lend(data)
	if writable {
		lent = LendMut(data)
	}
	return freed, call(lent)
}

// churn collects garbage, and overwrites what was free.
func churn() {
	for range 3 {
		runtime.GC()
		for range 20 {
			garbage := make([]float64, keptSize)
			for i := range garbage {
				garbage[i] = -1
			}
			runtime.KeepAlive(garbage)
		}
	}
}

// retain goes one route: it lends memory that Python keeps, checks that it stays, lets go, and checks that it goes.
func retain(in *Interpreter, writable, keeps bool, keep func(argument Lent) error) error {
	before := in.Stats()
	freed, err := lendForKeeping(in, writable, keep)
	if err != nil {
		return err
	}
	kept := 0
	if keeps {
		kept = 1
	}
	stats := in.Stats()
	if stats.Retained-before.Retained != kept || stats.RetainedBytes-before.RetainedBytes != kept*8*keptSize || stats.RetainedTotal-before.RetainedTotal != kept {
		return fmt.Errorf("kept %d: before %+v, after %+v", kept, before, stats)
	}
	if keeps {
		churn()
		if intact, err := evaluate[bool](in, "fixtures:intact"); err != nil || !intact {
			return fmt.Errorf("the memory that Python kept has changed (or %v)", err)
		}
		if freed.Load() {
			return errors.New("Go has freed what Python kept")
		}
	}
	if err := run(in, "fixtures:let_go"); err != nil {
		return err
	}
	if !eventually(func() bool { return in.Stats().Retained == before.Retained }) {
		return fmt.Errorf("Python let go, but %+v", in.Stats())
	}
	if stats := in.Stats(); stats.RetainedBytes != before.RetainedBytes || stats.RetainedTotal != before.RetainedTotal+kept {
		return fmt.Errorf("before %+v, after %+v", before, stats)
	}
	if !eventually(func() bool { runtime.GC(); return freed.Load() }) {
		return errors.New("the memory stays pinned")
	}
	return nil
}

func keepBy(in *Interpreter, route string) func(Lent) error {
	return func(argument Lent) error { return run(in, "fixtures:keep", route, argument) }
}

// letGo makes Python let go of everything.
func letGo(t *testing.T, in *Interpreter) {
	t.Helper()
	if err := run(in, "fixtures:let_go"); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool { return in.Stats().Retained == 0 }) {
		t.Errorf("%d arrays stay retained", in.Stats().Retained)
	}
}

func TestRetained(t *testing.T) {
	in := interpreter(t)
	for _, route := range routes {
		t.Run(fmt.Sprintf("%s writable=%t", route.name, route.writable), func(t *testing.T) {
			if err := retain(in, route.writable, route.keeps, keepBy(in, route.name)); err != nil {
				t.Error(err)
			}
		})
	}
}

// By the exception that a call returns, or by the cycle that it leaves.
func TestRetainedByExceptions(t *testing.T) {
	in := interpreter(t)
	for _, name := range []string{"fixtures:raised", "fixtures:raised_cycle"} {
		err := retain(in, false, true, func(argument Lent) error {
			if err := run(in, name, argument); !errors.Is(err, ValueError) {
				return fmt.Errorf("got %w, want a ValueError", err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// By the object that Go holds, until it is closed; by an object that is lost, until it is collected.
func TestRetainedByResult(t *testing.T) {
	in := interpreter(t)
	for _, expression := range []string{"a[0]", "a[0][1:]", "[a[0]]", "memoryview(a[0])", "lambda: a", "generator(a[0])"} {
		for _, closes := range []bool{true, false} {
			before := in.Stats().Retained
			var object *Object
			freed, err := lendForKeeping(in, false, func(argument Lent) (err error) {
				f, err := in.Func("fixtures:value")
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				object, err = f.Call(context.Background(), expression, argument)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			churn()
			if got := in.Stats().Retained; got != before+1 || freed.Load() {
				t.Errorf("%s: retained %d, want %d; freed: %t", expression, got, before+1, freed.Load())
			}
			if expression == "a[0]" {
				got, err := As[[]float64](object)
				if err != nil || len(got) != keptSize || !slices.IsSorted(got) || got[1] != 1 {
					t.Errorf("%s: the memory has changed: %v", expression, err)
				}
			}
			if closes {
				_ = object.Close()
			}
			object = nil
			// What is freed is released by the next call.
			if !eventually(func() bool {
				runtime.GC()
				return run(in, "fixtures:nothing") == nil && in.Stats().Retained == before && freed.Load()
			}) {
				t.Errorf("%s, closed %t: retained %d, want %d; freed: %t", expression, closes, in.Stats().Retained, before, freed.Load())
			}
		}
	}
}

// By value results: what comes back is a copy, and nothing is retained.
func TestValueResultsRetainNothing(t *testing.T) {
	in := interpreter(t)
	same := bind[func(context.Context, []float64) ([]float64, error)](t, in, "fixtures:same")
	before := in.Stats().RetainedTotal
	for _, size := range []int{0, 10, 10_000} {
		if got, err := same(context.Background(), make([]float64, size)); err != nil || len(got) != size {
			t.Errorf("got %d elements, %v, want %d", len(got), err, size)
		}
	}
	if got := in.Stats().RetainedTotal; got != before {
		t.Errorf("%d arrays were retained", got-before)
	}
}

// Some of many arrays, the same memory more than once, and empty arrays.
func TestRetainedSome(t *testing.T) {
	in := interpreter(t)
	before := in.Stats()
	data := make([][]float64, 20)
	arguments := []any{"KEPT.extend([a[2], a[7][1:], a[7], a[19]])"}
	for i := range data {
		data[i] = []float64{float64(i), 1}
		arguments = append(arguments, data[i])
	}
	if err := run(in, "fixtures:execute", arguments...); err != nil {
		t.Fatal(err)
	}
	if got := in.Stats(); got.Retained-before.Retained != 3 || got.RetainedBytes-before.RetainedBytes != 3*16 {
		t.Errorf("before %+v, after %+v", before, got)
	}
	churn()
	if got, err := evaluate[string](in, "fixtures:value", "repr([k.tolist() for k in KEPT])"); err != nil || got != "[[2.0, 1.0], [1.0], [7.0, 1.0], [19.0, 1.0]]" {
		t.Errorf("got %s, %v", got, err)
	}
	letGo(t, in)

	same := []float64{1, 2}
	if err := run(in, "fixtures:execute", "KEPT.extend(a)", same, same, LendMut(same), same[:0], []float64(nil), same[1:]); err != nil {
		t.Fatal(err)
	}
	if got := in.Stats().RetainedBytes - before.RetainedBytes; got != 3*16+8 {
		t.Errorf("%d bytes are retained, want %d", got, 3*16+8)
	}
	letGo(t, in)
}

// Keeping the same slice again and again, from many goroutines, with Python letting go in between.
func TestRetainedRaces(t *testing.T) {
	in := interpreter(t)
	before := in.Stats()
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := range 100 {
				data := []float64{float64(i), float64(j)}
				var err error
				switch {
				case j%10 == 9:
					err = run(in, "fixtures:execute", "KEPT.clear()")
				case j%3 == 0:
					err = run(in, "fixtures:same", data)
				default:
					err = run(in, "fixtures:execute", "KEPT.append(a[0][:1])", data)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	letGo(t, in)
	if got := in.Stats(); got.RetainedBytes != before.RetainedBytes || got.RetainedTotal-before.RetainedTotal < 16*60 {
		t.Errorf("before %+v, after %+v", before, got)
	}
	leases.mu.Lock()
	defer leases.mu.Unlock()
	if len(leases.early) != 0 {
		t.Errorf("%d leases came back that were never held", len(leases.early))
	}
}

// The memory is unpinned when Python lets go by itself, without a call or a look at Stats.
func TestReleasedWithoutCall(t *testing.T) {
	in := interpreter(t)
	freed, err := lendForKeeping(in, false, keepBy(in, "view"))
	if err != nil {
		t.Fatal(err)
	}
	if err := run(in, "fixtures:let_go_later", 0.1); err != nil {
		t.Fatal(err)
	}
	if !eventually(func() bool {
		leases.mu.Lock()
		defer leases.mu.Unlock()
		return len(leases.held) == 0
	}) {
		t.Error("the lease is still held")
	}
	if !eventually(func() bool { runtime.GC(); return freed.Load() }) {
		t.Error("the memory is still pinned")
	}
}

// A call that Python code makes after its call has ended: a thread goes on reading the array.
func TestRetainedByRunningThread(t *testing.T) {
	in := interpreter(t)
	freed, err := lendForKeeping(in, false, func(argument Lent) error {
		return run(in, "fixtures:execute", strings.Join([]string{
			"leave = threading.Event()",
			"KEPT.append(leave)",
			"def work(array):",
			"    while not leave.wait(0.001):",
			"        assert array[1] == 1 and array.sum() == array.size * (array.size - 1) / 2",
			"    KEPT.append('right')",
			"threading.Thread(target=work, args=(a[0],)).start()",
		}, "\n"), argument)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		churn()
	}
	if freed.Load() {
		t.Error("Go has freed what a thread reads")
	}
	right := func() bool {
		right, err := evaluate[bool](in, "fixtures:value", "KEPT[0].set() or KEPT[-1] == 'right'")
		return err == nil && right
	}
	if !eventually(right) {
		t.Error("the thread saw other memory")
	}
	letGo(t, in)
}

func skipEfenceUnderRace(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("a Go program with -race and efence=1 crashes by itself: the detector looks at what a cleanup has freed")
	}
}

// With every freed page gone from the address space, a read of memory that is not pinned is a crash.
func TestRetainedUnderEfence(t *testing.T) {
	skipEfenceUnderRace(t)
	passScenario(t, "retained", "GODEBUG=efence=1")
	// An address that Python saved as a number is not covered: this shows that the scenario would crash.
	if _, stderr, exit := runScenario(t, "not retained", "GODEBUG=efence=1"); exit == 0 || !strings.Contains(stderr, "SIGSEGV") {
		t.Errorf("reading memory that Go has freed: exit status %d, stderr %s", exit, clip(stderr))
	}
}

var _ = scenario("not retained", func() {
	in := start()
	must(lendForKeeping(in, false, keepBy(in, "address")))
	churn()
	must(evaluate[bool](in, "fixtures:intact"))
})

var _ = scenario("retained", func() {
	in := start()
	for _, route := range routes {
		if err := retain(in, route.writable, route.keeps, keepBy(in, route.name)); err != nil {
			fail("%s: %v", route.name, err)
		}
	}
})

func TestForbidRetaining(t *testing.T) { passScenario(t, "forbid retaining") }

var _ = scenario("forbid retaining", func() {
	in := must(Start(Config{Path: []string{testdata}, ForbidRetaining: true}))
	ways := map[string]func(Lent) error{
		"raised": func(argument Lent) error { return run(in, "fixtures:raised", argument) },
		"bound": func(argument Lent) error {
			_, err := must(Bind[func(string, Lent) (int, error)](in, "fixtures:keep"))("view", argument)
			return err
		},
	}
	for _, route := range routes {
		if route.keeps {
			ways[route.name] = keepBy(in, route.name)
		} else {
			check(retain(in, route.writable, false, keepBy(in, route.name)))
		}
	}
	for name, keep := range ways {
		writable := strings.Contains(name, "ctypes array")
		err := retain(in, writable, true, func(argument Lent) error {
			if err := keep(argument); !errors.Is(err, ErrRetained) {
				return fmt.Errorf("got %w, want ErrRetained", err)
			}
			return nil
		})
		if err != nil {
			fail("%s: %v", name, err)
		}
	}
	// A result that is the lent array itself is not handed out.
	same := must(in.Func("fixtures:same"))
	objects := in.Stats().Objects
	object, err := same.Call(context.Background(), []float64{1})
	if object != nil || !errors.Is(err, ErrRetained) || !strings.Contains(err.Error(), "fixtures:same") {
		fail("got %v, %v, want ErrRetained", object, err)
	}
	batch, err := same.Map(context.Background(), []any{1, []float64{1}, []float64{2}, "x"})
	var failed *BatchError
	if !errors.As(err, &failed) || failed.Errors[0] != nil || !errors.Is(failed.Errors[1], ErrRetained) || !errors.Is(failed.Errors[2], ErrRetained) || failed.Errors[3] != nil || batch[1] != nil {
		fail("got %v, %v, want ErrRetained in two", batch, err)
	}
	check(batch[0].Close())
	check(batch[3].Close())
	check(run(in, "fixtures:nothing"))
	if !eventually(func() bool { stats := in.Stats(); return stats.Retained == 0 && stats.Objects <= objects }) {
		fail("the array is left: %+v", in.Stats())
	}
	if got := must(must(Bind[func([]float64) ([]float64, error)](in, "fixtures:same"))([]float64{1})); !slices.Equal(got, []float64{1}) {
		fail("got %v", got)
	}
})

// changes are what Python does to an array in place, and ways to keep it.
var changes = []string{
	"nothing", "weak reference", "memoryview", "shape", "shape and back", "dtype", "dtype with metadata", "byte order", "strides", "flags",
	"flags of the array", "state", "data", "view", "kept array", "kept view", "kept memoryview", "generator", "exception",
	"kept exception", "cycle",
}

// The array of a call is used again for the next one, which must not see what was done to it.
func TestArraysLookNew(t *testing.T) {
	in := interpreter(t)
	runtime.LockOSThread() // each thread has an array of its own
	defer runtime.UnlockOSThread()
	changed := bind[func(context.Context, []float64) error](t, in, "fixtures:changed")
	call := func(n int) error {
		data := make([]float64, n)
		for i := range data {
			data[i] = float64(n)
		}
		return changed(context.Background(), data)
	}
	choose := func(change string) {
		t.Helper()
		if err := run(in, "fixtures:choose", change); err != nil {
			t.Fatal(err)
		}
	}
	for _, change := range changes {
		t.Run(change, func(t *testing.T) {
			for n := range 300 {
				choose(change)
				var raised *Error
				if err := call(n + 1); errors.As(err, &raised) && raised.Type == "AssertionError" {
					t.Fatal(err)
				}
				choose("nothing")
				for _, n := range []int{n + 1, n + 2, 1} {
					if err := call(n); err != nil {
						t.Fatal(err)
					}
				}
				if n%20 != 0 {
					continue
				}
				for _, check := range []string{"fixtures:intact", "fixtures:dead"} {
					if ok, err := evaluate[bool](in, check); err != nil || !ok {
						t.Fatalf("%s: %t, %v", check, ok, err)
					}
				}
			}
			letGo(t, in)
		})
	}
}

// NumPy remembers each shape of an array of which a buffer was taken, until the array dies.
func TestBuffersOfManyShapes(t *testing.T) {
	in := interpreter(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	buffer := bind[func(context.Context, []float64) error](t, in, "zlib:crc32") // takes a buffer and drops it
	data := make([]float64, 1000)
	calls := func() {
		for i := range repetitions(100_000) {
			if err := buffer(context.Background(), data[:i%len(data)+1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls()
	before := count(t, in)
	calls()
	if after := count(t, in); after.Blocks-before.Blocks > 2000 {
		t.Errorf("%d blocks more", after.Blocks-before.Blocks)
	}
}
