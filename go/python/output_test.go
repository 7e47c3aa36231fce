package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
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
		time.Sleep(must(time.ParseDuration(later)))
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
			if stdout := passScenario(t, "output", "FUNCTION=left", "END="+end, "LATER=2s"); stdout != want {
				t.Errorf("got %q, want %q", stdout, want)
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
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
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
