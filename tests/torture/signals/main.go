// Program signals lets signals of all kinds rain on a program that does everything else, and looks whether their handlers,
// Go's panics and Ctrl-C stay what they are.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/gophersnake/gophersnake/go/python"
	"github.com/gophersnake/gophersnake/tests/torture"
)

func main() {
	torture.Main(
		torture.Case{Name: "a rain of signals", Run: rain},
		torture.Case{Name: "Ctrl-C again and again", Run: interrupts},
		torture.Case{Name: "handlers that Python wants", Run: attempts},
	)
}

// dispositions returns how each signal is handled, as the kernel sees it.
func dispositions() (all [65][4]uintptr) {
	for number := 1; number <= 64; number++ {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(number), 0, uintptr(unsafe.Pointer(&all[number])), 8, 0, 0)
		if errno != 0 {
			torture.Fail("sigaction of %d: %v", number, errno)
		}
	}
	return all
}

// readNil reads through a nil pointer, of which Go makes a panic by a signal.
func readNil() (recovered bool) {
	defer func() { recovered = recover() != nil }()
	var nothing *struct{ field int }
	return nothing.field == 0
}

// rain sends signals to the process and to its threads while it works.
func rain() string {
	w := torture.Start()
	w.Warm()
	told := make(chan os.Signal, 100)
	numbers := []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGALRM, syscall.SIGCONT, syscall.SIGIO, syscall.SIGCHLD}
	for _, number := range numbers {
		signal.Notify(told, number)
	}
	before := dispositions()
	torture.Check(pprof.StartCPUProfile(&bytes.Buffer{}))
	long := time.Duration(torture.Times(60_000, 700)) * time.Millisecond
	begin := time.Now()
	over := func() bool { return time.Since(begin) > long }
	var all sync.WaitGroup
	var received, sent, recovered atomic.Int64
	go func() {
		for range told {
			received.Add(1)
		}
	}()
	all.Go(func() {
		for r := torture.Random(1); !over(); {
			number := numbers[r.IntN(len(numbers))]
			if r.IntN(2) == 0 {
				torture.Check(syscall.Kill(os.Getpid(), number))
			} else { // one thread, which may be Python's
				threads := torture.Must(os.ReadDir("/proc/self/task"))
				var thread int
				_, _ = fmt.Sscan(threads[r.IntN(len(threads))].Name(), &thread)
				_, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(thread), uintptr(number)) // it may have ended
			}
			sent.Add(1)
			time.Sleep(50 * time.Microsecond)
		}
	})
	all.Go(func() {
		for !over() {
			if !readNil() {
				torture.Fail("no panic")
			}
			if err := w.Run(context.Background(), "call", func() {
				if !readNil() {
					torture.Fail("no panic in a callback")
				}
			}); err != nil {
				torture.Fail("%v", err)
			}
			recovered.Add(2)
		}
	})
	all.Go(func() {
		for !over() { // pipes that nobody reads, from Go and from a thread of Python's
			reader, writer, err := os.Pipe()
			torture.Check(err)
			_ = reader.Close()
			// A process that is being started has the other end too for a moment.
			if !torture.Eventually(func() bool { _, err := writer.Write([]byte("x")); return errors.Is(err, syscall.EPIPE) }) {
				torture.Fail("no EPIPE")
			}
			err = w.Run(context.Background(), "execute", "import os, torturing\nfor _ in range(10**6): torturing.in_thread(os.write, n, b'x')", python.KW{"n": int(writer.Fd())})
			if !errors.Is(err, python.Class("builtins.BrokenPipeError")) {
				torture.Fail("got %v", err)
			}
			_ = writer.Close()
		}
	})
	all.Go(func() {
		for !over() {
			command := exec.Command("/bin/sh", "-c", "exit 3")
			_ = command.Run()
			if command.ProcessState.ExitCode() != 3 {
				torture.Fail("Go's child: %v", command.ProcessState)
			}
			torture.Check(w.Run(context.Background(), "execute", "import subprocess\nassert subprocess.run(['/bin/sh', '-c', 'exit 4']).returncode == 4"))
		}
	})
	done := w.Mix(8, func() bool { return !over() })
	all.Wait()
	pprof.StopCPUProfile()
	after := dispositions()
	for number := range after {
		if after[number] != before[number] && syscall.Signal(number) != syscall.SIGPROF {
			torture.Fail("signal %d: %x, before %x", number, after[number], before[number])
		}
	}
	if sent.Load() == 0 || received.Load() == 0 || recovered.Load() == 0 || done == 0 {
		torture.Fail("%d signals were sent and %d received, %d panics, %d pieces of work", sent.Load(), received.Load(), recovered.Load(), done)
	}
	return fmt.Sprintf("%d signals, %d of them received, %d panics, %d pieces of work", sent.Load(), received.Load(), recovered.Load(), done)
}

// interrupts sends SIGINT to calls with a context of signal.NotifyContext, and looks at each following one.
func interrupts() string {
	w := torture.Start()
	w.Warm()
	n := torture.Times(2_000, 30)
	for i := range n {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if err := w.Run(ctx, "spin"); !errors.Is(err, context.Canceled) {
					torture.Fail("round %d: got %v", i, err)
				}
			})
		}
		all.Go(func() { torture.Check(w.Do(torture.Kinds[0], torture.Random(i))) })
		time.Sleep(time.Duration(i%5) * time.Millisecond)
		torture.Check(syscall.Kill(os.Getpid(), syscall.SIGINT))
		all.Wait()
		torture.Check(w.Do(torture.Kinds[i%3], torture.Random(i)))
		stop()
		signal.Notify(make(chan os.Signal, 1), os.Interrupt) // a late one does not end this program
	}
	return fmt.Sprint(n, " times")
}

// attempts tries to change handlers from everywhere at once.
func attempts() string {
	w := torture.Start()
	w.Warm()
	before := dispositions()
	const source = `
import asyncio, faulthandler, signal, warnings
warnings.simplefilter("ignore")
refused = 0
for number in signal.valid_signals():
    for change in (lambda: signal.signal(number, print), lambda: signal.signal(number, signal.SIG_IGN), lambda: signal.siginterrupt(number, True),
                   lambda: faulthandler.register(number), lambda: signal.set_wakeup_fd(1), faulthandler.enable,
                   lambda: asyncio.new_event_loop().add_signal_handler(number, print)):
        try: change()
        except (ValueError, RuntimeError, OSError): refused += 1
result = refused
`
	var refused atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range torture.Times(50, 1) {
				refused.Add(int64(torture.Must(torture.Get[int](w, "execute", source))))
			}
		})
	}
	all.Go(func() {
		for range torture.Times(20_000, 500) {
			if !readNil() {
				torture.Fail("no panic")
			}
		}
	})
	all.Wait()
	if after := dispositions(); after != before {
		torture.Fail("%x\nbefore %x", after, before)
	}
	if refused.Load() == 0 {
		torture.Fail("nothing was refused")
	}
	return fmt.Sprint(refused.Load(), " attempts were refused")
}
