package python

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// takingLibrary takes signals in all ways that C knows.
const takingLibrary = `
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sigaction before[65];
static volatile int handled, unfit;
static char *volatile page;

// Counts, also where it does not run on the stack for signals.
void handle(int number) {
    stack_t stack;
    sigaltstack(NULL, &stack);
    if (stack.ss_flags == 0) unfit++; // there is one, and it is not in use
    handled++;
}
static void handle_fault(int number, siginfo_t *info, void *context) {
    if (page == NULL || (char *)info->si_addr != page) _exit(99); // it does not know of others, as many do
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    handled++;
}

int count_handled(void) { return handled; }
int count_unfit(void) { return unfit; }
int take(int number, int flags) {
    struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
    sigaddset(&action.sa_mask, SIGUSR2);
    return sigaction(number, &action, &before[number]);
}
int restore(int number) { return sigaction(number, &before[number], NULL); }
int set(int number, int handler) {
    struct sigaction action = {.sa_handler = handler ? SIG_IGN : SIG_DFL};
    return sigaction(number, &action, NULL);
}
int take_signal(int number) { return signal(number, handle) == SIG_ERR; }
int take_bsd(int number) { return bsd_signal(number, handle) == SIG_ERR; }
int take_ssignal(int number) { return ssignal(number, handle) == SIG_ERR; }
int take_sysv(int number) { return sysv_signal(number, handle) == SIG_ERR; }
int take_set(int number) { return sigset(number, handle) == SIG_ERR; }
int ignore(int number) { return sigignore(number); }
int interrupt(int number) { return siginterrupt(number, 1); }
int raise_here(int number) { return raise(number); }

// Past libc.
static int ask_kernel(int number, void *handler, long flags) {
    struct { void *handler; unsigned long flags; void *restorer; unsigned long mask; } action;
    if (syscall(SYS_rt_sigaction, SIGSEGV, NULL, &action, 8) != 0) return -1;
    action.handler = handler;
    action.flags = (action.flags & 0x04000000) | flags; // the restorer stays
    action.mask = 0;
    return syscall(SYS_rt_sigaction, number, &action, NULL, 8);
}
int take_unseen(int number) { return ask_kernel(number, handle, 0); }
int set_unseen(int number, int handler) { return ask_kernel(number, handler ? (void *)SIG_IGN : (void *)SIG_DFL, 0); }

// On a thread of its own, later.
static void *work(void *number) {
    usleep(20000);
    take((int)(long)number, 0);
    return NULL;
}
int take_on_thread(int number) {
    pthread_t thread;
    return pthread_create(&thread, NULL, work, (void *)(long)number) || pthread_detach(thread);
}

int take_faults(void) {
    struct sigaction action = {.sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO};
    for (const int *number = (int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, 0}; *number; number++)
        if (sigaction(*number, &action, &before[*number]) != 0) return -1;
    return 0;
}
// Brings a fault of its own about, which its handler mends.
int fault(void) {
    char *memory = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page = memory;
    ((volatile char *)memory)[0] = 7;
    int value = ((volatile char *)memory)[0];
    page = NULL;
    munmap(memory, 4096);
    return value;
}
// What sigaction says of a signal: 0 default, 1 ignored, 2 a handler of this library, 3 another.
int look(int number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) return -1;
    if (action.sa_handler == handle || (void *)action.sa_sigaction == (void *)handle_fault) return 2;
    return action.sa_handler == SIG_DFL ? 0 : action.sa_handler == SIG_IGN ? 1 : 3;
}

// Writes to a pipe that nobody reads, on a thread of its own.
static void *write_pipe(void *unused) {
    int ends[2];
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (pipe(ends) != 0) return (void *)2;
    close(ends[0]);
    long status = write(ends[1], "x", 1) < 0;
    close(ends[1]);
    return (void *)status;
}
int write_on_thread(void) {
    pthread_t thread;
    void *status;
    if (pthread_create(&thread, NULL, write_pipe, NULL) || pthread_join(thread, &status)) return -1;
    return (int)(long)status;
}

// What a child has that changes a signal between fork, or vfork, and exec.
int child_sees(int shares) {
    int status;
    pid_t child = shares ? vfork() : fork();
    if (child == 0) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(SIGHUP, &action, NULL);
        syscall(SYS_rt_sigaction, SIGHUP, NULL, &action, 8);
        _exit(action.sa_handler == SIG_DFL ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1;
}
`

// compile makes a shared library of a source in a folder.
func compile(folder, source string) (library string) {
	file := filepath.Join(folder, "taking.c")
	library = filepath.Join(folder, "libtaking.so")
	check(os.WriteFile(file, []byte(source), 0o600))
	if out, err := exec.Command("cc", "-w", "-O1", "-shared", "-fPIC", "-pthread", "-o", library, file).CombinedOutput(); err != nil {
		fail("%v: %s", err, out)
	}
	return library
}

// kernelAction is how the kernel handles a signal.
func kernelAction(number syscall.Signal) (handler, flags uint64) {
	action := dispositions()[number]
	return binary.NativeEndian.Uint64(action[:]), binary.NativeEndian.Uint64(action[8:])
}

const (
	onStack     = 0x08000000
	noChildWait = 2
)

// fit tells whether no handler of a signal runs on the stack of a goroutine.
func fit(number syscall.Signal) bool {
	handler, flags := kernelAction(number)
	return handler < 2 || flags&onStack != 0
}

// await waits for a condition.
func await(what string, condition func() bool) {
	for end := time.Now().Add(scenarioTimeout / 3); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			fail("never: %s", what)
		}
	}
}

// hears tells whether a signal to the process comes to a channel of signal.Notify.
func hears(number syscall.Signal) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, number)
	defer signal.Stop(told)
	check(syscall.Kill(os.Getpid(), number))
	select {
	case <-told:
	case <-time.After(scenarioTimeout / 3):
		fail("signal.Notify does not hear of signal %d", number)
	}
}

// tools are what the scenarios of this file work with.
type tools struct {
	in     *Interpreter
	call   func(name string, numbers ...int) int
	logged func() string
}

// lockedBuffer is a buffer that goroutines write to and read from.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// take starts with the library.
func take(deep bool) tools {
	folder := must(os.MkdirTemp("", ""))
	library := compile(folder, takingLibrary)
	var log lockedBuffer
	in := must(Start(Config{Path: []string{testdata}, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	check(run(in, "start_handlers:load", library, deep))
	check(os.RemoveAll(folder))
	call := must(Bind[func(string, ...int) (int, error)](in, "start_handlers:call"))
	return tools{in: in, logged: log.String, call: func(name string, numbers ...int) int { return must(call(name, numbers...)) }}
}

// All ways to take a signal: each handler works on the stack for signals, and what was there before comes back.
var _ = scenario("libraries take signals", func() {
	before := dispositions()
	t := take(false)
	back := func(what string, number syscall.Signal) {
		if dispositions()[number] != before[number] {
			fail("%s: signal %d: %x, before it was %x", what, number, dispositions()[number], before[number])
		}
	}
	handled := 0
	works := func(what string, number syscall.Signal) {
		if handler, _ := kernelAction(number); !fit(number) || handler < 2 {
			fail("%s: no fit handler", what)
		}
		t.call("raise_here", int(number))
		handled++
		equal(what+": handled", t.call("count_handled"), handled)
	}
	const number = syscall.SIGUSR1
	for _, how := range []string{"take", "take_signal", "take_bsd", "take_ssignal", "take_set"} {
		numbers := []int{int(number)}
		if how == "take" {
			numbers = append(numbers, 0)
		}
		equal(how, t.call(how, numbers...), 0)
		equal(how+": as the library sees it", t.call("look", int(number)), 2)
		works(how, number)
		works(how+" again", number)
		equal(how+": the default", t.call("set", int(number), 0), 0)
		back(how, number)
	}
	check(run(t.in, "start_handlers:take_here", int(number)))
	works("ctypes", number)
	for range 2 { // its own handler, and the host's
		equal("ignore", t.call("ignore", int(number)), 0)
		back("ignored", number)
	}
	equal("once", t.call("take_sysv", int(number)), 0)
	works("once", number)
	await("the host's comes back after a handler for once", func() bool { return dispositions()[number] == before[number] })
	equal("installs", t.call("take", int(number), onStack), 0)
	works("with the flag", number)
	equal("restores", t.call("restore", int(number)), 0)
	back("restored", number)
	equal("interrupts", t.call("interrupt", int(number)), 0)
	back("interrupts", number)

	// A thread of the library, while no call runs.
	equal("thread", t.call("take_on_thread", int(number)), 0)
	await("the thread takes it", func() bool { return dispositions()[number] != before[number] })
	works("thread", number)
	taken := must(evaluate[map[string]string](t.in, "gophersnake.signals:taken"))
	if file := taken["SIGUSR1"]; len(taken) != 1 || !strings.HasSuffix(file, "libtaking.so (without SA_ONSTACK, which was added)") {
		fail("taken: %v", taken)
	}
	equal("restores", t.call("restore", int(number)), 0)
	back("thread", number)

	// Go's own changes stay, and win.
	equal("installs", t.call("take", int(number), 0), 0)
	signal.Ignore(number)
	if handler, _ := kernelAction(number); handler != 1 {
		fail("signal.Ignore was undone: %x", handler)
	}
	equal("restores what Go has changed since", t.call("restore", int(number)), 0)
	time.Sleep(30 * time.Millisecond)
	if handler, _ := kernelAction(number); handler != 1 {
		fail("signal.Ignore was undone: %x", handler)
	}
	hears(number) // Notify ends that
	equal("handled on the stack of another", t.call("count_unfit"), 0)
	equal("child", t.call("child_sees", 0), 0)
	signal.Ignore(syscall.SIGHUP)
	equal("child that shares memory", t.call("child_sees", 1), 0)

	// What was logged: once for each handler and signal.
	await("the log", func() bool { return strings.Contains(t.logged(), "SIGUSR1: was to be ignored") })
	if text := t.logged(); strings.Count(text, "SIGUSR1: handled by ") != 1 || !strings.Contains(text, "libtaking.so without SA_ONSTACK") {
		fail("logged: %s", text)
	}
	if stats := t.in.Stats(); stats.SignalsMended < 12 || stats.Map()["signals_mended_total"] < 12 {
		fail("mended: %d", stats.SignalsMended)
	}
})

func TestLibrariesTakeSignals(t *testing.T) { passScenario(t, "libraries take signals") }

// A library that waits for children, as loops of events do, and Go that does too.
var _ = scenario("a library takes SIGCHLD", func() {
	before := dispositions()
	t := take(os.Getenv("DEEP") != "")
	for _, flags := range []int{0, noChildWait} {
		equal("take", t.call("take", int(syscall.SIGCHLD), flags), 0)
		await("it is fit", func() bool { return fit(syscall.SIGCHLD) })
		_, got := kernelAction(syscall.SIGCHLD)
		equal("SA_NOCLDWAIT", got&noChildWait, uint64(0))
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range repetitions(50) + 5 {
					check(exec.Command("/bin/true").Run())
				}
			})
		}
		wait.Wait()
		if t.call("count_handled") == 0 || t.call("count_unfit") != 0 {
			fail("%d handled, %d of them on stacks of others", t.call("count_handled"), t.call("count_unfit"))
		}
		equal("the default", t.call("set", int(syscall.SIGCHLD), 0), 0)
		await("Go's comes back", func() bool { return dispositions()[syscall.SIGCHLD] == before[syscall.SIGCHLD] })
		hears(syscall.SIGCHLD)
	}
	equal("ignores", t.call("set", int(syscall.SIGCHLD), 1), 0)
	await("Go's comes back", func() bool { return dispositions()[syscall.SIGCHLD] == before[syscall.SIGCHLD] })
	check(exec.Command("/bin/true").Run())
})

func TestLibraryTakesSIGCHLD(t *testing.T) {
	t.Run("seen", func(t *testing.T) { passScenario(t, "a library takes SIGCHLD") })
	t.Run("unseen", func(t *testing.T) { passScenario(t, "a library takes SIGCHLD", "DEEP=1") })
}

// What goes past libc is found by looking.
var _ = scenario("signals are taken unseen", func() {
	before := dispositions()
	t := take(false)
	const number = syscall.SIGUSR1
	for range 3 {
		equal("take", t.call("take_unseen", int(number)), 0)
		await("it is fit", func() bool { return fit(number) })
		t.call("raise_here", int(number))
		for handler := range 2 {
			equal("drop", t.call("set_unseen", int(number), handler), 0)
			await("Go's comes back", func() bool { return dispositions()[number] == before[number] })
		}
	}
	hears(number)
	equal("handled", t.call("count_handled"), 3)
	equal("handled on the stack of another", t.call("count_unfit"), 0)
	// Go's changes are seen, so they are none that should be undone.
	signal.Ignore(number)
	time.Sleep(100 * time.Millisecond)
	if handler, _ := kernelAction(number); handler != 1 {
		fail("signal.Ignore was undone: %x", handler)
	}
	// Also when the clock has gone to sleep.
	signal.Notify(make(chan os.Signal, 1), number)
	time.Sleep(1500 * time.Millisecond)
	want := t.in.Stats().SignalsMended
	equal("take", t.call("take_unseen", int(syscall.SIGWINCH)), 0)
	await("it is fit", func() bool { return fit(syscall.SIGWINCH) && t.in.Stats().SignalsMended > want })
})

func TestSignalsTakenUnseen(t *testing.T) { passScenario(t, "signals are taken unseen") }

// A library that handles faults, as a JVM does, but knows of nobody else's.
var _ = scenario("a library takes faults", func() {
	t := take(false)
	handlers := dispositions()
	equal("take", t.call("take_faults"), 0)
	for range 3 {
		for _, number := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL} {
			equal("as the library sees it", t.call("look", int(number)), 2)
			equal("fit", fit(number), true)
		}
		equal("the library's own fault", t.call("fault"), 7)
		equal("a panic", readNil(), true)
		equal("a division", divide(0), true)
		var wait sync.WaitGroup
		wait.Go(func() {
			runtime.LockOSThread()
			for range 100 {
				equal("a panic elsewhere", readNil(), true)
			}
		})
		wait.Wait()
		runtime.GC() // which preempts by signals
	}
	equal("handled", t.call("count_handled"), 3)
	for _, number := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP} {
		equal("restores", t.call("restore", int(number)), 0)
		equal(fmt.Sprint("signal ", number), dispositions()[number], handlers[number])
	}
	equal("a panic", readNil(), true)
})

// divide divides by a number, of which Go makes a panic if it is 0.
func divide(by int) (recovered bool) {
	defer func() { recovered = recover() != nil }()
	return 1/by == 0
}

func TestLibraryTakesFaults(t *testing.T) { passScenario(t, "a library takes faults") }

// A library that ignores SIGPIPE does so for its threads, on which it would end the program; Go goes on hearing of it.
var _ = scenario("a library ignores SIGPIPE", func() {
	t := take(false)
	equal("ignore", t.call("ignore", int(syscall.SIGPIPE)), 0)
	equal("as the library sees it", t.call("look", int(syscall.SIGPIPE)), 1)
	equal("write", t.call("write_on_thread"), 1)
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGPIPE)
	var ends [2]int
	check(syscall.Pipe(ends[:]))
	check(syscall.Close(ends[0]))
	if _, err := syscall.Write(ends[1], []byte("x")); err != syscall.EPIPE { //nolint:errorlint // as it is
		fail("got %v", err)
	}
	await("Go hears of it", func() bool { return len(told) == 1 })
	equal("write", t.call("write_on_thread"), 1)
	equal("taken", must(evaluate[map[string]string](t.in, "gophersnake.signals:taken")),
		map[string]string{"SIGPIPE": "ignored, but on the host's threads"})
})

func TestLibraryIgnoresSIGPIPE(t *testing.T) { passScenario(t, "a library ignores SIGPIPE") }

// Go changes handlers while a library does: whatever comes last, none is unfit, and nothing of Go's is lost.
var _ = scenario("all change handlers", func() {
	t := take(false)
	const number = syscall.SIGUSR1
	before := dispositions()[number]
	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for ctx.Err() == nil {
				t.call("take", int(number), 0)
				t.call("set", int(number), 0)
			}
		})
	}
	for range repetitions(2000) + 20 {
		signal.Ignore(number)
		signal.Reset(number)
		if !fit(number) {
			fail("a handler without SA_ONSTACK")
		}
	}
	stop()
	wait.Wait()
	signal.Notify(make(chan os.Signal, 1), number)
	t.call("set", int(number), 0)
	equal("Go's is back", dispositions()[number], before)
	equal("taken", must(evaluate[map[string]string](t.in, "gophersnake.signals:taken")), map[string]string{})
	hears(number)
})

func TestAllChangeHandlers(t *testing.T) { passScenario(t, "all change handlers") }
