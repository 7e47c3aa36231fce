package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// project is a folder of Python sources that a scenario edits.
type project string

func newProject() project { return project(must(os.MkdirTemp(os.Getenv("TMPDIR"), ""))) }

// write writes a file as an editor does: another one takes its place.
func (p project) write(name, content string) {
	file := filepath.Join(string(p), name)
	check(os.MkdirAll(filepath.Dir(file), 0o700))
	check(os.WriteFile(file+".new", []byte(content), 0o600))
	check(os.Rename(file+".new", file))
}

// overwrite writes to the file itself. The clock that the kernel stamps files with has ticked since the last time.
func (p project) overwrite(name, content string) {
	time.Sleep(20 * time.Millisecond)
	check(os.WriteFile(filepath.Join(string(p), name), []byte(content), 0o600))
}

func (p project) remove(name string) { check(os.Remove(filepath.Join(string(p), name))) }

func returning(value any) string { return fmt.Sprintf("def answer(): return %v\n", value) }

var _ = scenario("reload", func() {
	p := newProject()
	p.write("app.py", returning(1))
	in := must(Start(Config{Path: []string{string(p)}, Reload: true, ForbidRetaining: true}))
	bound := must(Bind[func() (int, error)](in, "app:answer"))
	f := must(in.Func("app:answer"))
	called := func() int { return must(As[int](must(f.Call(context.Background())))) }
	same := func(want int) {
		equal("Bind", must(bound()), want)
		equal("Call", called(), want)
	}
	same(1)
	p.write("app.py", returning(2))
	same(2)
	for i := range 5 { // same size, and within a second: a cached file would count as fresh
		p.overwrite("app.py", returning(3+i))
		same(3 + i)
	}

	// A function that is new in the file, and objects.
	p.write("app.py", returning(20)+"def fresh(x, /): return x.sum()\nNAME = 'new'\n")
	fresh := must(Bind[func([]float64) (float64, error)](in, "app:fresh"))
	equal("fresh", must(fresh([]float64{1, 2})), 3.0)
	equal("object", must(in.Object("app:NAME")).String(), "new")
	p.write("app.py", returning(21)+"def fresh(x, /): return x.max()\nNAME = 'newer'\n")
	equal("object", must(in.Object("app:NAME")).String(), "newer")
	equal("fresh", must(fresh([]float64{1, 2})), 2.0) // nothing is retained, or it would be an error
	if _, err := Bind[func(int, int) (int, error)](in, "app:fresh"); err == nil || !strings.Contains(err.Error(), "fresh(x, /) takes 1") {
		fail("%v", err)
	}

	// An error in the file is the error of the call, again and again; the old code does not run.
	p.write("app.py", "def answer():\n    return (\n")
	for range 2 {
		if _, err := bound(); !errors.Is(err, SyntaxError) || !strings.Contains(err.Error(), "app.py, line 2") {
			fail("%v", err)
		}
	}
	p.write("app.py", "raise RuntimeError('not now')\n")
	if _, err := bound(); !errors.Is(err, RuntimeError) {
		fail("%v", err)
	}
	p.write("app.py", "")
	if _, err := bound(); !errors.Is(err, AttributeError) {
		fail("%v", err)
	}
	p.remove("app.py")
	if _, err := bound(); !errors.Is(err, ModuleNotFoundError) {
		fail("%v", err)
	}
	p.write("app.py", "answer = 4\n")
	if _, err := bound(); !errors.Is(err, TypeError) || !strings.Contains(err.Error(), "app:answer: want a callable, got int") {
		fail("%v", err)
	}

	// Tracebacks show the lines of the file as it is, and nothing of what reloads it.
	p.write("app.py", "# one more line\ndef answer():\n    raise ValueError('now here')  # as it is\n")
	var exception *Error
	if _, err := bound(); !errors.As(err, &exception) {
		fail("%v", err)
	}
	equal("frames", exception.Frames, []Frame{{File: filepath.Join(string(p), "app.py"), Function: "answer", Line: 3}})
	if !strings.Contains(exception.Traceback, "raise ValueError('now here')  # as it is") || strings.Contains(exception.Traceback, "gophersnake") {
		fail("%s", exception.Traceback)
	}
	p.write("app.py", returning(30))
	same(30)
	check(f.Close())
	if _, err := f.Call(context.Background()); !errors.Is(err, ErrClosed) {
		fail("%v", err)
	}
})

func TestReload(t *testing.T) { passScenario(t, "reload", "TMPDIR="+t.TempDir()) }

var _ = scenario("reload of packages", func() {
	p := newProject()
	p.write("pkg/__init__.py", "from .left import answer\nimport numpy\ncalls = 0\ndef count():\n    global calls\n    calls += 1\n    return calls\n")
	p.write("pkg/left.py", "from pkg.right import VALUE\nfrom space import inner\ndef answer(): return VALUE + inner.VALUE\n")
	p.write("pkg/right.py", "VALUE = 1\n")
	p.write("space/inner.py", "VALUE = 100\n") // in a namespace package
	p.write("lib/vendored.py", "VALUE = 1\n")
	p.write("extend.py", fmt.Sprintf("import sys\nsys.path.append(%q)\nimport vendored\ndef value(): return vendored.VALUE\n", filepath.Join(string(p), "lib")))
	in := must(Start(Config{Modules: os.DirFS(string(p)), Reload: true}))
	answer := must(Bind[func() (int, error)](in, "pkg:answer"))
	count := must(Bind[func() (int, error)](in, "pkg:count"))
	value := must(Bind[func() (int, error)](in, "extend:value"))
	equal("answer", must(answer()), 101)
	equal("count", must(count()), 1)
	equal("count", must(count()), 2)
	equal("value", must(value()), 1)
	numpy := must(in.Object("pkg:numpy"))

	p.write("pkg/right.py", "VALUE = 2\n")
	equal("answer", must(answer()), 102)
	equal("count", must(count()), 1) // as in a new process
	p.write("space/inner.py", "VALUE = 200\n")
	equal("answer", must(answer()), 202)
	equal("numpy is the same", numpy.Is(must(in.Object("pkg:numpy"))), true)

	// What another element of sys.path has is not the program's own, although it lies in its folder.
	p.write("lib/vendored.py", "VALUE = 2\n")
	equal("value", must(value()), 1)
	equal("no cached files", len(must(filepath.Glob(filepath.Join(string(p), "pkg", "__pycache__", "*")))), 0)
})

func TestReloadPackages(t *testing.T) { passScenario(t, "reload of packages", "TMPDIR="+t.TempDir()) }

var _ = scenario("reload while calls run", func() {
	p := newProject()
	write := func(value int) { // slow to import, so that changes come meanwhile
		p.write("part.py", fmt.Sprintf("import time\nVALUE = %d\ntime.sleep(0.002)\n", value))
		p.write("app.py", "import time\nfrom part import VALUE\ntime.sleep(0.002)\ndef answer(): return VALUE\n")
	}
	write(0)
	in := must(Start(Config{Path: []string{string(p)}, Reload: true, MaxConcurrent: 8}))
	answer := must(Bind[func() (int, error)](in, "app:answer"))
	var callers sync.WaitGroup
	stop := make(chan struct{})
	for range 8 {
		callers.Go(func() {
			for last := 0; ; {
				select {
				case <-stop:
					return
				default:
				}
				now, err := answer()
				check(err)
				if now < last {
					fail("%d after %d", now, last)
				}
				last = now
			}
		})
	}
	for i := range 100 {
		write(i)
		time.Sleep(time.Duration(i%7) * time.Millisecond)
	}
	close(stop)
	callers.Wait()
	equal("answer", must(answer()), 99)
})

func TestReloadWhileCallsRun(t *testing.T) {
	passScenario(t, "reload while calls run", "TMPDIR="+t.TempDir())
}

var _ = scenario("no reload", func() {
	p := newProject()
	p.write("app.py", returning(1))
	in := must(Start(Config{Path: []string{string(p)}}))
	answer := must(Bind[func() (int, error)](in, "app:answer"))
	p.write("app.py", returning(2))
	equal("answer", must(answer()), 1)
	equal("type", must(must(in.Object("app:answer")).Type()), "function")
})

func TestNoReload(t *testing.T) { passScenario(t, "no reload", "TMPDIR="+t.TempDir()) }

var _ = scenario("reload and workers", func() {
	p := newProject()
	p.write("app.py", `
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
def one(x): return x + 1
def apply(function):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, 1).result()
def answer(): return apply(one)
`)
	in := must(Start(Config{Modules: os.DirFS(string(p)), Reload: true}))
	answer := must(Bind[func() (int, error)](in, "app:answer"))
	equal("answer", must(answer()), 2)
	source := must(os.ReadFile(filepath.Join(string(p), "app.py")))
	p.write("app.py", strings.Replace(string(source), "x + 1", "x + 10", 1))
	equal("answer", must(answer()), 11)
	equal("one", must(evaluate[int](in, "app:apply", must(in.Func("app:one")))), 11)
	check(in.Shutdown(context.Background()))
})

func TestReloadAndWorkers(t *testing.T) { passScenario(t, "reload and workers", "TMPDIR="+t.TempDir()) }

// slowly imports in the middle of a call, and slows down how submodules are found.
const slowly = `
import os, sys, time
def take_long():
    open(os.path.join(os.path.dirname(__file__), "begun"), "w").close()
    time.sleep(0.5)
def lazily():
    import slow
    return slow.VALUE
class SlowFinder:
    def find_spec(self, name, path=None, target=None):
        if name == "pkg.sub":
            take_long()
sys.meta_path.insert(0, SlowFinder())
`

var _ = scenario("reload while others import", func() {
	p := newProject()
	p.write("app.py", returning(1))
	p.write("slow.py", "import slowly\nslowly.take_long()\nVALUE = 1\n")
	p.write("slowly.py", slowly)
	p.write("pkg/__init__.py", "")
	p.write("pkg/sub.py", returning(1))
	in := must(Start(Config{Path: []string{string(p)}, Reload: true, MaxConcurrent: 2}))
	answer := must(Bind[func() (int, error)](in, "app:answer"))
	lazily := must(Bind[func() (int, error)](in, "slowly:lazily"))
	far := must(Bind[func() (int, error)](in, "pkg.sub:answer"))

	// What is being imported is not forgotten: the code that imports it would fail.
	meanwhile := func(call func() (int, error), value int) {
		var other sync.WaitGroup
		other.Go(func() { equal("the slow call", must(call()), 1) })
		begun := filepath.Join(string(p), "begun")
		until(func() bool { return second(os.Stat(begun)) == nil })
		check(os.Remove(begun))
		p.write("app.py", returning(value))
		_ = must(answer())
		other.Wait()
		equal("answer", must(answer()), value)
	}
	meanwhile(lazily, 2)
	// A package may be forgotten before its module is imported: the call begins again.
	p.write("pkg/sub.py", returning(1)+"\n")
	meanwhile(far, 3)
})

func TestReloadWhileOthersImport(t *testing.T) {
	passScenario(t, "reload while others import", "TMPDIR="+t.TempDir())
}
