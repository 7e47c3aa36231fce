// Program cancellation ends contexts at every moment of calls of every kind, and looks at what follows.
package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "late cancels, calls of all kinds", Run: late},
		torture.Case{Name: "before the start", Run: before},
		torture.Case{Name: "deadlines in bytecode", Run: deadlines},
		torture.Case{Name: "what cannot be cancelled", Run: stubborn},
	)
}

// late cancels calls just as they return, and looks at each following one, which must not see anything of it.
func late() string {
	w := torture.Start()
	w.Warm()
	ctx := context.Background()
	count := torture.Must(w.In.Func("torturing:count"))
	later := torture.Must(w.In.Func("torturing:later"))
	call := torture.Must(w.In.Func("torturing:call"))
	numbers := torture.Must(w.In.Func("torturing:numbers"))
	in_thread := torture.Must(w.In.Func("torturing:in_thread")) //nolint:revive // as in Python
	bound := torture.Must(python.Bind[func(context.Context, int) (int, error)](w.In, "torturing:count"))
	sleep := torture.Must(w.In.Func("time:sleep"))
	worker := w.In.Worker(ctx)
	kinds := []func(ctx context.Context, n int) error{
		func(ctx context.Context, n int) error { return closed(count.Call(ctx, n)) },
		func(ctx context.Context, n int) error { _, err := bound(ctx, n); return err },
		func(ctx context.Context, n int) error {
			objects, err := count.Map(ctx, []int{n, 1, n})
			for _, o := range objects {
				if o != nil {
					_ = o.Close()
				}
			}
			return err
		},
		func(ctx context.Context, n int) error { return closed(count.Go(ctx, n).Wait(context.Background())) },
		func(ctx context.Context, n int) error { return closed(later.Call(ctx, float64(n)/1e6, 1)) },
		func(ctx context.Context, n int) error { // inside of a Go function
			return closed(call.Call(ctx, func(ctx context.Context) error { return closed(count.Call(ctx, n)) }))
		},
		func(ctx context.Context, n int) error { // the inner one only
			return closed(call.Call(context.Background(), func() error { return closed(count.Call(ctx, n)) }))
		},
		func(ctx context.Context, n int) error {
			return closed(in_thread.Call(ctx, func() error { return closed(count.Call(ctx, n)) }))
		},
		func(ctx context.Context, n int) error {
			o, err := numbers.Call(ctx, n)
			if err != nil {
				return err
			}
			defer o.Close()
			for _, err := range python.Iter[int](ctx, o) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		func(ctx context.Context, n int) error { // on a thread of its own
			ctx, cancel := context.WithCancel(worker.Context(ctx))
			defer cancel()
			return closed(count.Call(ctx, n))
		},
		// No bytecode: what comes meanwhile arrives at its end, and is nobody's.
		func(ctx context.Context, n int) error { return closed(sleep.Call(ctx, float64(n)/1e6)) },
	}
	n := torture.Times(100_000, 1_500)
	var hit, missed [16]atomic.Int64
	// When a cancel has to come depends on the machine: it takes longer where each kind was not hit and missed.
	lacks := func(kind int) bool {
		return hit[kind].Load() == 0 && kind < len(kinds)-1 || missed[kind].Load() == 0
	}
	planned, extra := torture.UpTo(n), torture.UpTo(20*n)
	more := func() bool {
		if planned() {
			return true
		}
		for kind := range kinds {
			if lacks(kind) {
				return extra()
			}
		}
		return false
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			r := torture.Random(g)
			delays := make([]float64, len(kinds)) // when the cancel comes, in ns: later after a hit, earlier after a miss
			for more() {
				kind := r.IntN(len(kinds))
				ctx, cancel := context.WithCancelCause(context.Background())
				delay, begun := time.Duration(delays[kind]), make(chan time.Time, 1)
				go func() {
					begin := time.Now()
					for begun <- begin; time.Since(begin) < delay; {
						runtime.Gosched()
					}
					cancel(errLate)
				}()
				<-begun
				switch err := kinds[kind](ctx, 10+r.IntN(5_000)); {
				case err == nil:
					missed[kind].Add(1)
					if delays[kind] *= 0.8; kind == len(kinds)-1 {
						delays[kind] = float64(r.IntN(5_000_000))
					}
				case errors.Is(err, context.Canceled):
					hit[kind].Add(1)
					delays[kind] = delays[kind]*1.2 + 1000
				default:
					torture.Fail("kind %d: %v", kind, err)
				}
				// The call that follows, with no context and with one of its own.
				if err := closed(count.Call(context.Background(), 30)); err != nil {
					torture.Fail("after kind %d: %v", kind, err)
				}
				next, cancelNext := context.WithCancel(context.Background())
				if err := kinds[r.IntN(len(kinds))](next, 20); err != nil {
					torture.Fail("after kind %d: %v", kind, err)
				}
				cancelNext()
				cancel(nil)
			}
		})
	}
	all.Wait()
	told := ""
	for kind := range kinds {
		if lacks(kind) {
			torture.Fail("kind %d: %d calls were hit, %d were not: the cancels come always too early or too late", kind, hit[kind].Load(), missed[kind].Load())
		}
		told += fmt.Sprintf(" %d/%d", hit[kind].Load(), missed[kind].Load())
	}
	rest(w)
	return fmt.Sprintf("%d cancels, hit/missed by kind:%s", n, told)
}

var errLate = errors.New("on purpose")

func closed(o *python.Object, err error) error {
	if err == nil {
		err = o.Close()
	}
	return err
}

// rest fails if calls or threads are left.
func rest(w *torture.World) {
	if !torture.Eventually(func() bool {
		s := w.Count()
		stats := w.In.Stats()
		return stats.Running == 0 && stats.Waiting == 0 && stats.StillRunning == 0 && s.Retained == 0
	}) {
		torture.Fail("left: %+v", w.In.Stats())
	}
	wrong := torture.Must(torture.Get[[]string](w, "wrong"))
	if len(wrong) > 0 {
		torture.Fail("%v", wrong)
	}
}

// before cancels calls that wait for their turn, whose Python code must never start.
func before() string {
	config := torture.Config()
	config.MaxConcurrent = 1
	w := torture.StartWith(config)
	block := torture.Must(w.In.Func("torturing:blocked"))
	mark := torture.Must(w.In.Func("torturing:mark"))
	var begun, refused atomic.Int64
	for round := 0; round < torture.Times(100, 5) || refused.Load() == 0 && round < 200; round++ {
		blocking := make(chan error, 1)
		go func() { blocking <- closed(block.Call(context.Background(), 0.05)) }()
		if !torture.Eventually(func() bool { return w.In.Stats().Running == 1 || len(blocking) == 1 }) {
			torture.Fail("the blocking call does not run")
		}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				r := torture.Random(i)
				limit := time.Duration(r.IntN(60)) * time.Millisecond
				if i == 0 {
					limit = time.Hour // one gets its turn, however slow the machine is
				}
				ctx, cancel := context.WithTimeout(context.Background(), limit)
				defer cancel()
				switch err := closed(mark.Call(ctx)); {
				case err == nil:
					begun.Add(1)
				case errors.Is(err, context.DeadlineExceeded):
					refused.Add(1)
					var pe *python.Error
					if errors.As(err, &pe) {
						begun.Add(1) // and was interrupted
					}
				default:
					torture.Fail("%v", err)
				}
			})
		}
		all.Wait()
		torture.Check(<-blocking)
	}
	started := torture.Must(torture.Get[int](w, "evaluate", "len(__import__('torturing').STARTED)"))
	if int64(started) > begun.Load() {
		torture.Fail("%d calls have started, and %d are said to", started, begun.Load())
	}
	if refused.Load() == 0 || begun.Load() == 0 {
		torture.Fail("%d refused, %d begun", refused.Load(), begun.Load())
	}
	rest(w)
	return fmt.Sprintf("%d calls were refused, %d began", refused.Load(), begun.Load())
}

// loops are Python code that would never end. What may swallow the exception is not among them: __del__, and the loop of asyncio.
var loops = map[string]string{
	"loop":              "while True: pass",
	"except Exception":  "while True:\n    try:\n        while True: pass\n    except Exception: pass",
	"finally":           "try:\n    x = 1\n    while True: pass\nfinally:\n    cleaned()",
	"with":              "class C:\n    def __enter__(self): pass\n    def __exit__(self, *_): cleaned()\nwith C():\n    x = 1\n    while True: pass",
	"generator":         "def g():\n    try:\n        while True: yield\n    finally:\n        cleaned()\nfor _ in g(): pass",
	"comprehension":     "[None for _ in iter(int, 1) if False]",
	"callback":          "while True: f()",
	"callback of C":     "import functools, itertools\nfunctools.reduce(lambda a, b: f(), itertools.count())",
	"sorting":           "while True: sorted(range(1000), key=lambda x: -x)",
	"lock":              "lock = threading.Lock()\nwhile True:\n    with lock: pass",
	"timed wait":        "event = threading.Event()\nwhile True: event.wait(0.001)",
	"threads":           "while True: threading.Thread(target=int).start()",
	"import":            "import importlib, json\nwhile True: importlib.reload(json)",
	"exceptions":        "while True:\n    try: 1 // 0\n    except ZeroDivisionError: pass",
	"recursion":         "def r(): r()\nwhile True:\n    try: r()\n    except RecursionError: pass",
	"numpy":             "while True: np.arange(1000.0).sum()",
	"eval":              "while True: eval('1 + 1')",
	"thread that calls": "import torturing\nwhile True: torturing.in_thread(f)",
	"Python from Go":    "while True: g()",
	"print":             "import io\nout = io.StringIO()\nwhile True: print('x', file=out); out.seek(0)",
	"garbage":           "import gc\nwhile True: gc.collect()",
}

// deadlines interrupts endless code of every kind, often, from several goroutines.
func deadlines() string {
	w := torture.Start()
	w.Warm()
	var cleaned, interrupted atomic.Int64
	execute := torture.Must(w.In.Func("torturing:execute"))
	variables := python.KW{
		"f": func() {}, "cleaned": func() { cleaned.Add(1) },
		"g": func(ctx context.Context) error {
			err := w.Run(ctx, "count", 100)
			if ctx.Err() != nil {
				return nil // otherwise its error, and not the interrupt, might be what ends the outer call
			}
			return err
		},
	}
	var slowest time.Duration
	var mu sync.Mutex
	// Which calls get a turn before their deadline is a matter of luck.
	for round := 0; round < torture.Times(20, 1) || cleaned.Load() == 0 && round < 100; round++ {
		var all sync.WaitGroup
		for name, source := range loops {
			all.Go(func() {
				r := torture.Random(round)
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(20+r.IntN(50))*time.Millisecond)
				defer cancel()
				begin := time.Now()
				_, err := execute.Call(ctx, source, variables)
				var pe *python.Error
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, python.ErrStillRunning) {
					torture.Fail("%s: got %v after %v", name, err, time.Since(begin))
				}
				if errors.As(err, &pe) && pe.Type != "gophersnake.GoCancelled" {
					torture.Fail("%s: got a %s: %v", name, pe.Type, err)
				}
				interrupted.Add(1)
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, time.Since(begin))
			})
		}
		all.Wait()
	}
	if cleaned.Load() == 0 {
		torture.Fail("no call has cleaned up")
	}
	rest(w)
	return fmt.Sprintf("%d calls were interrupted, the slowest after %v", interrupted.Load(), slowest.Round(time.Millisecond))
}

// stubborn gives up calls that swallow the exception or block in C, and looks whether everything comes back.
func stubborn() string {
	config := torture.Config()
	config.CancelGrace = 30 * time.Millisecond
	config.MaxConcurrent = 8
	w := torture.StartWith(config)
	before := w.Count()
	n := torture.Times(400, 40)
	var abandoned atomic.Int64
	planned, extra := torture.UpTo(n), torture.UpTo(20*n)
	more := func() bool { return planned() || abandoned.Load() == 0 && extra() }
	var all sync.WaitGroup
	for g := range 16 {
		all.Go(func() {
			for r := torture.Random(g); more(); {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.IntN(20))*time.Millisecond)
				seconds := float64(r.IntN(200)) / 1000
				var err error
				switch r.IntN(4) {
				case 0:
					err = w.Run(ctx, "stubborn", seconds/10)
				case 1:
					err = w.Run(ctx, "blocked", seconds, make([]float64, 3000))
				case 2:
					var f *python.Function
					f = torture.Must(w.In.Func("torturing:blocked"))
					_, err = f.Map(ctx, []float64{seconds / 2, seconds / 2})
					_ = f.Close()
				default: // its result is nobody's
					err = w.Run(ctx, "execute", "import time\ntime.sleep(s)\nresult = [np.ones(3000), f]", python.KW{"s": seconds, "f": func() {}})
				}
				switch {
				case errors.Is(err, python.ErrStillRunning):
					abandoned.Add(1)
					if !errors.Is(err, context.DeadlineExceeded) {
						torture.Fail("%v is not the context's", err)
					}
				case err != nil && !errors.Is(err, context.DeadlineExceeded):
					torture.Fail("%v", err)
				}
				cancel()
				if got, err := torture.Get[int](w, "same", 7); err != nil || got != 7 {
					torture.Fail("the call that follows: got %d, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if abandoned.Load() == 0 {
		torture.Fail("no call was given up")
	}
	rest(w)
	most := torture.Flat
	most.Threads, most.States, most.Goroutines = 60, 60, 60 // carriers, which are kept for the next ones
	most.Blocks = 10_000
	if !torture.Eventually(func() bool { return w.Count().Grown(before, most) == nil }) {
		torture.Check(w.Count().Grown(before, most))
	}
	return fmt.Sprintf("%d of %d calls were given up, and came back", abandoned.Load(), n)
}
