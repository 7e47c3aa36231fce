package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// readNil reads through a nil pointer, of which Go makes a panic by a signal.
func readNil() (recovered bool) {
	defer func() { recovered = recover() != nil }()
	var nothing *struct{ field int }
	return nothing.field == 0
}

// refused are the attempts of start_signals.attempts that get an explanation.
var refused = []string{"handler", "interrupt", "pipe", "child", "real time", "siginterrupt", "wakeup", "loop", "register"}

func checkAnswers(answers map[string]string) {
	for _, name := range refused {
		answer := answers[name]
		delete(answers, name)
		if !strings.Contains(answer, "signal.Notify") || !strings.HasPrefix(answer, "ValueError: ") && !strings.HasPrefix(answer, "RuntimeError: ") {
			fail("%s: %q", name, answer)
		}
	}
	if !strings.HasPrefix(answers["faulthandler"], "Nonefaulthandler.enable() has no effect") {
		fail("faulthandler: %q", answers["faulthandler"])
	}
	delete(answers, "faulthandler")
	equal("answers", answers, map[string]string{
		"out of range": "ValueError: signal number out of range", "same": "1", // SIG_IGN
		"not callable": "TypeError: signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object",
		"no wakeup":    "-1", "restart": "None", "enabled": "False",
	})
}

var _ = scenario("handlers stay", func() {
	runtime.LockOSThread()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR2)
	signal.Ignore(syscall.SIGHUP)
	handlers, mask := dispositions(), blocked()
	unchanged := func(after string) {
		if !readNil() {
			fail("%s: no panic", after)
		}
		equal(after+": mask", blocked(), mask)
		for number, now := range dispositions() {
			if now != handlers[number] {
				fail("%s: signal %d: %x, before it was %x", after, number, now, handlers[number])
			}
		}
	}
	in := must(Start(Config{Python: os.Getenv("ENVIRONMENT"), Path: []string{testdata}}))
	unchanged("start")
	for _, name := range []string{"scientific", "child", "loop", "readline"} {
		check(run(in, "start_signals:"+name))
		unchanged(name)
	}
	check(run(in, "start_signals:threads", 2))
	unchanged("threads")
	must(evaluate[map[string]any](in, "start_processes:all_kinds", "spawn"))
	unchanged("multiprocessing")
	checkAnswers(must(evaluate[map[string]string](in, "start_signals:attempts")))
	unchanged("attempts")
	equal("what Go needs is spared", must(evaluate[bool](in, "start_signals:masks")), true)
	unchanged("masks")

	// Panics of Go, while Python is busy in bytecode and in C.
	var wait sync.WaitGroup
	wait.Go(func() { check(run(in, "start_signals:spin", 0.3)) })
	wait.Go(func() { check(run(in, "start_signals:scientific")) })
	for range 1000 {
		equal("a panic meanwhile", readNil(), true)
	}
	wait.Wait()

	equal("taken", must(evaluate[map[string]string](in, "gophersnake.signals:taken")), map[string]string{})
	check(run(in, "start_signals:take", int(syscall.SIGUSR1)))
	equal("taken", must(evaluate[map[string]string](in, "gophersnake.signals:taken")),
		map[string]string{"SIGUSR1": "made at run time (without SA_ONSTACK, which was added)"})
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1) // which does not take it back
	equal("taken", len(must(evaluate[map[string]string](in, "gophersnake.signals:taken"))), 1)

	file := filepath.Join(must(os.MkdirTemp(os.Getenv("TMPDIR"), "")), "answers")
	check(run(in, "start_signals:attempts_at_exit", file))
	check(in.Shutdown(context.Background()))
	var answers map[string]string
	check(json.Unmarshal(must(os.ReadFile(file)), &answers))
	checkAnswers(answers)
})

// No handler changes: not by a start, also of an environment that runs code of its own then, nor by libraries, nor by
// what Python code does on purpose.
func TestHandlersStay(t *testing.T) {
	env := environmentOfTest(t)
	real, err := filepath.EvalSymlinks(env.executable)
	if err != nil {
		t.Fatal(err)
	}
	hostile := t.TempDir()
	folder := filepath.Join("lib", "python"+env.version.String(), "site-packages")
	writeFile(t, filepath.Join(hostile, "bin"), "none", "", 0o600)
	writeFile(t, filepath.Join(hostile, folder), "others.pth", packages(t, env)+"\n", 0o600)
	writeFile(t, filepath.Join(hostile, folder), "hostile.pth",
		"import faulthandler, signal; faulthandler.enable(); signal.signal(signal.SIGUSR1, print)\n", 0o600)
	writeFile(t, hostile, "pyvenv.cfg", "home = "+filepath.Dir(real)+"\n", 0o600)
	if err := os.Symlink(real, filepath.Join(hostile, "bin", "python")); err != nil {
		t.Fatal(err)
	}
	for name, environment := range map[string]string{"plain": "", "hostile": hostile} {
		t.Run(name, func(t *testing.T) {
			passScenario(t, "handlers stay", "TMPDIR="+t.TempDir(), "ENVIRONMENT="+environment)
		})
	}
}

var _ = scenario("busy", func() {
	in := start()
	var once sync.Once
	ready := func() { once.Do(func() { fmt.Println("ready") }) }
	_ = run(in, "start_signals:busy", ready, os.Getenv("HOW"))
})

// A signal that Go does not ask for ends the program, whatever Python does.
func TestSignalsEndTheProgram(t *testing.T) {
	for _, how := range []string{"spin", "sleep", "compute"} {
		for _, number := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(how, " ", number), func(t *testing.T) {
				command := scenarioCommand("busy", "HOW="+how)
				out, err := command.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := command.Start(); err != nil {
					t.Fatal(err)
				}
				hung := time.AfterFunc(scenarioTimeout, func() { _ = command.Process.Kill() })
				defer hung.Stop()
				if _, err := io.ReadFull(out, make([]byte, len("ready\n"))); err != nil {
					t.Fatal(err)
				}
				if err := command.Process.Signal(number); err != nil {
					t.Fatal(err)
				}
				_ = command.Wait()
				if status := command.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != number {
					t.Errorf("got %v, want the end by %v", command.ProcessState, number)
				}
			})
		}
	}
}

var _ = scenario("interrupted by a signal", func() {
	in := start()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	busy := must(in.Func("start_signals:busy"))
	// When it spins: otherwise the call of this function is what is interrupted.
	interrupt := func() {
		go func() {
			wait(in, "in spin")
			check(syscall.Kill(os.Getpid(), syscall.SIGINT))
		}()
	}
	_, err := busy.Call(ctx, interrupt, "spin")
	var exception *Error
	if !errors.Is(err, context.Canceled) || !errors.As(err, &exception) || !strings.Contains(exception.Traceback, "in spin") {
		fail("%v", err)
	}
	check(in.Shutdown(context.Background()))
})

// Ctrl-C, by Go's rule: a context of signal.NotifyContext says where Python was.
func TestInterruptedBySignal(t *testing.T) { passScenario(t, "interrupted by a signal") }
