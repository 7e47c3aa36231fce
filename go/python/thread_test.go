package python

import (
	"context"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

var _ = scenario("thread state is kept", func() {
	in := start()
	visits := must(Bind[func() (int, error)](in, "start_threads:visits"))
	ident := must(Bind[func() (int, error)](in, "start_threads:ident"))
	native := must(Bind[func() (int, error)](in, "start_threads:native"))
	const threads, rounds = 8, 20
	var wait, here sync.WaitGroup
	here.Add(threads)
	var seen sync.Map
	for range threads {
		wait.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			first := must(ident())
			if id := must(native()); id != syscall.Gettid() {
				fail("the call ran on thread %d, its goroutine on %d", id, syscall.Gettid())
			}
			before := must(visits()) - 1 // what other goroutines did on this thread
			if before != 0 {
				fail("a new thread has %d visits", before)
			}
			for i := range rounds {
				if n := must(visits()); n != i+2 {
					fail("threading.local: visit %d is counted as %d", i+2, n)
				}
				runtime.Gosched()
				if id := must(ident()); id != first {
					fail("threading.get_ident: %d, then %d", first, id)
				}
			}
			if _, twice := seen.LoadOrStore(first, true); twice {
				fail("two threads have the ident %d", first)
			}
			here.Done()
			here.Wait() // so that each has a thread of its own
		})
	}
	wait.Wait()
	if n := in.Stats().Threads; n < threads {
		fail("Stats().Threads: got %d, want %d or more", n, threads)
	}
})

func TestThreadStateIsKept(t *testing.T) { passScenario(t, "thread state is kept") }

// onThreads runs body on that many threads at once, which end with it, except the first one of the process if it is among
// them: Go parks that one for ever.
func onThreads(count int, body func()) {
	var done, here sync.WaitGroup
	here.Add(count)
	for range count {
		done.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			body()
			here.Done()
			here.Wait()
		})
	}
	done.Wait()
}

var _ = scenario("thread states are given back", func() {
	in := start()
	mark := must(Bind[func() error](in, "start_threads:mark"))
	marks := must(Bind[func() (int, error)](in, "start_threads:marks"))
	if n := must(marks()); n != 0 {
		fail("%d marks before any", n)
	}
	before, threadsBefore := in.Stats().Threads, tasks()
	const count = 50
	inside := 0
	for range 4 {
		var once sync.Once
		var all sync.WaitGroup
		all.Add(count)
		onThreads(count, func() {
			check(mark())
			all.Done()
			all.Wait()
			once.Do(func() { inside = in.Stats().Threads })
		})
		if inside < count {
			fail("Stats().Threads with %d threads: got %d", count, inside)
		}
		until(func() bool { return in.Stats().Threads <= before+1 })
	}
	until(func() bool { return must(marks()) <= 1 })                               // what threading.local held has gone with its thread
	until(func() bool { return tasks() <= threadsBefore+runtime.GOMAXPROCS(0)+4 }) // Go keeps some for itself
})

func TestThreadStatesAreGivenBack(t *testing.T) { passScenario(t, "thread states are given back") }

var _ = scenario("thread states do not leak", func() {
	in := start()
	blocks := must(Bind[func() (int, error)](in, "start_threads:blocks"))
	visits := must(Bind[func() (int, error)](in, "start_threads:visits"))
	churn := func(threads int) int {
		for range threads / 10 {
			onThreads(10, func() { must(visits()) })
		}
		until(func() bool { return in.Stats().Threads <= runtime.GOMAXPROCS(0)+10 })
		return must(blocks())
	}
	churn(200)
	const threads = 1000
	before := churn(10)
	after := churn(threads)
	if grown := after - before; grown > threads/2 {
		fail("%d threads have left %d blocks of memory", threads, grown)
	}
})

func TestThreadStatesDoNotLeak(t *testing.T) { passScenario(t, "thread states do not leak") }

var _ = scenario("threads end while Python is busy", func() {
	in := start()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	spin := must(in.Func("start_signals:spin"))
	mark := must(Bind[func() error](in, "start_threads:mark"))
	var busy sync.WaitGroup
	for range 2 {
		busy.Go(func() {
			for ctx.Err() == nil {
				must(spin.Call(context.Background(), 0.02))
			}
		})
	}
	for ctx.Err() == nil {
		onThreads(4, func() { check(mark()) })
	}
	busy.Wait()
	until(func() bool { return in.Stats().Threads <= 2*runtime.GOMAXPROCS(0)+8 })

	// Threads that end after the interpreter was shut down, or while it is.
	release := make(chan struct{})
	var attached, late sync.WaitGroup
	const count = 20
	attached.Add(count)
	for range count {
		late.Go(func() {
			runtime.LockOSThread()
			check(mark())
			attached.Done()
			<-release
		})
	}
	attached.Wait()
	before := in.Stats().Threads
	var down sync.WaitGroup
	down.Go(func() { check(in.Shutdown(context.Background())) })
	close(release)
	late.Wait()
	down.Wait()
	until(func() bool { return in.Stats().Threads <= before-count+1 })
})

func TestThreadsEndWhilePythonIsBusy(t *testing.T) {
	passScenario(t, "threads end while Python is busy")
}

// tasks counts the OS threads of the process.
func tasks() int { return len(must(os.ReadDir("/proc/self/task"))) }
