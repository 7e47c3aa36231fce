package python

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

var _ = scenario("isolation", func() {
	fmt.Print(must(evaluate[string](start(), "start_facts:isolation")))
})

// hostile are the variables that change how a python program starts.
func hostile(folder string) []string {
	return []string{
		"PYTHONHOME=" + folder, "PYTHONPATH=" + folder, "PYTHONSTARTUP=" + filepath.Join(folder, "numpy.py"), "PYTHONUSERBASE=" + folder,
		"PYTHONPLATLIBDIR=elsewhere", "PYTHONPYCACHEPREFIX=" + folder, "PYTHONNOUSERSITE=", "PYTHONSAFEPATH=1",
		"PYTHONFAULTHANDLER=1", "PYTHONTRACEMALLOC=5", "PYTHONDEVMODE=1", "PYTHONASYNCIODEBUG=1", "PYTHONMALLOC=debug", "PYTHONMALLOCSTATS=1",
		"PYTHONWARNINGS=error", "PYTHONOPTIMIZE=2", "PYTHONDEBUG=1", "PYTHONVERBOSE=1", "PYTHONINSPECT=1", "PYTHONUNBUFFERED=1",
		"PYTHONDONTWRITEBYTECODE=1", "PYTHONHASHSEED=7", "PYTHONINTMAXSTRDIGITS=640", "PYTHONNODEBUGRANGES=1", "PYTHONPROFILEIMPORTTIME=1",
		"PYTHONIOENCODING=ascii:replace", "PYTHONUTF8=0", "PYTHONCOERCECLOCALE=0", "PYTHONBREAKPOINT=hostile.stop", "PYTHONCASEOK=1",
		"PYTHONWARNDEFAULTENCODING=1", "PYTHON_FROZEN_MODULES=off", "PYTHONPERFSUPPORT=1", "PYTHON_CPU_COUNT=1", "PYTHON_GIL=1", "PYTHON_COLORS=1",
	}
}

// What surrounds the process changes nothing in the Python that it starts.
func TestStartIsIsolated(t *testing.T) {
	env := environmentOfTest(t)
	folder := t.TempDir()
	user := filepath.Join("lib", "python"+env.version.String(), "site-packages")
	const bomb = "import os, sys; print('hostile', __file__, flush=True); sys.modules['hostile'] = sys"
	for _, place := range []string{"", user, filepath.Join(".local", user)} {
		for _, module := range []string{"numpy", "json", "hostile", "usercustomize", "sitecustomize", "encodings", "site", "gophersnake", "start_facts"} {
			writeFile(t, filepath.Join(folder, place), module+".py", bomb, 0o600)
		}
		writeFile(t, filepath.Join(folder, place), "hostile.pth", "import hostile\n", 0o600)
	}
	writeFile(t, folder, "pyvenv.cfg", "home = "+folder+"\n", 0o600)
	plain := parse(t, passScenario(t, "isolation"))
	gone := filepath.Join(t.TempDir(), "gone")

	for name, c := range map[string]struct {
		folder string
		env    []string
	}{
		"variables": {"", hostile(folder)},
		// CPython reads these two even when it is isolated.
		"executable": {"", []string{"PYTHONEXECUTABLE=" + filepath.Join(folder, "python")}},
		"launcher":   {"", []string{"__PYVENV_LAUNCHER__=" + filepath.Join(folder, "python")}},
		// And so does sysconfig.
		"build":             {"", []string{"_PYTHON_SYSCONFIGDATA_NAME=hostile", "_PYTHON_PROJECT_BASE=" + folder, "_PYTHON_HOST_PLATFORM=hostile"}},
		"working directory": {folder, []string{"PWD=" + folder}},
		"user packages":     {"", []string{"HOME=" + folder, "PYTHONUSERBASE=" + folder}},
		"locale C":          {"", []string{"LC_ALL=C", "LANG=C"}},
		"locale unknown":    {"", []string{"LC_ALL=xx_YY.ISO-8859-1"}},
		"no variables":      {"", []string{"HOME", "PATH", "LANG", "LC_ALL", "PWD", "USER"}},
		"all":               {folder, append(hostile(folder), "HOME="+folder, "LC_ALL=C", "VIRTUAL_ENV="+folder)},
	} {
		t.Run(name, func(t *testing.T) {
			command := scenarioCommand("isolation", c.env...)
			command.Dir = c.folder
			stdout, stderr, exit := runCommand(t, command)
			if exit != 0 || stderr != "" {
				t.Fatalf("exit status %d, stderr: %s", exit, clip(stderr))
			}
			if got := parse(t, stdout); !reflect.DeepEqual(got, plain) {
				for key := range plain {
					if !reflect.DeepEqual(got[key], plain[key]) {
						t.Errorf("%s:\ngot  %v\nwant %v", key, got[key], plain[key])
					}
				}
			}
		})
	}
	t.Run("working directory removed", func(t *testing.T) {
		if err := os.Mkdir(gone, 0o700); err != nil {
			t.Fatal(err)
		}
		command := scenarioCommand("isolation")
		shell := exec.Command(tool(t, "sh"), "-c", `rmdir "$PWD" && exec "$0"`, command.Path)
		shell.Dir, shell.Env = gone, command.Env
		if got := parse(t, passCommand(t, shell)); !reflect.DeepEqual(got, plain) {
			t.Errorf("got  %v\nwant %v", got, plain)
		}
	})
}

// dispositions returns what the kernel knows of every signal of this process: handler, flags and mask.
func dispositions() (table [65][32]byte) {
	for number := 1; number < len(table); number++ {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(number), 0, uintptr(unsafe.Pointer(&table[number])), 8, 0, 0)
		if errno != 0 {
			fail("sigaction of %d: %v", number, errno)
		}
	}
	return table
}

// blocked returns the signals that the calling thread blocks.
func blocked() string {
	for line := range strings.Lines(string(must(os.ReadFile("/proc/thread-self/status")))) {
		if mask, ok := strings.CutPrefix(line, "SigBlk:"); ok {
			return strings.TrimSpace(mask)
		}
	}
	fail("the kernel does not say what the thread blocks")
	return ""
}

var _ = scenario("signals", func() {
	runtime.LockOSThread()
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGUSR2)
	signal.Ignore(syscall.SIGHUP)
	handlers, mask := dispositions(), blocked()
	unchanged := func(after string) {
		if blocked() != mask {
			fail("%s: the thread blocks %s, before it did %s", after, blocked(), mask)
		}
		now := dispositions()
		for number := range now {
			if now[number] != handlers[number] {
				fail("%s: signal %d: %x, before it was %x", after, number, now[number], handlers[number])
			}
		}
	}
	unchanged("nothing")
	in := start()
	unchanged("start")
	for _, name := range []string{"scientific", "child", "loop"} {
		check(run(in, "start_signals:"+name))
		unchanged(name)
	}
	if err := run(in, "start_signals:handler"); !errors.Is(err, ValueError) {
		fail("signal.signal on a thread of the host: want ValueError, got %v", err)
	}
	unchanged("handler")
	check(in.Shutdown(context.Background()))
	unchanged("shutdown")
})

func TestSignalHandlersAreUnchanged(t *testing.T) {
	for name, env := range map[string][]string{"plain": nil, "hostile": {"PYTHONFAULTHANDLER=1", "PYTHONDEVMODE=1"}} {
		t.Run(name, func(t *testing.T) { passScenario(t, "signals", env...) })
	}
}

var _ = scenario("signals arrive", func() {
	in := start()
	check(run(in, "start_signals:scientific"))
	check(run(in, "start_signals:threads", 3))
	var wait sync.WaitGroup
	for _, busy := range []string{"sleep", "spin"} {
		wait.Go(func() { check(run(in, "start_signals:"+busy, 1.0)) })
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGCHLD, syscall.SIGPIPE)
	// To the process, and to each of its threads: those of Go, of the core, of Python and of NumPy.
	for _, number := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGCHLD, syscall.SIGPIPE} {
		expect := func(to string) {
			select {
			case got := <-arrived:
				if got != number {
					fail("%v to %s: %v arrived", number, to, got)
				}
			case <-time.After(waitLimit):
				fail("%v to %s did not arrive", number, to)
			}
		}
		check(syscall.Kill(os.Getpid(), number))
		expect("the process")
		for _, entry := range must(os.ReadDir("/proc/self/task")) {
			id := must(strconv.Atoi(entry.Name()))
			if number == syscall.SIGPIPE && blocksSIGPIPE(entry.Name()) {
				continue // a thread of Python, where it would end the process
			}
			_, _, errno := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(id), uintptr(number))
			if errno == syscall.ESRCH {
				continue // it ended meanwhile
			}
			if errno != 0 {
				fail("%v", errno)
			}
			expect("thread " + entry.Name())
		}
	}
	wait.Wait()
	// The profiler interrupts whatever runs, a hundred times a second.
	check(pprof.StartCPUProfile(&bytes.Buffer{}))
	check(run(in, "start_signals:spin", 0.3))
	pprof.StopCPUProfile()
})

// blocksSIGPIPE tells whether a thread keeps SIGPIPE away, as those of Python do. None of Go's may.
func blocksSIGPIPE(thread string) bool {
	status := string(must(os.ReadFile(filepath.Join("/proc/self/task", thread, "status"))))
	_, after, _ := strings.Cut(status, "SigBlk:\t")
	mask := must(strconv.ParseUint(after[:16], 16, 64))
	return mask == 1<<(syscall.SIGPIPE-1)
}

func TestSignalsReachGo(t *testing.T) { passScenario(t, "signals arrive") }

var _ = scenario("start at once", func() {
	const starters = 100
	var wait sync.WaitGroup
	var begin = make(chan struct{})
	var got [starters]*Interpreter
	var failed [starters]error
	var processes sync.Map
	for i := range starters {
		wait.Go(func() {
			<-begin
			got[i], failed[i] = Start(Config{Path: []string{testdata}, MaxConcurrent: 4})
			if failed[i] != nil {
				return
			}
			process, err := evaluate[string](got[i], "start_facts:process")
			failed[i] = err
			processes.Store(strings.Join(strings.Fields(process)[:2], " "), true)
		})
	}
	close(begin)
	wait.Wait()
	for i := range starters {
		if failed[i] != nil || got[i] == nil || got[i] != got[0] {
			fail("starter %d: %p, %v; starter 0: %p", i, got[i], failed[i], got[0])
		}
	}
	processes.Range(func(process, _ any) bool { fmt.Println(process); return true })
	for i, c := range []Config{
		{}, {Path: []string{testdata}}, {Path: []string{testdata, testdata}, MaxConcurrent: 4}, {Path: []string{testdata}, MaxConcurrent: 4, ForbidRetaining: true},
		{Path: []string{testdata}, MaxConcurrent: 4, Python: "no such python"}, {Path: []string{testdata}, MaxConcurrent: 4, Core: "no such core"},
	} {
		if in, err := Start(c); in != nil || err == nil || !strings.Contains(err.Error(), "another configuration") {
			fail("different configuration %d: %v, %v", i, in, err)
		}
	}
	same := filepath.Join(testdata, "..", filepath.Base(testdata))
	if in := must(Start(Config{Path: []string{same}, MaxConcurrent: 4})); in != got[0] {
		fail("the same folder by another name gave another interpreter")
	}
})

func TestStartAtOnce(t *testing.T) {
	if processes := passScenario(t, "start at once"); strings.Count(processes, "\n") != 1 {
		t.Errorf("Python was started more than once: %s", processes)
	}
}

var _ = scenario("start when GOMAXPROCS has changed", func() {
	config := Config{Path: []string{testdata}}
	first := must(Start(config))
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1) // as Go itself does when the limits of a container change
	if second := must(Start(config)); second != first {
		fail("another interpreter")
	}
})

// The zero value of a field is the same configuration at any time.
func TestStartWhenGOMAXPROCSHasChanged(t *testing.T) {
	passScenario(t, "start when GOMAXPROCS has changed")
}

func TestConfigThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		says   string
	}{
		"MaxConcurrent": {Config{MaxConcurrent: -1}, "Config.MaxConcurrent: want 0 or more, got -1"},
		"Path":          {Config{Path: []string{testdata, "no such folder"}}, "Config.Path[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			if in, err := Start(c.config); in != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, %v; want an error that says %q", in, err, c.says)
			}
		})
	}
}

var _ = scenario("path", func() {
	in := must(Start(Config{Path: filepath.SplitList(os.Getenv("FOLDERS"))}))
	fmt.Print(must(evaluate[string](in, "start_facts:path")))
})

// The folders of Config.Path come first, in their order, whatever was there before.
func TestPathComesFirst(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"one", "two ünïcode", "three"} {
		writeFile(t, filepath.Join(parent, name), "module.py", "", 0o600)
	}
	in := func(name string) string { return filepath.Join(parent, name) }
	installed := packages(t, environmentOfTest(t)) // on sys.path already
	for name, c := range map[string]struct{ folders, want []string }{
		"order":              {[]string{in("three"), testdata, in("one")}, []string{in("three"), testdata, in("one")}},
		"relative":           {[]string{"one", testdata, "./two ünïcode", "."}, []string{in("one"), testdata, in("two ünïcode"), parent}},
		"on sys.path before": {[]string{installed, testdata}, []string{installed, testdata}},
	} {
		t.Run(name, func(t *testing.T) {
			command := scenarioCommand("path", "FOLDERS="+strings.Join(c.folders, string(os.PathListSeparator)))
			command.Dir = parent
			got := strings.Split(passCommand(t, command), "\n")
			if len(got) < len(c.want) || !slices.Equal(got[:len(c.want)], c.want) {
				t.Errorf("got  %q\nwant %q first", got, c.want)
			}
		})
	}
}

var _ = scenario("spawn", func() {
	fmt.Print(must(evaluate[string](start(), "start_facts:spawn")))
})

// multiprocessing starts the environment's python, and never the Go program.
func TestMultiprocessingSpawns(t *testing.T) {
	env := environmentOfTest(t)
	real, err := filepath.EvalSymlinks(env.executable)
	if err != nil {
		t.Fatal(err)
	}
	want := env.executable + "|" + real
	if got := passScenario(t, "spawn"); got != want+"\n"+want {
		t.Errorf("got %q, want %q twice", got, want)
	}
}

var _ = scenario("shutdown", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: 2}))
	sleep := must(in.Func("start_shutdown:sleep"))
	object := must(evaluateObject(in, "builtins:dict"))
	check(run(in, "start_shutdown:partial", "last words", "last complaint"))
	check(run(in, "start_shutdown:at_exit", "exit handler"))
	check(run(in, "start_shutdown:fail_at_exit"))
	// Each ends a moment after the one before it.
	begin, poolEnds, callEnds, otherCallEnds, threadEnds, lastThreadEnds := newPipe(), newPipe(), newPipe(), newPipe(), newPipe(), newPipe()
	check(run(in, "start_shutdown:pool", begin.reads, "pool ends", poolEnds.writes))
	check(run(in, "start_shutdown:thread", otherCallEnds.reads, "thread ends", threadEnds.writes, false))
	check(run(in, "start_shutdown:thread", threadEnds.reads, "thread of the usual kind ends", lastThreadEnds.writes, nil))
	check(run(in, "start_shutdown:thread", newPipe().reads, "daemon ends", lastThreadEnds.writes, true))

	var running, waiting sync.WaitGroup
	running.Go(func() {
		check(second(sleep.Call(context.Background(), poolEnds.reads, "call ends", callEnds.writes)))
	})
	running.Go(func() {
		check(second(sleep.Call(context.Background(), callEnds.reads, "call ends", otherCallEnds.writes)))
	})
	until(func() bool { return in.Stats().Running == 2 })
	const waiters = 20
	var refused atomic.Int64
	for range waiters {
		waiting.Go(func() {
			if err := second(sleep.Call(context.Background(), 0, "waited", 0)); errors.Is(err, ErrClosed) {
				refused.Add(1)
			}
		})
	}
	until(func() bool { return in.Stats().Waiting == waiters })

	down := make(chan error, 1)
	go func() { down <- in.Shutdown(context.Background()) }()
	waiting.Wait() // while the others still run
	if n := refused.Load(); n != waiters {
		fail("%d of %d waiting calls got ErrClosed", n, waiters)
	}
	if in.Stats().Running != 2 {
		fail("%d calls run, want 2: they must not be ended", in.Stats().Running)
	}
	closedNow := func(when string) {
		_, as := As[string](object)
		_, load := in.Func("builtins:len")
		for name, err := range map[string]error{"Call": second(sleep.Call(context.Background(), 0, "new", 0)), "As": as, "Func": load} {
			if !errors.Is(err, ErrClosed) {
				fail("%s %s: want ErrClosed, got %v", name, when, err)
			}
		}
	}
	closedNow("while Shutdown waits")
	begin.release()
	running.Wait()
	check(<-down)
	closedNow("after Shutdown")
	for range 2 {
		check(in.Shutdown(context.Background()))
	}
	if again := must(Start(in.config)); again != in {
		fail("Start after Shutdown gave another interpreter")
	}
	closedNow("after another Start")
	check(object.Close())
	check(sleep.Close())
	in.Stats()
	runtime.GC()
})

func TestShutdown(t *testing.T) {
	stdout, stderr, exit := runScenario(t, "shutdown")
	if exit != 0 {
		t.Fatalf("exit status %d\n%s\n%s", exit, stdout, stderr)
	}
	want := "call begins\ncall begins\npool ends\ncall ends\ncall ends\nthread ends\nthread of the usual kind ends\nexit handler\nlast words"
	if stdout != want {
		t.Errorf("got  %q\nwant %q", stdout, want)
	}
	if !strings.Contains(stderr, "ZeroDivisionError") || !strings.HasSuffix(stderr, "last complaint") {
		t.Errorf("stderr: %s", stderr)
	}
}

var _ = scenario("shutdown that hangs", func() {
	in := start()
	const patience = 200 * time.Millisecond
	hangs, ends := newPipe(), newPipe()
	var calls sync.WaitGroup
	switch os.Getenv("HANG") {
	case "call":
		sleep := must(in.Func("start_shutdown:sleep"))
		calls.Go(func() { check(second(sleep.Call(context.Background(), hangs.reads, "call ends", ends.writes))) })
		until(func() bool { return in.Stats().Running == 1 })
	case "exit handler":
		check(run(in, "start_shutdown:hang_at_exit", hangs.reads))
	case "thread":
		check(run(in, "start_shutdown:thread", hangs.reads, "thread ends", ends.writes, false))
	}
	for range 3 { // while the first goes on
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		err := in.Shutdown(ctx)
		cancel()
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took < patience {
			fail("Shutdown with a deadline: %v after %v", err, took)
		}
		if _, err := in.Func("builtins:len"); !errors.Is(err, ErrClosed) {
			fail("a call meanwhile: want ErrClosed, got %v", err)
		}
	}
	var released atomic.Bool
	time.AfterFunc(patience, func() {
		released.Store(true)
		hangs.release()
	})
	check(in.Shutdown(context.Background())) // waits for the rest of it
	if !released.Load() {
		fail("Shutdown did not wait again")
	}
	calls.Wait()
})

func TestShutdownThatHangs(t *testing.T) {
	for _, hang := range []string{"call", "exit handler", "thread"} {
		t.Run(hang, func(t *testing.T) {
			t.Parallel()
			passScenario(t, "shutdown that hangs", "HANG="+hang)
		})
	}
}

var _ = scenario("shutdowns at once", func() {
	in := start()
	check(run(in, "start_shutdown:at_exit", "exit handler"))
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := in.Shutdown(ended); err != nil && !errors.Is(err, context.Canceled) {
		fail("Shutdown with a context that has ended: %v", err)
	}
	var wait sync.WaitGroup
	for i := range 50 {
		wait.Go(func() {
			if i%2 == 0 {
				check(in.Shutdown(context.Background()))
			} else if err := run(in, "builtins:dict"); !errors.Is(err, ErrClosed) {
				fail("want ErrClosed, got %v", err)
			}
		})
	}
	wait.Wait()
})

func TestShutdownsAtOnce(t *testing.T) {
	if stdout := passScenario(t, "shutdowns at once"); stdout != "exit handler\n" {
		t.Errorf("want one run of the exit handler, got %q", stdout)
	}
}

// evaluateObject calls a function of Python and returns its result.
func evaluateObject(in *Interpreter, name string, arguments ...any) (*Object, error) {
	f, err := in.Func(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return f.Call(context.Background(), arguments...)
}

// second returns the error of a call whose value does not matter.
func second[T any](_ T, err error) error { return err }

// until waits for a condition of a scenario.
func until(condition func() bool) {
	for end := time.Now().Add(waitLimit); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			fail("waited in vain\n%s", stacks())
		}
	}
}

// pipe is what one thing waits for and another one writes to, as the descriptors that Python is given.
type pipe struct{ reads, writes int }

func newPipe() pipe {
	var descriptors [2]int
	check(syscall.Pipe(descriptors[:]))
	return pipe{descriptors[0], descriptors[1]}
}

func (p pipe) release() { _ = must(syscall.Write(p.writes, []byte("x"))) }

func stacks() []byte {
	buffer := make([]byte, 1<<16)
	return buffer[:runtime.Stack(buffer, true)]
}

// What the start has imported is not looked at by the first garbage collections, which go on as Python has them.
func TestStartGarbage(t *testing.T) { passScenario(t, "start and garbage") }

var _ = scenario("start and garbage", func() {
	in := must(Start(Config{}))
	evaluate := must(Bind[func(string, map[string]int) (int, error)](in, "builtins:eval", AllowUnknown))
	ask := func(question string) int { return must(evaluate(question, map[string]int{})) }
	if ask("int(__import__('gc').isenabled())") != 1 {
		fail("the garbage collector is off")
	}
	if ask("__import__('gc').get_freeze_count()") > 0 {
		return // CPython 3.12 freezes objects itself, and they stay so
	}
	if young := ask("sum(len(__import__('gc').get_objects(g)) for g in (0, 1))"); young > 5000 {
		fail("%d objects are in the young generations", young)
	}
	if old := ask("len(__import__('gc').get_objects(2))"); old < 5000 {
		fail("%d objects are in the oldest generation", old)
	}
})

// To compile the Python part takes long, so the core carries its bytecode for each Python that it was built beside.
func TestStartPackage(t *testing.T) {
	if problems, err := evaluate[string](interpreter(t), "start_facts:package"); err != nil || problems != "{}" {
		t.Errorf("the Python part in the core: %s %v", problems, err)
	}
}
