package python

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The tests that a test binary of its own runs: they call t.FailNow in callbacks.
const failingTests = "GOPHERSNAKE_TEST_FAILING"

func TestFailingInCallback(t *testing.T) {
	if os.Getenv(failingTests) == "" {
		t.Skip("run by TestCallbackFailNow")
	}
	in := interpreter(t)
	for name, source := range map[string]string{
		"plain":   "f()",
		"caught":  "try:\n    f()\nexcept BaseException:\n    pass\nafter()",
		"nested":  "g()",
		"finally": "try:\n    f()\nfinally:\n    after()",
	} {
		t.Run(name, func(t *testing.T) {
			after := func() { fmt.Println("Python went on") }
			f := func() { t.Fatal("failed in the callback") }
			g := func() { passes[any](t, in, "f()", KW{"f": f}) }
			passes[any](t, in, source, KW{"f": f, "g": g, "after": after})
			fmt.Println("the test went on")
		})
	}
	t.Run("skip", func(t *testing.T) {
		passes[any](t, in, "f()", KW{"f": func() { t.Skip("skipped in the callback") }})
		fmt.Println("the test went on")
	})
	t.Run("passes", func(t *testing.T) {
		if passes[int](t, in, "result = 7", nil) != 7 || in.Stats().Running != 0 {
			t.Error("Python is not usable")
		}
	})
}

func TestCallbackFailNow(t *testing.T) {
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable, "-test.run=^TestFailingInCallback$", "-test.v")
	command.Env = environ(failingTests + "=1")
	stdout, stderr, exit := runCommand(t, command)
	if exit != 1 || strings.Contains(stdout, "the test went on") {
		t.Fatalf("exit status %d\n%s\n%s", exit, clip(stdout), clip(stderr))
	}
	for name, want := range map[string]string{"plain": "FAIL", "caught": "FAIL", "nested": "FAIL", "finally": "FAIL", "skip": "SKIP", "passes": "PASS"} {
		if !strings.Contains(stdout, "--- "+want+": TestFailingInCallback/"+name) {
			t.Errorf("%s: want %s\n%s", name, want, clip(stdout))
		}
	}
	if n := strings.Count(stdout, "Python went on"); n != 2 {
		t.Errorf("Python went on %d times, want 2", n)
	}
}

// runtime.Goexit at the bottom unwinds every level of Go and Python above it.
func TestCallbackGoexitDeep(t *testing.T) {
	in := interpreter(t)
	var unwound []string
	level := func(name string, body func()) func() {
		return func() {
			defer func() { unwound = append(unwound, name) }()
			body()
			unwound = append(unwound, name+" went on")
		}
	}
	call := func(f func()) func() {
		return func() {
			_, _ = execute[any](t, in, "try:\n    f()\nfinally:\n    note('Python')", KW{"f": f, "note": func(s string) { unwound = append(unwound, s) }})
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		level("1", call(level("2", call(level("3", runtime.Goexit)))))()
	}()
	<-done
	if got, want := fmt.Sprint(unwound), "[3 Python 2 Python 1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if running := in.Stats().Running; running != 0 {
		t.Errorf("%d calls are running", running)
	}
}

// On a thread that Python started there is no goroutine to end: Python gets GoExit there, and so ends the thread.
func TestCallbackGoexitOnThread(t *testing.T) {
	in := interpreter(t)
	got := passes[[]string](t, in, `
import gophersnake, threading
seen = []
def work():
    for _ in range(3):
        try:
            f()
        except gophersnake.GoExit as e:
            seen.append(type(e).__name__)
t = threading.Thread(target=work); t.start(); t.join()
result = seen`, KW{"f": func() { runtime.Goexit() }})
	if fmt.Sprint(got) != "[GoExit GoExit GoExit]" {
		t.Errorf("got %v", got)
	}
}

// Goroutines that are locked to their threads call Python, and Go functions lock theirs and unlock it again.
func TestCallbackLockedThread(t *testing.T) {
	in := interpreter(t)
	balanced := func() {
		runtime.LockOSThread()
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer runtime.UnlockOSThread()
		passes[int](t, in, "result = 1", nil)
	}
	nested := func() { passes[any](t, in, "balanced()\nbalanced()", KW{"balanced": balanced}) }
	work := func() {
		for range 20 {
			passes[any](t, in, "balanced()\nnested()\nbalanced()", KW{"balanced": balanced, "nested": nested})
		}
	}
	work()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		work()
		runtime.Goexit()
	}()
	<-done
	// A Goexit that leaves the thread locked, which ends a goroutine of Go's with its thread.
	done = make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		passes[any](t, in, "f()", KW{"f": func() { balanced(); runtime.Goexit() }})
		t.Error("the goroutine went on")
	}()
	<-done
}

var _ = scenario("unbalanced lock", func() {
	in := start()
	_, _ = perform[any](in, "f()", KW{"f": func() { runtime.LockOSThread() }})
	fmt.Println("went on")
})

// What OnThread warns of: the Go runtime ends the process, and says why. On a goroutine of its own, a function may do that.
func TestCallbackUnbalancedLock(t *testing.T) {
	stdout, stderr, exit := runScenario(t, "unbalanced lock")
	if os.Getenv(apartVariable) != "" {
		if exit != 0 || stdout != "went on\n" {
			t.Errorf("apart: exit status %d\n%s\n%s", exit, clip(stdout), clip(stderr))
		}
	} else if exit != 2 || stdout != "" || !strings.Contains(stderr, "OS thread locking must match") {
		t.Errorf("exit status %d\n%s\n%s", exit, clip(stdout), clip(stderr))
	}
}

var _ = scenario("fork", func() {
	in := start()
	variables := KW{"f": func() int { return 7 }, "gift": func() []float64 { return make([]float64, 10) }}
	got := must(perform[string](in, `
import os, sys, warnings
warnings.simplefilter("ignore")
assert f() == 7
kept = [gift() for _ in range(10)]
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    try:
        f()
        os.write(write, b"no exception")
    except RuntimeError as e:
        os.write(write, str(e).encode())
    kept.clear() # what goes back to the host
    lambdas = [gift] ; del lambdas
    os._exit(3)
os.close(write)
text = b""
while part := os.read(read, 1000):
    text += part
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
assert f() == 7
result = text.decode()`, variables))
	if got != `<Go function go.func>: Go does not run in a forked process: use the start method "spawn" or "forkserver"` {
		fail("got %s", got)
	}
	_, err := perform[any](in, `
import multiprocessing, warnings
warnings.simplefilter("ignore")
global work
def work(i):
    return f() + i
import callbacks
callbacks.work = work
work.__module__, work.__qualname__ = "callbacks", "work"
with multiprocessing.get_context("fork").Pool(2) as pool:
    pool.map(work, range(4))`, variables)
	if !errors.Is(err, RuntimeError) || !strings.Contains(err.Error(), "forked process") {
		fail("got %v", err)
	}
	if got := must(perform[string](in, "import subprocess, sys\nresult = subprocess.run(['echo', str(f())], capture_output=True, text=True).stdout + str(f())", variables)); got != "7\n7" {
		fail("got %q", got)
	}
	// Forks while other goroutines are in callbacks, and give back what Python has let go of.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	noise := make(chan struct{})
	for range 3 {
		go func() {
			for ctx.Err() == nil {
				must(perform[any](in, "for i in range(200): gift()", variables))
			}
			noise <- struct{}{}
		}()
	}
	must(perform[any](in, `
import os, warnings
warnings.simplefilter("ignore")
for _ in range(100):
    pid = os.fork()
    if pid == 0:
        try:
            f()
        except RuntimeError:
            del kept, f, gift
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0`, KW{"kept": func() {}, "f": variables["f"], "gift": variables["gift"]}))
	cancel()
	for range 3 {
		<-noise
	}
})

func TestCallbackFork(t *testing.T) { passScenario(t, "fork") }

// What the runtime of a program built with Go's other checks says of callbacks is nothing.
func TestCallbackChecked(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, setting := range []string{"cgocheck=1", "efence=1", "clobberfree=1", "invalidptr=1"} {
		t.Run(setting, func(t *testing.T) {
			if setting == "efence=1" {
				skipEfenceUnderRace(t)
			}
			executable, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.Command(executable, "-test.run=^TestCallback(Arguments|Error|Panic|Gift|Threads|Goexit|PassesException)$")
			command.Env = environ("GODEBUG="+setting, testdataVariable+"="+testdata)
			command.Dir = filepath.Dir(testdata)
			passCommand(t, command)
		})
	}
}

func declared() {}

type withMethod struct{}

func (withMethod) Method() {}

func TestFunctionName(t *testing.T) {
	in := interpreter(t)
	nested := func() func() { return func() {} }
	for want, function := range map[string]any{"declared": declared, "Method": withMethod{}.Method, "func": func() {}} {
		if got := passes[string](t, in, "result = f.__name__", KW{"f": function}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := passes[string](t, in, "result = f.__name__", KW{"f": nested()}); got != "func" {
		t.Errorf("got %q", got)
	}
}
