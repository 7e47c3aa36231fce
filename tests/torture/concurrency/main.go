// Program concurrency does everything from very many goroutines: calls of all kinds, closing what is used, imports, starts
// that fail and succeed, and the end.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	cases := []torture.Case{
		{Name: "11,000 goroutines, work of all kinds", Run: goroutines},
		{Name: "close what is called", Run: closing},
		{Name: "imports from 64 goroutines", Run: imports},
		{Name: "start, and fail to start", Run: starts},
		{Name: "workers", Run: workers},
	}
	for i := range 20 { // each needs a process, since Python starts once
		cases = append(cases, torture.Case{
			Name: fmt.Sprint("shutdown in the middle, ", i), Full: i >= 1, Run: func() string { return shutdown(i) },
		})
	}
	torture.Main(cases...)
}

// goroutines bounds threads, and what is left, where 11,000 goroutines come at once with work of all kinds.
func goroutines() string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	const count = 11_000
	var begin, all sync.WaitGroup
	begin.Add(1)
	var ended, most atomic.Int64
	for i := range count {
		all.Go(func() {
			r := torture.Random(i)
			begin.Wait()
			for range torture.Times(5, 1) {
				torture.Check(w.Any(r))
			}
			ended.Add(1)
		})
	}
	begin.Done()
	for ended.Load() < count {
		most.Store(max(most.Load(), int64(torture.OSThreads())))
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	// Some for Go functions that wait, and for threads of Python's: far from one for each goroutine.
	if bound := int64(before.Threads + 600); most.Load() > bound {
		torture.Fail("%d OS threads, want at most %d", most.Load(), bound)
	}
	flat := torture.Flat
	flat.Threads, flat.States, flat.Goroutines, flat.Resident = int(most.Load()), int(most.Load()), int(most.Load()), 128<<20 // which Go keeps
	after := w.Count()
	const kept = 224 << 10 // in C by each frame, for its next calls: 4,096 values, 256 calls, and 72 KiB for their results
	flat.Allocated += kept * min(max(after.Goroutines-before.Goroutines, 0), torture.Flat.Goroutines)
	torture.Check(after.Grown(before, flat))
	return fmt.Sprintf("at most %d OS threads", most.Load())
}

// closing closes functions, objects, iterations and views while other goroutines use them.
func closing() string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	ctx := context.Background()
	races := torture.Times(100_000, 1_500)
	var first, last atomic.Int64
	more := torture.UpTo(races)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for r := torture.Random(i); more(); {
				f := torture.Must(w.In.Func("torturing:same"))
				var users sync.WaitGroup
				users.Go(func() { _ = f.Close() })
				for range 3 {
					users.Go(func() {
						var o *python.Object
						var err error
						want := []any{int64(1), "text"}
						switch r := torture.Random(int(first.Load() + last.Load())); r.IntN(4) {
						case 0:
							o, err = f.Call(ctx, want)
						case 1:
							o, err = f.Go(ctx, want).Wait(ctx)
						case 2:
							var objects []*python.Object
							if objects, err = f.Map(ctx, []any{want, want}); err == nil {
								o = objects[0]
								_ = objects[1].Close()
							}
						default: // as an argument
							ctx, cancel := context.WithTimeout(ctx, time.Minute)
							defer cancel()
							var caller *python.Function
							caller = torture.Must(w.In.Func("torturing:call"))
							o, err = caller.Call(ctx, f, want)
							_ = caller.Close()
						}
						if err != nil {
							last.Add(1)
							if !errors.Is(err, python.ErrClosed) {
								torture.Fail("got %v, want ErrClosed", err)
							}
							return
						}
						first.Add(1)
						if got := torture.Must(python.As[[]any](o)); fmt.Sprint(got) != fmt.Sprint(want) {
							torture.Fail("got %v, want %v", got, want)
						}
						_ = o.Close()
					})
				}
				users.Wait()
				if r.IntN(10) == 0 { // objects, by many ways to use them
					for _, k := range torture.Kinds {
						if k.Name == "close" {
							torture.Check(w.Do(k, r))
						}
					}
				}
			}
		})
	}
	all.Wait()
	if first.Load() == 0 || last.Load() == 0 {
		torture.Fail("no race: %d calls came first, %d last", first.Load(), last.Load())
	}
	torture.Check(w.Count().Grown(before, torture.Flat))
	return fmt.Sprintf("%d races: %d calls came first, %d last", races, first.Load(), last.Load())
}

// imports lets 64 goroutines import modules that import one another, call Go, take their time, or fail.
func imports() string {
	config := torture.Config()
	folder := torture.Must(os.MkdirTemp("", "torture-"))
	defer os.RemoveAll(folder)
	rounds := torture.Times(100, 8)
	modules := fstest.MapFS{}
	for i := range rounds {
		for name, source := range map[string]string{
			"ring_a": "import ring_b%[1]d\ndef f(): return ring_b%[1]d.f()\n",
			"ring_b": "import time; time.sleep(0.001)\nimport ring_c%[1]d\ndef f(): return ring_c%[1]d.value\n",
			"ring_c": "import ring_a%[1]d\nvalue = %[1]d\n",
			"go":     "import hosted_import\nvalue = hosted_import.answer(%[1]d)\ndef f(): return value\n",
			"thread": "import threading\nseen = []\nt = threading.Thread(target=lambda: seen.append(%[1]d)); t.start(); t.join()\ndef f(): return seen[0]\n",
			"fails":  "import time; time.sleep(0.001)\nraise LookupError('planted %[1]d')\n",
			"syntax": "def f(:\n",
			"big":    "import time\nrows = [[j] * 10 for j in range(1000)]\ntime.sleep(0.001)\ndef f(): return %[1]d\n",
		} {
			modules[fmt.Sprintf("%s%d.py", name, i)] = &fstest.MapFile{Data: fmt.Appendf(nil, source, i)}
		}
	}
	torture.Check(os.CopyFS(folder, modules))
	config.Path = []string{folder}
	w := torture.StartWith(config)
	var nested atomic.Int64
	torture.Check(w.In.Module("hosted_import").Func("answer", func(ctx context.Context, i int) (int, error) {
		nested.Add(1)
		return torture.Get[int](w, "same", i)
	}))
	names := []string{"ring_a", "ring_b", "go", "thread", "fails", "syntax", "big"}
	var values, failures atomic.Int64
	for i := range rounds {
		var begin, all sync.WaitGroup
		begin.Add(1)
		for g := range 64 {
			all.Go(func() {
				r := torture.Random(i*64 + g)
				begin.Wait()
				name := names[r.IntN(len(names))]
				f, err := w.In.Func(fmt.Sprintf("%s%d:f", name, i))
				switch name {
				case "fails":
					if !errors.Is(err, python.LookupError) {
						torture.Fail("got %v", err)
					}
					failures.Add(1)
					return
				case "syntax":
					if !errors.Is(err, python.SyntaxError) {
						torture.Fail("got %v", err)
					}
					failures.Add(1)
					return
				}
				torture.Check(err)
				o, err := f.Call(context.Background())
				// Where two threads import a ring, CPython lets one go on with what the other has not finished.
				for end := time.Now().Add(time.Minute); isHalfImported(err) && time.Now().Before(end); time.Sleep(time.Millisecond) {
					o, err = f.Call(context.Background())
				}
				torture.Check(err)
				if got := torture.Must(python.As[int](o)); got != i {
					torture.Fail("%s: got %d, want %d", name, got, i)
				}
				values.Add(1)
				_ = o.Close()
				_ = f.Close()
			})
		}
		begin.Done()
		all.Wait()
	}
	if got := nested.Load(); got != int64(rounds) {
		torture.Fail("%d modules called Go, want each of %d once", got, rounds)
	}
	if values.Load() == 0 || failures.Load() == 0 {
		torture.Fail("%d modules worked, %d failed", values.Load(), failures.Load())
	}
	return fmt.Sprintf("%d modules worked, %d failed", values.Load(), failures.Load())
}

// isHalfImported tells whether a function used a module whose import another thread has not finished yet.
func isHalfImported(err error) bool {
	return errors.Is(err, python.AttributeError) && strings.Contains(err.Error(), "partially initialized module 'ring_")
}

// starts tries wrong configurations and the right one from everywhere at once.
func starts() string {
	folder := torture.Must(os.MkdirTemp("", "torture-"))
	defer os.RemoveAll(folder)
	write := func(name, text string, mode os.FileMode) string {
		file := filepath.Join(folder, name)
		torture.Check(os.WriteFile(file, []byte(text), mode))
		return file
	}
	type attempt struct {
		change func(*python.Config)
		want   error
	}
	right := torture.Config()
	wrong := []attempt{
		{func(c *python.Config) { c.Python = filepath.Join(folder, "none") }, python.ErrNoPython},
		{func(c *python.Config) { c.Python = write("text", "no program", 0o600) }, python.ErrNotPython},
		{func(c *python.Config) { c.Python = "/bin/true" }, python.ErrNotPython},
		{func(c *python.Config) { c.Python = "/bin/false" }, nil},
		{func(c *python.Config) { c.Python = write("broken", "#!/nonexistent\n", 0o700) }, nil},
		{func(c *python.Config) { c.Core = filepath.Join(folder, "none.so") }, python.ErrNoCore},
		{func(c *python.Config) { c.Core = write("text.so", "no library", 0o600) }, python.ErrNoCore},
		{func(c *python.Config) { c.Core = "/lib/x86_64-linux-gnu/libc.so.6" }, nil},
		{func(c *python.Config) { c.MaxConcurrent = -1 }, nil},
		{func(c *python.Config) { c.Modules = fstest.MapFS{"json.py": {Data: []byte("")}} }, nil},
	}
	rounds := torture.Times(20, 2)
	var failures atomic.Int64
	begun := false
	fail := func(a attempt) {
		config := right
		a.change(&config)
		in, err := python.Start(config)
		// Once Python runs, it runs with another configuration, whatever else is wrong.
		if in != nil || err == nil || a.want != nil && !errors.Is(err, a.want) && !begun {
			torture.Fail("got %v, %v, want %v", in, err, a.want)
		}
		failures.Add(1)
	}
	// First only wrong ones: a right one has to be possible after them.
	for range rounds {
		var all sync.WaitGroup
		for _, a := range wrong {
			all.Go(func() { fail(a) })
		}
		all.Wait()
	}
	// Then both.
	begun = true
	var all sync.WaitGroup
	interpreters := make([]*python.Interpreter, 200)
	for i := range interpreters {
		all.Go(func() {
			if i%4 == 0 {
				fail(wrong[i/4%len(wrong)])
				return
			}
			interpreters[i] = torture.Must(python.Start(right))
		})
	}
	all.Wait()
	for i, in := range interpreters {
		if i%4 != 0 && in != interpreters[1] {
			torture.Fail("two interpreters")
		}
	}
	w := torture.StartWith(right)
	w.Warm()
	for _, a := range wrong { // and after the start
		fail(a)
	}
	if failures.Load() == 0 {
		torture.Fail("no start failed")
	}
	return fmt.Sprintf("%d starts failed", failures.Load())
}

// workers starts, uses and closes workers.
func workers() string {
	w := torture.Start()
	w.Warm()
	before := w.Count()
	n := torture.Times(2_000, 50)
	var kind torture.Kind
	for _, k := range torture.Kinds {
		if k.Name == "worker closed" {
			kind = k
		}
	}
	more := torture.UpTo(n)
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for r := torture.Random(i); more(); {
				torture.Check(w.Do(kind, r))
			}
		})
	}
	all.Wait()
	var after torture.Counts
	if !torture.Eventually(func() bool { after = w.Count(); return after.Grown(before, torture.Flat) == nil }) {
		torture.Check(after.Grown(before, torture.Flat))
	}
	return fmt.Sprint(n, " workers")
}

// shutdown ends Python in the middle of everything.
func shutdown(i int) string {
	w := torture.Start()
	w.Warm()
	var over atomic.Bool
	var all sync.WaitGroup
	var done, refused atomic.Int64
	for g := range 200 {
		all.Go(func() {
			r := torture.Random(i*1000 + g)
			for !over.Load() {
				switch err := w.Any(r); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, python.ErrClosed):
					refused.Add(1)
					return
				default:
					// Python's threads and destructors say it in their own ways: see the text.
					torture.Fail("got %v, want ErrClosed", err)
				}
			}
		})
	}
	time.Sleep(time.Duration(torture.Random(i).IntN(200)) * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var several sync.WaitGroup
	for range 3 {
		several.Go(func() { torture.Check(w.In.Shutdown(ctx)) })
	}
	several.Wait()
	go func() {
		torture.Eventually(func() bool { return refused.Load() > 0 })
		time.Sleep(20 * time.Second)
		over.Store(true)
	}()
	all.Wait()
	if refused.Load() == 0 {
		torture.Fail("no call was refused")
	}
	if err := w.Run(context.Background(), "nothing"); !errors.Is(err, python.ErrClosed) {
		torture.Fail("after the end: got %v, want ErrClosed", err)
	}
	if stats := w.In.Stats(); stats.Running != 0 || stats.Waiting != 0 || stats.StillRunning != 0 {
		torture.Fail("after the end: %+v", stats)
	}
	return fmt.Sprintf("%d pieces of work were done, %d refused", done.Load(), refused.Load())
}
