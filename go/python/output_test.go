package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var _ = scenario("output", func() {
	in := start()
	if err := run(in, "start_output:"+os.Getenv("FUNCTION")); err != nil && !errors.Is(err, ValueError) {
		fail("%v", err)
	}
	if later := os.Getenv("LATER"); later != "" {
		until(func() bool { return strings.HasSuffix(string(must(os.ReadFile(later))), "late") })
	}
	switch os.Getenv("END") {
	case "Shutdown":
		check(in.Shutdown(context.Background()))
	case "Exit":
		os.Exit(0)
	case "kill":
		check(syscall.Kill(os.Getpid(), syscall.SIGKILL))
		select {}
	}
})

// What Python prints is seen however the program ends.
func TestOutput(t *testing.T) {
	for _, c := range []struct{ function, out, err string }{ // err is a part of it, and all of it where it is empty
		{"lines", "out 1\nout 2\nout 3\n", "err 1\nerr 2\n"},
		{"partial", "out 1\nout", "err"},
		{"several", "ab\nc\nde", ""},
		{"writelines", "a\nb", ""},
		{"binary", "bytes \xff\n", "bytes\n"},
		{"binary_then_text", "bytes\ntext\n", ""},
		{"unicode", "é 漢 🐍\n", "é 漢 🐍 \\udcff\n"},
		{"original", "original", ""},
		{"replaced", "replaced", ""},
		{"none", "", "err"},
		{"failing", "before", ""},
		{"library", "", "logged\n"},
		{"library", "", "UserWarning: warned"},
		{"library", "", "ZeroDivisionError"},
		{"thread", "thread", ""},
		{"large", strings.Repeat("x", 1<<20) + "\n" + numbers(1<<14), ""},
	} {
		for _, end := range []string{"return", "Exit", "Shutdown", "kill"} {
			t.Run(c.function+"/"+end, func(t *testing.T) {
				t.Parallel()
				stdout, stderr, exit := runScenario(t, "output", "FUNCTION="+c.function, "END="+end, "LANG=C", "LC_ALL=C")
				if want := map[string]int{"kill": -1}[end]; exit != want {
					t.Errorf("exit status %d, want %d", exit, want)
				}
				if stdout != c.out {
					t.Errorf("stdout: got %q, want %q", clip(stdout), clip(c.out))
				}
				if !strings.Contains(stderr, c.err) || c.err == "" && stderr != "" {
					t.Errorf("stderr: got %q, want %q", clip(stderr), c.err)
				}
			})
		}
	}
}

func numbers(count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "%063d\n", i)
	}
	return b.String()
}

// What a thread of Python prints after the call that started it.
func TestOutputOfThreadThatIsLeft(t *testing.T) {
	for end, want := range map[string]string{"return": "late line\nlate", "Exit": "late line\nlate", "Shutdown": "late line\nlate"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			// It lives until all of it is there.
			stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
			if err != nil {
				t.Fatal(err)
			}
			defer stdout.Close()
			command := scenarioCommand("output", "FUNCTION=left", "END="+end, "LATER="+stdout.Name())
			command.Stdout = stdout
			passCommand(t, command)
			if got, err := os.ReadFile(stdout.Name()); string(got) != want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, want)
			}
		})
	}
}

// Shutdown does what happens at the end of a program: it also empties the buffers of C.
func TestOutputOfC(t *testing.T) {
	if stdout := passScenario(t, "output", "FUNCTION=compiled", "END=Shutdown"); stdout != "from C\n" {
		t.Errorf("got %q", stdout)
	}
}

// A program like a user's, which just returns from main.
func TestOutputOfProgram(t *testing.T) {
	program := builtProgram(t)
	stdout, stderr, exit := runCommand(t, exec.Command(program, testdata, "start_output:partial"))
	if stdout != "out 1\nout" || stderr != "err" || exit != 0 {
		t.Errorf("got %q, %q and exit status %d", stdout, stderr, exit)
	}
}

var _ = scenario("output in order", func() {
	in := start()
	print := must(in.Func("builtins:print"))
	for i := range 3 {
		fmt.Println("go", i)
		must(print.Call(context.Background(), "python", i))
		must(print.Call(context.Background(), "part", KW{"end": ""}))
	}
	fmt.Println("end")
})

func TestOutputInOrder(t *testing.T) {
	const want = "go 0\npython 0\npartgo 1\npython 1\npartgo 2\npython 2\npartend\n"
	if stdout := passScenario(t, "output in order"); stdout != want {
		t.Errorf("got %q, want %q", stdout, want)
	}
}

const printers, printed = 16, 1000

var _ = scenario("output of goroutines", func() {
	in := must(Start(Config{Path: []string{testdata}, MaxConcurrent: printers}))
	check(run(in, "start_output:hurry"))
	var wait sync.WaitGroup
	for i := range printers {
		wait.Go(func() { check(run(in, "start_output:numbered", i, printed)) })
	}
	wait.Wait()
})

var _ = scenario("output of threads", func() {
	in := start()
	check(run(in, "start_output:hurry"))
	check(run(in, "start_output:threads", printers, printed))
})

// Lines of different threads do not mix, although print writes them in parts.
func TestLinesStayWhole(t *testing.T) {
	whole := regexp.MustCompile(`^\d{4} -{20} \d{4}$`)
	for _, name := range []string{"output of goroutines", "output of threads"} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(strings.TrimSuffix(passScenario(t, name), "\n"), "\n")
			torn := 0
			for _, line := range lines {
				if !whole.MatchString(line) {
					if torn++; torn == 1 {
						t.Logf("the first torn line: %q", line)
					}
				}
			}
			if torn > 0 || len(lines) != printers*printed {
				t.Errorf("%d of %d lines are torn, want %d whole ones", torn, len(lines), printers*printed)
			}
		})
	}
}

var _ = scenario("output to nobody", func() {
	when := os.Getenv("CLOSED")
	if when == "before" {
		check(exec.Command("true").Run()) // Go's poller takes its descriptors now, and not the one that gets free here
		check(syscall.Close(1))
	}
	in := start()
	if when == "after" {
		check(syscall.Close(1))
	}
	got := must(evaluate[string](in, "start_output:attempt"))
	if got != os.Getenv("WANT") {
		fail("print gave %s", got)
	}
	for range 3 { // what cannot be written is not the fault of this call, nor of the next one
		check(run(in, "start_output:both"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	if err := in.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		fail("Shutdown: %v", err)
	}
	fmt.Fprint(os.Stderr, " alive")
})

// A host whose output is closed lives on, and the other stream still works.
func TestOutputToNobody(t *testing.T) {
	for name, c := range map[string]struct {
		want, closed string
		stdout       func(*testing.T) *os.File
	}{
		"closed before the start": {"nothing", "before", nil},
		"closed after the start":  {"OSError", "after", nil},
		"broken pipe": {"BrokenPipeError", "", func(t *testing.T) *os.File {
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_ = read.Close()
			return write
		}},
		"full device": {"OSError", "", func(t *testing.T) *os.File {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip("needs /dev/full")
			}
			return full
		}},
	} {
		t.Run(name, func(t *testing.T) {
			command := scenarioCommand("output to nobody", "WANT="+c.want, "CLOSED="+c.closed)
			if c.stdout != nil {
				file := c.stdout(t)
				defer func() { _ = file.Close() }()
				command.Stdout = file
			}
			if _, stderr, exit := runCommand(t, command); exit != 0 || !strings.HasSuffix(stderr, " alive") || strings.Count(stderr, "<err>") != 3 {
				t.Errorf("exit status %d, want 0; stderr, which wants <err> three times and then alive: %s", exit, clip(stderr))
			}
		})
	}
}

var _ = scenario("broken pipe", func() {
	in := start()
	check(run(in, "start_output:"+os.Getenv("FUNCTION")))
	check(in.Shutdown(context.Background()))
})

// A pipe or socket that nobody reads any more is an exception for the thread that writes, and no signal that ends the process.
func TestBrokenPipe(t *testing.T) {
	for _, function := range []string{"pipe", "pipe_in_thread", "pipe_in_pool", "pipe_at_exit"} {
		t.Run(function, func(t *testing.T) {
			if stdout := passScenario(t, "broken pipe", "FUNCTION="+function); stdout != "BrokenPipeError\n" {
				t.Errorf("got %q", stdout)
			}
		})
	}
}

// A reader that takes its time slows Python down, and loses nothing.
func TestOutputToSlowReader(t *testing.T) {
	command := scenarioCommand("output", "FUNCTION=large")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout = write
	got := make(chan string)
	go func() {
		time.Sleep(time.Second)
		all, _ := io.ReadAll(read)
		got <- string(all)
	}()
	_, stderr, exit := runCommand(t, command)
	_ = write.Close()
	if all := <-got; exit != 0 || len(all) != 1<<20+1+1<<20 {
		t.Errorf("got %d bytes, exit status %d, stderr: %s", len(all), exit, clip(stderr))
	}
}

// collector is a writer that keeps what it gets, and can be slow, fail, or be blocked.
type collector struct {
	mu     sync.Mutex
	text   strings.Builder
	writes int
	delay  time.Duration
	fail   error
	block  chan struct{} // until it is closed
	began  chan struct{} // gets a value for each write, if there is room
}

func (c *collector) Write(data []byte) (int, error) {
	c.mu.Lock()
	delay, fail, block := c.delay, c.fail, c.block
	c.mu.Unlock()
	select {
	case c.began <- struct{}{}:
	default:
	}
	if block != nil {
		<-block
	}
	time.Sleep(delay)
	if fail != nil {
		return 0, fail
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes++
	return c.text.Write(data)
}

func (c *collector) set(change func(*collector)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *collector) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// waitFor waits until something is true, which is a matter of another thread.
func waitFor(what string, is func() bool) {
	for end := time.Now().Add(waitLimit); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			fail("%s does not come true", what)
		}
	}
}

func want[T comparable](what string, got, want T) {
	if got != want {
		fail("%s: got %v, want %v", what, got, want)
	}
}

var _ = scenario("writers", func() {
	var out, errs collector
	config := Config{Path: []string{testdata}, Stdout: &out, Stderr: &errs}
	in := must(Start(config))
	check(run(in, "host_output:partial"))
	check(run(in, "host_output:at_exit"))
	check(run(in, "host_output:destroy"))
	want("streams", fmt.Sprint(must(evaluate[[]any](in, "host_output:streams"))), "[1 2 false utf-8]")

	want("the same interpreter", must(Start(config)), in)
	for what, other := range map[string]Config{
		"Stdout is not":        {Path: config.Path, Stdout: &collector{}, Stderr: &errs},
		"Stderr is not":        {Path: config.Path, Stdout: &out},
		"cannot be compared":   {Path: config.Path, Stdout: uncomparable{}, Stderr: &errs},
		"Config.Logger is not": {Path: config.Path, Stdout: &out, Stderr: &errs, Logger: slog.Default()},
	} {
		if _, err := Start(other); err == nil || !strings.Contains(err.Error(), what) {
			fail("got error %v, want %q", err, what)
		}
	}
	check(in.Shutdown(context.Background()))
	want("stdout", out.String(), "out 1\noutdestroyed\nfrom thread\nat exit")
	if !strings.HasPrefix(errs.String(), "bytes \xff\nerr") || !strings.Contains(errs.String(), "ValueError: in __del__") {
		fail("stderr: %q", errs.String())
	}
	want("dropped", in.Stats().Dropped, 0)
})

type uncomparable struct{ _ []int }

func (uncomparable) Write(data []byte) (int, error) { return len(data), nil }

// What Python prints goes to the writers, all of it, and nothing to the process's own streams.
func TestOutputToWriters(t *testing.T) {
	if stdout, stderr, exit := runScenario(t, "writers"); stdout != "" || stderr != "" || exit != 0 {
		t.Errorf("got %q, %q and exit status %d", stdout, stderr, exit)
	}
}

var _ = scenario("closed to writers", func() {
	check(exec.Command("true").Run())
	check(syscall.Close(1))
	var out collector
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out}))
	check(run(in, "host_output:lines", "closed", 1))
	check(in.Shutdown(context.Background()))
	want("stdout", out.String(), "closed 0 --------------------\n")
})

func TestOutputToWritersWithoutDescriptor(t *testing.T) { passScenario(t, "closed to writers") }

var _ = scenario("slow writer", func() {
	out := collector{delay: 300 * time.Millisecond}
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out}))
	go func() { // all of it would take a minute
		waitFor("some writes", func() bool { return strings.Count(out.String(), "\n") > 100 })
		out.set(func(c *collector) { c.delay = 10 * time.Millisecond })
	}()
	check(run(in, "host_output:flood", 8<<10)) // twice as much as waits
	check(in.Shutdown(context.Background()))
	want("bytes", len(out.String()), 8<<20)
	want("dropped", in.Stats().Dropped, 0)
})

// A slow writer slows Python down, and loses nothing.
func TestOutputToSlowWriter(t *testing.T) { passScenario(t, "slow writer") }

var _ = scenario("blocked writer", func() {
	out := collector{block: make(chan struct{})}
	block := out.block
	var errs collector
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out, Stderr: &errs, MaxConcurrent: 4}))
	const lines = 3000
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { check(run(in, "host_output:flood", lines)) })
	}
	wait.Wait() // a writer that kept each line waiting would take hours
	dropped := in.Stats().Dropped
	if dropped < 8*lines-6000 || dropped >= 8*lines {
		fail("%d lines are counted as dropped", dropped)
	}
	check(run(in, "host_output:partial")) // the other stream works
	waitFor("stderr", func() bool { return strings.HasPrefix(errs.String(), "bytes \xff\nerr") })

	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if err := in.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "Config.Stdout") {
		fail("Shutdown: %v", err)
	}
	close(block)
	check(in.Shutdown(context.Background()))
	dropped = in.Stats().Dropped
	text := out.String()
	whole := strings.Count(text, strings.Repeat("x", 1023)+"\n")
	// "out 1" and "out" were dropped too, or not.
	if whole+dropped != 8*lines && whole+dropped != 8*lines+2 {
		fail("%d lines came and %d were dropped, of %d", whole, dropped, 8*lines)
	}
	if told := fmt.Sprintf("gophersnake: %d lines were dropped: ", dropped); !strings.Contains(text, told) || strings.Count(text, "gophersnake") != 1 {
		fail("want %q, got %q", told, strings.ReplaceAll(text, "x", ""))
	}
})

// A writer that is blocked does not block Python for ever; what is lost is counted and told.
func TestOutputToBlockedWriter(t *testing.T) { passScenario(t, "blocked writer") }

var _ = scenario("failing writer", func() {
	out := collector{fail: errors.New("disk full")}
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out}))
	check(run(in, "host_output:lines", "lost", 100))
	waitFor("the count", func() bool { return in.Stats().Dropped == 100 })
	out.set(func(c *collector) { c.fail = nil })
	check(run(in, "host_output:lines", "there", 1))
	waitFor("the line", func() bool { return strings.HasSuffix(out.String(), "-\n") })
	want("text", out.String(), "gophersnake: 100 lines were dropped: disk full\nthere 0 --------------------\n")
	out.set(func(c *collector) { c.fail = errors.New("broken") })
	check(run(in, "host_output:lines", "lost", 3))
	err := in.Shutdown(context.Background())
	if err == nil || !strings.Contains(err.Error(), "Config.Stdout: 3 lines were dropped: broken") {
		fail("Shutdown: %v", err)
	}
	want("dropped", in.Stats().Dropped, 103)
})

func TestOutputToFailingWriter(t *testing.T) { passScenario(t, "failing writer") }

const crowd = 64

var _ = scenario("crowd", func() {
	threads := func() int { return len(must(os.ReadDir("/proc/self/task"))) }
	descriptors := func() int { return len(must(os.ReadDir("/proc/self/fd"))) }
	var out collector
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out, Stderr: &out, Logger: slog.New(slog.DiscardHandler), MaxConcurrent: 8}))
	check(run(in, "host_output:lines", "first", 1))
	goroutines, descriptorsBefore := runtime.NumGoroutine(), descriptors()
	var wait sync.WaitGroup
	for i := range crowd {
		wait.Go(func() { check(run(in, "host_output:lines", fmt.Sprintf("g%02d", i), 200)) })
	}
	wait.Wait()
	if now := threads(); now > 40 {
		fail("%d threads", now)
	}
	want("descriptors", descriptors(), descriptorsBefore)
	check(in.Shutdown(context.Background()))
	waitFor("the end of the three goroutines", func() bool { return runtime.NumGoroutine() <= goroutines-3 })
	seen := map[string]int{}
	whole := regexp.MustCompile(`^(g\d\d) (\d+) -{20}$`)
	for line := range strings.Lines(strings.TrimPrefix(out.String(), "first 0 --------------------\n")) {
		m := whole.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			fail("torn: %q", line)
		}
		want(m[1], m[2], fmt.Sprint(seen[m[1]]))
		seen[m[1]]++
	}
	want("goroutines seen", len(seen), crowd)
	for name, count := range seen {
		want(name, count, 200)
	}
})

// The lines of many calls are whole and in the order of each; nothing is left when Shutdown has returned.
func TestOutputOfCrowd(t *testing.T) { passScenario(t, "crowd") }

// caller is a writer that calls Python, which prints.
type caller struct {
	in    atomic.Pointer[Interpreter]
	lines atomic.Int64
}

func (c *caller) Write(data []byte) (int, error) {
	c.lines.Add(int64(strings.Count(string(data), "\n")))
	check(run(c.in.Load(), "host_output:lines", "from writer", 1))
	return len(data), nil
}

var _ = scenario("writer that calls", func() {
	var out caller
	in := must(Start(Config{Path: []string{testdata}, Stdout: &out}))
	out.in.Store(in)
	check(run(in, "host_output:lines", "from main", 1))
	waitFor("the line", func() bool { return out.lines.Load() == 1 })
	time.Sleep(200 * time.Millisecond)
	want("lines", out.lines.Load(), 1)
})

// What Python prints for a writer does not come back to that writer.
func TestOutputOfWriter(t *testing.T) {
	if stdout := passScenario(t, "writer that calls"); stdout != "from writer 0 --------------------\n" {
		t.Errorf("got %q", stdout)
	}
}
